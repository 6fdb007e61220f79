package policy

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"

	"github.com/drwatch/drwatch/internal/series"
)

// Most rules compare the newest samples with a number, and most samples stay the
// same for days: such a question is not put to the engine again before what it reads
// has changed.

// remembered is the last answer, and the samples that it was given on.
type remembered struct {
	known   bool
	samples []series.Sample
	answer  answer
}

// timeless tells whether an expression gives the same answer whenever its selectors
// find the same newest samples: it looks at no range, no past and no time, and calls
// no function.
func timeless(root parser.Expr) bool {
	yes := true
	parser.Inspect(root, func(n parser.Node, _ []parser.Node) error {
		switch n := n.(type) {
		case nil: // the end of a branch
		case *parser.VectorSelector:
			yes = yes && n.OriginalOffset == 0 && n.OriginalOffsetExpr == nil && n.Timestamp == nil && n.StartOrEnd == 0
		case *parser.BinaryExpr, *parser.UnaryExpr, *parser.ParenExpr, *parser.AggregateExpr, *parser.NumberLiteral, *parser.StringLiteral:
		case parser.Expressions: // the children of one of them
		default:
			yes = false
		}
		return nil
	})
	return yes
}

// ask evaluates one expression at one moment.
func (e *Evaluator) ask(ctx context.Context, q storage.Queryable, x expr, t int64) (answer, error) {
	if x.last == nil {
		return e.query(ctx, q, x, t)
	}
	seq := e.store.Seq()
	samples, err := newest(ctx, q, x, t)
	if err != nil {
		return answer{}, fmt.Errorf("evaluating %q: %w", x.text, err)
	}
	if x.last.known && same(x.last.samples, samples) {
		return x.last.answer, nil
	}
	a, err := e.query(ctx, q, x, t)
	// What came in between the engine may have seen, and newest has not.
	if err == nil && e.store.Seq() == seq {
		*x.last = remembered{known: true, samples: samples, answer: a}
	}
	return a, err
}

// newest are the samples that a timeless expression reads at t, in the order of its
// selectors.
func newest(ctx context.Context, q storage.Queryable, x expr, t int64) (out []series.Sample, err error) {
	from := t - lookback.Milliseconds() + 1
	querier, err := q.Querier(from, t)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, querier.Close()) }()
	for _, s := range x.selectors {
		set := querier.Select(ctx, false, &storage.SelectHints{Start: from, End: t}, s.matchers...)
		for set.Next() {
			it := set.At().Iterator(nil)
			for it.Next() != 0 {
				_, v := it.At()
				out = append(out, series.Sample{Labels: set.At().Labels(), Value: v})
			}
		}
		if err := set.Err(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// same tells whether two lists of samples are equal, to the bit.
func same(a, b []series.Sample) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if math.Float64bits(a[i].Value) != math.Float64bits(b[i].Value) || !labels.Equal(a[i].Labels, b[i].Labels) {
			return false
		}
	}
	return true
}
