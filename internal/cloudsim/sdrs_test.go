package cloudsim_test

import (
	"strings"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/cloudsim"
	"github.com/drwatch/drwatch/internal/replication"
)

const sdrsGroups = "/v1/{p}/server-groups"

func (l *lab) sdrsAct(id, body string) reply {
	l.t.Helper()
	return l.post(cloudsim.EndpointSDRS, sdrsGroups+"/"+id+"/action", body)
}

func (l *lab) sdrsGroup(id string) map[string]any {
	l.t.Helper()
	return l.want(l.get(cloudsim.EndpointSDRS, sdrsGroups+"/"+id), 200, "server_group").doc["server_group"].(map[string]any)
}

func TestSDRSStateMachine(t *testing.T) {
	for _, tc := range []struct {
		name, from, action, via, to, jobType string
		flips                                bool
		failovers                            int
	}{
		{"failover", "protected", `{"failover-server-group":{}}`, "failing-over", "failed-over", "failoverProtectionGroupNoCG", true, 1},
		{"failover again after an error", "error-failing-over", `{"failover-server-group":{}}`, "failing-over", "failed-over", "failoverProtectionGroupNoCG", true, 1},
		{"reverse", "protected", `{"reverse-server-group":{"priority_station":"target"}}`, "reversing", "protected", "reverseProtectionGroupNoCG", true, 0},
		{"start", "available", `{"start-server-group":{}}`, "starting", "protected", "startProtectionGroupNoCG", false, 0},
		{"reprotect", "failed-over", `{"start-server-group":{}}`, "reprotecting", "protected", "reprotectProtectionGroupNoCG", false, 0},
		{"stop", "protected", `{"stop-server-group":{}}`, "stopping", "available", "stopProtectionGroupNoCG", false, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := newLab(t, nil)
			id := must(t)(l.cloud.AddSDRS(cloudsim.SDRSGroup{Name: "g", Source: northA, Target: northB, Status: tc.from, Pairs: 2}))
			job, _ := l.want(l.sdrsAct(id, tc.action), 200, "job_id").doc["job_id"].(string)
			if len(job) != 32 {
				t.Fatalf("job id %q, want 32 hex digits", job)
			}
			wantJob := func(status string) {
				t.Helper()
				r := l.want(l.get(cloudsim.EndpointSDRS, "/v1/{p}/jobs/"+job), 200, tc.jobType)
				subs := r.doc["entities"].(map[string]any)["sub_jobs"].([]any)
				if r.doc["status"] != status || len(subs) != 2 || subs[0].(map[string]any)["status"] != status {
					t.Fatalf("job %s, want %s with 2 sub-jobs", r.body, status)
				}
			}
			wantJob("INIT")
			l.wantStatus(id, tc.via, northA)
			l.want(l.sdrsAct(id, tc.action), 400, "SDRS.1002") // busy
			l.clock.move(5 * time.Second)
			wantJob("RUNNING")
			if p := l.sdrsGroup(id)["progress"]; p != 50.0 {
				t.Errorf("progress %v half way, want 50", p)
			}
			l.clock.move(5 * time.Second)
			wantJob("SUCCESS")
			active := northA
			if tc.flips {
				active = northB
			}
			l.wantStatus(id, tc.to, active)
			l.wantFailovers(id, tc.failovers)
		})
	}
}

func TestSDRSFailoverHappensOnce(t *testing.T) {
	l := newLab(t, nil)
	id := must(t)(l.cloud.AddSDRS(cloudsim.SDRSGroup{Source: northA, Target: northB, Pairs: 1}))
	l.want(l.sdrsAct(id, `{"failover-server-group":{}}`), 200, "job_id")
	l.wantFailovers(id, 0) // not before production has moved
	l.clock.move(time.Minute)
	l.want(l.sdrsAct(id, `{"failover-server-group":{}}`), 400, "SDRS.1002")
	l.clock.move(time.Minute)
	l.wantFailovers(id, 1)
	g := l.sdrsGroup(id)
	if g["priority_station"] != "target" || g["source_availability_zone"] != "cn-north-4a" || g["health_status"] != nil {
		t.Errorf("group %v", g)
	}
	var log []string
	for _, e := range l.cloud.Effects() {
		log = append(log, string(e.Kind)+" "+string(e.Verdict)+" "+e.Action)
	}
	if got := strings.Join(log, ", "); got != "call accepted failover, change  failover, call rejected failover" {
		t.Errorf("effects: %s", got)
	}
	if n := l.cloud.Calls(replication.HuaweiSDRS, "StartFailoverProtectionGroup"); n != 2 {
		t.Errorf("%d calls, want 2", n)
	}
}

