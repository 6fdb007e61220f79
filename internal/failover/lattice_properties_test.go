package failover_test

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/replication"
)

// TestLatticeProperties holds every point of one and of two deviations, of all
// providers, to what must be true of any decision.
func TestLatticeProperties(t *testing.T) {
	for _, l := range lattices(t) {
		t.Run(l.name(), func(t *testing.T) {
			t.Parallel()
			alone := l.alone()
			points := slices.Concat([]point{{}}, l.singles(), short(l, "provider", "votes", "lag").pairs())
			t.Logf("%d points", len(points))
			for _, p := range points {
				s := l.at(p...)
				d := failover.Decide(s)
				for _, wrong := range slices.Concat(unexplained(s, d), l.unsteady(p, s, d), alone.otherThanAlone(p, d), guardedLess(s), loosened(s, d)) {
					t.Errorf("%s: %s", p, wrong)
				}
				if t.Failed() {
					return // one point is enough to look at
				}
			}
		})
	}
}

// TestLatticeProduct holds the whole product of the inputs that a rule's decision is
// about to what each of them does alone.
func TestLatticeProduct(t *testing.T) {
	wanted := map[string][]string{
		"votes": {"obs-b pending", "obs-b has other rules", "obs-b is silent", "obs-b may only ask", "obs-a vetoes", "nobody votes, trigger untrue"},
		"lag":   {"lag over", "lag stale: synced an hour ago", "lag absent", "lag told: NaN", "lag told: negative"}, "freeze": {"frozen"}, "latch": {"latched"},
		"provider": {`"failovered"`, `"normal" reversed`, "no preconditions told"}, "mode": {"mode dry_run", "mode approve"}, "fence": {"no fence"},
		"budgets": {"cool-down runs", "10 of 10 this hour", "3 of 3 failures", "2 of 2 slots"}, "lease": {"leads by an older election"},
	}
	for _, l := range lattices(t) {
		if l.provider != replication.AliyunEBS {
			continue
		}
		t.Run(l.name(), func(t *testing.T) {
			t.Parallel()
			var axes []axis
			found := 0
			for _, a := range l.axes {
				var values []deviation
				for _, d := range a.values {
					if slices.Contains(wanted[a.name], d.name) {
						values = append(values, d)
						found++
					}
				}
				if len(values) > 0 {
					axes = append(axes, axis{a.name, values})
				}
			}
			if found < 22 {
				t.Fatalf("only %d of the deviations are there", found)
			}
			alone, points := l.alone(), 0
			product(axes, nil, func(p point) bool {
				points++
				s := l.at(p...)
				d := failover.Decide(s)
				for _, wrong := range slices.Concat(alone.otherThanAlone(p, d), unexplained(s, d)) {
					t.Errorf("%s: %s", p, wrong)
				}
				return !t.Failed()
			})
			t.Logf("%d points", points)
		})
	}
}

// product makes every point of the axes, until f has had enough.
func product(axes []axis, p point, f func(point) bool) bool {
	if len(axes) == 0 {
		return f(p)
	}
	if !product(axes[1:], p, f) {
		return false
	}
	for _, d := range axes[0].values {
		if !product(axes[1:], append(slices.Clip(p), d), f) {
			return false
		}
	}
	return true
}

// unexplained tells where a decision is not all of its reasons: each condition there
// is, judged whatever the others say, with what would flip it.
func unexplained(s failover.Snapshot, d failover.Decision) (wrong []string) {
	want := expected(s)
	if len(d.Conditions) != len(want) {
		return []string{fmt.Sprintf("%d conditions, want %d: %v", len(d.Conditions), len(want), want)}
	}
	var no []string
	for i, c := range d.Conditions {
		if c.Name != want[i] || c.Value == "" || c.Threshold == "" {
			wrong = append(wrong, fmt.Sprintf("condition %d is %+v, want %s, with value and threshold", i, c, want[i]))
		}
		if !c.OK {
			no = append(no, c.Name)
		}
	}
	if d.Act != (len(no) == 0) {
		wrong = append(wrong, fmt.Sprintf("act %v although %v do not hold", d.Act, no))
	}
	var near []string
	for _, n := range d.Nearest {
		near = append(near, n.Condition)
		if n.Text == "" || strings.Contains(n.Text, "%!") {
			wrong = append(wrong, fmt.Sprintf("the change for %s is told as %q", n.Condition, n.Text))
		}
	}
	slices.Sort(near)
	slices.Sort(no)
	if !d.Act && !slices.Equal(near, no) || d.Act && len(near) == 0 {
		wrong = append(wrong, fmt.Sprintf("changes are told for %v, what does not hold is %v", near, no))
	}
	return wrong
}

