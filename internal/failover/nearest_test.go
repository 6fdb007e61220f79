package failover_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/policy"
	"github.com/drwatch/drwatch/internal/replication"
)

// TestTheNearestChangeIsTheChange: what Decide says would flip a condition is made,
// and flips it; a little less of it does not.
func TestTheNearestChangeIsTheChange(t *testing.T) {
	const ms = time.Millisecond
	acted := func(s *failover.Snapshot, since time.Duration) {
		s.Cluster.Clock = 9 * time.Hour
		withRecord(s, replication.GroupRecord{LastAction: &replication.LastAction{Clock: s.Cluster.Clock - since}})
	}
	started := func(s *failover.Snapshot, ages ...time.Duration) {
		s.Cluster.Clock = 9 * time.Hour
		s.Cluster.Started = map[string][]time.Duration{"r": {}}
		for _, age := range ages {
			s.Cluster.Started["r"] = append(s.Cluster.Started["r"], s.Cluster.Clock-age)
		}
	}
	failed := func(s *failover.Snapshot, n int) {
		s.Cluster.Losses = map[string]replication.SiteLoss{"az-a": {Failures: map[string]int{"r": n}}}
	}
	slots := func(s *failover.Snapshot, n int) {
		s.Cluster.Slots = map[string]map[int]string{"r": {}}
		for i := range n {
			s.Cluster.Slots["r"][i] = "x"
		}
	}
	read := func(s *failover.Snapshot, age time.Duration) { s.Target.Group.ReadAt = t0.Add(-age) }
	loss := func(s *failover.Snapshot, d time.Duration) { s.Target.Group.LastSync = s.Target.LastGood.Add(-d) }
	for _, tc := range []struct {
		name, condition, text string
		at, less, flipped     func(*failover.Snapshot)
	}{
		{
			"a vote is missing", "quorum", "1 more site must say go",
			func(s *failover.Snapshot) { s.Cluster.Votes[0].Verdict = replication.Pending }, nil, func(*failover.Snapshot) {},
		},
		{
			"all votes are missing", "quorum", "2 more sites must say go",
			func(s *failover.Snapshot) { s.Cluster.Votes = nil },
			func(s *failover.Snapshot) { s.Cluster.Votes = s.Cluster.Votes[:1] },
			func(*failover.Snapshot) {},
		},
		{
			"as many votes as it takes", "quorum", "1 site less that says go",
			func(*failover.Snapshot) {}, nil, func(s *failover.Snapshot) { s.Beating["obs-b"] = false },
		},
		{
			"one vote more than it takes", "quorum", "2 sites less that say go",
			func(s *failover.Snapshot) { s.Rule.Agree = 1 },
			func(s *failover.Snapshot) { s.Rule.Agree, s.Cluster.Votes = 1, s.Cluster.Votes[1:] },
			func(s *failover.Snapshot) { s.Rule.Agree, s.Cluster.Votes = 1, nil },
		},
		{
			"no veto", "no_veto", "a veto of any observer",
			func(*failover.Snapshot) {}, nil, func(s *failover.Snapshot) { veto(s, "obs-a", "az-a") },
		},
		{
			"two vetoes", "no_veto", "the vetoes of obs-a and obs-b must go",
			func(s *failover.Snapshot) { veto(s, "obs-b", "az-b"); veto(s, "obs-a", "az-a") },
			func(s *failover.Snapshot) { veto(s, "obs-a", "az-a") },
			func(*failover.Snapshot) {},
		},
		{
			"fresh data", "data_age_under", "the group's data is 1m50s from too old",
			func(s *failover.Snapshot) { read(s, 10*time.Second) },
			func(s *failover.Snapshot) { read(s, 2*time.Minute) },
			func(s *failover.Snapshot) { read(s, 2*time.Minute+1) },
		},
		{
			"old data", "data_age_under", "the group must be read again: its data is 1s too old",
			func(s *failover.Snapshot) { read(s, 2*time.Minute+time.Second) },
			func(s *failover.Snapshot) { read(s, 2*time.Minute+1) },
			func(s *failover.Snapshot) { read(s, 2*time.Minute) },
		},
		{
			"a loss over the limit", "lag_under", "the loss must be 12.401s smaller",
			func(s *failover.Snapshot) { loss(s, 42400*ms) },
			func(s *failover.Snapshot) { loss(s, 30*time.Second) },
			func(s *failover.Snapshot) { loss(s, 42400*ms-12401*ms) },
		},
		{
			"a loss at the limit", "lag_under", "the loss must be 0.001s smaller",
			func(s *failover.Snapshot) { loss(s, 30*time.Second) }, nil,
			func(s *failover.Snapshot) { loss(s, 30*time.Second-ms) },
		},
		{
			"a loss under the limit", "lag_under", "the loss is 20s from the limit",
			func(s *failover.Snapshot) { loss(s, 10*time.Second) },
			func(s *failover.Snapshot) { loss(s, 30*time.Second-1) },
			func(s *failover.Snapshot) { loss(s, 30*time.Second) },
		},
		{
			"the cool-down runs", "cooldown", "48m10s more since the last failover",
			func(s *failover.Snapshot) { acted(s, 11*time.Minute+50*time.Second) },
			func(s *failover.Snapshot) { acted(s, time.Hour-1) },
			func(s *failover.Snapshot) { acted(s, time.Hour) },
		},
		{
			"too many in the hour", "max_per_hour", "20m more, until fewer than 2 failovers of the rule are of the last hour",
			func(s *failover.Snapshot) {
				s.Rule.MaxPerHour = 2
				started(s, 50*time.Minute, 40*time.Minute, 10*time.Minute)
			},
			func(s *failover.Snapshot) {
				s.Rule.MaxPerHour = 2
				started(s, 70*time.Minute, time.Hour-1, 30*time.Minute-1)
			},
			func(s *failover.Snapshot) {
				s.Rule.MaxPerHour = 2
				started(s, 70*time.Minute, time.Hour, 30*time.Minute)
			},
		},
		{
			"room in the hour", "max_per_hour", "2 more of the rule's failovers this hour",
			func(s *failover.Snapshot) { started(s, make([]time.Duration, 8)...) },
			func(s *failover.Snapshot) { started(s, make([]time.Duration, 9)...) },
			func(s *failover.Snapshot) { started(s, make([]time.Duration, 10)...) },
		},
		{
			"failures", "max_failures", "2 more failed or ambiguous in this site loss",
			func(s *failover.Snapshot) { failed(s, 1) },
			func(s *failover.Snapshot) { failed(s, 2) },
			func(s *failover.Snapshot) { failed(s, 3) },
		},
		{
			"too many failures", "max_failures", "the loss of az-a must end: until then a person fails over what is left",
			func(s *failover.Snapshot) { failed(s, 3) }, nil, func(s *failover.Snapshot) { failed(s, 0) },
		},
		{
			"no slot", "max_concurrent", "2 incidents of the rule must end",
			func(s *failover.Snapshot) { claimed(s); slots(s, 3) },
			func(s *failover.Snapshot) { claimed(s); slots(s, 2) },
			func(s *failover.Snapshot) { claimed(s); slots(s, 1) },
		},
		{
			"frozen", "not_frozen", "`drwatch unfreeze`",
			func(s *failover.Snapshot) { s.Cluster.Freeze = &replication.Freeze{Who: "ann"} }, nil, func(*failover.Snapshot) {},
		},
		{
			"frozen here", "not_frozen", "the freeze of the file /data/FREEZE must be lifted",
			func(s *failover.Snapshot) {
				s.Cluster.Freeze = &replication.Freeze{Who: "the file /data/FREEZE"}
				s.Fitness = []replication.Condition{{Name: policy.FitFrozen}}
			}, nil, func(*failover.Snapshot) {},
		},
		{
			"latched", "not_latched", "`drwatch ack i7 --reason …`",
			func(s *failover.Snapshot) {
				withRecord(s, replication.GroupRecord{Latch: &replication.Latch{Incident: "i7"}})
			}, nil, func(*failover.Snapshot) {},
		},
		{
			"a tier is not done", "after", "huawei_sdrs/g2 of data must succeed",
			func(s *failover.Snapshot) { after(s, 2, "huawei_sdrs/g2") }, nil, func(s *failover.Snapshot) { after(s, 3) },
		},
		{
			"much of a tier is not done", "after", "3 more groups of data must succeed",
			func(s *failover.Snapshot) { after(s, 0, "huawei_sdrs/g2") },
			func(s *failover.Snapshot) { after(s, 2) },
			func(s *failover.Snapshot) { after(s, 3) },
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			verdict := func(change func(*failover.Snapshot)) (failover.Decision, bool) {
				s := allHolds()
				change(&s)
				d := failover.Decide(s)
				i := slices.IndexFunc(d.Conditions, func(c replication.Condition) bool { return c.Name == tc.condition })
				return d, d.Conditions[i].OK
			}
			d, before := verdict(tc.at)
			if !slices.ContainsFunc(d.Nearest, func(c failover.Change) bool { return c.Condition == tc.condition && c.Text == tc.text }) {
				t.Errorf("no %s: %q among %+v", tc.condition, tc.text, d.Nearest)
			}
			if tc.less != nil {
				if _, after := verdict(tc.less); after != before {
					t.Error("a little less than the change flips it")
				}
			}
			if _, after := verdict(tc.flipped); after == before {
				t.Error("the change does not flip it")
			}
		})
	}
}

