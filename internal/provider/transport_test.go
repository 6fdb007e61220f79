package provider_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drwatch/drwatch/internal/provider"
)

func now() time.Time { return time.Now() }

// post sends one call through tr the way an SDK does: an http.Client, a signed
// URL, and the header that Begin asks for.
func post(ctx context.Context, tr *provider.Transport, op provider.Op, url string) (*provider.Exchange, string, error) {
	id, ex, done := tr.Begin(ctx, op)
	defer done()
	req, err := http.NewRequest(http.MethodPost, url+"/?Action=Do&AccessKeyId=EXAMPLEAKID&SecurityToken=example-token&Signature=c2lnbmF0dXJl%2B%3D", nil)
	if err != nil {
		return ex, "", err
	}
	req.Header["x_drwatch_op"] = []string{id}
	resp, err := (&http.Client{Transport: tr}).Do(req)
	if err != nil {
		return ex, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return ex, string(body), err
}

func TestTransportRecordsTheExchange(t *testing.T) {
	var headers http.Header
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		headers = r.Header.Clone()
		w.Header().Set("X-Request-Id", "req-1")
		w.Header().Set("Date", "Fri, 02 Jan 2026 03:04:05 GMT")
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(429)
		fmt.Fprint(w, `{"error_code":"APIGW.0308"}`)
	}))
	defer srv.Close()
	m := &meter{}
	local := time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC)
	tr := provider.NewTransport(provider.TransportOptions{Now: func() time.Time { return local }, Meter: m, Endpoint: srv.URL})
	defer tr.CloseIdleConnections()
	for _, action := range []bool{false, true} {
		ex, body, err := post(t.Context(), tr, provider.Op{Name: "Do", Action: action}, srv.URL)
		if err != nil {
			t.Fatal(err)
		}
		if body != `{"error_code":"APIGW.0308"}` || string(ex.Body) != body {
			t.Errorf("body %q, recorded %q", body, ex.Body)
		}
		if ex.Status != 429 || ex.RequestID != "req-1" || ex.RetryAfter != 7*time.Second || !ex.Sent || ex.Err != nil || ex.OK() {
			t.Errorf("exchange %+v", ex)
		}
		if !ex.Date.Equal(local.Add(5 * time.Second)) {
			t.Errorf("Date %v", ex.Date)
		}
		for name := range headers {
			if strings.EqualFold(name, provider.OpHeader) || strings.EqualFold(name, "Idempotency-Key") {
				t.Errorf("header %s was sent", name)
			}
		}
	}
	if diff := cmp.Diff([]string{"Do 429", "Do 429"}, m.requests); diff != "" {
		t.Errorf("metered (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]time.Duration{5 * time.Second, 5 * time.Second}, m.skews); diff != "" {
		t.Errorf("skew (-want +got):\n%s", diff)
	}
}

func TestTransportFollowsNoRedirect(t *testing.T) {
	var foreign atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { foreign.Add(1) }))
	defer other.Close()
	for _, status := range []int{301, 302, 303, 304, 307, 308} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", other.URL+r.URL.String())
			w.WriteHeader(status)
		}))
		m := &meter{}
		tr := provider.NewTransport(provider.TransportOptions{Now: now, Meter: m})
		ex, _, err := post(t.Context(), tr, provider.Op{Name: "Do", Action: true}, srv.URL)
		if !errors.Is(err, provider.ErrRedirect) || ex.Status != status || !ex.Sent || ex.Err == nil {
			t.Errorf("%d: err %v, exchange %+v", status, err, ex)
		}
		if diff := cmp.Diff([]string{fmt.Sprint("Do ", status)}, m.requests); diff != "" {
			t.Errorf("metered (-want +got):\n%s", diff)
		}
		srv.Close()
	}
	if foreign.Load() != 0 {
		t.Errorf("%d requests reached the other host", foreign.Load())
	}
}

func TestTransportSendsOneRequestPerCallToOneHost(t *testing.T) {
	var hits atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		hits.Add(1)
		w.WriteHeader(503)
	}))
	defer srv.Close()
	tr := provider.NewTransport(provider.TransportOptions{Now: now, Endpoint: srv.URL})
	client := &http.Client{Transport: tr}
	id, _, done := tr.Begin(t.Context(), provider.Op{Name: "Do", Action: true})
	send := func(url, id string) error {
		req, _ := http.NewRequest(http.MethodPost, url, strings.NewReader("body"))
		req.Header.Set(provider.OpHeader, id)
		resp, err := client.Do(req)
		if err == nil {
			resp.Body.Close()
		}
		return err
	}
	if err := send(srv.URL, id); err != nil {
		t.Fatal(err)
	}
	if err := send(srv.URL, id); !errors.Is(err, provider.ErrRepeated) {
		t.Errorf("a retry: %v", err)
	}
	done()
	if err := send(srv.URL, id); !errors.Is(err, provider.ErrNoCall) {
		t.Errorf("after done: %v", err)
	}
	if err := send(srv.URL, ""); !errors.Is(err, provider.ErrNoCall) {
		t.Errorf("without a call: %v", err)
	}
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(srv.URL, "http://"))
	for _, url := range []string{"http://localhost:" + port, "https://127.0.0.1:" + port, "http://127.0.0.1"} {
		id, ex, done := tr.Begin(t.Context(), provider.Op{Name: "Do"})
		if err := send(url, id); !errors.Is(err, provider.ErrForeign) || ex.Sent {
			t.Errorf("%s: err %v, sent %v", url, err, ex.Sent)
		}
		done()
	}
	if hits.Load() != 1 {
		t.Errorf("the server saw %d requests, want 1", hits.Load())
	}
}

