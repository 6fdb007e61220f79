package policy_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/policy/rulefile"
)

// TestLastGood: what a failover loses is counted from when production was last known to
// be good. Where samples are missing it may have been so for longer than anybody
// knows, and then it is counted from where they go on.
func TestLastGood(t *testing.T) {
	for _, c := range []struct {
		name, samples string
		copied        []int // at which steps the provider tells a later synchronisation
		want          int   // the step of the last good moment
		unwatched     bool
	}{
		{name: "watched as it went", samples: "1110000", want: 2},
		{name: "one sample is missing", samples: "111.000", want: 2},
		{name: "nobody looked as it went", samples: "111.....000", want: 8, unwatched: true},
		{name: "and it is seen again", samples: "111.....00010000", want: 11},
		{name: "nobody looked later, and nothing was copied", samples: "111000....000", want: 2},
		{name: "nobody looked later, and something was copied before", samples: "111000....000", copied: []int{2, 4}, want: 2},
		{name: "nobody looked later, and something was copied meanwhile", samples: "111000....000", copied: []int{2, 10}, want: 10, unwatched: true},
		{name: "what is told for the first time says nothing of when it was copied", samples: "111000....000", copied: []int{10}, want: 2},
		{name: "nobody looked as it went, nor later, and something was copied", samples: "111....000....000", copied: []int{2, 14}, want: 14, unwatched: true},
		{name: "nobody looked as it went, nor later, and nothing was copied", samples: "111....000....000", want: 7, unwatched: true},
		{name: "something was copied in the first stretch, nothing in the second", samples: "111000....000....000", copied: []int{2, 10}, want: 10, unwatched: true},
		{name: "something was copied in the second stretch, nothing in the first", samples: "111000....000....000", copied: []int{2, 17}, want: 17, unwatched: true},
		{name: "and then it is seen again", samples: "111000....000....0001000", copied: []int{2, 10}, want: 20},
		{name: "not a number is no look", samples: "111NN000", want: 5, unwatched: true},
	} {
		for what, rule := range map[string]rulefile.Rule{
			"drwatch_site_reachable": siteRule(),
			"the_trigger":            exprRule(`the_trigger{site="az-a"} == 0`),
		} {
			t.Run(c.name+", "+what, func(t *testing.T) {
				w := newWorld(t, "witness", rule)
				for i, sample := range c.samples {
					if slices.Contains(c.copied, i) {
						g := *w.targets[0].Group // what was shown is not changed
						g.LastSync = at(float64(i))
						w.targets[0].Group = &g
					}
					if sample != '.' { // it was asleep
						looks(w, 5*float64(i), what, sample)
					}
				}
				got := w.first(float64(5*len(c.samples) - 3))
				// A trigger is known at each evaluation, a site at each sample.
				if want := at(float64(5 * c.want)); got.LastGood.Before(want) || got.LastGood.Sub(want) > time.Second || got.Unwatched != c.unwatched {
					t.Errorf("%s: last good %v, unwatched %v; want %v, %v", c.samples, got.LastGood, got.Unwatched, want, c.unwatched)
				}
			})
		}
	}
}

// TestASynchronisationOfBeforeTheLossToldLate: a poll that comes when nobody has looked
// for a while tells what was copied before the site went. That is no sign that it came
// back, and must not hold a failover back.
func TestASynchronisationOfBeforeTheLossToldLate(t *testing.T) {
	for _, c := range []struct {
		told      float64 // by the late poll
		want      float64
		unwatched bool
	}{{14, 15, false}, {19, 15, false}, {30, 55, true}} {
		w := newWorld(t, "witness", siteRule())
		tell := func(sec float64) {
			g := *w.targets[0].Group // what was shown is not changed
			g.LastSync = at(sec)
			w.targets[0].Group = &g
		}
		tell(1)
		for i, sample := range "1111000....000" {
			switch {
			case i == 1: // the last poll of before
				looks(w, 5, "drwatch_site_reachable", sample)
			case i == 11:
				tell(c.told)
				fallthrough
			case sample != '.':
				looks(w, 5*float64(i), "drwatch_site_reachable", sample)
			}
		}
		got := w.first(5*14 - 3)
		if !got.LastGood.Equal(at(c.want)) || got.Unwatched != c.unwatched {
			t.Errorf("told %v: last good %v, unwatched %v; want %v, %v", at(c.told), got.LastGood, got.Unwatched, at(c.want), c.unwatched)
		}
	}
}

// looks has the observer take one sample of az-a, and evaluate a second after it.
func looks(w *world, sec float64, metric string, what rune) {
	v := math.NaN()
	if what != 'N' {
		v = float64(what - '0')
	}
	w.put(sec, "probe az-a", sample(v, "__name__", metric, "site", "az-a"))
	w.first(sec + 1)
}
