package quorum

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
)

// Etcd is an etcd that somebody else runs. Only keys under /drwatch/CLUSTER/ and
// leases are used there.
type Etcd struct {
	Endpoints []string // http://HOST:PORT or https://HOST:PORT
	TLS       *TLS     // nil: no certificate is shown, and the system's CAs are trusted
	Username  string   // "": none
	// PasswordFile holds the password in one line. It is read again when it changes,
	// as the CA is; certificate and key are at each handshake.
	PasswordFile string
}

func (e *Etcd) check() error {
	if len(e.Endpoints) == 0 {
		return errors.New("no endpoint of etcd is given")
	}
	for _, endpoint := range e.Endpoints {
		if u, err := url.Parse(endpoint); err != nil || u.Port() == "" || (u.Scheme != "http" && u.Scheme != "https") {
			return fmt.Errorf("etcd endpoint %s: want https://HOST:PORT", endpoint)
		}
	}
	if (e.Username == "") != (e.PasswordFile == "") {
		return errors.New("etcd's username and password_file go together")
	}
	return nil
}

// attendTo holds a client of somebody else's etcd until close: it makes a new one
// when the files have changed, and tells whether the store answers.
func (m *member) attendTo(e *Etcd) {
	defer close(m.done)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		<-m.closing
		cancel()
	}()
	tick := time.NewTicker(leaderEvery)
	defer tick.Stop()
	var r redialer
	defer r.closeOld(0, time.Time{})
	for {
		r.redial(ctx, m, e)
		m.lookWhetherItAnswers(ctx, e)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// redialer makes clients.
type redialer struct {
	tried    [sha256.Size]byte // what the files held at the last try
	at       time.Time         // of the last try that failed, zero after one that did not
	old      *clientv3.Client  // the one before, under which calls may still be out
	replaced time.Time
}

// redialEvery is how soon what has failed is tried again with the same files: a
// wrong password costs etcd a lot.
const redialEvery = 5 * time.Second

// redial makes a client when there is none or the files have changed. A client
// that works is kept until there is another.
func (r *redialer) redial(ctx context.Context, m *member, e *Etcd) {
	now := m.o.Now()
	r.closeOld(callTimeout, now)
	password, ca, err := e.files()
	read := sha256.Sum256(bytes.Join([][]byte{[]byte(password), ca}, []byte{0}))
	if err == nil && !r.due(read, now) {
		return
	}
	var cli *clientv3.Client
	if err == nil {
		r.tried, r.at = read, time.Time{}
		cli, err = e.dial(ctx, password)
	}
	if err != nil {
		r.at = now
		m.mu.Lock()
		have := m.cli != nil
		m.mu.Unlock()
		if !have && ctx.Err() == nil {
			m.waits(err.Error())
		}
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		r.old, r.replaced = cli, time.Time{}
		return
	}
	r.old, r.replaced = m.cli, now
	m.cli = cli
}

// due tells whether to try: other files than at the last try, which may wait for
// the client before the present one, or the last try failed some time ago.
func (r *redialer) due(read [sha256.Size]byte, now time.Time) bool {
	if read != r.tried {
		return r.old == nil
	}
	return !r.at.IsZero() && now.Sub(r.at) >= redialEvery
}

// closeOld closes the client before the present one when no call can be out under
// it any more.
func (r *redialer) closeOld(after time.Duration, now time.Time) {
	if r.old == nil || now.Sub(r.replaced) < after && after > 0 {
		return
	}
	_ = r.old.Close() // nobody uses it
	r.old = nil
}

// files reads what a client is made of once.
func (e *Etcd) files() (password string, ca []byte, err error) {
	if e.PasswordFile != "" {
		b, err := os.ReadFile(e.PasswordFile)
		if err != nil {
			return "", nil, fmt.Errorf("password of etcd: %w", err)
		}
		if password = strings.TrimRight(string(b), "\r\n"); password == "" {
			return "", nil, fmt.Errorf("password of etcd: %s is empty", e.PasswordFile)
		}
	}
	if e.TLS != nil && e.TLS.CAFile != "" {
		if ca, err = os.ReadFile(e.TLS.CAFile); err != nil {
			return "", nil, fmt.Errorf("CA of etcd: %w", err)
		}
	}
	return password, ca, nil
}

// dial makes a client; with a user it signs in, which takes an answer.
func (e *Etcd) dial(ctx context.Context, password string) (*clientv3.Client, error) {
	cfg := clientv3.Config{
		Context: ctx, Endpoints: e.Endpoints, Username: e.Username, Password: password, Logger: zap.NewNop(),
		DialTimeout: callTimeout, DialKeepAliveTime: 2 * callTimeout, DialKeepAliveTimeout: callTimeout,
		DialOptions: []grpc.DialOption{grpc.WithNoProxy()},
	}
	var err error
	if cfg.TLS, err = e.tlsConfig(); err != nil {
		return nil, err
	}
	cli, err := clientv3.New(cfg)
	if err != nil {
		return nil, e.explain(ctx, err)
	}
	return cli, nil
}

// tlsConfig is nil for http.
func (e *Etcd) tlsConfig() (*tls.Config, error) {
	switch {
	case !strings.HasPrefix(e.Endpoints[0], "https://"):
		return nil, nil
	case e.TLS == nil:
		return &tls.Config{MinVersion: tls.VersionTLS12}, nil
	}
	conf, err := transport.TLSInfo{CertFile: e.TLS.CertFile, KeyFile: e.TLS.KeyFile, TrustedCAFile: e.TLS.CAFile}.ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("TLS towards etcd: %w", err)
	}
	return conf, nil
}

