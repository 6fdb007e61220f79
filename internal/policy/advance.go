package policy

import (
	"context"
	"slices"

	"github.com/prometheus/prometheus/model/labels"
)

// maxMoments bounds how many past moments one evaluation looks at. More than
// that were not looked at in time, and the timers start anew.
const maxMoments = 1000

// advance moves the hold timers of the targets over every moment since the last
// evaluation. An error means that nothing moved: the same moments are looked at
// again next time.
func (e *Evaluator) advance(ctx context.Context, r *ruleState, targets []tracked, at int64) error {
	now, err := e.look(ctx, r, at)
	if err != nil {
		return err
	}
	moments := e.moments(r, at)
	for _, t := range moments {
		m := now
		if t != at {
			// A failure at one past moment, with the present one well, is that
			// moment's own: it stays unknown and the timer stands meanwhile.
			if m, err = e.look(ctx, r, t); err != nil {
				m = nil
			}
		}
		for _, target := range targets {
			h := &target.state.hold
			is, v := truthUnknown, 0.0
			if m != nil {
				is, v = m.of(target.Target, h.active)
			}
			h.step(t, is, v)
		}
	}
	return ctx.Err()
}

// moments is when something that the triggers read changed since the last
// evaluation, and the present moment, in order of time.
func (e *Evaluator) moments(r *ruleState, at int64) []int64 {
	var selectors [][]*labels.Matcher
	var offsets []int64
	for _, x := range r.program.triggers {
		for _, s := range x.selectors {
			selectors = append(selectors, s.matchers)
			if o := s.offset.Milliseconds(); o != 0 && !slices.Contains(offsets, o) {
				offsets = append(offsets, o)
			}
		}
	}
	changes := e.store.Changes(r.cursor, selectors...)
	r.cursor = changes.Seq
	out := append([]int64{at}, changes.Times...)
	for _, t := range changes.Times {
		for _, o := range offsets {
			r.deferred = append(r.deferred, t+o)
		}
	}
	r.deferred = slices.DeleteFunc(r.deferred, func(t int64) bool {
		if t <= at {
			out = append(out, t)
		}
		return t <= at
	})
	slices.Sort(out)
	out = slices.Compact(out)
	if excess := len(out) - maxMoments; excess > 0 || !changes.Complete {
		for _, g := range r.groups {
			g.hold.reset()
			g.hold.isFalse = false
		}
		out = out[max(excess, 0):]
	}
	return out
}
