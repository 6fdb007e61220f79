package exposition_test

import (
	"fmt"
	"log/slog"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/drwatch/drwatch/internal/exposition"
	"github.com/drwatch/drwatch/internal/exposition/expositiontest"
)

var families = []exposition.Family{
	{Name: "drwatch_group_info", Help: "A \"group\" with a \\ and\nmore lines.", Labels: []string{"account", "group", "name"}},
	{Name: "drwatch_group_lag_seconds", Help: "Lag.", Unit: "seconds", Labels: []string{"account", "group"}},
	{Name: "drwatch_frozen", Help: "No labels."},
	{Name: "drwatch_things_total", Help: "A counter.", Type: exposition.Counter, Labels: []string{"kind"}},
	{Name: "drwatch_never", Help: "Never has a sample.", Labels: []string{"kind"}},
}

// oddities is values and names as badly as they come.
func oddities() []exposition.Sample {
	out := []exposition.Sample{{Family: "drwatch_frozen", Value: 1}}
	for i, v := range []float64{0, 1, -1, 0.1, 1.5e-9, 1 << 53, 1<<53 + 2, -1e21, 1763624100.125, math.Inf(1), math.Inf(-1), math.NaN(), math.MaxFloat64, math.SmallestNonzeroFloat64, math.Copysign(0, -1)} {
		out = append(out, exposition.Sample{Family: "drwatch_group_lag_seconds", Labels: []string{"hw", fmt.Sprint(i)}, Value: v})
	}
	for i, name := range []string{"", "plain", `back\slash`, `"quoted"`, "two\nlines", "caf\xe9", "日本", "\\n", "} 1\n", "\x00"} {
		out = append(out,
			exposition.Sample{Family: "drwatch_group_info", Labels: []string{"hw", fmt.Sprint(i), name}, Value: 1},
			exposition.Sample{Family: "drwatch_things_total", Labels: []string{name}, Value: float64(i) + 0.5})
	}
	return out
}

// many is n groups.
func many(n int, value float64) []exposition.Sample {
	var out []exposition.Sample
	for i := range n {
		id := fmt.Sprintf("group-%06d", i)
		out = append(out,
			exposition.Sample{Family: "drwatch_group_info", Labels: []string{"hw", id, "name of " + id}, Value: 1},
			exposition.Sample{Family: "drwatch_group_lag_seconds", Labels: []string{"hw", id}, Value: value + float64(i%7)})
	}
	return out
}

// world is a page with its handler, and the plain registry of the same samples.
type world struct {
	page    *exposition.Page
	handler http.Handler
	live    *prometheus.Registry
	latency prometheus.Collector // in the live registry
	sets    map[string][]exposition.Sample
}

func newWorld(t testing.TB) *world {
	t.Helper()
	page, err := exposition.NewPage(families)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{page: page, live: prometheus.NewRegistry(), sets: map[string][]exposition.Sample{}}
	latency := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "live_latency_seconds", Help: "Live.", Buckets: []float64{0.5, 1}})
	latency.Observe(0.7)
	w.latency = latency
	w.live.MustRegister(latency)
	if w.handler, err = exposition.NewHandler(page, w.live, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) put(t testing.TB, set string, samples []exposition.Sample) {
	t.Helper()
	w.sets[set] = samples
	if err := w.page.Put(set, slices.Values(samples)); err != nil {
		t.Fatal(err)
	}
}

// Describe tells nothing: what is collected is not known before.
func (w *world) Describe(chan<- *prometheus.Desc) {}

// Collect is the samples of all sets, as const metrics.
func (w *world) Collect(ch chan<- prometheus.Metric) {
	for _, samples := range w.sets {
		for _, s := range samples {
			i := slices.IndexFunc(families, func(f exposition.Family) bool { return f.Name == s.Family })
			kind := prometheus.GaugeValue
			if families[i].Type == exposition.Counter {
				kind = prometheus.CounterValue
			}
			values := slices.Clone(s.Labels)
			for j := range values {
				values[j] = strings.ToValidUTF8(values[j], "\uFFFD")
			}
			desc := prometheus.V2.NewDesc(s.Family, families[i].Help, prometheus.UnconstrainedLabels(families[i].Labels), nil, prometheus.WithUnit(families[i].Unit))
			ch <- prometheus.MustNewConstMetric(desc, kind, s.Value, values...)
		}
	}
}

// reference is the plain registry path: all gathered and encoded for one scrape.
func (w *world) reference(t testing.TB) http.Handler {
	t.Helper()
	reg := prometheus.NewRegistry()
	reg.MustRegister(w, w.latency)
	return promhttp.HandlerFor(reg, promhttp.HandlerOpts{EnableOpenMetrics: true})
}

// same demands that both formats, with and without gzip, tell what the plain
// registry tells.
func (w *world) same(t testing.TB) {
	t.Helper()
	expositiontest.Same(t, w.reference(t), w.handler)
}

