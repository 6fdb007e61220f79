package failover_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/replication"
)

func TestSwitchoverOfThreeSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, d := office(t, replication.AliyunEBS)
		d.synced = 90 * time.Second
		c, stop := w.observe(w.store, nil)
		wait(5 * time.Second)
		p, inc, err := c.Act(context.Background(), asking(replication.Switchover))
		if err != nil || !p.OK || inc.ID == "" {
			t.Fatalf("%+v, %v; want a claim", p, err)
		}
		wait(30 * time.Second)
		if i := w.only(); i.Phase != replication.Held || i.HeldBy != "recovery_point" || len(d.calls()) != 0 {
			t.Fatalf("%s, held by %q, calls %v; want it waits for the recovery point", i.Phase, i.HeldBy, d.calls())
		}
		wait(3 * time.Minute)
		stop()
		i := w.only()
		if diff := cmp.Diff([]string{"failover", "reprotect", "start"}, d.calls()); diff != "" || i.Phase != replication.Succeeded {
			t.Fatalf("%s %s, calls (-want +got):\n%s", i.Phase, i.Error, diff)
		}
		rec := w.record()
		if rec.Latch != nil || rec.OpenIncident != "" || rec.Active != azB || rec.LastAction == nil || rec.LastAction.Action != replication.Switchover {
			t.Errorf("record %+v: want no latch, nothing open, production at az-b, a cool-down", rec)
		}
		if i.Person == nil || i.Person.Who != "sre" || i.Person.From != "127.0.0.1" || i.Person.Reason != "patch night" || i.RTOSeconds == nil {
			t.Errorf("person %+v, RTO %v", i.Person, i.RTOSeconds)
		}
		want := []string{"claimed", "held", "intent", "outcome", "step_done", "intent", "outcome", "step_done", "intent", "outcome", "succeeded"}
		if diff := cmp.Diff(want, w.events()); diff != "" {
			t.Errorf("journal (-want +got):\n%s", diff)
		}
	})
}

func TestPersonsFailoverStaysLatchedWhereASecondWouldBeAccepted(t *testing.T) {
	for provider, latched := range map[replication.Provider]bool{replication.AliyunEBS: true, replication.HuaweiDWS: true, replication.HuaweiSDRS: false} {
		synctest.Test(t, func(t *testing.T) {
			w, d := office(t, provider)
			c, stop := w.observe(w.store, nil)
			wait(5 * time.Second)
			a := asking(replication.Failover)
			a.Group.Provider = provider
			if _, _, err := c.Act(context.Background(), a); err != nil {
				t.Fatal(err)
			}
			wait(time.Minute)
			_, _, again := c.Act(context.Background(), a)
			stop()
			i := w.only()
			if i.Phase != replication.Succeeded || len(d.calls()) != 1 || (w.record().Latch != nil) != latched || !errors.Is(again, failover.ErrNotNow) {
				t.Errorf("%s: %s, %v, latch %v, asked again: %v", provider, i.Phase, d.calls(), w.record().Latch, again)
			}
		})
	}
}

// TestWhatIsInAPersonsWay: nothing is begun, and the reason is named.
func TestWhatIsInAPersonsWay(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*testing.T, *world, *desk, *failover.Ask)
		why    string
	}{
		{"frozen", func(_ *testing.T, w *world, _ *desk, _ *failover.Ask) {
			_ = w.store.Freeze(context.Background(), "x", "incident review")
		}, "not_frozen"},
		{"the state does not allow it", func(_ *testing.T, _ *world, d *desk, _ *failover.Ask) { d.group.RawStatus = "deleting" }, "status_allows_failover"},
		{"production has moved since the plan was shown", func(_ *testing.T, _ *world, _ *desk, a *failover.Ask) { a.Active = azB.String() }, "as_planned"},
		{"it is not known where production is", func(_ *testing.T, _ *world, d *desk, _ *failover.Ask) { d.group.Active = replication.Location{} }, "direction_known"},
		{"an observer sees the other side down", func(_ *testing.T, w *world, _ *desk, _ *failover.Ask) {
			w.rules.verdict, w.rules.targetDown = replication.Pending, true
		}, "target_site_not_down"},
		{"the probes see the other side down", func(_ *testing.T, _ *world, d *desk, _ *failover.Ask) {
			d.dark = map[replication.Location]bool{azB: true}
		}, "target_site_not_down"},
		{"production does not answer: no switchover", func(_ *testing.T, _ *world, d *desk, a *failover.Ask) {
			a.Action, d.dark = replication.Switchover, map[replication.Location]bool{azA: true}
		}, "production_not_down"},
		{"no such action", func(_ *testing.T, _ *world, _ *desk, a *failover.Ask) { a.Action = "recovery" }, "no such action"},
		{"the ceiling is dry run", func(_ *testing.T, w *world, _ *desk, _ *failover.Ask) { w.noOperators = true }, "can_act no: the daemon's mode is dry_run"},
		{"a latch", func(t *testing.T, w *world, _ *desk, _ *failover.Ask) {
			rec := w.record()
			rec.Latch = &replication.Latch{Why: "somebody has switched over"}
			if err := w.store.PutGroup(context.Background(), w.cloud.group.Key, rec); err != nil {
				t.Fatal(err)
			}
		}, "not_latched"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, d := office(t, replication.AliyunEBS)
				a := asking(replication.Failover)
				tc.change(t, w, d, &a)
				c, stop := w.observe(w.store, nil)
				wait(30 * time.Second)
				ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
				defer cancel()
				p, inc, err := c.Act(ctx, a)
				wait(time.Minute)
				stop()
				text := fmt.Sprint(err)
				for _, b := range p.Blocking() {
					text += " " + b.Name + " " + b.Value
				}
				if err == nil || !strings.Contains(text, tc.why) || inc.ID != "" || len(d.calls()) != 0 || len(w.incidents()) != 0 {
					t.Errorf("%q, incident %q, calls %v; want a refusal that names %s", text, inc.ID, d.calls(), tc.why)
				}
			})
		})
	}
}

