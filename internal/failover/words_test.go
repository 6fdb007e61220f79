package failover_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/replication"
)

var writeWords = flag.Bool("write-words", false, "write testdata/decisions.golden anew")

// situations are snapshots that differ from one in which all holds, each by little:
// one on each side of each border that a decision has.
var situations = []struct {
	name   string
	change func(*failover.Snapshot)
}{
	// Who agrees.
	{"a majority of the sites registered", func(s *failover.Snapshot) {
		s.Rule.Agree, s.Rule.Of = 0, 0
		s.Cluster.Registered = map[string]string{"obs-a": "az-a", "obs-b": "az-b", "obs-w": "witness", "obs-x": "az-x"}
	}},
	{"a majority of five", func(s *failover.Snapshot) { s.Rule.Agree, s.Rule.Of = 0, 5 }},
	{"a majority of two", func(s *failover.Snapshot) { s.Rule.Agree, s.Rule.Of = 0, 2 }},
	{"nobody needs to agree", func(s *failover.Snapshot) { s.Rule.Agree = -1 }},
	{"one must agree", func(s *failover.Snapshot) { s.Rule.Agree = 1 }},
	{"three must agree", func(s *failover.Snapshot) { s.Rule.Agree = 3 }},
	{"five must agree", func(s *failover.Snapshot) { s.Rule.Agree = 5 }},
	{"no votes", func(s *failover.Snapshot) { s.Cluster.Votes = nil }},
	{"no votes, of an untrue trigger", func(s *failover.Snapshot) { s.Cluster.Votes, s.Target.UntrueFor = nil, 1 }},
	{"one vote", func(s *failover.Snapshot) { s.Cluster.Votes = s.Cluster.Votes[1:] }},
	{"a vote of another rule file", func(s *failover.Snapshot) { s.Cluster.Votes[1].RuleHash = "old" }},
	{"a veto of another rule file", func(s *failover.Snapshot) { veto(s, "obs-a", "az-a"); s.Cluster.Votes[2].RuleHash = "old" }},
	{"two votes of another rule file", func(s *failover.Snapshot) {
		s.Cluster.Votes[0].RuleHash, s.Cluster.Votes[1].RuleHash = "old", "older"
	}},
	{"a silent voter", func(s *failover.Snapshot) { s.Beating["obs-w"] = false }},
	{"a voter that nobody knows", func(s *failover.Snapshot) { delete(s.Beating, "obs-w") }},
	{"a vote on another rule", func(s *failover.Snapshot) { s.Cluster.Votes[0].Rule = "r2" }},
	{"a vote on another group", func(s *failover.Snapshot) { s.Cluster.Votes[0].Group.ID = "g2" }},
	{"a vote from the active site", func(s *failover.Snapshot) { s.Cluster.Votes[0].Site = "az-a" }},
	{"two votes from a site, the later by name first", func(s *failover.Snapshot) {
		other := s.Cluster.Votes[0]
		other.Observer, other.Mode = "obs-z", replication.Approve
		s.Beating["obs-z"] = true
		s.Cluster.Votes = append([]replication.Vote{other}, s.Cluster.Votes...)
	}},
	{"two votes from a site, the later by name last", func(s *failover.Snapshot) {
		other := s.Cluster.Votes[0]
		other.Observer, other.Mode = "obs-z", replication.Approve
		s.Beating["obs-z"] = true
		s.Cluster.Votes = append(s.Cluster.Votes, other)
	}},
	{"votes whose sites are in another order than their names", func(s *failover.Snapshot) {
		s.Cluster.Votes[0].Site, s.Cluster.Votes[1].Site = "az-z", "az-c"
	}},
	{"a voter that would ask", func(s *failover.Snapshot) { s.Cluster.Votes[1].Mode = replication.Approve }},
	{"a rule that rehearses", func(s *failover.Snapshot) { s.Rule.Mode = replication.DryRun }},
	{"a claim that asks", func(s *failover.Snapshot) { claimed(s); s.Claim.Mode = replication.Approve }},
	{"a lone observer", func(s *failover.Snapshot) { s.Rule.Agree, s.Cluster.Observers = 1, s.Cluster.Observers[2:] }},
	{"a lone observer that may", func(s *failover.Snapshot) {
		s.Rule.Agree, s.Cluster.Observers, s.AcceptSingle = 1, s.Cluster.Observers[2:], true
	}},
	{"alone of two that are registered", func(s *failover.Snapshot) {
		s.Rule.Agree, s.Cluster.Observers = 1, s.Cluster.Observers[2:]
		s.Cluster.Registered = map[string]string{"obs-w": "witness", "obs-b": "az-b"}
	}},
	{"a veto", func(s *failover.Snapshot) { veto(s, "obs-a", "az-a") }},
	{"a veto of a silent observer", func(s *failover.Snapshot) { veto(s, "obs-a", "az-a"); s.Beating["obs-a"] = false }},
	{"vetoes of three, one of them twice", func(s *failover.Snapshot) {
		veto(s, "obs-w", "witness")
		veto(s, "obs-b", "az-b")
		veto(s, "obs-a", "az-a")
		veto(s, "obs-b", "az-b")
	}},
	{"a veto that nobody asks for", func(s *failover.Snapshot) { s.Rule.VetoAny = false; veto(s, "obs-a", "az-a") }},
	{"no veto, and nobody asks for one", func(s *failover.Snapshot) { s.Rule.VetoAny = false }},

	// Whether this observer may.
	{"another leads", func(s *failover.Snapshot) { s.Cluster.Leader = &replication.Leader{Observer: "obs-b", CreateRev: 9} }},
	{"somebody without a name leads", func(s *failover.Snapshot) { s.Cluster.Leader = &replication.Leader{CreateRev: 9} }},
	{"nobody leads", func(s *failover.Snapshot) { s.Cluster.Leader, s.Election = nil, 0 }},
	{"no election, and a leader key of revision 0", func(s *failover.Snapshot) { s.Cluster.Leader.CreateRev, s.Election = 0, 0 }},
	{"no credentials", func(s *failover.Snapshot) { s.CanAct = false }},
	{"unfit for two reasons", func(s *failover.Snapshot) {
		s.Fitness = []replication.Condition{{Name: "clock", Value: "3s off"}, {Name: "started", Value: "long ago", OK: true}, {Name: "probes", Value: "late"}}
	}},
	{"unfit for three reasons", func(s *failover.Snapshot) {
		s.Fitness = []replication.Condition{{Name: "clock"}, {Name: "probes"}, {Name: "store"}}
	}},
	{"frozen", func(s *failover.Snapshot) { s.Cluster.Freeze = &replication.Freeze{Who: "ann", Reason: "drill"} }},
	{"frozen, and unfit for another reason", func(s *failover.Snapshot) {
		s.Cluster.Freeze, s.Fitness[0].OK = &replication.Freeze{Who: "ann", Reason: "drill"}, false
	}},
	{"frozen, and no file freezes here", func(s *failover.Snapshot) {
		s.Cluster.Freeze = &replication.Freeze{Who: "ann", Reason: "drill"}
		s.Fitness[0] = replication.Condition{Name: "local_freeze", OK: true}
	}},
	{"latched", func(s *failover.Snapshot) {
		withRecord(s, replication.GroupRecord{Latch: &replication.Latch{Incident: "i7", Why: "it failed"}})
	}},
	{"latched by no incident", func(s *failover.Snapshot) {
		withRecord(s, replication.GroupRecord{Latch: &replication.Latch{Why: "by hand"}})
	}},
	{"an incident is open", func(s *failover.Snapshot) { withRecord(s, replication.GroupRecord{OpenIncident: "i0"}) }},
	{"an incident has ended in the episode", func(s *failover.Snapshot) {
		s.Cluster.Episodes = map[string]replication.Episode{replication.EpisodeKey("r", key): {Incident: "i0", Phase: replication.Aborted}}
	}},
	{"and the trigger was untrue for a part of its time", func(s *failover.Snapshot) {
		s.Target.UntrueFor = 45 * time.Second
		s.Cluster.Episodes = map[string]replication.Episode{replication.EpisodeKey("r", key): {Incident: "i0", Phase: replication.Aborted}}
	}},
	{"and for longer", func(s *failover.Snapshot) {
		s.Target.UntrueFor = 4 * time.Minute
		s.Cluster.Episodes = map[string]replication.Episode{replication.EpisodeKey("r", key): {Incident: "i0", Phase: replication.Aborted}}
	}},
	{"claimed", claimed},
	{"claimed by another", func(s *failover.Snapshot) { claimed(s); withRecord(s, replication.GroupRecord{OpenIncident: "i2"}) }},
	{"claimed by nobody", func(s *failover.Snapshot) { claimed(s); withRecord(s, replication.GroupRecord{}) }},

	// Which way.
	{"a free expression", func(s *failover.Snapshot) { s.Rule.SiteUnreachable = "" }},
	{"a free expression, and production is nowhere", func(s *failover.Snapshot) { s.Rule.SiteUnreachable, s.Target.ActiveSite = "", "" }},
	{"production is elsewhere", func(s *failover.Snapshot) { s.Target.ActiveSite = "az-c" }},
	{"production is where it would go", func(s *failover.Snapshot) { s.Target.TargetSite = "az-a" }},
	{"nobody knows where it would go", func(s *failover.Snapshot) { s.Target.TargetSite = "" }},
	{"a voter sees the other side down", func(s *failover.Snapshot) { s.Cluster.Votes[1].TargetDown = true }},
	{"two see it down, one by two votes", func(s *failover.Snapshot) {
		s.Cluster.Votes[0].TargetDown, s.Cluster.Votes[1].TargetDown = true, true
		s.Cluster.Votes = append(s.Cluster.Votes, s.Cluster.Votes[1])
		s.Cluster.Votes[2].Verdict = replication.Veto
	}},
	{"the other side of another rule's group is down", func(s *failover.Snapshot) {
		veto(s, "obs-a", "az-a")
		s.Cluster.Votes[2].TargetDown, s.Cluster.Votes[2].Rule = true, "r2"
	}},
	{"the other side of another group is down", func(s *failover.Snapshot) {
		veto(s, "obs-a", "az-a")
		s.Cluster.Votes[2].TargetDown, s.Cluster.Votes[2].Group.ID = true, "g2"
	}},
	{"a warehouse as it was taken down", func(s *failover.Snapshot) { toDWS(s, "a>b", "a>b") }},
	{"a warehouse of which nothing was taken down", func(s *failover.Snapshot) { toDWS(s, "", "a>b") }},
	{"a warehouse of which nothing is known at all", func(s *failover.Snapshot) { toDWS(s, "", "") }},
	{"a warehouse with other clusters", func(s *failover.Snapshot) { toDWS(s, "a>b", "a>c") }},
	{"claimed, and production has moved", func(s *failover.Snapshot) { claimed(s); s.Target.Group.Active = azB }},
	{"claimed, and the other side is another", func(s *failover.Snapshot) {
		claimed(s)
		s.Target.Group.Target = replication.Location{Region: "cn-north-9"}
	}},
	{"claimed, of a plan that goes nowhere", func(s *failover.Snapshot) {
		claimed(s)
		s.Claim.Plan.From, s.Claim.Plan.To = replication.Location{}, replication.Location{}
	}},
	{"a move that nobody has taken down", func(s *failover.Snapshot) { withRecord(s, replication.GroupRecord{Active: azB}) }},
	{"where production was is as it is", func(s *failover.Snapshot) { withRecord(s, replication.GroupRecord{Active: azA}) }},
	{"the provider does not tell where production is", func(s *failover.Snapshot) {
		withRecord(s, replication.GroupRecord{Active: azB})
		s.Target.Group.Active = replication.Location{}
	}},
	{"a move, read before the last failover", func(s *failover.Snapshot) { movedSince(s, time.Second) }},
	{"a move, read as the last failover ended", func(s *failover.Snapshot) { movedSince(s, 0) }},
	{"a move, read after the last failover", func(s *failover.Snapshot) { movedSince(s, -time.Second) }},

	// What is known of the data.
	{"the provider's conditions are not known", func(s *failover.Snapshot) { s.Target.Group.Ready = nil }},
	{"the provider says no", func(s *failover.Snapshot) {
		s.Target.Group.Ready[0].OK, s.Target.Group.Ready[0].Value = false, "syncing"
	}},
	{"a guard says no", func(s *failover.Snapshot) { s.Target.Guards[0].OK, s.Target.Guards[0].Value = false, "no sample" }},
	{"never read", func(s *failover.Snapshot) { s.Target.Group.ReadAt = time.Time{} }},
	{"read this moment", func(s *failover.Snapshot) { s.Target.Group.ReadAt = t0 }},
	{"read in a moment", func(s *failover.Snapshot) { s.Target.Group.ReadAt = t0.Add(1) }},
	{"read as long ago as it may be", func(s *failover.Snapshot) { s.Target.Group.ReadAt = t0.Add(-2 * time.Minute) }},
	{"read longer ago than it may be", func(s *failover.Snapshot) { s.Target.Group.ReadAt = t0.Add(-2*time.Minute - 1500*time.Microsecond) }},
	{"data may not be older than none", func(s *failover.Snapshot) { s.Rule.DataAgeUnder = 0 }},
	{"a limit of a moment for the loss", func(s *failover.Snapshot) { s.Rule.LagUnder = 1 }},
	{"no limit for the loss", func(s *failover.Snapshot) { s.Rule.LagUnder = 0 }},
	{"a loss under the limit", func(s *failover.Snapshot) { s.Target.Group.LastSync = s.Target.LastGood.Add(-30*time.Second + 1) }},
	{"a loss at the limit", func(s *failover.Snapshot) { s.Target.Group.LastSync = s.Target.LastGood.Add(-30 * time.Second) }},
	{"a loss of none", func(s *failover.Snapshot) { s.Target.Group.LastSync = s.Target.LastGood.Add(time.Second) }},
	{"the lag is told, not the last synchronisation", func(s *failover.Snapshot) { lagOf(s, 12300*time.Millisecond) }},
	{"no lag", func(s *failover.Snapshot) { lagOf(s, 0) }},
	{"less than no lag", func(s *failover.Snapshot) { lagOf(s, -1) }},
	{"no lag is told, and the rule allows that", func(s *failover.Snapshot) { s.Target.Group.LastSync, s.Rule.LagUnknownAllow = time.Time{}, true }},
	{"no lag is told, and the rule does not allow that", func(s *failover.Snapshot) { s.Target.Group.LastSync = time.Time{} }},
	{"no lag is told by one that has it", func(s *failover.Snapshot) {
		toEBS(s)
		s.Rule.Fence, s.Rule.LagUnknownAllow = "accept_split_brain: test", true
		s.Target.Group.LastSync = time.Time{}
	}},
	{"synchronised after the read, as clocks differ", func(s *failover.Snapshot) { s.Target.Group.LastSync = s.Target.Group.ReadAt.Add(5 * time.Second) }},
	{"synchronised after the read, as clocks do not", func(s *failover.Snapshot) { s.Target.Group.LastSync = s.Target.Group.ReadAt.Add(5*time.Second + 1) }},
	{"synchronised after the read, by the provider's clock before", func(s *failover.Snapshot) {
		s.Target.Group.LastSync, s.Target.Group.ProviderTime = t0.Add(time.Minute), t0.Add(time.Minute)
	}},
	{"synchronised after the read, by the provider's clock before that", func(s *failover.Snapshot) {
		s.Target.Group.LastSync, s.Target.Group.ProviderTime = s.Target.Group.ReadAt.Add(4*time.Second), t0.Add(-time.Hour)
	}},
	{"the provider's clock is ahead by what clocks differ", func(s *failover.Snapshot) { s.Target.Skew = 5 * time.Second }},
	{"the provider's clock is ahead", func(s *failover.Snapshot) { s.Target.Skew = 5*time.Second + 1 }},
	{"the provider's clock is behind", func(s *failover.Snapshot) { s.Target.Skew = -time.Minute }},
	{"the trigger was never false here", func(s *failover.Snapshot) { s.Target.LastGood = time.Time{} }},
	{"nothing is known of the trigger", func(s *failover.Snapshot) { s.Target.LastGood, s.Target.Since = time.Time{}, time.Time{} }},
	{"nothing is known of the trigger, and the provider's clock is ahead", func(s *failover.Snapshot) {
		s.Target.LastGood, s.Target.Since, s.Target.Skew = time.Time{}, time.Time{}, time.Minute
	}},
	{"claimed, with the loss in the plan", func(s *failover.Snapshot) {
		claimed(s)
		s.Claim.Plan.Lost, s.Claim.Plan.LostThere, s.Target.Skew = t0.Add(-185*time.Second), t0.Add(-182*time.Second), time.Minute
	}},
	{"claimed, with the loss by one clock in the plan", func(s *failover.Snapshot) {
		claimed(s)
		s.Claim.Plan.Lost, s.Target.Skew = t0.Add(-185*time.Second), 6*time.Second
	}},

	// How much.
	{"the first failover of the group", func(s *failover.Snapshot) { s.Cluster.Clock = time.Minute }},
	{"the cool-down has just ended", func(s *failover.Snapshot) { lastActed(s, time.Hour) }},
	{"the cool-down has a moment left", func(s *failover.Snapshot) { lastActed(s, time.Hour-1) }},
	{"the cool-down has half an hour left", func(s *failover.Snapshot) { lastActed(s, 30*time.Minute) }},
	{"the cool-down has a minute and a half left, and a little", func(s *failover.Snapshot) { lastActed(s, time.Hour-90*time.Second-400*time.Millisecond) }},
	{"no cool-down", func(s *failover.Snapshot) { lastActed(s, 0); s.Rule.Cooldown = 0 }},
	{"a cool-down of less than none", func(s *failover.Snapshot) { lastActed(s, -time.Minute); s.Rule.Cooldown = -1 }},
	{"a cool-down of a moment", func(s *failover.Snapshot) { lastActed(s, 0); s.Rule.Cooldown = 1 }},
	{"a cool-down of an hour and a half", func(s *failover.Snapshot) { lastActed(s, 100*time.Second); s.Rule.Cooldown = 90 * time.Minute }},
	{"a cool-down of under a minute", func(s *failover.Snapshot) { lastActed(s, 0); s.Rule.Cooldown = 59999 * time.Millisecond }},
	{"a cool-down of a minute", func(s *failover.Snapshot) { lastActed(s, 0); s.Rule.Cooldown = time.Minute }},
	{"a cool-down of ten minutes and ten seconds", func(s *failover.Snapshot) { lastActed(s, 0); s.Rule.Cooldown = 610 * time.Second }},
	{"a last failover in the future", func(s *failover.Snapshot) { lastActed(s, -time.Minute) }},
	{"no limit per hour", func(s *failover.Snapshot) {
		s.Rule.MaxPerHour = 0
		s.Cluster.Started = map[string][]time.Duration{"r": make([]time.Duration, 10)}
	}},
	{"one less than the limit per hour", func(s *failover.Snapshot) { startedAgo(s, 2, 0) }},
	{"the limit per hour", func(s *failover.Snapshot) { startedAgo(s, 2, 10*time.Minute, 0) }},
	{"over the limit per hour", func(s *failover.Snapshot) {
		startedAgo(s, 2, 10*time.Minute, 0, 50*time.Minute, time.Hour, time.Hour-1)
	}},
	{"a limit of one per hour", func(s *failover.Snapshot) { startedAgo(s, 1, 59*time.Minute, 10*time.Minute) }},
	{"one failure less than allowed", func(s *failover.Snapshot) { failures(s, 2) }},
	{"as many failures as allowed", func(s *failover.Snapshot) { failures(s, 3) }},
	{"more failures than allowed", func(s *failover.Snapshot) { failures(s, 5) }},
	{"failures, and production is nowhere", func(s *failover.Snapshot) {
		s.Target.ActiveSite = ""
		s.Cluster.Losses = map[string]replication.SiteLoss{"": {Failures: map[string]int{"r": 3}}}
	}},
	{"no failure is allowed", func(s *failover.Snapshot) { s.Rule.MaxFailures = 0 }},
	{"claimed, with a slot free", func(s *failover.Snapshot) { claimed(s); taken(s, 1) }},
	{"claimed, with no slot free", func(s *failover.Snapshot) { claimed(s); taken(s, 2) }},
	{"claimed, with fewer slots than are taken", func(s *failover.Snapshot) { claimed(s); taken(s, 4) }},
	{"claimed, with slot 0 its own", func(s *failover.Snapshot) { claimed(s); taken(s, 2); s.Claim.Slot = 0 }},

	// What is smaller comes first.
	{"half a quorum, unfit for two reasons, a loss of two limits and a half", func(s *failover.Snapshot) {
		s.Cluster.Votes = s.Cluster.Votes[1:]
		s.Fitness = []replication.Condition{{Name: "clock"}, {Name: "probes"}}
		s.Target.Group.LastSync = s.Target.LastGood.Add(-75 * time.Second)
	}},
	{"half a quorum, two who see the other side down, a loss of two limits and a half", func(s *failover.Snapshot) {
		s.Cluster.Votes[1].TargetDown = true
		veto(s, "obs-a", "az-a")
		s.Cluster.Votes[2].TargetDown, s.Cluster.Votes[2].Verdict, s.Cluster.Votes[0].Verdict = true, replication.Abstain, replication.Abstain
		s.Cluster.Votes = append(s.Cluster.Votes, s.Cluster.Votes[1])
		s.Target.Group.LastSync = s.Target.LastGood.Add(-75 * time.Second)
	}},
	{"half a quorum, no failure is allowed, a loss of two limits and a half", func(s *failover.Snapshot) {
		s.Cluster.Votes, s.Rule.MaxFailures = s.Cluster.Votes[1:], 0
		s.Target.Group.LastSync = s.Target.LastGood.Add(-75 * time.Second)
	}},
	{"one failure more than the one that is allowed, a loss of two limits and a half", func(s *failover.Snapshot) {
		failures(s, 2)
		s.Rule.MaxFailures = 1
		s.Target.Group.LastSync = s.Target.LastGood.Add(-75 * time.Second)
	}},
	{"half of a quorum, and a tier with one of three left", func(s *failover.Snapshot) {
		s.Cluster.Votes = s.Cluster.Votes[1:]
		after(s, 2, "huawei_sdrs/g2")
	}},
	{"half of a quorum, and a tier of which nothing is left and nothing known", func(s *failover.Snapshot) {
		s.Cluster.Votes = s.Cluster.Votes[1:]
		after(s, 3)
		s.After[0].Known = false
		s.Target.Group.LastSync = s.Target.LastGood.Add(-75 * time.Second)
	}},

	// What keeps the lost side from writing.
	{"it fences, and the rule asks for it", func(s *failover.Snapshot) { s.Rule.Fence = "provider" }},
	{"it fences, and the rule accepts the risk", func(s *failover.Snapshot) { s.Rule.Fence = "accept_split_brain: no" }},
	{"it does not, and the rule says nothing", toEBS},
	{"it does not, and the rule asks for it", func(s *failover.Snapshot) { toEBS(s); s.Rule.Fence = "provider" }},
	{"it does not, and the rule accepts the risk", func(s *failover.Snapshot) { toEBS(s); s.Rule.Fence = "accept_split_brain: no" }},
	{"it does not, and a person is asked", func(s *failover.Snapshot) { toEBS(s); s.Rule.Mode = replication.Approve }},
	{"it does not, the rule asks for it, and a person is asked", func(s *failover.Snapshot) {
		toEBS(s)
		s.Rule.Fence, s.Rule.Mode = "provider", replication.Approve
	}},

	// What comes first.
	{"after a tier that is done", func(s *failover.Snapshot) { after(s, 3) }},
	{"after a tier with one left", func(s *failover.Snapshot) { after(s, 2, "huawei_sdrs/g2") }},
	{"after a tier with two left", func(s *failover.Snapshot) { after(s, 1, "huawei_sdrs/g2", "huawei_sdrs/g3") }},
	{"after a tier with more left than are named", func(s *failover.Snapshot) { after(s, 1, "huawei_sdrs/g2") }},
	{"after a tier with none named", func(s *failover.Snapshot) { after(s, 2) }},
	{"after a tier that is not known", func(s *failover.Snapshot) { after(s, 3); s.After[0].Known = false }},
	{"after a tier of which nothing is told", func(s *failover.Snapshot) { s.Rule.After = []string{"data"} }},
	{"half a quorum, and half of a tier", func(s *failover.Snapshot) {
		s.Cluster.Votes = s.Cluster.Votes[1:]
		after(s, 1, "huawei_sdrs/g2")
		s.After[0].Targets = 2
	}},
	{"after a tier of nothing, not known", func(s *failover.Snapshot) {
		s.Rule.After, s.After = []string{"data"}, []failover.TierState{{Rule: "data"}}
	}},
	{"after a tier of nothing", func(s *failover.Snapshot) {
		s.Rule.After, s.After = []string{"data"}, []failover.TierState{{Rule: "data", Known: true}}
	}},
	{"after two, the second not done", func(s *failover.Snapshot) {
		after(s, 3)
		s.Rule.After = []string{"data", "cache"}
		s.After = append(s.After, failover.TierState{Rule: "cache", Targets: 9, Succeeded: 2, Known: true, Left: []string{"huawei_sdrs/c1", "huawei_sdrs/c2", "huawei_sdrs/c3"}})
	}},
	{"after two, neither done", func(s *failover.Snapshot) {
		after(s, 2, "huawei_sdrs/g2")
		s.Rule.After = []string{"cache", "data"}
		s.After = append([]failover.TierState{{Rule: "other", Known: true}}, s.After...)
		s.After = append(s.After, failover.TierState{Rule: "cache", Targets: 1, Known: true, Left: []string{"huawei_sdrs/c1"}})
	}},
}

