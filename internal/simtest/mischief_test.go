package simtest_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/drwatch/drwatch/internal/quorum/quorumtest"
)

var focus = flag.String("focus", "", "what happens in each story: a mischief as STEP/KIND, or a plan whose events, crew, groups and rule each is to have")

// focused adds what each story is to have.
func focused(p plan, focus string) plan {
	if focus == "" {
		return p
	}
	r := rand.New(rand.NewPCG(p.seed, 2))
	step, kind, ok := strings.Cut(focus, "/")
	if !ok {
		return p.with(focus, time.Duration(r.Int64N(int64(3*time.Second))))
	}
	e := event{at: 14 * time.Second, what: "mischief", step: step, last: time.Second + time.Duration(r.Int64N(int64(20*time.Second)))}
	if _, err := fmt.Sscan(kind, &e.n); err != nil {
		panic(err)
	}
	p.events = append([]event{e}, p.events...)
	return p
}

// with is the plan with what another one has, each event a moment later.
func (p plan) with(text string, later time.Duration) plan {
	more, err := parsePlan(text)
	if err != nil {
		panic(err)
	}
	if more.crew != "" {
		p.crew = more.crew
	}
	if more.rule != "" {
		p.rule = more.rule
	}
	if len(more.providers) > 0 {
		p.providers = more.providers
	}
	for _, e := range more.events {
		e.at += later
		p.events = append(p.events, e)
	}
	return p.in()
}

// mischiefs is how many kinds of mischief there are.
const mischiefs = 10 // that any story may have; those behind are for the controls

// mischief happens between a decision and its write, or between a question and its
// call: what was read is no longer so.
func (w *world) mischief(l *life, e event) {
	switch e.n {
	case 0: // the site answers again, and its veto comes while the leader is stopped
		l.pause(9*time.Second, "and the site answers")
		w.set("az-a", false)
		w.after(8*time.Second, func() { w.set("az-a", w.lostAt() != 0) })
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
		w.rob(l.name)
	case 9: // only the observer there sees the site again
		l.pause(9*time.Second, "and the site answers its own observer")
		for _, o := range w.in("") {
			w.sever(o.name, "az-a", 1)
			w.after(8*time.Second, func() { w.sever(o.name, "az-a", -1) })
		}
		known := w.fellAt()
		w.set("az-a", false)
		w.after(8*time.Second, func() {
			if w.set("az-a", w.lostAt() != 0); w.lostAt() != 0 {
				w.fellThen(known) // as far as anybody knows who may say go
			}
		})
	case 10: // no call ever arrives, not even when all else is healed
		for _, g := range w.order {
			g.stubborn = requestLost
		}
	case 11: // the provider refuses
		for _, g := range w.order {
			g.stubborn = refusedFor
		}
	case 12: // two observers see no site at all
		for _, o := range w.in("") {
			for _, site := range []string{"az-a", "az-b"} {
				w.sever(o.name, site, 1)
				w.after(40*time.Second, func() { w.sever(o.name, site, -1) })
			}
		}
	case 13: // the groups show an error of the outage's own
		w.happen(event{what: "unwell", last: 20 * time.Second})
	case 6: // its lease is lost, and another leads before it wakes
		w.rob(l.name)
		l.pause(2*time.Second+e.last/4, "and another leads")
	case 7: // it wakes when another has taken over what it held
		w.rob(l.name)
		l.pause(25*time.Second+e.last/2, "and another holds what it held")
	case 8: // it wakes just past its lease
		l.pause(quorumtest.LeaseTTL-time.Second+e.last/8, "about as long as its lease")
	case 5: // another observer gets other rules
		for _, o := range w.observers {
			if o.daemon() != l {
				o.load(otherFile)
				w.after(e.last, func() { o.load(w.fileNow()) })
				return
			}
		}
	}
}
