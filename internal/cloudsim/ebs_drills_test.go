package cloudsim_test

import (
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/cloudsim"
)

func (l *lab) drills(endpoint, group string, args ...string) []map[string]any {
	l.t.Helper()
	return l.ali(endpoint, "DescribeReplicaGroupDrills", append([]string{"GroupId", group}, args...)...).list(l.t, "Drills")
}

// wantDrill checks the one drill of the group, in both of its regions, and what
// the drills have cost.
func (l *lab) wantDrill(group, status, disk string, created, billing int) {
	l.t.Helper()
	for _, endpoint := range []string{primaryEBS, standbyEBS} {
		drills := l.drills(endpoint, group)
		if status == "" {
			if len(drills) != 0 {
				l.t.Errorf("%s: %v, want no drill", endpoint, drills)
			}
			continue
		}
		if len(drills) != 1 || drills[0]["Status"] != status || drills[0]["GroupId"] != group {
			l.t.Fatalf("%s: %v, want one drill that is %s", endpoint, drills, status)
		}
		for _, p := range drills[0]["PairsInfo"].([]any) {
			if p.(map[string]any)["DrillDiskStatus"] != disk {
				l.t.Errorf("%s: %v, want the disk %s", endpoint, p, disk)
			}
		}
	}
	if c, b := l.cloud.DrillDisks(group); c != created || b != billing {
		l.t.Errorf("%d disks created, %d bill; want %d, %d", c, b, created, billing)
	}
}

func (l *lab) startDrill(group string, args ...string) string {
	l.t.Helper()
	id, is := l.want(l.ali(standbyEBS, "StartReplicaGroupDrill", append([]string{"GroupId", group}, args...)...), 200, "RequestId").doc["DrillId"].(string)
	if !is {
		l.t.Fatal("no DrillId")
	}
	return id
}

func TestEBSDrill(t *testing.T) {
	l := newLab(t, nil)
	group := must(t)(l.cloud.AddEBS(cloudsim.EBSGroup{Source: beijing, Target: shanghai, Pairs: 2, Lag: time.Minute}))
	l.wantDrill(group, "", "", 0, 0)
	id := l.startDrill(group, "ClientToken", "d1")
	if again := l.startDrill(group, "ClientToken", "d1"); again != id {
		t.Errorf("the same token made the drill %s, then %s", id, again)
	}
	l.wantDrill(group, "executing", "creating", 2, 2)
	clearIt := []string{"GroupId", group, "DrillId", id}
	l.want(l.ali(standbyEBS, "ClearReplicaGroupDrill", clearIt...), 403, "OperationDenied.InvalidStatus")
	l.clock.move(10 * time.Second)
	l.wantDrill(group, "executed", "created", 2, 2)
	if d := l.drills(standbyEBS, group)[0]; d["RecoverPoint"] != float64(start.Add(-time.Minute).Unix()) || d["StartAt"] != float64(start.Unix()) {
		t.Errorf("drill %v", d)
	}
	l.wantStatus(group, "normal", beijing) // replication goes on meanwhile
	l.want(l.ali(standbyEBS, "ClearReplicaGroupDrill", clearIt...), 200, "RequestId")
	l.wantDrill(group, "clearing", "deleting", 2, 2)
	l.want(l.ali(standbyEBS, "ClearReplicaGroupDrill", clearIt...), 200, "RequestId")
	l.clock.move(10 * time.Second)
	l.wantDrill(group, "", "", 2, 0)
	l.want(l.ali(standbyEBS, "ClearReplicaGroupDrill", clearIt...), 404, "NoSuchResource")
	l.startDrill(group)
	l.wantDrill(group, "executing", "creating", 4, 2) // billed again
	for _, e := range l.cloud.Effects() {
		if e.Kind == cloudsim.Changed || e.Action != "drill" || e.Group != group {
			t.Errorf("effect %+v", e)
		}
	}
}

func TestEBSDrillThatFails(t *testing.T) {
	l := newLab(t, nil)
	group := must(t)(l.cloud.AddEBS(cloudsim.EBSGroup{Source: beijing, Target: shanghai, Pairs: 1}))
	fault := func(operation string, fate cloudsim.Fate) {
		t.Helper()
		must(t)(l.cloud.AddFault(cloudsim.Fault{Operation: operation, Group: group, Fate: fate, Count: 1}))
	}
	fault("StartReplicaGroupDrill", cloudsim.Fails)
	id := l.startDrill(group)
	l.clock.move(10 * time.Second)
	l.wantDrill(group, "execute_failed", "error", 1, 1) // what it made is still there
	fault("drill", cloudsim.Fails)
	l.want(l.ali(standbyEBS, "ClearReplicaGroupDrill", "GroupId", group, "DrillId", id), 200, "RequestId")
	l.clock.move(10 * time.Second)
	l.wantDrill(group, "clear_failed", "error", 1, 1)
	fault("ClearReplicaGroupDrill", cloudsim.Stuck)
	l.want(l.ali(standbyEBS, "ClearReplicaGroupDrill", "GroupId", group, "DrillId", id), 200, "RequestId")
	l.clock.move(time.Hour)
	l.wantDrill(group, "clearing", "deleting", 1, 1)
	l.cloud.ClearFaults()
	l.clock.move(10 * time.Second)
	l.wantDrill(group, "", "", 1, 0)
}

