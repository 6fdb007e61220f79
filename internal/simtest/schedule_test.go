package simtest_test

import (
	"cmp"
	"context"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/drwatch/drwatch/internal/policy/rulefile"
	"github.com/drwatch/drwatch/internal/quorum/quorumtest"
	"github.com/drwatch/drwatch/internal/replication"
)

const (
	healedAt = 75 * time.Second
	overAt   = 320 * time.Second
)

// play plays a plan and gives its world.
func play(t *testing.T, p plan) (w *world) {
	synctest.Test(t, func(*testing.T) {
		w = newWorld(p)
		for _, o := range w.observers {
			o.start()
		}
		for _, e := range p.events {
			time.Sleep(time.Until(w.began.Add(e.at)))
			w.happen(e)
		}
		time.Sleep(time.Until(w.began.Add(w.heals)))
		w.heal()
		w.settle(p.ends)
		w.judgeEnd()
		for _, o := range w.observers {
			o.daemon().crash("the story is over")
		}
		time.Sleep(3 * time.Minute) // whatever still waits for an answer finds its process dead
		w.faults.Wait()
	})
	return w
}

func newWorld(p plan) *world {
	w := &world{
		began: time.Now(), seed: p.seed, rng: map[string]*rand.Rand{}, down: map[string]bool{}, fell: map[string]time.Duration{}, cut: map[[2]string]int{},
		groups: map[replication.GroupKey]*group{}, first: map[string]func(*life){}, seen: map[string]bool{},
		phases: map[string]replication.Phase{}, intents: map[string]time.Duration{}, tokens: map[string]int64{}, robbed: map[string]time.Duration{}, modes: map[string]replication.Mode{}, called: map[replication.GroupKey]time.Duration{},
		heals: cmp.Or(p.heals, healedAt), off: p.off, file: usualFile, agree: agreeIn(p.crew), lags: lagsIn(p),
	}
	text := cmp.Or(p.rule, ruleText)
	w.rules = map[string]*rulefile.Rule{usualFile: mustParse(quorumFor(p.crew, text))}
	for i, change := range revisions() {
		w.rules[revised(i)] = mustParse(quorumFor(p.crew, change.Replace(text)))
	}
	w.root = quorumtest.New(time.Now, "root", "nowhere")
	w.root.Watched(w.judgeCommit)
	for i, provider := range p.providers {
		g := w.newGroup(i, provider)
		w.groups[g.key], w.order = g, append(w.order, g)
	}
	for _, at := range crewOf(p.crew) {
		o := &observer{w: w, name: at.name, site: at.site, file: usualFile}
		o.clock.step(w.skewOf(at.name, p.skew))
		w.observers = append(w.observers, o)
	}
	return w
}

// skewOf is by how much the observer's clock is wrong.
func (w *world) skewOf(name string, most time.Duration) time.Duration {
	if most == 0 {
		return 0
	}
	return w.between(name+" skew", -most, most)
}

// after does f when the time has passed, unless all is healed before.
func (w *world) after(d time.Duration, f func()) {
	if w.now()+d < w.heals {
		time.AfterFunc(d, f)
	}
}

func (w *world) happen(e event) {
	w.tell("%s", e)
	switch e.what {
	case "lose":
		w.lose(e)
	case "back": // a lost site is up again, for good or until it is lost again
		w.whenever(e, func(string) { w.comeBack(e.who) })
	case "flap":
		w.set("az-a", true)
		w.after(max(e.last, 3*time.Second), func() { w.set("az-a", w.lostAt() != 0) })
	case "crash":
		w.when(e, func(l *life) {
			w.hit(e)
			l.crash(e.step)
			w.after(e.last, l.startAgain)
		})
	case "pause":
		w.when(e, func(l *life) {
			w.hit(e)
			l.pause(e.last, e.step)
		})
	case "mischief":
		w.when(e, func(l *life) { w.mischief(l, e) })
	case "cut", "mute", "deaf", "isolate":
		w.happenToNetwork(e)
	case "shape":
		w.shape(e)
	case "step", "drift":
		w.happenToClock(e)
	case "stall", "lease", "late", "serves":
		w.happenToStore(e)
	case "rules", "roll":
		w.happenToRules(e)
	case "freeze", "abort", "ack", "operator":
		w.happenByPerson(e)
	default:
		w.happenToData(e)
	}
}

// happenToClock steps an observer's time of day, for good or for a while, or changes
// the rate of its clock.
func (w *world) happenToClock(e event) {
	w.when(e, func(l *life) {
		if e.what == "drift" {
			l.clock.drift(float64(e.n) / 1e6)
			return
		}
		by := time.Duration(e.n) * time.Millisecond
		w.tell("the clock of %s is put %s", l.name, by)
		l.clock.step(by)
		if e.last < 12*time.Second {
			w.after(e.last, func() { l.clock.step(-by) })
		}
	})
}

// happenToStore is what becomes of the store, and of what is sent to it.
func (w *world) happenToStore(e event) {
	switch e.what {
	case "serves": // its member leads the store
		w.mu.Lock()
		defer w.mu.Unlock()
		w.serving = e.who
	case "lease":
		w.rob(e.who)
	case "late": // its request arrives when nobody waits for the answer any more
		w.when(e, func(l *life) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.late = e.last
		})
	case "stall":
		o := w.observer(e.who)
		o.daemon().stall(e.last)
		w.after(max(time.Duration(e.n)*time.Second, 10*time.Second), func() { o.daemon().stall(0) })
	}
}

