package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drwatch/drwatch/internal/api"
	"github.com/drwatch/drwatch/internal/replication"
	"github.com/drwatch/drwatch/internal/web"
)

// fakeActions answers with a plan and notes what it was asked for.
type fakeActions struct {
	asked  []api.Ask
	who    string
	from   string
	answer api.Asked
	err    error
}

func (f *fakeActions) Act(_ context.Context, ask api.Ask, who, from string) (api.Asked, error) {
	f.asked, f.who, f.from = append(f.asked, ask), who, from
	return f.answer, f.err
}

func actionHandler(a web.Actions) http.Handler {
	f := &fake{}
	return web.Handler(web.Options{
		View: f, Operator: f, Actions: a, Metrics: http.NotFoundHandler(), Logger: slog.New(slog.DiscardHandler), Now: func() time.Time { return now },
	})
}

func planned() api.Asked {
	return api.Asked{Plan: api.Plan{
		Account: "hw", Group: "g1", Name: "db-1", Action: replication.Switchover, Active: "az-a", To: "az-b",
		Conditions: []replication.Condition{{Name: "not_latched", Value: "latched by i0", Threshold: "not latched"}},
	}}
}

// TestActionsAreReadStrictly: what is not one clear wish of a person at this
// machine reaches nobody.
func TestActionsAreReadStrictly(t *testing.T) {
	const ask = `{"group":"db-1","action":"switchover","reason":"maintenance","who":"ann"}`
	for _, tc := range []struct {
		name   string
		body   string
		change func(*http.Request)
		code   int
		says   string
	}{
		{"whole", ask, nil, 200, ""},
		{"each action", `{"group":"db-1","action":"clear_drill","drill":"d1","reason":"done"}`, nil, 200, ""},
		{"dry run without a reason", `{"group":"db-1","action":"reprotect","dry_run":true}`, nil, 200, ""},
		{"no reason", `{"group":"db-1","action":"reprotect"}`, nil, 400, "a reason is required"},
		{"a reason of spaces", `{"group":"db-1","action":"reprotect","reason":" "}`, nil, 400, "a reason is required"},
		{"no group", `{"action":"switchover","reason":"x"}`, nil, 400, "a group is required"},
		{"no action", `{"group":"db-1","reason":"x"}`, nil, 400, "want one of failover, switchover, reprotect, start, stop, drill, clear_drill"},
		{"no such action", `{"group":"db-1","action":"recovery","reason":"x"}`, nil, 400, `"recovery" is none`},
		{"a drill for another action", `{"group":"db-1","action":"stop","drill":"d1","reason":"x"}`, nil, 400, "clear_drill"},
		{"unknown field", `{"group":"db-1","action":"stop","reason":"x","force":true}`, nil, 400, "force"},
		{"dry_run as text", `{"group":"db-1","action":"stop","reason":"x","dry_run":"true"}`, nil, 400, "dry_run"},
		{"two objects", ask + ask, nil, 400, "one JSON object"},
		{"no JSON", "group=db-1", nil, 400, "the body must be"},
		{"10 MB body", `{"group":"` + strings.Repeat("x", 10<<20) + `"}`, nil, 400, "the body must be"},
		{"from another machine", ask, func(r *http.Request) { r.RemoteAddr = "10.0.0.9:5" }, 403, "this machine only"},
		{"dry run from another machine", `{"group":"db-1","action":"stop","dry_run":true}`, func(r *http.Request) { r.RemoteAddr = "10.0.0.9:5" }, 403, "this machine only"},
		{"from a web page", ask, func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") }, 403, "web pages"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := &fakeActions{answer: planned()}
			w := httptest.NewRecorder()
			actionHandler(f).ServeHTTP(w, request("POST", "/api/v1/actions", tc.body, tc.change))
			if w.Code != tc.code || !strings.Contains(w.Body.String(), strings.ReplaceAll(tc.says, `"`, `\"`)) {
				t.Errorf("HTTP %d, want %d with %q\n%s", w.Code, tc.code, tc.says, w.Body)
			}
			if reached := len(f.asked) == 1; reached != (tc.code == 200) {
				t.Errorf("asked %v", f.asked)
			}
		})
	}
}

