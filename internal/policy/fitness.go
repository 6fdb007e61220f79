package policy

import (
	"fmt"
	"strings"
	"time"

	"github.com/drwatch/drwatch/internal/replication"
)

// Fitness is what one observer knows of itself: can it vouch for what it sees?
// Times carry their monotonic reading. The zero Fitness has no references, no
// probes, no accounts and an endless past; it is fit.
type Fitness struct {
	Started     time.Time // when this observer started
	References  []Reference
	Loops       []Loop
	Suspensions []time.Time // when the machine was found to have slept: CLOCK_BOOTTIME ran ahead of CLOCK_MONOTONIC
	Steps       []time.Time // when the wall clock was found to have been stepped
	Snapshots   []Snapshot
	Sites       []SiteView
	Frozen      string // what beside this observer has frozen it, "" when nothing
}

// Reference is the newest probe of one reference: something that answers as long
// as this observer is not cut off itself.
type Reference struct {
	Name string
	OK   bool
	At   time.Time     // zero: never probed
	Age  time.Duration // older than this it says nothing
}

// Loop is one round of probes that repeats.
type Loop struct {
	Name     string
	Interval time.Duration
	Rounds   []time.Time // when the newest rounds ended, oldest first; at least four when there were as many
}

// Snapshot is the newest good poll of one account.
type Snapshot struct {
	Account string
	ReadAt  time.Time     // zero: never
	Age     time.Duration // older than this it is stale
}

// SiteView is what this observer sees of a site that has probes.
type SiteView struct {
	Site  string
	Known bool // there is a fresh verdict
	Up    bool
}

// The conditions of fitness (protocol §1).
const (
	FitReferences  = "references_reachable"
	FitProbes      = "probe_loop_on_time"
	FitSuspended   = "not_suspended"
	FitClock       = "clock_steady"
	FitData        = "data_fresh"
	FitSites       = "not_every_site_down"
	FitStarted     = "started_long_enough"
	FitFrozen      = "local_freeze"
	onTimeRounds   = 3
	lateAfterTimes = 2
)

// Conditions judges an observer at one moment for a rule that holds for `hold`.
// What is not known counts against it.
func (f Fitness) Conditions(at time.Time, hold time.Duration) []replication.Condition {
	return []replication.Condition{
		f.references(at), f.probes(at), f.suspended(at, hold), f.clock(at), f.data(at), f.sites(), f.started(at, hold), f.frozen(),
	}
}

// frozen: a person has taken this observer, and it alone, out of all decisions.
func (f Fitness) frozen() replication.Condition {
	c := replication.Condition{Name: FitFrozen, Threshold: "nothing beside this observer freezes it", OK: f.Frozen == "", Value: "none"}
	if !c.OK {
		c.Value = f.Frozen
	}
	return c
}

func (f Fitness) references(at time.Time) replication.Condition {
	c := replication.Condition{Name: FitReferences, Threshold: "not most of them unreachable", OK: true, Value: "none configured"}
	if len(f.References) == 0 {
		return c
	}
	var bad []string
	for _, r := range f.References {
		if !r.OK || r.At.IsZero() || at.Sub(r.At) > r.Age {
			bad = append(bad, r.Name)
		}
	}
	c.OK = 2*len(bad) <= len(f.References)
	c.Value = fmt.Sprintf("%d of %d unreachable", len(bad), len(f.References))
	if len(bad) > 0 {
		c.Value += " (" + strings.Join(bad, ", ") + ")"
	}
	return c
}

// probes looks at the gaps of the newest rounds: after one that was too long,
// three rounds on time are needed.
func (f Fitness) probes(at time.Time) replication.Condition {
	c := replication.Condition{Name: FitProbes, Threshold: "three rounds on time", OK: true, Value: "on time"}
	if len(f.Loops) == 0 {
		c.Value = "no probes"
	}
	var late []string
	for _, l := range f.Loops {
		if gap := l.widest(f.Started, at); gap > lateAfterTimes*l.Interval {
			late = append(late, fmt.Sprintf("%s had a gap of %s at an interval of %s", l.Name, gap.Round(time.Millisecond), l.Interval))
		}
	}
	if len(late) > 0 {
		c.OK, c.Value = false, strings.Join(late, "; ")
	}
	return c
}

