package chaos_test

import (
	"strings"
	"time"

	"github.com/drwatch/drwatch/internal/cloudsim"
)

// allPaused: a hypervisor stops all three for three seconds, and then the site
// dies. The timers go on where they were.
func allPaused(w *world) {
	for _, n := range w.names {
		w.observers[n].signal(stop)
	}
	<-time.After(3 * time.Second)
	for _, n := range w.names {
		w.observers[n].signal(cont)
	}
	late := stalls()
	w.lose(cloudsim.Loss{})
	w.once(120 * time.Second)
	claimed, called := w.took()
	stalled := late()
	w.tell("claimed %.2fs, called %.2fs after the loss; the machine was late by %.2fs", claimed.Seconds(), called.Seconds(), stalled.Seconds())
	if limit := hold + time.Second + 2*stalled; claimed > limit {
		w.Errorf("claimed %s after the loss, want at most %s", claimed, limit)
	}
}

// took is how long after the loss the first claim was committed and the first
// call came to a cloud.
func (w *world) took() (claimed, called time.Duration) {
	w.Helper()
	for _, n := range w.names {
		if at, ok := w.observers[n].came("claimed", w.lost); ok {
			claimed = at.Sub(w.lost)
		}
	}
	for _, e := range w.calls("") {
		if e.At.After(w.lost) {
			return claimed, e.At.Sub(w.lost)
		}
	}
	w.Error("nothing was called")
	return claimed, 0
}

// vetoRestarts: the witness and b cannot see the site, its own observer can; it
// dies and comes back again and again.
func vetoRestarts(w *world) {
	w.blind(obsB, azA)
	w.blind(obsW, azA)
	w.tells(w.observers[obsB], 20*time.Second, "obs-w at witness: go")
	for range 3 {
		o := w.observers[obsA]
		o.kill()
		<-time.After(500 * time.Millisecond)
		o.start()
		w.eventually("it is back", 30*time.Second, func() bool { return o.fit() })
		w.untouched()
	}
	w.tells(w.observers[obsB], 20*time.Second, "no_veto")
	w.untouched()
}

// flaps: down for less than the hold time, and up for long enough to be seen.
func flaps(w *world) {
	for range 8 {
		w.lose(cloudsim.Loss{})
		<-time.After(hold - 800*time.Millisecond)
		w.restore()
		<-time.After(1200 * time.Millisecond)
	}
	w.untouched()
}

// differs gives the witness another hold time.
func differs(observer, text string) string {
	if observer != obsW {
		return text
	}
	return strings.Replace(text, "for: 2s", "for: 1s", 1)
}

func rulesDiffer(w *world) {
	w.eventually("it is told before anything is lost", 20*time.Second, func() bool { return w.observers[obsB].notes("observer obs-w has other rules") })
	w.lose(cloudsim.Loss{})
	w.tells(w.observers[obsB], 20*time.Second, "1 with another rule file not counted")
	w.never()
}
