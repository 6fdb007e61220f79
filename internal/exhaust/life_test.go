package exhaust_test

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"runtime"
	"slices"
	"time"

	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/quorum/ledger"
	"github.com/drwatch/drwatch/internal/quorum/quorumtest"
	"github.com/drwatch/drwatch/internal/replication"
)

// life is one run of an observer, from its start to its crash.
type life struct {
	w          *world
	n          int
	name, site string
	dead       bool
	still      bool // it stands still
	store      *quorumtest.Store
	controller *failover.Controller
	former     []*failover.Controller // of earlier lives
	ctx        context.Context        // of its rounds
	stop       context.CancelFunc
	rounding   bool
	through    bool          // what its round asks of the store now is not waited for
	polled     item          // by its last round
	rounds     int           // that it may begin in this step of time unasked
	asking     bool          // who leads
	passive    bool          // another led when it asked
	kept       time.Duration // when its lease was kept alive last
	known      *thread       // what its last round has read
	turn       *thread       // its round
	step       *thread       // the steps of its incident
}

var names = []struct{ name, site string }{{"one", "az-b"}, {"two", "witness"}}

func (w *world) start(n int) *life {
	l := &life{w: w, n: n, name: names[n].name, site: names[n].site, rounds: 1, known: &thread{w: w}, turn: &thread{w: w}, step: &thread{w: w}}
	l.ctx, l.stop = context.WithCancel(context.Background())
	l.store = w.root.Join(time.Now, l.name, l.site)
	l.store.Through(way{l})
	l.controller = failover.New(failover.Options{
		Observer: l.name, Site: l.site, Store: incidents{l}, Session: session{l}, Upkeep: upkeep{l}, Lates: lates{l}, Rules: l, Reader: provider{l}, Senders: provider{l},
		CanAct: func(string) bool { return true }, LeaseTTL: quorumtest.LeaseTTL, TrackInterval: w.step, SignatureLife: w.life, Settle: w.settle, Margin: time.Second,
		Now: time.Now, Logger: slog.New(slog.DiscardHandler), Rand: func(int64) int64 { return 0 },
		At: func(step string) {
			if step == "verifying" {
				l.step.proves()
			}
		},
	})
	return l
}

// round starts a round.
func (l *life) round() {
	l.rounding, l.passive = true, false
	select {
	case <-l.controller.Wake():
	default:
		l.rounds--
	}
	l.turn.forget()
	go func() {
		defer func() { l.rounding = false }()
		_ = l.controller.Round(l.ctx) // an error is one more round without a decision
	}()
}

// running tells whether steps of an incident are under way.
func (l *life) running() bool {
	return reflect.ValueOf(l.controller).Elem().FieldByName("running").Len() > 0
}

// rest forgets what those have seen that are at their end.
func (l *life) rest() {
	if !l.rounding {
		l.turn.forget()
	}
	if !l.running() && !l.w.waits(l, l.step) { // a write without an answer is read back by itself
		l.step.forget()
	}
}

// Evaluate is the rule on what this observer sees: the site is lost, and what the
// provider shows now is what its poll has shown.
func (l *life) Evaluate(context.Context) (failover.Evaluation, error) {
	w := l.w
	g := w.show()
	l.polled = text("polled in " + g.Active.Zone)
	l.turn.note(l.polled, text(g.RawStatus))
	eval := failover.Evaluation{
		At: time.Now(), AllPolled: true, Probed: map[string]bool{"az-a": true},
		Rules: []failover.RuleView{{Rule: w.rule}}, Groups: []replication.Group{g},
	}
	if g.Active == azA {
		verdict := replication.Go
		if w.free { // the search has not begun
			verdict = replication.Pending
		}
		vote := w.ballot(l.name, l.site, verdict)
		eval.Rules[0].Targets = []failover.Target{{
			Group: g, ActiveSite: "az-a", TargetSite: "az-b", LastGood: w.began, Since: w.began, State: "firing", Vote: vote, ActionTimeout: actionTimeout,
		}}
	}
	return eval, nil
}

// verdict is how a pending request goes on.
type verdict int

const (
	goes verdict = iota
	dies
	requestLost
	answerLost
	answered
	silent
)

// pending is one who waits to be chosen.
type pending struct {
	l      *life
	who    *thread
	op     string
	on     *message // whose answer it waits for, nil: no call's
	writes bool
	resume chan verdict
}

// wait is a place where all others may come first, and where a life may end.
func (l *life) wait(ctx context.Context, op string) verdict {
	return l.pend(&pending{l: l, who: l.thread(ctx), op: op})
}

// await waits for the answer to a call.
func (l *life) await(ctx context.Context, m *message) verdict {
	return l.pend(&pending{l: l, who: l.thread(ctx), op: "awaits", on: m})
}

func (l *life) pend(p *pending) verdict {
	w := l.w
	p.resume = make(chan verdict)
	l.lives()
	if w.free {
		return goes
	}
	p.who.begins(l)
	p.who.at = p.op
	w.mu.Lock()
	w.pending = append(w.pending, p)
	w.mu.Unlock()
	v := <-p.resume
	if v == dies {
		runtime.Goexit()
	}
	return v
}

// lives ends the goroutine of a life that has ended.
func (l *life) lives() {
	l.w.mu.Lock()
	dead := l.dead
	l.w.mu.Unlock()
	if dead {
		runtime.Goexit()
	}
}

