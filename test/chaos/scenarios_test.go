package chaos_test

import (
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/cloudsim"
)

// scenario is one thing that happens to three observers of their own.
type scenario struct {
	name  string
	short bool // `make test` has time for it
	plan  plan
	run   func(w *world)
}

// scenarios are all of them, the ones that tell most first.
func scenarios() []scenario {
	return []scenario{
		{"the site dies with its observer and two others agree", true, plan{}, siteDies},
		{"the link between a and b is cut while the witness sees both", true, plan{}, linkCut},
		{"every probe of one observer fails", true, plan{}, allProbesFail},
		{"one observer is isolated", true, plan{}, isolated},
		{"the leader is killed after the call has left", true, killing("sent"), killed},
		{"the leader is stopped past its lease before the call", true, stopping("intent"), paused},
		{"a leader that hung after its intent is elected again and wakes", false, hanging("intent"), wakesElected},
		{"the leader is stopped between its last look and the first byte", false, plan{groups: (*world).ebs, aLeads: true, env: stopping("first_byte").env}, pausedTooLate},
		{"only one site is left", false, plan{}, oneLeft},
		{"the leader is killed when it has claimed", false, killing("claimed"), killed},
		{"the leader is killed between intent and call", false, killing("intent"), killed},
		{"the leader is killed at the first byte", false, killing("first_byte"), killed},
		{"the leader is killed while it verifies", false, killing("verifying"), killed},
		{"a leader whose vote is needed is killed and comes back", false, plan{env: killing("intent").env}, killedAndBack},
		{"all three are paused and then the site dies", false, plan{groups: one}, allPaused},
		{"the vetoing observer restarts while the vote is counted", false, plan{groups: one, lease: "10s"}, vetoRestarts},
		{"two accounts list the same group", false, plan{groups: (*world).ebs, edit: listTwice}, siteLost},
		{"a call to DWS with unknown outcome and no proof", false, plan{groups: (*world).dws}, unknownDWS},
		{"the way of the leader to the provider is dead", false, plan{groups: one, aLeads: true}, noEgress},
		{"the endpoint of the account stands in the lost region", false, plan{groups: (*world).ebs}, endpointLost},
		{"the provider acts and cuts the connection", false, plan{}, actsAndCuts},
		{"the provider gives no answer and acts 20s later", false, plan{env: []string{"CHAOS_LIFE=60s"}}, actsLate},
		{"the site flaps around the hold time", false, plan{groups: one}, flaps},
		{"the rule file differs on one observer", false, plan{groups: one, rules: differs}, rulesDiffer},
		{"fifty groups and five at a time", false, plan{groups: fifty, rules: fiveAtATime}, fiftyGroups},
		{"the clock of an observer that votes is an hour ahead", false, plan{aLeads: true, clocks: map[string]time.Duration{obsB: time.Hour}}, siteLost},
		{"the clock of an observer that votes is an hour behind", false, plan{aLeads: true, clocks: map[string]time.Duration{obsB: -time.Hour}}, siteLost},
		{"the clock of the leader is an hour behind", false, plan{aLeads: true, clocks: map[string]time.Duration{obsA: -time.Hour}}, siteLost},
		{"the wall clock of the leader steps by an hour and back in the middle of a hold", false, plan{groups: one, aLeads: true}, clockOf(obsA, time.Hour, -time.Hour, 0)},
		{"the wall clock of an observer that votes steps by an hour and back in the middle of a hold", false, plan{groups: one, aLeads: true}, clockOf(obsB, time.Hour, -time.Hour, 0)},
		{"the wall clock of an observer that votes steps back by an hour and stays so", false, plan{groups: one, aLeads: true}, clockOf(obsW, -time.Hour)},
		{"the disk of one member is full", false, plan{groups: one, disk: obsB}, diskFull},
		{"a freeze from each observer", false, plan{groups: one, lease: "15s", edit: slow}, freezeFast},
		{"five observers and the site takes two with it", false, plan{groups: one, seats: fiveSeats(), rules: sites(3, 4)}, twoOfFive},
		{"three observers become five while the site stands lost", false, plan{groups: one, seats: apart(), first: 3, rules: sites(4, 5)}, grows},
		{"a thousand copies of the alert from three senders", false, plan{groups: one, rules: byAlert}, manyAlerts},
	}
}

func TestScenarios(t *testing.T) {
	t.Log("network of the observers:", between)
	for _, s := range scenarios() {
		if !s.short && !*long {
			continue // main tells which
		}
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, s.plan)
			w.begin()
			s.run(w)
		})
	}
}

func one(w *world) { w.sdrs(1) }

func killing(step string) plan {
	return plan{groups: one, aLeads: true, env: []string{"CHAOS_AT=" + step + " kill"}}
}

func stopping(step string) plan {
	return plan{groups: one, aLeads: true, env: []string{"CHAOS_AT=" + step + " stop"}}
}

