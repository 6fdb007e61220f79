package provider

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// OpHeader carries the id of Transport.Begin from the SDK call to the
// Transport, which removes it. Neither vendor's signature covers it: Huawei's
// signer skips header names with an underscore, Alibaba's RPC scheme signs no
// headers. That is how calls of SDKs without context.Context get one.
const OpHeader = "x_drwatch_op"

// The bounds that hold where TransportOptions says nothing.
const (
	DefaultTimeout       = 10 * time.Second // of a read, body included
	DefaultActionTimeout = 5 * time.Second  // of an action, dial and body included
	DefaultMaxBody       = 64 << 20         // bytes of a read's answer, after decompression
	maxActionBody        = 1 << 20          // bytes of an action's answer
	dialTimeout          = 5 * time.Second
	tlsTimeout           = 5 * time.Second
	idleTimeout          = 15 * time.Second // shorter than providers', so that a POST read seldom meets a dying connection
)

// What the Transport itself says of a request.
var (
	ErrRedirect = errors.New("the answer is a redirect, which is never followed: check the endpoint")
	ErrTooLarge = errors.New("the answer is larger than allowed")
	ErrNoCall   = errors.New("a request outside of any call of ours was not sent")
	ErrRepeated = errors.New("a second request of one call was not sent")
	ErrForeign  = errors.New("a request to another host than the configured endpoint was not sent")
)

// TransportOptions is what a Transport is built with.
type TransportOptions struct {
	Now   func() time.Time
	Meter Meter
	// Account is named in errors.
	Account string
	// Endpoint is the only scheme://host[:port] that may be called. "" allows
	// any host.
	Endpoint      string
	ActionTimeout time.Duration // zero means DefaultActionTimeout
	ReadTimeout   time.Duration // zero means DefaultTimeout
	MaxBody       int64         // bytes; zero means DefaultMaxBody. Actions: at most 1 MiB
	Pace          *Pace         // of the account; nil bounds nothing
	// Urgent makes reads take from the Pace and never wait for it, as actions do.
	Urgent bool
	TLS    *tls.Config // nil means the system's roots
}

// Transport is the one RoundTripper that every SDK call goes through. It gives
// a call its context and total deadline, bounds its answer, follows no
// redirect, uses no proxy from the environment, sends one request per call and
// never a second, opens a fresh connection for each action, and asks an
// action's last check when connection and TLS are up. Safe for concurrent use.
//
// The SDK's own timeout should be longer than these (or off): a poll's wait for
// its turn happens inside RoundTrip and counts against the call's context
// only.
type Transport struct {
	o     TransportOptions
	reads *http.Transport

	lastBody atomic.Int64 // how many bytes the last answer had

	mu    sync.Mutex
	calls map[string]*call
}

// NewTransport builds a Transport. Now is required; a nil Meter measures
// nothing.
func NewTransport(o TransportOptions) *Transport {
	if o.Meter == nil {
		o.Meter = NopMeter{}
	}
	if o.ActionTimeout <= 0 {
		o.ActionTimeout = DefaultActionTimeout
	}
	if o.ReadTimeout <= 0 {
		o.ReadTimeout = DefaultTimeout
	}
	if o.MaxBody <= 0 {
		o.MaxBody = DefaultMaxBody
	}
	t := &Transport{o: o, calls: map[string]*call{}}
	t.reads = t.wire(nil)
	return t
}

// TransportFor builds the Transport of an account from its Settings, bound to
// its endpoint.
func TransportFor(s Settings) *Transport {
	return NewTransport(TransportOptions{
		Now: s.Now, Meter: s.Meter, Account: s.Account, Endpoint: s.Endpoint,
		ActionTimeout: s.Timeout, ReadTimeout: s.Timeout,
		Pace: s.Pace, Urgent: s.Urgent,
	})
}

// Op is one SDK call.
type Op struct {
	Name   string // the vendor's operation, for metrics and errors
	Action bool   // it changes something
	// Unread: the caller reads the Exchange. The SDK, which would copy a good
	// answer several times and whose reading nobody asks for, gets an empty object.
	Unread bool
	// BeforeFirstByte is asked with the connection and TLS up, before the first
	// byte of an action's request. Its error stops the call with nothing sent.
	BeforeFirstByte func() error
}

// Begin registers a call that runs under ctx. The id goes into the request's
// header OpHeader; the Exchange tells after the SDK call what was seen on the
// wire; done forgets the call and must be called. One call makes at most one
// HTTP request: begin another for another page.
func (t *Transport) Begin(ctx context.Context, op Op) (id string, exchange *Exchange, done func()) {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	id = hex.EncodeToString(b[:])
	c := &call{ctx: ctx, op: op, ex: &Exchange{}}
	t.mu.Lock()
	t.calls[id] = c
	t.mu.Unlock()
	return id, c.ex, func() {
		t.mu.Lock()
		delete(t.calls, id)
		t.mu.Unlock()
	}
}

// CloseIdleConnections closes the connections that reads have left open.
func (t *Transport) CloseIdleConnections() { t.reads.CloseIdleConnections() }

