package faults_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/api"
	"github.com/drwatch/drwatch/internal/cloudsim"
	"github.com/drwatch/drwatch/internal/replication"
)

// asked is one thing that a person does with a group, and how it ends.
type asked struct {
	action replication.Action
	active string               // where production is after it: "source" or "target"
	sent   []replication.Action // the calls that reach the cloud
	ack    bool                 // the group is latched after it, and acknowledged
}

// TestAPersonsWork takes a group of each provider through what a person does in
// a planned night: to the other side and back, protection off and on, a drill,
// and a failover with all that comes after it.
func TestAPersonsWork(t *testing.T) {
	t.Parallel()
	one := func(a replication.Action, active string) asked {
		return asked{action: a, active: active, sent: []replication.Action{a}}
	}
	to, back := one(replication.Switchover, "target"), one(replication.Switchover, "source")
	stop, on := one(replication.Stop, "source"), one(replication.Start, "source")
	drill, cleared := one(replication.StartDrill, "source"), one(replication.ClearDrill, "source")
	lost, again := one(replication.Failover, "target"), one(replication.Reprotect, "target")
	ebs := []replication.Action{replication.Failover, replication.Reprotect, replication.Start}
	latched := lost
	latched.ack = true
	days := map[replication.Provider][]asked{
		// One call protects and protects again; the cloud calls it start.
		replication.HuaweiSDRS: {to, back, stop, on, drill, cleared, lost, {action: replication.Reprotect, active: "target", sent: on.sent}},
		replication.HuaweiEVS:  {to, back, stop, on, lost, again},
		replication.HuaweiDWS:  {to, back, stop, on, latched},
		replication.AliyunEBS: {
			{action: replication.Switchover, active: "target", sent: ebs},
			{action: replication.Switchover, active: "source", sent: ebs},
			stop, on, drill, cleared, latched,
			{action: replication.Reprotect, active: "target", sent: ebs[1:]},
		},
	}
	lanes := lanesOf("person", replication.Providers()...)
	c := newField(t, time.Second, lanes...)
	d := start(t, c, setting{})
	for _, l := range lanes {
		t.Run(string(l.provider), func(t *testing.T) {
			from, to := l.places()
			for i, want := range days[l.provider] {
				before := len(effectsOn(c, l.id))
				drill := drillCalls[l.provider][want.action]
				drills := c.Calls(l.provider, drill)
				inc := d.asks(t, l, want.action)
				place := map[string]replication.Location{"source": from, "target": to}[want.active]
				var sent []replication.Action
				for _, e := range effectsOn(c, l.id)[before:] {
					sent = append(sent, replication.Action(e.Action))
				}
				if drill != "" {
					sent = slices.Repeat([]replication.Action{want.action}, c.Calls(l.provider, drill)-drills)
				}
				if inc.Phase != replication.Succeeded || fmt.Sprint(sent) != fmt.Sprint(want.sent) || inc.Person == nil || inc.Person.Who != "sre" {
					t.Fatalf("%d. %s: %s (%s), the cloud was sent %v; want %v by sre", i+1, want.action, inc.Phase, inc.HeldBy+inc.Error, sent, want.sent)
				}
				if inc.Plan.To != place && want.action.Moves() {
					t.Errorf("%d. %s: production at %s, want %s", i+1, want.action, inc.Plan.To, place)
				}
				eventually(t, 10*time.Second, fmt.Sprintf("%d. %s: latched is %v", i+1, want.action, want.ack), func() string {
					if g := d.group(t, l); (g.Latched != "") != want.ack {
						return fmt.Sprintf("%q", g.Latched)
					}
					return ""
				})
				if want.ack {
					if err := d.api.Answer(context.Background(), "ack", inc.ID, api.Reason{Who: "sre", Reason: "looked at it"}); err != nil {
						t.Fatal(err)
					}
				}
			}
		})
	}
}

// drillCalls are the calls about drills, by provider.
var drillCalls = map[replication.Provider]map[replication.Action]string{
	replication.HuaweiSDRS: {replication.StartDrill: "CreateDisasterRecoveryDrill", replication.ClearDrill: "DeleteDisasterRecoveryDrill"},
	replication.AliyunEBS:  {replication.StartDrill: "StartReplicaGroupDrill", replication.ClearDrill: "ClearReplicaGroupDrill"},
}

// effectsOn are the calls on a group that the cloud has accepted.
func effectsOn(c *cloudsim.Cloud, group string) []cloudsim.Effect {
	var out []cloudsim.Effect
	for _, e := range c.Effects() {
		if e.Kind == cloudsim.Called && e.Group == group {
			out = append(out, e)
		}
	}
	return out
}

