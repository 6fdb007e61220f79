package exhaust_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing/synctest"
	"time"

	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/quorum/quorumtest"
	"github.com/drwatch/drwatch/internal/replication"
)

var (
	azA = replication.Location{Region: "r", Zone: "a"}
	azB = replication.Location{Region: "r", Zone: "b"}
)

// scope bounds what is searched. What happens at most so many times is a fault or a
// person; all else happens in any order.
type scope struct {
	name     string
	provider replication.Provider
	step     time.Duration // by which time moves on
	life     time.Duration // of a signature at the provider
	settle   time.Duration
	budget   budget
	progress int  // each so-many-th state is followed to its end
	large    bool // only with -full
	from     place
}

// place is where the first leader stands still, and the second is about to take its
// incident over, when the search begins; the zero place is before all.
type place struct {
	op  string // what it waits for
	nth int    // the how-many-th time it does
}

// budget is how often what may still happen.
type budget struct {
	Time    int // steps of time, less than zero: no bound
	Pause   int // of an observer, for as long as it may be
	Crash   int // of an observer
	Lost    int // writes whose request or answer is lost
	Freeze  int
	Abort   int
	Veto    int
	Foreign int // moves by somebody else
	Refuse  int // calls refused for the rate
}

const actionTimeout = 2 * time.Second

// world is two observers that can lead, the store, a voter, and one group at its
// provider. Nothing moves but by a choice.
type world struct {
	scope
	left    budget
	began   time.Time
	root    *quorumtest.Store
	voter   *quorumtest.Store
	against *quorumtest.Store   // of one more in the lost site, which has nothing to say but a veto
	verdict replication.Verdict // of the voter
	vetoes  bool
	key     replication.GroupKey
	rule    failover.Rule
	lives   []*life
	free    bool // nobody waits to be chosen

	mu         sync.Mutex
	pending    []*pending
	cloud      cloud
	flight     []*message
	alias      map[string]string
	voted      int64 // newest revision of a vote
	phases     map[string]replication.Phase
	aborted    bool
	violations []string
}

// choice is one thing that may happen next.
type choice struct {
	label string
	do    func()
}

func newWorld(s scope) *world {
	w := &world{
		scope: s, left: s.budget, began: time.Now(), key: replication.GroupKey{Provider: s.provider, ID: "g"}, verdict: replication.Pending,
		alias: map[string]string{}, phases: map[string]replication.Phase{}, free: true,
	}
	w.cloud.tokens = map[string]bool{}
	w.rule = failover.Rule{
		Name: "r", Hash: "h", Mode: replication.Auto, Action: replication.Failover, For: 10 * time.Second, SiteUnreachable: "az-a", Agree: 2, Of: 3, VetoAny: true,
		Fence: "accept_split_brain: test", LagUnder: 30 * time.Second, LagUnknownAllow: true, DataAgeUnder: 1000 * time.Hour, Cooldown: time.Hour,
		MaxConcurrent: 1, MaxFailures: 3, ExecutionTimeout: 1000 * time.Hour, ApprovalTimeout: time.Hour, Approvals: 1,
	}
	w.root = quorumtest.New(time.Now, "root", "nowhere")
	w.root.Watched(w.judge)
	w.voter, w.against = w.root.Join(time.Now, "three", "az-c"), w.root.Join(time.Now, "four", "az-a")
	w.lives = []*life{w.start(0), w.start(1)}
	// The first leads, everybody has seen the others' hearts beat, and the voter says
	// go now.
	for range 2 {
		w.vote()
		for _, l := range w.lives {
			w.run(l)
		}
	}
	w.verdict, w.free = replication.Go, false
	w.vote()
	w.mayRound()
	if s.from.op != "" {
		w.goTo(s.from)
	}
	return w
}

// goTo leads the world to where the second observer is about to take over what the
// first held when it came to a place, where it stands still.
func (w *world) goTo(p place) {
	one, two := w.lives[0], w.lives[1]
	w.left = budget{Time: forever}
	for nth := p.nth; ; {
		if w.waits(one, one.step) && one.step.at == p.op {
			if nth--; nth == 0 {
				break
			}
		}
		w.doing(w.choicesOf(one)[0])
	}
	one.still = true
	for range 100 {
		switch {
		case two.turn.at == "takes over" && w.waits(two, two.turn):
			w.left = w.budget
			return
		case w.idle():
			w.doing(choice{do: w.pass})
		default:
			w.doing(w.choicesOf(two)[0])
		}
	}
	w.violated("nobody takes over")
}

// run is one round of an observer from its start to its end.
func (w *world) run(l *life) {
	l.round()
	synctest.Wait()
}

// vote is what those do that never lead: they live, and say what they have to say.
func (w *world) vote() {
	w.say(w.voter, w.ballot("three", "az-c", w.verdict))
	if w.vetoes {
		w.say(w.against, w.ballot("four", "az-a", replication.Veto))
	}
}

