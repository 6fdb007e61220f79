// Package simtest_test plays stories on the real rules, votes, claims and execution
// of three observers, on a virtual clock, with a model of the store and models of
// the clouds, and looks at every step of them.
package simtest_test

import (
	"flag"
	"runtime"
	"testing"
)

var (
	seeds   = flag.Uint64("seeds", 1000, "how many stories to play")
	first   = flag.Uint64("seed", 1, "the first of them")
	tell    = flag.Bool("tell", false, "print each story, one after the other in this process")
	until   = flag.Bool("until", false, "end with the first story that fails")
	workers = flag.Int("workers", runtime.GOMAXPROCS(0), "how many processes play side by side; 1 plays in this one")
)

func TestStories(t *testing.T) {
	if *replay != "" {
		playText(t, *replay)
		return
	}
	playAll(t, *seeds, func(seed uint64) plan { return focused(draw(seed), *focus) })
}

// playText plays the plan that the text tells, and tells its story.
func playText(t *testing.T, text string) {
	p, err := parsePlan(text)
	if err != nil {
		t.Fatal(err)
	}
	w := play(t, p)
	t.Logf("%s\n%s", p.list(), w.text())
	if len(w.violations) > 0 {
		t.Error(w.violations)
	}
}

// playAll plays the stories of the first so many seeds, in this process or in others
// like it, and fails for each that fails.
func playAll(t *testing.T, n uint64, planOf func(seed uint64) plan) {
	if *share {
		playShare(t, planOf)
		return
	}
	meter := newMeter(n)
	if *workers > 1 && n > 1 && !*tell {
		playApart(t, n, meter)
	} else {
		playHere(t, n, planOf, meter)
	}
	t.Log(meter)
}

func playHere(t *testing.T, n uint64, planOf func(seed uint64) plan, m *meter) {
	for seed := *first; seed < *first+n; seed++ {
		p := planOf(seed)
		w := play(t, p)
		if *tell {
			t.Logf("seed %d\n%s", seed, w.text())
		}
		failed := failure(t, p, w)
		m.played(failed != "")
		if failed == "" {
			continue
		}
		t.Error(failed)
		if *until {
			return
		}
	}
}

// BenchmarkStory is what one story costs on one core; what is played apart costs the
// same on each.
func BenchmarkStory(b *testing.B) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	t, seed := new(testing.T), *first
	for b.Loop() {
		play(t, draw(seed))
		seed++
	}
}
