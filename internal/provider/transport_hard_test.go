package provider_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/drwatch/drwatch/internal/provider"
)

// TestMain sets proxies before anything runs: net/http reads the environment
// once, so that a test that sets them later would prove nothing.
func TestMain(m *testing.M) {
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"} {
		_ = os.Setenv(name, "http://127.0.0.1:1")
	}
	goleak.VerifyTestMain(m)
}

func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

// wireServer answers each connection with serve, which gets what the client has
// sent by then, and counts the bytes it was sent in all.
func wireServer(t *testing.T, serve func(net.Conn)) (url string, received *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	received = new(atomic.Int64)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer conn.Close()
				serve(&countingConn{Conn: conn, n: received})
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		wg.Wait()
	})
	return "http://" + l.Addr().String(), received
}

type countingConn struct {
	net.Conn
	n *atomic.Int64
}

func (c *countingConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.n.Add(int64(n))
	return n, err
}

// request reads a request's head.
func request(c net.Conn) {
	buf := make([]byte, 64<<10)
	for seen := ""; !strings.Contains(seen, "\r\n\r\n"); {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		seen += string(buf[:n])
	}
}

func drain(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

func TestTransportAsksBeforeTheFirstByte(t *testing.T) {
	refusal := errors.New("the lease is too short")
	url, received := wireServer(t, drain)
	tr := provider.NewTransport(provider.TransportOptions{Now: now})
	asked := 0
	ex, _, err := post(t.Context(), tr, provider.Op{Name: "Do", Action: true, BeforeFirstByte: func() error {
		asked++
		return refusal
	}}, url)
	if !errors.Is(err, refusal) || !errors.Is(ex.Refused, refusal) || ex.Sent || asked != 1 {
		t.Errorf("err %v, exchange %+v, asked %d times", err, ex, asked)
	}
	if n := received.Load(); n != 0 {
		t.Errorf("the server got %d bytes", n)
	}
}

func TestTransportAsksOnceWhenItMaySend(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "{}") }))
	defer srv.Close()
	tr := provider.NewTransport(provider.TransportOptions{Now: now})
	asked := 0
	ex, _, err := post(t.Context(), tr, provider.Op{Name: "Do", Action: true, BeforeFirstByte: func() error {
		asked++
		return nil
	}}, srv.URL)
	if err != nil || !ex.Sent || asked != 1 {
		t.Errorf("err %v, sent %v, asked %d times", err, ex.Sent, asked)
	}
}

// The check may be slow; when the call ends meanwhile, its yes comes too late
// and nothing leaves afterwards.
func TestTransportSendsNothingAfterItReturned(t *testing.T) {
	url, received := wireServer(t, drain)
	tr := provider.NewTransport(provider.TransportOptions{Now: now})
	ctx, cancel := context.WithCancel(t.Context())
	returned, answered := make(chan struct{}), make(chan struct{})
	ex, _, err := post(ctx, tr, provider.Op{Name: "Do", Action: true, BeforeFirstByte: func() error {
		defer close(answered)
		cancel()
		<-returned
		return nil
	}}, url)
	sent := ex.Sent
	close(returned)
	<-answered
	if !errors.Is(err, context.Canceled) || sent || ex.Sent {
		t.Errorf("err %v, sent %v", err, sent)
	}
	if n := received.Load(); n != 0 {
		t.Errorf("the server got %d bytes", n)
	}
}

// A server that answers before it was asked has accepted nothing.
func TestTransportBelievesNoAnswerToWhatWasNotSent(t *testing.T) {
	url, received := wireServer(t, func(c net.Conn) {
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
		drain(c)
	})
	tr := provider.NewTransport(provider.TransportOptions{Now: now, ActionTimeout: 300 * time.Millisecond})
	block := make(chan struct{})
	ex, _, _ := post(t.Context(), tr, provider.Op{Name: "Do", Action: true, BeforeFirstByte: func() error {
		<-block
		return nil
	}}, url)
	close(block)
	if ex.Sent || received.Load() != 0 {
		t.Errorf("sent %v, the server got %d bytes", ex.Sent, received.Load())
	}
}

