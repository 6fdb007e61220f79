package failover_test

import (
	"fmt"
	"math/rand"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/replication"
)

var (
	t0  = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	key = replication.GroupKey{Provider: replication.HuaweiSDRS, ID: "g1"}
	azA = replication.Location{Region: "cn-north-4", Zone: "cn-north-4a"}
	azB = replication.Location{Region: "cn-north-4", Zone: "cn-north-4b"}
)

// allHolds is a snapshot in which every condition holds: site az-a was lost
// three minutes ago, obs-b and obs-w agree.
func allHolds() failover.Snapshot {
	lastSync := t0.Add(-200 * time.Second)
	vote := func(observer, site string) replication.Vote {
		return replication.Vote{Observer: observer, Site: site, Rule: "r", RuleHash: "h", Group: key, Verdict: replication.Go, Since: t0.Add(-3 * time.Minute), Mode: replication.Auto}
	}
	return failover.Snapshot{
		Now: t0,
		Rule: failover.Rule{
			Name: "r", Hash: "h", Mode: replication.Auto, Action: replication.Failover, For: 3 * time.Minute,
			SiteUnreachable: "az-a", Agree: 2, Of: 3, VetoAny: true, LagUnder: 30 * time.Second,
			DataAgeUnder: 2 * time.Minute, Cooldown: time.Hour, MaxConcurrent: 2, MaxPerHour: 10, MaxFailures: 3,
		},
		Target: failover.Target{
			Group: replication.Group{
				Key: key, Name: "db-1", Source: azA, Target: azB, Active: azA, RawStatus: "protected", State: replication.Replicating,
				Ready:    []replication.Condition{{Name: "status_allows_failover", Value: "protected", Threshold: "protected", OK: true}},
				LastSync: lastSync, ReadAt: t0.Add(-10 * time.Second),
			},
			ActiveSite: "az-a", TargetSite: "az-b", State: "firing", Since: t0.Add(-3 * time.Minute), LastGood: t0.Add(-190 * time.Second),
			Guards: []replication.Condition{{Name: "expr", Value: "1 sample", Threshold: "at least one sample", OK: true}},
		},
		Fitness: []replication.Condition{{Name: "references_reachable", OK: true}},
		Cluster: replication.Cluster{
			Revision: 7, Leader: &replication.Leader{Observer: "obs-w", CreateRev: 5},
			Observers: []replication.Observer{{Name: "obs-a", Site: "az-a"}, {Name: "obs-b", Site: "az-b"}, {Name: "obs-w", Site: "witness"}},
			Votes:     []replication.Vote{vote("obs-b", "az-b"), vote("obs-w", "witness")},
		},
		Beating: map[string]bool{"obs-a": true, "obs-b": true, "obs-w": true}, Election: 5, CanAct: true,
	}
}

// TestBeingAloneForAWhileLowersNoMode: what one observer of three decides while it is
// alone goes into the incident, and the mode of an incident only goes down.
func TestBeingAloneForAWhileLowersNoMode(t *testing.T) {
	three := map[string]string{"obs-a": "az-a", "obs-b": "az-b", "obs-w": "witness"}
	for name, tc := range map[string]struct {
		agree, of  int
		registered map[string]string
		want       replication.Mode
	}{
		"two must agree":      {2, 3, three, replication.Auto},
		"one is enough":       {1, 3, three, replication.Auto},
		"a majority of all":   {0, 0, three, replication.Auto},
		"it was always alone": {1, 1, map[string]string{"obs-w": "witness"}, replication.Approve},
	} {
		s := allHolds()
		s.Rule.Agree, s.Rule.Of = tc.agree, tc.of
		s.Cluster.Registered = tc.registered
		s.Cluster.Observers = s.Cluster.Observers[2:]
		s.Beating = map[string]bool{"obs-w": true}
		s.Cluster.Votes = s.Cluster.Votes[1:]
		claimed(&s)
		if d := failover.Decide(s); d.Mode != tc.want {
			t.Errorf("%s: mode %s, want %s", name, d.Mode, tc.want)
		}
	}
}

func withRecord(s *failover.Snapshot, r replication.GroupRecord) {
	s.Cluster.Groups = map[replication.GroupKey]replication.GroupRecord{key: r}
}

