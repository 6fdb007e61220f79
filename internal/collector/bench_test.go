package collector_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/drwatch/drwatch/internal/replication"
)

// manyGroups is n groups that tell everything.
func manyGroups(n int) []replication.Group {
	var all []replication.Group
	for i := range n {
		all = append(all, fullGroup(fmt.Sprintf("group-%04d", i)))
	}
	return all
}

func BenchmarkMetrics1000Groups(b *testing.B) {
	h := newHouse(b)
	h.settle(b, account("hw", &reader{groups: manyGroups(1000)}))
	reg := prometheus.NewRegistry()
	reg.MustRegister(h.Metrics())
	handler := promhttp.HandlerFor(reg, promhttp.HandlerOpts{})
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		if n, err := io.Copy(io.Discard, w.Body); w.Code != http.StatusOK || err != nil || n < 1000*20*40 {
			b.Fatalf("status %d, %d bytes, %v", w.Code, n, err)
		}
	}
}

func BenchmarkSamples1000Groups(b *testing.B) {
	h := newHouse(b)
	h.settle(b, account("hw", &reader{groups: manyGroups(1000)}))
	s := h.Snapshot()
	b.ReportAllocs()
	for b.Loop() {
		if n := len(s.Samples(s.At)); n < 20_000 {
			b.Fatalf("%d samples", n)
		}
	}
}
