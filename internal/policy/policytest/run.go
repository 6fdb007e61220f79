package policytest

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/prometheus/promql"

	"github.com/drwatch/drwatch/internal/policy"
	"github.com/drwatch/drwatch/internal/quorum/quorumtest"
	"github.com/drwatch/drwatch/internal/strictyaml"
)

// Failure is what was not as a test expects it at one moment.
type Failure struct {
	Pos  strictyaml.Pos // of the expectation
	Test string
	At   time.Duration // into the test
	What string        // "incidents", "blocked", "votes", "provider_calls"; "" when the test could not go on
	Err  error         // why it could not
	Rows []Row
}

// Row is one line of what was expected, and of what there was; "" for nothing.
type Row struct{ Want, Got string }

// Run runs all tests of the file and returns what was not as expected, in the
// order of the file and of time. The error is ctx's.
func (f *File) Run(ctx context.Context) ([]Failure, error) {
	engine := policy.NewEngine(slog.New(slog.DiscardHandler))
	var failures []Failure
	for _, t := range f.tests {
		found, err := f.run(ctx, t, engine)
		if err != nil {
			return failures, err
		}
		failures = append(failures, found...)
	}
	return failures, nil
}

func (f *File) run(ctx context.Context, t *test, engine *promql.Engine) (found []Failure, err error) {
	w, err := newWorld(f, t, engine)
	if err != nil {
		return []Failure{{Pos: t.pos, Test: t.Name, Err: err}}, nil
	}
	defer func() {
		if cause := w.close(ctx); cause != nil && err == nil {
			found = append(found, Failure{Pos: t.pos, Test: t.Name, At: w.clock, Err: cause})
		}
	}()
	for i := 0; i < len(t.expect); {
		if err := ctx.Err(); err != nil {
			return found, fmt.Errorf("test %q: %w", t.Name, err)
		}
		w.moment(ctx)
		for ; i < len(t.expect) && t.expect[i].EvalTime <= w.clock; i++ {
			found = append(found, w.compare(t.expect[i])...)
		}
		if w.gaveUp != nil {
			return found, nil
		}
		w.clock = w.next()
	}
	return found, nil
}

// next is the next moment at which something happens, or a round is due: at each
// evaluation interval, and sooner where the lease wants it.
func (w *world) next() time.Duration {
	next := w.clock + quorumtest.LeaseTTL/4
	sooner := func(at time.Duration) {
		if at > w.clock && at < next {
			next = at
		}
	}
	sooner(w.clock.Truncate(w.file.every) + w.file.every)
	sooner(w.clock.Truncate(w.t.Interval) + w.t.Interval)
	for _, v := range w.t.Votes {
		sooner(v.From)
		if v.Until != nil {
			sooner(*v.Until)
		}
		for _, r := range w.file.rules {
			if r.Name == v.Rule {
				sooner(v.From + r.For)
			}
		}
	}
	for i := range w.t.Alerts {
		if at, ok := w.nextDelivery(i); ok {
			sooner(at)
		}
	}
	for _, list := range [][]answerForm{w.t.Approvals, w.t.Aborts} {
		for _, a := range list {
			sooner(a.At)
		}
	}
	for _, e := range w.t.expect {
		sooner(e.EvalTime)
	}
	if at, ok := w.steps.next(); ok {
		sooner(at)
	}
	if at, ok := w.evaluator.NextDue(w.now()); ok {
		sooner(at.Sub(w.t.start).Truncate(time.Millisecond))
	}
	return next
}