func claimed(s *failover.Snapshot) {
	withRecord(s, replication.GroupRecord{OpenIncident: "i1"})
	s.Claim = &replication.IncidentRecord{Incident: replication.Incident{ID: "i1", Mode: replication.Auto, Slot: -1, Plan: replication.Plan{From: azA, To: azB}}}
}

func TestDecideActsWhenEverythingHolds(t *testing.T) {
	for name, prepare := range map[string]func(*failover.Snapshot){"before the claim": func(*failover.Snapshot) {}, "under the claim": claimed} {
		t.Run(name, func(t *testing.T) {
			s := allHolds()
			prepare(&s)
			d := failover.Decide(s)
			if !d.Act || !d.Evidence {
				t.Fatalf("act %v, evidence %v; blocking %v", d.Act, d.Evidence, d.Blocking())
			}
			if d.Mode != replication.Auto || d.RPO == nil || *d.RPO != 10*time.Second {
				t.Errorf("mode %s, RPO %v; want auto and 10s: what was lost between the last sync and the loss", d.Mode, d.RPO)
			}
		})
	}
}

// TestDecideBlocks breaks one thing at a time: exactly the named condition must
// be what blocks.
func TestDecideBlocks(t *testing.T) {
	for _, tc := range []struct {
		name    string
		change  func(*failover.Snapshot)
		blocked []string
	}{
		{"one vote of two", func(s *failover.Snapshot) { s.Cluster.Votes = s.Cluster.Votes[:1] }, []string{"quorum"}},
		{"two observers of one site count once", func(s *failover.Snapshot) { s.Cluster.Votes[1].Site = "az-b" }, []string{"quorum"}},
		{"the active site has no go", func(s *failover.Snapshot) { s.Cluster.Votes[1].Site = "az-a" }, []string{"quorum"}},
		{"another rule hash does not add up", func(s *failover.Snapshot) { s.Cluster.Votes[0].RuleHash = "old" }, []string{"quorum"}},
		{"a silent observer", func(s *failover.Snapshot) { s.Beating["obs-b"] = false }, []string{"quorum"}},
		{"pending is no go", func(s *failover.Snapshot) { s.Cluster.Votes[0].Verdict = replication.Pending }, []string{"quorum"}},
		{"abstain is no go", func(s *failover.Snapshot) { s.Cluster.Votes[0].Verdict = replication.Abstain }, []string{"quorum"}},
		{"a vote for another group", func(s *failover.Snapshot) { s.Cluster.Votes[0].Group.ID = "g2" }, []string{"quorum"}},
		{"a veto", func(s *failover.Snapshot) { veto(s, "obs-a", "az-a") }, []string{"no_veto"}},
		{"a veto outlives its writer", func(s *failover.Snapshot) { veto(s, "obs-a", "az-a"); s.Beating["obs-a"] = false }, []string{"no_veto"}},
		{"not the leader", func(s *failover.Snapshot) { s.Election = 0 }, []string{"leader"}},
		{"leader of an older election", func(s *failover.Snapshot) { s.Election = 4 }, []string{"leader"}},
		{"nobody leads", func(s *failover.Snapshot) { s.Cluster.Leader = nil }, []string{"leader"}},
		{"no action credentials", func(s *failover.Snapshot) { s.CanAct = false }, []string{"can_act"}},
		{"unfit", func(s *failover.Snapshot) { s.Fitness[0].OK = false }, []string{"fit"}},
		{"frozen", func(s *failover.Snapshot) { s.Cluster.Freeze = &replication.Freeze{Who: "sre"} }, []string{"not_frozen"}},
		{"latched", func(s *failover.Snapshot) { withRecord(s, replication.GroupRecord{Latch: &replication.Latch{}}) }, []string{"not_latched"}},
		{"an incident is open", func(s *failover.Snapshot) { withRecord(s, replication.GroupRecord{OpenIncident: "i0"}) }, []string{"no_incident_open"}},
		{"the episode has ended", func(s *failover.Snapshot) {
			s.Cluster.Episodes = map[string]replication.Episode{replication.EpisodeKey("r", key): {Incident: "i0"}}
		}, []string{"new_episode"}},
		{"production is not at the lost site", func(s *failover.Snapshot) { s.Target.ActiveSite, s.Target.TargetSite = "az-c", "az-b" }, []string{"active_site_lost"}},
		{"no site names the target", func(s *failover.Snapshot) { s.Target.TargetSite = "" }, []string{"target_site_known"}},
		{"a voter sees the target site down", func(s *failover.Snapshot) { s.Cluster.Votes[0].TargetDown = true }, []string{"target_site_not_down"}},
		{"who saw the target site down has fallen silent", func(s *failover.Snapshot) {
			veto(s, "obs-a", "az-a")
			v := &s.Cluster.Votes[2]
			v.Verdict, v.TargetDown = replication.Abstain, true
			s.Beating["obs-a"] = false
		}, []string{"target_site_not_down"}},
		{"nothing is told of the rules before", func(s *failover.Snapshot) { s.Rule.After = []string{"data"} }, []string{"after"}},
		{"the provider's status forbids it", func(s *failover.Snapshot) { s.Target.Group.Ready[0].OK = false }, []string{"status_allows_failover"}},
		{"the provider's conditions are not known", func(s *failover.Snapshot) { s.Target.Group.Ready = nil }, []string{"provider_ready"}},
		{"old data", func(s *failover.Snapshot) { s.Target.Group.ReadAt = t0.Add(-3 * time.Minute) }, []string{"data_age_under"}},
		{"data from the future", func(s *failover.Snapshot) { s.Target.Group.ReadAt = t0.Add(time.Second) }, []string{"data_age_under"}},
		{"never read", func(s *failover.Snapshot) { s.Target.Group.ReadAt = time.Time{} }, []string{"data_age_under", "lag_under"}},
		{"a last sync from the future", func(s *failover.Snapshot) { s.Target.Group.LastSync = t0.Add(time.Hour) }, []string{"lag_under"}},
		{"a move that is not taken down", func(s *failover.Snapshot) { withRecord(s, replication.GroupRecord{Active: azB}) }, []string{"moves_recorded"}},
		{"lag over the limit at the loss", func(s *failover.Snapshot) { s.Target.Group.LastSync = t0.Add(-221 * time.Second) }, []string{"lag_under"}},
		{"lag hidden by a clock that is behind the provider's", func(s *failover.Snapshot) { s.Target.Skew = 10 * time.Minute }, []string{"lag_under"}},
		{"lag at the limit", func(s *failover.Snapshot) { s.Target.Group.LastSync = t0.Add(-220 * time.Second) }, []string{"lag_under"}},
		{"lag not told", func(s *failover.Snapshot) { s.Target.Group.LastSync = time.Time{} }, []string{"lag_under"}},
		{"a lag that is less than none", func(s *failover.Snapshot) {
			lag := -time.Second
			s.Target.Group.LastSync, s.Target.Group.Lag = time.Time{}, &lag
		}, []string{"lag_under"}},
		{"lag not told by a provider that has one, though unknown is allowed", func(s *failover.Snapshot) {
			toEBS(s)
			s.Rule.Fence, s.Rule.LagUnknownAllow = "accept_split_brain: test", true
			s.Target.Group.LastSync = time.Time{}
		}, []string{"lag_under"}},
		{"cool-down", func(s *failover.Snapshot) {
			s.Cluster.Clock = time.Hour
			withRecord(s, replication.GroupRecord{LastAction: &replication.LastAction{Clock: time.Second}})
		}, []string{"cooldown"}},
		{"per hour", func(s *failover.Snapshot) {
			s.Cluster.Started = map[string][]time.Duration{"r": make([]time.Duration, 10)}
		}, []string{"max_per_hour"}},
		{"failures", func(s *failover.Snapshot) {
			s.Cluster.Losses = map[string]replication.SiteLoss{"az-a": {Failures: map[string]int{"r": 3}}}
		}, []string{"max_failures"}},
		{"no fence in mode auto", func(s *failover.Snapshot) { toEBS(s) }, []string{"fence"}},
		{"fence: provider where the provider does not", func(s *failover.Snapshot) { toEBS(s); s.Rule.Fence = "provider" }, []string{"fence"}},
		{"a guard expression", func(s *failover.Snapshot) { s.Target.Guards[0].OK = false }, []string{"expr"}},
		{"claimed by another", func(s *failover.Snapshot) { claimed(s); withRecord(s, replication.GroupRecord{OpenIncident: "i2"}) }, []string{"claim"}},
		{"another direction than planned", func(s *failover.Snapshot) { claimed(s); s.Target.Group.Active = azB }, []string{"direction"}},
		{"no free slot", func(s *failover.Snapshot) {
			claimed(s)
			s.Cluster.Slots = map[string]map[int]string{"r": {0: "x", 1: "y"}}
		}, []string{"max_concurrent"}},
		{"two things at once are both told", func(s *failover.Snapshot) { s.CanAct = false; s.Target.Guards[0].OK = false }, []string{"can_act", "expr"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := allHolds()
			tc.change(&s)
			d := failover.Decide(s)
			var names []string
			for _, c := range d.Blocking() {
				names = append(names, c.Name)
			}
			if diff := cmp.Diff(tc.blocked, names); diff != "" || d.Act {
				t.Errorf("act %v; blocking (-want +got):\n%s", d.Act, diff)
			}
		})
	}
}