func TestEBSDrillRefuses(t *testing.T) {
	l := newLab(t, nil)
	group := func(g cloudsim.EBSGroup) string {
		g.Source, g.Target = beijing, shanghai
		return must(t)(l.cloud.AddEBS(g))
	}
	whole := group(cloudsim.EBSGroup{Pairs: 1})
	for name, tc := range map[string]struct {
		action, endpoint, code string
		status                 int
		args                   []string
	}{
		"no group id":          {"DescribeReplicaGroupDrills", primaryEBS, "MissingParameter", 400, nil},
		"the other parameter":  {"DescribeReplicaGroupDrills", primaryEBS, "MissingParameter", 400, []string{"ReplicaGroupId", whole}},
		"unknown":              {"DescribeReplicaGroupDrills", primaryEBS, "NoSuchResource", 404, []string{"GroupId", "pg-none"}},
		"a page too large":     {"DescribeReplicaGroupDrills", primaryEBS, "InvalidParameter.MaxResults", 400, []string{"GroupId", whole, "MaxResults", "501"}},
		"start at the source":  {"StartReplicaGroupDrill", primaryEBS, "OperationDenied.OperateNotAllowedForPrimary", 403, []string{"GroupId", whole}},
		"start of no pairs":    {"StartReplicaGroupDrill", standbyEBS, "OperationDenied.NoPairInGroup", 403, []string{"GroupId", group(cloudsim.EBSGroup{})}},
		"start without a copy": {"StartReplicaGroupDrill", standbyEBS, "OperationDenied.InvalidStatus", 403, []string{"GroupId", group(cloudsim.EBSGroup{Pairs: 1, NeverSynced: true, Status: "created"})}},
		"clear of no drill":    {"ClearReplicaGroupDrill", standbyEBS, "NoSuchResource", 404, []string{"GroupId", whole, "DrillId", "pg-drill-none"}},
	} {
		t.Run(name, func(t *testing.T) {
			l.at(t).want(l.ali(tc.endpoint, tc.action, tc.args...), tc.status, tc.code)
		})
	}
}

func TestEBSDrillsPage(t *testing.T) {
	l := newLab(t, nil)
	group := must(t)(l.cloud.AddEBS(cloudsim.EBSGroup{Source: beijing, Target: shanghai, Pairs: 1}))
	one := l.startDrill(group)
	for range 11 {
		l.startDrill(group)
	}
	first := l.ali(primaryEBS, "DescribeReplicaGroupDrills", "GroupId", group)
	rest := l.drills(primaryEBS, group, "NextToken", first.doc["NextToken"].(string))
	if n := len(first.list(t, "Drills")); n != 10 || len(rest) != 2 {
		t.Errorf("%d and %d drills, want the documented ten and two", n, len(rest))
	}
	if only := l.drills(primaryEBS, group, "DrillId", one); len(only) != 1 || only[0]["DrillId"] != one {
		t.Errorf("by id: %v", only)
	}
}

func TestEBSCharges(t *testing.T) {
	l := newLab(t, nil)
	expires := start.Add(time.Hour)
	group := must(t)(l.cloud.AddEBS(cloudsim.EBSGroup{Source: beijing, Target: shanghai, Pairs: 3, RPO: 15 * time.Minute, Charges: []cloudsim.EBSCharge{
		{Type: "PREPAY", Expires: expires}, {Type: "POSTPAY"},
	}}))
	pairs := func() []map[string]any {
		return l.ali(standbyEBS, "DescribeDiskReplicaPairs", "Site", "backup", "ReplicaGroupId", group).list(t, "ReplicaPairs")
	}
	p := pairs()
	if p[0]["ChargeType"] != "PREPAY" || p[0]["ExpiredTime"] != float64(expires.Unix()) || p[0]["StatusMessage"] != "" {
		t.Errorf("the prepaid pair %v", p[0])
	}
	for _, other := range p[1:] {
		if _, told := other["ExpiredTime"]; told || other["ChargeType"] != "POSTPAY" || other["Bandwidth"] != 0.0 {
			t.Errorf("a pair that is paid as it goes %v", other)
		}
	}
	l.clock.move(3 * time.Hour)
	p = pairs()
	if p[0]["StatusMessage"] != "PrePayOrderExpired" || p[0]["LastRecoverPoint"] != float64(expires.Unix()) || p[0]["Status"] != "normal" {
		t.Errorf("the expired pair %v", p[0])
	}
	if p[1]["LastRecoverPoint"] != float64(l.clock.now().Unix()) || p[1]["StatusMessage"] != "" {
		t.Errorf("its neighbour %v", p[1])
	}
}
