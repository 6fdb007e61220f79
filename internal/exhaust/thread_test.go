package exhaust_test

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/drwatch/drwatch/internal/replication"
)

// item is a piece of what somebody knows. A number of a kind is compared with others
// of that kind for equality alone, so that only which are the same tells states
// apart; those of snapshot only with the newest vote. A moment counts by how many
// steps of time ago it was, up to so many: what is longer ago makes no difference.
type item struct {
	kind  byte // 0: plain text
	value int64
	text  string
}

const (
	revision = 'r'
	snapshot = 'v'
	moment   = 't'
)

func text(s string) item { return item{text: s} }
func rev(n int64) item   { return item{kind: revision, value: n} }
func count(n int) item   { return text(strconv.Itoa(n)) }

// beat is a heartbeat of an observer. The second letter of its name is the kind.
func beat(name string, n int64) item { return item{kind: name[1], value: n} }

// since is a moment, by the world's clock.
func since(at time.Duration, most int) item {
	return item{kind: moment, value: int64(at), text: strconv.Itoa(most)}
}

func yes(ok bool) item {
	if ok {
		return text("+")
	}
	return text("-")
}

func failed(err error) item { return yes(err == nil) }

// thread is what one goroutine of a life knows beside what its controller keeps: what
// it has been answered since it began, or since its last write.
type thread struct {
	w          *world
	at         string // where it waits
	begun      bool
	notes      []item
	rec        []item // the incident as it works on it
	lostAnswer bool
	proving    bool // it looks at the provider again and again
	looks      int
	changed    bool   // some look has shown the group otherwise than before the call
	last       string // what the last look has shown
	doing      string // what it reads for
}

func (t *thread) forget() { *t = thread{w: t.w} }

// begins takes down what the steps of an incident begin with.
func (t *thread) begins(l *life) {
	if t == l.step && !t.begun {
		t.rec = slices.Clone(l.known.rec)
	}
	t.begun = true
}

func (t *thread) note(items ...item) { t.notes = append(t.notes, items...) }

// proves begins to look at the provider until it proves something.
func (t *thread) proves() {
	t.proving, t.looks, t.changed, t.notes = true, 0, false, nil
}

func (t *thread) looked(g replication.Group) {
	status := g.RawStatus + " at " + g.Active.Zone
	if !t.proving {
		t.note(text("shows " + status))
		return
	}
	t.looks, t.last, t.notes = min(t.looks+1, 2), status, nil
	t.changed = t.changed || status != "protected at a"
}

// looking is what its looks have told, as far as it makes a difference.
func (t *thread) looking(waits bool) []item {
	var out []item
	if waits {
		out = append(out, text(t.last))
	}
	for _, it := range t.rec {
		if it.text == string(replication.Uncertain) || it.text == string(replication.Rejected) {
			return append(out, count(t.looks), yes(t.changed))
		}
	}
	return out
}

// saw is what a read of the store has shown.
func (t *thread) saw(c replication.Cluster, l *life) {
	items := t.w.cluster(c, false)
	items = append(items, item{kind: snapshot, value: c.Revision})
	beats := l.controller.LastBeats() // a decision is made on them at once
	for _, name := range slices.Sorted(maps.Keys(beats)) {
		if t.w.at()-beats[name].Sub(t.w.began) < leaseTTL {
			items = append(items, text("beats "+name))
		}
	}
	t.note(items...)
	t.rec = nil
	for _, id := range t.w.incidentsOf(c) {
		if !c.Incidents[id].Phase.Ended() {
			t.rec = t.w.noteRecord(c.Incidents[id])
		}
	}
}

// knows is what the steps of an incident look at of what a round has read before.
func (l *life) knows(c replication.Cluster) {
	l.known.forget()
	for _, o := range c.Observers {
		l.known.note(text(o.Name))
	}
	for _, r := range c.Incidents {
		if r.Abort != nil && r.Phase == replication.Verifying {
			l.known.note(text("given up"), rev(r.Token))
		}
	}
	l.known.note(l.polled)
	l.known.rec = l.turn.rec
}

// wrote is what a write has brought. What was read for it counts no more.
func (t *thread) wrote(rec replication.IncidentRecord, err error) {
	if err != nil {
		t.note(failed(err))
		return
	}
	t.notes, t.rec = nil, t.w.noteRecord(rec)
	if rec.Phase == replication.Executing { // how long ago makes a difference for the call
		t.note(since(t.w.at(), 1))
	}
}

// order puts the round before the steps.
func (t *thread) order(l *life) int {
	if t == l.turn {
		return 0
	}
	return 1
}
