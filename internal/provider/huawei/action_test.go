package huawei_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/provider/huawei"
	"github.com/drwatch/drwatch/internal/replication"
)

// action is a call that is accepted with a job_id.
func action() huawei.Action {
	return huawei.Action{
		Operation: "DoThing", Path: "/v1/{project_id}/things/t-1/action",
		Body: "{\"do\":{}}\n", ContentType: "application/json;charset=UTF-8",
		Refusals: map[string]bool{"SDRS.1013": true, "badRequest": true},
		Accepted: func(_ int, body []byte) (string, bool) {
			var answer struct {
				JobID string `json:"job_id"`
			}
			_ = json.Unmarshal(body, &answer)
			return answer.JobID, answer.JobID != ""
		},
	}
}

func TestActOutcomes(t *testing.T) {
	cut := func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_ = conn.Close()
		}
	}
	tests := []struct {
		name   string
		answer http.HandlerFunc
		want   replication.Outcome
		status int
	}{
		{"200 with a job", says(200, `{"job_id":"j-1"}`), replication.Accepted, 200},
		{"202 with a job", says(202, `{"job_id":"j-1"}`), replication.Accepted, 202},
		{"200 {}", says(200, `{}`), replication.Uncertain, 200},
		{"200 empty", says(200, ``), replication.Uncertain, 200},
		{"200 HTML", says(200, `<html>`), replication.Uncertain, 200},
		{"200 with an error", says(200, `{"error_code":"SDRS.1013","error_msg":"m"}`), replication.Uncertain, 200},
		{"200 with a job and an error", says(200, `{"job_id":"j-1","error_code":"SDRS.1013"}`), replication.Uncertain, 200},
		{"200 cut off", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `{"job_id":"j-1"}`)
		}, replication.Uncertain, 200},
		{"302", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/x", http.StatusFound) }, replication.Uncertain, 302},
		{"307", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/x", http.StatusTemporaryRedirect) }, replication.Uncertain, 307},
		{"401 of the gateway", says(401, `{"error_code":"APIGW.0301","error_msg":"Incorrect IAM authentication information"}`), replication.Rejected, 401},
		{"403 of a proxy", says(403, `<html>forbidden</html>`), replication.Uncertain, 403},
		{"400 with a known code", says(400, `{"badrequest":{"message":"m","code":"SDRS.1013"}}`), replication.Rejected, 400},
		{"400 OpenStack", says(400, `{"badRequest":{"message":"m","code":400}}`), replication.Rejected, 400},
		{"400 with a code nobody documents", says(400, `{"error":{"message":"m","code":"SDRS.9999"}}`), replication.Uncertain, 400},
		{"400 of a known and an unknown fault", says(400, `{"a":{"message":"m","code":"SDRS.1013"},"b":{"message":"m","code":"SDRS.9"}}`), replication.Uncertain, 400},
		{"429 with the vendor's code", says(429, `{"error_code":"APIGW.0308","error_msg":"too many"}`), replication.Throttled, 429},
		{"429 with the older code", says(429, `{"error_code":"APIG.0308","error_msg":"too many"}`), replication.Throttled, 429},
		{"429 without", says(429, ``), replication.Uncertain, 429},
		{"500", says(500, `{"error":{"message":"m","code":"SDRS.1013"}}`), replication.Uncertain, 500},
		{"502 HTML", says(502, `<html>`), replication.Uncertain, 502},
		{"503 empty", says(503, ``), replication.Uncertain, 503},
		{"cut after the request", cut, replication.Uncertain, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newCloud(t, tt.answer)
			r := client(t, settings(c.URL)).Act(t.Context(), action(), nil)
			if r.Outcome != tt.want || r.Status != tt.status {
				t.Errorf("outcome %q, status %d (%v), want %q, %d", r.Outcome, r.Status, r.Err, tt.want, tt.status)
			}
			accepted := tt.want == replication.Accepted
			if (r.Err == nil) != accepted || (r.JobID == "j-1") != accepted {
				t.Errorf("job %q, error %v", r.JobID, r.Err)
			}
			if n := len(c.requests()); n != 1 {
				t.Errorf("%d requests, want exactly 1", n)
			}
			if tt.status != 0 && r.Date.IsZero() {
				t.Error("the provider's Date is lost")
			}
		})
	}
}

func TestActTimesOutAfterTheWrite(t *testing.T) {
	c := newCloud(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	s := settings(c.URL)
	s.Timeout = 100 * time.Millisecond
	r := client(t, s).Act(t.Context(), action(), nil)
	if r.Outcome != replication.Uncertain || r.Err == nil || len(c.requests()) != 1 {
		t.Errorf("%+v after %d requests, want unknown after 1", r, len(c.requests()))
	}
}

func TestActThatFindsNobody(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	r := client(t, settings(gone.URL)).Act(t.Context(), action(), nil)
	if r.Outcome != replication.NotSent || r.Err == nil {
		t.Errorf("%+v, want not_sent", r)
	}
}

func TestActIsStoppedBeforeTheFirstByte(t *testing.T) {
	c := newCloud(t, says(200, `{"job_id":"j-1"}`))
	lapsed := errors.New("the lease is too short")
	r := client(t, settings(c.URL)).Act(t.Context(), action(), func() error { return lapsed })
	if r.Outcome != replication.NotSent || !errors.Is(r.Err, lapsed) || len(c.requests()) != 0 {
		t.Errorf("%+v after %d requests, want not_sent after none", r, len(c.requests()))
	}
}

func TestActOnTheWire(t *testing.T) {
	c := newCloud(t, says(200, `{"job_id":"j-1"}`))
	if r := client(t, settings(c.URL)).Act(t.Context(), action(), nil); r.Outcome != replication.Accepted || r.RequestID != "req-1" {
		t.Fatalf("%+v", r)
	}
	got := c.requests()[0]
	if want := "/v1/" + project + "/things/t-1/action"; got.method != http.MethodPost || got.uri != want || got.body != "{\"do\":{}}\n" {
		t.Errorf("sent %s %s %q", got.method, got.uri, got.body)
	}
	if ct := got.header.Get("Content-Type"); ct != "application/json;charset=UTF-8" {
		t.Errorf("Content-Type %q", ct)
	}
}

func TestActByAnotherMethod(t *testing.T) {
	c := newCloud(t, says(200, `{"job_id":"j-1"}`))
	a := action()
	a.Method, a.Body = http.MethodDelete, ""
	if r := client(t, settings(c.URL)).Act(t.Context(), a, nil); r.Outcome != replication.Accepted {
		t.Fatalf("%+v", r)
	}
	if got := c.requests()[0]; got.method != http.MethodDelete || got.body != "" {
		t.Errorf("sent %s %q", got.method, got.body)
	}
}
