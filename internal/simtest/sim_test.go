// Package simtest_test plays stories on the real rules, votes, claims and execution
// of three observers, on a virtual clock, with a model of the store and models of
// the clouds, and looks at every step of them.
package simtest_test

import (
	"flag"
	"testing"
)

var (
	seeds = flag.Uint64("seeds", 50, "how many stories to play")
	first = flag.Uint64("seed", 1, "the first of them")
	tell  = flag.Bool("tell", false, "print each story")
	until = flag.Bool("until", false, "end with the first story that fails")
)

func TestStories(t *testing.T) {
	for seed := *first; seed < *first+*seeds; seed++ {
		p := focused(draw(seed), *focus)
		w := play(t, p)
		if *tell {
			t.Logf("seed %d\n%s", seed, w.text())
		}
		if len(w.violations) == 0 {
			continue
		}
		t.Errorf("seed %d: %v\n%v\n%s", seed, w.violations, p.events, w.text())
		if *until {
			return
		}
	}
}
