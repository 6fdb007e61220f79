package simtest_test

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/policy/rulefile"
	"github.com/drwatch/drwatch/internal/replication"
)

var museum = flag.Bool("museum", false, "print each story of the museum")

// exhibit is an outage or a bug that others have had, as stories of three observers.
type exhibit struct {
	name   string // its heading in docs/museum.md
	source string
	rooms  []room
}

// room is one story of an exhibit, with what must come of it.
type room struct {
	name string
	plan plan
	// moved is how often each group is failed over, within that time of its loss (0:
	// whenever), and calls how many requests have left for it (0: as many as moved).
	moved  int
	within time.Duration
	calls  int
	// phase is where the last incident stands, "" when there is to be none.
	phase replication.Phase
	// told is a part of what a person must have been told while nothing began.
	told string
	// seen is a part of the story without which it would not be the one meant.
	seen string
	// broken is a part of the violation that must be found: the room shows what
	// happens without a protection.
	broken string
}

func exhibits() []exhibit { return slices.Concat(outages(), bugs()) }

func TestMuseum(t *testing.T) {
	for _, x := range exhibits() {
		t.Run(x.slug(), func(t *testing.T) {
			for _, r := range x.rooms {
				w := play(t, r.plan)
				if *museum {
					t.Logf("%s: %s\n%s", x.name, r.name, w.text())
				}
				for _, wrong := range r.judge(w) {
					t.Errorf("%s: %s: %s\n%s", x.name, r.name, wrong, w.text())
				}
			}
		})
	}
}

// TestMuseumByChance: what must come of a room does not hang on who leads, nor on
// the moments at which each observer looks.
func TestMuseumByChance(t *testing.T) {
	for _, x := range exhibits() {
		for _, r := range x.rooms {
			if strings.HasPrefix(r.name, "without") {
				continue
			}
			r.plan.seed += 100
			r.within, r.told, r.seen = 0, "", ""
			w := play(t, r.plan)
			for _, wrong := range r.judge(w) {
				t.Errorf("%s: %s: %s\n%s", x.name, r.name, wrong, w.text())
			}
		}
	}
}

var notInSlugs = regexp.MustCompile(`[^a-z0-9]+`)

func (x exhibit) slug() string {
	return strings.Trim(notInSlugs.ReplaceAllString(strings.ToLower(x.name), "-"), "-")
}

// judge says all that is not as it must be.
func (r room) judge(w *world) []string {
	var wrong []string
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	violations := strings.Join(w.violations, "; ")
	without := strings.HasPrefix(r.name, "without") // may break what the checks know of
	if !without && violations != "" || !strings.Contains(violations, r.broken) {
		say("violated: %q, expected: %q", violations, r.broken)
	}
	for _, g := range w.order {
		if len(g.effects) != r.moved {
			say("%s was failed over %d times, expected: %d", g.name, len(g.effects), r.moved)
		}
		if calls := max(r.calls, r.moved); r.broken == "" && g.calls != calls {
			say("%d calls have left for %s, expected: %d", g.calls, g.name, calls)
		}
		if took := g.movedAfter(); r.within > 0 && took > r.within {
			say("%s was failed over %s after the loss, expected: within %s", g.name, took, r.within)
		}
	}
	if phase := lastPhase(w.cluster()); r.broken == "" && phase != r.phase {
		say("the last incident is %q, expected: %q", phase, r.phase)
	}
	if told := strings.Join(w.told, "\n"); !strings.Contains(told, r.told) {
		say("a person was told %q, expected: %q", told, r.told)
	}
	if !strings.Contains(w.text(), r.seen) {
		say("the story has no %q", r.seen)
	}
	return wrong
}

// movedAfter is the time from the loss to the first effect.
func (g *group) movedAfter() time.Duration {
	if len(g.effects) == 0 {
		return 0
	}
	return g.effects[0].at - g.w.lostAt()
}