func veto(s *failover.Snapshot, observer, site string) {
	s.Cluster.Votes = append(s.Cluster.Votes, replication.Vote{Observer: observer, Site: site, Rule: "r", RuleHash: "h", Group: key, Verdict: replication.Veto})
}

// toEBS makes the group one of a provider that does not fence.
func toEBS(s *failover.Snapshot) {
	k := replication.GroupKey{Provider: replication.AliyunEBS, ID: "g1"}
	s.Target.Group.Key = k
	for i := range s.Cluster.Votes {
		s.Cluster.Votes[i].Group = k
	}
}

// TestDecideCountsLostSites: a quorum does not shrink when observers are lost.
func TestDecideCountsLostSites(t *testing.T) {
	for name, tc := range map[string]struct {
		registered map[string]string
		act        bool
	}{
		"three sites, two agree":            {map[string]string{"obs-a": "az-a", "obs-b": "az-b", "obs-w": "witness"}, true},
		"five sites, two are no majority":   {map[string]string{"obs-a": "az-a", "obs-b": "az-b", "obs-w": "witness", "obs-c": "az-c", "obs-d": "az-d"}, false},
		"the two others were taken out":     {map[string]string{"obs-b": "az-b", "obs-w": "witness"}, true},
		"two observers at one site are one": {map[string]string{"obs-a": "az-a", "obs-b": "az-b", "obs-w": "witness", "obs-w2": "witness"}, true},
	} {
		s := allHolds()
		s.Rule.Agree, s.Rule.Of = 0, 0
		s.Cluster.Observers = s.Cluster.Observers[1:] // obs-a is lost with its site
		s.Cluster.Registered = tc.registered
		if d := failover.Decide(s); d.Act != tc.act {
			t.Errorf("%s: act %v, want %v: %v", name, d.Act, tc.act, d.Blocking())
		}
	}
}

