package app_test

import (
	"fmt"
	"log/slog"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/drwatch/drwatch/internal/app"
	"github.com/drwatch/drwatch/internal/collector"
	"github.com/drwatch/drwatch/internal/exposition"
	"github.com/drwatch/drwatch/internal/exposition/expositiontest"
	"github.com/drwatch/drwatch/internal/series"
)

// every is samples of every metric that is defined: label values and numbers as
// providers and people write them.
func every(metrics []collector.Metric) (gauges, distributions []collector.Sample) {
	for _, m := range metrics {
		for i, v := range []float64{0, 1, -0.25, 1763624100.125, math.NaN(), math.Inf(1)} {
			s := collector.Sample{Metric: m.Name, Value: v}
			for j, label := range m.Labels {
				s.Labels = append(s.Labels, []string{"", label, `a "name" of \ ` + fmt.Sprint(j), "two\nlines", "caf\xe9", "日本"}[(i+j)%6]+fmt.Sprint(i))
			}
			if m.Type == collector.Distribution {
				s.Histogram = &collector.Histogram{Count: 7, Sum: 3.5, Buckets: map[float64]uint64{0.5: 3, 1: 6}}
				distributions = append(distributions, s)
			} else {
				gauges = append(gauges, s)
			}
			if len(m.Labels) == 0 {
				break // there is but one
			}
		}
	}
	return gauges, distributions
}

// Every metric that the daemon defines is on its page what it is in a plain
// registry of them all.
func TestPageIsThePlainRegistry(t *testing.T) {
	c, err := collector.New(collector.Options{
		Series: series.New(series.Options{}), Now: time.Now, Int64N: func(int64) int64 { return 0 }, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	metrics := slices.Concat(c.Definitions(), app.Definitions())
	table, err := collector.NewTable(metrics)
	if err != nil {
		t.Fatal(err)
	}
	gauges, distributions := every(metrics)
	page, err := app.NewPage(c.Definitions(), app.Definitions())
	if err != nil {
		t.Fatal(err)
	}
	err = page.Put("all", func(yield func(exposition.Sample) bool) {
		for _, s := range gauges {
			if !yield(exposition.Sample{Family: s.Metric, Labels: s.Labels, Value: s.Value}) {
				return
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	live, plain := prometheus.NewRegistry(), prometheus.NewRegistry()
	live.MustRegister(table.Collector(func() []collector.Sample { return distributions }))
	plain.MustRegister(table.Collector(func() []collector.Sample { return append(slices.Clone(gauges), distributions...) }))
	fast, err := exposition.NewHandler(page, live, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	expositiontest.Same(t, promhttp.HandlerFor(plain, promhttp.HandlerOpts{EnableOpenMetrics: true}), fast)
	families := expositiontest.Text(t, expositiontest.Get(t, fast, expositiontest.AcceptText, "gzip"))
	for _, m := range metrics {
		if families[m.Name] == nil {
			t.Errorf("%s is not there", m.Name)
		}
	}
}
