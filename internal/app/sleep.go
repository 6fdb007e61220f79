package app

import (
	"sync"
	"time"
)

// sleepWatch notices that the machine slept: the clock that counts sleep ran
// ahead of the one that does not.
type sleepWatch struct {
	now  func() time.Time
	boot func() time.Duration

	mu    sync.Mutex
	at    time.Time
	since time.Duration
	found []time.Time
}

// sleepNoticed is how much the clocks may differ by themselves.
const sleepNoticed = time.Second

func newSleepWatch(now func() time.Time, boot func() time.Duration) *sleepWatch {
	return &sleepWatch{now: now, boot: boot, at: now(), since: boot()}
}

// look compares the clocks since the last look and returns when sleeps were
// found, newest last, at most ten.
func (w *sleepWatch) look() []time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	now, boot := w.now(), w.boot()
	if (boot-w.since)-now.Sub(w.at) > sleepNoticed {
		w.found = append(w.found[max(0, len(w.found)-9):], now)
	}
	w.at, w.since = now, boot
	return append([]time.Time(nil), w.found...)
}