// widest is the longest gap among the newest rounds, and from the newest to now.
func (l Loop) widest(started, at time.Time) time.Duration {
	rounds := l.Rounds
	if n := len(rounds); n > onTimeRounds+1 {
		rounds = rounds[n-onTimeRounds-1:]
	}
	if len(rounds) <= onTimeRounds && !started.IsZero() {
		rounds = append([]time.Time{started}, rounds...)
	}
	var gap time.Duration
	for i, r := range rounds {
		next := at
		if i+1 < len(rounds) {
			next = rounds[i+1]
		}
		gap = max(gap, next.Sub(r))
	}
	return gap
}

// suspended: over a sleep of the machine the samples have a gap that monotonic
// time does not show, so a hold timer cannot be trusted until it has run anew.
func (f Fitness) suspended(at time.Time, hold time.Duration) replication.Condition {
	c := replication.Condition{Name: FitSuspended, Threshold: "not within " + hold.String(), OK: true, Value: "never"}
	for _, s := range f.Suspensions {
		ago := at.Sub(s)
		c.Value = ago.Round(time.Second).String() + " ago"
		if ago < max(hold, time.Second) {
			c.OK = false
			return c
		}
	}
	return c
}

// clock: nothing that is measured rests on the wall clock, so a step of it takes
// away only what may have been sampled across it: until each probe has had a round
// since. Without probes a second has to do.
func (f Fitness) clock(at time.Time) replication.Condition {
	c := replication.Condition{Name: FitClock, Threshold: "a round of each probe since the wall clock was stepped", OK: true, Value: "never stepped"}
	if len(f.Steps) == 0 {
		return c
	}
	step := f.Steps[len(f.Steps)-1]
	c.Value = "stepped " + at.Sub(step).Round(time.Second).String() + " ago"
	if len(f.Loops) == 0 {
		c.OK = at.Sub(step) >= time.Second
	}
	for _, l := range f.Loops {
		if n := len(l.Rounds); n == 0 || !l.Rounds[n-1].After(step) {
			c.OK = false
		}
	}
	return c
}

// data fails when no account has been read in time. One that is not may well be
// the lost site's; its groups are held by their own data_age_under.
func (f Fitness) data(at time.Time) replication.Condition {
	c := replication.Condition{Name: FitData, Threshold: "some account read in time", OK: len(f.Snapshots) == 0, Value: "no accounts"}
	if len(f.Snapshots) == 0 {
		return c
	}
	stale := 0
	for _, s := range f.Snapshots {
		if s.ReadAt.IsZero() || at.Sub(s.ReadAt) > s.Age {
			stale++
		}
	}
	c.OK = stale < len(f.Snapshots)
	c.Value = fmt.Sprintf("%d of %d accounts stale", stale, len(f.Snapshots))
	return c
}

// sites fails when none of two or more probed sites is known to be up: then it
// is rather this observer that is lost.
func (f Fitness) sites() replication.Condition {
	c := replication.Condition{Name: FitSites, Threshold: "one of two or more probed sites up", OK: true}
	up := 0
	for _, s := range f.Sites {
		if s.Known && s.Up {
			up++
		}
	}
	c.OK = len(f.Sites) < 2 || up > 0
	c.Value = fmt.Sprintf("%d of %d up", up, len(f.Sites))
	return c
}

func (f Fitness) started(at time.Time, hold time.Duration) replication.Condition {
	c := replication.Condition{Name: FitStarted, Threshold: "at least " + hold.String() + " ago", OK: true, Value: "long ago"}
	if !f.Started.IsZero() {
		up := at.Sub(f.Started)
		c.OK, c.Value = up >= hold, up.Round(time.Second).String()+" ago"
	}
	return c
}