// expected are the conditions of a decision, from what kind of one it is alone.
func expected(s failover.Snapshot) []string {
	names := []string{"quorum", "no_veto", "leader", "can_act", "fit", "not_frozen", "not_latched"}
	when := func(is bool, more ...string) {
		if is {
			names = append(names, more...)
		}
	}
	claimed := s.Claim != nil
	when(!claimed, "no_incident_open", "new_episode")
	when(claimed, "claim")
	when(true, "active_site_lost", "target_site_known", "target_site_not_down", "moves_recorded")
	when(s.Target.Group.Key.Provider == replication.HuaweiDWS, "baseline")
	when(claimed, "direction")
	for _, c := range s.Target.Group.Ready {
		names = append(names, c.Name)
	}
	when(len(s.Target.Group.Ready) == 0, "provider_ready")
	when(true, "data_age_under")
	when(s.Rule.LagUnder > 0, "lag_under")
	when(true, "cooldown", "max_per_hour", "max_failures")
	when(claimed, "max_concurrent")
	when(len(s.Rule.After) > 0, "after")
	when(true, "fence")
	for _, g := range s.Target.Guards {
		names = append(names, g.Name)
	}
	return names
}

// unsteady tells where the same snapshot, or one with its lists in another order,
// gets another answer, or is not the same afterwards.
func (l lattice) unsteady(p point, s failover.Snapshot, d failover.Decision) (wrong []string) {
	fresh := l.at(p...)
	if !reflect.DeepEqual(s, fresh) {
		wrong = append(wrong, "the decision has changed its snapshot")
	}
	slices.Reverse(fresh.Cluster.Votes)
	slices.Reverse(fresh.Cluster.Observers)
	slices.Reverse(fresh.After)
	if again := failover.Decide(fresh); !reflect.DeepEqual(d, again) {
		wrong = append(wrong, fmt.Sprintf("two answers to one snapshot:\n%+v\n%+v", d, again))
	}
	return wrong
}

// effects are the conditions that each deviation alone makes block, by its name.
type effects map[string][]string

func (l lattice) alone() effects {
	e := effects{}
	for _, p := range l.singles() {
		e[p[0].name] = blocking(failover.Decide(l.at(p...)))
	}
	return e
}

func blocking(d failover.Decision) (out []string) {
	for _, c := range d.Conditions {
		if !c.OK {
			out = append(out, c.Name)
		}
	}
	return out
}

// otherThanAlone tells where deviations together do otherwise than alone: no
// condition hides another's verdict, and none holds because another does not.
func (e effects) otherThanAlone(p point, d failover.Decision) (wrong []string) {
	got := blocking(d)
	var union, lifted []string
	for _, x := range p {
		union = append(union, e[x.name]...)
		lifted = append(lifted, x.lifts...)
	}
	for _, c := range union {
		// A condition that is not asked here is no condition that holds.
		asked := slices.ContainsFunc(d.Conditions, func(x replication.Condition) bool { return x.Name == c })
		if asked && !slices.Contains(got, c) && !slices.Contains(lifted, c) {
			wrong = append(wrong, c+" blocks alone, and not here")
		}
	}
	for _, c := range got {
		if !slices.Contains(union, c) && !slices.Contains(lifted, c) {
			wrong = append(wrong, c+" blocks here, and with none of them alone")
		}
	}
	return wrong
}

// guardedLess tells where a rehearsal would be stopped and the real thing not: what
// blocks in a mode blocks in every one above it.
func guardedLess(s failover.Snapshot) (wrong []string) {
	var below []string
	for _, m := range []replication.Mode{replication.DryRun, replication.Approve, replication.Auto} {
		s.Rule.Mode = m
		now := blocking(failover.Decide(s))
		for _, c := range below {
			if !slices.Contains(now, c) {
				wrong = append(wrong, fmt.Sprintf("%s blocks below mode %s, and not in it", c, m))
			}
		}
		below = now
	}
	return wrong
}

// loosened tells what turns a no into a yes by being taken away or aged. A no of two
// conditions is one of each too, as otherThanAlone shows: it is enough to look where
// one condition blocks.
func loosened(s failover.Snapshot, d failover.Decision) (wrong []string) {
	if len(blocking(d)) != 1 {
		return nil
	}
	for _, take := range takings() {
		less := s
		take.set(&less)
		if failover.Decide(less).Act {
			wrong = append(wrong, "it is a yes without "+take.name)
		}
	}
	for i, v := range s.Cluster.Votes {
		if v.Verdict == replication.Veto || v.TargetDown { // its writer's to withdraw
			continue
		}
		less := s
		less.Cluster.Votes = slices.Delete(slices.Clone(s.Cluster.Votes), i, i+1)
		if failover.Decide(less).Act {
			wrong = append(wrong, "it is a yes without the vote of "+v.Observer)
		}
	}
	return wrong
}

