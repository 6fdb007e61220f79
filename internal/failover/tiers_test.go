package failover_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/replication"
)

// tiers is groups of several rules, one behind the other: data first.
type tiers struct {
	*world
	clouds map[string]*cloud // by group
	rule   map[string]string // by group
	first  failover.Rule
	second failover.Rule

	unpolled bool // an account has not been read yet
	// unsure are groups whose direction the provider does not tell, until then; and
	// where production is by then.
	unsure map[string]time.Time
	active string
}

// newTiers has n groups of the rule data and one of the rule apps, which comes
// after it.
func newTiers(t *testing.T, n int) *tiers {
	w := newWorld(t, replication.HuaweiSDRS, replication.Auto)
	x := &tiers{world: w, clouds: map[string]*cloud{}, rule: map[string]string{}, first: w.rules.rule, second: w.rules.rule}
	x.first.Name, x.second.Name, x.second.After = "data", "apps", []string{"data"}
	add := func(id, rule string) {
		g := w.cloud.group
		g.Key.ID, g.Name, g.Account = id, id, id
		x.clouds[id], x.rule[id] = &cloud{group: g}, rule
	}
	for i := range n {
		id := fmt.Sprintf("data-%03d", i)
		if n > 10 {
			id += strings.Repeat("-long", 25) // so that the record has no room for all of them
		}
		add(id, "data")
	}
	add("app", "apps")
	return x
}

func (x *tiers) Read(ctx context.Context, key replication.GroupKey) (replication.Group, error) {
	return x.clouds[key.ID].Read(ctx, key)
}

func (x *tiers) Track(ctx context.Context, key replication.GroupKey, job string) (failover.Progress, error) {
	return x.clouds[key.ID].Track(ctx, key, job)
}

func (x *tiers) Sender(account string) (failover.Sender, error) { return x.clouds[account], nil }

func (x *tiers) Evaluate(ctx context.Context) (failover.Evaluation, error) {
	out := failover.Evaluation{At: time.Now(), AllPolled: !x.unpolled, Rules: []failover.RuleView{{Rule: x.second}, {Rule: x.first}}}
	for id, c := range x.clouds {
		g, err := c.Read(ctx, c.group.Key)
		if err != nil {
			return out, err
		}
		out.Groups = append(out.Groups, g)
		if g.Active == azB {
			continue
		}
		i := map[string]int{"apps": 0, "data": 1}[x.rule[id]]
		r := out.Rules[i].Rule
		active := "az-a"
		if until, ok := x.unsure[id]; ok {
			if active = x.active; time.Now().Before(until) {
				active, g.Active = "", replication.Location{}
			}
		}
		out.Rules[i].Targets = append(out.Rules[i].Targets, failover.Target{
			Group: g, ActiveSite: active, TargetSite: "az-b", LastGood: x.rules.lost, Since: x.rules.lost, State: "firing", ActionTimeout: time.Second,
			Vote: replication.Vote{Observer: "obs-w", Site: "witness", Rule: r.Name, RuleHash: r.Hash, Group: g.Key, Verdict: replication.Go, Mode: r.Mode, For: r.For},
		})
	}
	return out, nil
}

func (x *tiers) run(t *testing.T, d time.Duration) replication.Cluster {
	_, stop := x.controller(func(o *failover.Options) { o.Rules, o.Reader, o.Senders = x, x, x })
	wait(d)
	stop()
	cluster, err := x.store.Read(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return cluster
}

// TestTiers: the applications move when all data has moved, not before, and not
// at all when some has failed.
func TestTiers(t *testing.T) {
	for _, n := range []int{0, 1, 5, 60} { // of 60 the record keeps a hash only
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := newTiers(t, n)
				cluster := x.run(t, 10*time.Minute)
				var app, last time.Time
				for _, rec := range cluster.Incidents {
					switch {
					case rec.Phase != replication.Succeeded:
						t.Errorf("%s is %s (%s)", rec.Name, rec.Phase, rec.HeldBy+rec.Error)
					case rec.Rule == "apps":
						app = rec.ExecutedAt
					case rec.EndedAt.After(last):
						last = rec.EndedAt
					}
				}
				if len(cluster.Incidents) != n+1 || app.IsZero() || app.Before(last) {
					t.Errorf("%d incidents; the application moved at %s, the last data at %s", len(cluster.Incidents), app, last)
				}
			})
		})
	}
}

