package failover_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/replication"
)

// What an opponent once got past the controller, each with the schedule that
// did it.

// outage puts the group into an error that is the outage's own, not ours.
func outage(c *cloud, raw string) {
	c.group.State, c.group.RawStatus = replication.Errored, raw
}

func later(c *cloud, d time.Duration, change func()) {
	time.AfterFunc(d, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		change()
	})
}

// TestTheOutagesOwnErrorIsNoFailure: the call is accepted, the outage reaches
// the group's status, and only then is the group moved.
func TestTheOutagesOwnErrorIsNoFailure(t *testing.T) {
	for provider, raw := range map[replication.Provider]string{replication.HuaweiDWS: "abnormal", replication.HuaweiEVS: "available/error"} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, provider, replication.Auto)
			w.cloud.answers = []func(*cloud) failover.Sent{func(c *cloud) failover.Sent {
				outage(c, raw)
				later(c, 20*time.Second, c.apply)
				return failover.Sent{Outcome: replication.Accepted, Status: 200}
			}}
			_, stop := w.observe(w.store, nil)
			wait(2 * time.Minute)
			stop()
			if i := w.only(); i.Phase != replication.Succeeded {
				t.Errorf("%s: %s (%s); want succeeded", provider, i.Phase, i.Error)
			}
		})
	}
}

// TestUnknownCallUnderAnOutageStaysUnknown: the answer is lost, the status turns
// to the outage's error, and the request arrives five minutes later.
func TestUnknownCallUnderAnOutageStaysUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, replication.HuaweiDWS, replication.Auto)
		w.rules.rule.Cooldown = 0
		w.cloud.answers = []func(*cloud) failover.Sent{func(c *cloud) failover.Sent {
			outage(c, "abnormal")
			later(c, 5*time.Minute, c.apply)
			return failover.Sent{Outcome: replication.Uncertain, Err: errors.New("reset")}
		}}
		_, stop := w.observe(w.store, nil)
		wait(30 * time.Second)
		i := w.only()
		if err := w.store.Ack(context.Background(), i.Key(), i.ID, "sre", "it failed, try again"); err == nil || i.Phase != replication.Verifying {
			t.Errorf("%s, ack: %v; want verifying, and an ack refused", i.Phase, err)
		}
		wait(10 * time.Minute)
		stop()
		if calls, effects := w.cloud.count(); calls != 1 || effects != 1 || w.only().Phase != replication.Succeeded {
			t.Errorf("%d calls, %d effects, %s; want one, one, succeeded", calls, effects, w.only().Phase)
		}
	})
}

// TestUnknownCallAndAChangeThatProvesNothing: the pairs change because of the
// outage, so neither "happened" nor "did not" can be proven. It must end.
func TestUnknownCallAndAChangeThatProvesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, replication.HuaweiSDRS, replication.Auto)
		w.cloud.group.Pairs = map[string]int{"protected": 3}
		w.cloud.answers = []func(*cloud) failover.Sent{func(c *cloud) failover.Sent {
			c.group.Pairs = map[string]int{"protected": 2, "fault": 1}
			return failover.Sent{Outcome: replication.Uncertain, Err: errors.New("reset")}
		}}
		_, stop := w.observe(w.store, nil)
		wait(30 * time.Minute)
		stop()
		if calls, _ := w.cloud.count(); calls != 1 || w.only().Phase != replication.Ambiguous {
			t.Errorf("%d calls, %s; want one, ambiguous", calls, w.only().Phase)
		}
	})
}

// TestAPersonEndsAWaitWithoutProof: accepted, and the provider silently does
// nothing.
func TestAPersonEndsAWaitWithoutProof(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, replication.HuaweiSDRS, replication.Auto)
		w.cloud.answers = []func(*cloud) failover.Sent{func(*cloud) failover.Sent {
			return failover.Sent{Outcome: replication.Accepted, Status: 200}
		}}
		_, stop := w.observe(w.store, nil)
		wait(time.Hour)
		if err := w.store.GiveUp(context.Background(), w.only().ID, 1, "sre", "nothing comes"); err != nil {
			t.Fatal(err)
		}
		wait(time.Minute)
		stop()
		if i := w.only(); i.Phase != replication.Ambiguous || w.record().Latch == nil || !strings.Contains(i.Error, "nothing comes") {
			t.Errorf("%s (%s), latch %v; want ambiguous and latched", i.Phase, i.Error, w.record().Latch)
		}
	})
}

