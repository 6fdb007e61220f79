// Package exhaust_test looks at every order in which two observers that can lead may
// do what they do, within bounds: it runs the real controller and the real store
// protocol step by step, and takes each step, fault and answer that there may be next
// from each state that it comes to. It knows no state machine of its own.
package exhaust_test

import (
	"flag"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/quorum/quorumtest"
	"github.com/drwatch/drwatch/internal/replication"
)

const leaseTTL = quorumtest.LeaseTTL

var (
	full  = flag.Bool("full", false, "look at the scopes of up to two steps of time with a fault too, as make proof does")
	ever  = flag.Bool("ever", false, "look at those without a bound on time too, for hours")
	only  = flag.String("scope", "", "look at the scopes whose names match alone")
	most  = flag.Int("states", 0, "end a scope after so many states (0: look at all)")
	ends  = flag.Bool("ends", true, "follow a part of the states to their end")
	tell  = flag.Bool("tell", false, "print how far the search is")
	ahead = flag.Int("ahead", 8, "how many new states to go through at once; 0 makes each path the shortest")
)

func TestEveryInterleaving(t *testing.T) {
	wanted := regexp.MustCompile(*only)
	for _, s := range scopes() {
		if s.large && !*full || s.budget.Time == forever && !*ever || !wanted.MatchString(s.name) {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			if !*ends {
				s.progress = 1 << 40
			}
			began := time.Now()
			x := newSearch(t, s, *ahead, *most)
			x.run()
			t.Log(x.report(time.Since(began)))
			if x.found != "" {
				t.Errorf("after %d choices: %s\n%s", len(x.path)-1, x.found, strings.Join(x.path, "\n"))
			}
		})
	}
}

const (
	forever = -1
	// Of a lease of 15 seconds four are left after one step, too few for a call.
	step = 11 * time.Second
)

// scopes are what is searched. What a budget does not name does not happen.
func scopes() []scope {
	var out []scope
	for _, p := range []replication.Provider{replication.HuaweiSDRS, replication.HuaweiDWS, replication.AliyunEBS} {
		out = append(out,
			scope{name: "a moment", budget: budget{}},
			scope{name: "some time", large: true, budget: budget{Time: 2}},
			scope{name: "any time", large: true, budget: budget{Time: forever}},
			scope{name: "a crash", large: true, budget: budget{Time: 1, Crash: 1}},
			scope{name: "a crash at any time", large: true, budget: budget{Time: forever, Crash: 1}},
			scope{name: "a stop", large: true, budget: budget{Time: 1, Pause: 1}},
			scope{name: "a stop at any time", large: true, budget: budget{Time: forever, Pause: 1}},
			scope{name: "a stop and a crash", large: true, budget: budget{Time: forever, Pause: 1, Crash: 1}},
			scope{name: "a lost answer", large: true, budget: budget{Time: 1, Lost: 1}},
			scope{name: "a lost answer at any time", large: true, budget: budget{Time: forever, Lost: 1}},
			scope{name: "a freeze", large: true, budget: budget{Time: 1, Freeze: 1}},
			scope{name: "an abort", large: true, budget: budget{Time: 1, Abort: 1}},
			scope{name: "a veto", large: true, budget: budget{Time: 1, Veto: 1}},
			scope{name: "a refusal", large: true, budget: budget{Time: 1, Refuse: 1}},
		)
		out = append(out, takeOvers()...)
		if p != replication.HuaweiDWS { // nobody can keep a second call from swapping the roles back
			out = append(out, scope{name: "somebody else", large: true, budget: budget{Time: 1, Foreign: 1}})
		}
		for i := range out {
			if s := &out[i]; s.provider == "" {
				s.name, s.provider = string(p)+", "+s.name, p
			}
		}
	}
	for i := range out {
		out[i].step, out[i].settle, out[i].progress = step, step, 20
		if out[i].life == 0 {
			out[i].life = 2 * step
		}
	}
	return out
}

// takeOvers begin where the second leader is about to take over, and the first, which
// has stood still, may go on at any moment. A signature of two steps of time is dead by
// then, so that a call may be sent again at once; one of six still lives.
func takeOvers() []scope {
	var out []scope
	for what, from := range map[string]place{
		"before its look at the provider": {"looks at the provider", 1},
		"before its intent":               {"writes", 1},
		"before its call":                 {"connects", 1},
		"in its call":                     {"awaits", 1},
		"before its outcome":              {"writes", 2},
	} {
		for _, life := range []time.Duration{2 * step, 6 * step} {
			out = append(out, scope{name: fmt.Sprintf("a take-over from one that stood still %s, signature of %s", what, life), large: true, budget: budget{Time: 1}, from: from, life: life})
		}
	}
	slices.SortFunc(out, func(a, b scope) int { return strings.Compare(a.name, b.name) })
	return out
}

// TestNothingTheControllerKeepsIsLeftOut: what it keeps from round to round is part of
// a state, or has no part in what happens next.
func TestNothingTheControllerKeepsIsLeftOut(t *testing.T) {
	for field := range reflect.TypeFor[failover.Controller]().Fields() {
		if name := field.Name; !slices.Contains(kept, name) && !slices.Contains(apart, name) {
			t.Errorf("nobody knows whether %s makes two states different: it belongs to kept or to apart", name)
		}
	}
}
