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

func TestFailsOverOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, replication.HuaweiSDRS, replication.Auto)
		_, stop := w.observe(w.store, nil)
		wait(time.Minute)
		stop()
		i := w.only()
		if calls, effects := w.cloud.count(); i.Phase != replication.Succeeded || calls != 1 || effects != 1 {
			t.Fatalf("%s (%s), %d calls, %d effects; want one that succeeded", i.Phase, i.HeldBy+i.Error, calls, effects)
		}
		want := []string{"claimed", "intent", "outcome", "succeeded"}
		if diff := cmp.Diff(want, w.events()); diff != "" {
			t.Errorf("journal (-want +got):\n%s", diff)
		}
		if i.RPOSeconds == nil || *i.RPOSeconds != 4 || i.RTOSeconds == nil || *i.RTOSeconds <= 0 {
			t.Errorf("RPO %v, RTO %v; want 4 s and some", i.RPOSeconds, i.RTOSeconds)
		}
		rec := w.record()
		if rec.LastAction == nil || rec.OpenIncident != "" || rec.Latch != nil || rec.Active != azB {
			t.Errorf("record %+v: want a last action, nothing open, no latch (SDRS), active at az-b", rec)
		}
	})
}

func TestAsyncProvidersStayLatchedAfterSuccess(t *testing.T) {
	for _, p := range []replication.Provider{replication.AliyunEBS, replication.HuaweiDWS} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, p, replication.Auto)
			_, stop := w.observe(w.store, nil)
			wait(time.Minute)
			stop()
			if i := w.only(); i.Phase != replication.Succeeded || w.record().Latch == nil {
				t.Errorf("%s: %s (%s), latch %v; want succeeded and latched", p, i.Phase, i.HeldBy+i.Error, w.record().Latch)
			}
		})
	}
}

func TestDryRunCallsNothingAndSaysSoOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, replication.AliyunEBS, replication.DryRun)
		_, stop := w.observe(w.store, nil)
		wait(time.Minute)
		i := w.only()
		if calls, _ := w.cloud.count(); i.Phase != replication.Simulated || calls != 0 {
			t.Fatalf("%s, %d calls; want simulated, none", i.Phase, calls)
		}
		w.rules.quiet()
		wait(20 * time.Second)
		w.rules.mu.Lock()
		w.rules.verdict, w.rules.untrue = replication.Go, time.Time{}
		w.rules.mu.Unlock()
		wait(20 * time.Second)
		stop()
		if n := len(w.incidents()); n != 2 {
			t.Errorf("%d incidents; want a second one after the trigger was untrue for one whole `for`", n)
		}
	})
}

func TestApproval(t *testing.T) {
	for _, tc := range []struct {
		name   string
		answer func(*world, string) error
		wait   time.Duration
		phase  replication.Phase
		calls  int
	}{
		{"approved", func(w *world, id string) error {
			return w.store.Approve(context.Background(), id, replication.Approval{Who: "sre", Reason: "go"})
		}, time.Minute, replication.Succeeded, 1},
		{"aborted", func(w *world, id string) error { return w.store.Abort(context.Background(), id, "sre", "no") }, time.Minute, replication.Aborted, 0},
		{"nobody answers", func(*world, string) error { return nil }, 2 * time.Hour, replication.Aborted, 0},
		{"nobody has answered yet", func(*world, string) error { return nil }, time.Minute, replication.Held, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, replication.HuaweiSDRS, replication.Approve)
				_, stop := w.observe(w.store, nil)
				wait(20 * time.Second)
				if i := w.only(); i.Phase != replication.Held || i.HeldBy != "approval" {
					t.Fatalf("%s, held by %q; want held by approval", i.Phase, i.HeldBy)
				}
				if err := tc.answer(w, w.only().ID); err != nil {
					t.Fatal(err)
				}
				wait(tc.wait)
				stop()
				if calls, _ := w.cloud.count(); w.only().Phase != tc.phase || calls != tc.calls {
					t.Errorf("%s (%s), %d calls; want %s, %d", w.only().Phase, w.only().Error, calls, tc.phase, tc.calls)
				}
			})
		})
	}
}

