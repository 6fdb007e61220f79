package exhaust_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"github.com/drwatch/drwatch/internal/replication"
)

// digest names a state: two that have the same go on in the same way.
type digest [16]byte

// digest is all that what happens next depends on.
func (w *world) digest() digest {
	sum := sha256.Sum256(w.text())
	return digest(sum[:16])
}

// text is the state as it is compared.
func (w *world) text() []byte { return render(w, w.state()) }

// render writes items out, with each number by where its like stood first.
func render(w *world, items []item) []byte {
	var out []byte
	first := map[item]int{}
	next := map[byte]int{}
	for _, it := range items {
		switch it.kind {
		case 0:
			out = append(out, it.text...)
		case moment:
			most, _ := strconv.Atoi(it.text) // since made it
			steps := (w.at() - time.Duration(it.value)) / w.step
			out = append(out, '@')
			out = strconv.AppendInt(out, int64(min(int(steps), most)), 10)
		case snapshot:
			out = append(out, "v"...)
			if it.value < w.voted {
				out = append(out, "old"...)
			}
		default:
			if it.value == 0 {
				out = append(out, "none "...)
				continue
			}
			n, ok := first[it]
			if !ok {
				next[it.kind]++
				n = next[it.kind]
				first[it] = n
			}
			out = append(out, it.kind)
			out = strconv.AppendInt(out, int64(n), 10)
		}
		out = append(out, ' ')
	}
	return out
}

func (w *world) state() []item {
	c, err := w.root.Read(context.Background())
	if err != nil {
		w.violated("the store cannot be read: %v", err)
	}
	out := []item{text("left"), text(fmt.Sprint(w.left)), text("store")}
	out = append(out, w.cluster(c, true)...)
	for _, id := range w.incidentsOf(c) {
		all, _ := w.root.Late(context.Background(), id) // it was read a moment ago
		for _, token := range slices.Sorted(maps.Keys(all)) {
			out = append(out, text("late"), rev(token), count(all[token].Attempt), text(string(all[token].Outcome)))
		}
	}
	out = append(out, text("veto"), yes(w.vetoes), text("cloud"), count(int(w.cloud.phase)), count(w.cloud.effects), count(len(w.cloud.tokens)))
	if w.cloud.phase == taken {
		out = append(out, since(w.cloud.takenAt, 9))
	}
	for _, m := range w.flight {
		out = append(out, text("call"), text(w.called(m.by)))
		switch {
		case m.arrived:
			out = append(out, text(string(m.outcome)))
		case w.expired(m):
			out = append(out, text("gone"))
		default:
			out = append(out, since(m.signed, 9))
		}
	}
	for _, l := range w.lives {
		out = append(out, w.observer(l)...)
	}
	return out
}

// called is an incident's name that does not depend on when it was made.
func (w *world) called(id string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if a, ok := w.alias[id]; ok {
		return a
	}
	return "unmade"
}

func (w *world) incidentsOf(c replication.Cluster) []string {
	return slices.SortedFunc(maps.Keys(c.Incidents), func(a, b string) int { return strings.Compare(w.called(a), w.called(b)) })
}

// cluster is what a decision may look at of what the store holds.
func (w *world) cluster(c replication.Cluster, hearts bool) []item {
	out := []item{yes(c.Freeze != nil)}
	if c.Leader != nil {
		out = append(out, text("leader "+c.Leader.Observer), rev(c.Leader.CreateRev))
	}
	for _, o := range c.Observers {
		out = append(out, text(o.Name))
		if hearts {
			out = append(out, beat(o.Name, o.Beat))
		}
	}
	for _, v := range c.Votes {
		out = append(out, text(v.Observer), text(string(v.Verdict)), rev(v.Rev))
	}
	g := c.Groups[w.key]
	out = append(out, text("group"), rev(g.Rev), text(w.called(g.OpenIncident)), yes(g.Latch != nil), text(g.Active.Zone+g.Baseline))
	out = append(out, yes(g.LastAction != nil))
	for _, l := range c.Losses {
		out = append(out, text("loss"), rev(l.Rev), count(len(l.Failures)))
	}
	out = append(out, count(len(c.Slots["r"])), count(len(c.Episodes)), count(len(c.Started["r"])))
	for _, id := range w.incidentsOf(c) {
		out = append(out, w.noteRecord(c.Incidents[id])...)
	}
	return out
}

func (w *world) noteRecord(r replication.IncidentRecord) []item {
	out := []item{text(w.called(r.ID)), text(string(r.Phase))}
	if r.Phase.Ended() {
		return out
	}
	out = append(out, text(r.HeldBy), count(r.Slot), rev(r.Rev), rev(r.Token), text(r.Holder.Observer), rev(r.Holder.LeaderRev), yes(r.Abort != nil))
	for i, c := range r.Calls {
		if i < len(r.Calls)-1 && (c.Outcome == replication.NotSent || c.Outcome == replication.Throttled) {
			continue // nobody looks at what is known not to have happened
		}
		out = append(out, text("attempt"), text(string(c.Outcome)), text(c.ExpectedStatus), yes(c.ChangedAt.IsZero()))
		if c.Outcome == replication.OutcomeNone || c.Outcome == replication.Uncertain {
			out = append(out, since(c.StartedAt.Sub(w.began), w.quiet()))
		}
	}
	return out
}