func TestDecideModeIsTheLowest(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*failover.Snapshot)
		want   replication.Mode
	}{
		{"all auto", func(*failover.Snapshot) {}, replication.Auto},
		{"the rule", func(s *failover.Snapshot) { s.Rule.Mode = replication.DryRun }, replication.DryRun},
		{"a counted voter", func(s *failover.Snapshot) { s.Cluster.Votes[1].Mode = replication.Approve }, replication.Approve},
		{"the claim", func(s *failover.Snapshot) { claimed(s); s.Claim.Mode = replication.DryRun }, replication.DryRun},
		{"a lone observer", func(s *failover.Snapshot) { alone(s) }, replication.Approve},
		{"a lone observer that accepts it", func(s *failover.Snapshot) { alone(s); s.AcceptSingle = true }, replication.Auto},
		{"an unknown word", func(s *failover.Snapshot) { s.Rule.Mode = "automatic" }, replication.DryRun},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := allHolds()
			tc.change(&s)
			if got := failover.Decide(s).Mode; got != tc.want {
				t.Errorf("mode %s, want %s", got, tc.want)
			}
		})
	}
}

func alone(s *failover.Snapshot) {
	s.Rule.Agree, s.Rule.Of = 0, 0
	s.Cluster.Observers = s.Cluster.Observers[2:]
	s.Cluster.Votes = s.Cluster.Votes[1:]
}

