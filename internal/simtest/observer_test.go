package simtest_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/drwatch/drwatch/internal/evidence"
	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/policy"
	"github.com/drwatch/drwatch/internal/quorum/ledger"
	"github.com/drwatch/drwatch/internal/quorum/quorumtest"
	"github.com/drwatch/drwatch/internal/replication"
	"github.com/drwatch/drwatch/internal/series"
)

const (
	holdFor    = 10 * time.Second
	probeEvery = 2 * time.Second
	pollEvery  = 10 * time.Second
	roundEvery = 3750 * time.Millisecond
	tracked    = 3 * time.Second
	margin     = time.Second
)

// sight is what an observer's votes rest on.
type sight struct {
	at    time.Time
	blind bool                 // no probe found any site
	up    map[string]time.Time // the newest probe that found each site
}

// observer is one daemon, over all its lives.
type observer struct {
	w     *world
	name  string
	site  string
	clock clock  // of its machine
	file  string // the rules that its machine has, under w.mu
	alive bool   // under w.mu
	said  sight  // what the votes in the store rest on, under w.mu
	life  atomic.Pointer[life]
}

// daemon is the run that there is now, or was last.
func (o *observer) daemon() *life { return o.life.Load() }

// life is one run of a daemon, from its start to its crash.
type life struct {
	*observer
	stop       context.CancelFunc
	store      *quorumtest.Store
	history    *series.Store
	evaluator  *policy.Evaluator
	controller *failover.Controller
	started    time.Time
	changed    chan struct{}
	ended      sync.WaitGroup

	mu         sync.Mutex
	dead       bool
	paused     time.Time // until then
	at         string    // the step that ends or pauses this life
	then       func()
	rounds     map[string][]time.Time // of probes
	up         map[string]bool
	lastUp     map[string]time.Time // the newest probe that found the site
	was        sight                // at the last evaluation
	blindSince time.Time            // since when no probe finds any site; zero while one does
	groups     []replication.Group
	polled     time.Time
	stalled    time.Duration // what each of its requests to the store takes more
	late       time.Duration // after that its next request to the store arrives
	days       clockWatch
	born       time.Time            // by no clock of a machine
	polledAt   time.Time            // the same of the last poll
	saying     bool                 // its votes are on their way
	firing     map[string]time.Time // groups, since when the trigger holds for its time
	told       map[string]time.Time // groups, when a person was told last that nothing becomes of them
}

// theEngine is what the observers of all stories put their expressions to: it is dear
// to make.
var theEngine = policy.NewEngine(slog.New(slog.DiscardHandler))

func (o *observer) start() {
	w := o.w
	w.mu.Lock()
	o.alive = true
	w.mu.Unlock()
	w.tell("%s starts", o.name)
	ctx, stop := context.WithCancel(context.Background())
	l := &life{
		observer: o, stop: stop, started: o.clock.now(), changed: make(chan struct{}, 1),
		rounds: map[string][]time.Time{}, up: map[string]bool{}, lastUp: map[string]time.Time{}, born: time.Now(),
		firing: map[string]time.Time{}, told: map[string]time.Time{},
	}
	o.life.Store(l)
	l.store = w.root.Join(l.now, o.name, o.site)
	l.store.Through(way{l})
	l.history = series.New(series.Options{Retention: 5 * time.Minute, Epoch: l.now()})
	l.evaluator = policy.New(policy.Options{
		Store: l.history, Engine: theEngine, Observer: o.name, Site: o.site, Mode: replication.Auto, Now: l.now, Logger: slog.New(slog.DiscardHandler),
	})
	l.read()
	l.controller = failover.New(failover.Options{
		Observer: o.name, Site: o.site, Store: ledgers{l.store, l}, Session: session{l}, Upkeep: l.store, Lates: ledgers{l.store, l}, Rules: l, Reader: provider{l}, Senders: provider{l},
		Handbook: handbook{}, Sites: l, Operators: provider{l}, ActionTimeout: func(string) time.Duration { return actionTimeout },
		CanAct: func(string) bool { return true }, LeaseTTL: quorumtest.LeaseTTL, TrackInterval: tracked, SignatureLife: signatureLife, Settle: settle, Margin: margin,
		Now: l.now, Logger: slog.New(ear{slog.DiscardHandler, l}), Rand: func(n int64) int64 { return w.chance(o.name+" chance", n) },
		At: func(step string) { l.step(ctx, step) },
	})
	l.run(ctx, "probe", probeEvery, l.probe)
	l.run(ctx, "poll", pollEvery, l.poll)
	l.ended.Go(func() { l.decide(ctx) })
}

