package policy_test

import (
	"context"
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/policy"
	"github.com/drwatch/drwatch/internal/policy/rulefile"
	"github.com/drwatch/drwatch/internal/replication"
)

const none = replication.Verdict("")

// run feeds one sample each step from 0 on: 1 and 0 as they are, '.' is a round
// that was lost, 'x' a set without the series, 'N' not a number. It evaluates a
// second after each step and returns the verdicts as g, p, v, a and -.
func run(w *world, samples string) string {
	out := ""
	for i, c := range samples {
		sec := float64(5 * i)
		switch c {
		case '0', '1':
			w.site(sec, "az-a", float64(c-'0'))
		case 'N':
			w.site(sec, "az-a", math.NaN())
		case 'x':
			w.put(sec, "probe az-a")
		}
		v := w.first(sec + 1).Vote.Verdict
		if v == none {
			out += "-"
		} else {
			out += string(v[0])
		}
	}
	return out
}

func TestHold(t *testing.T) {
	short := func(r *rulefile.Rule) { r.For = 20 * time.Second }
	bridge := func(d time.Duration) func(*rulefile.Rule) {
		return func(r *rulefile.Rule) { r.For, r.KeepFiringFor = 20*time.Second, d }
	}
	for _, c := range []struct {
		name, samples, want string
		rule                func(*rulefile.Rule)
	}{
		{"true for the whole for", "1100000000", "vv" + "ppppgggg", short},
		{"one contrary sample starts the timer anew", "000100000000", "pppvppppgggg", short},
		{"one second before for is over it comes back", "0000100", "ppppvpp", short},
		{"flapping never fires", "0001000100010001", "pppvpppvpppvpppv", short},
		{"a lost round is within the look-back", "0000.000", "ppppgggg", short},
		{"two lost rounds are not", "000..00000", "pppp-ppppg", short},
		{"silence ends a go", "000000...", "ppppggg--", short},
		{"the series is taken out of the set", "00000x0000", "ppppg-pppp", short},
		{"not a number", "000N00000", "ppp-ppppg", short},
		{"no data at all", "..........", "----------", short},
		{"for 0", "10.1", "vggv", func(r *rulefile.Rule) { r.For = 0 }},
		{"bridged gap", "0000...0000", "ppppgppgggg", bridge(30 * time.Second)},
		{"bridged after firing", "000000...000", "ppppgggppggg", bridge(30 * time.Second)},
		{"gap longer than keep_firing_for", "0000.....0000", "ppppgpp--pppp", bridge(10 * time.Second)},
		{"taken out is bridged too", "00000xx000", "ppppgppggg", bridge(10 * time.Second)},
		{"a contrary sample is never bridged", "00000100000", "ppppgvppppg", bridge(time.Minute)},
		{"not a number is never bridged", "00000N00000", "ppppg-ppppg", bridge(time.Minute)},
		{"contrary after a bridged gap", "00000...100", "ppppggppvpp", bridge(time.Minute)},
		{"nothing to bridge before it was true, and the veto keeps its word", "1.....0", "vvvvvvp", bridge(time.Minute)},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, "witness", siteRule(c.rule))
			if got := run(w, c.samples); got != c.want {
				t.Errorf("\nsamples %s\n    got %s\n   want %s", c.samples, got, c.want)
			}
		})
	}
}

// A site that comes and goes between two evaluations is noticed.
func TestEverySampleCounts(t *testing.T) {
	w := newWorld(t, "witness", siteRule())
	w.want(0, none)
	for i := range 40 {
		v := 0.0
		if i == 20 {
			v = 1
		}
		w.site(float64(1+i*5), "az-a", v)
	}
	got := w.want(200, replication.Go)
	if want := at(106); !got.Since.Equal(want) {
		t.Errorf("true since %v, want %v: after the one contrary sample", got.Since, want)
	}
	if want := at(101); !got.LastGood.Equal(want) {
		t.Errorf("last good %v, want %v", got.LastGood, want)
	}
	// Silent and back between two evaluations: noticed as well.
	for i := range 30 {
		if i > 10 && i < 14 {
			continue
		}
		w.site(float64(201+i*5), "az-a", 0)
	}
	if got := w.first(347); !got.Since.Equal(at(271)) {
		t.Errorf("true since %v, want %v: after the silence", got.Since, at(271))
	}
}

