package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/api"
	"github.com/drwatch/drwatch/internal/replication"
	"github.com/drwatch/drwatch/internal/web"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// fake shows one of everything and notes what it is asked to do.
type fake struct {
	ready    bool
	asked    []string
	refuse   error
	nastyTag string
	limit    int
}

func (f *fake) Status() api.Status {
	up := false
	s := api.Status{
		Version: "1", Observer: "obs-w", Site: "witness", Mode: replication.Auto, Ready: f.ready, Leads: true, EvaluatedAt: now,
		Sites:    []api.Site{{Name: "az-a", Reachable: &up, Since: now, Probes: []api.Probe{{Name: "vip", Detail: "connection refused"}}}, {Name: "witness"}},
		Accounts: []api.Account{{Name: "hw", Provider: replication.HuaweiSDRS, Up: true, Groups: 1, LastSuccess: now}},
	}
	if !f.ready {
		s.NotReady = []string{"account hw was not polled yet"}
	}
	return s
}

func (f *fake) Groups() []api.Group {
	return []api.Group{{Name: "db-1" + f.nastyTag, Account: "hw", Group: "g1", State: replication.Replicating, RawStatus: "protected", ActiveSite: "az-a", ReadAt: now}}
}

func (f *fake) Rules() []api.Rule {
	return []api.Rule{{Name: "az-a-loss", Mode: replication.Auto, Targets: []api.RuleTarget{{Name: "db-1", State: "firing", Since: now, Blocking: []replication.Condition{{Name: "quorum", Value: "1 of 3 sites say go"}}}}}}
}

func (f *fake) Observers() []api.Observer { return []api.Observer{} }

func (f *fake) Incidents(limit int) []replication.Incident {
	f.limit = limit
	return []replication.Incident{
		{ID: "i1", Rule: "az-a-loss", Group: "g1", Phase: replication.Succeeded},
		{
			ID: "i2", Rule: replication.PersonRule, Group: "g1", Action: replication.Switchover, Phase: replication.Succeeded,
			Person: &replication.Person{Who: "ann@127.0.0.1", Reason: "maintenance"},
			Plan:   replication.Plan{From: replication.Location{Region: "r", Zone: "a"}, To: replication.Location{Region: "r", Zone: "b"}},
		},
	}
}

func (f *fake) CheckJournal(context.Context) (api.JournalCheck, error) {
	return api.JournalCheck{OK: true, Records: 3}, nil
}

func (f *fake) Incident(_ context.Context, id string) (api.Incident, error) {
	if id != "i1" {
		return api.Incident{}, fmt.Errorf("incident %q: %w", id, web.ErrNotFound)
	}
	return api.Incident{Incident: replication.Incident{ID: "i1", Rule: "az-a-loss", Group: "g1", Phase: replication.Succeeded}}, nil
}

func (f *fake) Explain(account, group string) (api.Explain, error) {
	return api.Explain{Group: api.Group{Account: account, Name: group}}, nil
}

func (f *fake) note(what, id, reason string) error {
	f.asked = append(f.asked, strings.Join(strings.Fields(what+" "+id+" "+reason), " "))
	return f.refuse
}

func (f *fake) Approve(_ context.Context, id, _, reason string) error {
	return f.note("approve", id, reason)
}

func (f *fake) Abort(_ context.Context, id, _, reason string) error {
	return f.note("abort", id, reason)
}

func (f *fake) Ack(_ context.Context, id, _, reason string) error { return f.note("ack", id, reason) }

func (f *fake) Freeze(_ context.Context, _, reason string) (*replication.Freeze, error) {
	return &replication.Freeze{Who: "ann", Reason: "the first"}, f.note("freeze", "", reason)
}

func (f *fake) Unfreeze(_ context.Context, _, reason string, reset bool) (*replication.Freeze, error) {
	if reset {
		reason += " reset"
	}
	return nil, f.note("unfreeze", "", reason)
}
func (f *fake) Reload(context.Context) error { return f.note("reload", "", "") }

func handler(f *fake) http.Handler {
	return web.Handler(web.Options{View: f, Operator: f, Metrics: http.NotFoundHandler(), Logger: slog.New(slog.DiscardHandler), Now: func() time.Time { return now }})
}

