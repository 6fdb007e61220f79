package simtest_test

import (
	"flag"
	"slices"
	"testing"
	"time"
)

var everyStep = flag.Bool("steps", false, "have TestEveryStep take all steps, not only those around a call")

// TestEveryStep ends and stops an observer at every step that there is, whatever else
// happens in the story, and holds that there is no step besides.
func TestEveryStep(t *testing.T) {
	const within = 300
	known := map[string]bool{}
	for _, step := range steps() {
		known[step] = true
	}
	take := steps()
	if !*everyStep { // `make proof` asks for all
		take = []string{"claimed", "store claim", "intent", "first_byte", "answered", "outcome", "verified"}
	}
	slowest, most := "", uint64(0)
	for _, what := range []string{"crash", "pause"} {
		for _, step := range take {
			seed := *first
			for hit := false; !hit; seed++ {
				if seed-*first == within {
					t.Errorf("no %s at %s in %d stories", what, step, within)
					break
				}
				p := draw(seed)
				p.events = append(p.events, event{at: 12 * time.Second, what: what, step: step, last: 20 * time.Second})
				if step == "store episode" { // a person says no while all is frozen, and the site comes back
					p.events = append(p.events, lost(15, 0), event{at: seconds(16), what: "freeze", step: "claimed", last: 15 * time.Second},
						event{at: seconds(30), what: "abort"}, event{at: seconds(40), what: "back", who: "az-a"})
				}
				p = p.in()
				w := play(t, p)
				if failed := failure(t, p, w); failed != "" {
					t.Error(failed)
				}
				for came := range w.seen {
					if !known[came] {
						t.Errorf("seed %d: a step that no schedule knows: %s", seed, came)
						known[came] = true
					}
				}
				hit = slices.Contains(w.hits, what+" at "+step)
			}
			if n := seed - *first; n > most {
				slowest, most = what+" at "+step, n
			}
		}
	}
	t.Logf("each of %d steps was hit by a crash and by a pause; the last one, %s, in the %dth story", len(take), slowest, most)
}