func TestTransportIgnoresProxiesOfTheEnvironment(t *testing.T) {
	tr := provider.NewTransport(provider.TransportOptions{Now: now})
	for _, action := range []bool{false, true} {
		// A name, since Go itself exempts loopback from these variables.
		_, _, err := post(t.Context(), tr, provider.Op{Name: "Do", Action: action}, "http://nowhere.invalid")
		if err == nil || strings.Contains(err.Error(), "proxy") {
			t.Errorf("action %v: %v, want that the name does not resolve", action, err)
		}
	}
}

func TestTransportOpensAConnectionForEachAction(t *testing.T) {
	var mu sync.Mutex
	opened, closing := 0, 0
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.Close {
			closing++
		}
	}))
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			mu.Lock()
			opened++
			mu.Unlock()
		}
	}
	srv.Start()
	defer srv.Close()
	tr := provider.NewTransport(provider.TransportOptions{Now: now})
	defer tr.CloseIdleConnections()
	count := func(action bool) int {
		mu.Lock()
		opened = 0
		mu.Unlock()
		for range 3 {
			if _, _, err := post(t.Context(), tr, provider.Op{Name: "Do", Action: action}, srv.URL); err != nil {
				t.Fatal(err)
			}
		}
		mu.Lock()
		defer mu.Unlock()
		return opened
	}
	if got := count(false); got != 1 {
		t.Errorf("three reads opened %d connections, want 1", got)
	}
	if got := count(true); got != 3 {
		t.Errorf("three actions opened %d connections, want 3", got)
	}
	if closing != 3 {
		t.Errorf("%d requests announced the end of their connection, want the three actions", closing)
	}
}

func TestTransportSpeaksTLSAndHTTP1(t *testing.T) {
	var proto string
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { proto = r.Proto }))
	srv.EnableHTTP2 = true
	srv.Config.ErrorLog = quiet()
	srv.StartTLS()
	defer srv.Close()
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	good := provider.NewTransport(provider.TransportOptions{Now: now, TLS: &tls.Config{RootCAs: roots}})
	bad := provider.NewTransport(provider.TransportOptions{Now: now})
	defer good.CloseIdleConnections()
	for _, action := range []bool{false, true} {
		op := provider.Op{Name: "Do", Action: action}
		if _, _, err := post(t.Context(), good, op, srv.URL); err != nil || proto != "HTTP/1.1" {
			t.Errorf("action %v: err %v, protocol %q", action, err, proto)
		}
		ex, _, err := post(t.Context(), bad, op, srv.URL)
		if err == nil {
			t.Errorf("action %v: an unknown certificate was believed", action)
		}
		if action && ex.Sent {
			t.Error("an action whose handshake failed counts as sent")
		}
	}
}

// The readers and the actor of an account have a Transport each and one Pace.
func TestTransportsShareAPace(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer srv.Close()
	pace := provider.NewPace(0.001, 3, now)
	transport := func(urgent bool) *provider.Transport {
		tr := provider.NewTransport(provider.TransportOptions{Now: now, Pace: pace, Urgent: urgent})
		t.Cleanup(tr.CloseIdleConnections)
		return tr
	}
	polls, other, claims := transport(false), transport(false), transport(true)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for i, call := range []struct {
		through *provider.Transport
		action  bool
		sent    bool
	}{
		// The three that are there.
		{polls, false, true},
		{other, false, true},
		{claims, true, true},
		// Now polls wait, too long for this test, and only they.
		{polls, false, false},
		{other, false, false},
		{claims, false, true},
		{claims, true, true},
		{polls, true, true},
		{polls, false, false},
	} {
		_, _, err := post(ctx, call.through, provider.Op{Name: "Do", Action: call.action}, srv.URL)
		if (err == nil) != call.sent {
			t.Errorf("call %d: %v, want sent %v", i, err, call.sent)
		}
	}
}

func TestTransportHonoursRetryAfter(t *testing.T) {
	for status, paused := range map[int]bool{200: false, 404: false, 429: true, 503: true} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "60")
			w.WriteHeader(status)
		}))
		other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		pace := provider.NewPace(10, 20, now)
		polls := provider.NewTransport(provider.TransportOptions{Now: now, Pace: pace})
		claims := provider.NewTransport(provider.TransportOptions{Now: now, Pace: pace, Urgent: true})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		call := func(tr *provider.Transport, action bool, url string) error {
			_, _, err := post(ctx, tr, provider.Op{Name: "Do", Action: action}, url)
			return err
		}
		if err := call(claims, false, srv.URL); err != nil {
			t.Fatal(err)
		}
		if err := call(polls, false, srv.URL); (err != nil) != paused {
			t.Errorf("%d: the next poll: %v, want it held back: %v", status, err, paused)
		}
		if err := errors.Join(call(polls, false, other.URL), call(claims, false, srv.URL), call(claims, true, srv.URL)); err != nil {
			t.Errorf("%d: the other endpoint, a read under a claim, an action: %v", status, err)
		}
		if pace.Rate() != 10 {
			t.Errorf("%d: a wait that was asked for changed the rate to %g", status, pace.Rate())
		}
		cancel()
		polls.CloseIdleConnections()
		claims.CloseIdleConnections()
		srv.Close()
		other.Close()
	}
}
