package failover_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/replication"
)

// cutOff is a provider that this observer alone cannot reach.
type cutOff struct {
	*cloud
	reads, sends bool // what cannot
}

func (c cutOff) Read(ctx context.Context, key replication.GroupKey) (replication.Group, error) {
	if c.reads {
		return replication.Group{}, errors.New("no route to host")
	}
	return c.cloud.Read(ctx, key)
}

func (c cutOff) Sender(string) (failover.Sender, error) { return c, nil }

func (c cutOff) Failover(ctx context.Context, o failover.Order) failover.Sent {
	if c.sends {
		return failover.Sent{Outcome: replication.NotSent, Err: errors.New("dial: no route to host")}
	}
	return c.cloud.Failover(ctx, o)
}

// hourAhead is what an observer sees whose clock is an hour ahead.
type hourAhead struct{ *rules }

func (r hourAhead) Evaluate(ctx context.Context) (failover.Evaluation, error) {
	eval, err := r.rules.Evaluate(ctx)
	for _, v := range eval.Rules {
		for i := range v.Targets {
			v.Targets[i].LastGood = v.Targets[i].LastGood.Add(time.Hour)
			v.Targets[i].Skew = -time.Hour
		}
	}
	return eval, err
}

// startedLate is what an observer sees that has started a minute after the loss.
type startedLate struct{ *rules }

func (r startedLate) Evaluate(ctx context.Context) (failover.Evaluation, error) {
	eval, err := r.rules.Evaluate(ctx)
	for _, v := range eval.Rules {
		for i := range v.Targets {
			v.Targets[i].LastGood = time.Time{}
			v.Targets[i].Since = v.Targets[i].Since.Add(time.Minute)
		}
	}
	return eval, err
}

// sleptThrough is what an observer sees that was asleep when the site was lost.
type sleptThrough struct{ *rules }

func (r sleptThrough) Evaluate(ctx context.Context) (failover.Evaluation, error) {
	eval, err := r.rules.Evaluate(ctx)
	for _, v := range eval.Rules {
		for i := range v.Targets {
			v.Targets[i].LastGood, v.Targets[i].Unwatched = v.Targets[i].LastGood.Add(time.Minute), true
		}
	}
	return eval, err
}

// TestALeaderThatCannotActMakesRoom: what the leader cannot do for half a minute
// another observer does, once.
func TestALeaderThatCannotActMakesRoom(t *testing.T) {
	for name, change := range map[string]func(*failover.Options, *cloud){
		"its way to the provider is dead, for reads":        func(o *failover.Options, c *cloud) { o.Reader = cutOff{cloud: c, reads: true} },
		"its way to the provider is dead, for actions":      func(o *failover.Options, c *cloud) { o.Senders = cutOff{cloud: c, sends: true} },
		"its clock is ahead, and hides that little is lost": func(o *failover.Options, _ *cloud) { o.Rules = hourAhead{o.Rules.(*rules)} },
		"it was started after the loss":                     func(o *failover.Options, _ *cloud) { o.Rules = startedLate{o.Rules.(*rules)} },
		"it was asleep when the site was lost":              func(o *failover.Options, _ *cloud) { o.Rules = sleptThrough{o.Rules.(*rules)} },
		"it has no credentials to act on this account":      func(o *failover.Options, _ *cloud) { o.CanAct = func(string) bool { return false } },
	} {
		for _, alone := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, replication.HuaweiSDRS, replication.Auto)
					_, stop := w.controller(func(o *failover.Options) { change(o, w.cloud) })
					wait(5 * time.Second)
					stopSecond := func() {}
					if !alone {
						second := w.store.Join(time.Now, "obs-2", "az-b")
						_, stopSecond = w.observe(second, nil)
					}
					wait(3 * time.Minute)
					calls, effects := w.cloud.count() // while the first one still runs
					stop()
					stopSecond()
					if want := map[bool]int{false: 1, true: 0}[alone]; calls != want || effects != want {
						t.Errorf("alone %v: %d calls, %d effects, want %d: %s", alone, calls, effects, want, w.events())
					}
				})
			})
		}
	}
}

// TestAWitnessNeverLeads: without credentials it watches and votes.
func TestAWitnessNeverLeads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, replication.HuaweiSDRS, replication.Auto)
		can := true
		c, stop := w.controller(func(o *failover.Options) { o.MayLead = func() bool { return can } })
		wait(5 * time.Second)
		led := c.State().Leads
		w.rules.change(func() { can = false }) // its configuration was loaded again, without them
		wait(10 * time.Second)
		after := c.State()
		stop()
		if !led || after.Leads || after.Cluster.Leader != nil {
			t.Errorf("led %v; then leads %v, leader %v", led, after.Leads, after.Cluster.Leader)
		}
	})
}

// TestARehearserLeadsOnlyWhereNobodyElseMay: an observer whose ceiling is dry run
// would make the outage a rehearsal for all.
func TestARehearserLeadsOnlyWhereNobodyElseMay(t *testing.T) {
	for _, all := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, replication.HuaweiSDRS, replication.Auto)
			w.rules.verdict = ""
			cs, stop := w.trio(func(name string, o *failover.Options) {
				r := w.votesAs(name, o.Site)
				r.verdict = ""
				o.Rules = r
				o.Rehearses = func() bool { return all || name == "obs-1" }
			})
			wait(20 * time.Second)
			leads := []string{}
			for _, name := range []string{"obs-1", "obs-2", "obs-3"} {
				if cs.of(name).State().Leads {
					leads = append(leads, name)
				}
			}
			stop()
			if len(leads) != 1 || !all && leads[0] == "obs-1" {
				t.Errorf("all rehearse: %v; %v lead", all, leads)
			}
		})
	}
}