// observer is what one of them is, and knows.
func (w *world) observer(l *life) []item {
	out := []item{text(l.name)}
	if l.dead {
		return append(out, text("dead"), since(l.kept, w.within(leaseTTL)))
	}
	out = append(out, yes(l.still), since(l.kept, w.within(leaseTTL)))
	out = append(out, w.controller(l)...)
	out = append(out, w.ledger(l)...)
	out = append(out, text("known"))
	out = append(out, l.known.notes...)
	for _, t := range []*thread{l.turn, l.step} {
		out = append(out, text("|"), yes(w.waits(l, t)), text(t.at), yes(t.proving))
		if t.proving {
			out = append(out, t.looking(w.waits(l, t))...)
		}
		out = append(out, t.rec...)
		out = append(out, t.notes...)
	}
	return append(out, yes(l.rounding), yes(l.running()), count(l.rounds), count(len(l.controller.Wake())))
}

func (w *world) waits(l *life, t *thread) bool {
	return slices.ContainsFunc(w.pending, func(p *pending) bool { return p.who == t })
}

// within is after how many steps that time has passed.
func (w *world) within(d time.Duration) int { return int((d + w.step - 1) / w.step) }

// quiet is after how many steps a call can have no effect any more.
func (w *world) quiet() int { return int((w.life+w.settle)/w.step) + 1 }

// What the controller keeps from round to round, and what tells nothing: what it was
// made with, what is only told, what is remade from what it reads or taken down as it
// reads it, and the cluster clock, on which nothing here is short enough to end.
var (
	kept  = []string{"election", "busy", "seen", "unread", "retry", "unable", "calls", "callsHeld", "owed", "held", "beats", "stopping"}
	apart = []string{"lastTick", "elected", "o", "mu", "state", "running", "asked", "tiers", "votes", "waited", "driven", "toldAt", "wake", "wg"}
)

func (w *world) controller(l *life) []item {
	v := reflect.ValueOf(l.controller).Elem()
	var out []item
	for _, name := range kept {
		if name == "busy" && !l.rounding {
			continue // each round looks anew
		}
		out = append(out, text(name))
		out = w.walk(out, name, opened(v.FieldByName(name)))
	}
	return out
}

// ledger is what the observer's hold on the store keeps of its session.
func (w *world) ledger(l *life) []item {
	v := reflect.ValueOf(l.store.Ledger).Elem()
	lease, votes := opened(v.FieldByName("lease")), opened(v.FieldByName("votes"))
	out := []item{
		yes(lease.FieldByName("id").Int() != 0), beat(l.name, lease.FieldByName("beat").Int()), rev(lease.FieldByName("leaderRev").Int()),
		count(votes.FieldByName("keys").Len()), count(votes.FieldByName("unknown").Len()),
	}
	out = w.walk(out, "sent", opened(opened(lease.FieldByName("sent")).FieldByName("at")))
	return out
}

// opened is a value that may be looked at whoever declared it.
func opened(v reflect.Value) reflect.Value {
	if !v.CanAddr() {
		c := reflect.New(v.Type()).Elem()
		c.Set(v)
		v = c
	}
	return reflect.NewAt(v.Type(), unsafe.Pointer(v.UnsafeAddr())).Elem()
}

// matters is how long ago a moment that the controller keeps may be and still make a
// difference.
func (w *world) matters(name string) time.Duration {
	switch {
	case name == "at" || name == "moved":
		return leaseTTL + actionTimeout + time.Second
	case name == "sent":
		return leaseTTL
	}
	return time.Minute
}

// patience is the minute for which what is known of a call is tried to be written, in
// steps.
const patience = 10

// walk adds a value of the controller's.
func (w *world) walk(out []item, name string, v reflect.Value) []item {
	switch x := v.Interface().(type) {
	case time.Time:
		if x.IsZero() {
			return append(out, text("never"))
		}
		if left := x.Sub(w.began) - w.at(); left > 0 {
			return append(out, text("in "+left.String()))
		}
		return append(out, since(x.Sub(w.began), w.within(w.matters(name))))
	case replication.IncidentRecord:
		return append(out, w.noteRecord(x)...)
	case error:
		return append(out, text("an error"))
	}
	switch v.Kind() {
	case reflect.Map:
		for _, k := range sortedKeys(v) {
			out = append(out, text(w.renamed(fmt.Sprint(k))))
			of := name
			if name == "beats" {
				of = "beat " + k.String()
			}
			out = w.walk(out, of, opened(v.MapIndex(k)))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			of := v.Type().Field(i).Name
			if strings.HasPrefix(name, "beat ") && of == "value" {
				of = name
			}
			out = w.walk(out, of, opened(v.Field(i)))
		}
	case reflect.Int64, reflect.Int:
		switch {
		case strings.HasPrefix(name, "beat "):
			out = append(out, beat(name[len("beat "):], v.Int()))
		case name == "election" || name == "token":
			out = append(out, rev(v.Int()))
		case name == "attempt": // longer than half a minute it does not wait
			out = append(out, count(int(min(v.Int(), 6))))
		default:
			out = append(out, text(strconv.FormatInt(v.Int(), 10)))
		}
	case reflect.Interface:
		out = append(out, yes(v.IsNil()))
	case reflect.Bool:
		out = append(out, yes(v.Bool()))
	case reflect.String:
		out = append(out, text(w.renamed(v.String())))
	default:
		w.violated("nobody knows how to compare %s, a %s", name, v.Type())
	}
	return out
}

func sortedKeys(v reflect.Value) []reflect.Value {
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	return keys
}

// renamed is a text with the incidents in it by their names.
func (w *world) renamed(s string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, a := range w.alias {
		s = strings.ReplaceAll(s, id, a)
	}
	return s
}
