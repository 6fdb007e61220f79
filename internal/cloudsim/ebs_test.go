package cloudsim_test

import (
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/cloudsim"
	"github.com/drwatch/drwatch/internal/replication"
)

const (
	primaryEBS = cloudsim.EndpointEBS
	standbyEBS = cloudsim.EndpointEBSStandby
)

func (l *lab) ebsGroup(endpoint, site, id string) map[string]any {
	l.t.Helper()
	groups := l.ali(endpoint, "DescribeDiskReplicaGroups", "Site", site, "GroupIds", id).list(l.t, "ReplicaGroups")
	if len(groups) != 1 {
		l.t.Fatalf("%d groups %s at %s %s", len(groups), id, endpoint, site)
	}
	return groups[0]
}

func TestEBSStateMachine(t *testing.T) {
	for _, tc := range []struct {
		action, endpoint, from, via, to string
		active                          replication.Location
		failovers                       int
	}{
		{"FailoverDiskReplicaGroup", standbyEBS, "normal", "failovering", "failovered", shanghai, 1},
		{"FailoverDiskReplicaGroup", standbyEBS, "stopping", "failovering", "failovered", shanghai, 1},
		{"FailoverDiskReplicaGroup", standbyEBS, "failover_failed", "failovering", "failovered", shanghai, 1},
		{"ReprotectDiskReplicaGroup", standbyEBS, "failovered", "reprotecting", "stopped", beijing, 0},
		{"StartDiskReplicaGroup", primaryEBS, "created", "initial_syncing", "normal", beijing, 0},
		{"StopDiskReplicaGroup", primaryEBS, "normal", "stopping", "stopped", beijing, 0},
	} {
		t.Run(tc.action+" from "+tc.from, func(t *testing.T) {
			l := newLab(t, nil)
			id := must(t)(l.cloud.AddEBS(cloudsim.EBSGroup{Source: beijing, Target: shanghai, Status: tc.from, Pairs: 1}))
			l.want(l.ali(tc.endpoint, tc.action, "ReplicaGroupId", id), 200, "RequestId")
			l.wantStatus(id, tc.via, beijing)
			l.clock.move(10 * time.Second)
			l.wantStatus(id, tc.to, tc.active)
			l.wantFailovers(id, tc.failovers)
		})
	}
}

func TestEBSThereAndBack(t *testing.T) {
	l := newLab(t, nil)
	id := must(t)(l.cloud.AddEBS(cloudsim.EBSGroup{Source: beijing, Target: shanghai, Pairs: 2}))
	steps := func(endpoint, action string) {
		t.Helper()
		l.want(l.ali(endpoint, action, "ReplicaGroupId", id), 200, "RequestId")
		l.clock.move(10 * time.Second)
	}
	steps(standbyEBS, "FailoverDiskReplicaGroup")
	g := l.ebsGroup(standbyEBS, "backup", id)
	if g["Status"] != "failovered" || g["SourceRegionId"] != "cn-beijing" || g["Site"] != "backup" || g["PairNumber"] != 2.0 {
		t.Errorf("after the failover %v", g)
	}
	// Again, in the middle and afterwards: taken, and nothing happens.
	steps(standbyEBS, "FailoverDiskReplicaGroup")
	l.wantFailovers(id, 1)
	// Both calls are made at the region that replication goes to.
	l.want(l.ali(primaryEBS, "ReprotectDiskReplicaGroup", "ReplicaGroupId", id), 403, "OperationDenied.OperateNotAllowedForPrimary")
	steps(standbyEBS, "ReprotectDiskReplicaGroup")
	g = l.ebsGroup(primaryEBS, "production", id)
	if g["Status"] != "stopped" || g["SourceRegionId"] != "cn-shanghai" || g["PrimaryRegion"] != "cn-beijing" {
		t.Errorf("after the reprotection %v", g)
	}
	steps(primaryEBS, "StartDiskReplicaGroup")
	l.wantStatus(id, "normal", shanghai)
	// The way back is called at the region that replication now goes to.
	l.want(l.ali(standbyEBS, "FailoverDiskReplicaGroup", "ReplicaGroupId", id), 403, "OperationDenied.OperateNotAllowedForPrimary")
	steps(primaryEBS, "FailoverDiskReplicaGroup")
	l.wantStatus(id, "failovered", beijing)
	l.wantFailovers(id, 2)
	l.want(l.ali(primaryEBS, "ReprotectDiskReplicaGroup", "ReplicaGroupId", id, "ReverseReplicate", "false"), 200, "RequestId")
	l.clock.move(10 * time.Second)
	l.wantStatus(id, "stopped", shanghai)
}