// TestAClaimThatMeetsAConflictIsJudgedAgain: the record of a group changes for
// many reasons; only what it then says can be in a person's way.
func TestAClaimThatMeetsAConflictIsJudgedAgain(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*world)
		calls  int
	}{
		"the clusters are taken down": {func(*world) {}, 1},
		"somebody freezes":            {func(w *world) { _ = w.store.Freeze(context.Background(), "x", "stop") }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, d := office(t, replication.AliyunEBS)
				c, stop := w.observe(w.store, nil)
				wait(5 * time.Second)
				w.store.BeforeNext("claim", func() {
					rec := w.record()
					if err := w.store.PutGroup(context.Background(), w.cloud.group.Key, rec); err != nil {
						t.Error(err)
					}
					tc.change(w)
				})
				_, _, err := c.Act(context.Background(), asking(replication.Failover))
				wait(time.Minute)
				stop()
				if (err == nil) != (tc.calls == 1) || len(d.calls()) != tc.calls {
					t.Errorf("%v, calls %v; want %d", err, d.calls(), tc.calls)
				}
			})
		})
	}
}

func TestNothingIsBegunWithoutTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, d := office(t, replication.AliyunEBS)
		c, stop := w.observe(w.store, nil)
		wait(30 * time.Second)
		w.store.Disconnect(errors.New("no majority"))
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		_, _, now := c.Act(ctx, asking(replication.Failover)) // the round before has still seen the store
		wait(30 * time.Second)
		p, _, later := c.Act(ctx, asking(replication.Failover))
		w.store.Heal()
		wait(time.Minute)
		stop()
		if now == nil || later == nil || p.OK || len(d.calls()) != 0 || len(w.incidents()) != 0 {
			t.Errorf("%v, then %v; calls %v", now, later, d.calls())
		}
	})
}

// TestNothingIsBegunForSomebodyWhoHasGone: the wish of a request that has timed
// out is not carried out later.
func TestNothingIsBegunForSomebodyWhoHasGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, d := office(t, replication.AliyunEBS)
		hang := make(chan struct{})
		c, stop := w.observe(w.store, nil)
		wait(5 * time.Second)
		w.rules.mu.Lock()
		w.rules.hang = hang
		w.rules.mu.Unlock()
		wait(3 * time.Second)
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		_, _, err := c.Act(ctx, asking(replication.Failover))
		close(hang)
		wait(time.Minute)
		stop()
		if err == nil || len(d.calls()) != 0 || len(w.incidents()) != 0 {
			t.Errorf("%v, calls %v, %d incidents; want nothing begun", err, d.calls(), len(w.incidents()))
		}
	})
}