func hanging(step string) plan {
	return plan{groups: one, aLeads: true, env: []string{"CHAOS_AT=" + step + " hang"}}
}

func siteDies(w *world) {
	w.lose(cloudsim.Loss{})
	w.observers[obsA].kill()
	w.once(120 * time.Second)
	w.eventually("the others tell that obs-a is lost", 30*time.Second, func() bool { return w.observers[obsB].notes("observer obs-a at az-a is lost") })
}

// linkCut: b sees az-a down, and a sees az-b down; the witness sees both.
func linkCut(w *world) {
	w.part(obsA, obsB)
	w.blind(obsA, azB)
	w.blind(obsB, azA)
	// With obs-a's member at the head of the store, obs-b is out of the majority and
	// says so; else its go stands there, and the vetoes of the two others.
	w.tells(w.observers[obsB], 20*time.Second, "obs-b at az-b: go", "the coordination store has no majority")
	w.never()
}

func allProbesFail(w *world) {
	for _, site := range []string{azA, azB} {
		w.blind(obsB, site)
	}
	w.tells(w.observers[obsB], 20*time.Second, "not_every_site_down")
	w.never()
}

// isolated: it is back among the others once its network is.
func isolated(w *world) {
	o := w.observers[obsB]
	others := append([]string{w.reference.URL, w.cloud.HealthURL(azA), w.cloud.HealthURL(azB)}, w.endpoints()...)
	for _, n := range []string{obsA, obsW} {
		w.part(obsB, n)
	}
	for _, url := range others {
		o.links.cut(url)
	}
	w.tells(o, 20*time.Second, "the coordination store has no majority", "the coordination store did not answer")
	w.never()
	for _, url := range others {
		o.links.mend(url)
	}
	for _, n := range []string{obsA, obsW} {
		w.join(obsB, n)
	}
	w.eventually("it vouches for itself again", 30*time.Second, o.fit)
	w.untouched()
}

// killed: the leader dies at a step with its store, and stays away.
func killed(w *world) {
	w.lose(cloudsim.Loss{})
	o := w.hit(30 * time.Second)
	before := len(w.calls(""))
	died := time.Now()
	o.kill()
	w.once(150 * time.Second)
	if calls := w.calls(""); len(calls) > before {
		w.tell("called %.1fs after the leader had died", calls[before].At.Sub(died).Seconds())
	}
}

// killedAndBack: the leader dies at a step, and its vote may be one of the two
// that are needed: it comes back as a service manager brings it back.
func killedAndBack(w *world) {
	w.lose(cloudsim.Loss{})
	o := w.hit(30 * time.Second)
	o.kill()
	o.start()
	w.once(150 * time.Second)
}

// paused: the leader stops when its intent is written and nothing was sent, as a
// machine that is suspended; another takes over and sends; the first goes on.
func paused(w *world) {
	w.lose(cloudsim.Loss{})
	old := w.hit(30 * time.Second)
	old.signal(stop)
	w.once(150 * time.Second)
	old.signal(cont)
	w.eventually("the old leader is back", 60*time.Second, old.fit)
	if n := len(w.calls("")); n != 1 {
		w.Errorf("%d calls, want the one of the new leader: %+v", n, w.calls(""))
	}
	w.count(1)
}

// wakesElected: a step of the leader hangs when its intent is written, and the
// whole observer is suspended; another takes over and sends; the first leads
// again when its step goes on.
func wakesElected(w *world) {
	w.lose(cloudsim.Loss{})
	old := w.hit(30 * time.Second)
	old.signal(stop)
	w.once(150 * time.Second)
	old.signal(cont)
	w.eventually("the old leader is back", 60*time.Second, old.fit)
	for !old.leads() { // who is elected next is chance
		for _, n := range []string{obsB, obsW} {
			w.observers[n].kill()
		}
		for _, n := range []string{obsB, obsW} {
			w.observers[n].start()
		}
		w.eventually("somebody leads", 60*time.Second, func() bool {
			return old.leads() || w.observers[obsB].leads() || w.observers[obsW].leads()
		})
	}
	write(w.T, w.wake, "")
	w.eventually("its step goes on", 10*time.Second, func() bool { _, ok := old.came("woken", w.lost); return ok })
	<-time.After(hold)
	if n := len(w.calls("")); n != 1 {
		w.Errorf("%d calls, want the one of the leader between: %+v", n, w.calls(""))
	}
	w.count(1)
}

// pausedTooLate: nothing of drwatch can keep a call back whose writer stops when
// it has looked for the last time. Here the provider knows the call as the one
// that it was sent meanwhile.
func pausedTooLate(w *world) {
	w.lose(cloudsim.Loss{})
	old := w.hit(30 * time.Second)
	old.signal(stop)
	w.once(150 * time.Second)
	old.signal(cont)
	w.eventually("the old leader is back", 60*time.Second, old.fit)
	<-time.After(hold)
	w.tell("%d calls", len(w.calls("")))
	w.count(1)
}