// TestAStartIsNotHeldByItself: an incident that has begun is one of those that
// max_per_hour counts, and tries again what was refused for its rate.
func TestAStartIsNotHeldByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, replication.HuaweiSDRS, replication.Auto)
		w.rules.rule.MaxPerHour = 1
		w.cloud.answers = []func(*cloud) failover.Sent{throttled}
		_, stop := w.observe(w.store.Join(time.Now, "obs-w", "witness"), nil)
		wait(5 * time.Minute)
		stop()
		if calls, effects := w.cloud.count(); calls != 2 || effects != 1 {
			t.Errorf("%d calls, %d effects; %s by %q", calls, effects, w.only().Phase, w.only().HeldBy)
		}
	})
}

// TestModeFallsAtTheLastMoment: a rule that is lowered to approve while the
// provider is being read asks a person after all.
func TestModeFallsAtTheLastMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, replication.HuaweiSDRS, replication.Auto)
		_, stop := w.observe(w.store, func(step string) {
			if step == "read" {
				w.rules.mu.Lock()
				w.rules.rule.Mode = replication.Approve
				w.rules.mu.Unlock()
				time.Sleep(5 * time.Second) // rounds go on meanwhile
			}
		})
		wait(time.Minute)
		stop()
		if calls, _ := w.cloud.count(); calls != 0 || w.only().HeldBy != "approval" {
			t.Errorf("%d calls, held by %q; want none, approval", calls, w.only().HeldBy)
		}
	})
}

func TestVetoWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, replication.HuaweiSDRS, replication.Auto)
		w.rules.rule.VetoWindow = 30 * time.Second
		_, stop := w.observe(w.store, nil)
		wait(25 * time.Second)
		if i := w.only(); i.HeldBy != "veto_window" {
			t.Fatalf("%s, held by %q; want held by veto_window", i.Phase, i.HeldBy)
		}
		wait(20 * time.Second)
		stop()
		if i := w.only(); i.Phase != replication.Succeeded {
			t.Errorf("%s after the window; want succeeded", i.Phase)
		}
	})
}

// TestHeldIncidents: what is lost under the claim before anything was sent.
func TestHeldIncidents(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*world)
		phase  replication.Phase
		heldBy string
	}{
		{"a veto ends it", func(w *world) { w.rules.says(replication.Veto) }, replication.Aborted, ""},
		{"an untrue trigger ends it", func(w *world) { w.rules.quiet() }, replication.Aborted, ""},
		{"an abstention holds it", func(w *world) { w.rules.says(replication.Abstain) }, replication.Held, "quorum"},
		{"a freeze holds it", func(w *world) { _ = w.store.Freeze(context.Background(), "sre", "stop") }, replication.Held, "not_frozen"},
		{"another rule file ends it", func(w *world) { w.rules.mu.Lock(); w.rules.rule.Hash = "h2"; w.rules.mu.Unlock() }, replication.Aborted, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, replication.HuaweiSDRS, replication.Auto)
				w.rules.rule.VetoWindow = time.Minute
				_, stop := w.observe(w.store, nil)
				wait(20 * time.Second)
				tc.change(w)
				wait(2 * time.Minute)
				stop()
				i := w.incidents()[0]
				if i.Phase != tc.phase || i.HeldBy != tc.heldBy || len(i.Calls) != 0 {
					t.Errorf("%s, held by %q, %d calls; want %s, %q, none (%s)", i.Phase, i.HeldBy, len(i.Calls), tc.phase, tc.heldBy, i.Error)
				}
			})
		})
	}
}

