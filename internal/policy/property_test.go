package policy_test

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"math/rand"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/policy"
	"github.com/drwatch/drwatch/internal/policy/rulefile"
	"github.com/drwatch/drwatch/internal/replication"
	"github.com/drwatch/drwatch/internal/series"
)

// What a round of one source can say of its series.
const (
	absent = iota - 1 // the set has no such series
	zero
	one
	notNumber
	lost // there was no set
)

// history is what each source said in each round: history[source][round].
type history [][]int

const (
	srcA, srcB, srcFine, srcLoad = 0, 1, 2, 3
	sources                      = 4
	roundsRun                    = 24
)

func randomHistory(r *rand.Rand) history {
	h := make(history, sources)
	for s := range h {
		v := r.Intn(2)
		for range roundsRun {
			if r.Intn(6) == 0 {
				v = 1 - v
			}
			x := v
			switch r.Intn(20) {
			case 0:
				x = absent
			case 1:
				x = notNumber
			case 2:
				x = lost
			}
			h[s] = append(h[s], x)
		}
	}
	return h
}

func (h history) clone() history {
	out := make(history, len(h))
	for i := range h {
		out[i] = append([]int(nil), h[i]...)
	}
	return out
}

// verdict is one observer's answer and its guards, after one round.
type verdict struct {
	vote   replication.Verdict
	guards []bool
	down   bool
}

// play lets the history happen and evaluates after every round.
func play(t testing.TB, h history, rule rulefile.Rule) []verdict {
	store := series.New(series.Options{Retention: time.Hour})
	eval := policy.New(policy.Options{
		Store: store, Observer: "o", Site: "witness", Mode: replication.Auto,
		Now: func() time.Time { return base }, Logger: slog.New(slog.DiscardHandler),
	})
	if err := eval.SetRules([]policy.Loaded{{Rule: rule, Hash: "h"}}); err != nil {
		t.Fatal(err)
	}
	targets := []policy.Target{group("g1", "db-1", "az-a", "az-b", "az-a")}
	var out []verdict
	for round := range roundsRun {
		for s := range h {
			say(store, s, round, h[s][round])
		}
		ev := eval.Evaluate(context.Background(), policy.Round{At: at(float64(5*round) + 1), Targets: targets})
		got := ev.Rules[0].Targets[0]
		v := verdict{vote: got.Vote.Verdict, down: got.Vote.TargetDown}
		for _, g := range got.Guards {
			v.guards = append(v.guards, g.OK)
		}
		out = append(out, v)
	}
	return out
}

func say(store *series.Store, source, round, v int) {
	if v == lost {
		return
	}
	labels := [sources][]string{
		{"__name__", "drwatch_site_reachable", "site", "az-a"},
		{"__name__", "drwatch_site_reachable", "site", "az-b"},
		{"__name__", "fine"},
		{"__name__", "load", "group", "g1"},
	}
	var set []series.Sample
	switch v {
	case zero, one:
		set = append(set, sample(float64(v), labels[source]...))
	case notNumber:
		set = append(set, sample(math.NaN(), labels[source]...))
	}
	store.Append(fmt.Sprint("s", source), at(float64(5*round)), step, set)
}

var propertyRules = []rulefile.Rule{
	siteRule(func(r *rulefile.Rule) {
		r.For = 20 * time.Second
		r.Guards.Expr = []string{`drwatch_site_reachable{site="az-b"} == 1`, `max(load) < 1`}
	}),
	exprRule(`drwatch_site_reachable{site="az-a"} == 0 and on() load == 0`, func(r *rulefile.Rule) {
		r.For = 15 * time.Second
		r.Guards.Expr = []string{`sum(load) + on() sum(fine) < 2`}
	}),
}

var aggregateRules = []rulefile.Rule{
	exprRule(`sum(drwatch_site_reachable) == 0`, func(r *rulefile.Rule) { r.For = 10 * time.Second }),
	exprRule(`load == 0 unless on() max(drwatch_site_reachable) == 1`, func(r *rulefile.Rule) {
		r.For, r.Guards.Expr = 10*time.Second, []string{`count({__name__=~"fine|load"} == 1) < 2 or vector(1) * on() max(load) == 0`}
	}),
}

// TestLosingEvidenceNeverActs is invariant 6 for one observer: an answer that is
// no stays no when a sample of any round is taken out of its set, made not a
// number, or when a source falls silent from some round on (as soon as the silence
// is longer than the look-back). keep_firing_for is 0
// here: it bridges what is missing, by its very meaning.
func TestLosingEvidenceNeverActs(t *testing.T) {
	neverActs(t, propertyRules, lose)
}

// An aggregate over several series cannot know what a sample would have said
// that never came. It knows what each series last said, and goes by that: losing
// samples that only repeat it never turns a no into a yes.
func TestAggregatesGoByTheLastWord(t *testing.T) {
	neverActs(t, aggregateRules, loseRepeats)
}

