package collector_test

import (
	"flag"
	"fmt"
	"math"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"

	"github.com/drwatch/drwatch/internal/collector"
	"github.com/drwatch/drwatch/internal/probe"
	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/replication"
)

var update = flag.Bool("update", false, "write the golden files anew")

// furnished is a house with everything a metric can tell of.
func furnished(t *testing.T, h *house) {
	t.Helper()
	m := h.NewMeter("hw")
	m.Request("ListGroups", "200", 70*time.Millisecond)
	m.Request("ListGroups", "200", 3*time.Second)
	m.Request("ListGroups", "error", time.Minute)
	m.Throttled("ListGroups")
	m.DecodeError(provider.Unread{Field: "replication_pairs"})
	m.ClockSkew(-1500 * time.Millisecond)
	garbled := plainGroup("g2")
	garbled.Name, garbled.Target, garbled.State = "caf\xe9", replication.Location{Region: "mars"}, "no such state"
	limit, breaches := 10.0, 2
	facts := provider.SlowFacts{
		Quotas:     []provider.Quota{{Resource: "server_groups", Limit: &limit, Used: 2}, {Resource: "replications", Used: 3}},
		Expiries:   []provider.Expiry{{GroupID: "g1", Pair: "p1", At: time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)}, {GroupID: "gone", Pair: "p2", At: time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)}},
		Drills:     []provider.GroupCount{{GroupID: "g1", Kind: "available", Count: 1}, {GroupID: "gone", Kind: "available", Count: 4}, {Kind: "not_read", Count: 300}},
		FailedJobs: []provider.GroupCount{{GroupID: "g1", Kind: "failoverFail", Count: 2}, {Kind: "createFail", Count: 1}, {GroupID: "gone", Kind: "stopFail", Count: 4}},
		Breaches:   &breaches,
	}
	s := only(
		account("hw", &knowing{reader: &reader{groups: []replication.Group{fullGroup("g1"), garbled}}, facts: facts}),
		account("silent", &reader{err: fmt.Errorf("HTTP 401")}),
	)
	s.References = []probe.Spec{spec("", "resolver")}
	s.Accounts[0].Pace = provider.NewPace(0.5, 1, time.Now)
	_ = s.Accounts[0].Pace.Wait(t.Context(), "hw.example:443")
	_ = s.Accounts[0].Pace.Wait(t.Context(), "hw.example:443")
	h.set("az-b/vip", true)
	h.run(t, s)
	after(time.Second)
}

func registry(t *testing.T, h *house) *prometheus.Registry {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	if err := reg.Register(h.Metrics()); err != nil {
		t.Fatal(err)
	}
	return reg
}

