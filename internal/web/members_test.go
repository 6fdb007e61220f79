package web_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/api"
	"github.com/drwatch/drwatch/internal/web"
)

// roster is a store with three members.
type roster struct{ asked []string }

func (r *roster) Members(context.Context) (api.Members, error) {
	return api.Members{Agreed: true, Notes: []string{}, Members: []api.Member{{Name: "obs-a", Self: true}, {Name: "obs-b"}, {Name: "obs-w"}}}, nil
}

func (r *roster) ReplaceMember(_ context.Context, name, who, reason string) error {
	return r.ask("replace", name, who, reason)
}

func (r *roster) RemoveMember(_ context.Context, name, who, reason string) error {
	return r.ask("remove", name, who, reason)
}

func (r *roster) ask(verb, name, who, reason string) error {
	r.asked = append(r.asked, strings.Join([]string{verb, name, who, reason}, " "))
	if name == "obs-a" {
		return fmt.Errorf("%w: it is alive", web.ErrRefused)
	}
	return nil
}

func TestMembers(t *testing.T) {
	const why = `{"reason":"lost","who":"alice"}`
	for _, tc := range []struct {
		method, path, body string
		code               int
		has, asked         string
	}{
		{"GET", "/api/v1/members", "", 200, `"name":"obs-b"`, ""},
		{"POST", "/api/v1/members/obs-b/replace", why, 200, "success", "replace obs-b alice@127.0.0.1 lost"},
		{"POST", "/api/v1/members/obs-b/remove", why, 200, "success", "remove obs-b alice@127.0.0.1 lost"},
		{"POST", "/api/v1/members/obs-a/remove", why, 409, "it is alive", "remove obs-a alice@127.0.0.1 lost"},
		{"POST", "/api/v1/members/obs-b/replace", `{}`, 400, "a reason is required", ""},
		{"GET", "/api/v1/members/obs-b/replace", "", 404, "not found", ""},
	} {
		t.Run(tc.method+" "+tc.path, func(t *testing.T) {
			r := &roster{}
			h := web.Handler(web.Options{
				View: &fake{}, Operator: &fake{}, Members: r, Metrics: http.NotFoundHandler(), Logger: slog.New(slog.DiscardHandler), Now: time.Now,
			})
			w := httptest.NewRecorder()
			h.ServeHTTP(w, request(tc.method, tc.path, tc.body, nil))
			if w.Code != tc.code || !strings.Contains(w.Body.String(), tc.has) || strings.Join(r.asked, ",") != tc.asked {
				t.Errorf("HTTP %d, asked %q; want %d, %q\n%s", w.Code, r.asked, tc.code, tc.asked, w.Body)
			}
		})
	}
	w := httptest.NewRecorder()
	handler(&fake{}).ServeHTTP(w, request("POST", "/api/v1/members/obs-b/remove", why, nil))
	if w.Code != http.StatusNotFound {
		t.Errorf("without anybody to ask: HTTP %d", w.Code)
	}
}