// TestALastSyncFromTheFutureIsNoLag: a time zone read wrongly makes three hours
// of lag look like none.
func TestALastSyncFromTheFutureIsNoLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, replication.HuaweiDWS, replication.Auto)
		w.cloud.group.LastSync = time.Now().Add(5 * time.Hour)
		c, stop := w.observe(w.store, nil)
		wait(time.Minute)
		state := c.State()
		stop()
		if len(w.incidents()) != 0 || !blocks(state, "lag_under") {
			t.Errorf("%d incidents, blocking %v; want none, lag_under", len(w.incidents()), state.Decisions)
		}
	})
}

func blocks(s failover.State, name string) bool {
	for _, d := range s.Decisions {
		for _, c := range d.Blocking() {
			if c.Name == name {
				return true
			}
		}
	}
	return false
}

// TestASomebodyElsesMoveStartsTheCoolDownFirst: production comes back to the
// lost site by a person's hand while the trigger is true.
func TestASomebodyElsesMoveStartsTheCoolDownFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, replication.HuaweiSDRS, replication.Auto)
		w.cloud.group.Active = azB
		c, stop := w.observe(w.store, nil)
		wait(time.Minute)
		w.cloud.mu.Lock()
		w.cloud.group.Active = azA
		w.cloud.mu.Unlock()
		wait(30 * time.Second)
		state := c.State()
		stop()
		if calls, _ := w.cloud.count(); calls != 0 || !blocks(state, "cooldown") {
			t.Errorf("%d calls; want none, held back by the cool-down", calls)
		}
	})
}

// TestOtherClustersThanRecordedLatch: the ids and roles of a DWS relation are
// not those that were taken down while all was well.
func TestOtherClustersThanRecordedLatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, replication.HuaweiDWS, replication.Auto)
		w.rules.quiet()
		_, stop := w.observe(w.store, nil)
		wait(20 * time.Second)
		w.cloud.mu.Lock()
		w.cloud.group.Baseline = "x standby, y primary"
		w.cloud.mu.Unlock()
		wait(5 * time.Second)
		w.rules.mu.Lock()
		w.rules.verdict, w.rules.untrue = replication.Go, time.Time{}
		w.rules.mu.Unlock()
		wait(time.Minute)
		if calls, _ := w.cloud.count(); calls != 0 || w.record().Latch == nil {
			t.Errorf("%d calls, latch %v; want none, latched", calls, w.record().Latch)
		}
		if err := w.store.Ack(context.Background(), w.cloud.group.Key, "", "sre", "we switched over ourselves"); err != nil {
			t.Error(err)
		}
		wait(time.Minute)
		stop()
		if calls, _ := w.cloud.count(); calls != 1 {
			t.Errorf("%d calls after the ack; want one", calls)
		}
	})
}

// TestAnInfiniteTriggerIsTrueAllTheSame: a division by zero in the trigger, and
// a name no record could hold.
func TestAnInfiniteTriggerIsTrueAllTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, replication.HuaweiSDRS, replication.Auto)
		w.rules.value = math.Inf(1)
		w.cloud.group.Name = strings.Repeat("n", 20_000)
		_, stop := w.observe(w.store, nil)
		wait(time.Minute)
		stop()
		if i := w.only(); i.Phase != replication.Succeeded {
			t.Errorf("%s (%s); want succeeded", i.Phase, i.HeldBy+i.Error)
		}
	})
}