func TestSameAsThePlainRegistry(t *testing.T) {
	w := newWorld(t)
	w.same(t) // empty
	w.put(t, "groups/a", oddities())
	w.same(t)
	w.put(t, "groups/b", many(1700, 0)) // several pieces for each family
	w.same(t)
	w.put(t, "groups/b", many(1700, 0)) // the same again: pieces are kept
	w.same(t)
	w.put(t, "groups/b", many(1600, 2)) // fewer, one family with other values
	w.same(t)
	w.put(t, "groups/b", nil)
	w.same(t)
	w.page.Keep("groups/b")
	delete(w.sets, "groups/a")
	w.same(t)
}

func TestWhatDoesNotFitIsLeftOut(t *testing.T) {
	w := newWorld(t)
	good := []exposition.Sample{
		{Family: "drwatch_frozen", Value: 1},
		{Family: "drwatch_things_total", Labels: []string{"\xfe"}, Value: 1},
	}
	for name, bad := range map[string]exposition.Sample{
		"not defined": {Family: "drwatch_unheard_of"},
		"2 label":     {Family: "drwatch_things_total", Labels: []string{"a", "b"}},
		"twice":       {Family: "drwatch_things_total", Labels: []string{"\xff"}, Value: 2}, // the same once it is valid UTF-8
	} {
		err := w.page.Put("x", slices.Values(append(slices.Clone(good), bad)))
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
		w.sets["x"] = good
		w.same(t)
	}
	if _, err := exposition.NewPage(append(slices.Clone(families), families[0])); err == nil {
		t.Error("a family defined twice was taken")
	}
	err := w.page.Put("x", func(yield func(exposition.Sample) bool) {
		for i := 0; i < 1000 && yield(exposition.Sample{Family: fmt.Sprint("f", i)}); i++ {
		}
	})
	if err == nil || len(err.Error()) > 1000 || !strings.Contains(err.Error(), "995 more") {
		t.Errorf("a thousand errors: %v", err)
	}
}

func TestNegotiation(t *testing.T) {
	w := newWorld(t)
	for _, tt := range []struct{ accept, encoding, wantType, wantEncoding string }{
		{"", "", "text/plain; version=0.0.4", ""},
		{"*/*", "*", "text/plain; version=0.0.4", "gzip"},
		{"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=0.0.4;q=0.4", "gzip", "application/openmetrics-text; version=1.0.0", "gzip"},
		{"application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=0.0.4;q=0.6", "br, gzip;q=0.1", "text/plain; version=0.0.4", "gzip"},
		{"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.9,application/openmetrics-text;version=1.0.0;q=0.3", "gzip; q=0, *", "application/openmetrics-text; version=1.0.0", ""},
		{"text/html", "deflate", "text/plain; version=0.0.4", ""},
	} {
		r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
		r.Header.Set("Accept", tt.accept)
		r.Header.Set("Accept-Encoding", tt.encoding)
		rec := httptest.NewRecorder()
		w.handler.ServeHTTP(rec, r)
		gotType, gotEncoding := rec.Header().Get("Content-Type"), rec.Header().Get("Content-Encoding")
		if !strings.HasPrefix(gotType, tt.wantType) || gotEncoding != tt.wantEncoding {
			t.Errorf("%q, %q: %q, %q", tt.accept, tt.encoding, gotType, gotEncoding)
		}
	}
	r := httptest.NewRequest(http.MethodHead, "/metrics", nil)
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	if rec.Body.Len() != 0 || rec.Header().Get("Content-Length") == "" {
		t.Errorf("HEAD: %d bytes, Content-Length %q", rec.Body.Len(), rec.Header().Get("Content-Length"))
	}
}

// slow is a collector that says that it began, and waits.
type slow struct {
	began   chan struct{}
	release chan struct{}
	times   atomic.Int32
}

func (s *slow) Describe(chan<- *prometheus.Desc) {}

func (s *slow) Collect(chan<- prometheus.Metric) {
	s.times.Add(1)
	s.began <- struct{}{}
	<-s.release
}

