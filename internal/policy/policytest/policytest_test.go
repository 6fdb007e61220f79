package policytest_test

import (
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drwatch/drwatch/internal/policy/policytest"
	"github.com/drwatch/drwatch/internal/policy/rulefile"
)

var update = flag.Bool("update", false, "write the golden files anew")

// run is what a file of tests comes to, as a person reads it.
func run(t *testing.T, path string) string {
	t.Helper()
	f, problems := policytest.Load(path)
	var said strings.Builder
	for _, p := range problems {
		said.WriteString(p.String() + "\n")
	}
	if f == nil {
		return said.String()
	}
	failures, err := f.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, failure := range failures {
		said.WriteString(failure.String())
	}
	return said.String()
}

// TestFiles: what is wrong with a file, and what was not as expected, is said in
// these words and at this place, each time the same.
func TestFiles(t *testing.T) {
	for _, name := range []string{"failing", "bad", "bad_rules", "not_yaml"} {
		t.Run(name, func(t *testing.T) {
			golden := filepath.Join("testdata", name+".golden")
			got := run(t, filepath.Join("testdata", name+".yml"))
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("not as in %s (-want +got):\n%s", golden, diff)
			}
			if again := run(t, filepath.Join("testdata", name+".yml")); again != got {
				t.Errorf("a second run says something else:\n%s", cmp.Diff(got, again))
			}
		})
	}
}

// TestAsExpected: each kind of evidence and answer comes to what the tests say.
func TestAsExpected(t *testing.T) {
	if got := run(t, "testdata/all.yml"); got != "" {
		t.Error(got)
	}
}

// TestShippedRules runs the tests of the rules that are shipped.
func TestShippedRules(t *testing.T) {
	files, err := filepath.Glob("../../../rules/tests/*_test.yml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no tests of rules were found: %v", err)
	}
	for _, file := range files {
		if got := run(t, file); got != "" {
			t.Error(got)
		}
	}
}

// another is one test of testdata/all.yml, and those whose series it has, with the
// rules changed.
func another(t *testing.T, name, old, changed string) *policytest.File {
	t.Helper()
	rules, err := os.ReadFile("testdata/rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	tests, err := os.ReadFile("testdata/all.yml")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(rules), old) {
		t.Fatalf("the rules do not have %q", old)
	}
	const begin = "\n  - name: "
	all := strings.Split(string(tests), begin)
	kept := slices.DeleteFunc(all[1:], func(test string) bool { return !strings.HasPrefix(test, name) && !strings.Contains(test, ": &") })
	dir := t.TempDir()
	for name, text := range map[string]string{"rules.yml": strings.ReplaceAll(string(rules), old, changed), "all.yml": all[0] + begin + strings.Join(kept, begin)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f, problems := policytest.Load(filepath.Join(dir, "all.yml"))
	if f == nil {
		t.Fatal(problems)
	}
	return f
}

// TestChangedRules: a rule that is changed for the worse fails the test that is
// about it.
func TestChangedRules(t *testing.T) {
	for _, tt := range []struct{ name, old, changed, fails string }{
		{"one site is enough", "quorum: {agree: 2, of: 3}", "quorum: {agree: 1, of: 3}", "tiers go one after the other, each group once"},
		{"no veto", "quorum: {agree: 2, of: 3}", "quorum: {agree: 2, of: 3, veto: none}", "a veto blocks, and a little later no longer"},
		{"no tiers", "after: [databases]", "after: []", "tiers go one after the other, each group once"},
		{"no person", "mode: approve", "mode: dry_run", "on a Tuesday an alert that the probes confirm waits for a person"},
		{"no Sunday", "weekdays: [sunday]", "weekdays: [monday]", "nothing happens on a Sunday"},
		{"no patience", "for: 1m", "for: 5s", "samples that go missing are no evidence"},
		{"too much patience", "for: 1m", "for: 20m", "an alert that is resolved takes the incident back"},
		{"any lag", "lag_unknown: allow", "lag_under: 1m", "in a dry run nothing is sent"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			failures, err := another(t, tt.fails, tt.old, tt.changed).Run(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range failures {
				if f.Test == tt.fails {
					return
				}
			}
			t.Errorf("%q does not fail with %q; %d others do", tt.fails, tt.changed, len(failures))
		})
	}
}

// TestStops: who interrupts a run does not wait for its end.
func TestStops(t *testing.T) {
	f, problems := policytest.Load("testdata/all.yml")
	if f == nil {
		t.Fatal(problems)
	}
	ctx, stop := context.WithCancel(context.Background())
	stop()
	if _, err := f.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("it says %v", err)
	}
}

// TestLongTime: hours of virtual time are seconds.
func TestLongTime(t *testing.T) {
	text := `rule_files: [rules.yml]
tests:
  - name: a cool-down of an hour
    observers: {obs-w: witness, obs-b: az-b}
    interval: 1m
    input_series:
      - {series: 'drwatch_site_reachable{site="az-a"}', values: '1x240'}
      - {series: 'drwatch_site_reachable{site="az-b"}', values: '1x240'}
    expect: [{eval_time: 4h, incidents: [], votes: []}]
`
	f, problems := policytest.Parse("testdata/long.yml", []byte(text), rulefile.Load)
	if f == nil {
		t.Fatal(problems)
	}
	began := time.Now()
	failures, err := f.Run(context.Background())
	if err != nil || len(failures) > 0 {
		t.Errorf("%v, %v", failures, err)
	}
	if took := time.Since(began); took > time.Minute {
		t.Errorf("four hours took %s", took)
	}
}
