package probe

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"sync"
	"time"

	"github.com/prometheus/blackbox_exporter/prober"
)

// grace is how long Run waits at its end for tries that were called back.
const grace = time.Second

// Options is what a Runner needs.
type Options struct {
	Now    func() time.Time
	Int64N func(n int64) int64 // a random number in [0, n), for jitter; called by one goroutine at a time
	Logger *slog.Logger
	// Report is told every result with the spec it was found by, by the probe's own
	// goroutine and in the order of its rounds. While it runs, the probe waits.
	Report func(Sighting)
	// Probers by the name that a module gives; nil means blackbox_exporter's.
	Probers Probers
}

// Probers are the ways to probe, by the name that a module gives.
type Probers = map[string]prober.ProbeFn

// Runner runs the probes, each in its own loop. Its methods are safe for
// concurrent use.
type Runner struct {
	o     Options
	loops sync.WaitGroup
	tries sync.WaitGroup

	mu    sync.Mutex
	ctx   context.Context // of Run, nil before it
	over  bool            // Run waits for its end
	tasks map[ID]*task
}

// task is one probe with its loop.
type task struct {
	spec    Spec
	first   time.Duration // from the loop's start to its first round
	hanging chan struct{} // a token for each try that has not returned
	cancel  context.CancelFunc
	ended   chan struct{} // closed when the loop is gone; nil when it never ran

	mu   sync.Mutex
	pace Pace
}

// New makes a Runner without probes.
func New(o Options) (*Runner, error) {
	if o.Now == nil || o.Int64N == nil || o.Logger == nil || o.Report == nil {
		return nil, errors.New("probe runner: Now, Int64N, Logger and Report must be given")
	}
	if o.Probers == nil {
		o.Probers = prober.Probers
	}
	return &Runner{o: o, tasks: map[ID]*task{}}, nil
}

// Run probes until ctx ends, then waits for its loops, and for a second for
// tries that do not return when they are called back. It may be called once.
func (r *Runner) Run(ctx context.Context) error {
	r.mu.Lock()
	if r.ctx != nil {
		r.mu.Unlock()
		return errors.New("probe runner: it runs already")
	}
	r.ctx = ctx
	for _, t := range r.tasks {
		t.pace.Last = r.o.Now()
		r.start(t)
	}
	r.mu.Unlock()

	<-ctx.Done()
	r.mu.Lock()
	r.over = true
	r.mu.Unlock()
	r.loops.Wait()
	returned := make(chan struct{})
	go func() { r.tries.Wait(); close(returned) }()
	select {
	case <-returned:
	case <-time.After(grace):
		r.o.Logger.Warn("probes do not return after they were called back")
	}
	return nil
}

// Check finds every mistake in the specs at once: Update takes over what Check
// finds right.
func (r *Runner) Check(specs []Spec) error { return check(specs, r.o.Probers) }

// Update makes specs the probes that run. A probe that is the same as before
// goes on undisturbed; one that changed is started anew and keeps its pace.
// After Update, no result of a probe as it was before is reported. Specs with a
// mistake change nothing. Report must not call Update.
func (r *Runner) Update(specs []Spec) error {
	if err := r.Check(specs); err != nil {
		return fmt.Errorf("probes not taken over: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.tasks
	r.tasks = make(map[ID]*task, len(specs))
	for _, s := range specs {
		if t := old[s.ID()]; t != nil && reflect.DeepEqual(t.spec, s) {
			r.tasks[s.ID()] = t
			delete(old, s.ID())
		}
	}
	for _, t := range old {
		r.stop(t)
	}
	for _, s := range specs {
		if r.tasks[s.ID()] == nil {
			t := r.task(s, old[s.ID()])
			r.tasks[s.ID()] = t
			r.start(t)
		}
	}
	return nil
}

// Pace tells of every probe whether its rounds come on time, in no order.
func (r *Runner) Pace() []Pace {
	r.mu.Lock()
	defer r.mu.Unlock()
	ps := make([]Pace, 0, len(r.tasks))
	for _, t := range r.tasks {
		t.mu.Lock()
		ps = append(ps, t.pace)
		t.mu.Unlock()
	}
	return ps
}

// task makes the task of a spec: a new one begins anywhere in its interval, so
// that probes do not march in step; one that was there before goes on when its
// next round would have come.
func (r *Runner) task(s Spec, before *task) *task {
	now := r.o.Now()
	t := &task{spec: s, hanging: make(chan struct{}, maxHanging)}
	t.pace = Pace{ID: s.ID(), Interval: s.Interval, Last: now}
	if before == nil {
		t.first = time.Duration(r.o.Int64N(int64(s.Interval)))
		return t
	}
	t.pace.Behind, t.pace.Untried, t.pace.Rounds = before.pace.Behind, before.pace.Untried, before.pace.Rounds
	if before.ended != nil {
		t.pace.Last = before.pace.Last
	}
	t.first = max(0, min(t.pace.Last.Add(s.Interval).Sub(now), s.Interval))
	return t
}

// start runs the task's loop if the runner runs. r.mu is held.
func (r *Runner) start(t *task) {
	if r.ctx == nil || r.over {
		return
	}
	ctx, cancel := context.WithCancel(r.ctx)
	t.cancel, t.ended = cancel, make(chan struct{})
	r.loops.Go(func() {
		defer close(t.ended)
		defer cancel()
		r.loop(ctx, t)
	})
}

// stop ends the task's loop and waits for it; a try under way is left behind.
func (r *Runner) stop(t *task) {
	if t.ended == nil {
		return
	}
	t.cancel()
	<-t.ended
}

// loop makes the rounds on the task's own grid of intervals. A round that is
// late by less than an interval is made at once; rounds that were missed
// altogether are never made up.
func (r *Runner) loop(ctx context.Context, t *task) {
	due := r.o.Now().Add(t.first)
	timer := time.NewTimer(t.first)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		r.round(ctx, t)
		now := r.o.Now()
		due = due.Add(t.spec.Interval)
		if behind := now.Sub(due); behind >= t.spec.Interval {
			due = due.Add(behind.Truncate(t.spec.Interval))
		}
		timer.Reset(due.Sub(now))
	}
}

func (r *Runner) round(ctx context.Context, t *task) {
	t.mu.Lock()
	t.pace.round(r.o.Now())
	t.mu.Unlock()
	res, ok := r.try(ctx, t)
	if ctx.Err() != nil {
		return // stopped, not failed
	}
	t.mu.Lock()
	if ok {
		t.pace.ended(res.At)
	} else {
		t.pace.lost()
	}
	t.mu.Unlock()
	if ok {
		r.o.Report(Sighting{Spec: t.spec, Result: res})
	}
}
