package ebs_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/provider/ebs"
	"github.com/drwatch/drwatch/internal/replication"
)

var request = provider.Request{
	GroupID:     "pg-1",
	ClientToken: provider.ClientToken(replication.AliyunEBS, "pg-1", "inc-1", replication.Failover),
}

func newActor(t *testing.T, s provider.Settings) provider.Actor {
	t.Helper()
	a, err := ebs.NewActor(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func secondary(c *cloud) provider.Settings {
	s := c.settings()
	s.Region = "cn-shanghai"
	return s
}

func TestFailoverOnTheWire(t *testing.T) {
	c := newCloud(t, map[string]http.HandlerFunc{"FailoverDiskReplicaGroup": body(200, `{"RequestId":"req-1"}`)})
	asked := 0
	req := request
	req.BeforeFirstByte = func() error { asked++; return nil }
	got := newActor(t, secondary(c)).Failover(t.Context(), req)
	if got.Outcome != replication.Accepted || got.Err != nil || got.RequestID != "req-1" || got.Status != 200 || got.Date.IsZero() || got.JobID != "" {
		t.Errorf("result %+v", got)
	}
	if asked != 1 {
		t.Errorf("asked %d times before the first byte", asked)
	}
	calls := c.asked("FailoverDiskReplicaGroup")
	if len(calls) != 1 || len(c.seen) != 1 {
		t.Fatalf("%d calls, %d requests", len(calls), len(c.seen))
	}
	for name, value := range map[string]string{
		"method": "POST /", "RegionId": "cn-shanghai", "ReplicaGroupId": "pg-1", "ClientToken": request.ClientToken,
		"Version": "2021-07-30", "SecurityToken": stsToken, "leaked-header": "",
	} {
		if got := calls[0].Get(name); got != value {
			t.Errorf("%s = %q, want %q", name, got, value)
		}
	}
}

func TestFailoverOutcomes(t *testing.T) {
	code := func(status int, code string) http.HandlerFunc {
		return body(status, fmt.Sprintf(`{"RequestId":"r","HostId":"h","Code":%q,"Message":"key %s, server string to sign is:AccessKeyId%%3D%s%%26SecurityToken%%3DCAISexample%%2520token"}`, code, accessKey, accessKey))
	}
	tests := []struct {
		name   string
		answer http.HandlerFunc
		want   replication.Outcome
	}{
		{"200 with a request id", body(200, `{"RequestId":"r"}`), replication.Accepted},
		{"202 with a request id", body(202, `{"RequestId":"r"}`), replication.Accepted},
		{"200 with an empty object", body(200, `{}`), replication.Uncertain},
		{"200 with nothing", body(200, ``), replication.Uncertain},
		{"200 with HTML", body(200, `<html>`), replication.Uncertain},
		{"200 with an error", code(200, "OperationDenied"), replication.Uncertain},
		{"200 with a numeric error", body(200, `{"RequestId":"r","Code":500}`), replication.Uncertain},
		{"200 with a numeric request id", body(200, `{"RequestId":7}`), replication.Uncertain},
		{"403 OperationDenied.InvalidStatus", code(403, "OperationDenied.InvalidStatus"), replication.Rejected},
		{"403 OperationDenied.NoPairInGroup", code(403, "OperationDenied.NoPairInGroup"), replication.Rejected},
		{"403 Forbidden.RAM", code(403, "Forbidden.RAM"), replication.Rejected},
		{"404 NoSuchResource", code(404, "NoSuchResource"), replication.Rejected},
		{"404 InvalidAccessKeyId.NotFound", code(404, "InvalidAccessKeyId.NotFound"), replication.Rejected},
		{"400 SignatureDoesNotMatch", code(400, "SignatureDoesNotMatch"), replication.Rejected},
		{"400 SignatureNonceUsed", code(400, "SignatureNonceUsed"), replication.Uncertain},
		{"400 InvalidTimeStamp.Expired", code(400, "InvalidTimeStamp.Expired"), replication.Rejected},
		{"400 Throttling.User", code(400, "Throttling.User"), replication.Throttled},
		{"429 Throttling.Api", code(429, "Throttling.Api"), replication.Throttled},
		{"429 without a code", body(429, ``), replication.Uncertain},
		{"503 Throttling", code(503, "Throttling"), replication.Uncertain},
		{"503 ServiceUnavailable", code(503, "ServiceUnavailable"), replication.Uncertain},
		{"500 InternalError", code(500, "InternalError"), replication.Uncertain},
		{"504 RequestTimeout", code(504, "RequestTimeout"), replication.Uncertain},
		{"403 of a code that only looks known", code(403, "ForbiddenByProxy"), replication.Uncertain},
		{"403 HTML of a proxy", body(403, `<html>denied</html>`), replication.Uncertain},
		{"403 with a numeric code: the SDK panics", body(403, `{"RequestId":"r","Code":403,"Message":"no"}`), replication.Uncertain},
		{"403 with an odd message: the SDK panics", body(403, `{"RequestId":"r","Code":"OperationDenied","Message":7}`), replication.Rejected},
		{"500 with nothing", body(500, ``), replication.Uncertain},
		{"a cut connection", func(w http.ResponseWriter, _ *http.Request) {
			conn, _, _ := w.(http.Hijacker).Hijack()
			_ = conn.Close()
		}, replication.Uncertain},
		{"a cut answer", func(w http.ResponseWriter, _ *http.Request) {
			conn, _, _ := w.(http.Hijacker).Hijack()
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"+`{"RequestId":"r"}`)
			_ = conn.Close()
		}, replication.Uncertain},
		{"an endless answer", func(w http.ResponseWriter, _ *http.Request) {
			for {
				if _, err := io.WriteString(w, strings.Repeat(" ", 1<<16)); err != nil {
					return
				}
			}
		}, replication.Uncertain},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newCloud(t, map[string]http.HandlerFunc{"FailoverDiskReplicaGroup": tt.answer})
			got := newActor(t, secondary(c)).Failover(t.Context(), request)
			if got.Outcome != tt.want || (got.Err == nil) != (tt.want == replication.Accepted) {
				t.Errorf("result %+v, want outcome %q", got, tt.want)
			}
			if got.Err != nil {
				secretsIn(t, fmt.Sprintf("%v %+v %#v", got.Err, got.Err, got))
			}
			if n := len(c.asked("FailoverDiskReplicaGroup")); n != 1 {
				t.Errorf("%d requests were sent", n)
			}
		})
	}
}