// takings take away or age what a decision is made of. They change nothing that a
// snapshot shares with its copies.
func takings() []deviation {
	heart := func(name string) deviation {
		return deviation{name: "the heart of " + name, set: func(s *failover.Snapshot) {
			s.Beating = maps.Clone(s.Beating)
			s.Beating[name] = false
		}}
	}
	return []deviation{
		heart("obs-a"), heart("obs-b"), heart("obs-w"),
		{name: "a last sync", set: func(s *failover.Snapshot) { s.Target.Group.LastSync = time.Time{} }},
		{name: "a later sync", set: func(s *failover.Snapshot) {
			if g := &s.Target.Group; !g.LastSync.IsZero() {
				g.LastSync = g.LastSync.Add(-time.Minute)
			}
		}},
		{name: "a fresh read", set: func(s *failover.Snapshot) {
			// What is from the future is no sample yet.
			if g := &s.Target.Group; !g.ReadAt.IsZero() && !g.ReadAt.After(s.Now) {
				g.ReadAt = g.ReadAt.Add(-time.Minute)
			}
		}},
		{name: "a read", set: func(s *failover.Snapshot) { s.Target.Group.ReadAt = time.Time{} }},
		{name: "a provider's clock", set: func(s *failover.Snapshot) { s.Target.Group.ProviderTime = time.Time{} }},
		{name: "a lag told", set: func(s *failover.Snapshot) { s.Target.Group.Lag = nil }},
		{name: "a moment last known good", set: func(s *failover.Snapshot) { s.Target.LastGood = time.Time{} }},
		{name: "anything of the loss", set: func(s *failover.Snapshot) { s.Target.LastGood, s.Target.Since = time.Time{}, time.Time{} }},
		{name: "preconditions", set: func(s *failover.Snapshot) { s.Target.Group.Ready = nil }},
		{name: "a direction", set: func(s *failover.Snapshot) {
			s.Target.Group.Active, s.Target.ActiveSite, s.Target.TargetSite = replication.Location{}, "", ""
		}},
		{name: "a target site", set: func(s *failover.Snapshot) { s.Target.TargetSite = "" }},
		{name: "a baseline", set: func(s *failover.Snapshot) { s.Target.Group.Baseline = "" }},
		{name: "the baseline recorded", set: func(s *failover.Snapshot) { record(s, func(r *replication.GroupRecord) { r.Baseline = "" }) }},
		{name: "guards that are known", set: func(s *failover.Snapshot) {
			s.Target.Guards = slices.Clone(s.Target.Guards)
			for i := range s.Target.Guards {
				s.Target.Guards[i].OK = false
			}
		}},
		{name: "fitness", set: func(s *failover.Snapshot) { s.Fitness = []replication.Condition{{Name: "stale"}} }},
		{name: "a leader", set: func(s *failover.Snapshot) { s.Cluster.Leader = nil }},
		{name: "what is told of the tiers before", set: func(s *failover.Snapshot) { s.After = nil }},
		{name: "an observer", set: func(s *failover.Snapshot) { s.Cluster.Observers = s.Cluster.Observers[:len(s.Cluster.Observers)-1] }},
	}
}

// TestLatticeOfVerdicts counts by itself what three and five observers say, in every
// combination: a go counts of a site that is not the active one, of an observer with
// the same rules whose heart beats; any veto blocks unless the rule does not ask.
func TestLatticeOfVerdicts(t *testing.T) {
	l := lattices(t)[0]
	for _, n := range []int{3, 5} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			for _, p := range patterns(n) {
				for agree := range 4 {
					if n == 5 && agree%2 == 1 {
						continue
					}
					s := l.at(p...)
					s.Rule.Agree, s.Rule.Of, s.Rule.VetoAny = agree, 0, agree != 3
					if n == 3 && agree == 2 {
						s.Target.ActiveSite, s.Target.TargetSite = "site-2", "az-a" // obs-2 is the one that may not speak
					}
					d := failover.Decide(s)
					said := strings.Split(p.String(), ", ")
					goes, vetoes := 0, 0
					for i, what := range said {
						switch active := i == 0 && s.Target.ActiveSite == "az-a" || i == 2 && s.Target.ActiveSite == "site-2"; {
						case what == "go" && !active:
							goes++
						case what == "veto":
							vetoes++
						}
					}
					if agree == 0 {
						agree = n/2 + 1
					}
					no := blocking(d)
					if slices.Contains(no, "quorum") != (goes < agree) || slices.Contains(no, "no_veto") != (vetoes > 0 && s.Rule.VetoAny) {
						t.Fatalf("%s, %d must agree: blocking %v; %d go, %d vetoes", p, agree, no, goes, vetoes)
					}
				}
			}
		})
	}
}
