package failover_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/replication"
)

func TestALostAnswerToAClaimIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, d := office(t, replication.AliyunEBS)
		c, stop := w.observe(w.store, nil)
		wait(5 * time.Second)
		w.store.LoseAnswerAndConnection("claim")
		time.AfterFunc(20*time.Second, w.store.Heal)
		_, inc, err := c.Act(context.Background(), asking(replication.Failover))
		wait(5 * time.Minute)
		stop()
		t.Logf("err %v (not now: %v), incident %q; sent %v", err, errors.Is(err, failover.ErrNotNow), inc.ID, d.calls())
	})
}

func TestOnlyTheDrillThatWasShownIsCleared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, d := office(t, replication.AliyunEBS)
		d.drills = []replication.Drill{{ID: "mine", State: replication.DrillReady}}
		c, stop := w.observe(w.store, nil)
		wait(5 * time.Second)
		p, err := c.Propose(context.Background(), asking(replication.ClearDrill)) // shown to the person
		if err != nil || p.Plan.Drill != "mine" {
			t.Fatal(err, p.Plan.Drill)
		}
		d.locked(func() { d.drills = []replication.Drill{{ID: "colleagues", State: replication.DrillReady}} })
		_, _, err = c.Act(context.Background(), asking(replication.ClearDrill)) // what the command sends after the "y"
		wait(time.Minute)
		stop()
		if len(d.calls()) != 0 {
			t.Errorf("shown: clear %q; done: %v of %q, %v", p.Plan.Drill, d.calls(), w.only().Plan.Drill, err)
		}
	})
}

func TestSomebodyElsesFailoverIsNotReprotectedEBS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, d := office(t, replication.AliyunEBS)
		d.group.RawStatus, d.group.Pairs = "normal", map[string]int{"normal": 1}
		d.group.LastSync = time.Now().Add(-10 * time.Minute) // replication stands still: the plan waits
		d.group.Ready = yes("status_allows_failover", "first_full_sync", "pairs_synced")
		c, stop := w.controller(func(o *failover.Options) { o.Handbook = store{d} })
		wait(5 * time.Second)
		p, inc, err := c.Act(context.Background(), asking(replication.Switchover))
		if err != nil {
			t.Fatal(err, p.Blocking())
		}
		wait(time.Minute)
		d.locked(func() { d.apply(); d.group.RawStatus = "failovered" })
		wait(2 * time.Minute)
		stop()
		if calls := d.calls(); len(calls) != 0 {
			t.Errorf("sent %v: production was failed over by somebody else at a recover point older than the plan's (%s < %s)", calls, d.group.LastSync.Format("15:04:05"), inc.Plan.AskedAt.Format("15:04:05"))
		}
	})
}

func TestAStopThatIsUndoneMeanwhileEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, d := office(t, replication.AliyunEBS)
		w.every = 10 * time.Second
		d.answers = []func(replication.Action) failover.Sent{func(replication.Action) failover.Sent {
			return failover.Sent{Outcome: replication.Accepted, Status: 200} // stopped, and started again by a colleague
		}}
		c, stop := w.observe(w.store, nil)
		wait(5 * time.Second)
		if _, _, err := c.Act(context.Background(), asking(replication.Stop)); err != nil {
			t.Fatal(err)
		}
		wait(time.Hour)
		w.rules.change(func() { w.rules.verdict, w.rules.untrue, w.rules.lost = replication.Go, time.Time{}, time.Now() })
		d.locked(func() { d.group.LastSync = time.Now() })
		wait(5 * time.Hour)
		stop()
		if n, _ := w.cloud.count(); n != 1 {
			t.Errorf("%d automatic failovers in five hours; the stop is %s", n, w.incidents()[0].Phase)
		}
	})
}

// One call of SDRS protects and protects again. A start that may still arrive must
// not meet a group that has failed over meanwhile.
func TestAStartThatMayStillArriveKeepsTheGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, d := office(t, replication.AliyunEBS)
		d.group.State, d.group.RawStatus = replication.ProtectionOff, "stopped"
		d.answers = []func(replication.Action) failover.Sent{func(replication.Action) failover.Sent {
			return failover.Sent{Outcome: replication.Uncertain, Err: errors.New("reset")}
		}}
		c, stop := w.observe(w.store, nil)
		wait(5 * time.Second)
		if _, _, err := c.Act(context.Background(), asking(replication.Start)); err != nil {
			t.Fatal(err)
		}
		wait(time.Second) // its call has left: before, it would make room
		w.rules.change(func() { w.rules.verdict, w.rules.untrue, w.rules.lost = replication.Go, time.Time{}, time.Now() })
		wait(15 * time.Minute)
		early, _ := w.cloud.count()
		wait(10 * time.Minute)
		stop()
		if later, _ := w.cloud.count(); early != 0 || later != 1 {
			t.Errorf("the rule acted %d times while the start could arrive, %d times in all; want 0, 1", early, later)
		}
	})
}

func TestALostFirstCallOnAGroupThatSyncsLatchesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, d := office(t, replication.AliyunEBS)
		w.every = 10 * time.Second
		d.group.RawStatus, d.group.Pairs = "normal", map[string]int{"normal": 1}
		d.group.Ready = yes("status_allows_failover", "first_full_sync", "pairs_synced")
		d.answers = []func(replication.Action) failover.Sent{func(replication.Action) failover.Sent {
			return failover.Sent{Outcome: replication.Uncertain, Err: errors.New("reset")}
		}}
		c, stop := w.controller(func(o *failover.Options) { o.Handbook = store{d} })
		wait(5 * time.Second)
		if _, _, err := c.Act(context.Background(), asking(replication.Failover)); err != nil {
			t.Fatal(err)
		}
		for i := range 30 {
			status := []string{"syncing", "normal"}[i%2]
			d.locked(func() {
				d.group.RawStatus, d.group.Pairs, d.group.LastSync = status, map[string]int{status: 1}, time.Now()
			})
			wait(time.Minute)
		}
		d.locked(func() { d.group.LastSync = time.Now() })
		w.rules.change(func() { w.rules.verdict, w.rules.untrue, w.rules.lost = replication.Go, time.Time{}, time.Now() })
		wait(3 * time.Hour)
		stop()
		i := w.incidents()[0]
		if n, _ := w.cloud.count(); n != 1 || i.Phase != replication.Failed {
			t.Errorf("%s (%s), %d calls by the rule in three hours of an outage, latch %+v; want failed, nothing latched", i.Phase, i.Error, n, w.record().Latch)
		}
	})
}

func TestARuleKeptAwayByAHungDrillIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, d := office(t, replication.AliyunEBS)
		var out bytes.Buffer
		w.log = slog.New(slog.NewTextHandler(&out, nil))
		d.answers = []func(replication.Action) failover.Sent{func(replication.Action) failover.Sent {
			d.drills = []replication.Drill{{ID: "d1", Status: "executing", State: replication.DrillStarting}}
			return failover.Sent{Outcome: replication.Accepted, Status: 200, JobID: "d1"}
		}}
		c, stop := w.observe(w.store, nil)
		wait(5 * time.Second)
		if _, _, err := c.Act(context.Background(), asking(replication.StartDrill)); err != nil {
			t.Fatal(err)
		}
		wait(time.Minute)
		w.rules.change(func() { w.rules.verdict, w.rules.untrue, w.rules.lost = replication.Go, time.Time{}, time.Now() })
		wait(time.Hour)
		stop()
		if !strings.Contains(out.String(), "nothing is executing") {
			t.Errorf("an hour of a true trigger, nothing told:\n%s", out.String())
		}
	})
}