// asks does what a person would: looks at the plan until it can be carried out,
// says yes, and waits for the end.
func (d *daemon) asks(t *testing.T, l *lane, a replication.Action) api.Incident {
	t.Helper()
	ask := api.Ask{Account: l.name, Group: l.id, Action: a, Reason: "planned night", Who: "sre", DryRun: true}
	var plan api.Plan
	eventually(t, 60*time.Second, fmt.Sprintf("%s of %s can be done", a, l.name), func() string {
		got, err := d.api.Act(context.Background(), ask)
		if err != nil {
			return err.Error()
		}
		plan = got.Plan
		if !plan.OK {
			return fmt.Sprint(plan.Conditions, plan.Steps)
		}
		return ""
	})
	ask.DryRun, ask.Active, ask.Drill = false, plan.Active, plan.Drill
	got, err := d.api.Act(context.Background(), ask)
	if err != nil || got.Incident == nil {
		t.Fatalf("%s of %s: %v", a, l.name, err)
	}
	var inc api.Incident
	eventually(t, 90*time.Second, fmt.Sprintf("%s of %s ends", a, l.name), func() string {
		inc, err = d.api.Incident(context.Background(), got.Incident.ID)
		if err != nil {
			return err.Error()
		}
		if !inc.Phase.Ended() {
			return string(inc.Phase) + " " + inc.HeldBy
		}
		return ""
	})
	return inc
}

// group is a lane's group as the API shows it.
func (d *daemon) group(t *testing.T, l *lane) api.Group {
	t.Helper()
	all, err := d.api.Groups(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range all {
		if g.Group == l.id {
			return g
		}
	}
	t.Fatalf("%s is not listed", l.id)
	return api.Group{}
}

// TestAPersonIsRefused: what cannot be done is named, and nothing is sent.
func TestAPersonIsRefused(t *testing.T) {
	t.Parallel()
	lanes := lanesOf("refused", replication.Providers()...)
	c := newField(t, time.Second, lanes...)
	d := start(t, c, setting{mode: "approve"})
	byProvider := map[replication.Provider]*lane{}
	for _, l := range lanes {
		byProvider[l.provider] = l
	}
	for _, tc := range []struct {
		provider replication.Provider
		action   replication.Action
		active   string
		why      string
	}{
		{replication.HuaweiDWS, replication.Reprotect, "", "recovery"},
		{replication.HuaweiDWS, replication.StartDrill, "", "no such action"},
		{replication.HuaweiEVS, replication.StartDrill, "", "no such action"},
		{replication.HuaweiSDRS, replication.Reprotect, "", "protected"},
		{replication.AliyunEBS, replication.Reprotect, "", "failovered"},
		{replication.HuaweiSDRS, replication.Start, "", "protected"},
		{replication.AliyunEBS, replication.ClearDrill, "", "drill"},
		{replication.HuaweiSDRS, replication.Failover, "elsewhere", "as_planned"},
	} {
		l := byProvider[tc.provider]
		got, err := d.api.Act(context.Background(), api.Ask{Group: l.name, Action: tc.action, Reason: "try", Who: "sre", Active: tc.active})
		text := fmt.Sprint(err, got.Plan)
		if err == nil || got.Incident != nil || !strings.Contains(text, tc.why) {
			t.Errorf("%s of %s: %s; want a refusal that names %q", tc.action, tc.provider, text, tc.why)
		}
	}
	for _, l := range lanes {
		if sent := effectsOn(c, l.id); len(sent) != 0 {
			t.Errorf("%s was sent %v", l.name, sent)
		}
	}
}

// TestAPersonUnderDryRun: a daemon whose ceiling is dry run shows the plan, and
// has nothing that could send it.
func TestAPersonUnderDryRun(t *testing.T) {
	t.Parallel()
	lanes := lanesOf("rehearsed", replication.HuaweiSDRS)
	c := newField(t, time.Second, lanes...)
	d := start(t, c, setting{mode: "dry_run"})
	got, err := d.api.Act(context.Background(), api.Ask{Group: lanes[0].name, Action: replication.Failover, DryRun: true})
	if err != nil || got.Plan.OK || len(got.Plan.Steps) != 1 {
		t.Errorf("%+v, %v; want a plan that is not to be carried out", got.Plan, err)
	}
	_, err = d.api.Act(context.Background(), api.Ask{Group: lanes[0].name, Action: replication.Failover, Reason: "try"})
	if err == nil || !strings.Contains(err.Error(), "can_act") || len(effectsOn(c, lanes[0].id)) != 0 {
		t.Errorf("%v; want it refused", err)
	}
}
