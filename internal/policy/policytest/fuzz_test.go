package policytest_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/policy/policytest"
	"github.com/drwatch/drwatch/internal/policy/rulefile"
	"github.com/drwatch/drwatch/internal/strictyaml"
	"github.com/drwatch/drwatch/internal/strictyaml/strictyamltest"
)

// FuzzParse: every mistake in a file of rule tests stands at its place, reading ends
// soon whatever the notation of a series asks for, and a file is as good however it is
// written down.
func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.yml")
	shipped, _ := filepath.Glob("../../../rules/tests/*.yml")
	for _, file := range append(files, shipped...) {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(b))
	}
	const head = "rule_files: [rules.yml]\ntests:\n- name: n\n  observers: {a: b}\n  expect: [{eval_time: 1m, incidents: []}]\n"
	for _, series := range []string{
		`{series: 'up', values: '1+1x99999999999999999999'}`, `{series: 'up', values: '1x 99999 1x 99999'}`, `{series: 'up 1x9999999', values: '1'}`,
		`{series: '', values: 'stale _x3 NaN Inf'}`, `{series: '{__name__="drwatch_group_info", group="é", provider="huawei_dws", account="a"}', values: "\n1 2\n"}`,
	} {
		f.Add(head + "  input_series: [" + series + "]\n")
	}
	text, err := os.ReadFile("testdata/rules.yml")
	if err != nil {
		f.Fatal(err)
	}
	rules, problems := rulefile.Parse("rules.yml", text, rulefile.Known{NoConfig: true})
	if problems.HasErrors() {
		f.Fatal(problems)
	}
	load := func([]string, rulefile.Known) ([]*rulefile.Rule, strictyaml.Problems) { return rules, nil }
	f.Fuzz(func(t *testing.T, text string) {
		began := time.Now()
		file, ps := policytest.Parse("f.yml", []byte(text), load)
		strictyamltest.Problems(t, "f.yml", text, ps)
		if (file == nil) != ps.HasErrors() {
			t.Fatalf("a file %v, with %v", file != nil, ps)
		}
		if file != nil && file.Tests() == 0 {
			t.Error("a file without tests is taken")
		}
		if again, ok := strictyamltest.Rewritten(text); ok {
			other, found := policytest.Parse("f.yml", []byte(again), load)
			if (other == nil) != (file == nil) || other != nil && other.Tests() != file.Tests() {
				t.Errorf("written down otherwise it is another file: %v, before: %v\n%s", found, ps, again)
			}
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}