// TestOperationOutcomes: what each answer to a step's call leads to.
func TestOperationOutcomes(t *testing.T) {
	refuse := func(replication.Action) failover.Sent {
		return failover.Sent{Outcome: replication.Rejected, Status: 403, Err: errors.New("OperationDenied: disks are attached")}
	}
	lost := func(replication.Action) failover.Sent {
		return failover.Sent{Outcome: replication.Uncertain, Err: errors.New("connection reset")}
	}
	slow := func(replication.Action) failover.Sent {
		return failover.Sent{Outcome: replication.Throttled, Status: 429, Err: errors.New("Throttling")}
	}
	type answers = []func(replication.Action) failover.Sent
	for _, tc := range []struct {
		name    string
		action  replication.Action
		answers func(*desk) answers
		wait    time.Duration
		phase   replication.Phase
		calls   string
		latched bool
	}{
		{"the first call is refused: nothing has happened, nothing is latched", replication.Switchover, func(*desk) answers { return answers{refuse} }, time.Minute, replication.Failed, "failover", false},
		{"a later one is refused until the person has done his part", replication.Switchover, func(*desk) answers { return answers{nil, refuse, refuse} }, 20 * time.Minute, replication.Succeeded, "failover reprotect reprotect reprotect start", false},
		{"throttled", replication.Stop, func(*desk) answers { return answers{slow, slow} }, time.Minute, replication.Succeeded, "stop stop stop", false},
		{"throttled for too long", replication.Stop, func(*desk) answers { return slices.Repeat(answers{slow}, 500) }, 15 * time.Minute, replication.Failed, "*", false},
		{"the answer is lost after the effect", replication.Switchover, func(d *desk) answers {
			return answers{func(s replication.Action) failover.Sent { d.obey(s); return lost(s) }}
		}, time.Minute, replication.Succeeded, "failover reprotect start", false},
		{"the first call is lost without effect: not sent again", replication.Switchover, func(*desk) answers { return answers{lost} }, 30 * time.Minute, replication.Failed, "failover", false},
		{"it is waited for while it could still arrive", replication.Switchover, func(*desk) answers { return answers{lost} }, 16 * time.Minute, replication.Verifying, "failover", false},
		{"a later one is lost without effect: sent once more", replication.Switchover, func(*desk) answers { return answers{nil, lost} }, 30 * time.Minute, replication.Succeeded, "failover reprotect reprotect start", false},
		{"a later one is lost twice", replication.Switchover, func(*desk) answers { return answers{nil, lost, lost} }, 60 * time.Minute, replication.Ambiguous, "failover reprotect reprotect", true},
		{"drill", replication.StartDrill, func(*desk) answers { return nil }, time.Minute, replication.Succeeded, "drill", false},
		{"a lost drill latches nothing", replication.StartDrill, func(*desk) answers { return answers{lost} }, 30 * time.Minute, replication.Failed, "drill", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, d := office(t, replication.AliyunEBS)
				d.answers = tc.answers(d)
				c, stop := w.observe(w.store, nil)
				wait(5 * time.Second)
				if _, _, err := c.Act(context.Background(), asking(tc.action)); err != nil {
					t.Fatal(err)
				}
				wait(tc.wait)
				stop()
				i, calls := w.only(), strings.Join(d.calls(), " ")
				if tc.calls == "*" {
					tc.calls = calls
				}
				if i.Phase != tc.phase || calls != tc.calls || (w.record().Latch != nil) != tc.latched {
					t.Errorf("%s (%s), calls %s, latch %v; want %s, %s, %v\n%s", i.Phase, i.HeldBy+i.Error, calls, w.record().Latch, tc.phase, tc.calls, tc.latched, w.events())
				}
			})
		})
	}
}

// TestAMoveThatFailedIsNoMove: production stands where it was, so no cool-down
// keeps a rule from acting once a person has looked.
func TestAMoveThatFailedIsNoMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, d := office(t, replication.HuaweiSDRS)
		d.answers = []func(replication.Action) failover.Sent{func(step replication.Action) failover.Sent {
			d.group.State, d.group.RawStatus = replication.Errored, "error-"+string(step)
			return failover.Sent{Outcome: replication.Accepted, Status: 200, JobID: "j1"}
		}}
		c, stop := w.observe(w.store, nil)
		wait(5 * time.Second)
		a := asking(replication.Switchover)
		a.Group.Provider = replication.HuaweiSDRS
		if _, _, err := c.Act(context.Background(), a); err != nil {
			t.Fatal(err)
		}
		wait(time.Minute)
		stop()
		if i, rec := w.only(), w.record(); i.Phase != replication.Failed || rec.Latch == nil || rec.LastAction != nil {
			t.Errorf("%s (%s), record %+v; want failed, latched, no last move", i.Phase, i.Error, rec)
		}
	})
}

func TestADrillIsClearedByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, d := office(t, replication.AliyunEBS)
		d.drills = []replication.Drill{{ID: "old", State: replication.DrillReady}}
		c, stop := w.observe(w.store, nil)
		wait(5 * time.Second)
		p, err := c.Propose(context.Background(), asking(replication.ClearDrill))
		if err != nil || p.Plan.Drill != "old" {
			t.Fatalf("drill %q, %v; want the only one", p.Plan.Drill, err)
		}
		a := asking(replication.ClearDrill)
		a.Drill = p.Plan.Drill
		if _, _, err := c.Act(context.Background(), a); err != nil {
			t.Fatal(err)
		}
		wait(time.Minute)
		_, _, err = c.Act(context.Background(), a)
		stop()
		if w.only().Phase != replication.Succeeded || !errors.Is(err, failover.ErrNotNow) {
			t.Errorf("%s; again: %v", w.only().Phase, err)
		}
	})
}

// TestAbortBetweenSteps: what is done stays, what is left is not begun, and the
// group waits for a person.
func TestAbortBetweenSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, d := office(t, replication.AliyunEBS)
		d.answers = []func(replication.Action) failover.Sent{nil, func(replication.Action) failover.Sent {
			return failover.Sent{Outcome: replication.Rejected, Status: 403, Err: errors.New("disks are attached")}
		}}
		c, stop := w.observe(w.store, nil)
		wait(5 * time.Second)
		_, inc, err := c.Act(context.Background(), asking(replication.Switchover))
		if err != nil {
			t.Fatal(err)
		}
		wait(30 * time.Second)
		if i := w.only(); i.HeldBy != "provider_refused" {
			t.Fatalf("%s, held by %q", i.Phase, i.HeldBy)
		}
		if err := w.store.Abort(context.Background(), inc.ID, "sre", "enough"); err != nil {
			t.Fatal(err)
		}
		wait(5 * time.Minute)
		stop()
		rec := w.record()
		if i := w.only(); i.Phase != replication.Aborted || len(d.calls()) != 2 || rec.Latch == nil || rec.Active != azB || rec.LastAction == nil {
			t.Errorf("%s, calls %v, record %+v", i.Phase, d.calls(), rec)
		}
	})
}

// TestFreezeBetweenSteps holds the plan, and it goes on when it is taken back.
func TestFreezeBetweenSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, d := office(t, replication.AliyunEBS)
		d.answers = []func(replication.Action) failover.Sent{func(s replication.Action) failover.Sent {
			_ = w.store.Freeze(context.Background(), "x", "stop")
			return d.obey(s)
		}}
		c, stop := w.observe(w.store, nil)
		wait(5 * time.Second)
		if _, _, err := c.Act(context.Background(), asking(replication.Switchover)); err != nil {
			t.Fatal(err)
		}
		wait(5 * time.Minute)
		if i := w.only(); i.HeldBy != "not_frozen" || len(d.calls()) != 1 {
			t.Fatalf("%s, held by %q, calls %v", i.Phase, i.HeldBy, d.calls())
		}
		if err := w.store.Unfreeze(context.Background(), "x", "go on"); err != nil {
			t.Fatal(err)
		}
		wait(time.Minute)
		stop()
		if i := w.only(); i.Phase != replication.Succeeded || len(d.calls()) != 3 {
			t.Errorf("%s, calls %v", i.Phase, d.calls())
		}
	})
}

// TestNoRuleActsMeanwhile: while the calls of a person's plan are under way the
// group is claimed. A plan that has done nothing yet makes room.
func TestNoRuleActsMeanwhile(t *testing.T) {
	for name, begun := range map[string]bool{"begun": true, "only waiting": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, d := office(t, replication.AliyunEBS)
				if !begun {
					d.synced = 10 * time.Minute
				}
				d.answers = []func(replication.Action) failover.Sent{func(replication.Action) failover.Sent {
					return failover.Sent{Outcome: replication.Accepted, Status: 200} // and it takes its time
				}}
				c, stop := w.observe(w.store, nil)
				wait(5 * time.Second)
				if _, _, err := c.Act(context.Background(), asking(replication.Switchover)); err != nil {
					t.Fatal(err)
				}
				wait(10 * time.Second)
				w.rules.mu.Lock()
				w.rules.verdict, w.rules.untrue = replication.Go, time.Time{}
				w.rules.mu.Unlock()
				wait(5 * time.Minute)
				stop()
				byRule, effects := w.cloud.count()
				first := w.incidents()[0]
				if begun && (byRule != 0 || len(w.incidents()) != 1 || len(d.calls()) != 1) {
					t.Errorf("%d failovers by the rule, %d incidents, %v", byRule, len(w.incidents()), d.calls())
				}
				if !begun && (byRule != 1 || effects != 1 || len(d.calls()) != 0 || first.Phase != replication.Aborted) {
					t.Errorf("%d failovers by the rule, %v, the plan is %s (%s)", byRule, d.calls(), first.Phase, first.Error)
				}
			})
		})
	}
}
