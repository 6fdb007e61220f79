package series

import (
	"slices"

	"github.com/prometheus/prometheus/model/labels"
)

// Series is one series with its samples, holes as Prometheus's stale marker.
type Series struct {
	Labels labels.Labels
	Points []Point
}

// Select reads the samples of [from, to] of the series that all matchers accept,
// sorted by labels.
func (s *Store) Select(from, to int64, ms ...*labels.Matcher) []Series {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out []Series
	s.index.match(ms, func(m *memSeries) {
		c := cut{labels: m.labels}
		c.points, c.silent = m.window(from, to)
		if c.len() == 0 {
			return
		}
		r := Series{Labels: m.labels, Points: make([]Point, c.len())}
		for i := range r.Points {
			r.Points[i] = c.at(i)
		}
		out = append(out, r)
	})
	slices.SortFunc(out, func(a, b Series) int { return labels.Compare(a.Labels, b.Labels) })
	return out
}

// Coverage tells how much of a selector has something to say at one moment.
type Coverage struct {
	Live    int // series whose newest sample is fresh and a number
	Missing int // series that fell silent, or are not a number
	Gone    int // series that their source left out of its newest set
	Ended   int // series whose source has ended
}

// Coverage counts the series of a selector at t by their newest sample.
func (s *Store) Coverage(t int64, ms ...*labels.Matcher) Coverage {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var c Coverage
	s.index.match(ms, func(m *memSeries) {
		p, ok := m.at(t)
		if !ok {
			return
		}
		switch kindOf(p.V) {
		case number:
			c.Live++
		case vanish:
			c.Gone++
		case ended:
			c.Ended++
		default:
			c.Missing++
		}
	})
	return c
}

// Seq numbers the changes of the store: it grows with each set and each end of a
// source.
func (s *Store) Seq() uint64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.seq
}

// Changes are the moments at which something a reader cares for changed.
type Changes struct {
	Times    []int64 // ascending, each once
	Seq      uint64  // ask for what comes after this next time
	Complete bool    // false: some changes have left the retention unseen
}

// Changes lists when sources that have a series of any of the selectors changed
// after seq: by their sets, by falling silent, or by their end. A set that came
// late is listed by when it came, whatever its time. It may list moments at
// which only other series of those sources changed.
func (s *Store) Changes(seq uint64, selectors ...[]*labels.Matcher) Changes {
	s.mu.RLock()
	defer s.mu.RUnlock()
	sources := map[*source]bool{}
	for _, ms := range selectors {
		s.index.match(ms, func(m *memSeries) { sources[m.owner] = true })
	}
	out := Changes{Seq: s.seq, Complete: true}
	for src := range sources {
		if src.forgot > seq {
			out.Complete = false
		}
		for _, c := range src.since(seq) {
			out.Times = append(out.Times, c.t)
		}
	}
	slices.Sort(out.Times)
	out.Times = slices.Compact(out.Times)
	return out
}