// TestApprovalTimeRunsFromTheQuestion: held by a freeze for longer than the
// approval timeout, the person is still asked; and an old yes does not count.
func TestApprovalTimeRunsFromTheQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, replication.HuaweiSDRS, replication.Approve)
		ctx := context.Background()
		_, stop := w.observe(w.store, func(step string) {
			if step == "claimed" {
				_ = w.store.Freeze(ctx, "sre", "look first")
			}
		})
		wait(20 * time.Second)
		approval := replication.Approval{Who: "sre", Reason: "go", Clock: replication.Duration(w.clock())}
		if err := w.store.Approve(ctx, w.only().ID, approval); err != nil {
			t.Fatal(err)
		}
		wait(70 * time.Minute)
		if err := w.store.Unfreeze(ctx, "sre", "now"); err != nil {
			t.Fatal(err)
		}
		wait(time.Minute)
		if calls, _ := w.cloud.count(); calls != 0 || w.only().HeldBy != "approval" {
			t.Errorf("%d calls, %s held by %q; want none, and the question asked again", calls, w.only().Phase, w.only().HeldBy)
		}
		wait(2 * time.Hour)
		stop()
		if w.incidents()[0].Phase != replication.Aborted {
			t.Errorf("%s; want aborted when nobody answers", w.incidents()[0].Phase)
		}
	})
}

// TestSecondSendIsThrottled: the wait before the one second send does not count
// against the time for sending.
func TestSecondSendIsThrottled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, replication.HuaweiSDRS, replication.Auto)
		w.cloud.answers = []func(*cloud) failover.Sent{lostBeforeEffect, throttled}
		_, stop := w.observe(w.store, nil)
		wait(25 * time.Minute)
		stop()
		if i := w.only(); i.Phase != replication.Succeeded || len(i.Calls) != 3 {
			t.Errorf("%s (%s), %d calls; want succeeded with three", i.Phase, i.Error, len(i.Calls))
		}
	})
}

// TestAHeldIncidentHoldsNoSlot: throttled, then frozen.
func TestAHeldIncidentHoldsNoSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, replication.HuaweiSDRS, replication.Auto)
		w.cloud.answers = []func(*cloud) failover.Sent{func(c *cloud) failover.Sent {
			go func() { _ = w.store.Freeze(context.Background(), "sre", "stop") }()
			return throttled(c)
		}}
		_, stop := w.observe(w.store, nil)
		wait(2 * time.Minute)
		cluster, err := w.store.Read(context.Background())
		stop()
		if err != nil || len(cluster.Slots["r"]) != 0 || w.only().Phase != replication.Held {
			t.Errorf("slots %v, %s, %v; want none while held", cluster.Slots, w.only().Phase, err)
		}
	})
}

// TestMovedByAPersonWhileItWaits: the incident is only proven, and the cool-down
// runs from it.
func TestMovedByAPersonWhileItWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, replication.HuaweiSDRS, replication.Approve)
		_, stop := w.observe(w.store, nil)
		wait(20 * time.Second)
		w.cloud.mu.Lock()
		w.cloud.apply()
		w.cloud.mu.Unlock()
		wait(time.Minute)
		stop()
		if calls, _ := w.cloud.count(); calls != 0 || w.only().Phase != replication.Succeeded || w.record().LastAction == nil {
			t.Errorf("%d calls, %s, last action %v; want none, succeeded by proof, taken down", calls, w.only().Phase, w.record().LastAction)
		}
	})
}

// TestAGroupNotReadYetIsNoLostTarget: after a restart the account does not
// answer, so the group is not known; the incident waits for it.
func TestAGroupNotReadYetIsNoLostTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, replication.HuaweiSDRS, replication.Approve)
		_, stop := w.observe(w.store, nil)
		wait(20 * time.Second)
		w.rules.hide(true)
		wait(time.Minute)
		if i := w.only(); i.Phase != replication.Held || i.HeldBy != "group_not_read" {
			t.Errorf("%s, held by %q; want held by group_not_read", i.Phase, i.HeldBy)
		}
		w.rules.hide(false)
		wait(time.Minute)
		stop()
		if i := w.only(); i.HeldBy != "approval" {
			t.Errorf("%s, held by %q once it is read; want approval", i.Phase, i.HeldBy)
		}
	})
}
