package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"time"
)

// link is the way from one member to the others: a proxy by which all that is
// sent, and all that is answered, arrives half a round trip later. How much is
// under way is not bounded.
type link struct {
	url       string
	server    *http.Server
	transport *http.Transport
}

func newLink(rtt time.Duration) (*link, error) {
	dialer := &net.Dialer{Timeout: 2 * time.Second}
	l := &link{transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 20}}
	l.transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dialer.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return newFar(c, rtt/2), nil
	}
	rp := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = "http", net.JoinHostPort("127.0.0.1", r.In.URL.Port()), r.In.Host
		},
		Transport: l.transport, FlushInterval: -1, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	l.server = &http.Server{Handler: rp, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError), ReadHeaderTimeout: time.Minute}
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l.url = "http://" + listener.Addr().String()
	go func() { _ = l.server.Serve(listener) }() // it ends with close
	return l, nil
}

func (l *link) close() error {
	l.transport.CloseIdleConnections()
	return l.server.Close()
}

// ask is how long a question by this way takes, on a connection that is open.
func (l *link) ask(ctx context.Context, address string) (time.Duration, error) {
	proxy, err := url.Parse(l.url)
	if err != nil {
		return 0, err
	}
	client := &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(proxy), DisableKeepAlives: true}, Timeout: 5 * time.Second}
	began := time.Now()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return 0, err
	}
	resp, err := client.Do(r)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return time.Since(began), errors.Join(err, resp.Body.Close())
}

// far is a connection whose bytes arrive later, both ways.
type far struct {
	net.Conn
	out, in chan parcel
	rest    []byte
	closed  chan struct{}
	late    time.Duration
}

// parcel is some bytes and when they arrive. The last one has an error.
type parcel struct {
	due   time.Time
	bytes []byte
	err   error
}

func newFar(c net.Conn, late time.Duration) *far {
	f := &far{Conn: c, out: make(chan parcel, 4096), in: make(chan parcel, 4096), closed: make(chan struct{}), late: late}
	go f.send()
	go f.receive()
	return f
}

// send carries out what was written, when it is due.
func (f *far) send() {
	for {
		select {
		case <-f.closed:
			return
		case p := <-f.out:
			if !f.until(p.due) {
				return
			}
			if _, err := f.Conn.Write(p.bytes); err != nil {
				_ = f.Conn.Close() // the reader learns it
				return
			}
		}
	}
}

func (f *far) receive() {
	for {
		b := make([]byte, 32<<10)
		n, err := f.Conn.Read(b)
		select {
		case <-f.closed:
			return
		case f.in <- parcel{due: time.Now().Add(f.late), bytes: b[:n], err: err}:
		}
		if err != nil {
			return
		}
	}
}

func (f *far) until(due time.Time) bool {
	timer := time.NewTimer(time.Until(due))
	defer timer.Stop()
	select {
	case <-f.closed:
		return false
	case <-timer.C:
		return true
	}
}

// Write takes the bytes; they leave later.
func (f *far) Write(b []byte) (int, error) {
	select {
	case <-f.closed:
		return 0, net.ErrClosed
	case f.out <- parcel{due: time.Now().Add(f.late), bytes: append([]byte(nil), b...)}:
		return len(b), nil
	}
}

// Read gives what has arrived. One goroutine reads, as http.Transport does.
func (f *far) Read(b []byte) (int, error) {
	for len(f.rest) == 0 {
		select {
		case <-f.closed:
			return 0, net.ErrClosed
		case p := <-f.in:
			if !f.until(p.due) {
				return 0, net.ErrClosed
			}
			if f.rest = p.bytes; len(f.rest) == 0 && p.err != nil {
				return 0, p.err
			}
		}
	}
	n := copy(b, f.rest)
	f.rest = f.rest[n:]
	return n, nil
}

// Close ends it at once.
func (f *far) Close() error {
	select {
	case <-f.closed:
		return nil
	default:
	}
	close(f.closed)
	return f.Conn.Close()
}
