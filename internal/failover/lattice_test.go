package failover_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/replication"
)

// lattice is every input of a decision that matters, with every value that matters,
// for the groups of one provider, before the claim or under it. A point of it is a
// snapshot in which all holds, with some deviations.
type lattice struct {
	provider replication.Provider
	claimed  bool
	group    replication.Group // in which all is well
	axes     []axis
}

// axis is one input: at most one of its deviations is taken.
type axis struct {
	name   string
	values []deviation
}

// deviation changes the snapshot in which all holds.
type deviation struct {
	name string
	set  func(*failover.Snapshot)
	// lifts are conditions that with this one may be otherwise than another deviation
	// makes them alone.
	lifts []string
}

// lattices are those of all providers, before the claim and under it.
func lattices(t *testing.T) (out []lattice) {
	groups := clouds(t)
	for _, p := range []replication.Provider{replication.HuaweiSDRS, replication.HuaweiEVS, replication.HuaweiDWS, replication.AliyunEBS} {
		for _, claimed := range []bool{false, true} {
			l := lattice{provider: p, claimed: claimed, group: groups[p][0].group}
			l.axes = []axis{l.votes(), l.cluster(), l.lag(), l.data(), l.clouds(groups[p][1:]), l.places(), l.store(), l.records(), l.budgets(), l.mode(), l.fence(), l.rule(), l.leadership(), l.tiers()}
			if claimed {
				l.axes = append(l.axes, l.plan())
			}
			out = append(out, l)
		}
	}
	return out
}

func (l lattice) name() string {
	if l.claimed {
		return string(l.provider) + ", under the claim"
	}
	return string(l.provider) + ", before the claim"
}

// sites are where the two sides of the group stand.
func (l lattice) sites() []replication.Site {
	return []replication.Site{{Name: "az-a", Locations: []replication.Location{l.group.Source}}, {Name: "az-b", Locations: []replication.Location{l.group.Target}}}
}

// put makes a group as read the target, with the times of the one it replaces.
func (l lattice) put(s *failover.Snapshot, g replication.Group) {
	was := s.Target.Group
	g.ReadAt, g.ProviderTime, g.LastSync, g.Lag = was.ReadAt, was.ProviderTime, was.LastSync, was.Lag
	s.Target.Group = g
	s.Target.ActiveSite, s.Target.TargetSite = replication.SiteOf(l.sites(), g.Active), replication.SiteOf(l.sites(), g.Standby())
}

// at is the snapshot with the deviations.
func (l lattice) at(ds ...deviation) failover.Snapshot {
	s := allHolds()
	s.Target.Group = replication.Group{ReadAt: t0.Add(-10 * time.Second), ProviderTime: t0.Add(-10 * time.Second)}
	if l.provider.Async() {
		s.Target.Group.LastSync = t0.Add(-200 * time.Second) // ten seconds before the loss
	}
	l.put(&s, l.group)
	s.Rule.LagUnknownAllow = true
	if !l.provider.Fences() {
		s.Rule.Fence = "accept_split_brain: test"
	}
	for i := range s.Cluster.Votes {
		s.Cluster.Votes[i].Group = l.group.Key
	}
	s.Cluster.Votes = append(s.Cluster.Votes, vote("obs-a", "az-a", replication.Abstain, l.group.Key))
	s.Cluster.Clock = 100 * time.Hour
	record(&s, func(r *replication.GroupRecord) { r.Active, r.Baseline = l.group.Active, l.group.Baseline })
	if l.claimed {
		s.Claim = &replication.IncidentRecord{Incident: replication.Incident{
			ID: "i1", Mode: replication.Auto, Slot: -1,
			Plan: replication.Plan{From: l.group.Source, To: l.group.Target, Lost: s.Target.LastGood, LostThere: s.Target.LastGood},
		}}
		record(&s, func(r *replication.GroupRecord) { r.OpenIncident = "i1" })
	}
	for _, d := range ds {
		d.set(&s)
	}
	return s
}

