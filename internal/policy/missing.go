package policy

import (
	"context"

	"github.com/drwatch/drwatch/internal/series"
)

// coverage is how much of a selector has something to say at t.
func (e *Evaluator) coverage(s selector, t int64) series.Coverage {
	return e.store.Coverage(t-s.offset.Milliseconds(), s.matchers...)
}

// anyMissing tells whether some series that the expressions read is silent, not
// a number, or left out by its source. A source that was ended was ended by us.
func (e *Evaluator) anyMissing(xs []expr, t int64) bool {
	for _, x := range xs {
		for _, s := range x.selectors {
			if c := e.coverage(s, t); c.Missing+c.Gone > 0 {
				return true
			}
		}
	}
	return false
}

// asBefore evaluates an expression as if what is missing still were as it last
// was, for as long as the store remembers: what holds only without it rests on
// nothing.
func (e *Evaluator) asBefore(ctx context.Context, x expr, t int64) (answer, error) {
	return e.carry(ctx, x, t, series.Carry{Silence: series.Always, Vanish: series.Always, NaN: series.Always})
}

// carry evaluates an expression over a view. A series that was renamed stands
// beside its old self there, which PromQL may refuse to join: then those that
// their sources left out stay out.
func (e *Evaluator) carry(ctx context.Context, x expr, t int64, c series.Carry) (answer, error) {
	a, err := e.ask(ctx, e.store.View(c), x, t)
	if err == nil || ctx.Err() != nil {
		return a, err
	}
	c.Vanish = 0
	return e.ask(ctx, e.store.View(c), x, t)
}
