package failover_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/replication"
)

// desk is what a person acts through: a provider with a plan of three steps for
// a switchover (failover, reprotect, start), as Alibaba Cloud has it, and drills.
type desk struct {
	*cloud
	sent    []string
	answers []func(step replication.Action) failover.Sent // nil: accepted
	synced  time.Duration                                 // how long after a question the recovery point passes it
	drills  []replication.Drill
	dark    map[replication.Location]bool // what the probes see of the sites
}

func (d *desk) Reachable(l replication.Location) (site string, up, known bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return l.String(), !d.dark[l], true
}

func (d *desk) Procedure(a replication.Action, g replication.Group, inc replication.Incident) (replication.Procedure, error) {
	one := func(step replication.Action, ready string, done bool) replication.Step {
		failed := map[bool]string{true: "the provider shows " + g.RawStatus}[g.RawStatus == "error-"+string(step)]
		return replication.Step{Action: step, Call: "Call" + string(step), Done: done, Failed: failed, Ready: []replication.Condition{
			{Name: "status_allows_" + string(step), Value: g.RawStatus, Threshold: ready, OK: strings.Contains(ready, g.RawStatus)},
		}}
	}
	there := g.Active == inc.Plan.To
	move := one(replication.Failover, "protected", there && inc.Action.Moves())
	back := one(replication.Reprotect, "failed-over", there && (g.RawStatus == "stopped" || g.RawStatus == "protected"))
	start := one(replication.Start, "stopped", g.RawStatus == "protected")
	switch a {
	case replication.Failover:
		return replication.Procedure{Steps: []replication.Step{move}}, nil
	case replication.Switchover:
		move.Waits = []replication.Condition{{Name: "recovery_point", Value: "x", OK: time.Since(inc.Plan.AskedAt) > d.synced}}
		return replication.Procedure{Steps: []replication.Step{move, back, start}}, nil
	case replication.Reprotect:
		return replication.Procedure{Steps: []replication.Step{back, start}}, nil
	case replication.Start:
		return replication.Procedure{Steps: []replication.Step{start}}, nil
	case replication.Stop:
		return replication.Procedure{Steps: []replication.Step{one(replication.Stop, "protected", g.RawStatus == "stopped")}}, nil
	case replication.StartDrill:
		s := replication.Step{Action: a, Call: "CallDrill"}
		for _, drill := range g.DrillList {
			if !slices.Contains(inc.Plan.KnownDrills, drill.ID) {
				s.Done = drill.State == replication.DrillReady
			}
		}
		return replication.Procedure{Steps: []replication.Step{s}, Notes: []string{"billed"}}, nil
	case replication.ClearDrill:
		at := func(d replication.Drill) bool { return d.ID == inc.Plan.Drill }
		there := slices.ContainsFunc(g.DrillList, at)
		return replication.Procedure{Steps: []replication.Step{{Action: a, Done: !there, Ready: []replication.Condition{{Name: "drill", OK: there}}}}}, nil
	}
	return replication.Procedure{}, replication.ErrNoSuchAction
}

func (d *desk) Drills(context.Context, replication.GroupKey) ([]replication.Drill, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.drills), nil
}

func (d *desk) Operator(string) (failover.Operator, error) { return d, nil }

func (d *desk) Operate(_ context.Context, step replication.Action, o failover.Operation) failover.Sent {
	signed := time.Now()
	if err := o.BeforeFirstByte(); err != nil {
		return failover.Sent{Outcome: replication.NotSent, Err: err}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if time.Since(signed) > 15*time.Minute {
		return failover.Sent{Outcome: replication.Rejected, Status: 401, Err: errors.New("the signature has expired")}
	}
	d.sent = append(d.sent, string(step))
	if n := len(d.sent) - 1; n < len(d.answers) && d.answers[n] != nil {
		return d.answers[n](step)
	}
	return d.obey(step)
}

// obey is the effect, and that the provider says so.
func (d *desk) obey(step replication.Action) failover.Sent {
	switch step {
	case replication.Failover:
		d.apply()
	case replication.Reprotect, replication.Stop:
		d.group.State, d.group.RawStatus = replication.ProtectionOff, "stopped"
	case replication.Start:
		d.group.State, d.group.RawStatus = replication.Replicating, "protected"
	case replication.StartDrill:
		d.drills = append(d.drills, replication.Drill{ID: fmt.Sprintf("d%d", len(d.sent)), State: replication.DrillReady})
	case replication.ClearDrill:
		d.drills = nil
	case replication.Switchover:
	}
	return failover.Sent{Outcome: replication.Accepted, Status: 200}
}

func (d *desk) calls() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.sent)
}

// office is a world whose rule is quiet, with a desk.
func office(t *testing.T, provider replication.Provider) (*world, *desk) {
	w := newWorld(t, provider, replication.Auto)
	w.rules.quiet()
	d := &desk{cloud: w.cloud}
	w.desk = d
	return w, d
}

var sre = replication.Person{Who: "sre", From: "127.0.0.1", Reason: "patch night"}

func asking(a replication.Action) failover.Ask {
	return failover.Ask{Group: replication.GroupKey{Provider: replication.AliyunEBS, ID: "g1"}, Action: a, Person: sre}
}
