package simtest_test

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/drwatch/drwatch/internal/policy/rulefile"
)

const ruleText = `
groups:
  - name: sites
    interval: 5s
    rules:
      - failover: az-a-lost
        targets: '{active_site="az-a"}'
        site_unreachable: az-a
        for: 10s
        mode: auto
        quorum: {agree: 2, of: 3, veto: any}
        fence: {accept_split_brain: "nothing writes here"}
        guards: {lag_under: 30s, lag_unknown: allow, data_age_under: 2m, cooldown: 1h, max_failures: 3}
`

// The rule files that there are: the usual one, one that says the same in other words,
// and those of later revisions.
const (
	usualFile = "rules"
	otherFile = "other rules"
)

func revised(n int) string { return fmt.Sprintf("rules of revision %d", n+2) }

// revisions are what a new rule file may have otherwise.
func revisions() []*strings.Replacer {
	return []*strings.Replacer{
		strings.NewReplacer("for: 10s", "for: 14s"),
		strings.NewReplacer("cooldown: 1h", "cooldown: 2h"),
		strings.NewReplacer("mode: auto", "mode: dry_run"),
	}
}

// parsed are the rules by their text: stories share a few.
var parsed sync.Map

func mustParse(text string) *rulefile.Rule {
	if r, ok := parsed.Load(text); ok {
		return r.(*rulefile.Rule)
	}
	rules, problems := rulefile.Parse("rules.yml", []byte(text), rulefile.Known{NoConfig: true})
	if len(rules) != 1 {
		panic(problems)
	}
	parsed.Store(text, rules[0])
	return rules[0]
}

// holdIn is how long the rule in a file holds, as the judges know it.
func holdIn(file string) time.Duration {
	if file == revised(0) {
		return 14 * time.Second
	}
	return holdFor
}

// rule is what stands in a file.
func (w *world) rule(file string) *rulefile.Rule {
	if r, ok := w.rules[file]; ok {
		return r
	}
	return w.rules[usualFile]
}

// happenToRules gives one observer another file for a while, or all of them a new one,
// one after the other.
func (w *world) happenToRules(e event) {
	if e.what == "rules" {
		o := w.observer(e.who)
		o.load(otherFile)
		w.after(e.last, func() { o.load(w.fileNow()) })
		return
	}
	w.setFile(revised(e.n % len(revisions())))
	for i, at := range w.inTurn(e) {
		o, file := w.observers[at], w.fileNow()
		time.AfterFunc(time.Duration(i)*e.last/5, func() {
			if w.fileNow() == file {
				o.load(file)
			}
		})
	}
}

// inTurn is an order of the observers, by the event's own chance.
func (w *world) inTurn(e event) []int {
	n := len(w.observers)
	first := int(e.at/time.Millisecond) % n
	out := make([]int, n)
	for i := range out {
		out[i] = (first + i) % n
	}
	return out
}
