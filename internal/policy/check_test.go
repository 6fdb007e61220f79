package policy_test

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drwatch/drwatch/internal/policy"
	"github.com/drwatch/drwatch/internal/policy/rulefile"
	"github.com/drwatch/drwatch/internal/replication"
)

func TestCheck(t *testing.T) {
	for expr, want := range map[string]string{
		`drwatch_site_reachable == 0`:                   "",
		`rate(drwatch_provider_requests_total[5m]) > 1`: "",
		`max_over_time(a[1m:5s]) == 0 and on() b == 1`:  "",
		`a ==`:        "parse error",
		`1 == bool 1`: "gives a scalar",
		`"a"`:         "gives a string",
		`a[5m]`:       "gives a range vector",
		`vector(1)`:   "reads no metric",
		`absent(a)`:   "absent() is true when samples are missing",
		`b == 0 and on() absent_over_time(a[5m])`: "absent_over_time()",
		`a @ 100`:                                            "the @ modifier",
		`max_over_time(a[5m:1m] @ end())`:                    "the @ modifier",
		`a offset -5m`:                                       "negative offset",
		`max_over_time(a[5m:1m] offset -1m)`:                 "negative offset",
		`max_over_time(a[1d:1ms]) == 0`:                      "86400000 times",
		`max_over_time(max_over_time(a[5d:5s])[1d:1s]) == 0`: "103680 times",
		`a offset 290y`:                                      "at most 366d",
		`max_over_time(a[290y] offset 290y)`:                 "looks back over",
	} {
		err := policy.Check(exprRule(expr))
		got := ""
		if err != nil {
			got = err.Error()
		}
		if (want == "") != (err == nil) || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", expr, got, want)
		}
		guard := siteRule(func(r *rulefile.Rule) { r.Guards.Expr = []string{expr} })
		if (policy.Check(guard) == nil) != (err == nil) {
			t.Errorf("%s: as a guard %v, as a trigger %v", expr, policy.Check(guard), err)
		}
	}
	if err := policy.Check(siteRule(func(r *rulefile.Rule) { r.Veto = `absent(a)` })); err != nil {
		t.Errorf("a veto may speak up because samples are missing: %v", err)
	}
	err := policy.Check(rulefile.Rule{Name: "r", Guards: rulefile.Guards{Expr: []string{"a ==", "vector(1)"}}})
	for _, want := range []string{"no trigger", "parse error", "reads no metric"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want all problems at once, %q among them: %v", want, err)
		}
	}
}

func TestRequiredHistory(t *testing.T) {
	for expr, want := range map[string]time.Duration{
		`a`:                         time.Minute,
		`a offset 2m`:               3 * time.Minute,
		`max_over_time(a[5m])`:      6 * time.Minute,
		`rate(a[5m] offset 1h) > b`: 66 * time.Minute,
		`max_over_time(rate(a[5m] offset 3m)[1h:1m] offset 2m)`: 71 * time.Minute,
		`a ==`: 0,
	} {
		if got := policy.RequiredHistory([]rulefile.Rule{exprRule(expr)}); got != want {
			t.Errorf("%s needs %v, want %v", expr, got, want)
		}
	}
	long := siteRule(func(r *rulefile.Rule) {
		r.Guards.Expr, r.KeepFiringFor = []string{`max_over_time(a[3h]) > 0`}, time.Hour
	})
	if got := policy.RequiredHistory([]rulefile.Rule{siteRule(), long}); got != 4*time.Hour {
		t.Errorf("guards and keep_firing_for count too: %v", got)
	}
}

func TestDue(t *testing.T) {
	slow := siteRule(func(r *rulefile.Rule) { r.Name, r.Interval, r.For = "slow", 30*time.Second, 12*time.Second })
	w := newWorld(t, "witness", siteRule(), slow)
	if d, ok := w.eval.NextDue(at(0)); !ok || !d.Equal(at(0)) {
		t.Errorf("new rules are due at %v, want at once", d)
	}
	w.round(0)
	if d := cmp.Diff([]string{}, w.eval.Due(at(4))); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"az-a"}, w.eval.Due(at(5))); d != "" {
		t.Error(d)
	}
	w.site(1, "az-a", 0)
	ev := w.round(2)
	if len(ev.Rules) != 2 {
		t.Fatal("want both rules")
	}
	for _, c := range []struct{ now, want float64 }{{2, 7}, {8, 7}} {
		if d, _ := w.eval.NextDue(at(c.now)); !d.Equal(at(c.want)) {
			t.Errorf("at %v next due %v, want %v s", c.now, d, c.want)
		}
	}
	only := func(sec float64, rule string) policy.Evaluation {
		return w.eval.Evaluate(t.Context(), policy.Round{At: at(sec), Targets: w.targets, Rules: []string{rule}})
	}
	if ev := only(10, "az-a"); len(ev.Rules) != 1 || ev.Rules[0].Rule.Name != "az-a" {
		t.Errorf("evaluated %v, want az-a alone", ev.Rules)
	}
	// The hold timer of the slow rule is up at 13, before any interval.
	if d, _ := w.eval.NextDue(at(10)); !d.Equal(at(13)) {
		t.Errorf("next due %v, want 13 s: a hold timer is up", d)
	}
	w.site(11, "az-a", 0)
	if ev := only(13, "slow"); ev.Rules[0].Targets[0].Vote.Verdict != replication.Go {
		t.Error("the hold timer is up, and there is no go")
	}
	if d, _ := w.eval.NextDue(at(13)); !d.Equal(at(15)) {
		t.Errorf("next due %v, want 15 s", d)
	}
	w.set()
	if _, ok := w.eval.NextDue(at(13)); ok {
		t.Error("no rules, yet something is due")
	}
}

// Evaluating rules needs no disk, no discovery and no foreign cloud SDK: those
// come with packages of Prometheus that are not needed.
func TestImports(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "github.com/drwatch/drwatch/internal/policy").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	deps := strings.Fields(string(out))
	if len(deps) < 50 {
		t.Fatalf("go list found %d packages only", len(deps))
	}
	const prom, ours = "github.com/prometheus/prometheus/", "github.com/drwatch/drwatch/internal/"
	for _, d := range deps {
		for _, bad := range []string{"rules", "tsdb", "notifier", "config", "discovery", "promql/promqltest", "scrape"} {
			if d == prom+bad || (bad != "tsdb" && strings.HasPrefix(d, prom+bad+"/")) {
				t.Errorf("policy pulls in %s", d)
			}
		}
		for _, bad := range []string{"aws", "azure", "go.etcd.io/", "modernc.org/"} {
			if strings.Contains(strings.ToLower(d), bad) {
				t.Errorf("policy pulls in %s", d)
			}
		}
		if p, is := strings.CutPrefix(d, ours); is && p != "policy" && p != "policy/rulefile" && p != "alerts" && p != "series" && p != "replication" && p != "strictyaml" {
			t.Errorf("policy pulls in %s", d)
		}
	}
}
