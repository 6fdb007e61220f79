package chaos_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// loopback parts the observers by proxies: each of them sees the sites, the clouds
// and the other members through proxies of its own, which the test cuts. So the
// same network is had on every machine, without privileges.
type loopback struct{ why string }

func (l loopback) String() string {
	return "loopback addresses, each observer behind proxies of its own (" + l.why + ")"
}

func (loopback) address(*testing.T) string { return "127.0.0.1:0" }

func (loopback) join(t *testing.T) links { return newProxies(t) }

// proxies is the network as one observer has it: a proxy for what it names by the
// proxy (probes and peers), and one more for each cloud.
type proxies struct {
	t         *testing.T
	common    string
	own       string // its peer URL
	transport *http.Transport

	mu   sync.Mutex
	ways map[string]*way
}

// way leads to one address. While it is cut nothing comes through, and nothing
// tells so; what was under way breaks off.
type way struct {
	cut  chan struct{} // closed while it is cut
	back chan struct{} // closed when it is mended
}

func newProxies(t *testing.T) *proxies {
	// Written so, it is this machine, and yet not exempt from proxies.
	own := fmt.Sprintf("http://LOCALHOST:%d", freePort(t))
	l := &proxies{t: t, own: own, ways: map[string]*way{}, transport: &http.Transport{
		DialContext: (&net.Dialer{Timeout: time.Second}).DialContext, DisableCompression: true, MaxIdleConnsPerHost: 20,
	}}
	l.common = l.listen(func(r *http.Request) string { return net.JoinHostPort("127.0.0.1", r.URL.Port()) })
	return l
}

func (l *proxies) peer() string { return l.own }

func (l *proxies) proxy() string { return l.common }

// named writes a loopback address so that it is reached by the proxy.
func (l *proxies) named(url string) string { return strings.Replace(url, "127.0.0.1", "LOCALHOST", 1) }

func (l *proxies) start(cmd *exec.Cmd) error { return cmd.Start() }

func (l *proxies) dial(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, network, address)
}

// to is the URL under which the observer reaches what listens at the given one.
func (l *proxies) to(upstream string) string {
	u, err := url.Parse(upstream)
	if err != nil {
		l.t.Fatal(err)
	}
	return l.listen(func(*http.Request) string { return u.Host })
}

// listen serves a proxy and gives its URL.
func (l *proxies) listen(target func(*http.Request) string) string {
	rp := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = "http", target(r.In), r.In.Host
		},
		Transport: l.transport, FlushInterval: -1, ErrorLog: log.New(io.Discard, "", 0),
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	srv := &http.Server{ErrorLog: log.New(io.Discard, "", 0), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.pass(w, r, target(r), rp)
	})}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		l.t.Fatal(err)
	}
	go func() { _ = srv.Serve(ln) }() // it ends with Close
	l.t.Cleanup(func() { _ = srv.Close() })
	return "http://" + ln.Addr().String()
}

func (l *proxies) pass(w http.ResponseWriter, r *http.Request, target string, rp *httputil.ReverseProxy) {
	at := l.way(target)
	select {
	case <-at.cut:
		select {
		case <-at.back:
		case <-r.Context().Done():
		}
		panic(http.ErrAbortHandler)
	default:
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	go func() {
		select {
		case <-at.cut:
			cancel()
		case <-ctx.Done():
		}
	}()
	rp.ServeHTTP(w, r.WithContext(ctx))
}

func (l *proxies) way(target string) *way {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ways[target] == nil {
		l.ways[target] = &way{cut: make(chan struct{}), back: make(chan struct{})}
	}
	return l.ways[target]
}

// cut breaks the way to the address of that URL.
func (l *proxies) cut(upstream string) {
	u, err := url.Parse(upstream)
	if err != nil {
		l.t.Fatal(err)
	}
	w := l.way(net.JoinHostPort("127.0.0.1", u.Port()))
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-w.cut:
	default:
		close(w.cut)
	}
}

// mend repairs it.
func (l *proxies) mend(upstream string) {
	u, err := url.Parse(upstream)
	if err != nil {
		l.t.Fatal(err)
	}
	target := net.JoinHostPort("127.0.0.1", u.Port())
	l.mu.Lock()
	defer l.mu.Unlock()
	if w := l.ways[target]; w != nil {
		close(w.back)
		delete(l.ways, target)
	}
}

// freePort is a port that nobody listens at, and that is not given to outgoing
// connections.
func freePort(t *testing.T) int {
	t.Helper()
	for range 100 {
		n := 12000 + rand.IntN(8000)
		if l, err := net.Listen("tcp", fmt.Sprintf("0.0.0.0:%d", n)); err == nil {
			_ = l.Close()
			return n
		}
	}
	t.Fatal("no port is free")
	return 0
}
