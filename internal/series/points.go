package series

import (
	"math"
	"sort"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
)

// Point is one sample: milliseconds on the store's clock, and a value. The
// value is Prometheus's stale marker where the series has a hole.
type Point struct {
	T int64
	V float64
}

// silentBits and endedBits mark, inside the store only, a hole that came from
// silence, and one that came from the end of the source. A hole that the source
// made by leaving the series out carries value.StaleNaN. All are read as
// value.StaleNaN from outside.
const (
	silentBits uint64 = 0x7ff0000000000003
	endedBits  uint64 = 0x7ff0000000000004
)

func silentMarker() float64 { return math.Float64frombits(silentBits) }
func endedMarker() float64  { return math.Float64frombits(endedBits) }
func staleMarker() float64  { return math.Float64frombits(value.StaleNaN) }

type kind int

const (
	number  kind = iota // a value
	notANum             // a sample that is NaN
	silence             // the source did not speak
	vanish              // the source spoke without the series
	ended               // the source ended
)

func kindOf(v float64) kind {
	if v == v {
		return number
	}
	switch math.Float64bits(v) {
	case silentBits:
		return silence
	case endedBits:
		return ended
	case value.StaleNaN:
		return vanish
	}
	return notANum
}

// memSeries is one series. Points only ever grow at the end and are dropped at
// the front by re-slicing, so a slice of them that a reader took stays valid.
type memSeries struct {
	id       uint64
	labels   labels.Labels
	next     *memSeries // of the same hash
	points   []Point    // by time, strictly growing
	interval int64      // milliseconds, of the source when it last wrote
	owner    *source
	set      uint64 // the owner's set that the series was last in
}

func (m *memSeries) last() Point { return m.points[len(m.points)-1] }

// add appends a point, with a marker before it when the silence since the last
// one was longer than two intervals. It returns when that silence began to
// count (0: there was none), and false when the point is too late.
func (m *memSeries) add(p Point, interval int64) (gap int64, ok bool) {
	if n := len(m.points); n > 0 {
		if p.T <= m.points[n-1].T {
			return 0, false
		}
		if at, silent := m.silentFrom(p.T); silent {
			m.points = append(m.points, Point{at, silentMarker()})
			gap = at
		}
	}
	m.points = append(m.points, p)
	m.interval = interval
	return gap, true
}

// silentFrom tells whether the series has nothing to say strictly before t, and
// since when. A series that vanished or ended is not silent: it said so.
func (m *memSeries) silentFrom(t int64) (int64, bool) {
	l := m.last()
	if k := kindOf(l.V); k != number && k != notANum {
		return 0, false
	}
	at := l.T + 2*m.interval
	return at, at < t
}

// trim drops what is older than t.
func (m *memSeries) trim(t int64) {
	i := sort.Search(len(m.points), func(i int) bool { return m.points[i].T >= t })
	m.points = m.points[i:]
}

// window is the points of [start, end], and the time of the marker that follows
// them when the series has fallen silent by end (0: it has not).
func (m *memSeries) window(start, end int64) (pts []Point, silent int64) {
	lo := sort.Search(len(m.points), func(i int) bool { return m.points[i].T >= start })
	hi := sort.Search(len(m.points), func(i int) bool { return m.points[i].T > end })
	if hi == len(m.points) && hi > 0 {
		if at, is := m.silentFrom(end + 1); is && at >= start {
			silent = at
		}
	}
	return m.points[lo:hi], silent
}

// at is the newest point at or before t, with silence made visible.
func (m *memSeries) at(t int64) (Point, bool) {
	hi := sort.Search(len(m.points), func(i int) bool { return m.points[i].T > t })
	if hi == 0 {
		return Point{}, false
	}
	if hi == len(m.points) {
		if at, silent := m.silentFrom(t + 1); silent {
			return Point{at, silentMarker()}, true
		}
	}
	return m.points[hi-1], true
}
