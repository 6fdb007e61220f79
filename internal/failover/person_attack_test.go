package failover_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/provider/dws"
	"github.com/drwatch/drwatch/internal/provider/ebs"
	"github.com/drwatch/drwatch/internal/provider/sdrs"
	"github.com/drwatch/drwatch/internal/replication"
)

func (d *desk) locked(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f()
}

func (r *rules) change(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
}

func TestSomebodyElsesFailoverIsNotReprotected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, d := office(t, replication.AliyunEBS)
		d.synced = 20 * time.Minute
		c, stop := w.observe(w.store, nil)
		wait(5 * time.Second)
		if _, _, err := c.Act(context.Background(), asking(replication.Switchover)); err != nil {
			t.Fatal(err)
		}
		wait(time.Minute)
		d.locked(d.apply) // az-a burns: somebody fails over in the vendor's console, before the recover point has passed
		wait(2 * time.Minute)
		stop()
		if calls := d.calls(); len(calls) != 0 || w.record().Latch == nil {
			t.Errorf("sent %v after somebody else's unplanned failover (%s %s); want nothing: az-a has the only copy of the last writes", calls, w.only().Phase, w.only().Error)
		}
	})
}

func TestNoMoveToASideThatWentDownMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, d := office(t, replication.AliyunEBS)
		d.synced = 5 * time.Minute
		c, stop := w.observe(w.store, nil)
		wait(5 * time.Second)
		if _, _, err := c.Act(context.Background(), asking(replication.Switchover)); err != nil {
			t.Fatal(err)
		}
		wait(time.Minute)
		w.rules.change(func() { w.rules.verdict, w.rules.targetDown = replication.Pending, true })
		wait(10 * time.Minute)
		stop()
		if calls := d.calls(); len(calls) != 0 {
			t.Errorf("sent %v although an observer sees az-b down", calls)
		}
	})
}

func TestAskedAtNoonNotBegunAtNight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, d := office(t, replication.AliyunEBS)
		w.every = 10 * time.Second
		d.answers = []func(replication.Action) failover.Sent{func(replication.Action) failover.Sent {
			_ = w.store.Freeze(context.Background(), "x", "stop")
			return failover.Sent{Outcome: replication.Throttled, Status: 429, Err: errors.New("Throttling")}
		}}
		c, stop := w.observe(w.store, nil)
		wait(5 * time.Second)
		if _, _, err := c.Act(context.Background(), asking(replication.Failover)); err != nil {
			t.Fatal(err)
		}
		wait(10 * time.Hour)
		_ = w.store.Unfreeze(context.Background(), "x", "go on")
		wait(time.Minute)
		stop()
		if calls := d.calls(); len(calls) > 1 {
			t.Errorf("sent %v ten hours after it was asked for; want it given up after ten minutes", calls)
		}
	})
}

func TestAPlanThatWaitsSurvivesAHiccup(t *testing.T) {
	for name, hiccup := range map[string]func(*world, *desk){
		"one throttled call": func(_ *world, d *desk) {
			d.locked(func() {
				d.answers = []func(replication.Action) failover.Sent{func(replication.Action) failover.Sent {
					return failover.Sent{Outcome: replication.Throttled, Status: 429, Err: errors.New("Throttling")}
				}}
			})
		},
		"a read that fails": func(_ *world, d *desk) {
			d.locked(func() { d.down = true })
			time.AfterFunc(40*time.Second, func() { d.locked(func() { d.down = false }) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, d := office(t, replication.AliyunEBS)
				d.synced = 15 * time.Minute // the RPO of EBS
				c, stop := w.observe(w.store, nil)
				wait(5 * time.Second)
				if _, _, err := c.Act(context.Background(), asking(replication.Switchover)); err != nil {
					t.Fatal(err)
				}
				wait(12 * time.Minute)
				hiccup(w, d)
				wait(10 * time.Minute)
				stop()
				if i := w.only(); i.Phase != replication.Succeeded {
					t.Errorf("%s (%s), sent %v; want it to go on", i.Phase, i.Error, d.calls())
				}
			})
		})
	}
}

type stalePolls struct {
	*rules
	seen replication.Group
	at   time.Time
	age  time.Duration
}

func (s *stalePolls) Evaluate(ctx context.Context) (failover.Evaluation, error) {
	e, err := s.rules.Evaluate(ctx)
	if s.at.IsZero() || time.Since(s.at) >= s.age {
		s.seen, s.at = e.Groups[0], time.Now()
	}
	e.Groups = []replication.Group{s.seen}
	for r := range e.Rules {
		for i := range e.Rules[r].Targets {
			e.Rules[r].Targets[i].Group = s.seen
		}
	}
	return e, err
}

type warehouse struct{ *desk }

func (x warehouse) Procedure(a replication.Action, g replication.Group, inc replication.Incident) (replication.Procedure, error) {
	return dws.Procedure(a, g, inc)
}

func (x warehouse) Operator(string) (failover.Operator, error) { return x, nil }

