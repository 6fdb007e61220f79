package app

import (
	"context"

	"github.com/drwatch/drwatch/internal/policy/policytest"
	"github.com/drwatch/drwatch/internal/strictyaml"
)

// Tested is a file of rule tests that was run.
type Tested struct {
	File   string
	Tests  int
	Failed []string // what was not as expected, each as a person reads it
}

// TestRules runs the unit tests of rules in the files. When a file cannot be
// used nothing runs, and everything that is wrong with any of them is told.
func TestRules(ctx context.Context, paths []string) ([]Tested, strictyaml.Problems, error) {
	var problems strictyaml.Problems
	var files []*policytest.File
	for _, path := range paths {
		f, found := policytest.Load(path)
		problems = append(problems, found...)
		files = append(files, f)
	}
	problems.Sort()
	if problems.HasErrors() {
		return nil, problems, nil
	}
	var out []Tested
	for _, f := range files {
		failures, err := f.Run(ctx)
		if err != nil {
			return out, problems, err
		}
		tested := Tested{File: f.Name, Tests: f.Tests()}
		for _, failure := range failures {
			tested.Failed = append(tested.Failed, failure.String())
		}
		out = append(out, tested)
	}
	return out, problems, nil
}
