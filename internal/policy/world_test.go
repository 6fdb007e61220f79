package policy_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/drwatch/drwatch/internal/policy"
	"github.com/drwatch/drwatch/internal/policy/rulefile"
	"github.com/drwatch/drwatch/internal/replication"
	"github.com/drwatch/drwatch/internal/series"
)

const step = 5 * time.Second

var base = time.Date(2026, 11, 20, 3, 0, 0, 0, time.UTC)

// at is so many seconds into the test.
func at(sec float64) time.Time { return base.Add(time.Duration(sec * float64(time.Second))) }

// world is a store and an evaluator, with short words for what happens.
type world struct {
	t       testing.TB
	store   *series.Store
	eval    *policy.Evaluator
	targets []policy.Target
	fit     policy.Fitness
	logs    *logs
}

type logs struct{ n int }

func (l *logs) Write(p []byte) (int, error) { l.n++; return len(p), nil }

func newWorld(t testing.TB, site string, rules ...rulefile.Rule) *world {
	t.Helper()
	w := &world{t: t, store: series.New(series.Options{Retention: 30 * time.Minute}), logs: &logs{}}
	w.eval = policy.New(policy.Options{
		Store: w.store, Observer: "obs-w", Site: site, Mode: replication.Auto,
		Now: func() time.Time { return base }, Logger: slog.New(slog.NewTextHandler(w.logs, nil)),
	})
	w.targets = []policy.Target{group("g1", "db-1", "az-a", "az-b", "az-a")}
	w.set(rules...)
	return w
}

func (w *world) set(rules ...rulefile.Rule) {
	w.t.Helper()
	var loaded []policy.Loaded
	for _, r := range rules {
		loaded = append(loaded, policy.Loaded{Rule: r, Hash: r.Expr + r.For.String()})
	}
	if err := w.eval.SetRules(loaded); err != nil {
		w.t.Fatal(err)
	}
}

func group(id, name, source, target, active string) policy.Target {
	return policy.NewTarget(&replication.Group{
		Key: replication.GroupKey{Provider: replication.HuaweiSDRS, ID: id}, Account: "hw", Name: name,
	}, source, target, active)
}

func sample(v float64, kv ...string) series.Sample {
	return series.Sample{Labels: labels.FromStrings(kv...), Value: v}
}

// site appends what the probes of one site say.
func (w *world) site(sec float64, site string, v float64) {
	w.store.Append("probe "+site, at(sec), step, []series.Sample{sample(v, "__name__", "drwatch_site_reachable", "site", site)})
}

// put appends a set of any other source.
func (w *world) put(sec float64, source string, set ...series.Sample) {
	w.store.Append(source, at(sec), step, set)
}

// round evaluates all rules.
func (w *world) round(sec float64) policy.Evaluation {
	return w.eval.Evaluate(context.Background(), policy.Round{At: at(sec), Targets: w.targets, Fitness: w.fit})
}

// first evaluates, and returns what the first rule says of the first target.
func (w *world) first(sec float64) policy.TargetResult {
	w.t.Helper()
	ev := w.round(sec)
	if len(ev.Rules[0].Targets) == 0 {
		w.t.Fatalf("at %v: no targets", sec)
	}
	return ev.Rules[0].Targets[0]
}

func (w *world) want(sec float64, want replication.Verdict) policy.TargetResult {
	w.t.Helper()
	got := w.first(sec)
	if got.Vote.Verdict != want {
		w.t.Errorf("at %v: vote %q (%s), want %q", sec, got.Vote.Verdict, got.Vote.Evidence, want)
	}
	return got
}

// siteRule is the usual rule: az-a is unreachable for a minute.
func siteRule(change ...func(*rulefile.Rule)) rulefile.Rule {
	r := rulefile.Rule{
		Name: "az-a", Interval: step, SiteUnreachable: "az-a", Expr: `drwatch_site_reachable{site="az-a"} == 0`,
		For: time.Minute, VetoAny: true, Mode: replication.Auto, Targets: matchers(`{provider="huawei_sdrs"}`),
	}
	for _, c := range change {
		c(&r)
	}
	return r
}

func exprRule(expr string, change ...func(*rulefile.Rule)) rulefile.Rule {
	return siteRule(append([]func(*rulefile.Rule){func(r *rulefile.Rule) { r.SiteUnreachable, r.Expr = "", expr }}, change...)...)
}

func matchers(s string) []*labels.Matcher {
	ms, err := parser.NewParser(parser.Options{}).ParseMetricSelector(s)
	if err != nil {
		panic(err)
	}
	return ms
}

// sets makes the two sides of a join; twice, the "one" side has two.
func sets(twice bool) []series.Sample {
	out := []series.Sample{sample(1, "__name__", "a", "k", "1", "n", "1"), sample(1, "__name__", "b", "k", "1", "m", "1")}
	if twice {
		out = append(out, sample(1, "__name__", "b", "k", "1", "m", "2"))
	}
	return out
}

func sets0() []series.Sample {
	return []series.Sample{sample(0, "__name__", "drwatch_site_reachable", "site", "az-a")}
}
