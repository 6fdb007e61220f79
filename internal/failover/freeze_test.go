package failover_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/replication"
)

// beside is the freeze beside one observer.
type beside struct{ on atomic.Bool }

func (b *beside) look() *replication.Freeze {
	if !b.on.Load() {
		return nil
	}
	return &replication.Freeze{Who: "the file /data/FREEZE", Reason: "there"}
}

// TestLocalFreezeStopsBeforeEachStep: set before the claim, between claim and
// intent, or between intent and first byte, nothing is sent; lifted, the one call
// is made.
func TestLocalFreezeStopsBeforeEachStep(t *testing.T) {
	for _, moment := range []string{"start", "claimed", "read", "intent", "first_byte"} {
		t.Run(moment, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, replication.HuaweiSDRS, replication.Auto)
				var freeze beside
				freeze.on.Store(moment == "start")
				var lifted atomic.Bool
				c, stop := w.controller(func(o *failover.Options) {
					o.LocalFreeze = freeze.look
					o.At = func(step string) {
						if step == moment && !lifted.Load() {
							freeze.on.Store(true)
						}
					}
				})
				wait(3 * time.Minute)
				want := 0
				if moment == "first_byte" {
					want = 1 // it was asked a moment before: the call is out
				}
				calls, _ := w.cloud.count()
				if calls != want {
					t.Errorf("frozen, and %d calls, want %d: %s", calls, want, w.events())
				}
				s := c.State()
				if s.LocalFreeze == nil || s.Cluster.Freeze != nil || !s.Leads {
					t.Errorf("state: local %v, of all %v, leads %v; alone it leads on", s.LocalFreeze, s.Cluster.Freeze, s.Leads)
				}
				if n := len(w.callsMade()); (moment == "claimed" || moment == "read") && n != 0 {
					t.Errorf("%d intents although it was frozen before: %s", n, w.events())
				}
				if want == 0 && !blockedBy(s, "not_frozen", "the file /data/FREEZE") {
					t.Errorf("what holds it does not name the file: %+v", s.Decisions)
				}
				lifted.Store(true)
				freeze.on.Store(false)
				wait(3 * time.Minute)
				stop()
				if calls, effects := w.cloud.count(); calls != 1 || effects != 1 {
					t.Errorf("%d calls, %d effects after it was lifted, want one: %s", calls, effects, w.events())
				}
			})
		})
	}
}

// callsMade are the calls of all incidents, also those that were never sent.
func (w *world) callsMade() (calls []replication.Call) {
	for _, rec := range w.incidents() {
		calls = append(calls, rec.Calls...)
	}
	return calls
}

func blockedBy(s failover.State, name, text string) bool {
	for _, d := range s.Decisions {
		for _, b := range d.Blocking() {
			if b.Name == name && strings.Contains(b.Value, text) {
				return true
			}
		}
	}
	return false
}

// TestLocallyFrozenLeaderMakesRoom: the freeze is one observer's alone, so
// another leads at once and does the work; a call on its way is waited for.
func TestLocallyFrozenLeaderMakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, replication.HuaweiSDRS, replication.Auto)
		w.rules.says(replication.Pending)
		var freeze beside
		first, stop := w.controller(func(o *failover.Options) { o.LocalFreeze = freeze.look })
		wait(5 * time.Second)
		second, stopSecond := w.observe(w.store.Join(time.Now, "obs-2", "az-b"), nil)
		wait(5 * time.Second)
		led := first.State().Leads
		freeze.on.Store(true)
		wait(10 * time.Second)
		now, other := first.State().Leads, second.State().Leads
		w.rules.says(replication.Go)
		wait(5 * time.Minute)
		back := first.State().Leads
		calls, effects := w.cloud.count()
		stop()
		stopSecond()
		if !led || now || !other || back {
			t.Errorf("the first led %v, frozen %v, later %v; the second then %v", led, now, back, other)
		}
		if calls != 1 || effects != 1 {
			t.Errorf("%d calls, %d effects, want one by the other: %s", calls, effects, w.events())
		}
	})
}