func vote(observer, site string, v replication.Verdict, g replication.GroupKey) replication.Vote {
	return replication.Vote{Observer: observer, Site: site, Rule: "r", RuleHash: "h", Group: g, Verdict: v, Mode: replication.Auto}
}

// record changes what the store keeps of the group.
func record(s *failover.Snapshot, f func(*replication.GroupRecord)) {
	r := s.Cluster.Groups[s.Target.Group.Key]
	f(&r)
	s.Cluster.Groups = map[replication.GroupKey]replication.GroupRecord{s.Target.Group.Key: r}
}

// votes are the verdicts of the three observers. A vote that is cast otherwise takes
// the place of the one that was.
func (l lattice) votes() axis {
	cast := func(observer string, f func(*failover.Snapshot, *replication.Vote)) func(*failover.Snapshot) {
		return func(s *failover.Snapshot) {
			for i := range s.Cluster.Votes {
				if v := &s.Cluster.Votes[i]; v.Observer == observer {
					f(s, v)
					return
				}
			}
		}
	}
	verdict := func(w replication.Verdict) func(*failover.Snapshot, *replication.Vote) {
		return func(_ *failover.Snapshot, v *replication.Vote) { v.Verdict = w }
	}
	b := func(f func(*failover.Snapshot, *replication.Vote)) func(*failover.Snapshot) {
		return cast("obs-b", f)
	}
	dead := func(s *failover.Snapshot, v *replication.Vote) { s.Beating[v.Observer] = false }
	return axis{"votes", []deviation{
		{name: "obs-b pending", set: b(verdict(replication.Pending))},
		{name: "obs-b abstains", set: b(verdict(replication.Abstain))},
		{name: "obs-b has no vote", set: b(verdict(""))},
		{name: "obs-b vetoes", set: b(verdict(replication.Veto))},
		{name: "obs-b has other rules", set: b(func(_ *failover.Snapshot, v *replication.Vote) { v.RuleHash = "old" })},
		{name: "obs-b is silent", set: b(dead)},
		{name: "obs-b may only rehearse", set: b(func(_ *failover.Snapshot, v *replication.Vote) { v.Mode = replication.DryRun }), lifts: []string{"fence"}},
		{name: "obs-b may only ask", set: b(func(_ *failover.Snapshot, v *replication.Vote) { v.Mode = replication.Approve }), lifts: []string{"fence"}},
		{name: "obs-b sees az-b down", set: b(func(_ *failover.Snapshot, v *replication.Vote) { v.TargetDown = true })},
		{name: "obs-b is at the witness", set: b(func(_ *failover.Snapshot, v *replication.Vote) { v.Site = "witness" })},
		{name: "obs-a sees az-b down, and is silent", set: cast("obs-a", func(s *failover.Snapshot, v *replication.Vote) { v.TargetDown = true; dead(s, v) })},
		{name: "obs-a vetoes", set: cast("obs-a", verdict(replication.Veto))},
		{name: "obs-a vetoed and is silent", set: cast("obs-a", func(s *failover.Snapshot, v *replication.Vote) { v.Verdict = replication.Veto; dead(s, v) })},
		{name: "obs-a vetoes another group", set: cast("obs-a", func(_ *failover.Snapshot, v *replication.Vote) { v.Verdict, v.Group.ID = replication.Veto, "other" })},
		{name: "nobody votes", set: func(s *failover.Snapshot) { s.Cluster.Votes = nil }},
		{name: "nobody votes, trigger untrue", set: func(s *failover.Snapshot) { s.Cluster.Votes, s.Target.UntrueFor = nil, time.Second }},
		{name: "trigger untrue here", set: func(s *failover.Snapshot) { s.Target.UntrueFor = time.Second }},
	}}
}

