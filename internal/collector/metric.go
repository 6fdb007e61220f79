package collector

import (
	"errors"
	"fmt"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// Type is the type of a metric.
type Type int

// The types of metrics.
const (
	Gauge Type = iota
	Counter
	Distribution // a classic histogram
)

// Metric defines one metric. It is plain data; a Table renders it.
type Metric struct {
	Name   string
	Help   string
	Type   Type
	Unit   string // base unit as the name ends in it: "seconds", "bytes", "ratio"; "" for none
	Labels []string
}

// Sample is one value of one metric at this moment.
type Sample struct {
	Metric    string   // its name
	Labels    []string // values, in the order of Metric.Labels
	Value     float64
	Histogram *Histogram // of a Distribution, instead of Value
}

// Histogram is the state of a distribution.
type Histogram struct {
	Count   uint64
	Sum     float64
	Buckets map[float64]uint64 // cumulative, by upper bound, without +Inf
}

// Table is a set of metric definitions: the one place from which both /metrics
// and the series for PromQL are made. Safe for concurrent use.
type Table struct {
	rows map[string]row
}

type row struct {
	Metric
	desc *prometheus.Desc
}

// NewTable checks that each metric is defined once.
func NewTable(metrics []Metric) (*Table, error) {
	t := &Table{rows: make(map[string]row, len(metrics))}
	var errs []error
	for _, m := range metrics {
		if _, twice := t.rows[m.Name]; twice {
			errs = append(errs, fmt.Errorf("metric %s is defined twice", m.Name))
		}
		var unit []prometheus.DescOpt
		if m.Unit != "" {
			unit = append(unit, prometheus.WithUnit(m.Unit))
		}
		t.rows[m.Name] = row{m, prometheus.V2.NewDesc(m.Name, m.Help, prometheus.UnconstrainedLabels(m.Labels), nil, unit...)}
	}
	return t, errors.Join(errs...)
}

// find is the definition of a sample.
func (t *Table) find(s Sample) (row, error) {
	r, ok := t.rows[s.Metric]
	switch {
	case !ok:
		return r, fmt.Errorf("metric %s is not defined", s.Metric)
	case len(s.Labels) != len(r.Labels):
		return r, fmt.Errorf("metric %s: %d label values for the labels %v", s.Metric, len(s.Labels), r.Labels)
	case (s.Histogram != nil) != (r.Type == Distribution):
		return r, fmt.Errorf("metric %s: a distribution must come with a histogram, and nothing else may", s.Metric)
	}
	return r, nil
}

// Collector renders the table's metrics for /metrics, fresh from what samples
// returns at each scrape.
func (t *Table) Collector(samples func() []Sample) prometheus.Collector {
	return rendering{t, samples}
}

type rendering struct {
	table   *Table
	samples func() []Sample
}

// Describe tells all metrics of the table.
func (r rendering) Describe(ch chan<- *prometheus.Desc) {
	for _, row := range r.table.rows {
		ch <- row.desc
	}
}

// Collect makes the metrics of this moment.
func (r rendering) Collect(ch chan<- prometheus.Metric) {
	for _, s := range r.samples() {
		ch <- r.table.metric(s)
	}
}

func (t *Table) metric(s Sample) prometheus.Metric {
	r, err := t.find(s)
	if err != nil {
		return prometheus.NewInvalidMetric(prometheus.NewInvalidDesc(err), err)
	}
	values := clean(s.Labels)
	var m prometheus.Metric
	switch r.Type {
	case Distribution:
		m, err = prometheus.NewConstHistogram(r.desc, s.Histogram.Count, s.Histogram.Sum, s.Histogram.Buckets, values...)
	case Counter:
		m, err = prometheus.NewConstMetric(r.desc, prometheus.CounterValue, s.Value, values...)
	default:
		m, err = prometheus.NewConstMetric(r.desc, prometheus.GaugeValue, s.Value, values...)
	}
	if err != nil {
		return prometheus.NewInvalidMetric(r.desc, err)
	}
	return m
}

// clean makes label values valid UTF-8: one name that a provider garbled must
// not take /metrics away.
func clean(values []string) []string {
	for i, v := range values {
		if fixed := strings.ToValidUTF8(v, "\uFFFD"); fixed != v {
			values = append([]string(nil), values...)
			for j := i; j < len(values); j++ {
				values[j] = strings.ToValidUTF8(values[j], "\uFFFD")
			}
			return values
		}
	}
	return values
}
