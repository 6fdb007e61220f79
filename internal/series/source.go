package series

import "sort"

// source is one writer of whole sets: an account's poll, a site's probes.
type source struct {
	last    int64 // time of its newest set
	step    int64 // milliseconds, the interval of its newest set
	line    timeline
	spoke   bool
	set     uint64
	members []*memSeries // of the newest set
	changes []change     // by seq
	forgot  uint64       // the newest change that is no longer in changes
}

// change is one moment at which series of a source changed: a set, its end, or
// the begin of a silence that was noticed afterwards.
type change struct {
	seq uint64
	t   int64
}

// begin starts a new set. When the source had fallen silent, that is a moment
// too.
func (s *source) begin(t int64) {
	if silent := s.last + 2*s.step; s.spoke && silent > s.last && silent < t {
		s.line.push(silent)
	}
	s.line.push(t)
	s.last, s.spoke, s.set = t, true, s.set+1
}

// claim puts the series into the set. One of the previous set is a member
// already; one that had vanished, or belonged to another source, becomes one.
func (s *source) claim(m *memSeries) {
	if m.owner != s || m.set == 0 {
		s.members = append(s.members, m)
	}
	m.owner, m.set = s, s.set
}

// endOthers puts a marker on what the set left out.
func (s *source) endOthers(seq uint64, t int64, marker float64) {
	keep := s.members[:0]
	for _, m := range s.members {
		switch {
		case m.owner != s: // another source writes it now
		case m.set == s.set:
			keep = append(keep, m)
		default:
			if gap, _ := m.add(s, Point{t, marker}, m.interval); gap != 0 {
				s.changed(seq, gap)
			}
			m.set = 0
		}
	}
	clear(s.members[len(keep):])
	s.members = keep
}

func (s *source) changed(seq uint64, t int64) {
	c := change{seq, t}
	if n := len(s.changes); n == 0 || s.changes[n-1] != c {
		s.changes = append(s.changes, c)
	}
}

// trim forgets changes before t.
func (s *source) trim(t int64) {
	i := 0
	for i < len(s.changes) && s.changes[i].t < t {
		s.forgot = max(s.forgot, s.changes[i].seq)
		i++
	}
	s.changes = append([]change(nil), s.changes[i:]...)
}

// since is the moments of the changes after seq.
func (s *source) since(seq uint64) []change {
	i := sort.Search(len(s.changes), func(i int) bool { return s.changes[i].seq > seq })
	return s.changes[i:]
}
