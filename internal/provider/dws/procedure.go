package dws

import (
	"fmt"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/replication"
)

// What the vendor's pages say and its API does not tell.
const (
	noteSwitch = "The production cluster does not serve while the roles are swapped. Nothing is lost only if it is available until then."
	noteStart  = "While disaster recovery runs, neither cluster can be restored, scaled, upgraded, restarted or given a new password, and the standby cluster is billed."
	noteStop   = "Until it is started again nothing is replicated: what is written to production meanwhile is lost if production is."
	noteSwaps  = "The roles are swapped: once paused it looks like what a failover leaves, and drwatch will not start it again. Start it in the vendor's console then."
)

// onlyRecovery is what is left after a failover.
const onlyRecovery = "swapped roles and no replication: if it was paused after a switchover, start it in the vendor's console; after a failover DWS can only rebuild the relation by its call recovery, which drops the data of one of the two clusters: decide which data is to stay first. drwatch never makes that call, and starts nothing here, because it cannot tell the two cases apart"

// Procedure tells what an action consists of and judges its step on the group.
// Allowed statuses are those of the vendor's pages on each call. Plan.From and
// To of the incident are looked at.
func Procedure(a replication.Action, g replication.Group, inc replication.Incident) (replication.Procedure, error) {
	s := replication.Step{Action: a}
	var notes []string
	switch a {
	case replication.Failover:
		s = provider.FailoverStep(callFailover, g, inc.Plan, g.Ready)
	case replication.Switchover:
		s.Call, notes = callSwitchover, []string{noteSwitch}
		s.Ready = []replication.Condition{provider.StatusAllows(a, g.RawStatus, "running"), provider.AtFrom(g, inc.Plan), healthy(g)}
		s.Ready = append(s.Ready, provider.Pick(g.Ready, "clusters_known", "full_sync_done", "active_side_known")...)
		s.Done = provider.Protects(g, inc.Plan.To)
	case replication.Start:
		s.Call, notes = callStart, []string{noteStart}
		s.Ready = []replication.Condition{provider.StatusAllows(a, g.RawStatus, "unstart", "start_failed", "stopped"), notFailedOver(g)}
		s.Ready = append(s.Ready, provider.Pick(g.Ready, "clusters_known", "active_side_known")...)
		s.Done = provider.Protects(g, inc.Plan.To)
		s.Failed = provider.FailedWith(g.RawStatus, "start_failed")
	case replication.Stop:
		s.Call, notes = callPause, []string{noteStop}
		if rolesSwapped(g) {
			notes = append(notes, noteSwaps)
		}
		s.Ready = []replication.Condition{provider.StatusAllows(a, g.RawStatus, "running", "stop_failed")}
		s.Done = g.RawStatus == "stopped"
		s.Failed = provider.FailedWith(g.RawStatus, "stop_failed")
	case replication.Reprotect:
		return replication.Procedure{}, provider.NoSuchAction(onlyRecovery)
	case replication.StartDrill, replication.ClearDrill:
		return replication.Procedure{}, provider.NoSuchAction("DWS has no drills; try a recovery by hand, on a cluster that is restored from a snapshot")
	default:
		return replication.Procedure{}, provider.NoSuchAction(fmt.Sprintf("%q is no action on a disaster recovery", a))
	}
	return replication.Procedure{Steps: []replication.Step{s}, Notes: notes}, nil
}

// healthy: a planned switchover loses nothing only while production is
// available.
func healthy(g replication.Group) replication.Condition {
	c := replication.Condition{Name: "clusters_healthy", Value: "no fault", Threshold: "neither cluster tells a fault", OK: g.Fault == ""}
	if !c.OK {
		c.Value = g.Fault
	}
	return c
}

// notFailedOver: swapped roles without replication are what a failover leaves.
// A recovery that was switched over and then paused looks the same, and is
// refused too.
func notFailedOver(g replication.Group) replication.Condition {
	c := replication.Condition{Name: "not_failed_over", Value: "the roles are as they were created", Threshold: "not what a failover leaves", OK: !rolesSwapped(g)}
	if !c.OK {
		c.Value = g.RawStatus + " with swapped roles: " + onlyRecovery
	}
	return c
}

func rolesSwapped(g replication.Group) bool {
	return g.State == replication.FailedOver || !g.Target.IsZero() && g.Active == g.Target
}