// TestDecideEvidence: under a claim, what speaks against ends it; silence only
// holds it.
func TestDecideEvidence(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*failover.Snapshot)
		want   bool
	}{
		{"a veto", func(s *failover.Snapshot) { veto(s, "obs-a", "az-a") }, false},
		{"votes gone, trigger known untrue", func(s *failover.Snapshot) { s.Cluster.Votes = nil; s.Target.UntrueFor = time.Second }, false},
		{"votes gone in silence", func(s *failover.Snapshot) { s.Cluster.Votes = nil }, true},
		{"a guard", func(s *failover.Snapshot) { s.Target.Guards[0].OK = false }, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := allHolds()
			claimed(&s)
			tc.change(&s)
			d := failover.Decide(s)
			if d.Act || d.Evidence != tc.want {
				t.Errorf("act %v, evidence %v; want false, %v", d.Act, d.Evidence, tc.want)
			}
		})
	}
}

// TestDecideLosingDataNeverTurnsNoIntoYes: from random snapshots, taking
// something away or ageing it never makes Decide act (invariant 6).
func TestDecideLosingDataNeverTurnsNoIntoYes(t *testing.T) {
	take := map[string]func(*rand.Rand, *failover.Snapshot){
		"a vote": func(r *rand.Rand, s *failover.Snapshot) {
			if n := len(s.Cluster.Votes); n > 0 {
				i := r.Intn(n)
				if s.Cluster.Votes[i].Verdict != replication.Veto { // only its writer may withdraw a veto
					s.Cluster.Votes = slices.Delete(slices.Clone(s.Cluster.Votes), i, i+1)
				}
			}
		},
		"the last sync": func(_ *rand.Rand, s *failover.Snapshot) { s.Target.Group.LastSync = time.Time{} },
		"an older sync": func(_ *rand.Rand, s *failover.Snapshot) {
			s.Target.Group.LastSync = s.Target.Group.LastSync.Add(-time.Hour)
		},
		"the read": func(_ *rand.Rand, s *failover.Snapshot) {
			s.Target.Group.ReadAt = s.Target.Group.ReadAt.Add(-time.Hour)
		},
		"the preconditions": func(_ *rand.Rand, s *failover.Snapshot) { s.Target.Group.Ready = nil },
		"a heartbeat":       func(_ *rand.Rand, s *failover.Snapshot) { s.Beating = map[string]bool{"obs-w": s.Beating["obs-w"]} },
		"the leader":        func(_ *rand.Rand, s *failover.Snapshot) { s.Cluster.Leader = nil },
		"the target site":   func(_ *rand.Rand, s *failover.Snapshot) { s.Target.TargetSite = "" },
	}
	for seed := range int64(2000) {
		r := rand.New(rand.NewSource(seed))
		before := randomSnapshot(r)
		if failover.Decide(before).Act {
			continue
		}
		for name, f := range take {
			after := before
			f(r, &after)
			if failover.Decide(after).Act {
				t.Fatalf("seed %d: without %s the decision turned from no to yes", seed, name)
			}
		}
	}
}

func randomSnapshot(r *rand.Rand) failover.Snapshot {
	s := allHolds()
	for _, change := range []func(){
		func() { s.Cluster.Votes = s.Cluster.Votes[:1] },
		func() { veto(&s, "obs-a", "az-a") },
		func() { s.Target.Group.LastSync = t0.Add(-time.Duration(r.Intn(400)) * time.Second) },
		func() { s.Target.Group.ReadAt = t0.Add(-time.Duration(r.Intn(200)) * time.Second) },
		func() { s.Target.Group.Ready[0].OK = false },
		func() {
			toEBS(&s)
			s.Rule.Fence, s.Rule.LagUnknownAllow = "accept_split_brain: test", true
		},
		func() { s.Beating["obs-b"] = false },
		func() { s.Rule.Agree = 1 },
	} {
		if r.Intn(4) == 0 {
			change()
		}
	}
	return s
}

func TestDecideIsDeterministic(t *testing.T) {
	for seed := range int64(200) {
		s := randomSnapshot(rand.New(rand.NewSource(seed)))
		first := fmt.Sprintf("%+v", failover.Decide(s).Conditions)
		for range 5 {
			if again := fmt.Sprintf("%+v", failover.Decide(s).Conditions); again != first {
				t.Fatalf("seed %d: two answers to one snapshot:\n%s\n%s", seed, first, again)
			}
		}
	}
}
