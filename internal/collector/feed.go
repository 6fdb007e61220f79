package collector

import (
	"errors"
	"iter"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/drwatch/drwatch/internal/series"
)

// Series takes the samples for PromQL. A set that leaves out a series of the
// source's set before makes that series stale, as does the end of the source.
type Series interface {
	AppendSeq(source string, at time.Time, interval time.Duration, samples iter.Seq[series.Sample])
	EndSource(source string, at time.Time)
}

// Series turns samples into series. A sample that does not fit its definition
// is left out and told in the error.
func (t *Table) Series(samples []Sample) ([]series.Sample, error) {
	return t.appendSeries(make([]series.Sample, 0, len(samples)), samples)
}

// appendSeries appends to out what Series makes of the samples.
func (t *Table) appendSeries(out []series.Sample, samples []Sample) ([]series.Sample, error) {
	b := labels.NewScratchBuilder(8)
	var errs []error
	for _, s := range samples {
		r, err := t.find(s)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		values := clean(s.Labels)
		one := func(name string, v float64, le string) {
			b.Reset()
			b.Add(model.MetricNameLabel, name)
			for i, label := range r.Labels {
				if values[i] != "" { // an empty label is no label
					b.Add(label, values[i])
				}
			}
			if le != "" {
				b.Add(labels.BucketLabel, le)
			}
			b.Sort()
			out = append(out, series.Sample{Labels: b.Labels(), Value: v})
		}
		if s.Histogram == nil {
			one(r.Name, s.Value, "")
			continue
		}
		for _, le := range bounds(s.Histogram.Buckets) {
			one(r.Name+"_bucket", float64(s.Histogram.Buckets[le]), strconv.FormatFloat(le, 'g', -1, 64))
		}
		one(r.Name+"_bucket", float64(s.Histogram.Count), "+Inf")
		one(r.Name+"_sum", s.Histogram.Sum, "")
		one(r.Name+"_count", float64(s.Histogram.Count), "")
	}
	return out, errors.Join(errs...)
}

func bounds(buckets map[float64]uint64) []float64 {
	les := make([]float64, 0, len(buckets))
	for le := range buckets {
		les = append(les, le)
	}
	slices.Sort(les)
	return les
}

// tick is the resolution of the series store: of two sets of one source within
// it, the later would be lost.
const tick = time.Millisecond

// feeder appends sets of samples. It moves a set that would fall into the same
// tick as the source's last one into the next, so that none is lost. Safe for
// concurrent use.
type feeder struct {
	table  *Table
	series Series
	fault  func(error)

	mu   sync.Mutex
	last map[string]time.Time // of the newest set or end, by source
	open map[string]bool      // sources that spoke since their last end
}

func newFeeder(t *Table, s Series, fault func(error)) *feeder {
	return &feeder{table: t, series: s, fault: fault, last: map[string]time.Time{}, open: map[string]bool{}}
}

// append adds the set of a source at that time.
func (f *feeder) append(source string, at time.Time, interval time.Duration, samples []Sample) {
	f.appendParts(source, at, interval, slices.Values([][]Sample{samples}))
}

// appendParts is append of a large set that comes in parts: they, and what is
// made of them, are never held all at one time. Of the samples that do not fit,
// those of the first part that has some are told.
func (f *feeder) appendParts(source string, at time.Time, interval time.Duration, parts iter.Seq[[]Sample]) {
	var first error
	set := func(yield func(series.Sample) bool) {
		var part []series.Sample
		for samples := range parts {
			var err error
			if part, err = f.table.appendSeries(part[:0], samples); first == nil {
				first = err
			}
			for _, s := range part {
				if !yield(s) {
					return
				}
			}
		}
	}
	f.mu.Lock()
	f.open[source] = true
	f.series.AppendSeq(source, f.next(source, at), interval, set)
	f.mu.Unlock()
	if first != nil {
		f.fault(first)
	}
}

// end ends a source, if it spoke since its last end.
func (f *feeder) end(source string, at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.open[source] {
		return
	}
	delete(f.open, source)
	f.series.EndSource(source, f.next(source, at))
}

func (f *feeder) next(source string, at time.Time) time.Time {
	if least := f.last[source].Add(tick); at.Before(least) {
		at = least
	}
	f.last[source] = at
	return at
}
