package cloudsim

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// handler answers one request; quit is closed when its door is shut.
type handler func(w http.ResponseWriter, r *http.Request, quit <-chan struct{})

// door is one listener that can be shut (connection refused), left hanging
// (connections are taken, nothing is answered) and opened again on its port.
type door struct {
	handle handler

	mu      sync.Mutex
	idle    *sync.Cond
	address string // with the port once it was opened
	srv     *http.Server
	served  chan struct{}
	quit    chan struct{}
	active  int
	hanging bool
}

func newDoor(address string, h handler) *door {
	d := &door{handle: h, address: address}
	d.idle = sync.NewCond(&d.mu)
	return d
}

func adapt(h http.Handler) handler {
	return func(w http.ResponseWriter, r *http.Request, _ <-chan struct{}) { h.ServeHTTP(w, r) }
}

func (d *door) url() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return "http://" + d.address
}

func (d *door) isOpen() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.srv != nil && !d.hanging
}

// open listens, on the port it had before if it had one, and ends hanging.
func (d *door) open() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.srv != nil {
		if d.hanging {
			d.hanging = false
			d.release()
		}
		return nil
	}
	if err := checkLoopback(d.address); err != nil {
		return err
	}
	ln, err := listen(d.address)
	if err != nil {
		return fmt.Errorf("simulated clouds: listen on %s: %w", d.address, err)
	}
	d.address = ln.Addr().String()
	d.quit = make(chan struct{})
	d.served = make(chan struct{})
	d.srv = &http.Server{
		Handler:           d,
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		ConnContext: func(ctx context.Context, _ net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, new(atomic.Int64))
		},
	}
	go func(srv *http.Server, served chan struct{}) {
		defer close(served)
		_ = srv.Serve(ln) // always http.ErrServerClosed, by shut
	}(d.srv, d.served)
	return nil
}

// Ports that systems do not give to outgoing connections by default. A port
// from there is still free when a lost site comes back.
const (
	firstPort = 20000
	lastPort  = 31999
)

// listen is net.Listen, but for port 0 it takes a port that stays free while
// nobody listens on it.
func listen(address string) (net.Listener, error) {
	bind := func(address string) (net.Listener, error) {
		return (&net.ListenConfig{}).Listen(context.Background(), "tcp", address) // loopback: nothing to wait for
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil || port != "0" {
		return bind(address)
	}
	for range 100 {
		n := firstPort + rand.IntN(lastPort-firstPort+1)
		if ln, err := bind(net.JoinHostPort(host, strconv.Itoa(n))); err == nil {
			return ln, nil
		}
	}
	return bind(address)
}

// shut refuses connections from now on, cuts the open ones and waits for their
// handlers.
func (d *door) shut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.srv == nil {
		return
	}
	srv, served := d.srv, d.served
	d.srv, d.hanging = nil, false
	close(d.quit)
	_ = srv.Close() // closing is all that is wanted; its error says that it was closed
	for d.active > 0 {
		d.idle.Wait()
	}
	<-served
}

// hang takes connections and answers nothing until open or shut.
func (d *door) hang() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.srv != nil && !d.hanging {
		d.hanging = true
		d.release()
	}
}

// release ends what waits on the old quit channel.
func (d *door) release() {
	close(d.quit)
	d.quit = make(chan struct{})
}

// ServeHTTP lets a request in, or holds it while the door hangs.
func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	quit, hanging, ok := d.enter()
	if !ok {
		panic(http.ErrAbortHandler)
	}
	defer d.leave()
	if hanging {
		select {
		case <-quit:
		case <-r.Context().Done():
		}
		panic(http.ErrAbortHandler)
	}
	d.handle(w, r, quit)
}

func (d *door) enter() (quit <-chan struct{}, hanging, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.srv == nil {
		return nil, false, false
	}
	d.active++
	return d.quit, d.hanging, true
}

func (d *door) leave() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.active--
	d.idle.Broadcast()
}

// connKey finds a connection's request counter in the request's context, which
// is where net/http lets a server keep it.
type connKey struct{}

// reused counts the request and tells whether its connection had one before.
func reused(r *http.Request) bool {
	n, ok := r.Context().Value(connKey{}).(*atomic.Int64)
	return ok && n.Add(1) > 1
}