func after(s *failover.Snapshot, done int, left ...string) {
	s.Rule.After = []string{"data"}
	s.After = []failover.TierState{{Rule: "data", Targets: 3, Succeeded: done, Left: left, Known: true}}
}

// TestTheSmallestChangeIsFirst: by its share of the threshold; what is only yes or
// no counts as a whole.
func TestTheSmallestChangeIsFirst(t *testing.T) {
	names := func(s failover.Snapshot) (out []string) {
		for _, c := range failover.Decide(s).Nearest {
			out = append(out, c.Condition)
		}
		return out
	}
	s := allHolds()
	s.Cluster.Freeze = &replication.Freeze{}
	s.Cluster.Votes = s.Cluster.Votes[:1]                             // one of two: a half
	s.Target.Group.LastSync = s.Target.LastGood.Add(-2 * time.Minute) // three limits too much
	s.Target.Group.ReadAt = t0.Add(-132 * time.Second)                // a tenth
	if diff := cmp.Diff([]string{"data_age_under", "quorum", "not_frozen", "lag_under"}, names(s)); diff != "" {
		t.Errorf("a no (-want +got):\n%s", diff)
	}
	s = allHolds()
	s.Target.Group.ReadAt = t0.Add(-110 * time.Second)
	if diff := cmp.Diff([]string{"data_age_under", "quorum", "lag_under", "no_veto", "max_per_hour", "max_failures"}, names(s)); diff != "" {
		t.Errorf("a yes (-want +got):\n%s", diff)
	}
}

// TestTheNearestChangeIsNotStored: a journal's record has room for what was decided
// on, not for advice.
func TestTheNearestChangeIsNotStored(t *testing.T) {
	s := allHolds()
	s.Cluster.Freeze = &replication.Freeze{Who: "ann"}
	d := failover.Decide(s)
	b, err := json.Marshal(failover.Record(s, d))
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Nearest) != 1 || strings.Contains(string(b), d.Nearest[0].Text) {
		t.Errorf("%+v is in the record: %s", d.Nearest, b)
	}
}