func TestEBSReprotectsOnlyWhatCanBeOverwritten(t *testing.T) {
	l := newLab(t, nil)
	id := must(t)(l.cloud.AddEBS(cloudsim.EBSGroup{Source: beijing, Target: shanghai, Status: "failovered", AtTarget: true, Attached: true, Pairs: 1}))
	l.want(l.ali(standbyEBS, "ReprotectDiskReplicaGroup", "ReplicaGroupId", id), 403, "OperationDenied")
	if err := l.cloud.SetAttached(id, false); err != nil {
		t.Fatal(err)
	}
	l.want(l.ali(standbyEBS, "ReprotectDiskReplicaGroup", "ReplicaGroupId", id), 200, "RequestId")
	l.clock.move(10 * time.Second)
	l.wantStatus(id, "stopped", shanghai)
	failed := must(t)(l.cloud.AddEBS(cloudsim.EBSGroup{Source: beijing, Target: shanghai, Status: "reprotect_failed", Pairs: 1}))
	l.want(l.ali(standbyEBS, "ReprotectDiskReplicaGroup", "ReplicaGroupId", failed), 403, "OperationDenied.InvalidStatus")
	sdrs := must(t)(l.cloud.AddSDRS(cloudsim.SDRSGroup{Source: northA, Target: northB, Pairs: 1}))
	if err := l.cloud.SetAttached(sdrs, true); err == nil {
		t.Error("a group of SDRS has attached disks")
	}
}

func TestEBSClientToken(t *testing.T) {
	l := newLab(t, nil)
	id := must(t)(l.cloud.AddEBS(cloudsim.EBSGroup{Source: beijing, Target: shanghai, Pairs: 1}))
	other := must(t)(l.cloud.AddEBS(cloudsim.EBSGroup{Source: beijing, Target: shanghai, Pairs: 1}))
	fail := func(id string) reply {
		return l.ali(standbyEBS, "FailoverDiskReplicaGroup", "ReplicaGroupId", id, "ClientToken", "token-1")
	}
	first := l.want(fail(id), 200, "RequestId")
	l.clock.move(time.Minute)
	// Protected again: without the token the next call would be a second failover.
	if err := l.cloud.SetStatus(id, "normal"); err != nil {
		t.Fatal(err)
	}
	if again := l.want(fail(id), 200, "RequestId"); again.body != first.body {
		t.Errorf("the same token answered %s, then %s", first.body, again.body)
	}
	l.want(fail(other), 400, "IdempotentParameterMismatch")
	l.clock.move(time.Minute)
	l.wantFailovers(id, 1)
	l.wantFailovers(other, 0)
	e := l.cloud.Effects()
	if len(e) != 4 || e[0].ClientToken != "token-1" || e[2].Verdict != cloudsim.Repeated || e[3].Verdict != cloudsim.Rejected {
		t.Errorf("effects %+v", e)
	}
}

