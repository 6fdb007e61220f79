package simtest_test

import (
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/replication"
)

var replay = flag.String("plan", "", "play this one plan, as the report of a failure tells it")

// event is one thing that happens to the world at a moment.
type event struct {
	at   time.Duration
	what string // its kind
	who  string // to whom
	whom string // and to whom else
	step string // at the next such step of who, instead of at once
	last time.Duration
	fate fate
	n    int
}

func (e event) String() string {
	s := fmt.Sprintf("%7.3fs %s", e.at.Seconds(), e.what)
	for _, part := range []struct{ before, text string }{{" ", e.who}, {" – ", e.whom}, {" at ", e.step}, {": ", string(e.fate)}} {
		if part.text != "" {
			s += part.before + part.text
		}
	}
	if e.last > 0 {
		s += " for " + e.last.Round(time.Millisecond).String()
	}
	if e.n != 0 {
		s += fmt.Sprintf(" (%d)", e.n)
	}
	return s
}

// plan is a world and what happens in it.
type plan struct {
	seed      uint64
	crew      string // which observers there are, "" the usual three
	providers []replication.Provider
	events    []event
	rule      string        // "" the usual one
	heals     time.Duration // when all is healed, and when the story is over; 0: as usual
	ends      time.Duration
	off       string        // the protection that is left out
	skew      time.Duration // by how much the observers' clocks are wrong at most
}

// in puts the events into their order.
func (p plan) in() plan {
	slices.SortStableFunc(p.events, func(a, b event) int { return int(a.at - b.at) })
	return p
}

// list is the plan for a reader.
func (p plan) list() string {
	var groups []string
	for _, provider := range p.providers {
		groups = append(groups, string(provider))
	}
	s := "  groups of " + strings.Join(groups, ", ")
	for _, part := range []struct{ name, text string }{{"observers", p.crew}, {"left out", p.off}} {
		if part.text != "" {
			s += "; " + part.name + ": " + part.text
		}
	}
	if p.skew > 0 {
		s += "; clocks wrong by up to " + p.skew.String()
	}
	if p.rule != "" {
		s += "; with a rule of its own"
	}
	for _, e := range p.events {
		s += "\n  " + e.String()
	}
	return s
}

// text is the plan as the flag -plan takes it: its own fields and then each event's,
// none of them where it is zero.
func (p plan) text() string {
	var groups []string
	for _, provider := range p.providers {
		groups = append(groups, string(provider))
	}
	parts := []string{fields(
		"seed", strconv.FormatUint(p.seed, 10), "crew", p.crew, "groups", strings.Join(groups, "+"),
		"heals", span(p.heals), "ends", span(p.ends), "off", p.off, "skew", span(p.skew), "rule", strings.Join(p.changes(), "→"),
	)}
	for _, e := range p.events {
		n := ""
		if e.n != 0 {
			n = strconv.Itoa(e.n)
		}
		parts = append(parts, fields("at", span(e.at), "what", e.what, "who", e.who, "whom", e.whom, "step", e.step, "last", span(e.last), "fate", string(e.fate), "n", n))
	}
	return strings.Join(parts, "; ")
}

func fields(pairs ...string) string {
	var out []string
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			out = append(out, pairs[i]+"="+pairs[i+1])
		}
	}
	return strings.Join(out, ", ")
}

func span(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}

// changes are the lines of the usual rule that the plan's has otherwise, each as it
// was and as it is.
func (p plan) changes() []string {
	if p.rule == "" {
		return nil
	}
	was, is := strings.Split(ruleText, "\n"), strings.Split(p.rule, "\n")
	var out []string
	for i := range min(len(was), len(is)) {
		if was[i] != is[i] {
			out = append(out, strconv.Itoa(i), strings.NewReplacer(",", "‚", ";", "︔", "=", "＝").Replace(is[i]))
		}
	}
	return out
}

// parsePlan reads what text has written.
func parsePlan(text string) (plan, error) {
	p := plan{}
	for i, part := range strings.Split(text, ";") {
		e := event{}
		for field := range strings.SplitSeq(part, ",") {
			name, value, ok := strings.Cut(strings.TrimSpace(field), "=")
			if !ok {
				return p, fmt.Errorf("%q is no field with a value", field)
			}
			set := e.set
			if i == 0 {
				set = p.set
			}
			if err := set(name, value); err != nil {
				return p, fmt.Errorf("%q: %w", field, err)
			}
		}
		if i > 0 {
			p.events = append(p.events, e)
		}
	}
	return p, nil
}

func (p *plan) set(name, value string) (err error) {
	switch name {
	case "seed":
		p.seed, err = strconv.ParseUint(value, 10, 64)
	case "crew":
		p.crew = value
	case "groups":
		for provider := range strings.SplitSeq(value, "+") {
			p.providers = append(p.providers, replication.Provider(provider))
		}
	case "heals":
		p.heals, err = time.ParseDuration(value)
	case "ends":
		p.ends, err = time.ParseDuration(value)
	case "off":
		p.off = value
	case "skew":
		p.skew, err = time.ParseDuration(value)
	case "rule":
		lines, parts := strings.Split(ruleText, "\n"), strings.Split(value, "→")
		for i := 0; i+1 < len(parts) && err == nil; i += 2 {
			var n int
			if n, err = strconv.Atoi(parts[i]); err == nil {
				lines[n] = strings.NewReplacer("‚", ",", "︔", ";", "＝", "=").Replace(parts[i+1])
			}
		}
		p.rule = strings.Join(lines, "\n")
	default:
		err = fmt.Errorf("a plan has no %s", name)
	}
	return err
}

func (e *event) set(name, value string) (err error) {
	switch name {
	case "at":
		e.at, err = time.ParseDuration(value)
	case "what":
		e.what = value
	case "who":
		e.who = value
	case "whom":
		e.whom = value
	case "step":
		e.step = value
	case "last":
		e.last, err = time.ParseDuration(value)
	case "fate":
		e.fate = fate(value)
	case "n":
		e.n, err = strconv.Atoi(value)
	default:
		err = fmt.Errorf("an event has no %s", name)
	}
	return err
}

// TestPlanText: a plan that was printed is the plan that is read.
func TestPlanText(t *testing.T) {
	for seed := uint64(1); seed <= 200; seed++ {
		p := focused(draw(seed), "connect/6")
		p.skew = skewed
		read, err := parsePlan(p.text())
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, p.text())
		}
		if read.text() != p.text() || read.rule != p.rule || read.list() != p.list() {
			t.Fatalf("seed %d:\n%s\n%s", seed, p.text(), read.text())
		}
	}
	for _, text := range []string{"seed", "seed=x", "colour=red", "seed=1; at=now", "seed=1; colour=red"} {
		if p, err := parsePlan(text); err == nil {
			t.Errorf("%q is read as %s", text, p.text())
		}
	}
}
