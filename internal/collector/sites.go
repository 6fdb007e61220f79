package collector

import (
	"context"
	"reflect"
	"time"

	"github.com/drwatch/drwatch/internal/probe"
)

// watch is a site, or the observer's references, with the probes that judge it.
type watch struct {
	reference bool
	when      probe.When
	probes    []probe.ID
	state     Site
}

// The sources of what the probes say: each probe for itself, and the verdict of
// each site; the verdict on the references is the observer's own.
func probeSource(id probe.ID) string { return "probe/" + id.String() }

func (w watch) source() string {
	if w.reference {
		return "observer"
	}
	return "site/" + w.state.Name
}

// replaceProbes makes the watches of the settings. A probe that stays as it was
// keeps its last result, and a site its verdict as far as that still stands.
// c.mu is held.
func (c *Collector) replaceProbes(s Settings, now time.Time) {
	was := map[string]watch{}
	for _, w := range c.watched {
		was[w.source()] = w
	}
	old := c.sightings
	c.watched, c.sightings = nil, map[probe.ID]probe.Sighting{}
	add := func(w watch, specs []probe.Spec) {
		for _, spec := range specs {
			sighting := old[spec.ID()]
			if !reflect.DeepEqual(sighting.Spec, spec) {
				sighting = probe.Sighting{Spec: spec}
			}
			c.sightings[spec.ID()] = sighting
			w.probes = append(w.probes, spec.ID())
		}
		w.state.Probes, w.state.Since = len(specs), now
		if before, ok := was[w.source()]; ok {
			w.state.Verdict, w.state.Since = before.state.Verdict, before.state.Since
			delete(was, w.source())
		}
		c.watched = append(c.watched, w)
	}
	for _, site := range s.Sites {
		add(watch{when: site.When, state: Site{Name: site.Name}}, site.Probes)
	}
	add(watch{reference: true}, s.References)
	for id := range old {
		if c.sightings[id].Result.At.IsZero() {
			c.feed.end(probeSource(id), now)
		}
	}
	for source := range was {
		c.feed.end(source, now)
	}
	c.judge(now, nil)
}

// saw takes a probe's result.
func (c *Collector) saw(s probe.Sighting) {
	id := s.Spec.ID()
	c.mu.Lock()
	before, watched := c.sightings[id]
	if !watched || !reflect.DeepEqual(before.Spec, s.Spec) { // replaced meanwhile
		c.mu.Unlock()
		return
	}
	c.sightings[id] = s
	now := c.o.Now()
	flipped := !before.Fresh(now) || before.Result.Success != s.Result.Success
	changed := c.judge(now, &id)
	c.publish(now)
	c.feed.append(probeSource(id), s.Result.At, s.Spec.Interval, probeSamples(s))
	c.mu.Unlock()
	poke(c.rearm)
	if flipped || changed {
		c.tell(nil)
	}
}

// judge makes all verdicts anew and feeds those that changed, and that of the
// probe that just spoke. It tells whether any changed. c.mu is held.
func (c *Collector) judge(now time.Time, spoke *probe.ID) (changed bool) {
	for i := range c.watched {
		w := &c.watched[i]
		v := w.verdict(c.sightings, now)
		other := v.Known != w.state.Verdict.Known || v.Reachable != w.state.Verdict.Reachable
		if other {
			changed = true
			w.state.Since = now
		}
		w.state.Verdict = v
		if other || spoke != nil && w.watches(*spoke) {
			c.feedVerdict(w, now)
		}
	}
	return changed
}

func (w *watch) verdict(sightings map[probe.ID]probe.Sighting, now time.Time) probe.Verdict {
	last := make([]probe.Sighting, 0, len(w.probes))
	for _, id := range w.probes {
		last = append(last, sightings[id])
	}
	if w.reference {
		return probe.Outlook(last, now)
	}
	return probe.Judge(w.when, last, now)
}

func (w *watch) watches(id probe.ID) bool {
	if w.reference {
		return id.Site == ""
	}
	return id.Site == w.state.Name
}

// feedVerdict appends a verdict. One that is not known is no sample: its series
// ends at once.
func (c *Collector) feedVerdict(w *watch, now time.Time) {
	if !w.state.Verdict.Known {
		c.feed.end(w.source(), now)
		return
	}
	c.feed.append(w.source(), now, w.state.Verdict.Interval, verdictSamples(w.reference, w.state.Name, w.state.Verdict))
}

// expire takes verdicts back at the moment they no longer stand.
func (c *Collector) expire(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.rearm:
		case <-timer.C:
			c.mu.Lock()
			now := c.o.Now()
			changed := c.judge(now, nil)
			if changed {
				c.publish(now)
			}
			c.mu.Unlock()
			if changed {
				c.tell(nil)
			}
		}
		if wait, ok := c.untilExpiry(); ok {
			timer.Reset(wait)
		} else {
			timer.Stop()
		}
	}
}

// untilExpiry is the time until the first verdict no longer stands.
func (c *Collector) untilExpiry() (time.Duration, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var first time.Time
	for _, w := range c.watched {
		if v := w.state.Verdict; v.Known && (first.IsZero() || v.Until.Before(first)) {
			first = v.Until
		}
	}
	return max(first.Sub(c.o.Now())+tick, tick), !first.IsZero()
}

// poke leaves a token, if none waits already.
func poke(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}
