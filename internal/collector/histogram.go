package collector

import "slices"

// The upper bounds of the histograms, in seconds.
var (
	requestBounds = []float64{0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20}
	pollBounds    = []float64{0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60}
)

// distribution counts observations. Its owner locks it.
type distribution struct {
	bounds []float64
	counts []uint64 // by bound, not cumulative; what is above the last is in none
	count  uint64
	sum    float64
}

func newDistribution(bounds []float64) *distribution {
	return &distribution{bounds: bounds, counts: make([]uint64, len(bounds))}
}

func (d *distribution) observe(v float64) {
	d.count++
	d.sum += v
	if i, _ := slices.BinarySearch(d.bounds, v); i < len(d.bounds) {
		d.counts[i]++
	}
}

// histogram is the state now, as a copy.
func (d *distribution) histogram() *Histogram {
	h := &Histogram{Count: d.count, Sum: d.sum, Buckets: make(map[float64]uint64, len(d.bounds))}
	var below uint64
	for i, le := range d.bounds {
		below += d.counts[i]
		h.Buckets[le] = below
	}
	return h
}
