package probe_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/blackbox_exporter/config"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/drwatch/drwatch/internal/probe"
)

// bench is a Runner on virtual time with probers of the test's own.
type bench struct {
	*probe.Runner
	mu      sync.Mutex
	results []probe.Result
	skew    time.Duration // added to the clock: the process stood still
	jitter  int64
	stop    func()
}

func (b *bench) now() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return time.Now().Add(b.skew)
}

// take answers with the results since the last take.
func (b *bench) take() []probe.Result {
	b.mu.Lock()
	defer b.mu.Unlock()
	rs := b.results
	b.results = nil
	return rs
}

// newBench starts a Runner with one prober, "fake".
func newBench(t *testing.T, fn func(ctx context.Context, b *bench, target string) bool, specs ...probe.Spec) *bench {
	t.Helper()
	b := &bench{}
	r, err := probe.New(probe.Options{
		Now: b.now, Int64N: func(n int64) int64 { return b.jitter % n }, Logger: slog.New(slog.DiscardHandler),
		Report: func(s probe.Sighting) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.results = append(b.results, s.Result)
		},
		Probers: probe.Probers{"fake": func(ctx context.Context, target string, _ config.Module, reg *prometheus.Registry, log *slog.Logger) bool {
			reg.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: "only_once_per_registry"}))
			log.Error("Said by the prober", "err", "because", "body", "hidden")
			return fn(ctx, b, target)
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	b.Runner = r
	if err := r.Update(specs); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := r.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	b.stop = func() { cancel(); <-ended }
	return b
}

func spec(name string, timeout time.Duration) probe.Spec {
	return probe.Spec{Site: "a", Name: name, Target: name, Interval: 5 * time.Second, Module: config.Module{Prober: "fake", Timeout: timeout}}
}

func TestRoundsComeOnTheirInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(context.Context, *bench, string) bool { time.Sleep(time.Second); return true }, spec("p", 0))
		defer b.stop()
		began := time.Now()
		time.Sleep(16*time.Second + time.Millisecond)
		synctest.Wait()
		rs := b.take()
		if len(rs) != 4 {
			t.Fatalf("%d results in 16s at 5s, want 4", len(rs))
		}
		for i, r := range rs {
			if want := began.Add(time.Duration(i)*5*time.Second + time.Second); !r.At.Equal(want) || r.Duration != time.Second || !r.Success {
				t.Errorf("round %d: %+v, want a success at %s", i, r, want)
			}
		}
		if p := b.Pace()[0]; p.Stalled(time.Now()) || p.Gap != 5*time.Second || len(p.Rounds) != 4 || p.Rounds[3].Sub(p.Rounds[0]) != 15*time.Second {
			t.Errorf("pace %+v, want rounds of 5s on time", p)
		}
	})
}

func TestJitterSpreadsTheFirstRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(context.Context, *bench, string) bool { return true })
		defer b.stop()
		b.jitter = int64(3 * time.Second)
		began := time.Now()
		if err := b.Update([]probe.Spec{spec("p", 0)}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(4 * time.Second)
		synctest.Wait()
		if rs := b.take(); len(rs) != 1 || rs[0].At.Sub(began) != 3*time.Second {
			t.Errorf("results %+v, want one after 3s", rs)
		}
	})
}

func TestHangFailsAtTheDeadline(t *testing.T) {
	for _, c := range []struct{ timeout, want time.Duration }{
		{2 * time.Second, 2 * time.Second},
		{time.Minute, 5 * time.Second}, // bounded by the interval
		{0, 5 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, func(ctx context.Context, _ *bench, _ string) bool {
				<-ctx.Done()
				time.Sleep(time.Second)
				return false
			}, spec("p", c.timeout))
			defer b.stop()
			time.Sleep(c.want + time.Millisecond)
			synctest.Wait()
			rs := b.take()
			if len(rs) != 1 || rs[0].Success || rs[0].Duration != c.want {
				t.Fatalf("timeout %s: %+v, want one failure after %s", c.timeout, rs, c.want)
			}
			if want := fmt.Sprintf("no answer within %s. Said by the prober err=because", c.want); rs[0].Detail != want {
				t.Errorf("detail %q, want %q", rs[0].Detail, want)
			}
		})
	}
}

