package ebs_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/provider/ebs"
	"github.com/drwatch/drwatch/internal/replication"
)

// operator calls two clouds: that of the secondary and that of the primary
// region.
func operator(t *testing.T, standby, primary *cloud) provider.Operator {
	t.Helper()
	o, err := ebs.NewOperator(secondary(standby), primary.settings())
	if err != nil {
		t.Fatal(err)
	}
	return o
}

var (
	beijing  = replication.Location{Region: "cn-beijing", Zone: "cn-beijing-a"}
	shanghai = replication.Location{Region: "cn-shanghai", Zone: "cn-shanghai-b"}
)

// replica is the group in a state, with production there; it was created to
// replicate from Beijing to Shanghai.
func replica(state replication.State, active replication.Location) replication.Group {
	return replication.Group{
		Key: replication.GroupKey{Provider: replication.AliyunEBS, ID: "pg-1"}, Source: beijing, Target: shanghai, Active: active, State: state,
		DrillList: []replication.Drill{{ID: "pg-drill-1", State: replication.DrillReady}},
	}
}

func operation(g replication.Group, to replication.Location) provider.Request {
	return provider.Request{GroupID: "pg-1", ClientToken: "token-1", Group: g, To: to, Drill: "pg-drill-1"}
}

// accepts answers each call as the vendor does.
func accepts() map[string]http.HandlerFunc {
	answers := map[string]http.HandlerFunc{"StartReplicaGroupDrill": body(200, `{"RequestId":"req-1","DrillId":"pg-drill-9"}`)}
	for _, call := range []string{"FailoverDiskReplicaGroup", "ReprotectDiskReplicaGroup", "StartDiskReplicaGroup", "StopDiskReplicaGroup", "ClearReplicaGroupDrill"} {
		answers[call] = body(200, `{"RequestId":"req-1"}`)
	}
	return answers
}

// The parameters of each call, and the region it goes to, in both directions.
func TestOperateOnTheWire(t *testing.T) {
	running, failedOver := replication.Replicating, replication.FailedOver
	group := map[string]string{"ReplicaGroupId": "pg-1", "ClientToken": "token-1"}
	reverse := map[string]string{"ReplicaGroupId": "pg-1", "ClientToken": "token-1", "ReverseReplicate": "true"}
	start := map[string]string{"ReplicaGroupId": "pg-1", "ClientToken": "token-1", "OneShot": "false"}
	drill := map[string]string{"GroupId": "pg-1", "ClientToken": "token-1"}
	cleared := map[string]string{"GroupId": "pg-1", "DrillId": "pg-drill-1"}
	for _, tt := range []struct {
		step   replication.Action
		group  replication.Group
		to     replication.Location
		call   string
		region string
		params map[string]string
	}{
		{replication.Failover, replica(running, beijing), shanghai, "FailoverDiskReplicaGroup", "cn-shanghai", group},
		{replication.Failover, replica(running, shanghai), beijing, "FailoverDiskReplicaGroup", "cn-beijing", group},
		{replication.Reprotect, replica(failedOver, shanghai), shanghai, "ReprotectDiskReplicaGroup", "cn-shanghai", reverse},
		{replication.Reprotect, replica(failedOver, beijing), beijing, "ReprotectDiskReplicaGroup", "cn-beijing", reverse},
		{replication.Start, replica(replication.ProtectionOff, beijing), beijing, "StartDiskReplicaGroup", "cn-beijing", start},
		{replication.Start, replica(replication.ProtectionOff, shanghai), shanghai, "StartDiskReplicaGroup", "cn-beijing", start},
		{replication.Stop, replica(running, beijing), beijing, "StopDiskReplicaGroup", "cn-beijing", group},
		{replication.Stop, replica(running, shanghai), shanghai, "StopDiskReplicaGroup", "cn-beijing", group},
		{replication.StartDrill, replica(running, beijing), beijing, "StartReplicaGroupDrill", "cn-shanghai", drill},
		{replication.StartDrill, replica(running, shanghai), shanghai, "StartReplicaGroupDrill", "cn-beijing", drill},
		{replication.ClearDrill, replica(running, beijing), beijing, "ClearReplicaGroupDrill", "cn-shanghai", cleared},
		{replication.ClearDrill, replica(running, shanghai), shanghai, "ClearReplicaGroupDrill", "cn-beijing", cleared},
		{replication.ClearDrill, replica(failedOver, shanghai), shanghai, "ClearReplicaGroupDrill", "cn-shanghai", cleared},
	} {
		t.Run(fmt.Sprintf("%s with production at %s", tt.step, tt.group.Active.Region), func(t *testing.T) {
			clouds := map[string]*cloud{"cn-shanghai": newCloud(t, accepts()), "cn-beijing": newCloud(t, accepts())}
			asked := 0
			req := operation(tt.group, tt.to)
			req.BeforeFirstByte = func() error { asked++; return nil }
			got := operator(t, clouds["cn-shanghai"], clouds["cn-beijing"]).Operate(t.Context(), tt.step, req)
			wantJob := map[bool]string{true: "pg-drill-9"}[tt.step == replication.StartDrill]
			if got.Outcome != replication.Accepted || got.Err != nil || got.RequestID != "req-1" || got.Date.IsZero() || got.JobID != wantJob || asked != 1 {
				t.Errorf("%+v, asked %d times before the first byte", got, asked)
			}
			for region, c := range clouds {
				if want := map[bool]int{true: 1}[region == tt.region]; len(c.seen) != want {
					t.Errorf("%d requests in %s", len(c.seen), region)
				}
			}
			calls := clouds[tt.region].asked(tt.call)
			if len(calls) != 1 {
				t.Fatalf("%d calls %s", len(calls), tt.call)
			}
			sent := map[string]string{}
			for _, name := range []string{"ReplicaGroupId", "GroupId", "DrillId", "ClientToken", "ReverseReplicate", "OneShot"} {
				if calls[0].Has(name) {
					sent[name] = calls[0].Get(name)
				}
			}
			if diff := cmp.Diff(tt.params, sent); diff != "" {
				t.Errorf("parameters (-want +got):\n%s", diff)
			}
			if calls[0].Get("method") != "POST /" || calls[0].Get("RegionId") != tt.region || calls[0].Get("Version") != "2021-07-30" {
				t.Errorf("sent %v", calls[0])
			}
		})
	}
}