// explain adds to the silence of etcd's client why its endpoints cannot be
// reached.
func (e *Etcd) explain(ctx context.Context, err error) error {
	why := []error{fmt.Errorf("etcd at %s: %w", strings.Join(e.Endpoints, ", "), err)}
	if errors.Is(err, context.DeadlineExceeded) {
		for _, endpoint := range e.Endpoints {
			why = append(why, e.reach(ctx, endpoint))
		}
	}
	return oneLine{errors.Join(why...)}
}

// oneLine is an error whose parts stand in one line.
type oneLine struct{ error }

func (o oneLine) Error() string { return strings.ReplaceAll(o.error.Error(), "\n", "; ") }

func (o oneLine) Unwrap() error { return o.error }

// reachWithin bounds one look at an endpoint.
const reachWithin = 2 * time.Second

// reach connects to an endpoint and says nothing there.
func (e *Etcd) reach(ctx context.Context, endpoint string) error {
	ctx, cancel := context.WithTimeout(ctx, reachWithin)
	defer cancel()
	u, err := url.Parse(endpoint)
	if err != nil {
		return err
	}
	conf, err := e.tlsConfig()
	if err != nil {
		return err
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return err
	}
	defer conn.Close()
	if conf == nil {
		return nil
	}
	conf.ServerName = u.Hostname()
	if err := tls.Client(conn, conf).HandshakeContext(ctx); err != nil {
		return fmt.Errorf("%s: %w", endpoint, err)
	}
	return nil
}

// lookWhetherItAnswers reads one key and tells of a change.
func (m *member) lookWhetherItAnswers(ctx context.Context, e *Etcd) {
	m.mu.Lock()
	have, was := m.cli != nil, m.status.Joined
	m.mu.Unlock()
	if !have {
		return
	}
	asking, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := client{m}.Get(asking, m.probeKey())
	if ctx.Err() != nil {
		return
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = e.explain(ctx, err)
	}
	where := strings.Join(e.Endpoints, ",")
	m.mu.Lock()
	m.status.Joined = err == nil
	if was != m.status.Joined {
		m.status.Since = m.o.Now()
	}
	if err == nil {
		m.status.LastError, m.status.ClientURL, m.status.NoMajority = "", where, false
	} else {
		m.status.LastError = err.Error()
	}
	m.mu.Unlock()
	switch {
	case err == nil && !was:
		m.o.Logger.Info("coordination store joined", "etcd", where)
	case err != nil && was:
		m.o.Logger.Error("the coordination store does not answer", "etcd", where, "err", err)
	}
}

// absolute is a copy with paths that do not depend on the working directory.
func (t TLS) absolute() (*TLS, error) {
	for _, f := range []*string{&t.CertFile, &t.KeyFile, &t.CAFile} {
		if *f == "" {
			continue
		}
		abs, err := filepath.Abs(*f)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", *f, err)
		}
		*f = abs
	}
	return &t, nil
}
