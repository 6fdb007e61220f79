package policy_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql/parser"

	"github.com/drwatch/drwatch/internal/policy"
	"github.com/drwatch/drwatch/internal/policy/rulefile"
	"github.com/drwatch/drwatch/internal/replication"
)

// FuzzAlert: an `alert` that is accepted can be evaluated, fires on nothing that was not
// sent, and says the same when it is written the way Prometheus writes it.
func FuzzAlert(f *testing.F) {
	for _, s := range []string{`{alertname="X"}`, `{alertname=~"X|Y", severity!="info"}`, `{"a b"="c\"d"}`, `{}`, `X`, `{alertname="WarehouseDown"}`, `{a=~".*"}`, `{alertstate="pending"}`, `{__name__="up"}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r := alertRule(func(r *rulefile.Rule) { r.Alert, r.For = text, 0 })
		if policy.Check(r) != nil || text == "" {
			return
		}
		i := newInbox(t, r)
		if ev := i.round(0); ev.Rules[0].Err != nil || acts(ev) {
			t.Errorf("alert %q before any was sent: %v, %+v", text, ev.Rules[0].Err, ev.Rules[0].Targets)
		}
		i.send(0, fires(0))
		ev := i.eval.Evaluate(context.Background(), policy.Round{At: at(1), Targets: i.targets})
		if err := ev.Rules[0].Err; err != nil {
			t.Error(fmt.Errorf("alert %q: %w", text, err))
		}
		ms, err := parser.NewParser(parser.Options{}).ParseMetricSelector(text)
		if err != nil {
			t.Fatal(err)
		}
		written := "{"
		for n, m := range ms {
			if n > 0 {
				written += ","
			}
			written += m.String()
		}
		if err := policy.Check(alertRule(func(r *rulefile.Rule) { r.Alert = written + "}" })); err != nil {
			t.Errorf("alert %q is accepted, %s} is not: %v", text, written, err)
		}
	})
}

// acts tells whether any target has a vote for a failover, or one that would become one.
func acts(ev policy.Evaluation) bool {
	for _, t := range ev.Rules[0].Targets {
		if t.Vote.Verdict == replication.Go || t.Vote.Verdict == replication.Pending {
			return true
		}
	}
	return false
}

// FuzzExpr: an expression that is accepted as a trigger is never true without a sample,
// ends soon, and tells how much history it needs.
func FuzzExpr(f *testing.F) {
	for _, s := range []string{
		`drwatch_site_reachable{site="az-a"} == 0`, `max_over_time(drwatch_site_reachable[5m]) == 0`, `drwatch_site_reachable or vector(1)`,
		`count(drwatch_site_reachable == 0) > 0 unless on() vector(1)`, `drwatch_site_reachable offset 290y`, `max_over_time(drwatch_site_reachable[290y:1ms] offset 290y) == 0`,
		`absent(up)`, `label_replace(up, "a", "$1", "b", "(.*)") == bool 0`, `histogram_quantile(0.9, up)`, `-{__name__=~".+"} < 0`, `vector(1) unless up`,
		`sum(up) by (site) or absent_over_time(up[1h])`, `timestamp(up) - time() > 60`, `up{a="\xff"}`, `sort_desc(topk(1e18, up))`, `count_values("x", up)`, `quantile_over_time(0/0, up[1m])`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r := exprRule(text, func(r *rulefile.Rule) { r.For = 0 })
		if text == "" || policy.Check(r) != nil {
			return
		}
		if need := policy.RequiredHistory([]rulefile.Rule{r}); need < 0 {
			t.Errorf("%q needs %s of history", text, need)
		}
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		w := newWorld(t, "witness", r)
		for _, sec := range []float64{0, 30, 60} {
			if ev := w.eval.Evaluate(ctx, policy.Round{At: at(sec), Targets: w.targets, Fitness: w.fit}); acts(ev) {
				t.Errorf("%q is true although there is no sample: %+v", text, ev.Rules[0].Targets)
			}
		}
		w.site(61, "az-a", 0)
		w.site(61, "az-b", 1)
		_ = w.eval.Evaluate(ctx, policy.Round{At: at(62), Targets: w.targets, Fitness: w.fit})
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("%q took %s", text, took)
		}
	})
}
