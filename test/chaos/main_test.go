// Package chaos_test runs three real daemons with their stores at three sites,
// takes away, pauses and parts what they stand on, and lets the simulated clouds
// judge: how often each group was really failed over. Each daemon and its store
// have a network namespace of their own; where the machine allows none, each sees
// the sites, the clouds and the other members through proxies of its own.
package chaos_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/drwatch/drwatch/internal/quorum"
	"github.com/drwatch/drwatch/test/leftover"
)

// long asks for all scenarios; without it those run that `make test` has time for.
var long = flag.Bool("chaos.long", false, "run every scenario, five to ten minutes")

// TestMain is also the daemon, the daemon's store and the command of a person: the
// test starts itself.
func TestMain(m *testing.M) {
	switch {
	case len(os.Args) == 3 && os.Args[1] == "etcd-member":
		// etcd reaches its peers as the environment says.
		if err := os.Setenv("HTTP_PROXY", os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(quorum.MemberMain(nil))
	case os.Getenv("CHAOS_GROUP") != "":
		os.Exit(withoutStore(os.Getenv("CHAOS_GROUP")))
	case os.Getenv("CHAOS_CONFIG") != "":
		os.Exit(daemon())
	}
	goleak.VerifyTestMain(chosen{m}, goleak.Cleanup(leftover.Exit()))
}

type chosen struct{ tests *testing.M }

// Run runs the tests on the network that this machine allows.
func (c chosen) Run() int {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given { // six processes each, which wait more than they work
		if err := flag.Set("test.parallel", "3"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	n, code, err := place()
	if err != nil {
		if !inside() { // there it is told outside
			fmt.Fprintln(os.Stderr, "chaos:", err)
		}
		return 1
	}
	if n == nil {
		return code
	}
	between = n
	fmt.Println("chaos: network of the observers:", between)
	if !*long {
		fmt.Println("chaos: the short set; `make chaos` adds:", strings.Join(added(), "; "))
	}
	return c.tests.Run()
}

// added are the names of what only the long run has.
func added() []string {
	var out []string
	for _, s := range scenarios() {
		if !s.short {
			out = append(out, s.name)
		}
	}
	return out
}