// Groups between two zones have one region: what acts goes to the endpoint that
// acts.
func TestOperateWithinOneRegion(t *testing.T) {
	acting, own := newCloud(t, accepts()), newCloud(t, accepts())
	o, err := ebs.NewOperator(acting.settings(), own.settings())
	if err != nil {
		t.Fatal(err)
	}
	g := replica(replication.Replicating, beijing)
	g.Target = replication.Location{Region: "cn-beijing", Zone: "cn-beijing-b"}
	for i, step := range []replication.Action{replication.Failover, replication.Stop, replication.StartDrill} {
		if r := o.Operate(t.Context(), step, operation(g, g.Target)); r.Outcome != replication.Accepted || len(acting.seen) != i+1 || len(own.seen) != 0 {
			t.Errorf("%s: %+v after %d requests", step, r, len(acting.seen))
		}
	}
}

var steps = map[replication.Action]string{
	replication.Failover: "FailoverDiskReplicaGroup", replication.Reprotect: "ReprotectDiskReplicaGroup", replication.Start: "StartDiskReplicaGroup",
	replication.Stop: "StopDiskReplicaGroup", replication.StartDrill: "StartReplicaGroupDrill", replication.ClearDrill: "ClearReplicaGroupDrill",
}

func TestOperateOutcomes(t *testing.T) {
	code := func(status int, code string) http.HandlerFunc {
		return body(status, fmt.Sprintf(`{"RequestId":"r","HostId":"h","Code":%q,"Message":"key %s, server string to sign is:AccessKeyId%%3D%s%%26SecurityToken%%3DCAISexample%%2520token"}`, code, accessKey, accessKey))
	}
	for _, tt := range []struct {
		name   string
		answer http.HandlerFunc
		want   replication.Outcome
	}{
		{"as documented", body(200, `{"RequestId":"r","DrillId":"pg-drill-9"}`), replication.Accepted},
		{"200 with an empty object", body(200, `{}`), replication.Uncertain},
		{"200 with nothing", body(200, ``), replication.Uncertain},
		{"200 with HTML", body(200, `<html>`), replication.Uncertain},
		{"200 with an error", code(200, "OperationDenied"), replication.Uncertain},
		{"302", body(302, `{"RequestId":"r","DrillId":"pg-drill-9"}`), replication.Uncertain},
		{"403 OperationDenied.InvalidStatus", code(403, "OperationDenied.InvalidStatus"), replication.Rejected},
		{"403 OperationDenied.OperateNotAllowedForPrimary", code(403, "OperationDenied.OperateNotAllowedForPrimary"), replication.Rejected},
		{"404 NoSuchResource", code(404, "NoSuchResource"), replication.Rejected},
		{"400 InvalidParameter.Conflict", code(400, "InvalidParameter.Conflict"), replication.Rejected},
		{"400 Throttling.User", code(400, "Throttling.User"), replication.Throttled},
		{"403 of a code that only looks known", code(403, "ForbiddenByProxy"), replication.Uncertain},
		{"500 InternalError", code(500, "InternalError"), replication.Uncertain},
		{"504 RequestTimeout", code(504, "RequestTimeout"), replication.Uncertain},
		{"a cut connection", func(w http.ResponseWriter, _ *http.Request) {
			conn, _, _ := w.(http.Hijacker).Hijack()
			_ = conn.Close()
		}, replication.Uncertain},
	} {
		for step, call := range steps {
			t.Run(string(step)+" "+tt.name, func(t *testing.T) {
				c := newCloud(t, map[string]http.HandlerFunc{call: tt.answer})
				state := map[bool]replication.State{true: replication.FailedOver, false: replication.Replicating}[step == replication.Reprotect]
				got := operator(t, c, c).Operate(t.Context(), step, operation(replica(state, beijing), shanghai))
				if got.Outcome != tt.want || (got.Err == nil) != (tt.want == replication.Accepted) {
					t.Errorf("%+v, want %q", got, tt.want)
				}
				if got.Err != nil {
					secretsIn(t, fmt.Sprintf("%v %+v %#v", got.Err, got.Err, got))
				}
				if n := len(c.asked(call)); n != 1 || len(c.seen) != 1 {
					t.Errorf("%d requests were sent", n)
				}
			})
		}
	}
}