// RoundTrip sends the one request of a call. Its errors hold no URL and no
// secret of the request.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	c, err := t.take(req)
	if err != nil {
		closeBody(req)
		return nil, fmt.Errorf("account %s: %w", t.o.Account, err)
	}
	c.ex.secrets = secretsOf(req)
	resp, err := t.exchange(c, req)
	if err != nil {
		err = c.ex.Redact(fmt.Errorf("%s at %s: %w", c.op.Name, req.URL.Host, err))
		c.ex.Err = err
		return nil, err
	}
	return resp, nil
}

// take finds the call that a request belongs to, once.
func (t *Transport) take(req *http.Request) (*call, error) {
	id := ""
	for name, values := range req.Header {
		if strings.EqualFold(name, OpHeader) && len(values) > 0 {
			id = values[0]
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.calls[id]
	switch {
	case c == nil:
		return nil, ErrNoCall
	case c.taken:
		return nil, ErrRepeated
	}
	c.taken = true
	return c, nil
}

// exchange runs one HTTP exchange, body included, under the call's context and
// its own deadline.
func (t *Transport) exchange(c *call, req *http.Request) (*http.Response, error) {
	if !t.allowed(req.URL) {
		closeBody(req)
		return nil, ErrForeign
	}
	if err := t.turn(c, req.URL); err != nil {
		closeBody(req)
		return nil, fmt.Errorf("waiting for the request rate: %w", err)
	}
	ctx, cancel := context.WithTimeout(c.ctx, t.timeout(c.op))
	defer cancel()
	defer context.AfterFunc(req.Context(), cancel)()

	c.live = ctx

	wire := t.reads
	if c.op.Action {
		wire = t.wire(c)
		defer wire.CloseIdleConnections()
	}
	start := t.o.Now()
	c.ex.Began = start
	resp, err := t.send(wire, c, stripped(ctx, req))
	if s := c.ex.Status; s == http.StatusTooManyRequests || s == http.StatusServiceUnavailable {
		t.o.Pace.Pause(hostPort(req.URL), c.ex.RetryAfter)
	}
	code := "error"
	if c.ex.Status != 0 {
		code = strconv.Itoa(c.ex.Status)
	}
	t.o.Meter.Request(c.op.Name, code, t.o.Now().Sub(start))
	return resp, err
}

// turn takes the call's token: a poll waits for it, all else goes at once.
func (t *Transport) turn(c *call, u *url.URL) error {
	if c.op.Action || t.o.Urgent {
		t.o.Pace.Take()
		return nil
	}
	return t.o.Pace.Wait(c.ctx, hostPort(u))
}

// send makes the exchange and fills the call's record of it. When it returns,
// no further byte of the request can leave.
func (t *Transport) send(wire *http.Transport, c *call, req *http.Request) (*http.Response, error) {
	resp, err := wire.RoundTrip(req)
	if err != nil {
		return nil, c.close(err)
	}
	defer resp.Body.Close()
	c.ex.see(resp)
	if date := c.ex.Date; !date.IsZero() {
		t.o.Meter.ClockSkew(date.Sub(t.o.Now()))
	}
	limit := t.o.MaxBody
	if c.op.Action {
		limit = min(limit, maxActionBody)
	}
	body, err := t.readAll(io.LimitReader(resp.Body, limit+1))
	if int64(len(body)) > limit {
		body, err = body[:limit], fmt.Errorf("%w (%d bytes)", ErrTooLarge, limit)
	}
	c.ex.Body = body
	if err = c.close(err); err != nil {
		return nil, fmt.Errorf("reading the answer of status %d: %w", resp.StatusCode, err)
	}
	if resp.StatusCode < 200 || resp.StatusCode/100 == 3 {
		return nil, fmt.Errorf("status %d: %w", resp.StatusCode, ErrRedirect)
	}
	if c.op.Unread && c.ex.OK() {
		body = []byte("{}")
		resp.ContentLength = int64(len(body))
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// readAll reads a body. The pages of a listing are alike: room is made at once
// for as much as the last answer had.
func (t *Transport) readAll(r io.Reader) ([]byte, error) {
	const most = 4 << 20
	last := t.lastBody.Load()
	b := bytes.NewBuffer(make([]byte, 0, min(last+last/8, most)+bytes.MinRead))
	_, err := b.ReadFrom(r)
	t.lastBody.Store(int64(b.Len()))
	return b.Bytes(), err
}

// allowed tells whether u is at the configured endpoint.
func (t *Transport) allowed(u *url.URL) bool {
	if t.o.Endpoint == "" {
		return true
	}
	e, err := url.Parse(t.o.Endpoint)
	return err == nil && e.Scheme == u.Scheme && hostPort(e) == hostPort(u)
}

func (t *Transport) timeout(op Op) time.Duration {
	if op.Action {
		return t.o.ActionTimeout
	}
	return t.o.ReadTimeout
}

// stripped is req under ctx, without our header.
func stripped(ctx context.Context, req *http.Request) *http.Request {
	out := req.Clone(ctx)
	for name := range out.Header {
		if strings.EqualFold(name, OpHeader) {
			delete(out.Header, name)
		}
	}
	return out
}

// hostPort is the host of u in lower case with its port, given or implied.
func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}

// closeBody does what RoundTrip owes a request that it does not send.
func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
}
