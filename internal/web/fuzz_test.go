package web_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/drwatch/drwatch/internal/api"
	"github.com/drwatch/drwatch/internal/web"
)

// answered demands an answer that a program can read, and that is no fault of ours.
func answered(t *testing.T, w *httptest.ResponseRecorder) api.Envelope {
	t.Helper()
	var e api.Envelope
	if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || w.Header().Get("Content-Type") != "application/json" {
		t.Fatalf("HTTP %d %q: %v", w.Code, w.Body, err)
	}
	if w.Code >= 500 || (w.Code == 200) != (e.Status == "success") || (e.Error == "") != (w.Code == 200) {
		t.Fatalf("HTTP %d %+v", w.Code, e)
	}
	return e
}

// FuzzAlerts: a delivery is taken whole or not at all, what is taken says all that
// drwatch relies on, and no line of the log is the sender's.
func FuzzAlerts(f *testing.F) {
	f.Add(webhook(f))
	f.Add(`{"version":"4","alerts":[{"status":"firing","labels":{"a":"b"},"startsAt":"2026-11-20T03:00:00Z"}]}`)
	f.Add(`{"version":"4","alerts":null}`)
	f.Add(`{"version":"4","alerts":[{"status":"suppressed","labels":{"a":"b"},"startsAt":"2026-11-20T03:00:00Z"}]}`)
	f.Add(`{"version":"4","externalURL":"http://u:p@h/\u000alevel=ERROR","truncatedAlerts":18446744073709551615,"alerts":[]}`)
	f.Add(`{"version":"4","alerts":[{"status":"resolved","labels":{"":"\ud800"},"startsAt":"9999-12-31T23:59:59.999999999Z","endsAt":"0001-01-01T00:00:00Z"}]}{}`)
	f.Add(`{"version":"4","alerts":[` + strings.Repeat(`[`, 9000))
	f.Add(`{"alerts":[{"startsAt":"9999-15` + strings.Repeat("\xd7", 2000) + `"}]}`)
	f.Add(`{"version":"4","externalURL":"http://h/` + strings.Repeat("x", 5000) + `","alerts":[{"status":"` + strings.Repeat("y", 5000) + `"}]}`)
	f.Fuzz(func(t *testing.T, body string) {
		began := time.Now()
		a, log := &fakeAlerts{}, &bytes.Buffer{}
		h := alertsHandler(a, log)
		for range 2 { // Alertmanager sends it again when it has no answer
			w := httptest.NewRecorder()
			h.ServeHTTP(w, request("POST", "/api/v1/alerts", body, nil))
			answered(t, w)
			if w.Code != 200 && w.Code != 400 {
				t.Fatalf("HTTP %d", w.Code)
			}
			if taken := len(a.got); w.Code != 200 && taken > 0 || w.Code == 200 && taken == 0 {
				t.Fatalf("HTTP %d, and %d deliveries were taken", w.Code, taken)
			}
		}
		if len(a.got) == 2 && !cmp.Equal(a.got[0], a.got[1]) {
			t.Errorf("the same delivery is read in two ways: %v, %v", a.got[0], a.got[1])
		}
		for _, list := range a.got {
			for _, x := range list {
				if x.Status != api.AlertFiring && x.Status != api.AlertResolved || len(x.Labels) == 0 || x.StartsAt.IsZero() {
					t.Errorf("taken: %+v", x)
				}
			}
		}
		if n := strings.Count(log.String(), "\n"); n != 2 || log.Len() > 8<<10 {
			t.Errorf("%d lines for two deliveries:\n%s", n, log)
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}

// FuzzCalls: whatever is sent to whichever path, from this machine or another, it is
// answered; only a person at this machine changes something, and what is passed on as
// their words can be written into a journal.
func FuzzCalls(f *testing.F) {
	for _, path := range []string{"incidents/i1/approve", "incidents/i1/abort", "incidents/%2e%2e%2fx/ack", "freeze", "unfreeze", "members/obs-b/replace", "members/x/remove", "actions", "alerts", "nothing", ""} {
		f.Add("POST", "/api/v1/"+path, `{"who":"ann","reason":"drill"}`, "127.0.0.1:5555")
	}
	f.Add("POST", "/api/v1/actions", `{"group":"g1","account":"hw","action":"failover","reason":"r","who":"ann"}`, "[::1]:1")
	f.Add("POST", "/api/v1/actions", `{"group":"g1","action":"clear_drill","drill":"d","dry_run":true}`, "127.0.0.1:1")
	f.Add("POST", "/api/v1/actions", `{"group":"g1","action":"failover","reason":"two\nlines","who":"ann"}`, "127.0.0.1:1")
	f.Add("POST", "/api/v1/freeze", `{"reason":"r"}`, "192.0.2.1:99")
	f.Add("POST", "/api/v1/freeze", `{"reason":"two\nlines"}`, "127.0.0.1:1")
	f.Add("GET", "/api/v1/incidents?limit=99999999999999999999", "", "192.0.2.1:99")
	f.Add("GET", "/api/v1/explain?group=%00&account=%ff", "", "x")
	f.Add("DELETE", "/", "", "")
	f.Fuzz(func(t *testing.T, method, target, body, from string) {
		r, err := http.NewRequest(method, "http://127.0.0.1:10109"+target, strings.NewReader(body))
		if err != nil || r.Host != "127.0.0.1:10109" || !strings.HasPrefix(target, "/") {
			return // no request that would come here
		}
		r.RemoteAddr = from
		view, acts := &fake{ready: true}, &fakeActions{answer: planned()}
		h := web.Handler(web.Options{
			View: view, Operator: view, Actions: acts, Alerts: &fakeAlerts{}, Metrics: http.NotFoundHandler(),
			Logger: slog.New(slog.DiscardHandler), Now: func() time.Time { return now },
		})
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code >= 500 {
			t.Fatalf("%s %s: HTTP %d %s", method, target, w.Code, w.Body)
		}
		if strings.HasPrefix(r.URL.Path, "/api/v1/") && w.Code != 301 && w.Code != 307 && method != "CONNECT" {
			answered(t, w)
		}
		here := strings.HasPrefix(from, "127.") || strings.HasPrefix(from, "[::1") || strings.HasPrefix(from, "[::ffff:127.") || strings.HasPrefix(from, "[::ffff:7f") || strings.HasPrefix(from, "[0")
		if (len(view.asked) > 0 || len(acts.asked) > 0) && (!here || method != "POST") {
			t.Errorf("%s %s from %q was carried out", method, target, from)
		}
		for _, ask := range acts.asked {
			if strings.ContainsFunc(ask.Who+ask.Reason, unicode.IsControl) || len(ask.Reason) > 1<<10 || strings.TrimSpace(ask.Group) == "" || !ask.DryRun && strings.TrimSpace(ask.Reason) == "" {
				t.Errorf("passed on: %+v", ask)
			}
		}
	})
}
