package simtest_test

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/replication"
)

var shrinks = flag.Int("shrink", 400, "how many stories to play at most to make the schedule of one that fails shorter; 0: leave it")

// failure tells what is wrong with a story that was played, "" when nothing is: the
// shortest schedule found that fails the same way, its story, and how to play it.
func failure(t *testing.T, p plan, w *world) string {
	if len(w.violations) == 0 {
		return ""
	}
	short, plays := shrink(p, *shrinks, func(p plan) bool { return play(t, p).fails(w.kinds[0]) })
	story := play(t, short)
	return fmt.Sprintf("seed %d: %v\nof %d events %d suffice (%d stories played):\n%s\nits story:\n%s\nplay it:\n  go test ./internal/simtest -run '^TestStories$' -plan '%s'",
		p.seed, w.violations, len(p.events), len(short.events), plays, short.list(), story.upTo(w.kinds[0]), short.text())
}

// fails tells whether the story has a violation of that kind.
func (w *world) fails(kind string) bool { return slices.Contains(w.kinds, kind) }

// upTo is the story as far as its first violation of that kind.
func (w *world) upTo(kind string) string {
	i := slices.Index(w.kinds, kind)
	if i < 0 {
		return w.text()
	}
	n := slices.IndexFunc(w.story, func(line string) bool { return strings.Contains(line, "VIOLATION: "+w.violations[i]) })
	return strings.Join(w.story[:n+1], "\n")
}

// shrinker makes a plan shorter as long as it fails.
type shrinker struct {
	plan
	fails func(plan) bool
	left  int
}

// shrink gives the shortest and simplest plan found that still fails, after at most
// so many tries, and how many it took: events are left out, first many at a time,
// and what is left is made simpler, piece by piece.
func shrink(p plan, tries int, fails func(plan) bool) (plan, int) {
	s := &shrinker{plan: p, fails: fails, left: tries}
	for before := ""; before != s.text() && s.left > 0; {
		before = s.text()
		s.leaveOut()
		s.simplify()
	}
	return s.plan, tries - s.left
}

// try takes the plan when it fails as well.
func (s *shrinker) try(p plan) bool {
	if s.left == 0 || p.text() == s.text() {
		return false
	}
	s.left--
	if !s.fails(p) {
		return false
	}
	s.plan = p
	return true
}

// leaveOut removes events: a half at a time, then a quarter, down to each.
func (s *shrinker) leaveOut() {
	for size := len(s.events); size > 0; size /= 2 {
		for from := 0; from < len(s.events); {
			p := s.plan
			p.events = slices.Delete(slices.Clone(p.events), from, min(from+size, len(p.events)))
			if !s.try(p) {
				from += size
			}
		}
	}
}

func (s *shrinker) simplify() {
	for _, change := range []func(*plan){
		func(p *plan) { p.skew = 0 },
		func(p *plan) { p.crew = "" },
		func(p *plan) { p.rule = "" },
	} {
		p := s.plan
		change(&p)
		s.try(p)
	}
	for _, provider := range append([]replication.Provider{replication.HuaweiSDRS}, s.providers...) {
		p := s.plan
		p.providers = []replication.Provider{provider}
		if (len(s.providers) > 1 || s.providers[0] != provider) && s.try(p) {
			break
		}
	}
	for i := range s.events {
		for _, change := range simpler {
			p := s.plan
			p.events = slices.Clone(p.events)
			change(&p.events[i])
			s.try(p.in())
		}
	}
}

// simpler are the ways in which an event can be made so.
var simpler = []func(*event){
	func(e *event) { e.step = "" },
	func(e *event) { e.fate = arrives },
	func(e *event) { e.n = 0 },
	func(e *event) { e.n &= e.n - 1 },
	func(e *event) { e.n &= e.n >> 1 },
	func(e *event) { e.last = 0 },
	func(e *event) { e.last = (e.last / 2).Round(time.Second) },
	func(e *event) { e.last = e.last.Round(time.Second) },
	func(e *event) { e.at = e.at.Round(10 * time.Second) },
	func(e *event) { e.at = e.at.Round(time.Second) },
}

// TestShrink: of a schedule of many events little is left when one protection is
// taken out, it fails the same way, and it does so when its text is played.
func TestShrink(t *testing.T) {
	shrunk := 0
	for seed := uint64(1); shrunk < 3 && seed < 2000; seed++ {
		p := focused(draw(seed), "connect/6")
		p.off = "first byte"
		w := play(t, p)
		if len(w.kinds) == 0 || len(p.events) < 4 {
			continue
		}
		shrunk++
		short, plays := shrink(p, 400, func(p plan) bool { return play(t, p).fails(w.kinds[0]) })
		if len(short.events) > 2 {
			t.Errorf("seed %d: of %d events %d are left after %d stories:\n%s", seed, len(p.events), len(short.events), plays, short.list())
		}
		again, err := parsePlan(short.text())
		if err != nil {
			t.Fatal(err)
		}
		if !play(t, again).fails(w.kinds[0]) {
			t.Errorf("seed %d: what is left does not fail when its text is played: %s", seed, short.text())
		}
	}
	if shrunk < 3 {
		t.Errorf("%d stories fail without the look before the first byte", shrunk)
	}
}