// cluster is whose votes are wanted, and whose veto.
func (l lattice) cluster() axis {
	registered := func(n int) map[string]string {
		all := map[string]string{"obs-a": "az-a", "obs-b": "az-b", "obs-w": "witness"}
		for i := len(all); i < n; i++ {
			all[fmt.Sprint("obs-", i)] = fmt.Sprint("site-", i)
		}
		return all
	}
	majority := func(n int) func(*failover.Snapshot) {
		return func(s *failover.Snapshot) {
			s.Rule.Agree, s.Rule.Of, s.Cluster.Registered = 0, 0, registered(n)
			s.Cluster.Observers = s.Cluster.Observers[1:] // obs-a is lost with its site
		}
	}
	alone := func(accepted bool) func(*failover.Snapshot) {
		return func(s *failover.Snapshot) {
			s.Rule.Agree, s.AcceptSingle, s.Cluster.Observers = 1, accepted, s.Cluster.Observers[2:]
		}
	}
	return axis{"cluster", []deviation{
		{name: "a majority of three, one of them lost", set: majority(3)},
		{name: "a majority of five, three of them lost", set: majority(5)},
		{name: "the rule asks for no veto", set: func(s *failover.Snapshot) { s.Rule.VetoAny = false }, lifts: []string{"no_veto"}},
		{name: "alone, one must agree", set: alone(false), lifts: []string{"quorum", "fence"}},
		{name: "alone, one must agree, and that is accepted", set: alone(true), lifts: []string{"quorum"}},
	}}
}

// lag is what the provider tells of the last synchronisation, and when the loss was.
func (l lattice) lag() axis {
	block := deviation{name: "lag_unknown: block", set: func(s *failover.Snapshot) { s.Rule.LagUnknownAllow = false }}
	if !l.provider.Async() { // tells none
		return axis{"lag", []deviation{block}}
	}
	synced := func(before time.Duration) func(*failover.Snapshot) {
		return func(s *failover.Snapshot) { s.Target.Group.LastSync = s.Target.LastGood.Add(-before) }
	}
	told := func(lag time.Duration) func(*failover.Snapshot) {
		return func(s *failover.Snapshot) { s.Target.Group.LastSync, s.Target.Group.Lag = time.Time{}, &lag }
	}
	// What a float that is no number becomes as a duration on most machines.
	const notANumber = time.Duration(math.MinInt64)
	return axis{"lag", []deviation{
		block,
		{name: "lag just under", set: synced(30*time.Second - 1)},
		{name: "lag at the limit", set: synced(30 * time.Second)},
		{name: "lag over", set: synced(45 * time.Second)},
		{name: "lag stale: synced an hour ago", set: synced(time.Hour)},
		{name: "lag absent", set: func(s *failover.Snapshot) { s.Target.Group.LastSync = time.Time{} }},
		{name: "lag negative: synced after the loss", set: synced(-3 * time.Second)},
		{name: "lag negative: synced after it was read", set: func(s *failover.Snapshot) { s.Target.Group.LastSync = t0.Add(time.Hour) }},
		{name: "lag told: 10s", set: told(10 * time.Second)},
		{name: "lag told: at the limit", set: told(30 * time.Second)},
		{name: "lag told: over", set: told(45 * time.Second)},
		{name: "lag told: negative", set: told(-time.Second)},
		{name: "lag told: NaN", set: told(notANumber)},
		{name: "provider's clock 10m ahead", set: func(s *failover.Snapshot) {
			s.Target.Skew = 10 * time.Minute
			if s.Claim != nil {
				s.Claim.Plan.LostThere = s.Claim.Plan.Lost.Add(10 * time.Minute)
			}
		}},
		{name: "provider's clock 10m behind", set: func(s *failover.Snapshot) { s.Target.Skew = -10 * time.Minute }},
		{name: "never seen good, true for 3m", set: func(s *failover.Snapshot) { s.Target.LastGood = time.Time{} }},
		{name: "no lag_under", set: func(s *failover.Snapshot) { s.Rule.LagUnder = 0 }},
	}}
}

