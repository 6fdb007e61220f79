package chaos_test

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
	"time"
)

// links is the network as one observer has it: a proxy for what it names by the
// proxy (probes and peers), and one more for each cloud. Every way can be cut by
// the address at its end.
type links struct {
	t         *testing.T
	proxy     string
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

func newLinks(t *testing.T) *links {
	l := &links{t: t, ways: map[string]*way{}, transport: &http.Transport{
		DialContext: (&net.Dialer{Timeout: time.Second}).DialContext, DisableCompression: true, MaxIdleConnsPerHost: 20,
	}}
	l.proxy = l.listen(func(r *http.Request) string { return net.JoinHostPort("127.0.0.1", r.URL.Port()) })
	return l
}

// to is the URL under which the observer reaches what listens at the given one.
func (l *links) to(upstream string) string {
	u, err := url.Parse(upstream)
	if err != nil {
		l.t.Fatal(err)
	}
	return l.listen(func(*http.Request) string { return u.Host })
}

// listen serves a proxy and gives its URL.
func (l *links) listen(target func(*http.Request) string) string {
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

func (l *links) pass(w http.ResponseWriter, r *http.Request, target string, rp *httputil.ReverseProxy) {
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

func (l *links) way(target string) *way {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ways[target] == nil {
		l.ways[target] = &way{cut: make(chan struct{}), back: make(chan struct{})}
	}
	return l.ways[target]
}

// cut breaks the way to the address of that URL.
func (l *links) cut(upstream string) {
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
func (l *links) mend(upstream string) {
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
