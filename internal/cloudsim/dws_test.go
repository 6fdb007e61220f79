package cloudsim_test

import (
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/cloudsim"
	"github.com/drwatch/drwatch/internal/replication"
)

func (l *lab) dwsAct(endpoint, id, verb string) reply {
	l.t.Helper()
	return l.post(endpoint, "/v2/{p}/disaster-recovery/"+id+"/"+verb, "")
}

func (l *lab) dwsItem(endpoint, id string) map[string]any {
	l.t.Helper()
	items := l.get(endpoint, "/v2/{p}/disaster-recoveries?id="+id).list(l.t, "disaster_recovery")
	if len(items) != 1 {
		l.t.Fatalf("%d items of %s", len(items), id)
	}
	return items[0]
}

func TestDWSStateMachine(t *testing.T) {
	for _, tc := range []struct {
		verb, from, via, to string
		active              replication.Location
		failovers           int
	}{
		{"failover", "running", "switchovering", "abnormal", northB, 1},
		{"failover", "abnormal", "switchovering", "abnormal", northB, 1},
		{"switchover", "running", "switchovering", "running", northB, 0},
		{"start", "stopped", "starting", "running", northA, 0},
		{"start", "unstart", "starting", "running", northA, 0},
		{"pause", "running", "stopping", "stopped", northA, 0},
		{"recovery", "abnormal", "creating", "running", northA, 0},
	} {
		t.Run(tc.verb+" from "+tc.from, func(t *testing.T) {
			l := newLab(t, nil)
			id := must(t)(l.cloud.AddDWS(cloudsim.DWSGroup{Source: northA, Target: northB, Status: tc.from}))
			l.want(l.dwsAct(cloudsim.EndpointDWS, id, tc.verb), 200, `{"disaster_recovery":{"id":"`+id+`"}}`)
			l.wantStatus(id, tc.via, northA)
			l.want(l.dwsAct(cloudsim.EndpointDWS, id, "failover"), 400, "DWS.10104") // busy
			l.clock.move(10 * time.Second)
			l.wantStatus(id, tc.to, tc.active)
			l.wantFailovers(id, tc.failovers)
		})
	}
}

// A second failover of the same relation is accepted and undoes the first one.
func TestDWSSecondFailoverSwapsBack(t *testing.T) {
	for _, swapIDs := range []bool{false, true} {
		l := newLab(t, func(o *cloudsim.Options) { o.DWSSwapsIDs = swapIDs })
		id := must(t)(l.cloud.AddDWS(cloudsim.DWSGroup{Source: northA, Target: northB}))
		before := l.dwsItem(cloudsim.EndpointDWS, id)
		l.want(l.dwsAct(cloudsim.EndpointDWS, id, "failover"), 200, id)
		l.clock.move(time.Minute)
		l.wantStatus(id, "abnormal", northB)
		after := l.dwsItem(cloudsim.EndpointDWS, id)
		rolesSwapped := before["primary_cluster_role"] != after["primary_cluster_role"]
		idsSwapped := before["primary_cluster_id"] != after["primary_cluster_id"]
		if rolesSwapped == swapIDs || idsSwapped != swapIDs {
			t.Errorf("swap ids %v: roles swapped %v, ids swapped %v", swapIDs, rolesSwapped, idsSwapped)
		}
		l.want(l.dwsAct(cloudsim.EndpointDWS, id, "failover"), 200, id)
		l.clock.move(time.Minute)
		l.wantStatus(id, "abnormal", northA)
		l.wantFailovers(id, 2)
	}
}

func TestDWSRefuses(t *testing.T) {
	l := newLab(t, nil)
	old := must(t)(l.cloud.AddDWS(cloudsim.DWSGroup{Source: northA, Target: northB, Version: "8.1.1"}))
	l.want(l.dwsAct(cloudsim.EndpointDWS, old, "failover"), 400, "DWS.10105")
	l.want(l.dwsAct(cloudsim.EndpointDWS, old, "start"), 400, "DWS.10104")
	l.want(l.dwsAct(cloudsim.EndpointDWS, "none", "failover"), 400, "DWS.10101")
	// A relation within cn-north-4 is not known in cn-east-3.
	l.want(l.dwsAct(cloudsim.EndpointDWSStandby, old, "failover"), 400, "DWS.10101")
	if err := l.cloud.LoseSite("az-a", cloudsim.Loss{}); err != nil {
		t.Fatal(err)
	}
	l.want(l.dwsAct(cloudsim.EndpointDWS, old, "switchover"), 400, "DWS.10104")
	l.clock.move(time.Minute)
	l.wantFailovers(old, 0)
}

func TestDWSLag(t *testing.T) {
	l := newLab(t, nil)
	id := must(t)(l.cloud.AddDWS(cloudsim.DWSGroup{Name: "w", Source: northA, Target: eastA, SyncPeriod: time.Hour, Lag: 10 * time.Minute}))
	progress := func(endpoint string) map[string]any {
		r := l.want(l.get(endpoint, "/v1/{p}/disaster-recovery/"+id+"/show-progress"), 200, "disaster_recovery_progress")
		return r.doc["disaster_recovery_progress"].(map[string]any)
	}
	if p := progress(cloudsim.EndpointDWS); p["recovery_point_object"] != 600.0 || p["latest_barrier_time"] != "2026-01-02 02:54:05" {
		t.Errorf("progress %v", p)
	}
	l.clock.move(55 * time.Minute) // one period has passed five minutes ago
	if got := l.dwsItem(cloudsim.EndpointDWS, id)["last_disaster_time"]; got != "2026-01-02 03:54:05" {
		t.Errorf("last_disaster_time %v", got)
	}
	if err := l.cloud.LoseSite("az-a", cloudsim.Loss{}); err != nil {
		t.Fatal(err)
	}
	l.clock.move(3 * time.Hour)
	if p := progress(cloudsim.EndpointDWSStandby); p["recovery_point_object"] != 3*3600+300.0 {
		t.Errorf("progress after the loss %v", p)
	}
	r := l.want(l.get(cloudsim.EndpointDWSStandby, "/v2/{p}/disaster-recovery/"+id), 200, `"dr_sync_period":"1H"`)
	d := r.doc["disaster_recovery"].(map[string]any)
	primary := d["primary_cluster"].(map[string]any)
	if d["status"] != "abnormal" || d["dr_type"] != "region" || primary["status"] != "abnormal" || primary["cluster_az"] != "cn-north-4a" || primary["disk_capacity"] != "1600" {
		t.Errorf("detail %s", r.body)
	}
	l.want(l.dwsAct(cloudsim.EndpointDWSStandby, id, "failover"), 200, id)
	l.clock.move(time.Minute)
	l.wantStatus(id, "abnormal", eastA)
	l.wantFailovers(id, 1)
}