// load puts a file of rules onto the observer's machine, and has its daemon read it.
func (o *observer) load(file string) {
	o.w.mu.Lock()
	o.file = file
	o.w.mu.Unlock()
	o.daemon().read()
}

// read gives the evaluator the rules that the machine has, with the file's name as
// their hash.
func (l *life) read() {
	l.w.mu.Lock()
	file := l.file
	l.w.mu.Unlock()
	if err := l.evaluator.SetRules([]policy.Loaded{{Rule: *l.w.rule(file), Hash: file}}); err != nil {
		l.w.violated("the rules cannot be read: %v", err)
	}
}

// now is by the clock of its machine, which may be wrong.
func (l *life) now() time.Time { return l.clock.now() }

// crash ends this life where it stands: nothing of it has an effect any more.
func (l *life) crash(why string) {
	l.mu.Lock()
	was := l.dead
	l.dead = true
	l.mu.Unlock()
	if was {
		return
	}
	l.w.tell("%s crashes (%s)", l.name, why)
	l.w.mu.Lock()
	l.alive = false
	l.w.mu.Unlock()
	l.stop()
}

func (l *life) pause(d time.Duration, why string) {
	l.w.tell("%s is stopped for %s (%s)", l.name, d.Round(time.Millisecond), why)
	l.mu.Lock()
	defer l.mu.Unlock()
	if until := time.Now().Add(d); until.After(l.paused) {
		l.paused = until
	}
}

// step is a place where a process may be stopped or end. Ending means that the
// goroutine does, with what it has deferred.
func (l *life) step(_ context.Context, name string) {
	l.w.come(name)
	l.mu.Lock()
	var then func()
	if l.then != nil && l.at == name {
		then, l.then = l.then, nil
	}
	l.mu.Unlock()
	if then != nil {
		then()
	}
	l.w.mu.Lock()
	first := l.w.first[name]
	delete(l.w.first, name)
	l.w.mu.Unlock()
	if first != nil {
		first(l)
	}
	for {
		l.mu.Lock()
		dead, left := l.dead, time.Until(l.paused)
		l.mu.Unlock()
		switch {
		case dead:
			runtime.Goexit()
		case left <= 0:
			return
		}
		// Each goes on at a moment of its own.
		<-time.After(left + l.w.between(l.name+" goes on at "+name, time.Microsecond, 5*time.Millisecond))
	}
}

// wait is a stretch of time that ends early with ctx, at a step.
func (l *life) wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
	l.step(ctx, "")
}

// run does f again and again, each observer at moments of its own.
func (l *life) run(ctx context.Context, what string, every time.Duration, f func()) {
	l.ended.Go(func() {
		l.wait(ctx, l.w.between(l.name+what, time.Millisecond, every))
		for ctx.Err() == nil {
			f()
			l.wait(ctx, every)
		}
	})
}