func TestSDRSPreconditions(t *testing.T) {
	for _, tc := range []struct {
		name, action, code string
		group              cloudsim.SDRSGroup
		fault              string
	}{
		{"unknown status", `{"failover-server-group":{}}`, "SDRS.1002", cloudsim.SDRSGroup{Status: "pondering", Pairs: 1}, ""},
		{"no pairs", `{"failover-server-group":{}}`, "SDRS.1017", cloudsim.SDRSGroup{}, ""},
		{"link down", `{"failover-server-group":{}}`, "SDRS.1018", cloudsim.SDRSGroup{Pairs: 1}, "5"},
		{"production runs", `{"reverse-server-group":{"priority_station":"target"}}`, "SDRS.1319", cloudsim.SDRSGroup{Pairs: 1, ServersRunning: true}, ""},
		{"is there already", `{"reverse-server-group":{"priority_station":"source"}}`, "SDRS.1019", cloudsim.SDRSGroup{Pairs: 1}, ""},
		{"no direction", `{"reverse-server-group":{}}`, "SDRS.0206", cloudsim.SDRSGroup{Pairs: 1}, ""},
		{"standby runs", `{"start-server-group":{}}`, "SDRS.1342", cloudsim.SDRSGroup{Pairs: 1, Status: "failed-over", StandbyRunning: true}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := newLab(t, nil)
			tc.group.Source, tc.group.Target = northA, northB
			id := must(t)(l.cloud.AddSDRS(tc.group))
			if err := l.cloud.SetFaultLevel(id, tc.fault); err != nil {
				t.Fatal(err)
			}
			l.want(l.sdrsAct(id, tc.action), 400, tc.code)
			l.clock.move(time.Minute)
			if g := l.truth(id); g.Active != northA {
				t.Errorf("production moved to %s", g.Active)
			}
		})
	}
	l := newLab(t, nil)
	l.want(l.sdrsAct("none", `{"failover-server-group":{}}`), 400, "SDRS.1013")
	l.want(l.sdrsAct("none", `{"explode-server-group":{}}`), 404, "APIGW.0101")
}

func TestSDRSReads(t *testing.T) {
	l := newLab(t, nil)
	id := must(t)(l.cloud.AddSDRS(cloudsim.SDRSGroup{Name: "g", Source: northA, Target: northB, Pairs: 2, VolumeGB: 80, Drills: 1, Older: true}))
	must(t)(l.cloud.AddSDRS(cloudsim.SDRSGroup{Name: "other", Source: northB, Target: northA, Pairs: 1}))
	if g := l.sdrsGroup(id); g["health_status"] != "normal" || g["replication_num"] != 2.0 || g["disaster_recovery_drill_num"] != 1.0 {
		t.Errorf("older group %v", g)
	}
	pairs := l.get(cloudsim.EndpointSDRS, "/v1/{p}/replications?server_group_ids=%5B%27"+id+"%27%5D").list(t, "replications")
	if len(pairs) != 2 || pairs[0]["fault_level"] != "0" || pairs[0]["record_metadata"].(map[string]any)["volume_size"] != 80.0 {
		t.Errorf("pairs %v", pairs)
	}
	l.want(l.get(cloudsim.EndpointSDRS, "/v1/{p}/replications/"+pairs[1]["id"].(string)), 200, `"replication_status":"active"`)
	instances := l.get(cloudsim.EndpointSDRS, "/v1/{p}/protected-instances?server_group_id="+id).list(t, "protected_instances")
	if len(instances) != 2 || instances[0]["status"] != "protected" {
		t.Errorf("instances %v", instances)
	}
	drills := l.get(cloudsim.EndpointSDRS, "/v1/{p}/disaster-recovery-drills?server_group_id="+id).list(t, "disaster_recovery_drills")
	if len(drills) != 1 || drills[0]["status"] != "available" {
		t.Errorf("drills %v", drills)
	}
	l.want(l.get(cloudsim.EndpointSDRS, "/v1/{p}/sdrs/quotas"), 200, `"type":"replications","used":3`)
	const statistics = "/v1/{p}/resource/rpo-statistics?resource_type=replication"
	l.want(l.get(cloudsim.EndpointSDRS, statistics), 200, `"resource_num":0`)
	l.want(l.get(cloudsim.EndpointSDRS, statistics+"&start_time=2999-01-01%2000%3A00%3A00.000"), 200, `{"count":0,"resource_rpo_statistics":[]}`)
	if err := l.cloud.SetFaultLevel(id, "5"); err != nil {
		t.Fatal(err)
	}
	l.want(l.get(cloudsim.EndpointSDRS, statistics+"&start_time=2000-01-01%2000%3A00%3A00.000"), 200, `"resource_num":2`)
	l.want(l.get(cloudsim.EndpointSDRS, "/"), 200, `"versions"`)
	l.want(l.get(cloudsim.EndpointSDRS, "/v1/{p}/task-center/failure-jobs"), 200, `{"count":0,"failure_jobs":[]}`)
	if got := l.get(cloudsim.EndpointSDRS, sdrsGroups+"?availability_zone=cn-north-4b").list(t, "server_groups"); len(got) != 1 || got[0]["name"] != "other" {
		t.Errorf("by zone: %v", got)
	}
}

