package simtest_test

import (
	"fmt"
	"os"
	"sync"
	"testing"
	"time"
)

// meter counts the stories that were played, and with -v tells each minute how far
// they are.
type meter struct {
	began time.Time
	of    uint64

	mu     sync.Mutex
	said   time.Time
	n      uint64
	failed uint64
}

func newMeter(of uint64) *meter {
	now := time.Now()
	return &meter{began: now, said: now, of: of}
}

func (m *meter) played(failed bool) {
	m.mu.Lock()
	m.n++
	if failed {
		m.failed++
	}
	say := testing.Verbose() && time.Since(m.said) > time.Minute
	if say {
		m.said = time.Now()
	}
	m.mu.Unlock()
	if say {
		fmt.Fprintln(os.Stderr, m)
	}
}

func (m *meter) String() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	took := time.Since(m.began)
	return fmt.Sprintf("%d of %d stories played in %s, %.0f a minute; %d failed",
		m.n, m.of, took.Round(100*time.Millisecond), float64(m.n)/took.Minutes(), m.failed)
}
