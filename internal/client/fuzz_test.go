package client_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/api"
	"github.com/drwatch/drwatch/internal/client"
)

// FuzzAnswer: whatever answers where a daemon should, only what says that it succeeded
// has succeeded.
func FuzzAnswer(f *testing.F) {
	f.Add(200, `{"status":"success","data":{"observer":"obs-w"}}`)
	f.Add(409, `{"status":"error","errorType":"refused","error":"already sent","data":{"plan":{"group":"g"}}}`)
	f.Add(401, "Unauthorized\n")
	f.Add(200, `{"status":"success"}`)
	f.Add(500, `{"status":"success","data":{"incident":{"opened_clock":1e300}}}`)
	f.Add(302, `{"status":"SUCCESS","data":[]}`)
	var mu sync.Mutex
	var status int
	var body string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	f.Cleanup(srv.Close)
	c, err := client.New(srv.URL, srv.Client())
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, code int, text string) {
		if code < 200 || code > 599 {
			return
		}
		mu.Lock()
		status, body = code, text
		mu.Unlock()
		began := time.Now()
		ctx := t.Context()
		var e api.Envelope
		succeeded := json.Unmarshal([]byte(text), &e) == nil && e.Status == "success" && code != 401
		check := func(what string, err error) {
			t.Helper()
			if err == nil && !succeeded {
				t.Errorf("%s: %d %q passes for a success", what, code, text)
			}
		}
		_, err := c.Status(ctx)
		check("status", err)
		_, err = c.Groups(ctx)
		check("groups", err)
		_, err = c.Incident(ctx, "i")
		check("incident", err)
		_, err = c.Act(ctx, api.Ask{Group: "g"})
		check("act", err)
		check("approve", c.Answer(ctx, "approve", "i", api.Reason{Reason: "r"}))
		_, err = c.Freeze(ctx, api.Reason{Reason: "r"})
		check("freeze", err)
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}
