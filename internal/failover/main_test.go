package failover_test

import (
	"flag"
	"fmt"
	"testing"

	"go.uber.org/goleak"
)

// TestMain finds goroutines that outlive the tests, and rows of the table of
// states that no test has made.
func TestMain(m *testing.M) {
	flag.Parse()
	goleak.VerifyTestMain(everyRow{m})
}

// everyRow runs the tests and looks at the end whether every row of the table was
// made by some test.
type everyRow struct{ tests *testing.M }

// Run is the exit code.
func (e everyRow) Run() int {
	code := e.tests.Run()
	for _, some := range []string{"test.run", "test.list", "test.fuzz"} {
		if code != 0 || flag.Lookup(some).Value.String() != "" {
			return code
		}
	}
	for row := range allowed() {
		if !theMade.seen[row] {
			fmt.Printf("no test has made %s, which the table has\n", row)
			code = 1
		}
	}
	return code
}