func TestTransportWhenTheActionGetsNoWholeAnswer(t *testing.T) {
	refused := func() string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		return "http://" + l.Addr().String()
	}()
	answer := func(text string) string {
		url, _ := wireServer(t, func(c net.Conn) {
			request(c)
			_, _ = io.WriteString(c, text)
		})
		return url
	}
	silent, _ := wireServer(t, drain)
	tests := []struct {
		name   string
		url    string
		sent   bool
		status int
	}{
		{"refused", refused, false, 0},
		{"applied, then cut", answer(""), true, 0},
		{"cut in the head", answer("HTTP/1.1 200 OK\r\nContent-"), true, 0},
		{"cut in the body", answer("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}"), true, 200},
		{"broken gzip", answer("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}"), true, 200},
		{"no HTTP", answer("SSH-2.0-OpenSSH_9.6\r\n"), true, 0},
		{"silence", silent, true, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tr := provider.NewTransport(provider.TransportOptions{Now: now, ActionTimeout: 200 * time.Millisecond})
			ex, _, err := post(t.Context(), tr, provider.Op{Name: "Do", Action: true}, tt.url)
			if err == nil || ex.Err == nil || ex.Sent != tt.sent || ex.Status != tt.status {
				t.Errorf("err %v, exchange %+v, want sent %v, status %d", err, ex, tt.sent, tt.status)
			}
			if strings.Contains(ex.Err.Error(), "EXAMPLEAKID") {
				t.Errorf("the error holds the key id: %v", ex.Err)
			}
		})
	}
}

func TestTransportEndsEndlessAndSlowBodies(t *testing.T) {
	const all = 256 << 20 // bytes, far above what is allowed and what sockets hold
	var written atomic.Int64
	endless, _ := wireServer(t, func(c net.Conn) {
		request(c)
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
		junk := strings.Repeat("x", 64<<10)
		for range all / len(junk) {
			if _, err := io.WriteString(c, junk); err != nil {
				return
			}
			written.Add(int64(len(junk)))
		}
	})
	slow, _ := wireServer(t, func(c net.Conn) {
		request(c)
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for range tick.C {
			if _, err := io.WriteString(c, " "); err != nil {
				return
			}
		}
	})
	for _, action := range []bool{false, true} {
		tr := provider.NewTransport(provider.TransportOptions{
			Now: now, ReadTimeout: 10 * time.Second, ActionTimeout: 10 * time.Second, MaxBody: 4 << 20,
		})
		ex, _, err := post(t.Context(), tr, provider.Op{Name: "Do", Action: action}, endless)
		want := 4 << 20
		if action {
			want = 1 << 20
		}
		if n := written.Swap(0); !errors.Is(err, provider.ErrTooLarge) || len(ex.Body) != want || ex.Status != 200 || n > all/4 {
			t.Errorf("endless, action %v: err %v, %d bytes kept of %d taken", action, err, len(ex.Body), n)
		}
		tr = provider.NewTransport(provider.TransportOptions{
			Now: now, ReadTimeout: 100 * time.Millisecond, ActionTimeout: 100 * time.Millisecond,
		})
		ex, _, err = post(t.Context(), tr, provider.Op{Name: "Do", Action: action}, slow)
		if !errors.Is(err, context.DeadlineExceeded) || !ex.Sent || ex.OK() {
			t.Errorf("slow drip, action %v: err %v, exchange %+v", action, err, ex)
		}
	}
}

func TestTransportBoundsReadsOnly(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer srv.Close()
	tr := provider.NewTransport(provider.TransportOptions{Now: now, Pace: provider.NewPace(0.001, 2, now)})
	defer tr.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for i := range 2 {
		if _, _, err := post(ctx, tr, provider.Op{Name: "List"}, srv.URL); err != nil {
			t.Fatalf("read %d: %v", i, err)
		}
	}
	if _, _, err := post(ctx, tr, provider.Op{Name: "List"}, srv.URL); err == nil {
		t.Error("the third read did not wait for the rate")
	}
	for i := range 5 {
		if _, _, err := post(ctx, tr, provider.Op{Name: "Failover", Action: true}, srv.URL); err != nil {
			t.Errorf("action %d: %v", i, err)
		}
	}
}
