package series

import (
	"math"
	"sort"

	"github.com/prometheus/prometheus/model/labels"
)

// timeline is the moments at which a source spoke, or fell silent. All its
// series share them: each keeps what it said as runs over ticks, the numbers of
// those moments. Most series of drwatch say the same for hours, which is then
// one run, however long the retention is.
type timeline struct {
	first uint32 // the tick of times[0]
	times []int64
}

// push adds a moment after all others.
func (l *timeline) push(t int64) { l.times = append(l.times, t) }

// tick is that of a moment that was pushed lately.
func (l *timeline) tick(t int64) (tick uint32, ok bool) {
	for i := len(l.times) - 1; i >= 0 && l.times[i] >= t; i-- {
		if l.times[i] == t {
			return l.first + uint32(i), true //nolint:gosec // one tick for each set: never so many
		}
	}
	return 0, false
}

// from is the first tick at or after t, or the one that will be next.
func (l *timeline) from(t int64) uint32 {
	return l.first + uint32(sort.Search(len(l.times), func(i int) bool { return l.times[i] >= t })) //nolint:gosec // see tick
}

func (l *timeline) time(tick uint32) int64 { return l.times[tick-l.first] }

// trim forgets the moments before t, to which no run may refer any more.
func (l *timeline) trim(t int64) {
	keep := l.from(t)
	l.times = append([]int64(nil), l.times[keep-l.first:]...)
	l.first = keep
}

// run is one value at each tick of [from, to].
type run struct {
	from, to uint32
	v        float64
}

// memSeries is one series: its points by time, strictly growing. They are the
// past, then the runs. The past holds points at moments that are not on the
// source's timeline: those from under another source.
type memSeries struct {
	labels   labels.Labels
	next     *memSeries // of the same hash
	past     []Point
	runs     []run
	line     *timeline // of the runs
	interval int64     // milliseconds, of the source when it last wrote
	owner    *source
	set      uint64 // the owner's set that the series was last in
	dead     bool   // the index has forgotten it
}

func (m *memSeries) empty() bool { return len(m.past) == 0 && len(m.runs) == 0 }

// last is the newest point of a series that has one.
func (m *memSeries) last() Point {
	if n := len(m.runs); n > 0 {
		return Point{m.line.time(m.runs[n-1].to), m.runs[n-1].v}
	}
	return m.past[len(m.past)-1]
}

// add appends a point of a source, with a marker before it when the silence
// since the last one was longer than two intervals. It returns when that silence
// began to count (0: there was none), and false when the point is too late.
func (m *memSeries) add(src *source, p Point, interval int64) (gap int64, ok bool) {
	if !m.empty() {
		if p.T <= m.last().T {
			return 0, false
		}
		if at, silent := m.silentFrom(p.T); silent {
			m.push(&src.line, Point{at, silentMarker()})
			gap = at
		}
	}
	m.push(&src.line, p)
	m.interval = interval
	return gap, true
}

func (m *memSeries) push(line *timeline, p Point) {
	tick, known := line.tick(p.T)
	if m.line != line || !known {
		m.past, m.runs, m.line = m.all(), nil, line
	}
	if !known {
		m.past = append(m.past, p)
		return
	}
	if n := len(m.runs); n > 0 {
		if r := &m.runs[n-1]; r.to+1 == tick && math.Float64bits(r.v) == math.Float64bits(p.V) {
			r.to = tick
			return
		}
	}
	m.runs = append(m.runs, run{tick, tick, p.V})
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
	if len(m.past) > 0 {
		i := sort.Search(len(m.past), func(i int) bool { return m.past[i].T >= t })
		if m.past = m.past[i:]; len(m.past) == 0 {
			m.past = nil
		}
	}
	if len(m.runs) == 0 {
		return
	}
	keep, i := m.line.from(t), 0
	for i < len(m.runs) && m.runs[i].to < keep {
		i++
	}
	m.runs = m.runs[i:]
	if len(m.runs) == 0 {
		m.runs = nil
	} else {
		m.runs[0].from = max(m.runs[0].from, keep)
	}
}

// all is every point.
func (m *memSeries) all() []Point { return m.between(math.MinInt64, math.MaxInt64) }

// between is the points of [start, end], as a copy.
func (m *memSeries) between(start, end int64) []Point {
	lo := sort.Search(len(m.past), func(i int) bool { return m.past[i].T >= start })
	hi := sort.Search(len(m.past), func(i int) bool { return m.past[i].T > end })
	var first, beyond uint32 // ticks
	if len(m.runs) > 0 {
		first, beyond = m.line.from(start), m.line.first+uint32(len(m.line.times)) //nolint:gosec // see tick
		if end < math.MaxInt64 {
			beyond = m.line.from(end + 1)
		}
	}
	n := hi - lo
	for _, r := range m.runs {
		n += max(0, int(min(r.to+1, beyond))-int(max(r.from, first)))
	}
	if n <= 0 {
		return nil
	}
	out := append(make([]Point, 0, n), m.past[lo:max(lo, hi)]...)
	for _, r := range m.runs {
		for tick := max(r.from, first); tick < min(r.to+1, beyond); tick++ {
			out = append(out, Point{m.line.time(tick), r.v})
		}
	}
	return out
}

// newest is the newest point at or before t, as it was written.
func (m *memSeries) newest(t int64) (Point, bool) {
	if len(m.runs) > 0 && t < math.MaxInt64 {
		beyond := m.line.from(t + 1)
		if i := sort.Search(len(m.runs), func(i int) bool { return m.runs[i].from >= beyond }); i > 0 {
			r := m.runs[i-1]
			return Point{m.line.time(min(r.to, beyond-1)), r.v}, true
		}
	}
	if i := sort.Search(len(m.past), func(i int) bool { return m.past[i].T > t }); i > 0 {
		return m.past[i-1], true
	}
	return Point{}, false
}

// silence is the time of the marker that follows the points up to end when the
// series has fallen silent by then and since start; 0: it has not.
func (m *memSeries) silence(start, end int64) int64 {
	if m.empty() || m.last().T > end {
		return 0
	}
	if at, is := m.silentFrom(end + 1); is && at >= start {
		return at
	}
	return 0
}

// window is the points of [start, end], and the time of the marker that follows
// them when the series has fallen silent by end (0: it has not).
func (m *memSeries) window(start, end int64) (pts []Point, silent int64) {
	return m.between(start, end), m.silence(start, end)
}

// at is the newest point at or before t, with silence made visible.
func (m *memSeries) at(t int64) (Point, bool) {
	p, ok := m.newest(t)
	if !ok {
		return Point{}, false
	}
	if m.last().T <= t {
		if at, silent := m.silentFrom(t + 1); silent {
			return Point{at, silentMarker()}, true
		}
	}
	return p, true
}