func (w *world) say(who *quorumtest.Store, votes ...replication.Vote) {
	ctx := context.Background()
	if err := errors.Join(who.PublishVotes(ctx, votes), who.Renew(ctx)); err != nil {
		w.violated("a voter: %v", err)
	}
}

func (w *world) ballot(name, site string, v replication.Verdict) replication.Vote {
	return replication.Vote{
		Observer: name, Site: site, Rule: w.rule.Name, RuleHash: w.rule.Hash, Group: w.key, Verdict: v,
		Since: w.began, Mode: replication.Auto, For: w.rule.For,
	}
}

func (w *world) violated(format string, args ...any) {
	w.violations = append(w.violations, fmt.Sprintf(format, args...))
}

func (w *world) at() time.Duration { return time.Since(w.began) }

// choices are all that may happen next, always in the same order.
func (w *world) choices() []choice {
	var out []choice
	for _, l := range w.lives {
		out = append(out, w.choicesOf(l)...)
	}
	for i, m := range w.flight {
		if m.arrived || w.expired(m) {
			continue
		}
		out = append(out, choice{fmt.Sprintf("call %d arrives", i+1), func() { w.arrive(m) }})
		if w.left.Refuse > 0 {
			out = append(out, choice{fmt.Sprintf("call %d is refused for the rate", i+1), func() {
				w.left.Refuse--
				m.arrived, m.outcome = true, replication.Throttled
			}})
		}
	}
	if w.cloud.phase == taken {
		out = append(out, choice{"the group moves", func() { w.cloud.phase = moved }})
	}
	out = append(out, w.persons()...)
	if w.left.Time != 0 && w.idle() {
		out = append(out, choice{"time passes", w.pass})
	}
	return out
}

// idle tells that nobody who runs has anything to do at this moment. What an observer
// does takes no time, unless it stands still.
func (w *world) idle() bool {
	for _, l := range w.lives {
		if !l.dead && !l.still && (l.rounding || l.mayRound() || w.waits(l, l.turn) || w.waits(l, l.step)) {
			return false
		}
	}
	return true
}

// persons are what comes from outside.
func (w *world) persons() []choice {
	var out []choice
	add := func(left *int, label string, do func()) {
		if *left > 0 {
			out = append(out, choice{label, func() { *left--; do() }})
		}
	}
	ctx := context.Background()
	add(&w.left.Freeze, "a person freezes", func() { _ = w.root.Freeze(ctx, "sre", "wait") })
	if id := w.open(); id != "" {
		add(&w.left.Abort, "a person aborts", func() { w.aborted = w.root.Abort(ctx, id, "sre", "no") == nil || w.aborted })
	}
	add(&w.left.Veto, "one more sees the site, and vetoes", func() {
		w.vetoes = true
		w.vote()
	})
	if w.cloud.phase == resting {
		add(&w.left.Foreign, "somebody else moves the group", func() {
			w.cloud.phase = moved
			w.cloud.effects++
		})
	}
	return out
}

// open is the incident that has not ended, by what has been judged of it.
func (w *world) open() string {
	for id, p := range w.phases {
		if !p.Ended() {
			return id
		}
	}
	return ""
}

// pass moves the time on. What the provider has taken shows before it has settled.
func (w *world) pass() {
	w.left.Time = max(w.left.Time-1, min(w.left.Time, -1))
	if w.cloud.phase == taken && w.at()+w.step-w.cloud.takenAt > w.settle {
		w.cloud.phase = moved
	}
	time.Sleep(w.step)
	synctest.Wait()
	w.vote()
	w.mayRound()
}

// mayRound lets everybody begin a round, as it does from time to time. Else it begins
// one when something has happened that it should look at.
func (w *world) mayRound() {
	for _, l := range w.lives {
		l.rounds = 1
	}
}

// take does a choice by its name and waits until nothing moves any more. It tells
// whether there is such a choice.
func (w *world) take(label string) bool {
	all := w.choices()
	i := slices.IndexFunc(all, func(c choice) bool { return c.label == label })
	if i >= 0 {
		w.doing(all[i])
	}
	return i >= 0
}

func (w *world) doing(c choice) {
	c.do()
	synctest.Wait()
	for _, l := range w.lives {
		l.rest()
	}
	if w.cloud.effects > 1 {
		w.violated("the group was moved %d times", w.cloud.effects)
	}
}

// end ends all that still runs.
func (w *world) end() {
	for _, l := range w.lives {
		w.kill(l)
	}
	synctest.Wait()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, l := range w.lives {
		_ = l.controller.Close(ctx) // what it did not end in time, it has cancelled
		for _, c := range l.former {
			_ = c.Close(ctx)
		}
	}
}
