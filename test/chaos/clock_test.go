package chaos_test

import (
	"sync/atomic"
	"testing"
	"time"
	"unsafe"
)

// wallClock is the machine's clock with a wall time that can be wrong, and a
// monotonic one that never is: what a step of the clock makes of a machine. Safe
// for concurrent use.
type wallClock struct{ wrong atomic.Int64 } // seconds

// set makes the clock wrong by the duration in whole seconds.
func (c *wallClock) set(by string) error {
	d, err := time.ParseDuration(by)
	if err == nil {
		c.wrong.Store(int64(d / time.Second))
	}
	return err
}

// now has its own way with time.Time: Add moves both times of it, and nothing of
// package time moves one. The wall seconds stand above 30 bits of nanoseconds in
// its first word.
func (c *wallClock) now() time.Time {
	t := time.Now()
	*(*uint64)(unsafe.Pointer(&t)) += uint64(c.wrong.Load()) << 30
	return t
}

func TestWallClockSteps(t *testing.T) {
	var c wallClock
	began := c.now()
	for _, by := range []time.Duration{time.Hour, -time.Hour, 0} {
		if err := c.set(by.String()); err != nil {
			t.Fatal(err)
		}
		now := c.now()
		if d := now.Sub(began); d < 0 || d > time.Minute {
			t.Errorf("stepped by %s, %s have passed since before", by, d)
		}
		if d := now.Round(0).Sub(time.Now().Round(0)) - by; d.Abs() > time.Minute {
			t.Errorf("stepped by %s, the wall clock is wrong by %s more", by, d)
		}
	}
}
