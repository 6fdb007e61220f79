package series

import (
	"context"
	"slices"
	"sort"
	"sync"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/annotations"
)

// Querier reads the samples of [mint, maxt], milliseconds on the store's clock.
// It sees one cut through the store: nothing is appended until it is closed, so
// it must be closed soon, and by the same caller before another is opened.
func (s *Store) Querier(mint, maxt int64) (storage.Querier, error) {
	return s.querier(mint, maxt, Carry{}), nil
}

func (s *Store) querier(mint, maxt int64, c Carry) storage.Querier {
	s.mu.RLock()
	return &querier{store: s, mint: mint, maxt: maxt, carry: c}
}

type querier struct {
	store      *Store
	mint, maxt int64
	carry      Carry
	closed     sync.Once
}

// Close lets the store take samples again. It may be called more than once.
func (q *querier) Close() error {
	q.closed.Do(q.store.mu.RUnlock)
	return nil
}

// Select finds the series that all matchers accept.
func (q *querier) Select(ctx context.Context, sorted bool, hints *storage.SelectHints, ms ...*labels.Matcher) storage.SeriesSet {
	start, end, newest := q.mint, q.maxt, false
	if hints != nil {
		start, end = hints.Start, hints.End
		// An instant selector of an instant query looks at one point only.
		newest = hints.Range == 0 && hints.Step == 0
	}
	var out []storage.Series
	q.store.index.match(ms, func(m *memSeries) {
		if r := q.read(m, start, end, newest); r != nil {
			out = append(out, r)
		}
	})
	if err := ctx.Err(); err != nil {
		return storage.ErrSeriesSet(err)
	}
	if sorted {
		slices.SortFunc(out, func(a, b storage.Series) int { return labels.Compare(a.Labels(), b.Labels()) })
	}
	return &seriesSet{all: out}
}

// read cuts [start, end] out of a series; nil when nothing is there.
func (q *querier) read(m *memSeries, start, end int64, newest bool) *cut {
	r := &cut{labels: m.labels}
	switch {
	case q.carry != Carry{}:
		pts := q.carry.fill(m, end)
		r.points = pts[sort.Search(len(pts), func(i int) bool { return pts[i].T >= start }):]
		if n := len(r.points); newest && n > 1 {
			r.points = r.points[n-1:]
		}
	case newest:
		r.silent = m.silence(start, end)
		if p, ok := m.newest(end); ok && p.T >= start && r.silent == 0 {
			r.points = []Point{p}
		}
	default:
		r.points, r.silent = m.window(start, end)
	}
	if len(r.points) == 0 && r.silent == 0 {
		return nil
	}
	return r
}

// LabelValues lists the values of one label over the matching series.
func (q *querier) LabelValues(_ context.Context, name string, _ *storage.LabelHints, ms ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	seen := map[string]bool{}
	q.store.index.match(ms, func(m *memSeries) {
		if v := m.labels.Get(name); v != "" {
			seen[v] = true
		}
	})
	return sortedKeys(seen), nil, nil
}

// LabelNames lists the label names of the matching series.
func (q *querier) LabelNames(_ context.Context, _ *storage.LabelHints, ms ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	seen := map[string]bool{}
	q.store.index.match(ms, func(m *memSeries) {
		m.labels.Range(func(l labels.Label) { seen[l.Name] = true })
	})
	return sortedKeys(seen), nil, nil
}

func sortedKeys(set map[string]bool) []string {
	out := make([]string, 0, len(set))
	for k := range set {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