// A drill of which the id is not told would be billed without end.
func TestDrillThatIsNotNamedIsUncertain(t *testing.T) {
	for _, answer := range []string{`{"RequestId":"r"}`, `{"RequestId":"r","DrillId":""}`, `{"RequestId":"r","DrillId":7}`, `{"RequestId":"r","DrillId":"a/b"}`} {
		c := newCloud(t, map[string]http.HandlerFunc{"StartReplicaGroupDrill": body(200, answer)})
		r := operator(t, c, c).Operate(t.Context(), replication.StartDrill, operation(replica(replication.Replicating, beijing), beijing))
		if r.Outcome != replication.Uncertain || r.Err == nil || r.JobID != "" {
			t.Errorf("%s: %+v", answer, r)
		}
	}
}

func TestOperateThatIsNotSent(t *testing.T) {
	c := newCloud(t, accepts())
	lease := errors.New("the lease is too short")
	running := replica(replication.Replicating, beijing)
	for name, tt := range map[string]struct {
		step   replication.Action
		change func(*provider.Request)
		is     error
	}{
		"no call of the provider's":         {replication.Switchover, func(*provider.Request) {}, replication.ErrNoSuchAction},
		"an unknown step":                   {"reboot", func(*provider.Request) {}, replication.ErrNoSuchAction},
		"stopped before the first byte":     {replication.Stop, func(r *provider.Request) { r.BeforeFirstByte = func() error { return lease } }, lease},
		"an odd group id":                   {replication.Stop, func(r *provider.Request) { r.GroupID = "pg/1" }, nil},
		"no client token":                   {replication.Start, func(r *provider.Request) { r.ClientToken = "" }, nil},
		"a long client token":               {replication.StartDrill, func(r *provider.Request) { r.ClientToken = strings.Repeat("a", 65) }, nil},
		"a failover to nowhere":             {replication.Failover, func(r *provider.Request) { r.To = replication.Location{} }, nil},
		"a failover to a region not served": {replication.Failover, func(r *provider.Request) { r.To.Region = "cn-hangzhou" }, nil},
		"a group that tells no direction":   {replication.StartDrill, func(r *provider.Request) { r.Group.Active = replication.Location{} }, nil},
		"a group that tells no source":      {replication.Start, func(r *provider.Request) { r.Group.Source = replication.Location{} }, nil},
		"no drill":                          {replication.ClearDrill, func(r *provider.Request) { r.Drill = "" }, nil},
		"an odd drill":                      {replication.ClearDrill, func(r *provider.Request) { r.Drill = "a/b" }, nil},
		"a drill that was not listed":       {replication.ClearDrill, func(r *provider.Request) { r.Drill = "pg-drill-2" }, nil},
		"a drill of another group":          {replication.ClearDrill, func(r *provider.Request) { r.Group.Key.ID = "pg-2" }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			req := operation(running, shanghai)
			tt.change(&req)
			r := operator(t, c, c).Operate(t.Context(), tt.step, req)
			if r.Outcome != replication.NotSent || r.Err == nil || tt.is != nil && !errors.Is(r.Err, tt.is) {
				t.Errorf("%+v", r)
			}
		})
	}
	if len(c.seen) != 0 {
		t.Errorf("%d requests were sent", len(c.seen))
	}
}