func (x warehouse) Operate(ctx context.Context, step replication.Action, o failover.Operation) failover.Sent {
	s := x.desk.Operate(ctx, step, o)
	x.locked(func() {
		if step == replication.Switchover && s.Outcome == replication.Accepted {
			x.group.Active, x.group.Baseline = x.group.Standby(), "a standby, b primary"
		}
	})
	return s
}

func yes(names ...string) []replication.Condition {
	var cs []replication.Condition
	for _, n := range names {
		cs = append(cs, replication.Condition{Name: n, Value: "yes", OK: true})
	}
	return cs
}

func (w *world) controller(change func(*failover.Options)) (*failover.Controller, func()) {
	o := failover.Options{
		Observer: "obs-w", Site: "witness", Store: w.store, Session: w.store, Upkeep: w.store, Rules: w.rules, Reader: w.cloud, Senders: w.cloud,
		CanAct: func(string) bool { return true }, AcceptSingle: true, LeaseTTL: 15 * time.Second, TrackInterval: 5 * time.Second,
		Now: time.Now, Logger: w.log, Handbook: w.desk, Drills: w.desk, Operators: w.desk, Sites: w.desk,
	}
	change(&o)
	c := failover.New(o)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(w.round())
		defer tick.Stop()
		for ctx.Err() == nil {
			_ = c.Round(ctx)
			select {
			case <-ctx.Done():
			case <-tick.C:
			case <-c.Wake():
			}
		}
	}()
	return c, func() {
		cancel()
		<-done
		closing, end := context.WithTimeout(context.Background(), time.Minute)
		defer end()
		_ = c.Close(closing)
	}
}

func TestAPlannedSwitchoverOfAWarehouseLeavesNoLatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, d := office(t, replication.HuaweiDWS)
		d.group.RawStatus = "running"
		d.group.Ready = yes("status_allows_failover", "clusters_known", "full_sync_done", "active_side_known")
		x := warehouse{d}
		c, stop := w.controller(func(o *failover.Options) {
			o.Handbook, o.Operators = x, x
			o.Rules = &stalePolls{rules: w.rules, age: 30 * time.Second}
		})
		wait(65 * time.Second)
		a := asking(replication.Switchover)
		a.Group.Provider = replication.HuaweiDWS
		if _, _, err := c.Act(context.Background(), a); err != nil {
			t.Fatal(err)
		}
		wait(3 * time.Minute)
		stop()
		if i := w.only(); i.Phase != replication.Succeeded || w.record().Latch != nil {
			t.Errorf("%s, latch %+v, baseline %q; want succeeded and no latch", i.Phase, w.record().Latch, w.record().Baseline)
		}
	})
}

func TestALongReasonDoesNotKeepTheIncidentOpen(t *testing.T) {
	for n := 13_600; n <= 15_600; n += 40 {
		var open string
		synctest.Test(t, func(t *testing.T) {
			w, d := office(t, replication.AliyunEBS)
			w.every = 10 * time.Second
			c, stop := w.observe(w.store, nil)
			wait(5 * time.Second)
			a := asking(replication.Failover)
			a.Person.Reason = strings.Repeat("x", n)
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			_, _, err := c.Act(ctx, a)
			wait(12 * time.Minute)
			if id := w.record().OpenIncident; id != "" {
				before := w.only().Phase
				abort := w.store.Abort(context.Background(), id, "sre", "go away")
				wait(3 * time.Minute)
				if w.record().OpenIncident != "" {
					open = fmt.Sprintf("claim %v; %s, then %s, sent %v; abort: %v", err, before, w.only().Phase, d.calls(), abort)
				}
			}
			stop()
		})
		if open != "" {
			t.Errorf("a reason of %d bytes: the group stays claimed for ever: %s", n, open)
		}
	}
}

type store struct{ *desk }

func (x store) Procedure(a replication.Action, g replication.Group, inc replication.Incident) (replication.Procedure, error) {
	return ebs.Procedure(a, g, inc)
}

func TestSomebodyElsesDrillIsNotMine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, d := office(t, replication.AliyunEBS)
		d.group.RawStatus, d.drills = "normal", []replication.Drill{}
		d.group.Ready = yes("status_allows_failover", "first_full_sync", "pairs_synced")
		c, stop := w.controller(func(o *failover.Options) { o.Handbook = store{d} })
		wait(5 * time.Second)
		w.store.BeforeNext("claim", func() {
			d.locked(func() {
				d.drills = append(d.drills, replication.Drill{ID: "colleague", Status: "executed", State: replication.DrillReady})
			})
		})
		if _, _, err := c.Act(context.Background(), asking(replication.StartDrill)); err != nil {
			t.Fatal(err)
		}
		wait(time.Minute)
		stop()
		if i := w.only(); i.Phase == replication.Succeeded && len(d.calls()) == 0 {
			t.Errorf("%s with nothing sent: a colleague's drill was taken for the one asked for", i.Phase)
		}
	})
}

func TestASecondFailureEndsToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, d := office(t, replication.AliyunEBS)
		w.every = 10 * time.Second
		d.group.RawStatus, d.group.State = "stop_failed", replication.Errored
		d.group.Ready = yes("status_allows_failover", "first_full_sync", "pairs_synced")
		d.answers = []func(replication.Action) failover.Sent{func(replication.Action) failover.Sent {
			d.group.RawStatus, d.group.State = "stopping", replication.Changing
			time.AfterFunc(time.Minute, func() {
				d.locked(func() { d.group.RawStatus, d.group.State = "stop_failed", replication.Errored })
			})
			return failover.Sent{Outcome: replication.Accepted, Status: 200}
		}}
		c, stop := w.controller(func(o *failover.Options) { o.Handbook = store{d} })
		wait(5 * time.Second)
		if _, _, err := c.Act(context.Background(), asking(replication.Stop)); err != nil {
			t.Fatal(err)
		}
		wait(3 * time.Minute)
		w.rules.change(func() { w.rules.verdict, w.rules.untrue, w.rules.lost = replication.Go, time.Time{}, time.Now() }) // a failover is allowed from stop_failed
		d.locked(func() { d.group.LastSync = time.Now() })
		wait(5 * time.Hour)
		stop()
		if n, _ := w.cloud.count(); n != 1 {
			i := w.incidents()[0]
			t.Errorf("%d automatic failovers in five hours; %s: %s still open", n, i.Action, i.Phase)
		}
	})
}

func TestADrillThatHangsKeepsNoRuleAway(t *testing.T) {
	for name, after := range map[string]func(d *desk){
		"it hangs": func(d *desk) {
			d.drills = []replication.Drill{{ID: "d1", Status: "executing", State: replication.DrillStarting}}
		},
		"somebody clears it": func(d *desk) { d.drills = nil },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, d := office(t, replication.AliyunEBS)
				w.every = 10 * time.Second
				d.answers = []func(replication.Action) failover.Sent{func(replication.Action) failover.Sent {
					after(d)
					return failover.Sent{Outcome: replication.Accepted, Status: 200, JobID: "d1"}
				}}
				c, stop := w.observe(w.store, nil)
				wait(5 * time.Second)
				if _, _, err := c.Act(context.Background(), asking(replication.StartDrill)); err != nil {
					t.Fatal(err)
				}
				wait(time.Hour)
				w.rules.change(func() { w.rules.verdict, w.rules.untrue, w.rules.lost = replication.Go, time.Time{}, time.Now() })
				d.locked(func() { d.group.LastSync = time.Now() })
				wait(5 * time.Hour)
				stop()
				if n, _ := w.cloud.count(); n != 1 {
					t.Errorf("%d automatic failovers in five hours of an outage; the drill's incident is %s", n, w.incidents()[0].Phase)
				}
			})
		})
	}
}

func TestAPlanThatOnlyWaitsKeepsNoRuleAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, d := office(t, replication.AliyunEBS)
		w.every = 10 * time.Second
		d.synced = 1000 * time.Hour
		c, stop := w.observe(w.store, nil)
		wait(5 * time.Second)
		if _, _, err := c.Act(context.Background(), asking(replication.Switchover)); err != nil {
			t.Fatal(err)
		}
		wait(time.Minute)
		w.rules.change(func() { w.rules.verdict, w.rules.untrue, w.rules.lost = replication.Go, time.Time{}, time.Now() })
		d.locked(func() { d.group.LastSync = time.Now() })
		wait(23 * time.Hour)
		n, _ := w.cloud.count()
		i := w.incidents()[0]
		wait(3 * time.Hour)
		m, _ := w.cloud.count()
		stop()
		if n != 1 {
			t.Errorf("%d automatic failovers after 23 hours of an outage, %d after 26; the person's plan: %s held by %q, %d calls", n, m, i.Phase, i.HeldBy, len(i.Calls))
		}
	})
}

func TestAnAbortIsHeardSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, d := office(t, replication.AliyunEBS)
		refuse := func(replication.Action) failover.Sent {
			return failover.Sent{Outcome: replication.Rejected, Status: 403, Err: errors.New("disks are attached")}
		}
		d.answers = []func(replication.Action) failover.Sent{nil, refuse, refuse, refuse, refuse, refuse, refuse, refuse}
		c, stop := w.observe(w.store, nil)
		wait(5 * time.Second)
		_, inc, err := c.Act(context.Background(), asking(replication.Switchover))
		if err != nil {
			t.Fatal(err)
		}
		wait(16 * time.Minute)
		if err := w.store.Abort(context.Background(), inc.ID, "sre", "enough"); err != nil {
			t.Fatal(err)
		}
		c.Nudge()
		wait(time.Minute)
		p := w.only().Phase
		wait(20 * time.Minute)
		stop()
		if p != replication.Aborted {
			t.Errorf("a minute after the abort it is %s", p)
		}
	})
}

var _ = sdrs.Procedure
