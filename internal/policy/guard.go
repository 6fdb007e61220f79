package policy

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/prometheus/alertmanager/timeinterval"

	"github.com/drwatch/drwatch/internal/replication"
)

// guardAnswer is what one guard expression gave.
type guardAnswer struct {
	plain answer
	sure  *answer // with missing samples as they last were; nil: none is missing
	err   error
}

func (e *Evaluator) askGuards(ctx context.Context, r *ruleState, at int64) []guardAnswer {
	out := make([]guardAnswer, len(r.program.guards))
	for i, x := range r.program.guards {
		g := &out[i]
		if g.plain, g.err = e.ask(ctx, e.store, x, at); g.err != nil {
			continue
		}
		if !e.anyMissing([]expr{x}, at) {
			continue
		}
		a, err := e.asBefore(ctx, x, at)
		g.sure, g.err = &a, err
	}
	return out
}

// guards is the conditions of the rule's own guards for one target.
func (e *Evaluator) guards(r *ruleState, t *Target, at time.Time, answers []guardAnswer) (out []replication.Condition, unknown []string) {
	for i, a := range answers {
		c, known := a.condition(t)
		c.Name, c.Threshold = "expr", r.program.guards[i].text
		if len(answers) > 1 {
			c.Name = "expr_" + strconv.Itoa(i+1)
		}
		out = append(out, c)
		if !known {
			unknown = append(unknown, c.Name)
		}
	}
	return append(out, timeConditions(r.rule.Guards.Active, r.rule.Guards.Mute, at)...), unknown
}

// condition is the guard for one target, and whether its samples tell.
func (a guardAnswer) condition(t *Target) (c replication.Condition, known bool) {
	if a.err != nil {
		return replication.Condition{Value: "cannot be evaluated: " + a.err.Error()}, false
	}
	v, ok := a.plain.says(t, false)
	switch {
	case !ok:
		if v, ok = a.plain.says(t, true); ok {
			return replication.Condition{Value: fmt.Sprintf("%s is not a number", written(v.Metric))}, false
		}
		return replication.Condition{Value: "no sample applies"}, a.sure == nil
	case a.sure != nil:
		if _, still := a.sure.says(t, false); !still {
			return replication.Condition{Value: "holds only because samples are missing"}, false
		}
	}
	return replication.Condition{Value: strconv.FormatFloat(v.F, 'g', -1, 64), OK: true}, true
}

// timeConditions judges the rule's times by the wall clock; an interval that
// names no location is in UTC.
func timeConditions(active, mute []timeinterval.TimeInterval, at time.Time) []replication.Condition {
	var out []replication.Condition
	now := at.UTC()
	value := now.Format("Monday 2006-01-02 15:04 MST")
	if len(active) > 0 {
		out = append(out, replication.Condition{Name: "active_time_intervals", Value: value, Threshold: "inside one of them", OK: within(active, now)})
	}
	if len(mute) > 0 {
		out = append(out, replication.Condition{Name: "mute_time_intervals", Value: value, Threshold: "outside all of them", OK: !within(mute, now)})
	}
	return out
}

func within(list []timeinterval.TimeInterval, t time.Time) bool {
	for _, i := range list {
		if i.ContainsTime(t) {
			return true
		}
	}
	return false
}