// TestLocallyFrozenDoesNotAskToLead: as long as another may, whatever becomes of
// that one's leadership meanwhile.
func TestLocallyFrozenDoesNotAskToLead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, replication.HuaweiSDRS, replication.Auto)
		w.rules.says(replication.Pending)
		other := w.store.Join(time.Now, "obs-2", "az-b")
		_, stopOther := w.observe(other, nil)
		wait(5 * time.Second)
		var freeze beside
		freeze.on.Store(true)
		c, stop := w.controller(func(o *failover.Options) { o.LocalFreeze = freeze.look })
		wait(5 * time.Second)
		for range 20 {
			if err := other.Resign(context.Background()); err != nil {
				t.Fatal(err)
			}
			wait(1700 * time.Millisecond) // whichever of the two comes first then
			if c.State().Leads {
				t.Error("the frozen one leads")
				break
			}
		}
		stop()
		stopOther()
	})
}

// TestLocalFreezeLetsACallOnItsWayEnd: cancelled, its outcome would be unknown.
func TestLocalFreezeLetsACallOnItsWayEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, replication.HuaweiSDRS, replication.Auto)
		var freeze beside
		var cancelled atomic.Bool
		slow := waitingSender{cloud: w.cloud, takes: 8 * time.Second, sent: func() { freeze.on.Store(true) }, cancelled: &cancelled}
		_, stop := w.controller(func(o *failover.Options) { o.LocalFreeze, o.Senders = freeze.look, slow })
		wait(time.Second)
		_, stopSecond := w.observe(w.store.Join(time.Now, "obs-2", "az-b"), nil)
		wait(5 * time.Minute)
		calls, effects := w.cloud.count()
		stop()
		stopSecond()
		if calls != 1 || effects != 1 || cancelled.Load() {
			t.Errorf("%d calls, %d effects, cancelled %v: %s", calls, effects, cancelled.Load(), w.events())
		}
	})
}

// waitingSender takes its time once the call has left.
type waitingSender struct {
	*cloud
	takes     time.Duration
	sent      func()
	cancelled *atomic.Bool
}

func (s waitingSender) Sender(string) (failover.Sender, error) { return s, nil }

func (s waitingSender) Failover(ctx context.Context, o failover.Order) failover.Sent {
	out := s.cloud.Failover(ctx, o)
	s.sent()
	select {
	case <-ctx.Done():
		s.cancelled.Store(true)
		return failover.Sent{Outcome: replication.Uncertain, Err: ctx.Err()}
	case <-time.After(s.takes):
	}
	return out
}

// TestLocalFreezeStopsPersonsToo: what is asked for at a frozen observer is
// refused, and what has begun goes no step further.
func TestLocalFreezeStopsPersonsToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, d := office(t, replication.AliyunEBS)
		var freeze beside
		c, stop := w.controller(func(o *failover.Options) {
			o.LocalFreeze = freeze.look
			o.At = func(step string) {
				if step == "step_done" {
					freeze.on.Store(true)
				}
			}
		})
		wait(5 * time.Second)
		freeze.on.Store(true)
		if p, err := c.Propose(context.Background(), asking(replication.Switchover)); err != nil || p.OK {
			t.Errorf("the plan while frozen: OK %v, %v", p.OK, err)
		}
		_, _, err := c.Act(context.Background(), asking(replication.Switchover))
		if !errors.Is(err, failover.ErrNotNow) || !strings.Contains(err.Error(), "the file /data/FREEZE") {
			t.Errorf("asked while frozen: %v", err)
		}
		freeze.on.Store(false)
		if _, _, err := c.Act(context.Background(), asking(replication.Switchover)); err != nil {
			t.Fatal(err)
		}
		wait(3 * time.Minute)
		stop()
		if i := w.only(); len(d.calls()) != 1 || i.Phase != replication.Held || i.HeldBy != "not_frozen" {
			t.Errorf("calls %v, %s by %q; want it held after the first step", d.calls(), i.Phase, i.HeldBy)
		}
	})
}
