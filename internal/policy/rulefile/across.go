package rulefile

import (
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/drwatch/drwatch/internal/strictyaml"
)

// acrossRules checks what concerns several rules, whichever files they stand in.
func (l *loader) acrossRules() {
	byName := map[string]*Rule{}
	for _, r := range l.rules {
		if r.Name == "" {
			continue
		}
		if first, ok := byName[r.Name]; ok {
			l.problems.Errorf(r.pos["failover"], "rule %q exists already, at %s", r.Name, first.pos["failover"])
			continue
		}
		byName[r.Name] = r
	}
	l.sameTargets()
	for _, r := range l.rules {
		l.order(r, byName)
	}
}

// sameTargets warns of two rules with the same targets: whichever claims first
// acts, and the other one never.
func (l *loader) sameTargets() {
	first := map[string]*Rule{}
	for _, r := range l.rules {
		key := matchersKey(r.Targets)
		if key == "" {
			continue
		}
		if f, ok := first[key]; ok {
			l.problems.Warnf(r.pos["targets"], "rule %q: has the same targets as rule %q at %s: of the two, the first to claim a group acts",
				r.Name, f.Name, f.Place)
			continue
		}
		first[key] = r
	}
}

// matchersKey is matchers in one order, whatever order they are written in.
func matchersKey(ms []*labels.Matcher) string {
	out := make([]string, len(ms))
	for i, m := range ms {
		out[i] = m.String()
	}
	slices.Sort(out)
	return strings.Join(slices.Compact(out), ",")
}

// order checks that the rules a rule waits for exist and do not wait for it.
func (l *loader) order(r *Rule, byName map[string]*Rule) {
	names := make([]string, 0, len(byName))
	for name := range byName {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, after := range r.After {
		if _, ok := byName[after]; !ok {
			l.problems.Errorf(r.pos["after"], "rule %q: after: there is no rule %q%s", r.Name, after, strictyaml.Suggest(after, names))
		}
	}
	if cycle := waitsForItself(r, byName); cycle != nil {
		l.problems.Errorf(r.pos["after"], "rule %q: after: it waits for itself (%s)", r.Name, strings.Join(cycle, " → "))
	}
}

// waitsForItself is the shortest way from a rule over `after` back to it, nil
// when there is none.
func waitsForItself(r *Rule, byName map[string]*Rule) []string {
	type step struct {
		rule *Rule
		way  []string
	}
	seen := map[*Rule]bool{}
	for todo := []step{{r, []string{r.Name}}}; len(todo) > 0; todo = todo[1:] {
		at := todo[0]
		for _, name := range at.rule.After {
			next, ok := byName[name]
			if !ok {
				continue
			}
			way := append(slices.Clone(at.way), name)
			if next == r {
				return way
			}
			if !seen[next] {
				seen[next] = true
				todo = append(todo, step{next, way})
			}
		}
	}
	return nil
}