func (l lattice) data() axis {
	read := func(at time.Time) func(*failover.Snapshot) {
		return func(s *failover.Snapshot) { s.Target.Group.ReadAt, s.Target.Group.ProviderTime = at, at }
	}
	return axis{"data", []deviation{
		{name: "data at the limit", set: read(t0.Add(-2 * time.Minute))},
		{name: "data too old", set: read(t0.Add(-2*time.Minute - 1))},
		{name: "data from the future", set: read(t0.Add(1)), lifts: []string{"moves_recorded"}},
		{name: "never read", set: func(s *failover.Snapshot) { // so nothing is known of it
			read(time.Time{})(s)
			s.Target.Group.LastSync, s.Target.Group.Lag = time.Time{}, nil
		}, lifts: []string{"moves_recorded"}},
	}}
}

// clouds are the group in all statuses and directions that its provider may show.
func (l lattice) clouds(reads []read) axis {
	a := axis{name: "provider"}
	for _, r := range reads {
		d := deviation{name: r.name, set: func(s *failover.Snapshot) { l.put(s, r.group) }}
		if r.group.Active.IsZero() {
			d.lifts = []string{"moves_recorded"}
		}
		a.values = append(a.values, d)
	}
	a.values = append(a.values, deviation{name: "no preconditions told", set: func(s *failover.Snapshot) { s.Target.Group.Ready = nil }})
	return a
}

// places are the names of the sites and what else tells where production is.
func (l lattice) places() axis {
	a := axis{"places", []deviation{
		{name: "no site for the target", set: func(s *failover.Snapshot) { s.Target.TargetSite = "" }},
		{name: "one site for both sides", set: func(s *failover.Snapshot) { s.Target.TargetSite = s.Target.ActiveSite }},
		{name: "the rule is about az-c", set: func(s *failover.Snapshot) { s.Rule.SiteUnreachable = "az-c" }},
		{name: "the rule is about no site", set: func(s *failover.Snapshot) { s.Rule.SiteUnreachable = "" }, lifts: []string{"active_site_lost"}},
		{name: "production moved just now", set: func(s *failover.Snapshot) {
			record(s, func(r *replication.GroupRecord) { r.Active = replication.Location{Region: "elsewhere"} })
		}},
	}}
	if l.provider == replication.HuaweiDWS {
		a.values = append(a.values,
			deviation{name: "no baseline", set: func(s *failover.Snapshot) { record(s, func(r *replication.GroupRecord) { r.Baseline = "" }) }},
			deviation{name: "another baseline", set: func(s *failover.Snapshot) { record(s, func(r *replication.GroupRecord) { r.Baseline = "old" }) }})
	}
	return a
}

func (l lattice) store() axis {
	return axis{"freeze", []deviation{{name: "frozen", set: func(s *failover.Snapshot) { s.Cluster.Freeze = &replication.Freeze{Who: "ann", Reason: "drill"} }}}}
}

// records are the latch, and what else the store keeps of the group.
func (l lattice) records() axis {
	a := axis{"latch", []deviation{
		{name: "latched", set: func(s *failover.Snapshot) {
			record(s, func(r *replication.GroupRecord) { r.Latch = &replication.Latch{Incident: "i0", Why: "failed"} })
		}},
		{name: "latched by nobody", set: func(s *failover.Snapshot) {
			record(s, func(r *replication.GroupRecord) { r.Latch = &replication.Latch{} })
		}},
		{name: "another incident is open", set: func(s *failover.Snapshot) {
			record(s, func(r *replication.GroupRecord) { r.OpenIncident = "i0" })
		}},
	}}
	episode := deviation{name: "the episode has ended", set: func(s *failover.Snapshot) {
		s.Cluster.Episodes = map[string]replication.Episode{replication.EpisodeKey("r", l.group.Key): {Incident: "i0", Phase: replication.Aborted}}
	}}
	none := deviation{name: "no incident is open", set: func(s *failover.Snapshot) { record(s, func(r *replication.GroupRecord) { r.OpenIncident = "" }) }}
	if l.claimed {
		a.values = append(a.values, none)
	} else {
		a.values = append(a.values, episode)
	}
	return a
}

