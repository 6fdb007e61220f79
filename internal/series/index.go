package series

import (
	"github.com/prometheus/prometheus/model/labels"
)

// index finds series by their labels: postings by name and value, each in the
// order of creation.
type index struct {
	byHash   map[uint64]*memSeries
	postings map[string]map[string][]*memSeries
	count    int
}

func newIndex() index {
	return index{
		byHash:   map[uint64]*memSeries{},
		postings: map[string]map[string][]*memSeries{},
	}
}

// get returns the series with these labels, made if there is none.
func (x *index) get(ls labels.Labels) *memSeries {
	h := ls.Hash()
	for m := x.byHash[h]; m != nil; m = m.next {
		if labels.Equal(m.labels, ls) {
			return m
		}
	}
	m := &memSeries{labels: ls, next: x.byHash[h]}
	x.byHash[h] = m
	x.count++
	ls.Range(func(l labels.Label) {
		values := x.postings[l.Name]
		if values == nil {
			values = map[string][]*memSeries{}
			x.postings[l.Name] = values
		}
		values[l.Value] = append(values[l.Value], m)
	})
	return m
}

// remove forgets series. Each list is filtered once, however many of its
// series go.
func (x *index) remove(dead []*memSeries) {
	touched := map[labels.Label]bool{}
	for _, m := range dead {
		m.dead = true
		x.count--
		x.unlink(m)
		m.labels.Range(func(l labels.Label) { touched[l] = true })
	}
	for l := range touched {
		var keep []*memSeries // a new slice: readers may hold the old one
		for _, m := range x.postings[l.Name][l.Value] {
			if !m.dead {
				keep = append(keep, m)
			}
		}
		if len(keep) > 0 {
			x.postings[l.Name][l.Value] = keep
			continue
		}
		delete(x.postings[l.Name], l.Value)
		if len(x.postings[l.Name]) == 0 {
			delete(x.postings, l.Name)
		}
	}
}

func (x *index) unlink(m *memSeries) {
	h := m.labels.Hash()
	if x.byHash[h] == m {
		if m.next == nil {
			delete(x.byHash, h)
		} else {
			x.byHash[h] = m.next
		}
		return
	}
	for p := x.byHash[h]; p != nil; p = p.next {
		if p.next == m {
			p.next = m.next
			return
		}
	}
}

// each calls f for each series.
func (x *index) each(f func(*memSeries)) {
	for _, m := range x.byHash {
		for ; m != nil; m = m.next {
			f(m)
		}
	}
}

// match calls f for each series that all matchers accept.
func (x *index) match(ms []*labels.Matcher, f func(*memSeries)) {
	list, narrowed := x.narrowest(ms)
	if !narrowed {
		x.each(func(m *memSeries) {
			if accepts(ms, m.labels) {
				f(m)
			}
		})
		return
	}
	for _, m := range list {
		if accepts(ms, m.labels) {
			f(m)
		}
	}
}

// narrowest is the shortest list of series that an equality matcher names, or a
// union for a regular expression that is a plain alternative of values. False
// when no matcher narrows anything.
func (x *index) narrowest(ms []*labels.Matcher) (list []*memSeries, ok bool) {
	for _, m := range ms {
		var cand []*memSeries
		switch {
		case m.Type == labels.MatchEqual && m.Value != "":
			cand = x.postings[m.Name][m.Value]
		case m.Type == labels.MatchRegexp && len(m.SetMatches()) > 0 && !m.Matches(""):
			for _, v := range distinct(m.SetMatches()) {
				cand = append(cand, x.postings[m.Name][v]...)
			}
		default:
			continue
		}
		if !ok || len(cand) < len(list) {
			list, ok = cand, true
		}
	}
	return list, ok
}

func distinct(in []string) []string {
	seen := make(map[string]bool, len(in))
	out := make([]string, 0, len(in))
	for _, s := range in {
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}

func accepts(ms []*labels.Matcher, ls labels.Labels) bool {
	for _, m := range ms {
		if !m.Matches(ls.Get(m.Name)) {
			return false
		}
	}
	return true
}
