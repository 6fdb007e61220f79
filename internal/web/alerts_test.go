package web_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drwatch/drwatch/internal/api"
	"github.com/drwatch/drwatch/internal/web"
)

// fakeAlerts notes what it is sent.
type fakeAlerts struct {
	got [][]api.Alert
	err error
}

func (f *fakeAlerts) Receive(list []api.Alert) error {
	f.got = append(f.got, list)
	return f.err
}

func alertsHandler(a web.Alerts, log *bytes.Buffer) http.Handler {
	f := &fake{}
	return web.Handler(web.Options{
		View: f, Operator: f, Alerts: a, Metrics: http.NotFoundHandler(), Now: func() time.Time { return now },
		Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
}

// webhook is a delivery as Alertmanager 0.28 makes it.
func webhook(t testing.TB) string {
	t.Helper()
	b, err := os.ReadFile("testdata/alertmanager.json")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestAlertsAreTaken(t *testing.T) {
	f, log := &fakeAlerts{}, &bytes.Buffer{}
	w := httptest.NewRecorder()
	alertsHandler(f, log).ServeHTTP(w, request("POST", "/api/v1/alerts", webhook(t), nil))
	if w.Code != 200 || strings.TrimSpace(w.Body.String()) != `{"status":"success","data":{}}` {
		t.Fatalf("HTTP %d %s", w.Code, w.Body)
	}
	want := [][]api.Alert{{
		{Status: "firing", Labels: map[string]string{"alertname": "WarehouseDown", "severity": "critical", "active_site": "az-a"}, StartsAt: time.Date(2026, 11, 20, 3, 0, 0, 123000000, time.UTC)},
		{
			Status: "resolved", Labels: map[string]string{"alertname": "WarehouseDown", "severity": "critical", "active_site": "az-b"},
			StartsAt: time.Date(2026, 11, 20, 2, 0, 0, 0, time.UTC), EndsAt: time.Date(2026, 11, 20, 2, 59, 30, 0, time.UTC),
		},
	}}
	if d := cmp.Diff(want, f.got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	if text := log.String(); !strings.Contains(text, "from=127.0.0.1") || !strings.Contains(text, "alertmanager=http://ops:xxxxx@am-1:9093") || strings.Contains(text, "hunter2") {
		t.Errorf("log: %s", text)
	}
}

// TestAlertsAreReadStrictly: of a delivery that is not what it should be nothing
// is taken, and the sender is told what is wrong.
func TestAlertsAreReadStrictly(t *testing.T) {
	whole := webhook(t)
	without := func(old, changed string) string {
		if !strings.Contains(whole, old) {
			t.Fatalf("%q is not in the delivery", old)
		}
		return strings.Replace(whole, old, changed, 1)
	}
	for _, tc := range []struct {
		name   string
		body   string
		change func(*http.Request)
		code   int
		says   string
	}{
		{"whole", whole, nil, 200, ""},
		{"what a newer version adds", without(`"version": "4",`, `"version": "4", "more": {"x": [1]},`), nil, 200, ""},
		{"no alerts in it", `{"version":"4","alerts":[]}`, nil, 200, ""},
		{"another version", without(`"version": "4"`, `"version": "5"`), nil, 400, `the payload has version "5"`},
		{"no version", without(`"version": "4",`, ``), nil, 400, `version ""`},
		{"no alerts", `{"version":"4"}`, nil, 400, "has no alerts"},
		{"the alerts API's form", `[{"labels":{"alertname":"X"}}]`, nil, 400, "what a webhook receiver of Alertmanager gets"},
		{"no such status", without(`"status": "resolved"`, `"status": "suppressed"`), nil, 400, `alerts[1] status is "suppressed"`},
		{"no status", `{"version":"4","alerts":[{"labels":{"a":"b"},"startsAt":"2026-11-20T03:00:00Z"}]}`, nil, 400, `alerts[0] status is ""`},
		{"no labels", `{"version":"4","alerts":[{"status":"firing","startsAt":"2026-11-20T03:00:00Z"}]}`, nil, 400, "alerts[0] has no labels"},
		{"no begin", `{"version":"4","alerts":[{"status":"firing","labels":{"a":"b"}}]}`, nil, 400, "alerts[0] has no startsAt"},
		{"a begin that is no time", without("2026-11-20T03:00:00.123Z", "yesterday"), nil, 400, "the body must be"},
		{"a label that is no text", without(`"critical"`, `7`), nil, 400, "the body must be"},
		{"two objects", whole + whole, nil, 400, "one JSON object"},
		{"no JSON", "alertname=X", nil, 400, "the body must be"},
		{"too large", `{"version":"4","alerts":[],"x":"` + strings.Repeat("x", 5<<20) + `"}`, nil, 400, "too large"},
		{"from another machine", whole, func(r *http.Request) { r.RemoteAddr = "10.0.0.9:5" }, 403, "this machine only"},
		{"through a proxy", whole, func(r *http.Request) { r.Header.Set("X-Forwarded-For", "10.0.0.9") }, 403, "proxy"},
		{"from a web page", whole, func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") }, 403, "web pages"},
		{"read", "", func(r *http.Request) { r.Method = "GET" }, 405, "it takes POST"},
		{"put", whole, func(r *http.Request) { r.Method = "PUT" }, 405, "it takes POST"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := &fakeAlerts{}
			w := httptest.NewRecorder()
			alertsHandler(f, &bytes.Buffer{}).ServeHTTP(w, request("POST", "/api/v1/alerts", tc.body, tc.change))
			var e api.Envelope
			if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil {
				t.Fatal(err)
			}
			if w.Code != tc.code || !strings.Contains(e.Error, tc.says) {
				t.Errorf("HTTP %d, want %d with %q\n%s", w.Code, tc.code, tc.says, w.Body)
			}
			if reached := len(f.got) == 1; reached != (tc.code == 200) {
				t.Errorf("taken: %v", f.got)
			}
			if allow := w.Header().Get("Allow"); (tc.code == 405) != (allow == "POST") {
				t.Errorf("Allow: %q", allow)
			}
		})
	}
}

func TestAlertsThatAreMissing(t *testing.T) {
	log := &bytes.Buffer{}
	w := httptest.NewRecorder()
	body := strings.Replace(webhook(t), `"truncatedAlerts": 0`, `"truncatedAlerts": 3`, 1)
	alertsHandler(&fakeAlerts{}, log).ServeHTTP(w, request("POST", "/api/v1/alerts", body, nil))
	if w.Code != 200 || !strings.Contains(log.String(), "level=WARN") || !strings.Contains(log.String(), "left_out=3") {
		t.Errorf("HTTP %d, log %s", w.Code, log)
	}

	log.Reset()
	w = httptest.NewRecorder()
	full := &fakeAlerts{err: fmt.Errorf("%w: too many", web.ErrRefused)}
	alertsHandler(full, log).ServeHTTP(w, request("POST", "/api/v1/alerts", webhook(t), nil))
	if w.Code != 409 || !strings.Contains(log.String(), "too many") {
		t.Errorf("HTTP %d, log %s", w.Code, log)
	}

	w = httptest.NewRecorder()
	alertsHandler(nil, log).ServeHTTP(w, request("POST", "/api/v1/alerts", webhook(t), nil))
	if w.Code != 404 {
		t.Errorf("nobody takes them: HTTP %d", w.Code)
	}
}
