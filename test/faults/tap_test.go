package faults_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// tap stands before one endpoint, passes everything on byte for byte, and keeps
// what was sent: the signatures that nothing may show. It can respell what the
// endpoint answers, in as many bytes.
type tap struct {
	listener net.Listener
	to       string
	wrong    *atomic.Bool // answers tell their statuses in a wrong type

	mu    sync.Mutex
	sent  bytes.Buffer
	conns []net.Conn
	wg    sync.WaitGroup
}

// newTap listens before the endpoint at base.
func newTap(t *testing.T, base string) *tap {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tp := &tap{listener: l, to: strings.TrimPrefix(base, "http://"), wrong: new(atomic.Bool)}
	tp.wg.Go(tp.accept)
	t.Cleanup(func() {
		_ = l.Close()
		tp.cut()
		tp.wg.Wait()
	})
	return tp
}

func (tp *tap) url() string { return "http://" + tp.listener.Addr().String() }

func (tp *tap) accept() {
	for {
		from, err := tp.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			tp.wg.Go(func() { tp.pass(from) })
		}
	}
}

func (tp *tap) pass(from net.Conn) {
	defer from.Close()
	to, err := net.Dial("tcp", tp.to)
	if err != nil {
		return
	}
	defer to.Close()
	tp.mu.Lock()
	tp.conns = append(tp.conns, from, to)
	tp.mu.Unlock()
	tp.wg.Go(func() {
		_, _ = io.Copy(plain{to}, io.TeeReader(from, tp)) // the end of either side is the end of both
		_ = to.Close()
	})
	_, _ = io.Copy(respelling{from, tp.wrong}, to)
}

// cut ends what is open.
func (tp *tap) cut() {
	tp.mu.Lock()
	defer tp.mu.Unlock()
	for _, c := range tp.conns {
		_ = c.Close()
	}
}

// respelling is a connection to a client that is told wrong types.
type respelling struct {
	io.Writer
	wrong *atomic.Bool
}

var aStatus = regexp.MustCompile(`("[Ss]tatus":)"(\w+)\w\w"`)

// Write makes a list of each status, two letters shorter.
func (r respelling) Write(b []byte) (int, error) {
	if r.wrong.Load() {
		b = aStatus.ReplaceAll(b, []byte(`$1["$2"]`))
	}
	return r.Writer.Write(b)
}

// plain is a connection to an endpoint that is not asked for compressed answers.
// No signature covers that header.
type plain struct{ io.Writer }

func (p plain) Write(b []byte) (int, error) {
	return p.Writer.Write(bytes.Replace(b, []byte("Accept-Encoding: gzip"), []byte("Accept-Encoding: none"), 1))
}

// Write keeps what a client sent.
func (tp *tap) Write(b []byte) (int, error) {
	tp.mu.Lock()
	defer tp.mu.Unlock()
	return tp.sent.Write(b)
}

// onWire finds signatures in requests.
var onWire = regexp.MustCompile(`(?:Signature|SignatureNonce)=([^&,\s]+)`)

// signatures are the newest signatures and nonces that were sent, as they stood
// on the wire and as they are.
func (tp *tap) signatures(most int) []string {
	tp.mu.Lock()
	defer tp.mu.Unlock()
	var out []string
	for _, m := range onWire.FindAllSubmatch(tp.sent.Bytes(), -1) {
		out = append(out, string(m[1]))
		if plain, err := url.QueryUnescape(string(m[1])); err == nil && plain != string(m[1]) {
			out = append(out, plain)
		}
	}
	slices.Reverse(out)
	return out[:min(most, len(out))]
}