func TestFailoverFollowsNoRedirect(t *testing.T) {
	var foreign atomic.Int32
	other := newCloud(t, map[string]http.HandlerFunc{"FailoverDiskReplicaGroup": func(w http.ResponseWriter, _ *http.Request) {
		foreign.Add(1)
		fmt.Fprint(w, `{"RequestId":"r"}`)
	}})
	c := newCloud(t, map[string]http.HandlerFunc{"FailoverDiskReplicaGroup": func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL+r.URL.String(), http.StatusTemporaryRedirect)
	}})
	got := newActor(t, secondary(c)).Failover(t.Context(), request)
	if got.Outcome != replication.Uncertain || got.Status != 307 || !errors.Is(got.Err, provider.ErrRedirect) || foreign.Load() != 0 {
		t.Errorf("result %+v, %d requests at the other host", got, foreign.Load())
	}
	secretsIn(t, got.Err.Error())
}

func TestFailoverThatIsNotSent(t *testing.T) {
	c := newCloud(t, map[string]http.HandlerFunc{"FailoverDiskReplicaGroup": body(200, `{"RequestId":"r"}`)})
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = gone.Close()
	lease := errors.New("the lease is too short")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	tests := []struct {
		name   string
		ctx    context.Context
		change func(*provider.Settings, *provider.Request)
		is     error
	}{
		{"refused", t.Context(), func(s *provider.Settings, _ *provider.Request) { s.Endpoint = "http://" + gone.Addr().String() }, nil},
		{"no such host", t.Context(), func(s *provider.Settings, _ *provider.Request) { s.Endpoint = "http://nowhere.invalid" }, nil},
		{"no TLS", t.Context(), func(s *provider.Settings, _ *provider.Request) {
			s.Endpoint = "https" + strings.TrimPrefix(s.Endpoint, "http")
		}, nil},
		{"stopped before the first byte", t.Context(), func(_ *provider.Settings, r *provider.Request) {
			r.BeforeFirstByte = func() error { return lease }
		}, lease},
		{"the context ended", ended, func(*provider.Settings, *provider.Request) {}, context.Canceled},
		{"no credentials", t.Context(), func(s *provider.Settings, _ *provider.Request) {
			s.Credentials = func() (provider.Credentials, error) { return provider.Credentials{}, lease }
		}, lease},
		{"empty credentials", t.Context(), func(s *provider.Settings, _ *provider.Request) {
			s.Credentials = func() (provider.Credentials, error) { return provider.Credentials{}, nil }
		}, nil},
		{"an odd group id", t.Context(), func(_ *provider.Settings, r *provider.Request) { r.GroupID = "pg/1" }, nil},
		{"no client token", t.Context(), func(_ *provider.Settings, r *provider.Request) { r.ClientToken = "" }, nil},
		{"a long client token", t.Context(), func(_ *provider.Settings, r *provider.Request) { r.ClientToken = strings.Repeat("a", 65) }, nil},
		{"a client token beyond ASCII", t.Context(), func(_ *provider.Settings, r *provider.Request) { r.ClientToken = "tökén" }, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, req := secondary(c), request
			tt.change(&s, &req)
			got := newActor(t, s).Failover(tt.ctx, req)
			if got.Outcome != replication.NotSent || got.Err == nil || got.Status != 0 {
				t.Fatalf("result %+v", got)
			}
			if tt.is != nil && !errors.Is(got.Err, tt.is) {
				t.Errorf("err %v, want %v", got.Err, tt.is)
			}
			secretsIn(t, got.Err.Error())
		})
	}
	if n := len(c.asked("FailoverDiskReplicaGroup")); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}