func toDWS(s *failover.Snapshot, recorded, now string) {
	k := replication.GroupKey{Provider: replication.HuaweiDWS, ID: "g1"}
	s.Target.Group.Key, s.Target.Group.Baseline = k, now
	for i := range s.Cluster.Votes {
		s.Cluster.Votes[i].Group = k
	}
	s.Cluster.Groups = map[replication.GroupKey]replication.GroupRecord{k: {Baseline: recorded}}
}

// movedSince is a move that nobody has taken down, of a group that was read so long
// before its last failover ended.
func movedSince(s *failover.Snapshot, before time.Duration) {
	s.Cluster.Clock = 2 * time.Hour
	withRecord(s, replication.GroupRecord{Active: azB, LastAction: &replication.LastAction{At: s.Target.Group.ReadAt.Add(before)}})
}

func lagOf(s *failover.Snapshot, lag time.Duration) {
	s.Target.Group.LastSync, s.Target.Group.Lag = time.Time{}, &lag
}

func lastActed(s *failover.Snapshot, ago time.Duration) {
	s.Cluster.Clock = 9 * time.Hour
	withRecord(s, replication.GroupRecord{LastAction: &replication.LastAction{Clock: s.Cluster.Clock - ago}})
}

func startedAgo(s *failover.Snapshot, limit int, ages ...time.Duration) {
	s.Rule.MaxPerHour, s.Cluster.Clock = limit, 9*time.Hour
	s.Cluster.Started = map[string][]time.Duration{"other": make([]time.Duration, 20)}
	for _, age := range ages {
		s.Cluster.Started["r"] = append(s.Cluster.Started["r"], s.Cluster.Clock-age)
	}
}