func neverActs(t *testing.T, rules []rulefile.Rule, lose func(*rand.Rand, history) (what string, within int)) {
	gos := 0
	for seed := range int64(150) {
		r := rand.New(rand.NewSource(seed))
		h := randomHistory(r)
		rule := rules[r.Intn(len(rules))]
		full := play(t, h, rule)
		for _, v := range full {
			if v.vote == replication.Go {
				gos++
			}
		}
		less := h.clone()
		what, within := lose(r, less)
		for i, v := range play(t, less, rule) {
			if i == within {
				continue
			}
			if v.vote == replication.Go && full[i].vote != replication.Go {
				t.Fatalf("seed %d, %s: after %s round %d turned from %q to go\nfull %v\nless %v", seed, rule.Expr, what, i, full[i].vote, h, less)
			}
			for g := range v.guards {
				if v.guards[g] && !full[i].guards[g] {
					t.Fatalf("seed %d: after %s guard %d began to hold in round %d\nfull %v\nless %v", seed, what, g, i, h, less)
				}
			}
		}
	}
	if gos < 100 {
		t.Errorf("only %d rounds had a go: the histories prove little", gos)
	}
}

// loseRepeats takes out, or makes not a number, samples that say what the one
// before them said.
func loseRepeats(r *rand.Rand, h history) (string, int) {
	s, from := r.Intn(sources), 1+r.Intn(roundsRun-1)
	last, with := h[s][from-1], []int{absent, lost, notNumber}[r.Intn(3)]
	if last != zero && last != one {
		return "nothing", -1
	}
	for i := from; i < roundsRun && h[s][i] == last; i++ {
		h[s][i] = with
	}
	return fmt.Sprintf("losing what source %d repeats from round %d", s, from), -1
}

// lose takes evidence out of a history and says what. A silence of one round is
// within the look-back and so not noticed yet: that round is returned, or -1.
func lose(r *rand.Rand, h history) (string, int) {
	s, from := r.Intn(sources), r.Intn(roundsRun)
	switch r.Intn(3) {
	case 0:
		if h[s][from] != lost {
			h[s][from] = absent
		}
		return fmt.Sprintf("leaving source %d out of its set in round %d", s, from), -1
	case 1:
		if h[s][from] == zero || h[s][from] == one {
			h[s][from] = notNumber
		}
		return fmt.Sprintf("making source %d not a number in round %d", s, from), -1
	}
	for i := from; i < roundsRun; i++ {
		h[s][i] = lost
	}
	return fmt.Sprintf("source %d falling silent in round %d", s, from), from
}

// A veto and a target that is down do not go away with their sample before one
// `for` has passed.
func TestLosingAVetoKeepsIt(t *testing.T) {
	rule := exprRule(`load == 0`, func(r *rulefile.Rule) { r.For, r.Veto = 500*time.Second, `fine == 1` })
	for seed := range int64(80) {
		r := rand.New(rand.NewSource(seed))
		h := randomHistory(r)
		full := play(t, h, rule)
		less := h.clone()
		what, _ := lose(r, less)
		for i, v := range play(t, less, rule) {
			if full[i].vote == replication.Veto && v.vote != replication.Veto && less[srcFine][0] == h[srcFine][0] && seenBefore(less, srcFine, i, one) {
				t.Fatalf("seed %d: after %s the veto of round %d went\nfull %v\nless %v", seed, what, i, h, less)
			}
			if full[i].down && !v.down && seenBefore(less, srcB, i, zero) {
				t.Fatalf("seed %d: after %s az-b came up in round %d\nfull %v\nless %v", seed, what, i, h, less)
			}
		}
	}
}

// seenBefore tells whether the newest number of a source up to a round is v:
// what is not remembered cannot be kept.
func seenBefore(h history, source, round, v int) bool {
	for i := round; i >= 0; i-- {
		if h[source][i] == zero || h[source][i] == one {
			return h[source][i] == v
		}
	}
	return false
}

func BenchmarkEvaluate(b *testing.B) {
	w := newWorld(b, "witness")
	w.targets = nil
	var set []series.Sample
	for i := range 1000 {
		id := fmt.Sprint("g", i)
		w.targets = append(w.targets, group(id, "db-"+id, "az-a", "az-b", "az-a"))
		set = append(set, sample(20, "__name__", "drwatch_group_replication_lag_seconds", "account", "hw", "group", id))
	}
	var rules []rulefile.Rule
	for i := range 20 {
		r := siteRule(func(r *rulefile.Rule) { r.Guards.Expr = []string{`drwatch_site_reachable{site="az-b"} == 1`} })
		if i%2 == 1 {
			r = exprRule(`drwatch_group_replication_lag_seconds > 10`)
		}
		r.Name = fmt.Sprint("r", i)
		rules = append(rules, r)
	}
	w.set(rules...)
	sec := 0.0
	b.ReportAllocs()
	for b.Loop() {
		sec += 5
		w.site(sec, "az-a", 0)
		w.site(sec, "az-b", 1)
		w.put(sec, "hw", set...)
		if ev := w.round(sec + 1); len(ev.Rules[19].Targets) != 1000 {
			b.Fatal("want all groups")
		}
	}
}
