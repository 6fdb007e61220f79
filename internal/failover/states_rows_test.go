package failover_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/quorum/quorumtest"
	"github.com/drwatch/drwatch/internal/replication"
)

// The rows of the table that are seldom made: each story makes one of them, and
// ends well.

// wentFrom tells whether the only incident has gone from one phase to another in
// one write.
func (w *world) wentFrom(from, to replication.Phase) bool {
	w.t.Helper()
	entries, err := w.store.Journal(context.Background(), w.only().ID)
	if err != nil {
		w.t.Fatal(err)
	}
	for i := 1; i < len(entries); i++ {
		if entries[i-1].Phase == from && entries[i].Phase == to {
			return true
		}
	}
	return false
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// told leaves the outcome of a call as an observer does that wakes late.
func (w *world) told(call int, outcome replication.Outcome) {
	w.t.Helper()
	i := w.only()
	late := i.Calls[call]
	late.Outcome, late.Error = outcome, ""
	if outcome != replication.Accepted {
		late.Error = "not allowed"
	}
	w.must(w.store.PutLate(context.Background(), i.ID, 1, late))
}

// once does f at the nth time that an observer comes to the step.
func once(step string, nth int, f func()) func(string) {
	return func(at string) {
		if at == step {
			if nth--; nth == 0 {
				f()
			}
		}
	}
}

func TestARuleFindsTheGroupMovedAndThenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, replication.HuaweiSDRS, replication.Auto)
		show := func(active replication.Location, state replication.State, status string) {
			w.cloud.mu.Lock()
			defer w.cloud.mu.Unlock()
			w.cloud.group.Active, w.cloud.group.State, w.cloud.group.RawStatus = active, state, status
		}
		_, stop := w.observe(w.store, func(step string) {
			switch step {
			case "claimed":
				show(azB, replication.FailedOver, "failed-over")
			case "verifying":
				show(azA, replication.Replicating, "protected")
				w.rules.quiet()
			}
		})
		wait(time.Minute)
		stop()
		if calls, _ := w.cloud.count(); calls != 0 || !w.wentFrom(replication.Open, replication.Verifying) || !w.wentFrom(replication.Verifying, replication.Aborted) {
			t.Errorf("%d calls, %v", calls, w.events())
		}
	})
}

func TestAnAbortBeforeAnythingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, replication.HuaweiSDRS, replication.Auto)
		_, stop := w.observe(w.store, once("claimed", 1, func() {
			w.must(w.store.Abort(context.Background(), w.only().ID, "sre", "no"))
		}))
		wait(time.Minute)
		stop()
		if calls, _ := w.cloud.count(); calls != 0 || !w.wentFrom(replication.Open, replication.Aborted) {
			t.Errorf("%d calls, %v", calls, w.events())
		}
	})
}

func TestARehearsalThatIsHeldFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, replication.HuaweiSDRS, replication.DryRun)
		down := func(is bool) {
			w.cloud.mu.Lock()
			defer w.cloud.mu.Unlock()
			w.cloud.down = is
		}
		_, stop := w.observe(w.store, once("claimed", 1, func() { down(true) }))
		wait(20 * time.Second)
		if i := w.only(); i.HeldBy != "provider_read" {
			t.Errorf("%s, held by %q", i.Phase, i.HeldBy)
		}
		down(false)
		wait(2 * time.Minute)
		stop()
		if calls, _ := w.cloud.count(); calls != 0 || !w.wentFrom(replication.Held, replication.Simulated) {
			t.Errorf("%d calls, %v", calls, w.events())
		}
	})
}