// A prober that never comes back fails three times; from then on it cannot be
// tried, which is no evidence against the site but against this observer.
func TestProberThatNeverReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		b := newBench(t, func(_ context.Context, _ *bench, target string) bool {
			if target == "stuck" {
				<-release
			}
			return true
		}, spec("stuck", time.Second), spec("fine", time.Second))
		time.Sleep(61 * time.Second)
		synctest.Wait()
		count := map[string]int{}
		for _, r := range b.take() {
			if r.Success != (r.Probe == "fine") {
				t.Errorf("%+v", r)
			}
			count[r.Probe]++
		}
		if count["stuck"] != 3 || count["fine"] != 13 {
			t.Errorf("results %v, want 3 failures of the stuck one and 13 of the other undisturbed", count)
		}
		for _, p := range b.Pace() {
			if p.Stalled(time.Now()) != (p.ID.Name == "stuck") {
				t.Errorf("pace %+v", p)
			}
		}
		close(release)
		b.stop()
	})
}

func TestPanicIsAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(context.Context, *bench, string) bool { panic("with a secret inside") }, spec("p", 0))
		defer b.stop()
		time.Sleep(6 * time.Second)
		synctest.Wait()
		rs := b.take()
		if len(rs) != 2 {
			t.Fatalf("%d results, want 2: the loop goes on after a panic", len(rs))
		}
		if rs[0].Success || rs[0].Detail != "The prober panicked (string)." {
			t.Errorf("%+v", rs[0])
		}
	})
}

// A failure that is noticed long after its deadline says that this process
// stood still; it is not held against the site.
func TestStandingStillIsNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pause := false
		b := newBench(t, func(ctx context.Context, b *bench, _ string) bool {
			b.mu.Lock()
			defer b.mu.Unlock()
			if pause {
				pause = false
				b.skew += 28 * time.Second
				return false
			}
			return true
		}, spec("p", time.Second))
		defer b.stop()
		time.Sleep(time.Second)
		synctest.Wait()
		if rs := b.take(); len(rs) != 1 || !rs[0].Success {
			t.Fatalf("%+v", rs)
		}
		b.mu.Lock()
		pause = true
		b.mu.Unlock()
		time.Sleep(4*time.Second + time.Millisecond)
		synctest.Wait()
		for _, r := range b.take() {
			if !r.Success {
				t.Errorf("%+v, want no result of the round in which the process stood still", r)
			}
		}
		for n := range 5 {
			stalled := b.Pace()[0].Stalled(b.now())
			if want := n < 3; stalled != want {
				t.Errorf("%d rounds after the gap: stalled is %t (%+v)", n, stalled, b.Pace()[0])
			}
			time.Sleep(5 * time.Second)
			synctest.Wait()
		}
	})
}

func TestUpdate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(ctx context.Context, _ *bench, target string) bool {
			if target == "slow" {
				<-ctx.Done()
				return false
			}
			return target == "new"
		}, spec("same", 0), spec("changed", 0), spec("gone", 0), spec("slow", 0))
		defer b.stop()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if n := len(b.take()); n != 3 {
			t.Fatalf("%d results, want 3", n)
		}
		changed := spec("changed", 0)
		changed.Target = "new"
		if err := b.Update([]probe.Spec{spec("same", 0), changed}); err != nil {
			t.Fatal(err)
		}
		updated := time.Now()
		time.Sleep(4 * time.Second)
		synctest.Wait()
		got := map[string]probe.Result{}
		for _, r := range b.take() {
			got[r.Probe] = r
		}
		if len(got) != 2 || got["same"].Success || !got["changed"].Success {
			t.Errorf("after the update: %+v, want same (failing) and changed (succeeding), not the try that was called back", got)
		}
		for name, r := range got {
			if r.At.Sub(updated) != 3*time.Second {
				t.Errorf("%s: next round %s after the update, want 3s: its pace goes on", name, r.At.Sub(updated))
			}
		}
	})
}

func TestUpdateTellsAllMistakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(context.Context, *bench, string) bool { return true }, spec("p", 0))
		defer b.stop()
		bad := probe.Spec{Name: "resolver", Module: config.Module{Prober: "htpp"}}
		err := b.Update([]probe.Spec{spec("p", 0), spec("p", 0), bad})
		if err == nil {
			t.Fatal("taken over")
		}
		for _, want := range []string{"a/p: the name is used twice", "reference resolver: interval 0s", "reference resolver: no target", `prober "htpp"`} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q is not told in: %s", want, err)
			}
		}
		if n := len(b.Pace()); n != 1 {
			t.Errorf("%d probes run, want the one from before", n)
		}
	})
}
