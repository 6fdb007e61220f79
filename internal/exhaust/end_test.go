package exhaust_test

import (
	"context"
	"fmt"

	"github.com/drwatch/drwatch/internal/replication"
)

// ending is how a state is followed to its end.
type ending struct {
	delivers bool // what is on its way arrives, and is answered
	returns  bool // who has crashed starts again; else only when nobody is left
}

// goOn lets what has begun come to its end: there are no further faults, what stops it
// is lifted, and everybody takes turns. It tells what is left after a long time.
func (w *world) goOn(e ending) string {
	_ = w.root.Unfreeze(context.Background(), "sre", "go on") // it may not be frozen
	if w.vetoes {
		w.vetoes = false
		w.say(w.against)
	}
	w.left = budget{Time: -1}
	for _, l := range w.lives {
		l.still = false
	}
	for range 60 {
		for range 40 { // two rounds and all steps of an incident
			w.everybody(e)
			if w.over() {
				return ""
			}
		}
		w.doing(choice{do: w.pass})
	}
	return fmt.Sprintf("it does not end: phases %v, group %d", w.phases, w.cloud.phase)
}

// everybody takes one step.
func (w *world) everybody(e ending) {
	alone := w.lives[0].dead && w.lives[1].dead
	for n := range w.lives {
		l := w.lives[n]
		if l.dead && !e.returns && !alone {
			continue
		}
		alone = false
		var next []choice
		for _, c := range w.choicesOf(l) {
			if len(next) == 0 || c.label != l.name+" begins a round" {
				next = append(next, c)
			}
		}
		for _, c := range next {
			w.take(c.label) // an earlier one may have made it void
		}
	}
	for _, m := range w.flight {
		if e.delivers && !m.arrived && !w.expired(m) {
			w.arrive(m)
		}
	}
	if w.cloud.phase == taken {
		w.cloud.phase = moved
	}
}

// over tells that every incident has ended, and that there is none left to make.
func (w *world) over() bool {
	done := w.cloud.phase == moved
	for _, p := range w.phases {
		if !p.Ended() {
			return false
		}
		done = done || p == replication.Failed || p == replication.Ambiguous || p == replication.Aborted && w.aborted
	}
	return done
}
