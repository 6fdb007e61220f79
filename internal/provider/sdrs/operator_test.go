package sdrs_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/provider/sdrs"
	"github.com/drwatch/drwatch/internal/replication"
)

const drillID = "0b9ea7d4-0c44-4f1a-8c4a-0000000d0001"

func operator(t *testing.T, url string) provider.Operator {
	t.Helper()
	o, err := sdrs.NewOperator(settings(url), settings(url))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// request is good for every step: the group has one drill, and production is to
// move to the target.
func request() provider.Request {
	source, target := replication.Location{Region: "cn-north-4", Zone: "cn-north-4a"}, replication.Location{Region: "cn-north-4", Zone: "cn-north-4b"}
	return provider.Request{
		GroupID: groupID, ClientToken: "not sent", To: target, Drill: drillID,
		Group: replication.Group{
			Key: replication.GroupKey{Provider: replication.HuaweiSDRS, ID: groupID}, Source: source, Target: target, Active: source,
			DrillList: []replication.Drill{{ID: drillID, State: replication.DrillReady}},
		},
	}
}

// calls are those of the steps, with their path below the project.
var calls = map[replication.Action]struct{ path, sent string }{
	replication.Failover:   {"/server-groups/" + groupID + "/action", "POST PATH {\"failover-server-group\":{}}\n"},
	replication.Switchover: {"/server-groups/" + groupID + "/action", "POST PATH {\"reverse-server-group\":{\"priority_station\":\"target\"}}\n"},
	replication.Reprotect:  {"/server-groups/" + groupID + "/action", "POST PATH {\"start-server-group\":{}}\n"},
	replication.Start:      {"/server-groups/" + groupID + "/action", "POST PATH {\"start-server-group\":{}}\n"},
	replication.Stop:       {"/server-groups/" + groupID + "/action", "POST PATH {\"stop-server-group\":{}}\n"},
	replication.StartDrill: {
		"/disaster-recovery-drills",
		"POST PATH {\"disaster_recovery_drill\":{\"server_group_id\":\"" + groupID + "\",\"name\":\"" + drillID + "\"}}\n",
	},
	replication.ClearDrill: {"/disaster-recovery-drills/" + drillID, "DELETE PATH"},
}

func TestOperateOnTheWire(t *testing.T) {
	if len(calls) != len(replication.Actions()) {
		t.Fatal("an action has no call")
	}
	for step, call := range calls {
		t.Run(string(step), func(t *testing.T) {
			c := newCloud(t)
			c.set(base+call.path, `{"job_id":"`+jobID+`"}`)
			asked := 0
			req := request()
			req.BeforeFirstByte = func() error { asked++; return nil }
			if r := operator(t, c.URL).Operate(t.Context(), step, req); r.Outcome != replication.Accepted || r.JobID != jobID || r.Err != nil || asked != 1 {
				t.Errorf("%+v, asked %d times before the first byte", r, asked)
			}
			want := []string{strings.Replace(call.sent, "PATH", base+call.path, 1)}
			if diff := cmp.Diff(want, c.asked()); diff != "" {
				t.Errorf("sent (-want +got):\n%s", diff)
			}
			if got := c.types[0]; got != "application/json;charset=UTF-8" {
				t.Errorf("content type %q", got)
			}
		})
	}
}

func TestSwitchoverBack(t *testing.T) {
	c := newCloud(t)
	c.set(base+"/server-groups/"+groupID+"/action", `{"job_id":"`+jobID+`"}`)
	req := request()
	req.To, req.Group.Active = req.Group.Source, req.Group.Target
	operator(t, c.URL).Operate(t.Context(), replication.Switchover, req)
	if got := c.asked(); len(got) != 1 || !strings.HasSuffix(got[0], "{\"reverse-server-group\":{\"priority_station\":\"source\"}}\n") {
		t.Errorf("sent %q", got)
	}
}

func TestOperateOutcomes(t *testing.T) {
	for body, want := range map[string]replication.Outcome{
		`{}`:                     replication.Uncertain,
		``:                       replication.Uncertain,
		`{"job_id":"a/b"}`:       replication.Uncertain,
		`{"job_id":"j-1"}`:       replication.Accepted,
		`202 {"job_id":"j-1"}`:   replication.Accepted,
		`302 {"job_id":"j-1"}`:   replication.Uncertain,
		`400 <html>bad request`:  replication.Uncertain,
		badRequest("SDRS.1002"):  replication.Rejected,
		badRequest("SDRS.1013"):  replication.Rejected,
		badRequest("SDRS.1319"):  replication.Rejected,
		badRequest("SDRS.1342"):  replication.Rejected,
		badRequest("SDRS.1352"):  replication.Rejected,
		badRequest("SDRS.1902"):  replication.Rejected,
		badRequest("SDRS.1913"):  replication.Rejected,
		badRequest("SDRS.1922"):  replication.Rejected,
		badRequest("SDRS.1029"):  replication.Uncertain, // it failed, perhaps half way
		badRequest("SDRS.9999"):  replication.Uncertain,
		badRequest("APIGW.0301"): replication.Rejected,
		`429 {"error_code":"APIGW.0308","error_msg":"m"}`:  replication.Throttled,
		`500 {"error":{"message":"m","code":"SDRS.0013"}}`: replication.Uncertain,
		`503 `: replication.Uncertain,
	} {
		for step, call := range calls {
			t.Run(string(step)+" "+body, func(t *testing.T) {
				c := newCloud(t)
				c.set(base+call.path, body)
				r := operator(t, c.URL).Operate(t.Context(), step, request())
				if r.Outcome != want || (r.Err == nil) != (want == replication.Accepted) || (r.JobID == "j-1") != (want == replication.Accepted) {
					t.Errorf("%+v, want %s", r, want)
				}
				if n := len(c.asked()); n != 1 {
					t.Errorf("%d requests", n)
				}
			})
		}
	}
}

func TestOperateThatIsCutIsUncertain(t *testing.T) {
	for step := range calls {
		var requests atomic.Int32
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			requests.Add(1)
			if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
				_ = conn.Close()
			}
		}))
		r := operator(t, server.URL).Operate(t.Context(), step, request())
		server.Close()
		if r.Outcome != replication.Uncertain || r.Err == nil || requests.Load() != 1 {
			t.Errorf("%s: %+v after %d requests", step, r, requests.Load())
		}
	}
}

func TestOperateThatIsNotSent(t *testing.T) {
	c := newCloud(t)
	lease := errors.New("the lease is too short")
	for name, tt := range map[string]struct {
		step   replication.Action
		change func(*provider.Request)
		is     error
	}{
		"an unknown step":                {"reboot", func(*provider.Request) {}, replication.ErrNoSuchAction},
		"stopped before the first byte":  {replication.Stop, func(r *provider.Request) { r.BeforeFirstByte = func() error { return lease } }, lease},
		"an odd group id":                {replication.Stop, func(r *provider.Request) { r.GroupID = "../x" }, nil},
		"an odd group id of a drill":     {replication.StartDrill, func(r *provider.Request) { r.GroupID = `x","drill_vpc_id":"` }, nil},
		"a switchover to nowhere":        {replication.Switchover, func(r *provider.Request) { r.To = replication.Location{} }, nil},
		"a switchover to another zone":   {replication.Switchover, func(r *provider.Request) { r.To.Zone = "cn-north-4c" }, nil},
		"a group of which none is known": {replication.Switchover, func(r *provider.Request) { r.Group, r.To = replication.Group{}, replication.Location{} }, nil},
		"a drill without a name":         {replication.StartDrill, func(r *provider.Request) { r.Drill = "" }, nil},
		"a drill of an odd name":         {replication.StartDrill, func(r *provider.Request) { r.Drill = `x"}` }, nil},
		"a drill of a long name":         {replication.StartDrill, func(r *provider.Request) { r.Drill = strings.Repeat("a", 65) }, nil},
		"no drill":                       {replication.ClearDrill, func(r *provider.Request) { r.Drill = "" }, nil},
		"an odd drill":                   {replication.ClearDrill, func(r *provider.Request) { r.Drill = "../server-groups/x" }, nil},
		"a drill that was not listed":    {replication.ClearDrill, func(r *provider.Request) { r.Group.DrillList = nil }, nil},
		"a drill of another group":       {replication.ClearDrill, func(r *provider.Request) { r.Group.Key.ID = "another" }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			req := request()
			tt.change(&req)
			r := operator(t, c.URL).Operate(t.Context(), tt.step, req)
			if r.Outcome != replication.NotSent || r.Err == nil || tt.is != nil && !errors.Is(r.Err, tt.is) {
				t.Errorf("%+v", r)
			}
		})
	}
	if asked := c.asked(); len(asked) != 0 {
		t.Errorf("sent %q", asked)
	}
}

// What a rule is given cannot be asked for more than a failover.
func TestActorIsNoOperator(t *testing.T) {
	a, err := sdrs.NewActor(settings("https://sdrs.example"))
	if err != nil {
		t.Fatal(err)
	}
	if _, is := a.(provider.Operator); is {
		t.Error("an Actor can do what a person may")
	}
}

func TestDrills(t *testing.T) {
	item := func(change object) object {
		o := object{"id": drillID, "name": "drwatch-1", "status": "available", "server_group_id": groupID, "drill_vpc_id": "v"}
		for k, v := range change {
			if o[k] = v; v == nil {
				delete(o, k)
			}
		}
		return o
	}
	path := base + "/disaster-recovery-drills"
	for _, tt := range []struct {
		name  string
		items []any
		want  []replication.Drill // nil: an error
	}{
		{"none", []any{}, []replication.Drill{}},
		{"one", []any{item(nil)}, []replication.Drill{{ID: drillID, Name: "drwatch-1", Status: "available", State: replication.DrillReady}}},
		{"of another group", []any{item(object{"server_group_id": "other"})}, []replication.Drill{}},
		{
			"every state",
			[]any{
				item(object{"id": "a", "status": "creating"}), item(object{"id": "b", "status": "deleting"}), item(object{"id": "c", "status": "error"}),
				item(object{"id": "d", "status": "error-deleting"}), item(object{"id": "e", "status": "resting"}), item(object{"id": "f", "status": nil, "name": nil}),
			},
			[]replication.Drill{
				{ID: "a", Name: "drwatch-1", Status: "creating", State: replication.DrillStarting},
				{ID: "b", Name: "drwatch-1", Status: "deleting", State: replication.DrillClearing},
				{ID: "c", Name: "drwatch-1", Status: "error", State: replication.DrillFailed},
				{ID: "d", Name: "drwatch-1", Status: "error-deleting", State: replication.DrillFailed},
				{ID: "e", Name: "drwatch-1", Status: "resting", State: replication.DrillUnknown},
				{ID: "f", State: replication.DrillUnknown},
			},
		},
		{"no object", []any{item(nil), "drill"}, nil},
		{"no id", []any{item(object{"id": nil})}, nil},
		{"an odd id", []any{item(object{"id": "a/b"})}, nil},
		{"no group", []any{item(object{"server_group_id": nil})}, nil},
		{"a number for the group", []any{item(object{"server_group_id": []int{7}})}, nil},
		{"a list for the name", []any{item(object{"name": []int{7}})}, nil},
		{"a list for the status", []any{item(object{"status": []int{7}})}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCloud(t)
			c.set(path, text(t, object{"disaster_recovery_drills": tt.items, "count": len(tt.items)}))
			got, err := reader(t, c).(provider.DrillReader).Drills(t.Context(), groupID)
			if (err == nil) != (tt.want != nil) {
				t.Fatalf("%+v, %v", got, err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if asked := c.asked(); len(asked) != 1 || asked[0] != "GET "+path+"?limit=500&offset=0&server_group_id="+groupID {
				t.Errorf("asked %q", asked)
			}
		})
	}
	c := newCloud(t)
	if _, err := reader(t, c).(provider.DrillReader).Drills(t.Context(), groupID); err == nil {
		t.Error("no error without the list")
	}
	if _, err := reader(t, c).(provider.DrillReader).Drills(t.Context(), "a/b"); err == nil || len(c.asked()) != 1 {
		t.Errorf("an odd id: %v, asked %q", err, c.asked())
	}
}