// Twenty scrapes that come together are no more work than one: what is live is
// gathered once, and the samples of the page are not asked for again, be they
// twenty or one.
func TestTwentyScrapesAtOnceRenderOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		s := &slow{began: make(chan struct{}, 1), release: make(chan struct{})}
		w.live.MustRegister(s)
		rendered := 0
		err := w.page.Put("g", func(yield func(exposition.Sample) bool) {
			for _, sample := range many(100, 0) {
				rendered++
				if !yield(sample) {
					return
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		answers := make(chan string, 20)
		for range cap(answers) {
			all.Go(func() { answers <- string(expositiontest.Get(t, w.handler, expositiontest.AcceptText, "gzip")) })
		}
		synctest.Wait() // all of them wait for what one gathers
		close(s.release)
		all.Wait()
		close(answers)
		first := <-answers
		for other := range answers {
			if other != first {
				t.Error("two scrapes at once tell different things")
			}
		}
		if n := s.times.Load(); n != 1 || rendered != 200 {
			t.Errorf("gathered %d times, want once; %d samples rendered, want each of the 200 once", n, rendered)
		}
	})
}

// Scrapes that come together gather once; more than the places there are get
// told to come later.
func TestScrapesAtOnce(t *testing.T) {
	w := newWorld(t)
	s := &slow{began: make(chan struct{}, 1), release: make(chan struct{})}
	w.live.MustRegister(s)
	const most = 40
	var all sync.WaitGroup
	codes := make(chan int, 2*most)
	scrape := func() {
		rec := httptest.NewRecorder()
		w.handler.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		codes <- rec.Code
	}
	all.Go(scrape)
	<-s.began
	for range 2*most - 1 {
		all.Go(scrape)
	}
	for range most { // those without a place return while the others wait
		if code := <-codes; code != http.StatusServiceUnavailable {
			t.Fatalf("status %d before anything was gathered", code)
		}
	}
	close(s.release)
	all.Wait()
	for range most {
		if code := <-codes; code != http.StatusOK {
			t.Errorf("status %d", code)
		}
	}
	if n := s.times.Load(); n != 1 {
		t.Errorf("gathered %d times, want once", n)
	}
}

// A page that is scraped while it changes is one of its states, never a mix.
func TestScrapesSeeWholeSets(t *testing.T) {
	w := newWorld(t)
	w.put(t, "g", many(500, 0))
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 50 {
			if err := w.page.Put("g", slices.Values(many(500, float64(100*i)))); err != nil {
				t.Error(err)
			}
		}
	}()
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		got := expositiontest.Text(t, expositiontest.Get(t, w.handler, expositiontest.AcceptText, "gzip"))["drwatch_group_lag_seconds"]
		low, high := math.Inf(1), math.Inf(-1)
		for _, m := range got.Metric {
			low, high = min(low, m.Gauge.GetValue()), max(high, m.Gauge.GetValue())
		}
		if len(got.Metric) != 500 || high-low != 6 {
			t.Fatalf("%d series from %v to %v", len(got.Metric), low, high)
		}
	}
}

// What was put before leaves nothing behind, whatever its labels were.
func TestMemoryIsFlatOverSwaps(t *testing.T) {
	w := newWorld(t)
	const groups, swaps = 50, 1000
	held := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	round := func(n int) {
		samples := many(groups, float64(n))
		for i := range samples {
			samples[i].Labels[1] += fmt.Sprintf("-%06d", n)
		}
		sets := []string{fmt.Sprint("groups/", n), fmt.Sprint("groups/", n+1)}
		if err := w.page.Put(sets[1], slices.Values(samples)); err != nil {
			t.Fatal(err)
		}
		w.page.Keep(sets...)
	}
	for n := range 20 {
		round(n)
	}
	before := held()
	for n := range swaps {
		round(20 + n)
	}
	after := held()
	if after > before+256<<10 {
		t.Errorf("%d bytes held after 20 swaps, %d after %d more", before, after, swaps)
	}
	if n := len(expositiontest.Text(t, expositiontest.Get(t, w.handler, expositiontest.AcceptText, "gzip"))["drwatch_group_info"].GetMetric()); n != 2*groups {
		t.Errorf("%d groups, want those of two sets", n)
	}
	runtime.KeepAlive(w)
}

func FuzzLines(f *testing.F) {
	f.Add("plain", 1.0)
	f.Add("a\"b\\c\nd", math.NaN())
	f.Add("caf\xe9", -1e300)
	f.Fuzz(func(t *testing.T, name string, v float64) {
		w := newWorld(t)
		w.put(t, "x", []exposition.Sample{{Family: "drwatch_group_info", Labels: []string{"hw", "1", name}, Value: v}})
		got := expositiontest.Text(t, expositiontest.Get(t, w.handler, expositiontest.AcceptText, "gzip"))["drwatch_group_info"].GetMetric()
		if len(got) != 1 || math.Float64bits(got[0].Gauge.GetValue()) != math.Float64bits(v) && v == v {
			t.Fatalf("%v, want one of %v", got, v)
		}
		labels := map[string]string{}
		for _, l := range got[0].Label {
			labels[l.GetName()] = l.GetValue()
		}
		want := map[string]string{"account": "hw", "group": "1", "name": strings.ToValidUTF8(name, "\uFFFD")}
		if !maps.Equal(labels, want) {
			t.Fatalf("%q, want %q", labels, want)
		}
		expositiontest.OpenMetrics(t, expositiontest.Get(t, w.handler, expositiontest.AcceptOpenMetrics, "identity"))
	})
}

func BenchmarkPut1000Groups(b *testing.B) {
	for name, changing := range map[string]float64{"same": 0, "changed": 1} {
		b.Run(name, func(b *testing.B) {
			w := newWorld(b)
			sets := [][]exposition.Sample{many(1000, 0), many(1000, changing)}
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				if err := w.page.Put("g", slices.Values(sets[n%2])); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkScrape1000Groups(b *testing.B) {
	w := newWorld(b)
	w.put(b, "g", many(1000, 0))
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	r.Header.Set("Accept-Encoding", "gzip")
	b.ReportAllocs()
	for b.Loop() {
		w.handler.ServeHTTP(httptest.NewRecorder(), r)
	}
}
