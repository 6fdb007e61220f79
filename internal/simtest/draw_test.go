package simtest_test

import (
	"math/rand/v2"
	"strings"
	"time"

	"github.com/drwatch/drwatch/internal/replication"
)

// steps are all places at which a process may be stopped or end: what the controller
// names, what is done to the store, and what there is besides. TestEveryStep holds
// that these are all.
func steps() []string {
	return []string{
		"claimed", "read", "intent", "first_byte", "sent", "outcome", "verifying", "verified", "ended", "step_done",
		"read provider", "connect", "answered", "evaluate", "round",
		"store claim", "store write", "store take over", "store late", "store beat", "store lead", "store resign", "store vote", "store read",
		"store grant", "store keep alive", "store revoke", "store tick", "store group", "store episode", "store loss",
	}
}

// commits are where a decision has been made and is not written yet.
func commits() []string {
	return []string{"store claim", "store write", "read", "connect", "first_byte", "answered"}
}

// kinds are what may happen, as often as it is named.
func kinds() []string {
	return strings.Fields("mischief mischief mischief crash crash crash pause pause pause cut cut mute deaf shape " +
		"fate fate fate stall lease rules roll freeze abort ack operator slow flap step step drift late late lag unwell")
}

// hand draws what a plan is made of.
type hand struct{ *rand.Rand }

func (r hand) upTo(d time.Duration) time.Duration { return time.Duration(r.Int64N(int64(d))) }

func (r hand) pick(from []string) string { return from[r.IntN(len(from))] }

// draw makes the plan of a seed.
func draw(seed uint64) plan {
	r := hand{rand.New(rand.NewPCG(seed, 1))}
	p := plan{seed: seed}
	providers := []replication.Provider{replication.HuaweiSDRS, replication.HuaweiEVS, replication.HuaweiDWS, replication.AliyunEBS}
	for range 1 + r.IntN(2) {
		p.providers = append(p.providers, providers[r.IntN(len(providers))])
	}
	if r.IntN(10) == 0 {
		p.crew = r.pick([]string{"five sites", "two a site"})
	}
	p.events = r.loss()
	for range r.IntN(7) {
		p.events = append(p.events, r.event(p))
	}
	if r.IntN(3) == 0 {
		p.rule = strings.Replace(ruleText, "cooldown: 1h", "cooldown: 1h, max_concurrent: 1", 1)
	}
	return p.in()
}

// loss is that of the site: mostly once, sometimes never, sometimes it comes back
// and is lost again, or stays.
func (r hand) loss() []event {
	lost := event{at: 15*time.Second + r.upTo(10*time.Second), what: "lose", who: "az-a", n: r.IntN(3)}
	switch r.IntN(9) {
	case 0:
		return nil
	case 1:
		return []event{lost, {at: lost.at + 5*time.Second + r.upTo(30*time.Second), what: "back", who: "az-a"}}
	case 2:
		back := event{at: lost.at + 5*time.Second + r.upTo(20*time.Second), what: "back", who: "az-a"}
		again := event{at: back.at + time.Second + r.upTo(20*time.Second), what: "lose", who: "az-a", n: r.IntN(3)}
		return []event{lost, back, again}
	}
	return []event{lost}
}

func (r hand) event(p plan) event {
	crew := crewOf(p.crew)
	e := event{at: 10*time.Second + r.upTo(50*time.Second), who: crew[r.IntN(len(crew))].name, last: time.Second + r.upTo(25*time.Second), what: r.pick(kinds())}
	switch e.what {
	case "mischief":
		e.who, e.step, e.n = "", r.pick(commits()), r.IntN(mischiefs)
	case "crash", "pause":
		if r.IntN(4) > 0 {
			e.step = r.pick(steps())
		}
		if e.step != "" && r.IntN(2) == 0 {
			e.who = ""
		}
	case "cut", "mute", "deaf":
		e.whom = r.pick([]string{crew[r.IntN(len(crew))].name, "az-a", "az-b", "cloud", "cloud"})
		if r.IntN(3) == 0 {
			e.step = r.pick([]string{"connect", "first_byte", "answered", "intent", "store write", "store claim"})
			e.who = ""
		}
	case "shape":
		e.who, e.n = "", int(r.Uint64()&r.Uint64()&(1<<62-1))
	case "fate":
		e.who, e.n, e.fate = "", r.IntN(len(p.providers)), fates()[r.IntN(len(fates()))]
	case "stall":
		e.last = 200*time.Millisecond + r.upTo(3*time.Second)
	case "roll":
		e.who, e.n = "", r.IntN(len(revisions()))
	case "step": // there and back, or for good
		e.n = int(r.upTo(2*skewed)-skewed) / int(time.Millisecond)
		if r.IntN(2) == 0 {
			e.who, e.step = "", r.pick(append(commits(), "intent"))
		}
	case "drift":
		e.n = r.IntN(20_001) - 10_000 // parts in a million
	case "late":
		e.step, e.last = r.pick([]string{"store claim", "store write", "store beat", "store lead", "store vote", "store take over", "store resign"}), 5*time.Second+r.upTo(8*time.Second)
		if r.IntN(2) == 0 {
			e.who = ""
		}
	case "lag":
		e.last = r.upTo(time.Minute)
		e.who = ""
	case "freeze", "abort", "ack", "slow", "flap", "unwell":
		e.who = ""
	default: // lease, rules, operator: they have their observer
	}
	return e
}