func TestMetricsGolden(t *testing.T) {
	virtual(t, func(t *testing.T, h *house) {
		furnished(t, h)
		reg := registry(t, h)
		const golden = "testdata/metrics.prom"
		if *update {
			w := httptest.NewRecorder()
			promhttp.HandlerFor(reg, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
			if err := os.WriteFile(golden, w.Body.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.Open(golden)
		if err != nil {
			t.Fatal(err)
		}
		defer want.Close()
		if err := testutil.GatherAndCompare(reg, want); err != nil {
			t.Error(err)
		}
	})
}

func TestMetricsLint(t *testing.T) {
	virtual(t, func(t *testing.T, h *house) {
		furnished(t, h)
		problems, err := testutil.GatherAndLint(registry(t, h))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range problems {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	})
}

// What PromQL sees is what /metrics shows: same names, labels and values.
func TestSeriesAreTheMetrics(t *testing.T) {
	virtual(t, func(t *testing.T, h *house) {
		furnished(t, h)
		families, err := registry(t, h).Gather()
		if err != nil {
			t.Fatal(err)
		}
		shown := map[string]float64{}
		for _, f := range families {
			for _, m := range f.Metric {
				flatten(shown, f.GetName(), m)
			}
		}
		fed := h.series.all()
		for name, v := range shown {
			if got, ok := fed[name]; !ok || got != v {
				t.Errorf("%s is %v on /metrics, and %v (%t) in the series", name, v, got, ok)
			}
		}
		if len(fed) != len(shown) || len(fed) < 60 {
			t.Errorf("%d series, %d on /metrics", len(fed), len(shown))
		}
	})
}

// flatten writes a metric as the series it is in Prometheus.
func flatten(into map[string]float64, name string, m *dto.Metric) {
	var pairs []string
	for _, l := range m.Label {
		if l.GetValue() != "" {
			pairs = append(pairs, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
		}
	}
	text := func(name string, more ...string) string {
		all := slices.Sorted(slices.Values(append(slices.Clone(pairs), more...)))
		return fmt.Sprintf("{%s}", strings.Join(append([]string{fmt.Sprintf("__name__=%q", name)}, all...), ", "))
	}
	switch {
	case m.Gauge != nil:
		into[text(name)] = m.Gauge.GetValue()
	case m.Counter != nil:
		into[text(name)] = m.Counter.GetValue()
	case m.Histogram != nil:
		into[text(name+"_count")] = float64(m.Histogram.GetSampleCount())
		into[text(name+"_sum")] = m.Histogram.GetSampleSum()
		into[text(name+"_bucket", `le="+Inf"`)] = float64(m.Histogram.GetSampleCount())
		for _, b := range m.Histogram.Bucket {
			if !math.IsInf(b.GetUpperBound(), 1) {
				into[text(name+"_bucket", fmt.Sprintf("le=%q", fmt.Sprint(b.GetUpperBound())))] = float64(b.GetCumulativeCount())
			}
		}
	}
}

// /metrics shows what was polled, however long ago, and asks nobody.
func TestScrapeCallsNobody(t *testing.T) {
	virtual(t, func(t *testing.T, h *house) {
		r := &reader{groups: []replication.Group{plainGroup("g1")}}
		h.run(t, only(account("hw", r)))
		after(time.Second)
		r.change(func(r *reader) { r.hangs = make(chan struct{}) })
		defer close(r.hangs)
		reg := registry(t, h)
		for range 3 {
			if n, err := testutil.GatherAndCount(reg, "drwatch_group_info"); n != 1 || err != nil {
				t.Errorf("%d groups, %v", n, err)
			}
		}
		if n := r.calls(); n != 1 {
			t.Errorf("%d polls, want the first one alone", n)
		}
	})
}

// A table serves metrics of others too, and tells a sample that does not fit
// instead of showing it.
func TestTable(t *testing.T) {
	if _, err := collector.NewTable([]collector.Metric{{Name: "a"}, {Name: "a"}}); err == nil {
		t.Error("defined twice, and taken")
	}
	table, err := collector.NewTable([]collector.Metric{{Name: "drwatch_leader", Help: "Whether this observer leads."}, {Name: "drwatch_observers", Help: "Observers.", Labels: []string{"site", "state"}}})
	if err != nil {
		t.Fatal(err)
	}
	good := []collector.Sample{{Metric: "drwatch_leader", Value: 1}, {Metric: "drwatch_observers", Labels: []string{"", "live"}, Value: 2}}
	set, err := table.Series(good)
	if err != nil || len(set) != 2 || set[1].Labels.String() != `{__name__="drwatch_observers", state="live"}` {
		t.Errorf("%v, %v", set, err)
	}
	if err := testutil.CollectAndCompare(table.Collector(func() []collector.Sample { return good }), strings.NewReader(`
# HELP drwatch_leader Whether this observer leads.
# TYPE drwatch_leader gauge
drwatch_leader 1
# HELP drwatch_observers Observers.
# TYPE drwatch_observers gauge
drwatch_observers{site="",state="live"} 2
`)); err != nil {
		t.Error(err)
	}
	for _, bad := range []collector.Sample{
		{Metric: "drwatch_unheard_of"},
		{Metric: "drwatch_observers", Labels: []string{"az-a"}},
		{Metric: "drwatch_leader", Histogram: &collector.Histogram{}},
	} {
		if set, err := table.Series([]collector.Sample{bad, good[0]}); err == nil || len(set) != 1 {
			t.Errorf("%+v: %v, %v, want the good one and an error", bad, set, err)
		}
		reg := prometheus.NewRegistry()
		reg.MustRegister(table.Collector(func() []collector.Sample { return []collector.Sample{bad} }))
		if _, err := reg.Gather(); err == nil {
			t.Errorf("%+v was rendered", bad)
		}
	}
}

// A snapshot that nobody renews stops telling what got too old: results and
// verdicts go, the last good state of the groups stays.
func TestOldResultsAreNotShown(t *testing.T) {
	virtual(t, func(t *testing.T, h *house) {
		furnished(t, h)
		s := h.Snapshot()
		count := func(at time.Time) map[string]int {
			n := map[string]int{}
			for _, sample := range s.Samples(at) {
				n[sample.Metric]++
			}
			return n
		}
		short := []string{"drwatch_probe_success", "drwatch_probe_duration_seconds", "drwatch_site_reachable", "drwatch_observer_isolated"}
		fresh, old := count(s.At.Add(10*time.Second)), count(s.At.Add(10*time.Second+1))
		for _, name := range short {
			if fresh[name] == 0 || old[name] != 0 {
				t.Errorf("%s: %d samples at two intervals and %d after, want some and none", name, fresh[name], old[name])
			}
		}
		if old["drwatch_group_info"] != 2 {
			t.Errorf("%d groups, want both", old["drwatch_group_info"])
		}
	})
}

// What is rendered once and what is rendered at each scrape is everything, and no
// metric is of both kinds: it would be on /metrics twice.
func TestTwoKindsOfSamples(t *testing.T) {
	virtual(t, func(t *testing.T, h *house) {
		furnished(t, h)
		s, now := h.Snapshot(), time.Now()
		kinds := map[string]string{}
		total := 0
		note := func(kind string, sample collector.Sample) {
			total++
			if was, ok := kinds[sample.Metric]; ok && was != kind {
				t.Errorf("%s is %s and %s", sample.Metric, was, kind)
			}
			kinds[sample.Metric] = kind
		}
		for _, a := range s.Accounts {
			for sample := range s.GroupSamples(a) {
				note("of groups", sample)
			}
		}
		for _, sample := range s.ObserverSamples(now) {
			note("the observer's", sample)
		}
		if all := s.Samples(now); len(all) != total || total < 60 {
			t.Errorf("%d samples in all, %d of the two kinds", len(all), total)
		}
		for _, m := range h.Definitions() {
			if m.Type == collector.Distribution && kinds[m.Name] == "of groups" {
				t.Errorf("%s is a distribution of groups, which cannot be rendered once", m.Name)
			}
		}
	})
}

// The version of an account's groups changes with each poll of it, with its
// facts, with the settings, and when another account takes a group over; and
// with nothing else.
func TestVersions(t *testing.T) {
	virtual(t, func(t *testing.T, h *house) {
		first, second := &reader{}, &reader{groups: []replication.Group{plainGroup("g1")}}
		rare := account("first", first)
		rare.PollInterval = 10 * time.Minute
		settings := only(rare, account("second", second))
		h.run(t, settings)
		after(time.Second)
		version := func(i int) collector.Version { s := h.Snapshot(); return s.Version(s.Accounts[i]) }
		was, groups := [2]collector.Version{version(0), version(1)}, h.Snapshot().GroupsVersion()
		after(6 * time.Second) // probes only
		if version(0) != was[0] || version(1) != was[1] || h.Snapshot().GroupsVersion() != groups {
			t.Error("a probe changed a version")
		}
		after(40 * time.Second)
		if version(0) != was[0] || version(1) == was[1] || h.Snapshot().GroupsVersion() == groups {
			t.Error("want the second account's version to change with its poll, that of all groups, and no other")
		}
		first.change(func(r *reader) { r.groups = []replication.Group{plainGroup("g1")} })
		second.change(func(r *reader) { r.err = fmt.Errorf("down") })
		after(time.Minute)
		was[1] = version(1)
		after(11 * time.Minute)
		if g := h.Snapshot().Groups[key("g1")]; g.Account != "first" || version(1) == was[1] {
			t.Errorf("held by %s; want the second account's version to change when the first takes its group", g.Account)
		}
		was, groups = [2]collector.Version{version(0), version(1)}, h.Snapshot().GroupsVersion()
		if err := h.Update(settings); err != nil {
			t.Fatal(err)
		}
		if version(0) == was[0] || version(1) == was[1] || h.Snapshot().GroupsVersion() == groups {
			t.Error("new settings changed no version")
		}
	})
}
