package rulefile_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/policy/rulefile"
	"github.com/drwatch/drwatch/internal/replication"
	"github.com/drwatch/drwatch/internal/strictyaml/strictyamltest"
)

// FuzzParse: every mistake stands at its place, what is accepted is within its bounds,
// and a rule is the same rule, by its hash, however it is written down.
func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.yml")
	shipped, _ := filepath.Glob("../../../rules/*.yml")
	for _, file := range append(files, shipped...) {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(b))
	}
	const rule = "groups:\n- name: g\n  rules:\n  - failover: r\n    targets: '{provider=\"huawei_sdrs\",active_site=\"az-a\"}'\n    site_unreachable: az-a\n    mode: dry_run\n    quorum: {agree: 2}\n"
	f.Add(rule)
	f.Add(rule + "    for: 106751d\n    expr: |\n      drwatch_site_reachable{site=\"az-a\"}\n        == 0 and é\n")
	f.Add(rule + "    guards: {lag_under: 1ms, max_concurrent: 9223372036854775807, expr: ['up @ 1', 'vector(1)'], mute_time_intervals: [{times: [{start_time: '00:00', end_time: '24:00'}]}]}\n")
	f.Fuzz(func(t *testing.T, text string) {
		began := time.Now()
		for _, k := range []rulefile.Known{known(), {NoConfig: true}, {}} {
			rules, ps := rulefile.Parse("f.yml", []byte(text), k)
			strictyamltest.Problems(t, "f.yml", text, ps)
			if ps.HasErrors() && rules != nil {
				t.Errorf("errors, and %d rules", len(rules))
			}
			strictyamltest.Problems(t, "f.yml", text, rulefile.NotAvailable(rules))
			names := map[string]bool{}
			for _, r := range rules {
				if names[r.Name] {
					t.Errorf("two rules %q", r.Name)
				}
				names[r.Name] = true
				bounded(t, r)
			}
			if rules != nil {
				written(t, text, k, rules)
			}
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}

// bounded is what holds of every rule that was accepted.
func bounded(t *testing.T, r *rulefile.Rule) {
	t.Helper()
	switch {
	case r.Name == "" || len(r.Targets) == 0:
		t.Errorf("rule %q on %v", r.Name, r.Targets)
	case !r.Mode.Valid() || !slices.Contains(replication.Actions(), r.Action):
		t.Errorf("mode %q, action %q", r.Mode, r.Action)
	case r.For < 0 || r.KeepFiringFor < 0 || r.VetoWindow < 0 || r.ExecutionTimeout <= 0 || r.ApprovalTimeout <= 0 || r.Interval <= 0:
		t.Errorf("a time of %+v", r)
	case r.Agree < 0 || r.Of < 0 || r.Of > 0 && r.Agree > r.Of || r.Approvals < 1:
		t.Errorf("agree %d of %d, %d approvals", r.Agree, r.Of, r.Approvals)
	case r.Guards.MaxConcurrent <= 0 || r.Guards.DataAgeUnder <= 0 || r.Guards.Cooldown < 0 || r.Guards.LagUnder != nil && *r.Guards.LagUnder <= 0:
		t.Errorf("guards %+v", r.Guards)
	case r.SiteUnreachable == "" && r.Expr == "" && r.Alert == "":
		t.Error("a rule without a trigger")
	case r.Mode == replication.Auto && r.Expr == "" && r.SiteUnreachable == "":
		t.Error("an alert alone may act")
	}
	if h := rulefile.Hash(r, "1", nil); len(h) != 32 || h == rulefile.Hash(r, "2", nil) {
		t.Errorf("hash %q", h)
	}
}

// written: the same rules, written down otherwise, have the same hashes.
func written(t *testing.T, text string, k rulefile.Known, rules []*rulefile.Rule) {
	t.Helper()
	again, ok := strictyamltest.Rewritten(text)
	if !ok {
		return
	}
	others, ps := rulefile.Parse("elsewhere/f.yml", []byte(again), k)
	if len(others) != len(rules) {
		t.Fatalf("%d rules when written down otherwise, %d before: %v\n%s", len(others), len(rules), ps, again)
	}
	sites := []rulefile.SiteData{{Name: "az-a", ReachableWhen: "any", Locations: []string{"r/z"}}, {Name: "az-b"}}
	for i, r := range rules {
		if rulefile.Hash(r, "1", sites) != rulefile.Hash(others[i], "1", []rulefile.SiteData{sites[1], sites[0]}) {
			t.Errorf("rule %q is another one when written down otherwise:\n%s", r.Name, again)
		}
	}
}
