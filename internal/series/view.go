package series

import (
	"time"

	"github.com/prometheus/prometheus/storage"
)

// Carry says for how long the last number of a series is carried over a hole,
// by what made the hole. The zero Carry carries nothing: a hole is a hole, which
// is what every answer that leads to an action must rest on. Other carries ask
// "what if the missing samples were still as they last were?".
type Carry struct {
	Silence time.Duration // the source did not speak in time
	Vanish  time.Duration // the source spoke without the series
	End     time.Duration // the source ended
	NaN     time.Duration // the sample is not a number
}

// Always is a carry without end: for as long as the store remembers.
const Always = time.Duration(1<<63 - 1)

// View is the store as it would be with its holes filled by c.
func (s *Store) View(c Carry) storage.Queryable {
	return storage.QueryableFunc(func(mint, maxt int64) (storage.Querier, error) {
		return s.querier(mint, maxt, c), nil
	})
}

// fill writes the points of m up to end, carried over its holes. A carried
// stretch has a sample at every interval, so that ranges see it as well.
func (c Carry) fill(m *memSeries, end int64) []Point {
	f := filler{carry: c, interval: max(m.interval, 1)}
	points := m.all()
	for i, p := range points {
		if p.T > end {
			break
		}
		next := end + 1
		if i+1 < len(points) {
			next = min(next, points[i+1].T)
		}
		f.point(p, next)
	}
	if at, silent := m.silentFrom(end + 1); silent && at > f.lastT() {
		f.point(Point{at, silentMarker()}, end+1)
	}
	return f.out
}

type filler struct {
	carry    Carry
	interval int64
	out      []Point
	number   Point // the last number
	have     bool
	hole     int64 // where the present hole began
	inHole   bool
}

func (f *filler) lastT() int64 {
	if len(f.out) == 0 {
		return -1 << 62
	}
	return f.out[len(f.out)-1].T
}

// point writes p, and what is carried from it until next.
func (f *filler) point(p Point, next int64) {
	k := kindOf(p.V)
	if k == number {
		f.number, f.have, f.inHole = p, true, false
		f.out = append(f.out, p)
		return
	}
	if !f.inHole {
		f.hole, f.inHole = p.T, true
	}
	limit := add(f.hole, f.allowance(k))
	if !f.have || p.T >= limit {
		f.out = append(f.out, p)
		return
	}
	if k == notANum {
		f.out = append(f.out, Point{p.T, f.number.V})
		return
	}
	t := p.T
	for ; t < next && t < limit; t += f.interval {
		f.out = append(f.out, Point{t, f.number.V})
	}
	if limit < next {
		f.out = append(f.out, Point{limit, staleMarker()})
	}
}

func (f *filler) allowance(k kind) time.Duration {
	switch k {
	case silence:
		return f.carry.Silence
	case vanish:
		return f.carry.Vanish
	case ended:
		return f.carry.End
	default: // notANum; point asks for no number
		return f.carry.NaN
	}
}

// add is t + d without overflow.
func add(t int64, d time.Duration) int64 {
	if d == Always {
		return 1<<63 - 1
	}
	return t + d.Milliseconds()
}
