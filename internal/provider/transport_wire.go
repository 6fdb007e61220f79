package provider

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
)

// errSealed answers a write that comes after the call was given up.
var errSealed = errors.New("the call is over")

// call is one registered Op. It decides whether bytes of an action may leave,
// so that what Exchange.Sent says stays true after RoundTrip has returned.
type call struct {
	ctx   context.Context // the caller's
	live  context.Context // of the exchange: the caller's with the total deadline
	op    Op
	ex    *Exchange
	taken bool // under Transport.mu

	mu      sync.Mutex
	asked   bool  // BeforeFirstByte has said yes
	sealed  bool  // nothing may leave any more
	sent    bool  // a byte may have left
	refused error // what BeforeFirstByte said
}

// permit is asked before each write of an action's request.
func (c *call) permit() error {
	c.mu.Lock()
	ask := !c.asked && !c.sealed && c.refused == nil && c.op.BeforeFirstByte != nil
	c.mu.Unlock()
	var said error
	if ask {
		said = c.ask()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case said != nil:
		c.refused, c.sealed = said, true
		return said
	case c.sealed:
		return errSealed
	}
	c.asked, c.sent = true, true
	return nil
}

// ask waits for BeforeFirstByte no longer than the exchange lives: a yes after
// that is worth nothing.
func (c *call) ask() error {
	said := make(chan error, 1)
	go func() { said <- c.op.BeforeFirstByte() }()
	select {
	case err := <-said:
		return err
	case <-c.live.Done():
		return c.live.Err()
	}
}

// close ends the exchange: later writes fail, and Sent is final. It returns
// err, or what BeforeFirstByte said instead of err.
func (c *call) close(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sealed = true
	c.ex.Sent = c.sent || !c.op.Action
	if c.refused != nil {
		c.ex.Refused = c.refused
		return fmt.Errorf("stopped before the first byte: %w", c.refused)
	}
	return err
}

// wire builds an HTTP/1.1 transport of our own settings: for an action, one
// that serves that call alone on a fresh connection; for c == nil the one that
// all reads share. Proxy stays nil: the environment has no say.
func (t *Transport) wire(c *call) *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	tr := &http.Transport{
		Protocols:             protocols,
		TLSHandshakeTimeout:   tlsTimeout,
		ResponseHeaderTimeout: t.o.ReadTimeout,
		IdleConnTimeout:       idleTimeout,
		MaxIdleConnsPerHost:   4,
		TLSClientConfig:       t.tls(""),
		DialContext:           dial,
	}
	if c == nil {
		return tr
	}
	tr.DisableKeepAlives = true
	tr.ResponseHeaderTimeout = t.o.ActionTimeout
	tr.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &actionConn{Conn: conn, call: c}, nil
	}
	tr.DialTLSContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := t.dialTLS(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &actionConn{Conn: conn, call: c}, nil
	}
	return tr
}

// dial opens a TCP connection within dialTimeout.
func dial(ctx context.Context, network, addr string) (net.Conn, error) {
	return (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, network, addr)
}

// dialTLS opens a connection and finishes its handshake, so that the next byte
// written is the first of the request.
func (t *Transport) dialTLS(ctx context.Context, network, addr string) (net.Conn, error) {
	raw, err := dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		host = addr
	}
	ctx, cancel := context.WithTimeout(ctx, tlsTimeout)
	defer cancel()
	conn := tls.Client(raw, t.tls(host))
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		return nil, fmt.Errorf("TLS handshake: %w", err)
	}
	return conn, nil
}

// tls is a copy of the configured TLS settings, for one server.
func (t *Transport) tls(server string) *tls.Config {
	cfg := &tls.Config{}
	if t.o.TLS != nil {
		cfg = t.o.TLS.Clone()
	}
	if cfg.ServerName == "" {
		cfg.ServerName = server
	}
	cfg.MinVersion = max(cfg.MinVersion, tls.VersionTLS12)
	return cfg
}

// actionConn is the connection of one action. It sits above TLS: what it lets
// through are bytes of the request and nothing else.
type actionConn struct {
	net.Conn
	call *call
}

// Write passes bytes on only while the call permits it.
func (c *actionConn) Write(b []byte) (int, error) {
	if err := c.call.permit(); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}
