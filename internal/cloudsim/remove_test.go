package cloudsim_test

import (
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/cloudsim"
)

func TestRemove(t *testing.T) {
	l := newLab(t, nil)
	gone := must(t)(l.cloud.AddSDRS(cloudsim.SDRSGroup{Name: "gone", Source: northA, Target: northB, Pairs: 2, Drills: 1}))
	kept := must(t)(l.cloud.AddSDRS(cloudsim.SDRSGroup{Name: "kept", Source: northA, Target: northB, Pairs: 1}))
	if err := l.cloud.Remove(gone); err != nil {
		t.Fatal(err)
	}
	for list, path := range map[string]string{
		"server_groups": sdrsGroups, "replications": "/v1/{p}/replications", "protected_instances": "/v1/{p}/protected-instances",
		"disaster_recovery_drills": "/v1/{p}/disaster-recovery-drills",
	} {
		items := l.get(cloudsim.EndpointSDRS, path).list(t, list)
		want := 1
		if list == "disaster_recovery_drills" { // the other group has none
			want = 0
		}
		if len(items) != want {
			t.Errorf("%s shows %v, want %d", list, items, want)
		}
		for _, i := range items {
			if id := i["server_group_id"]; id != nil && id != kept {
				t.Errorf("%s shows %v", list, i)
			}
		}
	}
	l.want(l.get(cloudsim.EndpointSDRS, sdrsGroups+"/"+gone), 400, "SDRS.1013")
	if _, ok := l.cloud.Group(gone); ok {
		t.Error("it is still there")
	}
	if l.cloud.Remove(gone) == nil {
		t.Error("it could be removed twice")
	}
}

func TestRemovedInTheMiddle(t *testing.T) {
	l := newLab(t, nil)
	id := must(t)(l.cloud.AddEBS(cloudsim.EBSGroup{Name: "disks", Source: beijing, Target: shanghai, Pairs: 1}))
	l.want(l.ali(standbyEBS, "FailoverDiskReplicaGroup", "ReplicaGroupId", id), 200, "RequestId")
	if err := l.cloud.Remove(id); err != nil {
		t.Fatal(err)
	}
	l.clock.move(time.Minute)
	if n := l.cloud.EffectiveFailovers(id); n != 0 {
		t.Errorf("a group that is gone moved %d times", n)
	}
	if n := len(l.cloud.Groups()); n != 0 {
		t.Errorf("%d groups, want none", n)
	}
}
