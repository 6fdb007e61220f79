package series

import (
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/prometheus/model/labels"
)

// Options of a Store.
type Options struct {
	// Retention is how long samples are kept. It must cover the longest range
	// and offset of any rule, and twice the slowest interval. Default 10m.
	Retention time.Duration
	// Epoch is where the store's clock starts, with a monotonic reading: the
	// start of the process. Zero: times are taken as the wall clock gives them,
	// as fits a replay of recorded history.
	Epoch time.Time
}

const defaultRetention = 10 * time.Minute

// Sample is one value of one series. The labels include the metric's name.
type Sample struct {
	Labels labels.Labels
	Value  float64
}

// Store holds the samples. Safe for concurrent use.
type Store struct {
	clock clock

	mu        sync.RWMutex
	retention int64
	index     index
	sources   map[string]*source
	seq       uint64 // of the last change
	swept     int64  // when the last sweep was
	dropped   uint64
}

// New makes an empty store.
func New(o Options) *Store {
	if o.Retention <= 0 {
		o.Retention = defaultRetention
	}
	return &Store{
		clock:     clock{o.Epoch},
		retention: o.Retention.Milliseconds(),
		index:     newIndex(),
		sources:   map[string]*source{},
	}
}

// Append adds a whole set: all that the source knows at one moment. A series
// that was in the source's previous set and is not in this one gets a staleness
// marker at `at`. The set is fresh for twice the interval; an interval that is
// not positive is never fresh. A set that is not newer than the source's
// previous one changes nothing, and a sample that is not newer than its series'
// last is left out; both are counted as dropped. A series belongs to one source:
// two sources must not write the same labels.
func (s *Store) Append(name string, at time.Time, interval time.Duration, samples []Sample) {
	s.AppendSeq(name, at, interval, slices.Values(samples))
}

// AppendSeq is Append of a set that is not all in memory at one time. Nobody reads
// the store while samples come, and they must come without asking it.
func (s *Store) AppendSeq(name string, at time.Time, interval time.Duration, samples iter.Seq[Sample]) {
	t := s.clock.milli(at)
	s.mu.Lock()
	defer s.mu.Unlock()
	src := s.source(name)
	if src.spoke && t <= src.last {
		for range samples {
			s.dropped++
		}
		return
	}
	s.seq++
	src.begin(t)
	step := max(interval.Milliseconds(), 0)
	src.step = step
	floor := t - s.retention
	for smp := range samples {
		m := s.index.get(smp.Labels)
		gap, ok := m.add(src, Point{t, smp.Value}, step)
		if !ok {
			s.dropped++
		}
		if gap != 0 {
			src.changed(s.seq, gap)
		}
		m.trim(floor)
		src.claim(m)
	}
	src.endOthers(s.seq, t, staleMarker())
	src.changed(s.seq, t)
	s.sweep(t)
}

// EndSource marks all series of the source stale at `at`: it will not speak
// again, or not under this name.
func (s *Store) EndSource(name string, at time.Time) {
	t := s.clock.milli(at)
	s.mu.Lock()
	defer s.mu.Unlock()
	src := s.sources[name]
	if src == nil {
		return
	}
	s.seq++
	t = max(t, src.last+1)
	src.begin(t)
	src.endOthers(s.seq, t, endedMarker())
	src.changed(s.seq, t)
}

// SetRetention changes how long samples are kept. What is gone does not come
// back.
func (s *Store) SetRetention(d time.Duration) {
	if d <= 0 {
		d = defaultRetention
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.retention = d.Milliseconds()
}

// Retention is how long samples are kept.
func (s *Store) Retention() time.Duration {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return time.Duration(s.retention) * time.Millisecond
}

// Stats is what the store holds.
type Stats struct {
	Series  int    // series with at least one sample in the retention
	Sources int    // sources that have not been forgotten
	Dropped uint64 // samples left out for being too late, since the start
}

// Stats counts what the store holds.
func (s *Store) Stats() Stats {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return Stats{Series: s.index.count, Sources: len(s.sources), Dropped: s.dropped}
}

func (s *Store) source(name string) *source {
	src := s.sources[name]
	if src == nil {
		src = &source{}
		s.sources[name] = src
	}
	return src
}

// sweep forgets, a few times per retention, the series and sources of which
// nothing is left.
func (s *Store) sweep(t int64) {
	if t-s.swept < s.retention/4 {
		return
	}
	s.swept = t
	floor := t - s.retention
	var dead []*memSeries
	s.index.each(func(m *memSeries) {
		if m.trim(floor); m.empty() {
			dead = append(dead, m)
		}
	})
	s.index.remove(dead)
	for name, src := range s.sources {
		src.trim(floor)
		src.line.trim(floor)
		if src.last < floor {
			delete(s.sources, name)
		}
	}
}