// TestOutcomes: what each answer of the provider leads to.
func TestOutcomes(t *testing.T) {
	type answers = []func(*cloud) failover.Sent
	for _, tc := range []struct {
		name           string
		provider       replication.Provider
		answers        answers
		wait           time.Duration
		phase          replication.Phase
		calls, effects int
		latched        bool
	}{
		{"refused", replication.HuaweiSDRS, answers{refused}, time.Minute, replication.Failed, 1, 0, true},
		{"throttled twice", replication.HuaweiSDRS, answers{throttled, throttled}, time.Minute, replication.Succeeded, 3, 1, false},
		{"throttled for ever", replication.HuaweiSDRS, slices.Repeat(answers{throttled}, 200), 12 * time.Minute, replication.Failed, -1, 0, true},
		{"job ends in an error state", replication.HuaweiSDRS, answers{breaks}, time.Minute, replication.Failed, 1, 0, true},
		{"answer lost after the effect", replication.AliyunEBS, answers{lostAfterEffect}, time.Minute, replication.Succeeded, 1, 1, true},
		{"answer lost, no effect: not sent again before the signature has died", replication.HuaweiSDRS, answers{lostBeforeEffect}, 16 * time.Minute, replication.Verifying, 1, 0, false},
		{"answer lost, no effect: sent once more after that", replication.HuaweiSDRS, answers{lostBeforeEffect}, 20 * time.Minute, replication.Succeeded, 2, 1, false},
		{"lost twice without effect", replication.HuaweiSDRS, answers{lostBeforeEffect, lostBeforeEffect}, 40 * time.Minute, replication.Ambiguous, 2, 0, true},
		{"answer lost, effect late, the second send refused for it", replication.HuaweiSDRS, answers{lostBeforeEffect, refusedForTheFirst}, 40 * time.Minute, replication.Succeeded, 2, 1, false},
		{"answer lost, the second send refused", replication.HuaweiSDRS, answers{lostBeforeEffect, refused}, 40 * time.Minute, replication.Failed, 2, 0, true},
		{"DWS, answer lost, no effect: never sent again", replication.HuaweiDWS, answers{lostBeforeEffect}, 40 * time.Minute, replication.Ambiguous, 1, 0, true},
		{"DWS, answer lost after the effect", replication.HuaweiDWS, answers{lostAfterEffect}, time.Minute, replication.Succeeded, 1, 1, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, tc.provider, replication.Auto)
				w.cloud.answers = tc.answers
				_, stop := w.observe(w.store, nil)
				wait(tc.wait)
				stop()
				i := w.only()
				calls, effects := w.cloud.count()
				if tc.calls < 0 {
					tc.calls = calls
				}
				if i.Phase != tc.phase || calls != tc.calls || effects != tc.effects || (w.record().Latch != nil) != tc.latched {
					t.Errorf("%s, %d calls, %d effects, latch %v; want %s, %d, %d, %v\n%s\n%s", i.Phase, calls, effects, w.record().Latch, tc.phase, tc.calls, tc.effects, tc.latched, i.Error, strings.Join(w.events(), " "))
				}
			})
		})
	}
}

// TestStoreAwayDuringTheCall: what is known of a call is written when the store
// is back; it is neither forgotten nor sent again.
func TestStoreAwayDuringTheCall(t *testing.T) {
	for _, away := range []time.Duration{3 * time.Second, 30 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, replication.HuaweiDWS, replication.Auto)
			w.cloud.answers = []func(*cloud) failover.Sent{func(c *cloud) failover.Sent {
				w.store.Disconnect(errors.New("no majority"))
				time.AfterFunc(away, w.store.Heal)
				return failover.Sent{Outcome: replication.Accepted, Status: 200}
			}}
			_, stop := w.observe(w.store, nil)
			wait(50 * time.Second)
			w.cloud.mu.Lock()
			w.cloud.apply()
			w.cloud.mu.Unlock()
			wait(time.Minute)
			stop()
			i := w.only()
			if calls, _ := w.cloud.count(); i.Phase != replication.Succeeded || calls != 1 || i.Calls[0].Outcome != replication.Accepted {
				t.Errorf("store away for %s: %s, %d calls, outcome %q; want succeeded, one, accepted\n%s", away, i.Phase, calls, i.Calls[0].Outcome, strings.Join(w.events(), " "))
			}
		})
	}
}

func TestProviderThatCannotBeReadHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, replication.HuaweiSDRS, replication.Auto)
		w.cloud.down = true
		_, stop := w.observe(w.store, nil)
		wait(time.Minute)
		if i := w.only(); i.Phase != replication.Held || i.HeldBy != "provider_read" {
			t.Fatalf("%s, held by %q; want held by provider_read", i.Phase, i.HeldBy)
		}
		w.cloud.mu.Lock()
		w.cloud.down = false
		w.cloud.mu.Unlock()
		wait(time.Minute)
		stop()
		if i := w.only(); i.Phase != replication.Succeeded {
			t.Errorf("%s once it can be read again; want succeeded", i.Phase)
		}
	})
}

var steps = []string{"claimed", "read", "intent", "first_byte", "sent", "outcome", "verifying", "verified"}

// TestPausedAtEveryStep stops an observer at each step past its lease; another
// takes over; then the first wakes. Whatever the step: one effective failover at
// the most, and the one that woke sends nothing (invariants 1, 8, 18).
func TestPausedAtEveryStep(t *testing.T) {
	for _, provider := range []replication.Provider{replication.HuaweiSDRS, replication.AliyunEBS, replication.HuaweiDWS} {
		for _, step := range steps {
			t.Run(fmt.Sprintf("%s/%s", provider, step), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { pausedAt(t, provider, step) })
			})
		}
	}
}

func pausedAt(t *testing.T, provider replication.Provider, step string) {
	w := newWorld(t, provider, replication.Auto)
	hang := make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	// The first observer stops as a whole at the step: its loop as well.
	paused := w.store.Join(time.Now, "obs-w", "witness")
	c1 := failover.New(failover.Options{
		Observer: "obs-w", Site: "witness", Store: paused, Session: paused, Upkeep: paused, Rules: w.rules, Reader: w.cloud, Senders: w.cloud,
		CanAct: func(string) bool { return true }, AcceptSingle: true, LeaseTTL: 15 * time.Second, TrackInterval: time.Second,
		Now: time.Now, Logger: discard,
		At: func(s string) {
			if s == step {
				cancel()
				<-hang
			}
		},
	})
	loop := make(chan struct{})
	go func() {
		defer close(loop)
		for ctx.Err() == nil {
			_ = c1.Round(ctx)
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			case <-c1.Wake():
			}
		}
	}()
	wait(20 * time.Second)
	calls, _ := w.cloud.count()
	second := w.store.Join(time.Now, "obs-2", "witness")
	w.rules.mu.Lock()
	w.rules.observer = "obs-2"
	w.rules.mu.Unlock()
	_, stop := w.observe(second, nil)
	wait(25 * time.Minute)
	mid, _ := w.cloud.count()
	close(hang)
	<-loop
	closing, end := context.WithTimeout(context.Background(), time.Second)
	defer end()
	_ = c1.Close(closing)
	wait(time.Minute)
	stop()
	after, effects := w.cloud.count()
	i := w.only()
	if after != mid {
		t.Errorf("the observer that woke sent %d calls", after-mid)
	}
	sentBefore := calls > 0
	switch {
	case provider == replication.HuaweiDWS && !sentBefore && (step == "intent" || step == "first_byte"):
		if i.Phase != replication.Ambiguous {
			t.Errorf("%s (%s); want ambiguous: DWS is never sent again", i.Phase, i.HeldBy+i.Error)
		}
	case i.Phase != replication.Succeeded:
		t.Errorf("%s (%s), %d calls; want succeeded\n%s", i.Phase, i.HeldBy+i.Error, after, strings.Join(w.events(), " "))
	case effects != 1:
		t.Errorf("%d effective failovers, want one", effects)
	}
}
