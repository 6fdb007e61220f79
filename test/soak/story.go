package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/drwatch/drwatch/internal/api"
	"github.com/drwatch/drwatch/internal/cloudsim"
)

const (
	// roundTime is what one loss takes with all that follows, at the most on a slow
	// machine: none is begun that could not end.
	roundTime = 3 * time.Minute
	// soon is how long anything may take that must happen, on a machine that has little
	// time for it.
	soon = 5 * time.Minute
)

// story loses one site after the other, with one trouble more each time, until the
// time is over.
func (w *world) story(ctx context.Context, over func()) {
	defer over()
	troubles := []trouble{
		{"nothing else", nil, nil, nil},
		{"the leader is killed at once", nil, w.killLeader, nil},
		{"a freeze", nil, w.freezeAWhile, nil},
		{"a flap before", w.flap, nil, nil},
		{"the leader hangs for 20s", nil, w.haltLeader, nil},
		{"the leader is killed when all have moved", nil, nil, w.killLeader},
		{"a follower is restarted", nil, w.restartFollower, nil},
	}
	end, _ := ctx.Deadline()
	for n := 0; time.Until(end) > roundTime; n++ {
		if !w.round(ctx, n, troubles[n%len(troubles)]) {
			return
		}
	}
	pause(ctx, time.Until(end))
}

// trouble is what comes on top of a loss: before it, with it, and when all have
// moved.
type trouble struct {
	name                 string
	before, with, behind func(ctx context.Context, site string)
}

// round is one loss of a site, and the way back. It is false when all is over.
func (w *world) round(ctx context.Context, n int, t trouble) bool {
	site := []string{azA, azB}[n%2]
	if !w.eventually(ctx, soon, w.settled) {
		if ctx.Err() == nil {
			w.wrong("before round %d it does not become quiet: %s", n, w.notReady(ctx))
		}
		return ctx.Err() == nil
	}
	w.expect()
	if t.before != nil {
		t.before(ctx, site)
	}
	due := w.at(site)
	began := time.Now()
	if err := w.cloud.LoseSite(site, cloudsim.Loss{Hang: n%4 > 1, API: n%3 == 0}); err != nil {
		w.wrong("losing %s: %v", site, err)
		return false
	}
	w.did("losses")
	if t.with != nil {
		t.with(ctx, site)
	}
	moved := w.eventually(ctx, soon, func(context.Context) bool {
		return !slices.ContainsFunc(w.at(site), func(id string) bool { return slices.Contains(due, id) })
	})
	took := time.Since(began)
	if ctx.Err() != nil {
		return false
	}
	if !moved {
		due = w.notMoved(ctx, site, due)
	}
	for _, id := range due {
		w.expected[id]++
	}
	if t.behind != nil {
		t.behind(ctx, site)
	}
	if err := w.cloud.RestoreSite(site); err != nil {
		w.wrong("bringing %s back: %v", site, err)
	}
	w.reset(ctx, due)
	w.tell("round %d: %s lost, %s: %d groups moved in %s, and are back after %s", n, site, t.name, len(due), took.Round(time.Second), time.Since(began).Round(time.Second))
	return ctx.Err() == nil
}

// expect judges that each group was moved as often as it was to be.
func (w *world) expect() {
	for _, id := range w.ids {
		if g, _ := w.cloud.Group(id); g.Failovers != w.expected[id] {
			w.wrong("%s was really failed over %d times, want %d", g.Name, g.Failovers, w.expected[id])
			w.expected[id] = g.Failovers
		}
	}
}

// at are the groups with production at the site.
func (w *world) at(site string) []string {
	return slices.DeleteFunc(slices.Clone(w.ids), func(id string) bool {
		g, _ := w.cloud.Group(id)
		return g.ActiveSite != site
	})
}

// notMoved says of each group that should have moved and has not, why. It gives the
// others.
func (w *world) notMoved(ctx context.Context, site string, due []string) []string {
	return slices.DeleteFunc(due, func(id string) bool {
		g, _ := w.cloud.Group(id)
		if g.ActiveSite != site {
			return false
		}
		e, err := w.witness().Explain(ctx, "", id)
		w.wrong("%s was not failed over within %s: %s %v", g.Name, soon, held(e), err)
		return true
	})
}

func held(e api.Explain) string {
	var b strings.Builder
	for _, r := range e.Rules {
		fmt.Fprintf(&b, "[%s %s act %v %s]", r.Rule, r.State, r.Act, r.HeldBy)
		for _, c := range r.Conditions {
			if !c.OK {
				fmt.Fprintf(&b, " %s;", c)
			}
		}
	}
	return b.String()
}

// flap loses the site for less than the rules wait for.
func (w *world) flap(ctx context.Context, site string) {
	_ = w.cloud.LoseSite(site, cloudsim.Loss{}) // there is such a site
	pause(ctx, 3*time.Second)
	_ = w.cloud.RestoreSite(site)
	pause(ctx, 12*time.Second)
	w.did("flaps")
	w.expect()
}

// killLeader kills whoever leads, and starts it again later. The one that is to live
// for the whole run hangs instead.
func (w *world) killLeader(ctx context.Context, site string) {
	d := w.leader(ctx)
	if d == nil {
		return
	}
	if d.name == longest {
		w.haltLeader(ctx, site)
		return
	}
	w.did("leaders killed")
	d.kill(syscall.SIGKILL)
	pause(ctx, 8*time.Second)
	if err := w.start(d); err != nil {
		w.wrong("%v", err)
	}
}

func (w *world) haltLeader(ctx context.Context, _ string) {
	if d := w.leader(ctx); d != nil {
		w.did("leaders that hung")
		d.halt(true)
		pause(ctx, 20*time.Second)
		d.halt(false)
	}
}

func (w *world) restartFollower(ctx context.Context, _ string) {
	leader := w.leader(ctx)
	for _, d := range w.daemons {
		if d != leader && d.name != longest {
			w.did("followers restarted")
			d.kill(syscall.SIGTERM)
			if err := w.start(d); err != nil {
				w.wrong("%v", err)
			}
			return
		}
	}
}

// freezeAWhile freezes all, sees that nothing moves, and lets it act again.
func (w *world) freezeAWhile(ctx context.Context, _ string) {
	why := api.Reason{Reason: "the soak freezes", Who: "soak"}
	if _, err := w.witness().Freeze(ctx, why); err != nil {
		w.wrong("freeze: %v", err)
		return
	}
	w.did("freezes")
	pause(ctx, 15*time.Second)
	w.expect()
	w.eventually(ctx, soon, func(ctx context.Context) bool {
		_, err := w.witness().Unfreeze(ctx, why)
		return err == nil
	})
}

// counts is what has happened, in one line.
func (w *world) counts() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	moves := 0
	for _, n := range w.expected {
		moves += n
	}
	parts := []string{fmt.Sprintf("%d failovers", moves)}
	for _, what := range slices.Sorted(maps.Keys(w.happened)) {
		parts = append(parts, fmt.Sprintf("%d %s", w.happened[what], what))
	}
	return strings.Join(parts, ", ")
}