// budgets are the cool-down and the limits.
func (l lattice) budgets() axis {
	acted := func(since time.Duration) func(*failover.Snapshot) {
		return func(s *failover.Snapshot) {
			record(s, func(r *replication.GroupRecord) {
				r.LastAction = &replication.LastAction{At: t0.Add(-since), Clock: s.Cluster.Clock - since}
			})
		}
	}
	started := func(n int, age time.Duration) func(*failover.Snapshot) {
		return func(s *failover.Snapshot) {
			s.Cluster.Started = map[string][]time.Duration{"r": {}}
			for range n {
				s.Cluster.Started["r"] = append(s.Cluster.Started["r"], s.Cluster.Clock-age)
			}
		}
	}
	failed := func(n int) func(*failover.Snapshot) {
		return func(s *failover.Snapshot) {
			s.Cluster.Losses = map[string]replication.SiteLoss{}
			for _, site := range []string{"", "az-a", "az-b"} {
				s.Cluster.Losses[site] = replication.SiteLoss{Failures: map[string]int{"r": n}}
			}
		}
	}
	slots := func(n, own int) func(*failover.Snapshot) {
		return func(s *failover.Snapshot) {
			s.Cluster.Slots = map[string]map[int]string{"r": {}}
			for i := range n {
				s.Cluster.Slots["r"][i] = "x"
			}
			s.Claim.Slot = own
		}
	}
	a := axis{"budgets", []deviation{
		{name: "cool-down runs", set: acted(11*time.Minute + 50*time.Second)},
		{name: "cool-down is over just now", set: acted(time.Hour)},
		{name: "cool-down from a later clock", set: acted(-time.Minute), lifts: []string{"moves_recorded"}},
		{name: "no cool-down wanted", set: func(s *failover.Snapshot) { acted(time.Second)(s); s.Rule.Cooldown = 0 }, lifts: []string{"moves_recorded"}},
		{name: "moved since, but read before", set: func(s *failover.Snapshot) {
			record(s, func(r *replication.GroupRecord) {
				r.Active, r.LastAction = replication.Location{Region: "elsewhere"}, &replication.LastAction{At: t0, Clock: s.Cluster.Clock}
			})
		}, lifts: []string{"moves_recorded"}},
		{name: "9 of 10 this hour", set: started(9, time.Minute)},
		{name: "10 of 10 this hour", set: started(10, time.Minute)},
		{name: "10 of 10, an hour ago", set: started(10, time.Hour)},
		{name: "2 of 3 failures", set: failed(2)},
		{name: "3 of 3 failures", set: failed(3)},
	}}
	if l.claimed {
		a.values = append(a.values,
			deviation{name: "1 of 2 slots", set: slots(1, -1)}, deviation{name: "2 of 2 slots", set: slots(2, -1)}, deviation{name: "2 of 2 slots, one its own", set: slots(2, 0)})
	}
	return a
}

func (l lattice) mode() axis {
	a := axis{name: "mode"}
	for _, m := range []replication.Mode{replication.DryRun, replication.Approve, "odd"} {
		a.values = append(a.values, deviation{name: fmt.Sprint("mode ", m), set: func(s *failover.Snapshot) { s.Rule.Mode = m }, lifts: []string{"fence"}})
	}
	if l.claimed {
		a.values = append(a.values, deviation{name: "claimed in mode approve", set: func(s *failover.Snapshot) { s.Claim.Mode = replication.Approve }, lifts: []string{"fence"}})
	}
	return a
}