func TestATierThatFailsHoldsTheNext(t *testing.T) {
	for name, answer := range map[string]func(*cloud) failover.Sent{
		"refused": refused,
		"unknown": func(*cloud) failover.Sent {
			return failover.Sent{Outcome: replication.Uncertain, Err: errors.New("reset")}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := newTiers(t, 3)
				x.clouds["data-001"].answers = []func(*cloud) failover.Sent{answer}
				var decided []failover.Decision
				c, stop := x.controller(func(o *failover.Options) { o.Rules, o.Reader, o.Senders = x, x, x })
				wait(5 * time.Minute)
				decided = c.State().Decisions
				stop()
				if calls, _ := x.clouds["app"].count(); calls != 0 {
					t.Errorf("%d calls for the application although data-001 has not moved", calls)
				}
				told := ""
				for _, d := range decided {
					for _, b := range d.Blocking() {
						if d.Group.ID == "app" {
							told += b.String() + "; "
						}
					}
				}
				if !strings.Contains(told, "data: 2 of 3, not huawei_sdrs/data-001") {
					t.Errorf("what holds the application: %s", told)
				}
			})
		})
	}
}

// TestTiersWaitForAllAccounts: targets that have not been read yet are not none.
func TestTiersWaitForAllAccounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTiers(t, 0)
		x.unpolled = true
		if cluster := x.run(t, 5*time.Minute); len(cluster.Incidents) != 0 {
			t.Errorf("%d incidents although an account has not been read", len(cluster.Incidents))
		}
	})
}

// TestAGroupOfUnknownDirectionMayBeATarget: the provider does not tell for a while
// where production of one of the data is. Until it does the applications wait;
// they wait for it when it stands in the lost site, and not when it does not.
func TestAGroupOfUnknownDirectionMayBeATarget(t *testing.T) {
	for _, n := range []int{2, 60} { // of 60 the record keeps a hash only
		for _, active := range []string{"az-a", "az-c"} {
			t.Run(fmt.Sprint(n, active), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					x := newTiers(t, n)
					unsure := slices.Sorted(maps.Keys(x.clouds))[1] // app is the first
					told := time.Now().Add(5 * time.Minute)
					x.unsure, x.active = map[string]time.Time{unsure: told}, active
					cluster := x.run(t, 20*time.Minute)
					var app time.Time
					for _, rec := range cluster.Incidents {
						if rec.Rule == "apps" {
							app = rec.ExecutedAt
						}
					}
					if app.IsZero() || app.Before(told) {
						t.Errorf("the application moved at %s; where %s is was told at %s", app, unsure, told)
					}
					moved := map[string]int{"az-a": 1}[active]
					if calls, _ := x.clouds[unsure].count(); calls != moved {
						t.Errorf("%d calls for %s, want %d", calls, unsure, moved)
					}
				})
			})
		}
	}
}

// TestALossOfASiteThatNothingProbesEnds: nothing tells that the site is back but
// that the triggers are quiet. Before that, what failed in the loss still counts.
func TestALossOfASiteThatNothingProbesEnds(t *testing.T) {
	for _, probed := range []bool{false, true} {
		t.Run(fmt.Sprint("probed ", probed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, replication.HuaweiSDRS, replication.Auto)
				w.rules.probed = probed
				w.cloud.answers = []func(*cloud) failover.Sent{refused}
				_, stop := w.observe(w.store, nil)
				losses := func() map[string]replication.SiteLoss {
					cluster, err := w.store.Read(context.Background())
					if err != nil {
						t.Fatal(err)
					}
					return cluster.Losses
				}
				wait(time.Minute)
				if l := losses()["az-a"]; l.Failures["r"] != 1 {
					t.Fatalf("while the trigger is true: %+v, want one failure", l)
				}
				w.rules.quiet()
				wait(8 * time.Second)
				if len(losses()) != 1 {
					t.Error("the loss ended before the trigger was untrue for its `for`")
				}
				wait(6 * time.Second)
				stop()
				if left := len(losses()); left != map[bool]int{false: 0, true: 1}[probed] {
					t.Errorf("%d losses are left", left)
				}
			})
		})
	}
}
