package series_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/series"
)

func held() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// swap appends a set of which a part has new labels each time and the rest says
// the same again.
func swap(s *series.Store, n int) {
	set := make([]series.Sample, 0, 200)
	for i := range 100 {
		id := fmt.Sprint(i)
		set = append(set,
			sample(1, "__name__", "steady", "group", id),
			sample(float64(n), "__name__", "fresh", "group", fmt.Sprint(n, "-", id)))
	}
	s.Append("a", at(float64(5*n)), step, set)
}

// The store holds what its retention holds, whatever the labels were before.
func TestMemoryIsFlatOverSwaps(t *testing.T) {
	s := series.New(series.Options{Retention: time.Minute})
	for n := range 100 {
		swap(s, n)
	}
	before, series := held(), s.Stats().Series
	for n := range 1000 {
		swap(s, 100+n)
	}
	after := held()
	if now := s.Stats().Series; now > series+series/10 {
		t.Errorf("%d series after 100 sets, %d after 1000 more", series, now)
	}
	if after > before+before/10 {
		t.Errorf("%d bytes held after 100 sets, %d after 1000 more", before, after)
	}
}

// A series that says the same for hours takes no more room than a young one.
func TestSteadySeriesAreSmall(t *testing.T) {
	s := series.New(series.Options{Retention: 24 * time.Hour})
	set := make([]series.Sample, 0, 1000)
	for i := range 1000 {
		set = append(set, sample(1, "__name__", "steady", "group", fmt.Sprint(i)))
	}
	s.Append("a", at(0), step, set)
	before := held()
	for n := range 2000 {
		s.Append("a", at(float64(5*(n+1))), step, set)
	}
	if grown := int64(held()) - int64(before); grown > 1000*2000*16/20 {
		t.Errorf("%d bytes for 2000 sets of 1000 series that say the same", grown)
	}
	if n := len(s.Select(0, 5*2000*1000)[7].Points); n != 2001 {
		t.Errorf("%d points of a series, want all", n)
	}
}
