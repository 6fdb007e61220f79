package evs_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/provider/evs"
	"github.com/drwatch/drwatch/internal/replication"
)

func operator(t *testing.T, url string) provider.Operator {
	t.Helper()
	o, err := evs.NewOperator(settings(url), settings(url))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// calls are the bodies that the steps are asked for with.
var calls = map[replication.Action]string{
	replication.Failover:   "os-failover-replication-consistency-group",
	replication.Switchover: "os-reverse-replication-consistency-group",
	replication.Reprotect:  "os-reprotect-replication-consistency-group",
	replication.Start:      "os-sync-replication-consistency-group",
	replication.Stop:       "os-stop-replication-consistency-group",
}

func TestOperateOnTheWire(t *testing.T) {
	for _, step := range actions {
		c := newCloud(t)
		c.set(groups+"/"+groupID+"/action", "")
		asked := 0
		r := operator(t, c.URL).Operate(t.Context(), step, provider.Request{GroupID: groupID, BeforeFirstByte: func() error { asked++; return nil }})
		if r.Outcome != replication.Accepted || r.Err != nil || r.JobID != "" || asked != 1 {
			t.Errorf("%s: %+v, asked %d times before the first byte", step, r, asked)
		}
		want := []string{"POST " + groups + "/" + groupID + "/action {\"" + calls[step] + "\":null}\n"}
		if diff := cmp.Diff(want, c.asked()); diff != "" {
			t.Errorf("%s sent (-want +got):\n%s", step, diff)
		}
		if got := c.types[0]; got != "application/json" {
			t.Errorf("content type %q", got)
		}
	}
}

func TestOperateOutcomes(t *testing.T) {
	for body, want := range map[string]replication.Outcome{
		"":           replication.Accepted,
		"{}":         replication.Uncertain,
		"<html>":     replication.Uncertain,
		"202 ":       replication.Uncertain,
		"302 ":       replication.Uncertain,
		"400 <html>": replication.Uncertain,
		`400 {"badRequest":{"message":"m","code":400}}`:   replication.Rejected,
		`404 {"itemNotFound":{"message":"m","code":404}}`: replication.Rejected,
		`400 {"EVS.9999":"m"}`:                            replication.Uncertain,
		`429 {"error_code":"APIGW.0308","error_msg":"m"}`: replication.Throttled,
		`500 {"computeFault":{"message":"m","code":500}}`: replication.Uncertain,
		`503 `: replication.Uncertain,
	} {
		for _, step := range actions {
			c := newCloud(t)
			c.set(groups+"/"+groupID+"/action", body)
			r := operator(t, c.URL).Operate(t.Context(), step, provider.Request{GroupID: groupID})
			if r.Outcome != want || (r.Err == nil) != (want == replication.Accepted) {
				t.Errorf("%s, %s: %+v, want %s", step, body, r, want)
			}
			if n := len(c.asked()); n != 1 {
				t.Errorf("%s, %s: %d requests", step, body, n)
			}
		}
	}
}

func TestOperateThatIsCutIsUncertain(t *testing.T) {
	for _, step := range actions {
		var requests atomic.Int32
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			requests.Add(1)
			if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
				_ = conn.Close()
			}
		}))
		r := operator(t, server.URL).Operate(t.Context(), step, provider.Request{GroupID: groupID})
		server.Close()
		if r.Outcome != replication.Uncertain || r.Err == nil || requests.Load() != 1 {
			t.Errorf("%s: %+v after %d requests", step, r, requests.Load())
		}
	}
}

func TestOperateThatIsNotSent(t *testing.T) {
	c := newCloud(t)
	lease := errors.New("the lease is too short")
	for _, step := range []replication.Action{replication.StartDrill, replication.ClearDrill, "reboot"} {
		if r := operator(t, c.URL).Operate(t.Context(), step, provider.Request{GroupID: groupID}); r.Outcome != replication.NotSent || !errors.Is(r.Err, replication.ErrNoSuchAction) {
			t.Errorf("%s: %+v", step, r)
		}
	}
	for _, step := range actions {
		if r := operator(t, c.URL).Operate(t.Context(), step, provider.Request{GroupID: "../x"}); r.Outcome != replication.NotSent || r.Err == nil {
			t.Errorf("%s of an odd id: %+v", step, r)
		}
		req := provider.Request{GroupID: groupID, BeforeFirstByte: func() error { return lease }}
		if r := operator(t, c.URL).Operate(t.Context(), step, req); r.Outcome != replication.NotSent || !errors.Is(r.Err, lease) {
			t.Errorf("%s that was stopped: %+v", step, r)
		}
	}
	if asked := c.asked(); len(asked) != 0 {
		t.Errorf("sent %q", asked)
	}
	a, err := evs.NewActor(settings(c.URL))
	if err != nil {
		t.Fatal(err)
	}
	if _, is := a.(provider.Operator); is {
		t.Error("an Actor can do what a person may")
	}
}
