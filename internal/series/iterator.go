package series

import (
	"sort"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/util/annotations"
)

// seriesSet walks over what Select found.
type seriesSet struct {
	all []storage.Series
	i   int
}

func (s *seriesSet) Next() bool                        { s.i++; return s.i <= len(s.all) }
func (s *seriesSet) At() storage.Series                { return s.all[s.i-1] }
func (s *seriesSet) Err() error                        { return nil }
func (s *seriesSet) Warnings() annotations.Annotations { return nil }

// cut is one series of a result: points that nobody changes, and the time of the
// stale marker that follows them when the series fell silent (0: it did not).
type cut struct {
	labels labels.Labels
	points []Point
	silent int64
}

func (c *cut) Labels() labels.Labels { return c.labels }

func (c *cut) Iterator(old chunkenc.Iterator) chunkenc.Iterator {
	it, ok := old.(*iterator)
	if !ok {
		it = &iterator{}
	}
	*it = iterator{cut: c, i: -1}
	return it
}

func (c *cut) len() int {
	if c.silent != 0 {
		return len(c.points) + 1
	}
	return len(c.points)
}

func (c *cut) at(i int) Point {
	if i == len(c.points) {
		return Point{c.silent, staleMarker()}
	}
	p := c.points[i]
	if k := kindOf(p.V); k == silence || k == ended {
		p.V = staleMarker()
	}
	return p
}

// millis is a time on the store's clock. Its name tells vet that Seek is not
// io.Seeker's.
type millis = int64

// iterator walks over floats only: drwatch has no histograms of its own here.
type iterator struct {
	cut *cut
	i   int
}

func (it *iterator) Next() chunkenc.ValueType {
	if it.i < it.cut.len() {
		it.i++
	}
	return it.here()
}

func (it *iterator) Seek(t millis) chunkenc.ValueType {
	from := max(it.i, 0)
	n := it.cut.len() - from
	if n <= 0 {
		it.i = it.cut.len()
		return chunkenc.ValNone
	}
	it.i = from + sort.Search(n, func(k int) bool { return it.cut.at(from+k).T >= t })
	return it.here()
}

func (it *iterator) here() chunkenc.ValueType {
	if it.i < it.cut.len() {
		return chunkenc.ValFloat
	}
	return chunkenc.ValNone
}

func (it *iterator) At() (int64, float64) {
	p := it.cut.at(it.i)
	return p.T, p.V
}

func (it *iterator) AtT() int64 { return it.cut.at(it.i).T }

func (it *iterator) AtHistogram(*histogram.Histogram) (int64, *histogram.Histogram) {
	return it.AtT(), nil
}

func (it *iterator) AtFloatHistogram(*histogram.FloatHistogram) (int64, *histogram.FloatHistogram) {
	return it.AtT(), nil
}

func (it *iterator) AtST() int64 { return 0 }
func (it *iterator) Err() error  { return nil }