// A sample that was taken before an evaluation and came after it still counts.
func TestLateSampleCounts(t *testing.T) {
	w := newWorld(t, "witness", exprRule(`drwatch_site_reachable == 0`, func(r *rulefile.Rule) {
		r.Expr = `min(drwatch_site_reachable) == 0 unless on() max(drwatch_site_reachable) == 1`
	}))
	w.site(0, "az-a", 0)
	w.want(1, replication.Pending)
	for i := 1; i < 12; i++ {
		w.site(float64(5*i), "az-a", 0)
		w.want(float64(5*i+1), replication.Pending)
	}
	w.site(57, "az-b", 1) // taken at 57; when it comes, 58 has been evaluated
	w.site(60, "az-a", 0)
	w.site(60, "az-b", 0)
	if got := w.want(61, replication.Pending); got.Since.Before(at(57)) {
		t.Errorf("true since %v: the late contrary sample at 57 was overlooked", got.Since)
	}
}

// A late sample that agrees must not take the timer back over a contradiction
// that is known already.
func TestLateSampleDoesNotJumpOverAContradiction(t *testing.T) {
	w := newWorld(t, "witness", exprRule(`x == 0 and on() y == 0`))
	w.put(5, "y", sample(0, "__name__", "y"))
	w.want(6, none)
	w.put(10, "y", sample(1, "__name__", "y"))
	w.want(11, none)
	w.put(12, "y", sample(0, "__name__", "y"))
	w.put(8, "x", sample(0, "__name__", "x"))
	if got := w.want(13, replication.Pending); got.Since.Before(at(10)) {
		t.Errorf("true since %v, though y was 1 at %v", got.Since, at(10))
	}
}

func TestConcurrentUse(t *testing.T) {
	w := newWorld(t, "witness", siteRule())
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range 200 {
			w.site(float64(i), "az-a", 0)
		}
	})
	wg.Go(func() {
		for range 20 {
			w.set(siteRule(), exprRule("x", func(r *rulefile.Rule) { r.Name = "x" }))
			w.eval.Due(at(200))
			w.eval.NextDue(at(200))
		}
	})
	for i := range 50 {
		w.round(float64(4 * i))
	}
	wg.Wait()
	if got := w.round(201).Rules[0].Targets[0].State; got == "" {
		t.Error("the timer does not run")
	}
}

func TestSourceEnds(t *testing.T) {
	w := newWorld(t, "witness", siteRule(func(r *rulefile.Rule) { r.For = 0 }))
	w.site(0, "az-a", 0)
	w.want(1, replication.Go)
	w.store.EndSource("probe az-a", at(2))
	w.want(3, none)
}

func TestReload(t *testing.T) {
	rule, other := siteRule(), siteRule(func(r *rulefile.Rule) { r.Name = "other" })
	w := newWorld(t, "witness", rule)
	for i := range 10 {
		w.site(float64(i*5), "az-a", 0)
		w.want(float64(i*5+1), replication.Pending)
	}
	w.set(rule, other)
	if err := w.eval.SetRules([]policy.Loaded{{Rule: exprRule("x =="), Hash: "broken"}}); err == nil {
		t.Error("a rule that does not parse is taken")
	}
	for i := 10; i < 13; i++ {
		w.site(float64(i*5), "az-a", 0)
	}
	ev := w.round(61)
	if got := ev.Rules[0].Targets[0]; got.Vote.Verdict != replication.Go || !got.Since.Equal(at(0)) {
		t.Errorf("the unchanged rule: %q since %v, want go since the start", got.Vote.Verdict, got.Since)
	}
	if got := ev.Rules[1].Targets[0]; got.Vote.Verdict != replication.Pending || got.Since.Before(at(45)) {
		t.Errorf("the new rule: %q since %v, want pending since the reload", got.Vote.Verdict, got.Since)
	}
	w.set(siteRule(func(r *rulefile.Rule) { r.For = 50 * time.Second }))
	if got := w.want(62, replication.Pending); !got.Since.Equal(at(62)) {
		t.Errorf("the changed rule is true since %v, want anew", got.Since)
	}
}

