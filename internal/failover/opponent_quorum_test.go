package failover_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/quorum/quorumtest"
	"github.com/drwatch/drwatch/internal/replication"
)

// What an opponent got past three observers, each with the schedule that did it.

// told is a store in which each observer says whether it may lead, as the daemon's
// does.
type told struct {
	*quorumtest.Store
	all *trio
}

// trio is three observers on one store.
type trio struct {
	mu sync.Mutex
	by map[string]*failover.Controller
}

func (x *trio) of(name string) *failover.Controller {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.by[name]
}

func (x *trio) add(name string, c *failover.Controller) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.by[name] = c
}

func (s told) Read(ctx context.Context) (replication.Cluster, error) {
	c, err := s.Store.Read(ctx)
	for i, o := range c.Observers {
		if k := s.all.of(o.Name); k != nil {
			c.Observers[i].MayLead = k.Available()
		}
	}
	return c, err
}

// trio runs three observers on one store, each with what rules gives it, and tells
// who leads.
func (w *world) trio(change func(name string, o *failover.Options)) (all *trio, stop func()) {
	all = &trio{by: map[string]*failover.Controller{}}
	var stops []func()
	for i, name := range []string{"obs-1", "obs-2", "obs-3"} {
		site := []string{"az-b", "az-c", "witness"}[i]
		s := w.store.Join(time.Now, name, site)
		c, end := w.controller(func(o *failover.Options) {
			o.Observer, o.Site, o.Store, o.Session, o.Upkeep, o.Lates = name, site, told{s, all}, s, s, s
			change(name, o)
		})
		all.add(name, c)
		stops = append(stops, end)
		wait(200 * time.Millisecond)
	}
	return all, func() {
		for _, end := range stops {
			end()
		}
	}
}

func (w *world) votesAs(name, site string) *rules {
	return &rules{rule: w.rules.rule, cloud: w.cloud, observer: name, site: site, verdict: replication.Go, lost: w.rules.lost}
}

// TestALeaderWithAnotherRuleFileMakesRoom: the two others agree, and the leader's own
// rule file is another.
func TestALeaderWithAnotherRuleFileMakesRoom(t *testing.T) {
	for _, odd := range []string{"", "obs-1", "obs-3"} {
		t.Run("odd "+odd, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, replication.HuaweiSDRS, replication.Auto)
				w.rules.rule.Agree, w.rules.rule.Of = 2, 3
				_, stop := w.trio(func(name string, o *failover.Options) {
					r := w.votesAs(name, o.Site)
					if name == odd {
						r.rule.Hash = "old"
					}
					o.Rules = r
				})
				wait(5 * time.Minute)
				stop()
				if calls, effects := w.cloud.count(); calls != 1 || effects != 1 {
					t.Errorf("%d calls, %d effects in 5m, want one: %v", calls, effects, w.events())
				}
			})
		})
	}
}

// TestAHeldIncidentOutlivesALeaderWithAnotherRuleFile: it waits for a person under
// the rule that two of three observers have; the third becomes leader.
func TestAHeldIncidentOutlivesALeaderWithAnotherRuleFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, replication.HuaweiSDRS, replication.Approve)
		w.rules.rule.Agree, w.rules.rule.Of = 2, 3
		var gone atomic.Bool
		all, stop := w.trio(func(name string, o *failover.Options) {
			r := w.votesAs(name, o.Site)
			if name == "obs-3" {
				r.rule.Hash = "old"
			}
			o.Rules = r
			o.MayLead = func() bool { return name != "obs-2" && (name != "obs-1" || !gone.Load()) }
		})
		wait(30 * time.Second)
		if i := w.only(); i.Phase != replication.Held {
			t.Fatalf("%s, want held for an approval", i.Phase)
		}
		gone.Store(true)
		wait(2 * time.Minute)
		if s := all.of("obs-3").State(); !s.Leads {
			t.Errorf("obs-3 does not lead; the story needs that")
		}
		if i := w.only(); i.Phase.Ended() {
			t.Errorf("%s (%s) although observers hold the rule as it was at the claim", i.Phase, i.Error)
		}
		stop()
	})
}

// theirs is an evaluation with the votes of one observer.
type theirs struct {
	*tiers
	name, site string
}

func (s theirs) Evaluate(ctx context.Context) (failover.Evaluation, error) {
	out, err := s.tiers.Evaluate(ctx)
	for i := range out.Rules {
		for j := range out.Rules[i].Targets {
			t := &out.Rules[i].Targets[j]
			t.Vote.Observer, t.Vote.Site = s.name, s.site
		}
	}
	return out, err
}

// blind is what an observer sees that cannot read one of two accounts: how says what
// it has of that account's group.
type blind struct {
	theirs
	group, how string
	since      time.Time
}

func (b blind) Evaluate(ctx context.Context) (failover.Evaluation, error) {
	out, err := b.theirs.Evaluate(ctx)
	for i := range out.Rules {
		var left []failover.Target
		for _, t := range out.Rules[i].Targets {
			if t.Group.Key.ID == b.group {
				switch b.how {
				case "never read":
					out.AllPolled = false
					continue
				case "stale":
					t.Group.ReadAt, t.Group.ProviderTime = b.since, b.since
				case "guard":
					t.Guards = []replication.Condition{{Name: "expr", Value: "cannot be evaluated: sample limit", Threshold: "up > 0"}}
					t.GuardsUnknown = []string{"expr"}
				case "rule broken", "":
				}
			}
			left = append(left, t)
		}
		out.Rules[i].Targets = left
		if b.how == "rule broken" && out.Rules[i].Rule.Name == "data" {
			out.Rules[i].Err = "sample limit"
			for j := range out.Rules[i].Targets {
				t := &out.Rules[i].Targets[j]
				t.Vote.Verdict, t.State = replication.Abstain, ""
			}
		}
	}
	return out, err
}

func (b blind) Read(ctx context.Context, key replication.GroupKey) (replication.Group, error) {
	if key.ID == b.group && b.how != "" && b.how != "rule broken" && b.how != "guard" {
		return replication.Group{}, errors.New("no route to the endpoint from here")
	}
	return b.tiers.Read(ctx, key)
}

// TestALeaderThatCannotJudgeOneGroupMakesRoom: the leader alone cannot read one of two
// accounts, or cannot judge a guard there.
func TestALeaderThatCannotJudgeOneGroupMakesRoom(t *testing.T) {
	for _, how := range []string{"", "stale", "never read", "guard", "rule broken"} {
		t.Run("leader "+how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := newTiers(t, 2)
				x.second.After = nil
				x.first.Agree, x.first.Of, x.second.Agree, x.second.Of = 2, 3, 2, 3
				_, stop := x.trio(func(name string, o *failover.Options) {
					b := blind{theirs: theirs{tiers: x, name: name, site: o.Site}, group: "data-001", since: time.Now()}
					if name == "obs-1" {
						b.how = how
						if how == "stale" {
							b.since = time.Now().Add(-10 * time.Minute)
						}
					}
					o.Rules, o.Reader, o.Senders = b, b, x
				})
				wait(10 * time.Minute)
				stop()
				if calls, effects := x.clouds["data-001"].count(); calls != 1 || effects != 1 {
					t.Errorf("%d calls, %d effects for data-001 within 10m, want one", calls, effects)
				}
			})
		})
	}
}
