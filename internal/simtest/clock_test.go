package simtest_test

import (
	"sync"
	"testing"
	"time"
	"unsafe"
)

// clock is that of an observer's machine. What it calls the time of day may be wrong,
// and be put right or wrong at any moment; nothing that passes is measured by that.
// Its rate may be wrong as well, and that does touch what is measured.
type clock struct {
	mu    sync.Mutex
	wrong time.Duration // the time of day
	rate  float64       // by how much it is too fast
	since time.Time     // that rate
	gone  time.Duration // how far it has drifted until then
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return dayMoved(time.Now().Add(c.drifted()), c.wrong)
}

func (c *clock) drifted() time.Duration {
	if c.rate == 0 {
		return c.gone
	}
	return c.gone + time.Duration(float64(time.Since(c.since))*c.rate)
}

// step moves the time of day.
func (c *clock) step(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wrong += by
}

// drift makes the clock too fast by that rate, or too slow.
func (c *clock) drift(rate float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gone, c.since, c.rate = c.drifted(), time.Now(), rate
}

// dayMoved is a time with another time of day and the same monotonic reading, as a
// machine has it whose wall clock was set. The package time offers no way to make
// one: its first word holds nanoseconds below 30 bits of seconds, and the highest bit
// tells that there is a monotonic reading. TestTheTimeOfDay holds that.
func dayMoved(t time.Time, by time.Duration) time.Time {
	const (
		monotonic = 1 << 63
		second    = 1 << 30
	)
	word := (*uint64)(unsafe.Pointer(&t))
	if by == 0 || *word&monotonic == 0 {
		return t.Add(by)
	}
	day, part := int64(*word&^monotonic/second), int64(*word%second)+int64(by)
	day, part = day+part/1e9, part%1e9
	if part < 0 {
		day, part = day-1, part+1e9
	}
	*word = monotonic | uint64(day)*second | uint64(part)
	return t
}

// TestTheTimeOfDay holds what dayMoved knows of the package time.
func TestTheTimeOfDay(t *testing.T) {
	now := time.Now()
	for _, by := range []time.Duration{0, 1, -1, time.Second, -time.Second, 1500 * time.Millisecond, -20*time.Second - 999999999} {
		moved := dayMoved(now, by)
		if passed := moved.Sub(now); passed != 0 {
			t.Errorf("moved by %s: %s have passed", by, passed)
		}
		if day := moved.Round(0).Sub(now.Round(0)); day != by {
			t.Errorf("moved by %s: the time of day has moved by %s", by, day)
		}
		if later := moved.Add(time.Hour).Sub(now); later != time.Hour {
			t.Errorf("moved by %s, an hour later: %s", by, later)
		}
	}
}

// clockWatch is the daemon's: it tells when the time of day was found to have moved.
type clockWatch struct {
	at    time.Time
	steps []time.Time
}

func (c *clockWatch) look(now time.Time) []time.Time {
	if !c.at.IsZero() {
		if moved := now.Round(0).Sub(c.at.Round(0)) - now.Sub(c.at); moved.Abs() > time.Second {
			c.steps = append(c.steps[max(0, len(c.steps)-9):], now)
		}
	}
	c.at = now
	return append([]time.Time(nil), c.steps...)
}