func TestOperatorsSettingsAreChecked(t *testing.T) {
	c := newCloud(t, nil)
	odd := c.settings()
	odd.Region = "cn/../x"
	if _, err := ebs.NewOperator(odd, c.settings()); err == nil {
		t.Error("an odd secondary region passes")
	}
	if _, err := ebs.NewOperator(c.settings(), odd); err == nil {
		t.Error("an odd primary region passes")
	}
	if _, is := newActor(t, c.settings()).(provider.Operator); is {
		t.Error("an Actor can do what a person may")
	}
}

func TestDrills(t *testing.T) {
	page := func(next string, items ...string) string {
		return fmt.Sprintf(`{"RequestId":"r","NextToken":%q,"Drills":[%s]}`, next, strings.Join(items, ","))
	}
	item := func(id, status string) string {
		return fmt.Sprintf(`{"DrillId":%q,"GroupId":"pg-1","Status":%q,"RecoverPoint":1,"PairsInfo":[]}`, id, status)
	}
	drill := func(id, status string, state replication.DrillState) replication.Drill {
		return replication.Drill{ID: id, Status: status, State: state}
	}
	for _, tt := range []struct {
		name  string
		pages []string
		want  []replication.Drill // nil: an error
	}{
		{"none", []string{page("")}, []replication.Drill{}},
		{"two pages, one drill twice", []string{page("n", item("a", "executing"), item("b", "executed")), page("", item("b", "executed"), item("c", "clearing"))}, []replication.Drill{
			drill("a", "executing", replication.DrillStarting), drill("b", "executed", replication.DrillReady), drill("c", "clearing", replication.DrillClearing),
		}},
		{"failures, and what nobody documented", []string{page("", item("a", "execute_failed"), item("b", "clear_failed"), item("c", "resting"))}, []replication.Drill{
			drill("a", "execute_failed", replication.DrillFailed), drill("b", "clear_failed", replication.DrillFailed), drill("c", "resting", replication.DrillUnknown),
		}},
		{"no object", []string{page("", item("a", "executed"), `"b"`)}, nil},
		{"no id", []string{page("", `{"Status":"executed"}`)}, nil},
		{"an odd id", []string{page("", item("a/b", "executed"))}, nil},
		{"a number for the status", []string{page("", `{"DrillId":"a","Status":7}`)}, nil},
		{"another group's", []string{page("", `{"DrillId":"a","GroupId":"pg-2","Status":"executed"}`)}, nil},
		{"no list", []string{`{"RequestId":"r"}`}, nil},
		{"refused", []string{`{"RequestId":"r","Code":"Forbidden.RAM","Message":"no"}`}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := 0
			c := newCloud(t, map[string]http.HandlerFunc{"DescribeReplicaGroupDrills": func(w http.ResponseWriter, r *http.Request) {
				body(200, tt.pages[min(n, len(tt.pages)-1)])(w, r)
				n++
			}})
			got, err := newReader(t, c.settings()).(provider.DrillReader).Drills(t.Context(), "pg-1")
			if (err == nil) != (tt.want != nil) {
				t.Fatalf("%+v, %v", got, err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for _, q := range c.seen {
				if q.Get("GroupId") != "pg-1" || q.Get("RegionId") != "cn-beijing" {
					t.Errorf("asked %v", q)
				}
			}
			if len(c.seen) != len(tt.pages) {
				t.Errorf("%d requests", len(c.seen))
			}
		})
	}
	if _, err := newReader(t, newCloud(t, nil).settings()).(provider.DrillReader).Drills(t.Context(), "pg/1"); err == nil {
		t.Error("an odd id passes")
	}
}