// A query that fails moves nothing: neither towards acting nor to a new start.
func TestQueryError(t *testing.T) {
	const expr = `drwatch_site_reachable{site="az-a"} == 0 and on(k) (a * on(k) group_left b)`
	w := newWorld(t, "witness", exprRule(expr, func(r *rulefile.Rule) { r.For, r.Veto = 30*time.Second, `spoke == 1` }))
	feed := func(sec float64, twice bool) {
		w.store.Append("probe az-a", at(sec), step, nil)
		set := sets(twice)
		set = append(set, sample(0, "__name__", "drwatch_site_reachable", "site", "az-a", "k", "1"))
		w.put(sec, "s", set...)
	}
	for i := range 4 {
		feed(float64(5*i), false)
		w.want(float64(5*i)+1, replication.Pending)
	}
	for i := 4; i < 8; i++ {
		feed(float64(5*i), true) // many-to-many: the engine refuses
		got := w.want(float64(5*i)+1, replication.Abstain)
		if got.UntrueFor != 0 {
			t.Errorf("unknown, yet known false for %v", got.UntrueFor)
		}
	}
	if w.logs.n == 0 {
		t.Error("nobody was told")
	}
	w.put(37, "v", sample(1, "__name__", "spoke"))
	w.want(38, replication.Veto) // an error takes no veto away
	w.put(39, "v", sample(0, "__name__", "spoke"))
	feed(40, false)
	// 15 s were known before, the 25 s of errors do not count.
	if got := w.want(41, replication.Pending); !got.Since.Equal(at(24)) {
		t.Errorf("the timer stood at %v, want %v", got.Since, at(24))
	}
	feed(45, false)
	feed(50, false)
	w.want(53, replication.Pending)
	w.want(54, replication.Go)
}

func TestManyMomentsAreBounded(t *testing.T) {
	w := newWorld(t, "witness", siteRule())
	w.want(0, none)
	for i := range 3000 {
		w.store.Append("probe az-a", at(1+float64(i)/10), step, sets0())
	}
	got := w.first(301)
	if got.Since.Before(at(200)) {
		t.Errorf("true since %v, though the samples before 201 s were not looked at", got.Since)
	}
}

func TestContextEnds(t *testing.T) {
	w := newWorld(t, "witness", siteRule(func(r *rulefile.Rule) { r.For = 0 }))
	w.site(0, "az-a", 0)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	ev := w.eval.Evaluate(ctx, policy.Round{At: at(1), Targets: w.targets})
	if r := ev.Rules[0]; r.Err == nil || r.Targets[0].Vote.Verdict != replication.Abstain {
		t.Errorf("a cancelled evaluation says %v, %q", r.Err, r.Targets[0].Vote.Verdict)
	}
}

func TestTargetThatComesLaterStartsItsOwnTimer(t *testing.T) {
	w := newWorld(t, "witness", siteRule())
	for i := range 13 {
		w.site(float64(5*i), "az-a", 0)
		if i == 6 {
			w.targets = append(w.targets, group("g2", "db-2", "az-a", "az-b", "az-a"))
		}
		w.round(float64(5*i) + 1)
	}
	ev := w.round(62)
	got := fmt.Sprint(ev.Rules[0].Targets[0].Vote.Verdict, " ", ev.Rules[0].Targets[1].Vote.Verdict)
	if got != "go pending" {
		t.Errorf("old and new target: %s", got)
	}
	w.targets = w.targets[1:]
	w.round(63)
	w.targets = append(w.targets, group("g1", "db-1", "az-a", "az-b", "az-a"))
	if ev := w.round(64); ev.Rules[0].Targets[1].Vote.Verdict != replication.Pending {
		t.Error("a target that went and came back kept its timer")
	}
}
