package policy

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
)

const (
	maxSamples   = 5_000_000 // of one query
	queryTimeout = 10 * time.Second
	// lookback is the engine's, and only has to be longer than any interval:
	// how long a sample counts is decided by the store, per series.
	lookback = 24 * time.Hour
	// subqueryStep is the resolution of a subquery that names none.
	subqueryStep = 5 * time.Second
)

// NewEngine makes the engine that expressions are put to. Evaluators may share it.
func NewEngine(log *slog.Logger) *promql.Engine {
	return promql.NewEngine(promql.EngineOpts{
		Logger:                   log,
		MaxSamples:               maxSamples,
		Timeout:                  queryTimeout,
		LookbackDelta:            lookback,
		NoStepSubqueryIntervalFn: func(int64) int64 { return subqueryStep.Milliseconds() },
		Parser:                   parser.NewParser(parser.Options{}),
	})
}

// query puts one expression to the engine, at one moment.
func (e *Evaluator) query(ctx context.Context, q storage.Queryable, x expr, t int64) (answer, error) {
	query, err := e.engine.NewInstantQuery(ctx, q, nil, x.text, time.UnixMilli(t))
	if err != nil {
		return answer{}, fmt.Errorf("evaluating %q: %w", x.text, err)
	}
	defer query.Close()
	v, err := query.Exec(ctx).Vector()
	if err != nil {
		return answer{}, fmt.Errorf("evaluating %q: %w", x.text, err)
	}
	return newAnswer(v), nil
}

// answer is the samples of one query, found by the group they are about.
type answer struct {
	byGroup map[string][]promql.Sample
	rest    []promql.Sample // without a group label
}

func newAnswer(v promql.Vector) answer {
	a := answer{}
	for _, s := range v {
		if s.H != nil {
			continue // drwatch has no histograms; one from elsewhere says nothing
		}
		s.Metric = s.Metric.Copy() // the engine takes its memory back
		g := s.Metric.Get("group")
		if g == "" {
			a.rest = append(a.rest, s)
			continue
		}
		if a.byGroup == nil {
			a.byGroup = map[string][]promql.Sample{}
		}
		a.byGroup[g] = append(a.byGroup[g], s)
	}
	return a
}

// says looks for a sample that applies to the target. A sample that is not a
// number is found only with nan: it is never true, but it can speak against.
func (a answer) says(t *Target, nan bool) (promql.Sample, bool) {
	for _, list := range [][]promql.Sample{a.byGroup[t.Group.Key.ID], a.rest} {
		for _, s := range list {
			if (nan || !math.IsNaN(s.F)) && applies(s.Metric, t) {
				return s, true
			}
		}
	}
	return promql.Sample{}, false
}

// applies tells whether every label that the sample and the target share is
// equal. A sample that shares none applies to all targets.
func applies(sample labels.Labels, t *Target) bool {
	ok := true
	sample.Range(func(l labels.Label) {
		if ok && infoLabel(l.Name) {
			ok = t.Labels.Get(l.Name) == l.Value
		}
	})
	return ok
}