// TestAHeldCallIsToldLateToBeRefused: it was proven not to have happened and is to
// be sent again when the answer turns up.
func TestAHeldCallIsToldLateToBeRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, replication.HuaweiSDRS, replication.Auto)
		w.every = 10 * time.Second
		w.cloud.answers = []func(*cloud) failover.Sent{lostBeforeEffect}
		_, stop := w.observe(w.store, once("verifying", 1, func() {
			w.must(w.store.Freeze(context.Background(), "sre", "look"))
		}))
		wait(25 * time.Minute)
		if i := w.only(); i.HeldBy != "not_frozen" {
			t.Errorf("%s, held by %q", i.Phase, i.HeldBy)
		}
		w.told(0, replication.Rejected)
		w.must(w.store.Unfreeze(context.Background(), "sre", "go on"))
		wait(2 * time.Minute)
		stop()
		if calls, _ := w.cloud.count(); calls != 1 || !w.wentFrom(replication.Held, replication.Failed) {
			t.Errorf("%d calls, %v", calls, w.events())
		}
	})
}

// hangs makes the first observer hang for good at the nth time it comes to the
// step; the next one is there from then on.
func (w *world) hangs(step string, nth int) (*failover.Controller, func()) {
	first, hang := w.store.Join(time.Now, "obs-w", "witness"), make(chan struct{})
	hangs := make(chan struct{})
	c, stop := w.observe(first, once(step, nth, func() {
		first.Suspend(100 * time.Hour)
		close(hangs)
		<-hang
	}))
	go func() { // its loop ends, the step that hangs does not
		<-hangs
		stop()
	}()
	return c, func() {
		close(hang)
		wait(time.Minute)
	}
}

func TestAnEarlierCallIsToldLateWhileAnotherIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, replication.HuaweiSDRS, replication.Auto)
		w.every, w.closeWithin = 10*time.Second, 100*time.Hour
		w.cloud.answers = []func(*cloud) failover.Sent{lostBeforeEffect}
		_, wake := w.hangs("intent", 2)
		wait(30 * time.Minute)
		if i := w.only(); i.Phase != replication.Executing || len(i.Calls) != 2 {
			t.Fatalf("%s, %d calls", i.Phase, len(i.Calls))
		}
		w.told(0, replication.Rejected)
		_, stop := w.observe(w.successor(), nil)
		wait(30 * time.Minute)
		wake()
		stop()
		if _, effects := w.cloud.count(); effects > 1 || !w.wentFrom(replication.Executing, replication.Executing) || !w.only().Phase.Ended() {
			t.Errorf("%s, %d effects, %v", w.only().Phase, effects, w.events())
		}
	})
}

// noAnswer is a step whose call is lost on its way.
func noAnswer(replication.Action) failover.Sent {
	return failover.Sent{Outcome: replication.Uncertain, Err: errors.New("connection reset")}
}

// switchover asks for one and gives the world to its story.
func switchover(t *testing.T, answers []func(replication.Action) failover.Sent, observe func(*world) (*failover.Controller, func()), story func(*world, *desk, func())) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w, d := office(t, replication.AliyunEBS)
		w.every, w.closeWithin = 10*time.Second, 100*time.Hour
		d.answers = answers
		c, stop := observe(w)
		wait(15 * time.Second)
		if _, _, err := c.Act(context.Background(), asking(replication.Switchover)); err != nil {
			t.Fatal(err)
		}
		story(w, d, stop)
	})
}

func TestAPersonsHeldStepIsToldLateToBeAccepted(t *testing.T) {
	observe := func(w *world) (*failover.Controller, func()) {
		return w.observe(w.store, once("verifying", 2, func() {
			w.must(w.store.Freeze(context.Background(), "sre", "look"))
		}))
	}
	switchover(t, []func(replication.Action) failover.Sent{nil, noAnswer}, observe, func(w *world, d *desk, stop func()) {
		wait(30 * time.Minute)
		if i := w.only(); i.HeldBy != "not_frozen" {
			t.Fatalf("%s, held by %q", i.Phase, i.HeldBy)
		}
		w.told(1, replication.Accepted)
		w.must(w.store.Unfreeze(context.Background(), "sre", "go on"))
		wait(5 * time.Minute)
		d.mu.Lock()
		d.obey(replication.Reprotect)
		d.mu.Unlock()
		wait(5 * time.Minute)
		stop()
		if !w.wentFrom(replication.Held, replication.Verifying) || w.only().Phase != replication.Succeeded {
			t.Errorf("%s, %v, %v", w.only().Phase, d.calls(), w.events())
		}
	})
}