func (l *life) probe() {
	now, seen := l.now(), false
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		switch {
		case seen:
			l.blindSince = time.Time{}
		case l.blindSince.IsZero():
			l.blindSince = now
		}
	}()
	for _, site := range []string{"az-a", "az-b"} {
		up := l.w.up(site) && l.w.linked(l.name, site)
		v := 0.0
		if up {
			v = 1
		}
		l.history.Append("probe "+site, now, probeEvery, []series.Sample{{
			Labels: labels.FromStrings("__name__", "drwatch_site_reachable", "site", site), Value: v,
		}})
		l.mu.Lock()
		l.rounds[site] = append(l.rounds[site][max(0, len(l.rounds[site])-4):], now)
		if up {
			l.lastUp[site] = time.Now()
			seen = true
		}
		changed := l.up[site] != up
		l.up[site] = up
		l.mu.Unlock()
		if changed {
			select {
			case l.changed <- struct{}{}:
			default:
			}
		}
	}
}

func (l *life) poll() {
	if !l.w.linked(l.name, "cloud") {
		return
	}
	now := l.now()
	var groups []replication.Group
	for _, g := range l.w.order {
		shown := g.show()
		shown.ReadAt = now
		groups = append(groups, shown)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.groups, l.polled, l.polledAt = groups, now, time.Now()
}

// decide is the daemon's own loop: a round when something happened, when a hold
// timer is up, or when it is time for one.
func (l *life) decide(ctx context.Context) {
	l.wait(ctx, l.w.between(l.name+"decide", time.Millisecond, roundEvery))
	for ctx.Err() == nil {
		_ = l.controller.Round(ctx) // an error is one more round without a decision
		pause := roundEvery
		if next, ok := l.evaluator.NextDue(l.now()); ok {
			pause = min(pause, next.Sub(l.now()))
		}
		l.until(ctx, max(pause, 20*time.Millisecond))
		l.step(ctx, "round")
		l.wait(ctx, l.w.between(l.name+"decide", 20*time.Millisecond, 21*time.Millisecond))
	}
}

// until waits for that long, or for something that a round should look at. Which
// of several comes first is chance that no seed knows of, so all are taken.
func (l *life) until(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	case <-l.changed:
	case <-l.controller.Wake():
	}
	for {
		select {
		case <-l.changed:
		case <-l.controller.Wake():
		default:
			return
		}
	}
}

// Evaluate is the daemon's, on the evidence of this observer.
func (l *life) Evaluate(ctx context.Context) (failover.Evaluation, error) {
	l.step(ctx, "evaluate")
	now := l.now()
	l.mu.Lock()
	groups, polled := l.groups, l.polled
	l.was = sight{at: time.Now(), blind: !l.blindSince.IsZero() && now.Sub(l.blindSince) > probeEvery, up: maps.Clone(l.lastUp)}
	fit := policy.Fitness{Started: l.started, Steps: l.days.look(now), Snapshots: []policy.Snapshot{{Account: "acc", ReadAt: polled, Age: time.Minute}}}
	for _, site := range []string{"az-a", "az-b"} {
		rounds := append([]time.Time(nil), l.rounds[site]...)
		fit.Loops = append(fit.Loops, policy.Loop{Name: site, Interval: probeEvery, Rounds: rounds})
		known := len(rounds) > 0 && now.Sub(rounds[len(rounds)-1]) < 2*probeEvery
		fit.Sites = append(fit.Sites, policy.SiteView{Site: site, Known: known, Up: l.up[site]})
	}
	l.mu.Unlock()
	targets := make([]policy.Target, len(groups))
	for i := range groups {
		targets[i] = policy.NewTarget(&groups[i], "az-a", "az-b", siteOf(groups[i].Active))
	}
	got := l.evaluator.Evaluate(ctx, policy.Round{At: now, Targets: targets, Fitness: fit})
	as := evidence.Observer{Mode: replication.Auto, ActionTimeout: func(string) time.Duration { return actionTimeout }, Told: l.evaluator.Told}
	out := failover.Evaluation{At: now, SiteUp: got.SiteUp, Groups: groups, AllPolled: !polled.IsZero(), Probed: map[string]bool{"az-a": true, "az-b": true}}
	for _, r := range got.Rules {
		l.noteFiring(r)
		out.Rules = append(out.Rules, as.View(r))
	}
	return out, nil
}