func failures(s *failover.Snapshot, n int) {
	s.Cluster.Losses = map[string]replication.SiteLoss{"az-a": {Failures: map[string]int{"r": n, "other": 9}}, "az-b": {Failures: map[string]int{"r": 9}}}
}

func taken(s *failover.Snapshot, n int) {
	s.Cluster.Slots = map[string]map[int]string{"r": {}, "other": {0: "x", 1: "y", 2: "z"}}
	for i := range n {
		s.Cluster.Slots["r"][i] = "x"
	}
}

// inWords is all that a decision says.
func inWords(d failover.Decision) []string {
	rpo := "not told"
	if d.RPO != nil {
		rpo = d.RPO.String()
	}
	counted := []string{}
	for _, v := range d.Counted {
		counted = append(counted, v.Observer+" at "+v.Site)
	}
	lines := []string{
		fmt.Sprintf("act %t, evidence %t, mode %s, rule %s of %s", d.Act, d.Evidence, d.Mode, d.Rule, d.Group),
		fmt.Sprintf("counted %s", strings.Join(counted, ", ")),
		fmt.Sprintf("lost at %s, there at %s, RPO %s", d.Lost.Format(time.RFC3339Nano), d.LostThere.Format(time.RFC3339Nano), rpo),
	}
	for _, c := range d.Conditions {
		verdict := map[bool]string{true: "yes", false: "NO "}[c.OK]
		lines = append(lines, fmt.Sprintf("%s %s: %s (wants %s)", verdict, c.Name, c.Value, c.Threshold))
	}
	for _, c := range d.Nearest {
		lines = append(lines, fmt.Sprintf("to change %s: %s", c.Condition, c.Text))
	}
	return lines
}

