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
	now := time.Now().Add(c.drifted())
	return timeOf(now.Add(c.wrong), now.Sub(booted()))
}

// booted is when the machines were, long before any story.
func booted() time.Time { return time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC) }

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

// timeOf is a time of day with a monotonic reading of its own, as a machine has it
// whose wall clock was set. The package time offers no way to make one, and in a
// bubble of virtual time its times have no such reading: the first word has the
// highest bit set, 33 bits of seconds since 1885 and 30 of nanoseconds, the second
// the reading. TestTheTimeOfDay holds that.
func timeOf(day time.Time, reading time.Duration) time.Time {
	const from1885 = 2_682_288_000 // seconds to 1970
	t := day.Round(0)
	words := (*struct {
		wall uint64
		ext  int64
	})(unsafe.Pointer(&t))
	words.wall = 1<<63 | uint64(day.Unix()+from1885)<<30 | uint64(day.Nanosecond())
	words.ext = int64(reading)
	return t
}

// TestTheTimeOfDay holds what timeOf knows of the package time.
func TestTheTimeOfDay(t *testing.T) {
	day := time.Now().Round(0)
	for _, by := range []time.Duration{0, 1, -1, time.Second, -time.Second, 1500 * time.Millisecond, -20*time.Second - 999999999} {
		was, is := timeOf(day, time.Hour), timeOf(day.Add(by), time.Hour+time.Minute)
		if passed := is.Sub(was); passed != time.Minute {
			t.Errorf("moved by %s within a minute: %s have passed", by, passed)
		}
		if moved := is.Round(0).Sub(was.Round(0)); moved != by || !was.Round(0).Equal(day) {
			t.Errorf("moved by %s within a minute: the time of day has moved by %s from %s", by, moved, was)
		}
		if later := is.Add(time.Hour).Sub(was); later != time.Hour+time.Minute {
			t.Errorf("moved by %s, and an hour later: %s", by, later)
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
