// Command mutate measures whether the tests notice when the code is wrong: it makes
// thousands of small changes to the named files, one at a time, and runs the tests
// that reach each. A change that no test notices has survived: either it makes no
// difference, and a file says why, or a test is missing.
//
// All changes are compiled at once, each behind a switch that the environment sets,
// so that a change costs a run of its tests and no build. The source tree is not
// touched: the changed files are laid over it (go build -overlay).
//
// It knows Go's syntax and types, and of this repository which tests to run
// (suites.go). What it does not change, and why, stands in skip.go.
package main
