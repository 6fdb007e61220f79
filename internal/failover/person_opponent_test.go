package failover_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/replication"
)

// What an opponent tried on a person's actions, and what must stay so.

// TestPausedInAnActionOfOneCall stops an observer at each step of each action
// that is one call; another goes on; then the first wakes. The call arrives at
// most once, never from the one that woke, and the group does not stay claimed.
func TestPausedInAnActionOfOneCall(t *testing.T) {
	actions := []replication.Action{replication.Failover, replication.Stop, replication.StartDrill, replication.ClearDrill}
	steps := []string{"claimed", "read", "intent", "first_byte", "sent", "outcome", "verifying", "step_done"}
	for _, a := range actions {
		for _, step := range steps {
			t.Run(string(a)+" "+step, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { pausedInOneCall(t, a, step) })
			})
		}
	}
}

func pausedInOneCall(t *testing.T, a replication.Action, step string) {
	w, d := office(t, replication.AliyunEBS)
	if a == replication.ClearDrill {
		d.drills = []replication.Drill{{ID: "old", State: replication.DrillReady}}
	}
	first := w.store.Join(time.Now, "obs-w", "witness")
	hang, halted := make(chan struct{}), make(chan struct{})
	c, stop := w.observe(first, func(s string) {
		select {
		case <-halted:
			return
		default:
		}
		if s == step {
			first.Suspend(time.Hour)
			first.Disconnect(errors.New("paused"))
			close(halted)
			<-hang
		}
	})
	wait(5 * time.Second)
	ask := asking(a)
	if a == replication.ClearDrill {
		ask.Drill = "old"
	}
	go func() { _, _, _ = c.Act(context.Background(), ask) }()
	wait(2 * time.Minute)
	<-halted
	_, stopSecond := w.observe(w.store.Join(time.Now, "obs-2", "witness"), nil)
	wait(25 * time.Minute)
	before := d.calls()
	close(hang)
	first.Heal()
	wait(2 * time.Minute)
	go stop()
	wait(2 * time.Minute)
	stopSecond()
	if i := w.only(); len(before) > 1 || !slices.Equal(before, d.calls()) || !i.Phase.Ended() || w.record().OpenIncident != "" {
		t.Errorf("%s (%s), calls %v, then %v, open %q; want an end, one call at most, and none by the one that woke", i.Phase, i.HeldBy+i.Error, before, d.calls(), w.record().OpenIncident)
	}
}

// TestARuleAndTwoPersonsAtOnce want the same group failed over, in any order.
func TestARuleAndTwoPersonsAtOnce(t *testing.T) {
	for _, p := range replication.Providers() {
		for lead := range 4 {
			synctest.Test(t, func(t *testing.T) {
				w, d := office(t, p)
				c, stop := w.observe(w.store, nil)
				wait(5 * time.Second)
				a := asking(replication.Failover)
				a.Group.Provider = p
				w.rules.mu.Lock()
				w.rules.verdict, w.rules.untrue = replication.Go, time.Time{}
				w.rules.mu.Unlock()
				wait(time.Duration(lead) * 700 * time.Millisecond)
				for range 2 {
					go func() { _, _, _ = c.Act(context.Background(), a) }()
				}
				wait(5 * time.Minute)
				stop()
				if calls, effects := w.cloud.count(); effects != 1 || calls+len(d.calls()) != 1 {
					t.Errorf("%s: %d effects; the rule sent %d, the persons %v; want one failover", p, effects, calls, d.calls())
				}
			})
		}
	}
}

// TestTwoPersonsStartADrillAtOnce: one drill is made and billed, and the other
// person is told why.
func TestTwoPersonsStartADrillAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, d := office(t, replication.AliyunEBS)
		slow := func(step replication.Action) failover.Sent {
			time.AfterFunc(time.Minute, func() { d.mu.Lock(); defer d.mu.Unlock(); d.obey(step) })
			return failover.Sent{Outcome: replication.Accepted, Status: 200}
		}
		d.answers = []func(replication.Action) failover.Sent{slow, slow}
		c, stop := w.observe(w.store, nil)
		wait(5 * time.Second)
		errs := make(chan error, 2)
		for range 2 {
			go func() { _, _, err := c.Act(context.Background(), asking(replication.StartDrill)); errs <- err }()
		}
		wait(5 * time.Minute)
		stop()
		got := []error{<-errs, <-errs}
		if refused := slices.ContainsFunc(got, func(err error) bool { return errors.Is(err, failover.ErrNotNow) }); !refused || len(d.calls()) != 1 {
			t.Errorf("%v, calls %v; want one drill and one refusal", got, d.calls())
		}
	})
}

// TestARefusedActionKeepsNoRuleAway: nothing has happened, so nothing is latched
// and no cool-down runs.
func TestARefusedActionKeepsNoRuleAway(t *testing.T) {
	for _, a := range []replication.Action{replication.Failover, replication.Switchover, replication.Stop, replication.StartDrill} {
		synctest.Test(t, func(t *testing.T) {
			w, d := office(t, replication.AliyunEBS)
			d.answers = []func(replication.Action) failover.Sent{func(replication.Action) failover.Sent {
				return failover.Sent{Outcome: replication.Rejected, Status: 403, Err: errors.New("OperationDenied")}
			}}
			c, stop := w.observe(w.store, nil)
			wait(5 * time.Second)
			if _, _, err := c.Act(context.Background(), asking(a)); err != nil {
				t.Fatal(err)
			}
			wait(10 * time.Second)
			w.rules.mu.Lock()
			w.rules.verdict, w.rules.untrue = replication.Go, time.Time{}
			w.rules.mu.Unlock()
			wait(time.Minute)
			stop()
			if calls, effects := w.cloud.count(); calls != 1 || effects != 1 {
				t.Errorf("%s: %d failovers by the rule, %d effects, record %+v; want one", a, calls, effects, w.record())
			}
		})
	}
}
