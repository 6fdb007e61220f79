package provider_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/drwatch/drwatch/internal/provider"
)

const (
	here  = "sdrs.cn-north-4.example:443"
	there = "sdrs.cn-north-9.example:443"
)

// poll waits for a turn and tells how long that took.
func poll(t *testing.T, p *provider.Pace, host string) time.Duration {
	t.Helper()
	began := time.Now()
	if err := p.Wait(t.Context(), host); err != nil {
		t.Fatalf("Wait: %v", err)
	}
	return time.Since(began)
}

func about(got, want time.Duration) bool { return (got - want).Abs() <= 5*time.Millisecond }

func TestPollsGoAtTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := provider.NewPace(2, 3, time.Now)
		for i, want := range []time.Duration{0, 0, 0, 500 * time.Millisecond, 500 * time.Millisecond} {
			if got := poll(t, p, here); !about(got, want) {
				t.Errorf("call %d waited %s, want %s", i, got, want)
			}
		}
		if got := p.Waited(); !about(got, time.Second) {
			t.Errorf("waited %s in all", got)
		}
		time.Sleep(time.Hour)
		for i := range 3 {
			if got := poll(t, p, here); got != 0 {
				t.Errorf("call %d after an idle hour waited %s", i, got)
			}
		}
		if got := poll(t, p, here); !about(got, 500*time.Millisecond) {
			t.Errorf("after the burst a call waited %s: more was saved up than the burst", got)
		}
	})
}

// Many that wait at once must not each take the share that one of them has.
func TestPollsTogetherKeepToTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := provider.NewPace(10, 1, time.Now)
		began := time.Now()
		var mu sync.Mutex
		var ends []time.Duration
		var all sync.WaitGroup
		for range 30 {
			all.Go(func() {
				_ = p.Wait(t.Context(), here)
				mu.Lock()
				defer mu.Unlock()
				ends = append(ends, time.Since(began))
			})
		}
		all.Wait()
		slices.Sort(ends)
		for i, got := range ends {
			if want := time.Duration(i) * 100 * time.Millisecond; (got - want).Abs() > 50*time.Millisecond {
				t.Fatalf("call %d went after %s, want %s", i, got, want)
			}
		}
	})
}

// One bucket: what never waits takes from what polls wait for.
func TestWhatNeverWaitsGoesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := provider.NewPace(1, 2, time.Now)
		began := time.Now()
		for range 50 {
			p.Take()
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("50 calls that never wait waited %s", took)
		}
		// Overdrawn by the burst, 2, and no more: a third token is its own.
		if got := poll(t, p, here); !about(got, 3*time.Second) {
			t.Errorf("the poll after them waited %s, want 3s", got)
		}
	})
}

func TestPollsKeepAShareOfTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := provider.NewPace(2, 4, time.Now)
		ctx, stop := context.WithCancel(t.Context())
		var urgent sync.WaitGroup
		urgent.Go(func() { // ten calls a second, five times the rate
			for ctx.Err() == nil {
				p.Take()
				time.Sleep(100 * time.Millisecond)
			}
		})
		time.Sleep(10 * time.Second)
		began := time.Now()
		for range 10 {
			poll(t, p, here)
		}
		if took := time.Since(began); !about(took, 20*time.Second) {
			t.Errorf("10 polls took %s, want one in two seconds: a quarter of the rate", took)
		}
		stop()
		urgent.Wait()
	})
}

func TestARefusalSlowsPollsDownAndTheyRecover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := provider.NewPace(10, 20, time.Now)
		rate := func(when string, want float64) {
			t.Helper()
			if got := p.Rate(); math.Abs(got-want) > 0.01 {
				t.Errorf("%s: %g requests per second, want %g", when, got, want)
			}
		}
		rate("at first", 10)
		sent := time.Now()
		time.Sleep(time.Second)
		p.Slow(sent)
		rate("after a refusal", 5)
		p.Slow(sent)
		rate("after another one that was under way with it", 5)
		if got := poll(t, p, here); !about(got, 200*time.Millisecond) {
			t.Errorf("the next poll waited %s, want 200ms: what was saved up is spent", got)
		}
		began := time.Now()
		p.Take()
		if time.Since(began) != 0 {
			t.Error("an action waited")
		}
		time.Sleep(30*time.Second - 200*time.Millisecond)
		rate("half a minute later", 7.5)
		time.Sleep(30 * time.Second)
		rate("a minute later", 10)
		time.Sleep(time.Hour)
		rate("an hour later", 10)
		for range 100 {
			p.Slow(time.Now())
		}
		rate("after a hundred refusals", 1)
		time.Sleep(12 * time.Second)
		rate("12 seconds later", 2)
	})
}

func TestTheRateHasAFloor(t *testing.T) {
	for _, tt := range []struct{ rps, floor float64 }{{100, 10}, {2, 0.5}, {0.2, 0.2}} {
		p := provider.NewPace(tt.rps, 1, func() time.Time { return time.Unix(1e9, 0) })
		for range 100 {
			p.Slow(time.Unix(1e9, 0))
		}
		if got := p.Rate(); got != tt.floor {
			t.Errorf("of %g requests per second %g are left, want %g", tt.rps, got, tt.floor)
		}
	}
}

// A refusal that comes while a poll waits holds for that poll too.
func TestARefusalHoldsForPollsThatWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := provider.NewPace(2, 1, time.Now)
		poll(t, p, here)
		go func() {
			time.Sleep(400 * time.Millisecond)
			p.Slow(time.Now())
		}()
		if got := poll(t, p, here); got < 900*time.Millisecond || got > 1600*time.Millisecond {
			t.Errorf("waited %s, want what the lower rate asks for", got)
		}
	})
}

func TestRetryAfterHoldsForItsHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := provider.NewPace(10, 20, time.Now)
		p.Pause(here, 30*time.Second)
		p.Pause(here, 5*time.Second) // does not shorten it
		if got := poll(t, p, there); got != 0 {
			t.Errorf("the account's other endpoint waited %s", got)
		}
		began := time.Now()
		p.Take()
		if time.Since(began) != 0 {
			t.Error("an action waited")
		}
		if got := poll(t, p, here); got != 30*time.Second {
			t.Errorf("a poll waited %s, want 30s", got)
		}
		if got := poll(t, p, here); got != 0 {
			t.Errorf("the next one waited %s", got)
		}
		p.Pause(here, 24*time.Hour)
		if got := poll(t, p, here); got != 3*time.Minute {
			t.Errorf("told to wait a day, a poll waited %s, want 3m", got)
		}
	})
}

func TestAWaitThatIsTooLongEndsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := provider.NewPace(0.1, 1, time.Now)
		poll(t, p, here)
		p.Pause(there, time.Minute)
		for host, want := range map[string]string{here: "0.1 requests per second", there: there + " asked (Retry-After) for 1m0s"} {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			began := time.Now()
			err := p.Wait(ctx, host)
			if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), want) || time.Since(began) != 0 {
				t.Errorf("%s: after %s: %v", host, time.Since(began), err)
			}
			cancel()
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		began := time.Now()
		if err := p.Wait(ctx, here); !errors.Is(err, context.Canceled) || time.Since(began) != time.Second {
			t.Errorf("cancelled after a second: %v after %s", err, time.Since(began))
		}
	})
}

func TestNoPaceBoundsNothing(t *testing.T) {
	var p *provider.Pace
	p.Take()
	p.Slow(time.Now())
	p.Pause(here, time.Hour)
	if err := p.Wait(t.Context(), here); err != nil {
		t.Error(err)
	}
}