// happenToData is what becomes of the groups, of what the provider tells of them, and
// of what is sent to it.
func (w *world) happenToData(e event) {
	switch e.what {
	case "fate":
		g := w.order[e.n%len(w.order)]
		g.change(func() { g.fates = append(g.fates, e.fate) })
	case "slow":
		for _, g := range w.order {
			g.change(func() { g.slow = 30 * time.Second })
		}
	case "lag":
		for _, g := range w.order {
			g.change(func() { g.behind = e.last })
		}
	case "unwell": // the groups show an error, for a while or, with an n, for good
		for _, g := range w.order {
			g.sicken(e.n != 0)
			w.after(e.last, g.recover)
		}
	}
}

func (w *world) set(site string, down bool) {
	w.mu.Lock()
	was := w.down[site]
	w.down[site] = down
	if down && !was {
		w.fell[site] = w.now()
	}
	w.mu.Unlock()
	if down && !was {
		w.lastWord(site)
	}
}

// fellAt is when az-a went down last, and fellThen sets that.
func (w *world) fellAt() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.fell["az-a"]
}

func (w *world) fellThen(at time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fell["az-a"] = at
}

// lagsIn are the lags of a plan that begin while there is something to copy.
func lagsIn(p plan) (lags []event) {
	for _, e := range p.events {
		switch e.what {
		case "lag":
			lags = append(lags, e)
		case "lose":
			return lags
		}
	}
	return lags
}

// copied is up to when a standby so far behind has what production wrote. It never
// goes back: one that is a minute behind at some moment has stood still for that minute.
func (w *world) copied(behind time.Duration) time.Time {
	last := time.Now().Add(-behind)
	for _, e := range w.lags {
		if stood := w.began.Add(e.at - e.last); e.at > w.now() && stood.Before(last) {
			last = stood
		}
	}
	return last
}

// lastWord: what a site's groups have copied when it is lost is all that they have.
func (w *world) lastWord(site string) {
	for _, g := range w.order {
		g.change(func() {
			if siteOf(g.active) == site && g.state == replication.Replicating {
				g.copies()
			}
		})
	}
}

// lose takes the site away: alone, with its observers' machines, or with the ways to
// it.
func (w *world) lose(e event) {
	w.set(e.who, true)
	w.lost.Store(int64(w.now()))
	if leader := w.cluster().Leader; leader != nil {
		w.tell("%s leads", leader.Observer)
	}
	for _, o := range w.in("az-a") {
		switch e.n {
		case 1:
			o.daemon().crash("its site is lost")
		case 2:
			w.cutOff(o, 1)
		}
	}
	w.lostWays.Store(e.n == 2)
}

// cutOff cuts an observer in the lost site from the others and from the cloud.
func (w *world) cutOff(o *observer, by int) {
	for _, other := range w.in("") {
		w.sever(o.name, other.name, by)
	}
	w.sever(o.name, "cloud", by)
}

func (w *world) comeBack(site string) {
	w.set(site, false)
	w.lost.Store(0)
	for _, o := range w.in("az-a") {
		o.startAgain()
		if w.lostWays.Load() {
			w.cutOff(o, -1)
		}
	}
	w.lostWays.Store(false)
}

// rob ends an observer's lease in the store, if it has one; the observer learns of it
// at its next call.
func (w *world) rob(observer string) {
	if err := w.root.LoseLease(observer); err != nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.robbed[observer] = w.now()
}

func (l *life) stall(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stalled = d
}

func (o *observer) startAgain() {
	o.w.mu.Lock()
	alive := o.alive
	o.w.mu.Unlock()
	if !alive {
		o.start()
	}
}

// when does f to the observer of the event, now or when it comes to the step; with
// nobody named, to the one that leads, or to the first that comes to the step.
func (w *world) when(e event, f func(*life)) {
	o := w.observer(e.who)
	switch {
	case o == nil && e.step == "":
		o = w.observers[0]
		if leader := w.cluster().Leader; leader != nil {
			o = w.observer(leader.Observer)
		}
		f(o.daemon())
	case o == nil:
		w.mu.Lock()
		defer w.mu.Unlock()
		w.first[e.step] = f
	case e.step == "":
		f(o.daemon())
	default:
		l := o.daemon()
		l.mu.Lock()
		defer l.mu.Unlock()
		l.at, l.then = e.step, func() { f(l) }
	}
}

// whenever is when for what is not only an observer's.
func (w *world) whenever(e event, f func(name string)) {
	if w.observer(e.who) == nil && e.who != "" {
		if e.step == "" {
			f(e.who)
			return
		}
		e.who = "" // whoever comes to the step
	}
	w.when(e, func(l *life) { f(l.name) })
}

// heal ends all that is broken but the loss of the site.
func (w *world) heal() {
	w.tell("all is healed")
	w.mu.Lock()
	clear(w.cut)
	clear(w.first)
	w.mu.Unlock()
	w.set("az-a", w.lostAt() != 0)                            // where it was up for a moment, it has copied until now
	_ = w.root.Unfreeze(context.Background(), "sre", "go on") // it may not be frozen
	for _, g := range w.order {
		g.change(func() { g.fates = nil })
		g.recover()
	}
	for _, o := range w.observers {
		o.daemon().mu.Lock()
		o.daemon().then = nil
		o.daemon().stalled = 0
		o.daemon().late = 0
		o.daemon().paused = time.Time{}
		o.daemon().mu.Unlock()
		o.clock.drift(0)
		if o.file != w.fileNow() {
			o.load(w.fileNow())
		}
		o.startAgain()
	}
}
