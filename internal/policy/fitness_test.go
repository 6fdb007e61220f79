package policy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/policy"
	"github.com/drwatch/drwatch/internal/replication"
)

func rounds(secs ...float64) []policy.Loop {
	l := policy.Loop{Name: "az-a/vip", Interval: step}
	for _, s := range secs {
		l.Rounds = append(l.Rounds, at(s))
	}
	return []policy.Loop{l}
}

func TestFitness(t *testing.T) {
	ref := func(ok bool, sec float64) policy.Reference {
		return policy.Reference{Name: "r", OK: ok, At: at(sec), Age: 10 * time.Second}
	}
	refs := func(rs ...policy.Reference) policy.Fitness { return policy.Fitness{References: rs} }
	sites := func(ss ...policy.SiteView) policy.Fitness { return policy.Fitness{Sites: ss} }
	up, down, dark := policy.SiteView{Known: true, Up: true}, policy.SiteView{Known: true}, policy.SiteView{Up: true}
	account := func(sec float64) policy.Snapshot { return policy.Snapshot{ReadAt: at(sec), Age: time.Minute} }
	for _, c := range []struct {
		name string
		fit  policy.Fitness
		bad  string // the condition that does not hold at 100 s for a rule of 1m
	}{
		{"nothing configured", policy.Fitness{}, ""},
		{"all well", policy.Fitness{
			Started: at(0), References: []policy.Reference{ref(true, 99)}, Loops: rounds(80, 85, 90, 95), Snapshots: []policy.Snapshot{account(90)},
			Sites: []policy.SiteView{up, down}, Suspensions: []time.Time{at(10)},
		}, ""},
		{"half of the references", refs(ref(true, 99), ref(false, 99)), ""},
		{"most of the references", refs(ref(true, 99), ref(false, 99), ref(false, 99)), policy.FitReferences},
		{"references gone old", refs(ref(true, 80), ref(true, 80)), policy.FitReferences},
		{"references never probed", refs(policy.Reference{Name: "r", OK: true, Age: time.Hour}), policy.FitReferences},
		{"a gap of twice the interval", policy.Fitness{Loops: rounds(75, 85, 90, 95)}, ""},
		{"a gap of more", policy.Fitness{Loops: rounds(74, 85, 90, 95)}, policy.FitProbes},
		{"a gap, then three rounds on time", policy.Fitness{Loops: rounds(50, 85, 90, 95, 100)}, ""},
		{"a gap, then two", policy.Fitness{Loops: rounds(50, 85, 90, 95)}, policy.FitProbes},
		{"stalled now", policy.Fitness{Loops: rounds(70, 75, 80, 85)}, policy.FitProbes},
		{"never a round", policy.Fitness{Started: at(0), Loops: rounds()}, policy.FitProbes},
		{"slept within the for", policy.Fitness{Suspensions: []time.Time{at(10), at(41)}}, policy.FitSuspended},
		{"the wall clock stepped", policy.Fitness{Steps: []time.Time{at(96)}, Loops: rounds(80, 85, 90, 95)}, policy.FitClock},
		{"the wall clock stepped, and a round since", policy.Fitness{Steps: []time.Time{at(50), at(94)}, Loops: rounds(80, 85, 90, 95)}, ""},
		{"the wall clock stepped, no probes", policy.Fitness{Steps: []time.Time{at(99.5)}}, policy.FitClock},
		{"the wall clock stepped long ago, no probes", policy.Fitness{Steps: []time.Time{at(9)}}, ""},
		{"one account stale of two", policy.Fitness{Snapshots: []policy.Snapshot{account(10), account(99)}}, ""},
		{"all accounts stale", policy.Fitness{Snapshots: []policy.Snapshot{account(10), {Age: time.Hour}}}, policy.FitData},
		{"the only probed site down", sites(down), ""},
		{"every site down", sites(down, down), policy.FitSites},
		{"no fresh word of the only site that was up", sites(down, dark), policy.FitSites},
		{"started less than one for ago", policy.Fitness{Started: at(41)}, policy.FitStarted},
		{"started one for ago", policy.Fitness{Started: at(40)}, ""},
		{"frozen from beside", policy.Fitness{Frozen: "the file FREEZE"}, policy.FitFrozen},
	} {
		t.Run(c.name, func(t *testing.T) {
			conditions := c.fit.Conditions(at(100), time.Minute)
			if len(conditions) != 8 {
				t.Errorf("%d conditions, want seven", len(conditions))
			}
			for _, got := range conditions {
				if got.OK != (got.Name != c.bad) {
					t.Errorf("%s", got)
				}
				if got.Value == "" || got.Threshold == "" {
					t.Errorf("%s says too little: %+v", got.Name, got)
				}
			}
		})
	}
}

func TestUnfitObserverHasNoGo(t *testing.T) {
	w := newWorld(t, "witness", siteRule(now))
	w.fit.Sites = []policy.SiteView{{Known: true}, {Known: true}}
	w.site(0, "az-a", 0)
	got := w.want(1, replication.Abstain)
	if !strings.Contains(got.Vote.Evidence, policy.FitSites) || got.State != policy.StateFiring {
		t.Errorf("%q, %q: want the reason, and the timer as it is", got.Vote.Evidence, got.State)
	}
	w.site(5, "az-a", 1)
	w.want(6, replication.Veto)
	w.site(10, "az-a", 0)
	w.fit.Sites = nil
	w.want(11, replication.Go)
}
