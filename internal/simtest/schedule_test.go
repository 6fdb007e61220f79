package simtest_test

import (
	"cmp"
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
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

var (
	names = []string{"obs-a", "obs-b", "obs-w"}
	sites = map[string]string{"obs-a": "az-a", "obs-b": "az-b", "obs-w": "witness"}
	steps = []string{
		"claimed", "read", "intent", "connect", "answered", "sent", "outcome", "verifying", "verified", "ended",
		"evaluate", "round", "store claim", "store write", "store take over", "store beat", "store lead", "store vote", "store read", "store keep alive",
	}
	// commits are where a decision has been made and is not written yet.
	commits = []string{"store claim", "store write", "read", "connect", "answered"}
	fates   = []fate{arrives, answerLost, requestLost, arrivesLate, arrivesTwice, answerLate, throttledFor}
)

// draw makes the plan of a seed.
func draw(seed uint64) plan {
	r := rand.New(rand.NewPCG(seed, 1))
	p := plan{seed: seed}
	providers := []replication.Provider{replication.HuaweiSDRS, replication.HuaweiEVS, replication.HuaweiDWS, replication.AliyunEBS}
	for range 1 + r.IntN(2) {
		p.providers = append(p.providers, providers[r.IntN(len(providers))])
	}
	upTo := func(d time.Duration) time.Duration { return time.Duration(r.Int64N(int64(d))) }
	pick := func(from []string) string { return from[r.IntN(len(from))] }
	if r.IntN(6) > 0 {
		p.events = append(p.events, event{at: 15*time.Second + upTo(10*time.Second), what: "lose", who: "az-a", n: r.IntN(3)})
	}
	for range r.IntN(7) {
		e := event{at: 10*time.Second + upTo(50*time.Second), who: pick(names), last: time.Second + upTo(25*time.Second)}
		switch r.IntN(14) {
		case 12, 13:
			e.what, e.who, e.step, e.n = "mischief", "", pick(commits), r.IntN(mischiefs)
		case 0, 1:
			e.what = "crash"
			if r.IntN(4) > 0 {
				e.step = pick(steps)
			}
		case 2, 3:
			e.what = "pause"
			if r.IntN(4) > 0 {
				e.step = pick(steps)
			}
		case 4, 5:
			e.what, e.whom = "cut", pick([]string{"obs-a", "obs-b", "obs-w", "az-a", "az-b", "cloud"})
		case 6, 7:
			e.what, e.fate, e.who = "fate", fates[r.IntN(len(fates))], ""
			e.n = r.IntN(len(p.providers))
		case 8:
			e.what, e.last = "stall", 200*time.Millisecond+upTo(3*time.Second)
		case 9:
			e.what = "lease"
		case 10:
			e.what = "rules"
		case 11:
			e.what, e.who = []string{"freeze", "abort", "slow", "flap"}[r.IntN(4)], ""
		}
		p.events = append(p.events, e)
	}
	if r.IntN(3) == 0 {
		p.rule = strings.Replace(ruleText, "cooldown: 1h", "cooldown: 1h, max_concurrent: 1", 1)
	}
	return p.in()
}

// play plays a plan and gives its world.
func play(t *testing.T, p plan) (w *world) {
	synctest.Test(t, func(*testing.T) {
		w = &world{
			began: time.Now(), seed: p.seed, rng: map[string]*rand.Rand{}, down: map[string]bool{}, cut: map[[2]string]int{},
			groups: map[replication.GroupKey]*group{}, first: map[string]func(*life){}, phases: map[string]replication.Phase{}, intents: map[string]time.Duration{}, rule: theRule, heals: cmp.Or(p.heals, healedAt), off: p.off,
		}
		if p.rule != "" {
			w.rule = mustParse(p.rule)
		}
		w.root = quorumtest.New(time.Now, "root", "nowhere")
		w.root.Watched(w.judgeCommit)
		for i, provider := range p.providers {
			g := w.newGroup(i, provider)
			w.groups[g.key], w.order = g, append(w.order, g)
		}
		for _, name := range names {
			w.observers = append(w.observers, &observer{w: w, name: name, site: sites[name], skew: w.skewOf(name, p.skew)})
		}
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
	w.tell("%s %s %s %s %s", e.what, e.who, e.whom, e.step, e.fate)
	o := w.observer(e.who)
	switch e.what {
	case "lose":
		w.lose(e)
	case "crash":
		w.atStep(o, e, func(l *life) {
			l.crash(e.step)
			w.after(e.last, l.startAgain)
		})
	case "pause":
		w.atStep(o, e, func(l *life) { l.pause(e.last, e.step) })
	case "cut":
		if e.who == e.whom {
			return
		}
		w.sever(e.who, e.whom, 1)
		w.after(e.last, func() { w.sever(e.who, e.whom, -1) })
	case "fate":
		g := w.order[e.n]
		g.change(func() { g.fates = append(g.fates, e.fate) })
	case "stall":
		o.daemon().stall(e.last)
		w.after(max(time.Duration(e.n)*time.Second, 10*time.Second), func() { o.daemon().stall(0) })
	case "lease":
		_ = w.root.LoseLease(e.who) // it may have none
	case "rules":
		o.daemon().load("other rules")
		w.after(e.last, func() { o.daemon().load("rules") })
	case "freeze":
		if err := w.root.Freeze(context.Background(), "sre", "wait"); err == nil {
			w.after(e.last, func() { _ = w.root.Unfreeze(context.Background(), "sre", "go on") })
		}
	case "abort":
		all := w.cluster().Incidents
		for _, id := range slices.Sorted(maps.Keys(all)) {
			it := all[id]
			if err := w.root.Abort(context.Background(), id, "sre", "no"); err == nil {
				w.person = true
				w.tell("%s aborted in phase %s", id, it.Phase)
			}
		}
	case "slow":
		for _, g := range w.order {
			g.change(func() { g.slow = 30 * time.Second })
		}
	case "mischief":
		w.when(e, func(l *life) { w.mischief(l, e) })
	case "flap":
		w.set("az-a", true)
		w.after(max(e.last, 3*time.Second), func() { w.set("az-a", w.lostAt != 0) })
	default:
		w.happenToData(e)
	}
}

// happenToData is what becomes of the sites' data and of their replication.
func (w *world) happenToData(e event) {
	switch e.what {
	case "back": // a lost site is up again, for good
		w.when(e, func(*life) {
			w.set(e.who, false)
			w.lostAt = 0
		})
	case "serves": // its member leads the store
		w.mu.Lock()
		defer w.mu.Unlock()
		w.serving = e.who
	case "isolate": // from the other observers, not from the cloud
		w.when(e, func(l *life) { w.isolate(l.name, e.last) })
	case "lag":
		for _, g := range w.order {
			g.change(func() { g.behind = e.last })
		}
	case "unwell": // the groups show an error, for a while
		for _, g := range w.order {
			g.mu.Lock()
			was, status := g.state, g.status
			g.state, g.status = replication.Errored, "error"
			g.mu.Unlock()
			w.after(e.last, func() { g.recover(was, status) })
		}
	}
}

func (w *world) set(site string, down bool) {
	w.mu.Lock()
	was := w.down[site]
	w.down[site] = down
	w.mu.Unlock()
	if down && !was {
		w.lastWord(site)
	}
}

// lastWord: what a site's groups have copied when it is lost is all that they have.
func (w *world) lastWord(site string) {
	for _, g := range w.order {
		g.change(func() {
			if siteOf(g.active) == site && g.state == replication.Replicating {
				g.lastSync = time.Now().Add(-g.behind)
			}
		})
	}
}

// lose takes the site away: alone, with its observer's machine, or with the ways to
// it.
func (w *world) lose(e event) {
	w.set(e.who, true)
	w.lostAt = w.now()
	for _, g := range w.order {
		g.change(func() { g.lastSync = time.Now().Add(-g.behind) })
	}
	if leader := w.cluster().Leader; leader != nil {
		w.tell("%s leads", leader.Observer)
	}
	switch e.n {
	case 1:
		w.observer("obs-a").daemon().crash("its site is lost")
	case 2:
		w.sever("obs-a", "obs-b", 1)
		w.sever("obs-a", "obs-w", 1)
		w.sever("obs-a", "cloud", 1)
	}
}

func (w *world) sever(a, b string, by int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut[link(a, b)] += by
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

// when does f now, to the observer that leads, or when the first comes to the step.
func (w *world) when(e event, f func(*life)) {
	if e.step == "" {
		o := w.observers[0]
		if leader := w.cluster().Leader; leader != nil {
			o = w.observer(leader.Observer)
		}
		f(o.daemon())
		return
	}
	w.atStep(nil, e, f)
}

func (w *world) isolate(name string, d time.Duration) {
	for _, other := range names {
		if other == name {
			continue
		}
		w.sever(name, other, 1)
		w.after(d, func() { w.sever(name, other, -1) })
	}
}

// atStep does f to the observer now, or when it comes to the step; with no observer
// named, to the first that comes there.
func (w *world) atStep(o *observer, e event, f func(*life)) {
	if o == nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.first[e.step] = f
		return
	}
	l := o.daemon()
	if e.step == "" {
		f(l)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at, l.then = e.step, func() { f(l) }
}

// heal ends all that is broken but the loss of the site.
func (w *world) heal() {
	w.tell("all is healed")
	w.mu.Lock()
	clear(w.cut)
	clear(w.first)
	w.down["az-a"] = w.lostAt != 0
	w.mu.Unlock()
	_ = w.root.Unfreeze(context.Background(), "sre", "go on") // it may not be frozen
	for _, g := range w.order {
		g.change(func() { g.fates = nil })
	}
	for _, o := range w.observers {
		o.daemon().mu.Lock()
		o.daemon().then = nil
		o.daemon().stalled = 0
		o.daemon().paused = time.Time{}
		other := o.daemon().hash != "rules"
		o.daemon().mu.Unlock()
		if other {
			o.daemon().load("rules")
		}
		o.startAgain()
	}
}

const ruleText = `
groups:
  - name: sites
    interval: 5s
    rules:
      - failover: az-a-lost
        targets: '{active_site="az-a"}'
        site_unreachable: az-a
        for: 10s
        mode: auto
        quorum: {agree: 2, of: 3, veto: any}
        fence: {accept_split_brain: "nothing writes here"}
        guards: {lag_under: 30s, lag_unknown: allow, data_age_under: 2m, cooldown: 1h, max_failures: 3}
`

var theRule = mustParse(ruleText)

func mustParse(text string) *rulefile.Rule {
	rules, problems := rulefile.Parse("rules.yml", []byte(text), rulefile.Known{NoConfig: true})
	if len(rules) != 1 {
		panic(problems)
	}
	return rules[0]
}
