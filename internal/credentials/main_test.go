package credentials_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/drwatch/drwatch/internal/credentials"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// clock is a clock that stands until it is moved.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: start} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// logs collects what is logged.
type logs struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logs) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *logs) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// temporary are keys by number.
func temporary(n int, expires time.Time) credentials.Keys {
	return credentials.Keys{
		AccessKey: fmt.Sprintf("access-%d-hidden", n), SecretKey: fmt.Sprintf("secret-%d-hidden", n),
		SecurityToken: fmt.Sprintf("token-%d-hidden", n), Expires: expires,
	}
}

// TestKeysDoNotPrint prints and logs keys in every way. All secrets of these
// tests have "hidden" in them.
func TestKeysDoNotPrint(t *testing.T) {
	k := temporary(1, start)
	var l logs
	for _, v := range []any{k, &k, struct{ K credentials.Keys }{k}, []credentials.Keys{k}, fmt.Errorf("with %v", k)} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			if got := fmt.Sprintf(verb, v); strings.Contains(got, "hidden") {
				t.Errorf("%s prints %s", verb, got)
			}
		}
		l.logger().Info("keys", "keys", v)
		slog.New(slog.NewJSONHandler(&l, nil)).Info("keys", "keys", v)
	}
	if got := l.String(); strings.Contains(got, "hidden") || !strings.Contains(got, "redacted") {
		t.Errorf("the log holds %s", got)
	}
}
