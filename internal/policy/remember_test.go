package policy_test

import (
	"fmt"
	"math/rand"
	"slices"
	"testing"

	"github.com/drwatch/drwatch/internal/policy/rulefile"
)

// What is remembered of an expression is what the engine would say again: over any
// history a rule and the same rule in words that are asked anew each time agree.
func TestWhatIsRememberedIsWhatWouldBeSaid(t *testing.T) {
	anew := func(text string) string { return "(" + text + ") and on() (vector(time()) > 0)" }
	rules := append(slices.Clone(propertyRules), aggregateRules...)
	rules = append(rules, exprRule(`load == 0 or fine != 1`, func(r *rulefile.Rule) { r.KeepFiringFor, r.Veto = 2*step, `sum(drwatch_site_reachable) > 1` }))
	spoke := 0
	for seed := range int64(200) {
		r := rand.New(rand.NewSource(seed))
		h, rule := randomHistory(r), rules[int(seed)%len(rules)]
		rule.For = step
		twin := rule
		twin.Expr, twin.Guards.Expr = anew(rule.Expr), nil
		if rule.Veto != "" {
			twin.Veto = anew(rule.Veto)
		}
		for _, g := range rule.Guards.Expr {
			twin.Guards.Expr = append(twin.Guards.Expr, anew(g))
		}
		got, want := play(t, h, rule), play(t, h, twin)
		for i := range got {
			if fmt.Sprint(got[i]) != fmt.Sprint(want[i]) {
				t.Fatalf("seed %d: %s: round %d gives %v, asked anew %v\n%v", seed, rule.Expr, i, got[i], want[i], h)
			}
			if got[i].vote != "" {
				spoke++
			}
		}
	}
	if spoke < 500 {
		t.Errorf("only %d rounds had a verdict: the histories prove little", spoke)
	}
}

// An expression that looks at more than the newest samples turns true although they
// stay the same.
func TestTimeIsNotForgotten(t *testing.T) {
	for _, text := range []string{
		fmt.Sprintf(`fine == 1 and on() vector(time()) > %d`, at(20).Unix()),
		`fine offset 15s == 1`,
		`min_over_time(fine[15s]) == 1`,
		`min_over_time((fine == 1)[15s:5s]) == 1 unless on() changes(fine[20s]) > 0`,
		fmt.Sprintf(`timestamp(fine) > %d`, at(20).Unix()),
	} {
		w := newWorld(t, "witness", exprRule(text, func(r *rulefile.Rule) { r.For = 0 }))
		for sec := 0.0; sec <= 40; sec += 5 {
			v := 1.0
			if sec == 0 {
				v = 0
			}
			w.put(sec, "s", sample(v, "__name__", "fine"))
			if got := w.first(sec+1).State != ""; sec == 5 && got || sec == 40 && !got {
				t.Errorf("%s: %v s: true is %t", text, sec, got)
			}
		}
	}
}