// thread is the round's, or that of the incident's steps, which have a context of
// their own.
func (l *life) thread(ctx context.Context) *thread {
	if ctx.Done() == l.ctx.Done() {
		return l.turn
	}
	return l.step
}

func (w *world) choicesOf(l *life) []choice {
	if l.dead {
		return []choice{{l.name + " starts again", func() {
			again := w.start(l.n)
			again.former = append(l.former, l.controller)
			again.kept = l.kept
			// Its heartbeat is not by chance the one that the others have seen last.
			lease := opened(reflect.ValueOf(again.store.Ledger).Elem().FieldByName("lease"))
			opened(lease.FieldByName("beat")).SetInt(int64(1000 * len(again.former)))
			w.lives[l.n] = again
		}}}
	}
	var out []choice
	if l.still {
		out = append(out, choice{l.name + " goes on", func() { l.still = false }})
		if w.left.Crash > 0 {
			out = append(out, w.crash(l))
		}
		return out
	}
	if l.mayRound() {
		out = append(out, choice{l.name + " begins a round", l.round})
	}
	w.mu.Lock()
	mine := slices.DeleteFunc(slices.Clone(w.pending), func(p *pending) bool { return p.l != l })
	w.mu.Unlock()
	slices.SortFunc(mine, func(a, b *pending) int { return a.who.order(l) - b.who.order(l) })
	for _, p := range mine {
		out = append(out, w.choicesAt(p)...)
	}
	if w.left.Crash > 0 {
		out = append(out, w.crash(l))
	}
	if w.left.Pause > 0 {
		out = append(out, choice{l.name + " stands still", func() {
			w.left.Pause--
			l.still = true
		}})
	}
	return out
}

func (w *world) crash(l *life) choice {
	return choice{l.name + " crashes", func() {
		w.left.Crash--
		w.kill(l)
	}}
}

// mayRound tells whether it begins a round: it is asked to, or has not in this step.
func (l *life) mayRound() bool {
	return !l.rounding && (l.rounds > 0 || len(l.controller.Wake()) > 0)
}

func (w *world) choicesAt(p *pending) []choice {
	who := p.l.name
	if p.who == p.l.turn {
		who += "'s round"
	}
	if p.on != nil {
		out := []choice{{who + " hears nothing", func() { w.resume(p, silent) }}}
		if p.on.arrived {
			out = append(out, choice{who + " is answered", func() { w.resume(p, answered) }})
		}
		return out
	}
	out := []choice{{who + " " + p.op, func() { w.resume(p, goes) }}}
	if p.writes && w.left.Lost > 0 {
		for label, v := range map[string]verdict{": the request is lost": requestLost, ": the answer is lost": answerLost} {
			out = append(out, choice{who + " " + p.op + label, func() {
				w.left.Lost--
				w.resume(p, v)
			}})
		}
		slices.SortFunc(out, func(a, b choice) int { return len(a.label) - len(b.label) })
	}
	return out
}

func (w *world) resume(p *pending, v verdict) {
	w.mu.Lock()
	w.pending = slices.DeleteFunc(w.pending, func(q *pending) bool { return q == p })
	w.mu.Unlock()
	p.resume <- v
}

// kill ends a life where it stands: nothing of it has an effect any more.
func (w *world) kill(l *life) {
	w.mu.Lock()
	l.dead = true
	var mine []*pending
	w.pending = slices.DeleteFunc(w.pending, func(p *pending) bool {
		if p.l == l {
			mine = append(mine, p)
		}
		return p.l == l
	})
	w.mu.Unlock()
	l.stop()
	for _, p := range mine {
		p.resume <- dies
	}
}

// way is the way of one life's requests to the store.
type way struct{ l *life }

func (r way) Pass(ctx context.Context, op string) error {
	who := r.l.thread(ctx)
	r.l.lives()
	writes := op != "read"
	if who == r.l.turn && (r.l.through || !writes && (r.l.asking || r.l.passive)) {
		return ctx.Err()
	}
	verb := verbs[op]
	if !writes {
		verb += who.doing
	}
	v := r.l.pend(&pending{l: r.l, who: who, op: verb, writes: writes})
	if err := ctx.Err(); err != nil {
		return err
	}
	if v == requestLost {
		return fmt.Errorf("%w: the request is lost", ledger.ErrUncertain)
	}
	who.lostAnswer = v == answerLost
	return nil
}

var verbs = map[string]string{
	"read": "reads", "lead": "asks to lead", "claim": "claims", "write": "writes", "take over": "takes over", "late": "tells late", "resign": "resigns",
	"beat": "beats", "keep alive": "keeps alive", "grant": "is granted", "revoke": "revokes", "vote": "votes", "tick": "ticks", "group": "notes the group",
	"episode": "ends an episode", "loss": "ends a loss",
}

func (r way) Answer(ctx context.Context, op string) error {
	who := r.l.thread(ctx)
	switch op {
	case "keep alive", "grant":
		r.l.kept = r.l.w.at()
	case "read":
		if who != r.l.turn || !r.l.through {
			who.note(text("has read"))
		}
	}
	if who.lostAnswer {
		who.lostAnswer = false
		who.note(text("no answer"))
		return fmt.Errorf("%w: the answer is lost", ledger.ErrUncertain)
	}
	return nil
}
