// Package expositiontest reads /metrics in tests, and compares two of them by
// what they say and not by their bytes. It knows the formats and no metric.
package expositiontest

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
)

// What a scraper sends as Accept for each of the two formats.
const (
	AcceptText        = "text/plain;version=0.0.4"
	AcceptOpenMetrics = "application/openmetrics-text;version=1.0.0"
)

// Same demands that both handlers tell the same families and series, in both
// formats, with and without gzip.
func Same(t testing.TB, want, got http.Handler) {
	t.Helper()
	for _, encoding := range []string{"gzip", "identity"} {
		plain, page := flat(t, Text(t, Get(t, want, AcceptText, encoding))), flat(t, Text(t, Get(t, got, AcceptText, encoding)))
		if diff := cmp.Diff(plain, page); diff != "" {
			t.Errorf("text, %s: want (-), got (+)\n%s", encoding, diff)
		}
		plain, page = OpenMetrics(t, Get(t, want, AcceptOpenMetrics, encoding)), OpenMetrics(t, Get(t, got, AcceptOpenMetrics, encoding))
		if diff := cmp.Diff(plain, page); diff != "" {
			t.Errorf("OpenMetrics, %s: want (-), got (+)\n%s", encoding, diff)
		}
	}
}

// Get scrapes a handler and gives the text, inflated where it was compressed.
func Get(t testing.TB, h http.Handler, accept, encoding string) []byte {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", http.NoBody)
	r.Header.Set("Accept", accept)
	r.Header.Set("Accept-Encoding", encoding)
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	if rec.Code != http.StatusOK {
		t.Fatalf("status %d: %s", rec.Code, rec.Body)
	}
	if want := rec.Header().Get("Content-Length"); want != "" && want != fmt.Sprint(rec.Body.Len()) {
		t.Fatalf("Content-Length %s, and %d bytes", want, rec.Body.Len())
	}
	if mine, _, _ := strings.Cut(accept, ";"); !strings.HasPrefix(rec.Header().Get("Content-Type"), mine) {
		t.Fatalf("asked for %s, got %s", accept, rec.Header().Get("Content-Type"))
	}
	if rec.Header().Get("Content-Encoding") != "gzip" {
		return rec.Body.Bytes()
	}
	z, err := gzip.NewReader(rec.Body)
	if err != nil {
		t.Fatal(err)
	}
	z.Multistream(false) // many clients read the first member alone
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Text reads text 0.0.4.
func Text(t testing.TB, text []byte) map[string]*dto.MetricFamily {
	t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	got, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%v in\n%.2000s", err, text)
	}
	return got
}

// flat is families as one line for each thing that they say.
func flat(t testing.TB, families map[string]*dto.MetricFamily) map[string]string {
	t.Helper()
	out := map[string]string{}
	for name, f := range families {
		out[name] = fmt.Sprint(f.GetType(), " ", f.GetHelp())
		for _, m := range f.Metric {
			slices.SortFunc(m.Label, func(a, b *dto.LabelPair) int { return strings.Compare(a.GetName(), b.GetName()) })
			key := name + fmt.Sprint(m.Label)
			if _, twice := out[key]; twice {
				t.Errorf("%s is there twice", key)
			}
			out[key] = fmt.Sprint(m.Gauge.GetValue(), m.Counter.GetValue(), m.Histogram)
		}
	}
	return out
}

// OpenMetrics reads OpenMetrics as Prometheus does: what it says of each family,
// and its series.
func OpenMetrics(t testing.TB, text []byte) map[string]string {
	t.Helper()
	out := map[string]string{}
	p := textparse.NewOpenMetricsParser(text, labels.NewSymbolTable())
	for {
		entry, err := p.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatalf("%v in\n%.2000s", err, text)
		}
		key, value := said(t, p, entry)
		if _, twice := out[key]; twice {
			t.Fatalf("%s is there twice", key)
		}
		out[key] = value
	}
}

// said is what one line says, of what.
func said(t testing.TB, p textparse.Parser, entry textparse.Entry) (of, what string) {
	t.Helper()
	switch entry {
	case textparse.EntryHelp:
		name, help := p.Help()
		return "HELP " + string(name), string(help)
	case textparse.EntryType:
		name, kind := p.Type()
		return "TYPE " + string(name), string(kind)
	case textparse.EntryUnit:
		name, unit := p.Unit()
		return "UNIT " + string(name), string(unit)
	case textparse.EntrySeries:
		var ls labels.Labels
		p.Labels(&ls)
		_, _, v := p.Series()
		return ls.String(), fmt.Sprint(v)
	default:
		t.Fatalf("entry %v", entry)
		return "", ""
	}
}