func TestFailoverTimesOutAsUncertain(t *testing.T) {
	hang := make(chan struct{})
	c := newCloud(t, map[string]http.HandlerFunc{"FailoverDiskReplicaGroup": func(http.ResponseWriter, *http.Request) { <-hang }})
	defer close(hang)
	s := secondary(c)
	s.Timeout = 100 * time.Millisecond
	got := newActor(t, s).Failover(t.Context(), request)
	if got.Outcome != replication.Uncertain || !errors.Is(got.Err, context.DeadlineExceeded) {
		t.Errorf("result %+v", got)
	}
	secretsIn(t, got.Err.Error())
}

// The environment is the user's, and full of proxies: none of it reaches a call.
func TestFailoverIgnoresTheEnvironment(t *testing.T) {
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"} {
		t.Setenv(name, "http://192.0.2.1:9/%zz")
	}
	t.Setenv("NO_PROXY", "(")
	t.Setenv("no_proxy", "(")
	c := newCloud(t, map[string]http.HandlerFunc{"FailoverDiskReplicaGroup": body(200, `{"RequestId":"r"}`)})
	if got := newActor(t, secondary(c)).Failover(t.Context(), request); got.Outcome != replication.Accepted {
		t.Errorf("result %+v", got)
	}
}

func TestSettingsAreChecked(t *testing.T) {
	c := newCloud(t, nil)
	for name, change := range map[string]func(*provider.Settings){
		"no region":                     func(s *provider.Settings) { s.Region = "" },
		"an odd region":                 func(s *provider.Settings) { s.Region = "cn/../x" },
		"an endpoint without a scheme":  func(s *provider.Settings) { s.Endpoint = "ebs.cn-shanghai.aliyuncs.com" },
		"an endpoint of another scheme": func(s *provider.Settings) { s.Endpoint = "ftp://ebs.cn-shanghai.aliyuncs.com" },
		"an endpoint with a path":       func(s *provider.Settings) { s.Endpoint += "/ebs" },
		"an endpoint with a query":      func(s *provider.Settings) { s.Endpoint += "?x=" + secretKey },
		"an endpoint with a user":       func(s *provider.Settings) { s.Endpoint = "http://u:" + accessKey + "@127.0.0.1" },
		"no credentials":                func(s *provider.Settings) { s.Credentials = nil },
		"no clock":                      func(s *provider.Settings) { s.Now = nil },
	} {
		s := c.settings()
		change(&s)
		for _, err := range []error{second(ebs.NewReader(s)), second(ebs.NewActor(s))} {
			if err == nil {
				t.Errorf("%s: no error", name)
				continue
			}
			secretsIn(t, err.Error())
		}
	}
	s := c.settings()
	s.Endpoint = ""
	if _, err := ebs.NewActor(s); err != nil {
		t.Errorf("without an endpoint the region's own: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }
