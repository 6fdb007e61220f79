package sdrs_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/replication"
)

var (
	zoneA = replication.Location{Region: "cn-north-4", Zone: "cn-north-4a"}
	zoneB = replication.Location{Region: "cn-north-4", Zone: "cn-north-4b"}
)

func TestListReadsTheVendorsSample(t *testing.T) {
	c := newCloud(t)
	got, err := reader(t, c).List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	capacity := int64(140 << 30)
	two, one := 2, 1
	want := provider.Listing{Groups: []replication.Group{{
		Key:     replication.GroupKey{Provider: replication.HuaweiSDRS, ID: groupID},
		Account: "hw-compute", Name: "orders", Region: "cn-north-4",
		Source: zoneA, Target: zoneB, Active: zoneA,
		RawStatus: "protected", State: replication.Replicating,
		Pairs: map[string]int{"protected": 2}, Instances: &two, CapacityBytes: &capacity, Drills: &one,
		ReadAt: now,
	}}}
	ignore := cmpopts.IgnoreFields(replication.Group{}, "Ready", "ProviderTime")
	if diff := cmp.Diff(want, got, ignore); diff != "" {
		t.Errorf("List (-want +got):\n%s", diff)
	}
	if g := got.Groups[0]; !g.FailoverReady() || g.ProviderTime.IsZero() {
		t.Errorf("ready %v, provider time %v", g.Ready, g.ProviderTime)
	}
	wantAsked := []string{
		"GET " + base + "/server-groups?limit=500&offset=0",
		"GET " + base + "/replications?limit=500&offset=0",
		"GET " + base + "/protected-instances?limit=500&offset=0",
	}
	if diff := cmp.Diff(wantAsked, c.asked()); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

func TestReadAsksForOneGroup(t *testing.T) {
	c := newCloud(t)
	g, err := reader(t, c).Read(t.Context(), groupID)
	if err != nil {
		t.Fatal(err)
	}
	if g.Key.ID != groupID || !g.FailoverReady() {
		t.Errorf("read %v, ready %v", g.Key, g.Ready)
	}
	want := []string{
		"GET " + base + "/server-groups/" + groupID,
		"GET " + base + "/replications?limit=500&offset=0&server_group_id=" + groupID,
		"GET " + base + "/protected-instances?limit=500&offset=0&server_group_id=" + groupID,
	}
	if diff := cmp.Diff(want, c.asked()); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

func TestStates(t *testing.T) {
	tests := map[string]replication.State{
		"protected": replication.Replicating, "available": replication.ProtectionOff, "failed-over": replication.FailedOver,
		"failing-over": replication.Switching, "reversing": replication.Switching,
		"reprotecting": replication.Reprotecting, "starting": replication.Reprotecting,
		"creating": replication.Changing, "deleting": replication.Changing, "stopping": replication.Changing,
		"error": replication.Errored, "error-deleting": replication.Errored, "error-starting": replication.Errored,
		"error-stopping": replication.Errored, "error-reversing": replication.Errored,
		"error-failing-over": replication.Errored, "error-reprotecting": replication.Errored,
		"": replication.Unknown, "null": replication.Unknown, "PROTECTED": replication.Unknown, "error-something-new": replication.Unknown,
	}
	allowed := map[string]bool{"protected": true, "error-failing-over": true, "error-reversing": true}
	for status, want := range tests {
		t.Run(status, func(t *testing.T) {
			c := newCloud(t)
			c.setGroup(t, object{"status": status})
			g, err := reader(t, c).Read(t.Context(), groupID)
			if err != nil {
				t.Fatal(err)
			}
			if g.State != want || g.FailoverReady() != allowed[status] {
				t.Errorf("state %s, ready %v, want %s, %v", g.State, g.FailoverReady(), want, allowed[status])
			}
		})
	}
}

func TestPairsDecideHealth(t *testing.T) {
	tests := []struct {
		name  string
		group object
		pair  object
		state replication.State
		ready bool
		fault string
		off   string // the condition that does not hold
	}{
		{"fault 5 as text", nil, object{"fault_level": "5"}, replication.Replicating, false, "not allowed", "fault_level"},
		{"fault 5 as number", nil, object{"fault_level": 5}, replication.Replicating, false, "not allowed", "fault_level"},
		{"fault 2 advises a failover", nil, object{"fault_level": "2", "status": "fault"}, replication.Errored, true, "advised", ""},
		{"fault null", nil, object{"fault_level": nil}, replication.Replicating, true, "", ""},
		{"fault of no documented level", nil, object{"fault_level": "7"}, replication.Replicating, false, "not documented", "fault_level"},
		{"fault of a wrong type", nil, object{"fault_level": []int{5}}, replication.Replicating, false, "", "fault_level"},
		{"copying", nil, object{"replication_status": "copying", "progress": "40"}, replication.Syncing, false, "", "full_sync_done"},
		{"group copying", object{"replication_status": "copying"}, nil, replication.Syncing, false, "", "full_sync_done"},
		{"disk deleted", nil, object{"status": "invalid"}, replication.Errored, false, "", "disks_present"},
		{"failed over shows failed over whatever its pairs show", object{"status": "failed-over", "priority_station": "target"}, object{"status": "fault"}, replication.FailedOver, false, "", "status_allows_failover"},
		{"failing over shows that", object{"status": "failing-over"}, object{"status": "fault"}, replication.Switching, false, "", "status_allows_failover"},
		{"a pair of unknown group may be ours", nil, object{"server_group_id": []int{1}}, replication.Replicating, false, "", "fault_level"},
		{"side not told", object{"priority_station": nil}, nil, replication.Replicating, false, "", "active_side_known"},
		{"side of another kind", object{"priority_station": "cn-north-4a"}, nil, replication.Replicating, false, "", "active_side_known"},
		{"zone not told", object{"target_availability_zone": 7.5e3}, nil, replication.Replicating, true, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newCloud(t)
			c.setGroup(t, tt.group)
			c.setPairs(t, tt.pair)
			g, err := reader(t, c).Read(t.Context(), groupID)
			if err != nil {
				t.Fatal(err)
			}
			if g.State != tt.state || g.FailoverReady() != tt.ready {
				t.Errorf("state %s, ready %v, want %s, %v", g.State, g.Ready, tt.state, tt.ready)
			}
			if (tt.fault == "") != (g.Fault == "") || !strings.Contains(g.Fault, tt.fault) {
				t.Errorf("fault %q, want %q within", g.Fault, tt.fault)
			}
			for _, cond := range g.Ready {
				if cond.OK == (cond.Name == tt.off) && !(tt.off == "status_allows_failover" && !cond.OK) {
					t.Errorf("%s, want only %q not to hold", cond, tt.off)
				}
			}
		})
	}
}

// Some gateways write null as a text. It says as little as null does.
func TestNullAsText(t *testing.T) {
	c := newCloud(t)
	c.setGroup(t, object{
		"name": "null", "protected_status": "null", "replication_status": "null", "health_status": "null",
		"replication_num": "null", "protected_instance_num": "", "disaster_recovery_drill_num": "null",
	})
	c.setPairs(t, object{"fault_level": "null", "replication_status": "null", "progress": "null", "record_metadata": "null"})
	l, err := reader(t, c).List(t.Context())
	if err != nil || len(l.Groups) != 1 || len(l.Bad) != 0 {
		t.Fatalf("%+v, %v", l, err)
	}
	g := l.Groups[0]
	if g.State != replication.Replicating || !g.FailoverReady() || g.Name != "" || g.Fault != "" || g.Instances != nil || g.Drills != nil || g.CapacityBytes != nil {
		t.Errorf("%+v", g)
	}
}

func TestActiveSide(t *testing.T) {
	for station, want := range map[string]replication.Location{"source": zoneA, "target": zoneB, "": {}, "both": {}} {
		c := newCloud(t)
		c.setGroup(t, object{"priority_station": station})
		g, err := reader(t, c).Read(t.Context(), groupID)
		if err != nil || g.Active != want {
			t.Errorf("%q: active %v (%v), want %v", station, g.Active, err, want)
		}
	}
}

func TestDeletedServerOrNoPairsIsNotReady(t *testing.T) {
	c := newCloud(t)
	c.set(base+"/protected-instances", text(t, object{"protected_instances": []object{{"id": "inst-1", "status": "invalid", "server_group_id": groupID}}}))
	c.set(base+"/replications", `{"replications":[]}`)
	g, err := reader(t, c).Read(t.Context(), groupID)
	if err != nil {
		t.Fatal(err)
	}
	off := map[string]bool{}
	for _, cond := range g.Ready {
		if !cond.OK {
			off[cond.Name] = true
		}
	}
	if diff := cmp.Diff(map[string]bool{"servers_present": true, "has_pairs": true}, off); diff != "" {
		t.Errorf("conditions that do not hold (-want +got):\n%s", diff)
	}
	if g.CapacityBytes != nil {
		t.Errorf("capacity %d of no pairs", *g.CapacityBytes)
	}
}

// A server that cannot be read may be the one that was deleted.
func TestAServerThatCannotBeRead(t *testing.T) {
	for name, tt := range map[string]struct {
		counted any
		ready   bool
	}{
		"of this group":       {3, false},
		"of some group":       {nil, false},
		"not of this group":   {2, true},
		"of nobody knows how": {"many", false},
	} {
		c := newCloud(t)
		list := items(t, "instances.json", "protected_instances")
		c.set(base+"/protected-instances", text(t, object{"protected_instances": append(list, object{"id": "inst-3", "status": []int{1}, "server_group_id": groupID})}))
		c.setGroup(t, object{"protected_instance_num": tt.counted})
		g, err := reader(t, c).Read(t.Context(), groupID)
		if err != nil || g.FailoverReady() != tt.ready {
			t.Errorf("%s: ready %v, %v, want %t", name, g.Ready, err, tt.ready)
		}
	}
}

func TestProgress(t *testing.T) {
	c := newCloud(t)
	c.setGroup(t, object{"status": "failing-over", "progress": 40})
	g, err := reader(t, c).Read(t.Context(), groupID)
	if err != nil || g.Progress == nil || *g.Progress != 0.4 {
		t.Errorf("progress %v (%v), want 0.4", g.Progress, err)
	}
	c.setGroup(t, object{"status": "protected", "progress": 40})
	if g, err = reader(t, c).Read(t.Context(), groupID); err != nil || g.Progress != nil {
		t.Errorf("progress %v (%v) of nothing", g.Progress, err)
	}
	c.setPairs(t, object{"replication_status": "copying", "progress": 25})
	if g, err = reader(t, c).Read(t.Context(), groupID); err != nil || g.Progress == nil || *g.Progress != 0.25 {
		t.Errorf("progress %v (%v), want 0.25", g.Progress, err)
	}
}

func TestOneBadItemLeavesTheOthers(t *testing.T) {
	c := newCloud(t)
	good := items(t, "groups.json", "server_groups")[0]
	c.set(base+"/server-groups", text(t, object{"server_groups": []any{
		"no object", object{"id": 7.5}, object{"id": "../x"}, object{"id": "odd", "status": []int{1}, "replication_num": "two"}, good,
	}}))
	got, err := reader(t, c).List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Groups) != 2 || got.Groups[1].Key.ID != groupID || !got.Groups[1].FailoverReady() {
		t.Errorf("groups %+v, want the odd and the good one", got.Groups)
	}
	if g := got.Groups[0]; g.State != replication.Unknown || g.FailoverReady() {
		t.Errorf("the odd one: %s, ready %v", g.State, g.FailoverReady())
	}
	want := map[string]int{"server_groups": 1, "id": 2, "status": 1, "replication_num": 1}
	if diff := cmp.Diff(want, got.Bad); diff != "" {
		t.Errorf("bad (-want +got):\n%s", diff)
	}
}

func TestAnswersThatAreNoListing(t *testing.T) {
	for _, path := range []string{"/server-groups", "/replications", "/protected-instances"} {
		for name, body := range map[string]string{
			"{}": "{}", "empty": "", "HTML": "<html>", "null": `{"server_groups":null,"replications":null,"protected_instances":null}`,
			"no list": `{"server_groups":{},"replications":{},"protected_instances":{}}`, "error": `400 {"error":{"code":"SDRS.0221","message":"limit"}}`,
		} {
			t.Run(path+" "+name, func(t *testing.T) {
				c := newCloud(t)
				c.set(base+path, body)
				if got, err := reader(t, c).List(t.Context()); err == nil {
					t.Errorf("believed: %+v", got)
				}
			})
		}
	}
	c := newCloud(t)
	c.set(base+"/server-groups", `{"server_groups":[],"count":0}`)
	if got, err := reader(t, c).List(t.Context()); err != nil || len(got.Groups) != 0 {
		t.Errorf("an empty account: %+v, %v", got, err)
	}
}

func TestPages(t *testing.T) {
	full := make([]object, 500)
	for i := range full {
		full[i] = object{"id": fmt.Sprintf("sg-%d", i), "status": "protected"}
	}
	c := newCloud(t)
	c.set(base+"/server-groups", text(t, object{"server_groups": full}))
	if _, err := reader(t, c).List(t.Context()); err == nil || !strings.Contains(err.Error(), "repeats a page") {
		t.Errorf("a page that repeats itself: %v", err)
	}
	if asked := c.asked(); len(asked) != 2 || asked[1] != "GET "+base+"/server-groups?limit=500&offset=500" {
		t.Errorf("asked %q", asked)
	}
}

func TestReadOfWhatIsNotThere(t *testing.T) {
	c := newCloud(t)
	c.set(base+"/server-groups/gone", `400 {"error":{"code":"SDRS.1013","message":"does not exist"}}`)
	if _, err := reader(t, c).Read(t.Context(), "gone"); !errors.Is(err, provider.ErrNotFound) {
		t.Errorf("%v, want not found", err)
	}
	c.set(base+"/server-groups/other", text(t, object{"server_group": object{"id": "another"}}))
	if _, err := reader(t, c).Read(t.Context(), "other"); err == nil || errors.Is(err, provider.ErrNotFound) {
		t.Errorf("%v, want an error about another group", err)
	}
	before := len(c.asked())
	for _, id := range []string{"", "a/../b", "a b", "x?y"} {
		if _, err := reader(t, c).Read(t.Context(), id); err == nil {
			t.Errorf("id %q was read", id)
		}
	}
	if len(c.asked()) != before {
		t.Error("an id that changes the path was sent")
	}
}

func TestTrack(t *testing.T) {
	tests := []struct {
		name, job, body string
		want            provider.JobState
		detail          []string
	}{
		{"running", jobID, file(t, "job_running.json"), provider.JobRunning, []string{"job RUNNING"}},
		{"not started", jobID, `{"status":"INIT"}`, provider.JobRunning, []string{"job INIT"}},
		{"done", jobID, `{"status":"SUCCESS","entities":{}}`, provider.JobDone, []string{"job SUCCESS"}},
		{"failed", jobID, file(t, "job_fail.json"), provider.JobFailed, []string{"SDRS.1030", "failover failed", "pair-2", "peer storage did not answer"}},
		{"failed without a word", jobID, `{"status":"FAIL","entities":{"sub_jobs":"?"}}`, provider.JobFailed, []string{"job FAIL"}},
		{"status nobody documented", jobID, `{"status":"PAUSED"}`, provider.JobNone, []string{"PAUSED", "not documented"}},
		{"job not known", jobID, `400 {"error":{"code":"SDRS.0408","message":"no such job"}}`, provider.JobNone, []string{"not known", "failing-over"}},
		{"job lost", "", "", provider.JobNone, []string{"group failing-over"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newCloud(t)
			c.setGroup(t, object{"status": "failing-over", "progress": 60})
			c.set(base+"/jobs/"+jobID, tt.body)
			p, err := reader(t, c).Track(t.Context(), groupID, tt.job)
			if err != nil {
				t.Fatal(err)
			}
			state := replication.Switching
			if tt.want == provider.JobRunning {
				state = "" // the group is not asked for while the job runs
			}
			if p.Job != tt.want || p.Group.State != state {
				t.Errorf("job %q, group %q, want %q, %q", p.Job, p.Group.State, tt.want, state)
			}
			for _, want := range tt.detail {
				if !strings.Contains(p.Detail, want) {
					t.Errorf("detail %q without %q", p.Detail, want)
				}
			}
		})
	}
	c := newCloud(t)
	c.setGroup(t, object{"status": "failing-over"})
	if p, err := reader(t, c).Track(t.Context(), groupID, "x/../../server-groups"); err != nil || p.Job != provider.JobNone || p.Group.State != replication.Switching {
		t.Errorf("a job id that changes the path: %+v, %v", p, err)
	}
	for _, asked := range c.asked() {
		if strings.Contains(asked, "..") || strings.Contains(asked, "jobs") {
			t.Errorf("a job id that changes the path was sent: %s", asked)
		}
	}
	for _, body := range []string{"{}", "", "<html>", `{"status":null}`} {
		c := newCloud(t)
		c.set(base+"/jobs/"+jobID, body)
		c.setGroup(t, object{"status": "failing-over"})
		p, err := reader(t, c).Track(t.Context(), groupID, jobID)
		if err != nil || p.Job != provider.JobNone || p.Group.State != replication.Switching || !strings.Contains(p.Detail, "could not be read") {
			t.Errorf("answer %q to a job: %+v, %v; want the group's own word and that the job is not known", body, p, err)
		}
	}
}
