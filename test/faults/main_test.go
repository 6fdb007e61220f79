// Package faults_test runs the real daemon against the simulated clouds in one
// process and shows what it makes of clouds that misbehave: nothing is failed
// over on an answer that cannot be believed, nothing is sent twice, and what
// was held back is done once the fault is gone. It sees the daemon from outside
// only: by /metrics, the HTTP API, the log, the files it leaves, and the clouds'
// own log of effects.
package faults_test

import (
	"flag"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/drwatch/drwatch/internal/quorum"
	"github.com/drwatch/drwatch/test/leftover"
)

// TestMain lets the test binary be the coordination store's member too, as
// drwatch itself is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "etcd-member" {
		os.Exit(quorum.MemberMain(os.Args[2:]))
	}
	// The scenarios wait more than they work.
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		if err := flag.Set("test.parallel", "6"); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(leftover.Exit()))
}
