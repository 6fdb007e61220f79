package client_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/drwatch/drwatch/internal/api"
	"github.com/drwatch/drwatch/internal/client"
	"github.com/drwatch/drwatch/internal/replication"
)

func TestAnswers(t *testing.T) {
	for _, tc := range []struct {
		name string
		code int
		body string
		want error
		says string
	}{
		{"success", 200, `{"status":"success","data":{"observer":"obs-w"}}`, nil, ""},
		{"refused", 409, `{"status":"error","errorType":"refused","error":"already sent"}`, client.ErrRefused, "already sent"},
		{"no user given", 401, "Unauthorized\n", client.ErrRefused, "--http.config.file"},
		{"not a drwatch", 200, "<html>", client.ErrUnreachable, "not an answer of drwatch"},
		{"an answer of another shape", 200, `{"status":"success","data":[]}`, nil, "decoding"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tc.code)
				_, _ = w.Write([]byte(tc.body))
			}))
			defer srv.Close()
			c, err := client.New(srv.URL, srv.Client())
			if err != nil {
				t.Fatal(err)
			}
			s, err := c.Status(t.Context())
			switch {
			case tc.want == nil && tc.says == "":
				if err != nil || s.Observer != "obs-w" {
					t.Errorf("%+v, %v", s, err)
				}
			case err == nil, tc.want != nil && !errors.Is(err, tc.want), !strings.Contains(err.Error(), tc.says):
				t.Errorf("error %v; want %v with %q", err, tc.want, tc.says)
			}
		})
	}
}

// TestActs: a plan comes with a success, and with a refusal that tells one.
func TestActs(t *testing.T) {
	for _, tc := range []struct {
		name string
		code int
		body string
		plan string // the group of the plan
		says string // "" for a success
	}{
		{"planned", 200, `{"status":"success","data":{"plan":{"group":"g1","ok":true},"incident":null}}`, "g1", ""},
		{"refused with a plan", 409, `{"status":"error","errorType":"refused","error":"latched","data":{"plan":{"group":"g1"}}}`, "g1", "latched"},
		{"refused without", 409, `{"status":"error","errorType":"refused","error":"frozen"}`, "", "frozen"},
		{"refused with what is no plan", 409, `{"status":"error","errorType":"refused","error":"frozen","data":[1]}`, "", "frozen"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tc.code)
				_, _ = w.Write([]byte(tc.body))
			}))
			defer srv.Close()
			c, err := client.New(srv.URL, srv.Client())
			if err != nil {
				t.Fatal(err)
			}
			got, err := c.Act(t.Context(), api.Ask{Group: "g1", Action: replication.Stop})
			if got.Plan.Group != tc.plan || got.Plan.OK != (tc.code == 200) {
				t.Errorf("plan %+v", got.Plan)
			}
			switch {
			case tc.says == "" && err != nil:
				t.Error(err)
			case tc.says != "" && (!errors.Is(err, client.ErrRefused) || !strings.Contains(err.Error(), tc.says)):
				t.Errorf("error %v, want a refusal that says %q", err, tc.says)
			}
		})
	}
}

func TestNobodyThere(t *testing.T) {
	c, err := client.New("http://127.0.0.1:1", http.DefaultClient)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Groups(t.Context()); !errors.Is(err, client.ErrUnreachable) {
		t.Errorf("error %v; want ErrUnreachable", err)
	}
}

// TestWhatIsAsked: method, path and body are what the API takes.
func TestWhatIsAsked(t *testing.T) {
	var got string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body strings.Builder
		if _, err := r.Body.Read(make([]byte, 0)); err == nil {
			b := make([]byte, 200)
			n, _ := r.Body.Read(b)
			body.Write(b[:n])
		}
		got = r.Method + " " + r.URL.RequestURI() + " " + body.String()
		_, _ = w.Write([]byte(`{"status":"success","data":null}`))
	}))
	defer srv.Close()
	c, err := client.New(srv.URL+"/", srv.Client())
	if err != nil {
		t.Fatal(err)
	}
	why := api.Reason{Who: "sre", Reason: "drill"}
	for _, tc := range []struct {
		call func() error
		want string
	}{
		{func() error { _, err := c.Incident(t.Context(), "a/b"); return err }, "GET /api/v1/incidents/a%2Fb "},
		{func() error { _, err := c.Explain(t.Context(), "acc", "db 1"); return err }, "GET /api/v1/explain?account=acc&group=db+1 "},
		{func() error { _, err := c.Incidents(t.Context(), 0); return err }, "GET /api/v1/incidents "},
		{func() error { _, err := c.Incidents(t.Context(), 7); return err }, "GET /api/v1/incidents?limit=7 "},
		{func() error { _, err := c.CheckJournal(t.Context()); return err }, "GET /api/v1/journal/check "},
		{func() error { return c.Answer(t.Context(), "abort", "i1", why) }, `POST /api/v1/incidents/i1/abort {"reason":"drill","who":"sre"}`},
		{func() error { _, err := c.Freeze(t.Context(), why); return err }, `POST /api/v1/freeze {"reason":"drill","who":"sre"}`},
		{func() error {
			_, err := c.Unfreeze(t.Context(), api.Reason{Reason: "ok", StoreWasReset: true})
			return err
		}, `POST /api/v1/unfreeze {"reason":"ok","store_was_reset":true}`},
		{func() error {
			_, err := c.Act(t.Context(), api.Ask{Group: "db 1", Action: replication.ClearDrill, Reason: "ok", Drill: "d1", DryRun: true})
			return err
		}, `POST /api/v1/actions {"group":"db 1","action":"clear_drill","reason":"ok","dry_run":true,"drill":"d1"}`},
	} {
		if err := tc.call(); err != nil {
			t.Errorf("%s: %v", tc.want, err)
		}
		if got != tc.want {
			t.Errorf("asked %q, want %q", got, tc.want)
		}
	}
}

func TestBadURL(t *testing.T) {
	for _, u := range []string{"", "127.0.0.1:10109", "ftp://x", "http://"} {
		if _, err := client.New(u, http.DefaultClient); err == nil || !strings.Contains(err.Error(), "--url") {
			t.Errorf("%q: %v; want an error that names --url", u, err)
		}
	}
}
