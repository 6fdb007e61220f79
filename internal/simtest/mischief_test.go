package simtest_test

import (
	"context"
	"time"
)

// mischiefs is how many kinds of mischief there are.
const mischiefs = 6

// mischief happens between a decision and its write, or between a question and its
// call: what was read is no longer so.
func (w *world) mischief(l *life, e event) {
	switch e.n {
	case 0: // the site answers again, and its veto comes while the leader is stopped
		l.pause(9*time.Second, "and the site answers")
		w.set("az-a", false)
		w.after(8*time.Second, func() { w.set("az-a", w.lostAt != 0) })
	case 1:
		if err := w.root.Freeze(context.Background(), "sre", "wait"); err == nil {
			w.tell("frozen")
			w.after(e.last, func() { _ = w.root.Unfreeze(context.Background(), "sre", "go on") })
		}
	case 2:
		w.happen(event{what: "abort"})
	case 3: // it wakes after its lease has run out
		l.pause(17*time.Second+e.last/2, "past its lease")
	case 4: // the store says so at once, and the observer wakes soon
		l.pause(3*time.Second, "and its lease is lost")
		_ = w.root.LoseLease(l.name) // it may have none
	case 5: // another observer gets other rules
		for _, o := range w.observers {
			if o.daemon() != l {
				o.daemon().load("other rules")
				life := o.daemon()
				w.after(e.last, func() { life.load("rules") })
				return
			}
		}
	}
}
