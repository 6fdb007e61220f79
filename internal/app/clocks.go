package app

import (
	"sync"
	"time"
)

// clockWatch compares the clocks of the machine: it slept when the one that counts
// sleep ran ahead of the one that does not, and the wall clock was stepped when it
// ran differently from both.
type clockWatch struct {
	now  func() time.Time // with a monotonic reading
	wall func() time.Time
	boot func() time.Duration

	mu     sync.Mutex
	at     time.Time
	told   time.Time // by the wall clock
	since  time.Duration
	sleeps []time.Time
	steps  []time.Time
}

// clocksDiffer is how much the clocks may differ by themselves between two looks.
const clocksDiffer = time.Second

func newClockWatch(now, wall func() time.Time, boot func() time.Duration) *clockWatch {
	return &clockWatch{now: now, wall: wall, boot: boot, at: now(), told: wall(), since: boot()}
}

// look compares the clocks since the last look and returns when sleeps and steps
// were found, newest last, at most ten of each.
func (w *clockWatch) look() (sleeps, steps []time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now, told, boot := w.now(), w.wall().Round(0), w.boot()
	passed := now.Sub(w.at)
	slept := boot - w.since - passed
	if slept > clocksDiffer {
		w.sleeps = lastTen(w.sleeps, now)
	}
	if stepped := told.Sub(w.told.Round(0)) - passed - max(slept, 0); stepped.Abs() > clocksDiffer {
		w.steps = lastTen(w.steps, now)
	}
	w.at, w.told, w.since = now, told, boot
	return append([]time.Time(nil), w.sleeps...), append([]time.Time(nil), w.steps...)
}

func lastTen(found []time.Time, now time.Time) []time.Time {
	return append(found[max(0, len(found)-9):], now)
}