func lastPhase(c replication.Cluster) replication.Phase {
	var last replication.Incident
	for _, rec := range c.Incidents {
		if last.ID == "" || rec.OpenedAt.After(last.OpenedAt) {
			last = rec.Incident
		}
	}
	return last.Phase
}

// on is a plan with one group of that provider.
func on(p replication.Provider, seed uint64, events ...event) plan {
	slices.SortStableFunc(events, func(a, b event) int { return int(a.at - b.at) })
	return plan{seed: seed, providers: []replication.Provider{p}, events: events}
}

// under is the plan with another rule, made from the usual one by pairs of old and
// new text.
func (p plan) under(changes ...string) plan {
	for i := 0; i < len(changes); i += 2 {
		if !strings.Contains(ruleText, changes[i]) {
			panic("the usual rule has no " + changes[i])
		}
	}
	p.rule = strings.NewReplacer(changes...).Replace(ruleText)
	return p
}

// until is the plan with another end of the faults and of the story.
func (p plan) until(heals, ends time.Duration) plan {
	p.heals, p.ends = heals, ends
	return p
}

func (p plan) without(protection string) plan {
	p.off = protection
	return p
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// lost takes az-a away for good: n 1 with its observer, 2 with the ways to it.
func lost(at float64, n int) event { return event{at: seconds(at), what: "lose", who: "az-a", n: n} }

// cuts are the cuts between each of some and each of others.
func cuts(at, last float64, some, others []string) []event {
	var all []event
	for i, a := range some {
		for j, b := range others {
			if a != b && (!slices.Equal(some, others) || i < j) {
				all = append(all, event{at: seconds(at), what: "cut", who: a, whom: b, last: seconds(last)})
			}
		}
	}
	return all
}

// each is the same event for each observer.
func each(e event) []event {
	var all []event
	for _, name := range names {
		e.who = name
		all = append(all, e)
	}
	return all
}

// TestMuseumPage holds the page and the stories equal: the same exhibits in the
// same order, each with its source and with the names of its rooms.
func TestMuseumPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/museum.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := strings.Split(string(page), "\n## ")[1:]
	all := exhibits()
	if len(sections) != len(all) {
		t.Errorf("the page has %d exhibits, the museum %d", len(sections), len(all))
	}
	for i, x := range all[:min(len(all), len(sections))] {
		heading, text, _ := strings.Cut(sections[i], "\n")
		if heading != x.name {
			t.Errorf("exhibit %d of the page is %q, of the museum %q", i+1, heading, x.name)
			continue
		}
		var rooms []string
		for _, r := range x.rooms {
			rooms = append(rooms, r.name)
		}
		shown := fmt.Sprintf("- **Shown by** `TestMuseum/%s`: %s.\n", x.slug(), strings.Join(rooms, "; "))
		for _, want := range []string{"](" + x.source + ")", "- **There.** ", "- **Why.** ", "- **Here.** ", "- **Without it.** ", shown} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: the page has no %q", x.name, want)
			}
		}
		if n := strings.Count(text, "\n- "); n != 5 {
			t.Errorf("%s: the page tells it in %d lines, expected: 5", x.name, n)
		}
	}
}

// TestARuleCanOnlyFailOver: what a rule is given to act with has the failover and
// nothing else, so no rule can overwrite a side.
func TestARuleCanOnlyFailOver(t *testing.T) {
	sender := reflect.TypeFor[failover.Sender]()
	if sender.NumMethod() != 1 || sender.Method(0).Name != "Failover" {
		t.Errorf("a Sender has %d methods, expected: Failover alone", sender.NumMethod())
	}
}

// TestARuleThatDoesNotFence: in mode auto it is refused before anything is lost.
func TestARuleThatDoesNotFence(t *testing.T) {
	text := strings.Replace(ruleText, `        fence: {accept_split_brain: "nothing writes here"}`+"\n", "", 1)
	if _, problems := rulefile.Parse("rules.yml", []byte(text), rulefile.Known{NoConfig: true}); !strings.Contains(fmt.Sprint(problems), "fence") {
		t.Errorf("the rule is taken without a fence: %v", problems)
	}
}