// TestDecisionsInWords pins what each decision says: all of it where everything
// holds, and of each other situation what it says otherwise.
func TestDecisionsInWords(t *testing.T) {
	usual := inWords(failover.Decide(allHolds()))
	said := map[string]bool{}
	for _, line := range usual {
		said[line] = true
	}
	var out strings.Builder
	fmt.Fprintf(&out, "== all holds\n%s\n", strings.Join(usual, "\n"))
	for _, tt := range situations {
		s := allHolds()
		tt.change(&s)
		fmt.Fprintf(&out, "\n== %s\n", tt.name)
		d := failover.Decide(s)
		now := inWords(d)
		for _, line := range now {
			if !said[line] {
				fmt.Fprintln(&out, line)
			}
		}
		for _, line := range usual {
			about, _, _ := strings.Cut(line, ":")
			if d.Act && strings.HasPrefix(line, "to change") && !slices.ContainsFunc(now, func(l string) bool { return strings.HasPrefix(l, about+":") }) {
				fmt.Fprintf(&out, "nothing %s\n", about)
			}
		}
	}
	const golden = "testdata/decisions.golden"
	if *writeWords {
		if err := os.WriteFile(golden, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(out.String(), "\n")); diff != "" {
		t.Errorf("decisions say otherwise than %s has it (-pinned +now); -write-words writes it anew:\n%s", golden, diff)
	}
}