func request(method, path, body string, change func(*http.Request)) *http.Request {
	r := httptest.NewRequest(method, "http://127.0.0.1:10109"+path, strings.NewReader(body))
	r.RemoteAddr = "127.0.0.1:5555"
	if change != nil {
		change(r)
	}
	return r
}

// TestMutatingCallsAreLocal: whatever is not surely a person at this machine is
// refused before anything is done.
func TestMutatingCallsAreLocal(t *testing.T) {
	const reason = `{"reason":"drill"}`
	for _, tc := range []struct {
		name   string
		path   string
		body   string
		change func(*http.Request)
		code   int
		asked  string
	}{
		{"freeze", "/api/v1/freeze", reason, nil, 200, "freeze drill"},
		{"unfreeze", "/api/v1/unfreeze", reason, nil, 200, "unfreeze drill"},
		{"unfreeze a store that was reset", "/api/v1/unfreeze", `{"reason":"drill","store_was_reset":true}`, nil, 200, "unfreeze drill reset"},
		{"abort", "/api/v1/incidents/i1/abort", reason, nil, 200, "abort i1 drill"},
		{"approve", "/api/v1/incidents/i1/approve", reason, nil, 200, "approve i1 drill"},
		{"ack", "/api/v1/incidents/i1/ack", reason, nil, 200, "ack i1 drill"},
		{"reload", "/-/reload", "", nil, 200, "reload"},
		{"IPv6 loopback", "/api/v1/freeze", reason, func(r *http.Request) { r.RemoteAddr, r.Host = "[::1]:9", "[::1]:10109" }, 200, "freeze drill"},
		{"from another machine", "/api/v1/freeze", reason, func(r *http.Request) { r.RemoteAddr = "10.0.0.9:5" }, 403, ""},
		{"reload from another machine", "/-/reload", "", func(r *http.Request) { r.RemoteAddr = "10.0.0.9:5" }, 403, ""},
		{"through a proxy", "/api/v1/freeze", reason, func(r *http.Request) { r.Header.Set("X-Forwarded-For", "10.0.0.9") }, 403, ""},
		{"through another proxy", "/api/v1/freeze", reason, func(r *http.Request) { r.Header.Set("X-Real-IP", "10.0.0.9") }, 403, ""},
		{"through yet another", "/api/v1/freeze", reason, func(r *http.Request) { r.Header.Set("Via", "1.1 proxy") }, 403, ""},
		{"with a forwarded host", "/api/v1/freeze", reason, func(r *http.Request) { r.Header.Set("X-Forwarded-Host", "dr.example") }, 403, ""},
		{"a reason of spaces", "/api/v1/freeze", `{"reason":"  "}`, nil, 400, ""},
		{"from a web page", "/api/v1/freeze", reason, func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") }, 403, ""},
		{"from a browser", "/api/v1/freeze", reason, func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-origin") }, 403, ""},
		{"by a name that points here", "/api/v1/freeze", reason, func(r *http.Request) { r.Host = "evil.example" }, 403, ""},
		{"no reason", "/api/v1/freeze", `{}`, nil, 400, ""},
		{"no JSON", "/api/v1/freeze", `reason=x`, nil, 400, ""},
		{"unknown field", "/api/v1/freeze", `{"reason":"x","force":true}`, nil, 400, ""},
		{"two objects", "/api/v1/freeze", reason + reason, nil, 400, ""},
		{"10 MB body", "/api/v1/freeze", `{"reason":"` + strings.Repeat("x", 10<<20) + `"}`, nil, 400, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := &fake{}
			w := httptest.NewRecorder()
			handler(f).ServeHTTP(w, request("POST", tc.path, tc.body, tc.change))
			if w.Code != tc.code || strings.Join(f.asked, ",") != tc.asked {
				t.Errorf("HTTP %d, asked %q; want %d, %q\n%s", w.Code, f.asked, tc.code, tc.asked, w.Body)
			}
		})
	}
}

func TestRefusalsReachTheCaller(t *testing.T) {
	f := &fake{refuse: fmt.Errorf("%w: already sent", web.ErrRefused)}
	w := httptest.NewRecorder()
	handler(f).ServeHTTP(w, request("POST", "/api/v1/incidents/i1/abort", `{"reason":"x"}`, nil))
	if w.Code != http.StatusConflict || !strings.Contains(w.Body.String(), "already sent") {
		t.Errorf("HTTP %d: %s", w.Code, w.Body)
	}
}

func TestReads(t *testing.T) {
	for _, tc := range []struct {
		path string
		code int
		has  string
	}{
		{"/api/v1/status", 200, `"observer":"obs-w"`},
		{"/api/v1/groups", 200, `"raw_status":"protected"`},
		{"/api/v1/rules", 200, `"az-a-loss"`},
		{"/api/v1/observers", 200, `"data":[]`},
		{"/api/v1/incidents", 200, `"rpo_seconds":null`},
		{"/api/v1/incidents/i1", 200, `"journal"`},
		{"/api/v1/incidents/nope", 404, `"errorType":"not_found"`},
		{"/api/v1/explain?group=db-1", 200, `"name":"db-1"`},
		{"/api/v1/explain", 400, `explain needs`},
		{"/api/v1/nonsense", 404, `not found`},
		{"/-/healthy", 200, "healthy"},
		{"/-/ready", 503, "account hw was not polled yet"},
		{"/-/reload", 405, "POST"},
	} {
		t.Run(tc.path, func(t *testing.T) {
			w := httptest.NewRecorder()
			handler(&fake{}).ServeHTTP(w, request("GET", tc.path, "", nil))
			if w.Code != tc.code || !strings.Contains(w.Body.String(), tc.has) {
				t.Errorf("HTTP %d, want %d with %q:\n%s", w.Code, tc.code, tc.has, w.Body)
			}
			if strings.HasPrefix(tc.path, "/api/") {
				var e api.Envelope
				if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil {
					t.Errorf("not an envelope: %v", err)
				}
			}
		})
	}
}

// TestFreezeTellsWhatWas: a second freeze changes nothing, and whoever asks for it
// learns whose the first is.
func TestFreezeTellsWhatWas(t *testing.T) {
	for path, want := range map[string]string{"/api/v1/freeze": `{"already":{"who":"ann","reason":"the first"`, "/api/v1/unfreeze": `{"lifted":null}`} {
		w := httptest.NewRecorder()
		handler(&fake{}).ServeHTTP(w, request("POST", path, `{"reason":"drill"}`, nil))
		if w.Code != 200 || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: HTTP %d, want %s in:\n%s", path, w.Code, want, w.Body)
		}
	}
}