// noteFiring notes since when each trigger has held for its time.
func (l *life) noteFiring(r policy.RuleResult) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, t := range r.Targets {
		name := t.Target.Group.Name
		switch {
		case t.State != policy.StateFiring:
			delete(l.firing, name)
		case l.firing[name].IsZero():
			l.firing[name] = time.Now()
		}
	}
}

// saysSo: the votes in the store are those of the last evaluation.
func (l *life) saysSo() {
	l.mu.Lock()
	was := l.was
	l.mu.Unlock()
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	l.said = was
}

// ledgers is the store for what is done of many incidents at the same moment: each
// has a moment of its own.
type ledgers struct {
	*quorumtest.Store
	l *life
}

func (s ledgers) Claim(ctx context.Context, c replication.Claim) (replication.IncidentRecord, error) {
	s.l.wait(ctx, s.l.w.between(s.l.name+" claims "+c.Incident.Group, time.Microsecond, time.Millisecond))
	return s.Store.Claim(ctx, c)
}

func (s ledgers) Late(ctx context.Context, incident string) (map[int64]replication.Call, error) {
	s.l.wait(ctx, s.l.w.between(s.l.name+" goes on with "+incident, time.Microsecond, time.Millisecond))
	return s.Store.Late(ctx, incident)
}

// session is the store's, and takes down what this observer has said.
type session struct{ l *life }

func (s session) Renew(ctx context.Context) error { return s.l.store.Renew(ctx) }
func (s session) LeaseLeftIn(rev int64) time.Duration {
	return s.l.store.LeaseLeftIn(rev)
}

func (s session) Lead(ctx context.Context) (replication.Leader, bool, error) {
	return s.l.store.Lead(ctx)
}

func (l *life) setSaying(is bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.saying = is
}

func (s session) Resign(ctx context.Context) error { return s.l.store.Resign(ctx) }
func (s session) PublishVotes(ctx context.Context, votes []replication.Vote) error {
	s.l.setSaying(true)
	defer s.l.setSaying(false)
	err := s.l.store.PublishVotes(ctx, votes)
	if err == nil {
		s.l.saysSo()
	}
	return err
}

// way is the way of one life's requests to the store.
type way struct{ l *life }

var errUnserved = errors.New("the store has no majority here")

func (r way) Pass(ctx context.Context, op string) error {
	r.l.step(ctx, "store "+op)
	if op == r.l.w.off {
		return errUnserved
	}
	return r.cross(ctx, op, false)
}

func (r way) Answer(ctx context.Context, op string) error { return r.cross(ctx, op, true) }

// patience is how long an answer of the store is waited for.
const patience = 5 * time.Second

// cross takes its time, and all the time there is when nobody serves it.
func (r way) cross(ctx context.Context, op string, answer bool) error {
	r.l.mu.Lock()
	stalled, late := r.l.stalled, r.l.late
	if reads := op == "read" || op == "grant" || op == "keep alive" || op == "revoke"; reads || answer {
		late = 0
	} else {
		r.l.late = 0
	}
	r.l.mu.Unlock()
	if stalled > 0 && op != "read" { // a slow disk is slow to write
		r.l.wait(ctx, stalled)
	}
	r.l.wait(ctx, r.l.w.between(r.l.name+" store", time.Millisecond, 12*time.Millisecond))
	if r.l.w.serves(r.l.name, answer) && ctx.Err() == nil {
		if late == 0 {
			return nil
		}
		r.l.wait(ctx, patience)
		r.l.w.tell("%s of %s arrives late", op, r.l.name)
		return quorumtest.Late{After: max(late-patience, 0), Err: fmt.Errorf("%w within %s", ledger.ErrUncertain, patience)}
	}
	r.l.wait(ctx, patience)
	switch op {
	case "read", "grant", "keep alive", "revoke":
		return errUnserved
	}
	return fmt.Errorf("%w within %s: %w", ledger.ErrUncertain, patience, errUnserved)
}