func TestEBSRefuses(t *testing.T) {
	l := newLab(t, nil)
	group := func(g cloudsim.EBSGroup) string {
		g.Source, g.Target = beijing, shanghai
		return must(t)(l.cloud.AddEBS(g))
	}
	for name, tc := range map[string]struct {
		id, endpoint, code string
		status             int
		args               []string
	}{
		"unknown":      {"pg-none", standbyEBS, "NoSuchResource", 404, nil},
		"first copy":   {group(cloudsim.EBSGroup{Status: "initial_syncing", Pairs: 1}), standbyEBS, "OperationDenied.InvalidStatus", 403, nil},
		"never synced": {group(cloudsim.EBSGroup{Status: "stopped", NeverSynced: true, Pairs: 1}), standbyEBS, "OperationDenied.InvalidStatus", 403, nil},
		"no pair":      {group(cloudsim.EBSGroup{}), standbyEBS, "OperationDenied.NoPairInGroup", 403, nil},
		"wrong side":   {group(cloudsim.EBSGroup{Pairs: 1}), primaryEBS, "OperationDenied.OperateNotAllowedForPrimary", 403, nil},
		"wrong region": {group(cloudsim.EBSGroup{Pairs: 1}), standbyEBS, "InvalidParameter.RegionId", 400, []string{"RegionId", "cn-beijing"}},
		"long token":   {group(cloudsim.EBSGroup{Pairs: 1}), standbyEBS, "InvalidParameter.ClientToken", 400, []string{"ClientToken", string(make([]byte, 65))}},
	} {
		t.Run(name, func(t *testing.T) {
			l.at(t).want(l.ali(tc.endpoint, "FailoverDiskReplicaGroup", append([]string{"ReplicaGroupId", tc.id}, tc.args...)...), tc.status, tc.code)
		})
	}
	l.want(l.ali(standbyEBS, "ExplodeDiskReplicaGroup"), 404, "InvalidAction.NotFound")
	l.clock.move(time.Hour)
	for _, e := range l.cloud.Effects() {
		if e.Kind == cloudsim.Changed {
			t.Errorf("effect %+v", e)
		}
	}
}

func TestEBSLag(t *testing.T) {
	l := newLab(t, nil)
	id := must(t)(l.cloud.AddEBS(cloudsim.EBSGroup{Source: beijing, Target: shanghai, Pairs: 1, RPO: 15 * time.Minute, Lag: 5 * time.Minute}))
	lag := func() float64 {
		return float64(l.clock.now().Unix()) - l.ebsGroup(standbyEBS, "backup", id)["LastRecoverPoint"].(float64)
	}
	for _, tc := range []struct{ wait, lag time.Duration }{
		{0, 5 * time.Minute}, {9 * time.Minute, 14 * time.Minute}, {time.Minute, 0}, {16 * time.Minute, time.Minute},
	} {
		l.clock.move(tc.wait)
		if got := lag(); got != tc.lag.Seconds() {
			t.Errorf("after %s more: lag %v, want %v", tc.wait, got, tc.lag.Seconds())
		}
	}
	pair := l.ali(standbyEBS, "DescribeDiskReplicaPairs", "Site", "backup", "ReplicaGroupId", id).list(t, "ReplicaPairs")[0]
	l.want(l.ali(standbyEBS, "DescribeDiskReplicaPairProgress", "ReplicaPairId", pair["ReplicaPairId"].(string)), 200, `"Progress":100`)
	l.want(l.ali(primaryEBS, "StopDiskReplicaGroup", "ReplicaGroupId", id), 200, "")
	l.clock.move(2 * time.Hour)
	if got := lag(); got != 7260 {
		t.Errorf("lag of a stopped group %v", got)
	}
}

// A failover takes the place of a stop that is under way; the stop's end does
// not end the failover.
func TestEBSFailoverOvertakesAStop(t *testing.T) {
	l := newLab(t, nil)
	id := must(t)(l.cloud.AddEBS(cloudsim.EBSGroup{Source: beijing, Target: shanghai, Pairs: 1}))
	l.want(l.ali(primaryEBS, "StopDiskReplicaGroup", "ReplicaGroupId", id), 200, "RequestId")
	l.clock.move(5 * time.Second)
	l.want(l.ali(standbyEBS, "FailoverDiskReplicaGroup", "ReplicaGroupId", id), 200, "RequestId")
	l.clock.move(5 * time.Second)
	l.wantStatus(id, "failovering", beijing)
	l.clock.move(5 * time.Second)
	l.wantStatus(id, "failovered", shanghai)
	l.wantFailovers(id, 1)
}