// TestPage: the page names what matters, has no script and escapes what the
// clouds say.
func TestPage(t *testing.T) {
	f := &fake{ready: true, nastyTag: "<script>alert(1)</script>"}
	srv := httptest.NewServer(handler(f))
	defer srv.Close()
	resp, err := http.Get(srv.URL + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"obs-w at witness", "db-1", "az-a-loss", "quorum: 1 of 3 sites say go", "succeeded", "connection refused", "switchover", "r/a → r/b", "ann@127.0.0.1: maintenance"} {
		if !bytes.Contains(body, []byte(want)) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if bytes.Contains(body, []byte("<script>")) {
		t.Error("a group's name became a script")
	}
	if csp := resp.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") {
		t.Errorf("Content-Security-Policy %q", csp)
	}
}

func TestIncidentsAreLimited(t *testing.T) {
	for query, want := range map[string]int{"": 1000, "?limit=3": 3, "?limit=10000": 10000, "?limit=0": 0, "?limit=10001": 0, "?limit=x": 0} {
		f := &fake{}
		h := web.Handler(web.Options{View: f, Operator: f, Metrics: http.NotFoundHandler(), Logger: slog.New(slog.DiscardHandler), Now: func() time.Time { return now }})
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/v1/incidents"+query, nil))
		if f.limit != want || (w.Code == http.StatusOK) != (want > 0) {
			t.Errorf("%q: %d, asked for %d incidents, want %d", query, w.Code, f.limit, want)
		}
	}
}
