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
	"github.com/drwatch/drwatch/internal/quorum/quorumtest"
	"github.com/drwatch/drwatch/internal/replication"
)

// successor makes obs-2 the observer that goes on, and its rules' votes with it.
func (w *world) successor() *quorumtest.Store {
	w.rules.mu.Lock()
	defer w.rules.mu.Unlock()
	w.rules.observer = "obs-2"
	return w.store.Join(time.Now, "obs-2", "witness")
}

// TestAClaimOfADeadLeaderIsCalledSoon: the leader dies between its claim and its
// call. Nothing can have been sent, so the successor counts from when it last saw
// the leader's heart beat, and not again from when the lease has run out.
func TestAClaimOfADeadLeaderIsCalledSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, replication.HuaweiSDRS, replication.Auto)
		w.every, w.closeWithin = 200*time.Millisecond, time.Hour
		first, hang := w.store.Join(time.Now, "obs-w", "witness"), make(chan struct{})
		var died atomic.Int64 // since the epoch
		_, stop := w.observe(first, func(step string) {
			if step == "claimed" && died.CompareAndSwap(0, time.Now().UnixNano()) {
				first.Suspend(time.Hour)
				<-hang
			}
		})
		wait(50 * time.Millisecond)
		second := w.store.Join(time.Now, "obs-2", "az-b")
		theirs := &rules{rule: w.rules.rule, cloud: w.cloud, observer: "obs-2", site: "az-b", verdict: replication.Go, lost: w.rules.lost}
		_, stopSecond := w.controller(func(o *failover.Options) {
			o.Observer, o.Site, o.Store, o.Session, o.Upkeep, o.Rules = "obs-2", "az-b", second, second, second, theirs
		})
		wait(2 * time.Second)
		bound := quorumtest.LeaseTTL + time.Second + 2*time.Second + 2*time.Second
		wait(time.Until(time.Unix(0, died.Load()).Add(bound)))
		if calls, _ := w.cloud.count(); calls != 1 {
			t.Errorf("%d calls %s after the leader died, want one (%v)", calls, bound, w.events())
		}
		go stop()
		close(hang) // it wakes, and has nothing to send
		wait(time.Minute)
		stopSecond()
		if calls, effects := w.cloud.count(); calls != 1 || effects != 1 {
			t.Errorf("%d calls, %d effects; want one each", calls, effects)
		}
	})
}

// pausedAfterTheCall runs an observer that hangs when its call has been answered,
// until wake is called.
func (w *world) pausedAfterTheCall() (wake, stop func()) {
	first, hang, gone := w.store.Join(time.Now, "obs-w", "witness"), make(chan struct{}), false
	_, stop = w.observe(first, func(step string) {
		if step == "sent" && !gone {
			gone = true
			first.Suspend(10 * time.Hour)
			<-hang
		}
	})
	return func() { close(hang) }, stop
}

// TestALateAnswerOfTheFirstCallKeepsAThirdFromLeaving: the first call was taken,
// its sender hangs with the answer. The second does not leave. Then the sender
// wakes and tells: nothing may be sent again.
func TestALateAnswerOfTheFirstCallKeepsAThirdFromLeaving(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, replication.HuaweiSDRS, replication.Auto)
		w.closeWithin = 5 * time.Hour
		wake := func() {}
		taken := func(*cloud) failover.Sent { // nothing is to be seen of it
			return failover.Sent{Outcome: replication.Accepted, Status: 200, JobID: "j1"}
		}
		w.cloud.answers = []func(*cloud) failover.Sent{taken, func(*cloud) failover.Sent {
			wake()
			return throttled(nil)
		}, accepted}
		wakeFirst, stop := w.pausedAfterTheCall()
		wake = wakeFirst
		wait(15 * time.Second)
		go stop()
		_, stopSecond := w.observe(w.successor(), nil)
		wait(2 * time.Hour)
		if calls, _ := w.cloud.count(); calls != 2 {
			t.Errorf("%d calls; want two: the one that was taken and the one refused for the rate (%s)", calls, strings.Join(w.events(), " "))
		}
		if i := w.only(); i.Phase != replication.Verifying {
			t.Errorf("%s; want verifying, for the call that was taken", i.Phase)
		}
		w.cloud.mu.Lock()
		w.cloud.apply() // at last
		w.cloud.mu.Unlock()
		wait(time.Minute)
		stopSecond()
		if i := w.only(); i.Phase != replication.Succeeded {
			t.Errorf("%s (%s); want succeeded", i.Phase, i.Error)
		}
	})
}

// TestAChangeSeenBeforeATakeOverIsNotForgotten: the group changes after a call of
// unknown outcome, and is as before when the next leader looks. That a move began
// and was undone must not pass for "it never happened".
func TestAChangeSeenBeforeATakeOverIsNotForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, replication.HuaweiSDRS, replication.Auto)
		w.closeWithin = 5 * time.Hour
		w.cloud.group.Pairs = map[string]int{"protected": 3}
		w.cloud.answers = []func(*cloud) failover.Sent{func(c *cloud) failover.Sent {
			c.group.Pairs = map[string]int{"protected": 2, "failing-over": 1}
			later(c, time.Minute, func() { c.group.Pairs = map[string]int{"protected": 3} })
			return failover.Sent{Outcome: replication.Uncertain, Err: errors.New("reset")}
		}}
		_, stop := w.observe(w.store.Join(time.Now, "obs-w", "witness"), nil)
		wait(3 * time.Minute)
		stop()
		_, stopSecond := w.observe(w.successor(), nil)
		wait(time.Hour)
		stopSecond()
		if calls, _ := w.cloud.count(); calls != 1 || w.only().Phase != replication.Ambiguous {
			t.Errorf("%d calls, %s; want one, ambiguous (%s)", calls, w.only().Phase, strings.Join(w.events(), " "))
		}
	})
}

// unreadable is a store whose records this observer cannot read.
type unreadable struct {
	*quorumtest.Store
	broken atomic.Bool
}

func (s *unreadable) Read(ctx context.Context) (replication.Cluster, error) {
	if s.broken.Load() {
		return replication.Cluster{}, errors.New("a record of a version that is not known")
	}
	return s.Store.Read(ctx)
}

// TestALeaderThatCannotReadTheStoreMakesRoom: it can renew its lease and write,
// and would lead for ever without deciding anything.
func TestALeaderThatCannotReadTheStoreMakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, replication.HuaweiSDRS, replication.Auto)
		w.rules.verdict = ""
		first := w.store.Join(time.Now, "obs-w", "witness")
		broken := &unreadable{Store: first}
		one, stop := w.observeOn(broken, first, nil)
		wait(5 * time.Second)
		if !one.State().Leads {
			t.Fatal("the first does not lead")
		}
		broken.broken.Store(true)
		two, stopSecond := w.observe(w.store.Join(time.Now, "obs-2", "az-b"), nil)
		wait(2 * quorumtest.LeaseTTL)
		if s := two.State(); !s.Leads {
			t.Errorf("two leases later the leader is %+v, want obs-2", s.Cluster.Leader)
		}
		broken.broken.Store(false)
		wait(10 * time.Second)
		if s := one.State(); s.ClusterErr != "" || s.Leads {
			t.Errorf("the first, when it reads again: %q, leads %v; want neither", s.ClusterErr, s.Leads)
		}
		stop()
		stopSecond()
	})
}