func TestAPersonsEarlierCallIsToldLateWhileAnotherIsUnderWay(t *testing.T) {
	hangs := func(w *world) (*failover.Controller, func()) { return w.hangs("intent", 3) }
	switchover(t, []func(replication.Action) failover.Sent{nil, noAnswer}, hangs, func(w *world, d *desk, wake func()) {
		wait(40 * time.Minute)
		if i := w.only(); i.Phase != replication.Executing || len(i.Calls) != 3 {
			t.Fatalf("%s, %d calls", i.Phase, len(i.Calls))
		}
		w.told(1, replication.Rejected)
		_, stop := w.observe(w.successor(), nil)
		wait(2 * time.Hour)
		wake()
		stop()
		if !w.wentFrom(replication.Executing, replication.Executing) || !w.only().Phase.Ended() {
			t.Errorf("%s, %v, %v", w.only().Phase, d.calls(), w.events())
		}
	})
}

// TestAPersonFindsItDone: between the question and the call somebody else has done
// all of it.
func TestAPersonFindsItDone(t *testing.T) {
	for _, held := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w, d := office(t, replication.AliyunEBS)
			from := replication.Open
			c, stop := w.observe(w.store, once("claimed", 1, func() {
				if held {
					w.must(w.store.Freeze(context.Background(), "sre", "look"))
					return
				}
				d.mu.Lock()
				defer d.mu.Unlock()
				d.apply()
			}))
			wait(5 * time.Second)
			if _, _, err := c.Act(context.Background(), asking(replication.Failover)); err != nil {
				t.Fatal(err)
			}
			wait(30 * time.Second)
			if held {
				from = replication.Held
				d.mu.Lock()
				d.apply()
				d.mu.Unlock()
			}
			wait(2 * time.Minute)
			stop()
			if !w.wentFrom(from, replication.Succeeded) || len(d.calls()) != 0 {
				t.Errorf("%s, %v, %v", w.only().Phase, d.calls(), w.events())
			}
		})
	}
}

// newer is a desk whose plans have changed since.
type newer struct {
	*desk
	is func() bool
}

func (n newer) Procedure(a replication.Action, g replication.Group, inc replication.Incident) (replication.Procedure, error) {
	p, err := n.desk.Procedure(a, g, inc)
	if n.is() {
		p.Steps = append(p.Steps, p.Steps[0])
	}
	return p, err
}

func TestAPersonsPlanOfAnotherVersion(t *testing.T) {
	for _, held := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w, d := office(t, replication.AliyunEBS)
			from, changed := replication.Open, atomic.Bool{}
			store := w.store.Join(time.Now, "obs-w", "witness")
			c, stop := w.reading(store, newer{d, changed.Load}, once("claimed", 1, func() {
				changed.Store(!held)
				if held {
					w.must(w.store.Freeze(context.Background(), "sre", "look"))
				}
			}))
			wait(5 * time.Second)
			if _, _, err := c.Act(context.Background(), asking(replication.Failover)); err != nil {
				t.Fatal(err)
			}
			wait(30 * time.Second)
			if held {
				from = replication.Held
				changed.Store(true)
			}
			wait(2 * time.Minute)
			stop()
			if !w.wentFrom(from, replication.Failed) || len(d.calls()) != 0 {
				t.Errorf("%s, %v, %v", w.only().Phase, d.calls(), w.events())
			}
		})
	}
}

// reading runs an observer that plans with another handbook.
func (w *world) reading(store *quorumtest.Store, book failover.Handbook, at func(string)) (*failover.Controller, func()) {
	return w.controller(func(o *failover.Options) {
		o.Store, o.Session, o.Upkeep, o.Lates, o.At, o.Handbook = store, store, store, store, at, book
		o.Drills, o.Operators, o.Sites = w.desk, w.desk, w.desk
	})
}