func TestSDRSDrill(t *testing.T) {
	l := newLab(t, nil)
	id := must(t)(l.cloud.AddSDRS(cloudsim.SDRSGroup{Source: northA, Target: northB, Pairs: 1}))
	l.want(l.post(cloudsim.EndpointSDRS, "/v1/{p}/disaster-recovery-drills", `{"disaster_recovery_drill":{"server_group_id":"`+id+`","name":"spring"}}`), 200, "job_id")
	drills := l.get(cloudsim.EndpointSDRS, "/v1/{p}/disaster-recovery-drills").list(t, "disaster_recovery_drills")
	if drills[0]["status"] != "creating" {
		t.Fatalf("drill %v", drills[0])
	}
	one := "/v1/{p}/disaster-recovery-drills/" + drills[0]["id"].(string)
	l.want(l.send(l.huawei(cloudsim.EndpointSDRS, "DELETE", one, "")), 400, "SDRS.1922")
	l.clock.move(time.Minute)
	l.want(l.get(cloudsim.EndpointSDRS, one), 200, `"status":"available"`)
	l.want(l.send(l.huawei(cloudsim.EndpointSDRS, "DELETE", one, "")), 200, "job_id")
	l.clock.move(time.Minute)
	l.want(l.get(cloudsim.EndpointSDRS, one), 400, "SDRS.1902")
}

func TestSDRSDrillFails(t *testing.T) {
	l := newLab(t, nil)
	id := must(t)(l.cloud.AddSDRS(cloudsim.SDRSGroup{Source: northA, Target: northB, Pairs: 1}))
	const all = "/v1/{p}/disaster-recovery-drills"
	status := func() any { return l.get(cloudsim.EndpointSDRS, all).list(t, "disaster_recovery_drills")[0]["status"] }
	addFault(t, l, cloudsim.Fault{Operation: "CreateDisasterRecoveryDrill", Count: 1, Fate: cloudsim.Fails})
	job := l.want(l.post(cloudsim.EndpointSDRS, all, `{"disaster_recovery_drill":{"server_group_id":"`+id+`","name":"spring"}}`), 200, "job_id").doc["job_id"].(string)
	l.clock.move(time.Minute)
	if got := status(); got != "error" {
		t.Errorf("a drill that failed to start is %s", got)
	}
	l.want(l.get(cloudsim.EndpointSDRS, "/v1/{p}/jobs/"+job), 200, `"status":"FAIL"`)
	l.want(l.get(cloudsim.EndpointSDRS, "/v1/{p}/task-center/failure-jobs?failure_status=createFail"), 200, job)

	one := all + "/" + l.get(cloudsim.EndpointSDRS, all).list(t, "disaster_recovery_drills")[0]["id"].(string)
	addFault(t, l, cloudsim.Fault{Operation: "DeleteDisasterRecoveryDrill", Count: 1, Fate: cloudsim.Fails})
	l.want(l.send(l.huawei(cloudsim.EndpointSDRS, "DELETE", one, "")), 200, "job_id")
	l.clock.move(time.Minute)
	if got := status(); got != "error-deleting" {
		t.Errorf("a drill that could not be deleted is %s", got)
	}
	held := addFault(t, l, cloudsim.Fault{Operation: "DeleteDisasterRecoveryDrill", Count: 1, Fate: cloudsim.Stuck})
	l.want(l.send(l.huawei(cloudsim.EndpointSDRS, "DELETE", one, "")), 200, "job_id")
	l.clock.move(time.Minute)
	if got := status(); got != "deleting" {
		t.Errorf("a drill that is held is %s", got)
	}
	l.cloud.ClearFault(held)
	l.clock.move(time.Minute)
	l.want(l.get(cloudsim.EndpointSDRS, one), 400, "SDRS.1902")
	l.wantStatus(id, "protected", northA)
}

func TestSDRSJobFails(t *testing.T) {
	l := newLab(t, nil)
	id := must(t)(l.cloud.AddSDRS(cloudsim.SDRSGroup{Source: northA, Target: northB, Pairs: 2}))
	addFault(t, l, cloudsim.Fault{Operation: "failover", Group: id, Count: 1, Fate: cloudsim.Fails})
	job := l.want(l.sdrsAct(id, `{"failover-server-group":{}}`), 200, "job_id").doc["job_id"].(string)
	l.clock.move(time.Minute)
	r := l.want(l.get(cloudsim.EndpointSDRS, "/v1/{p}/jobs/"+job), 200, "SDRS.1030")
	subs := r.doc["entities"].(map[string]any)["sub_jobs"].([]any)
	if r.doc["status"] != "FAIL" || subs[0].(map[string]any)["status"] != "SUCCESS" || subs[1].(map[string]any)["status"] != "FAIL" {
		t.Errorf("job %s", r.body)
	}
	l.wantStatus(id, "error-failing-over", northA)
	l.wantFailovers(id, 0)
	l.want(l.get(cloudsim.EndpointSDRS, "/v1/{p}/task-center/failure-jobs?failure_status=failoverFail"), 200, job)
	l.want(l.sdrsAct(id, `{"failover-server-group":{}}`), 200, "job_id")
	l.clock.move(time.Minute)
	l.wantFailovers(id, 1)
}

func addFault(t *testing.T, l *lab, f cloudsim.Fault) string {
	t.Helper()
	return must(t)(l.cloud.AddFault(f))
}