func (l lattice) fence() axis {
	return axis{"fence", []deviation{
		{name: "no fence", set: func(s *failover.Snapshot) { s.Rule.Fence = "" }},
		{name: "fence: provider", set: func(s *failover.Snapshot) { s.Rule.Fence = "provider" }},
	}}
}

func (l lattice) rule() axis {
	guard := func(name string) func(*failover.Snapshot) {
		return func(s *failover.Snapshot) {
			s.Target.Guards = []replication.Condition{s.Target.Guards[0], {Name: name, Value: "outside", Threshold: "inside one of them"}}
		}
	}
	return axis{"guards", []deviation{
		{name: "a guard's expression is empty", set: func(s *failover.Snapshot) {
			s.Target.Guards = []replication.Condition{{Name: "expr", Value: "no sample applies", Threshold: "at least one sample"}}
		}},
		{name: "at a muted time", set: guard("mute_time_intervals")},
		{name: "unfit", set: func(s *failover.Snapshot) {
			s.Fitness = []replication.Condition{{Name: "references_reachable", Value: "1 of 3", Threshold: "most", OK: false}}
		}},
		{name: "no credentials that act", set: func(s *failover.Snapshot) { s.CanAct = false }},
	}}
}

func (l lattice) leadership() axis {
	return axis{"lease", []deviation{
		{name: "does not lead", set: func(s *failover.Snapshot) { s.Election = 0 }},
		{name: "leads by an older election", set: func(s *failover.Snapshot) { s.Election = 4 }},
		{name: "nobody was elected", set: func(s *failover.Snapshot) { s.Election, s.Cluster.Leader = 0, &replication.Leader{} }},
		{name: "the lease is gone", set: func(s *failover.Snapshot) { s.Cluster.Leader = nil }},
	}}
}

func (l lattice) tiers() axis {
	tier := func(t failover.TierState) func(*failover.Snapshot) {
		return func(s *failover.Snapshot) { s.Rule.After, s.After = []string{t.Rule}, []failover.TierState{t} }
	}
	return axis{"after", []deviation{
		{name: "the tier before is done", set: tier(failover.TierState{Rule: "data", Targets: 3, Succeeded: 3, Known: true})},
		{name: "the tier before had nothing", set: tier(failover.TierState{Rule: "data", Known: true})},
		{name: "one of the tier before is left", set: tier(failover.TierState{Rule: "data", Targets: 3, Succeeded: 2, Known: true, Left: []string{"huawei_sdrs/g2"}})},
		{name: "the tier before is not known", set: tier(failover.TierState{Rule: "data"})},
		{name: "nothing told of the tier before", set: func(s *failover.Snapshot) { s.Rule.After = []string{"data"} }},
	}}
}

// plan is what the claim has fixed.
func (l lattice) plan() axis {
	return axis{"plan", []deviation{
		{name: "planned the other way", set: func(s *failover.Snapshot) { p := &s.Claim.Plan; p.From, p.To = p.To, p.From }, lifts: []string{"direction"}},
		{name: "planned from nowhere", set: func(s *failover.Snapshot) { s.Claim.Plan.From = replication.Location{} }},
	}}
}

// point is a place in a lattice: some deviations, of different axes.
type point []deviation

func (p point) String() string {
	if len(p) == 0 {
		return "all holds"
	}
	names := make([]string, len(p))
	for i, d := range p {
		names[i] = d.name
	}
	return strings.Join(names, "; ")
}

// singles are all points of one deviation.
func (l lattice) singles() (out []point) {
	for _, a := range l.axes {
		for _, d := range a.values {
			out = append(out, point{d})
		}
	}
	return out
}

// pairs are all points of two.
func (l lattice) pairs() (out []point) {
	for i, a := range l.axes {
		for _, b := range l.axes[i+1:] {
			for _, x := range a.values {
				for _, y := range b.values {
					out = append(out, point{x, y})
				}
			}
		}
	}
	return out
}