func TestWhoAsksFromWhereForWhat(t *testing.T) {
	f := &fakeActions{answer: api.Asked{Plan: planned().Plan, Incident: &replication.Incident{ID: "i1"}}}
	w := httptest.NewRecorder()
	actionHandler(f).ServeHTTP(w, request("POST", "/api/v1/actions",
		`{"account":"hw","group":"g1","action":"switchover","reason":"maintenance","who":"ann","active":"az-a","dry_run":false}`, nil))
	want := []api.Ask{{Account: "hw", Group: "g1", Action: replication.Switchover, Reason: "maintenance", Who: "ann", Active: "az-a"}}
	if diff := cmp.Diff(want, f.asked); diff != "" || f.who != "ann" || f.from != "127.0.0.1" {
		t.Errorf("by %q from %q (-want +got):\n%s", f.who, f.from, diff)
	}
	if got := w.Body.String(); !strings.Contains(got, `"incident":{"id":"i1"`) || !strings.Contains(got, `"to":"az-b"`) {
		t.Errorf("answered %s", got)
	}
	actionHandler(f).ServeHTTP(httptest.NewRecorder(), request("POST", "/api/v1/actions", `{"group":"g1","action":"stop","reason":"x"}`, nil))
	if f.who != "unknown" {
		t.Errorf("without a name it was %q", f.who)
	}
}

// TestRefusalsShowThePlan: a person who is refused sees which condition blocks.
func TestRefusalsShowThePlan(t *testing.T) {
	for _, tc := range []struct {
		name string
		err  error
		plan bool
		code int
		kind string
	}{
		{"refused with a plan", fmt.Errorf("%w: not_latched does not hold", web.ErrRefused), true, 409, "refused"},
		{"refused without", fmt.Errorf("%w: this observer does not lead", web.ErrRefused), false, 409, "refused"},
		{"no such group", fmt.Errorf("group db-9: %w", web.ErrNotFound), false, 404, "not_found"},
		{"the store is away", errors.New("no majority"), true, 503, "unavailable"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := &fakeActions{err: tc.err}
			if tc.plan {
				f.answer = planned()
			}
			w := httptest.NewRecorder()
			actionHandler(f).ServeHTTP(w, request("POST", "/api/v1/actions", `{"group":"db-1","action":"switchover","reason":"x"}`, nil))
			var e struct {
				Status, Error, ErrorType string
				Data                     *api.Asked
			}
			if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil {
				t.Fatal(err)
			}
			if w.Code != tc.code || e.Status != "error" || e.ErrorType != tc.kind || e.Error != tc.err.Error() {
				t.Errorf("HTTP %d, %+v", w.Code, e)
			}
			if !tc.plan && e.Data != nil {
				t.Errorf("a plan came that was not made: %+v", e.Data)
			}
			if tc.plan {
				if diff := cmp.Diff(&f.answer, e.Data); diff != "" {
					t.Errorf("the plan (-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestActionsTakeOnlyPOST(t *testing.T) {
	for _, method := range []string{"GET", "PUT", "DELETE"} {
		f := &fakeActions{}
		w := httptest.NewRecorder()
		actionHandler(f).ServeHTTP(w, request(method, "/api/v1/actions", `{"group":"g1","action":"stop","reason":"x"}`, nil))
		if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "POST" || len(f.asked) != 0 {
			t.Errorf("%s: HTTP %d, Allow %q, asked %v", method, w.Code, w.Header().Get("Allow"), f.asked)
		}
	}
}

// TestWithoutActions: where nobody carries actions out, there is no such path.
func TestWithoutActions(t *testing.T) {
	w := httptest.NewRecorder()
	actionHandler(nil).ServeHTTP(w, request("POST", "/api/v1/actions", `{"group":"g1","action":"stop","reason":"x"}`, nil))
	if w.Code != http.StatusNotFound {
		t.Errorf("HTTP %d: %s", w.Code, w.Body)
	}
}
