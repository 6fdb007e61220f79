package series

import (
	"math"

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
