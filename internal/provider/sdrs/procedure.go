package sdrs

import (
	"fmt"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/replication"
)

// What the vendor's API does not tell, and wants.
const (
	noteStopped   = "The servers of the production site must be stopped first: the API does not tell whether they are, and SDRS refuses with SDRS.1319 or SDRS.1352 while one runs."
	noteReverse   = "Replication goes on in the other direction. Whether the servers at the new site start by themselves is not certain: start them, and look."
	noteReprotect = "Reprotection overwrites the disks at the other side with those of the present production site: what was written only there is lost. The servers there must be stopped: the API does not tell whether they are, and SDRS refuses with SDRS.1342 while one runs."
	noteStop      = "Until protection is started again nothing is replicated, and the group cannot be failed over."
	noteDrill     = "The drill makes servers, disks and a network of its own. They are billed until it is cleared with `drwatch drill clear`; drwatch clears none by itself."
	noteClear     = "The drill's servers and disks are deleted, with all that was written to them."
)

// Procedure tells what an action consists of and judges its step on the group.
// Allowed statuses and side effects are those of the vendor's pages on each
// call. Plan.From, To, Drill and KnownDrills of the incident are looked at, and
// its ID for the name of a drill.
func Procedure(a replication.Action, g replication.Group, inc replication.Incident) (replication.Procedure, error) {
	switch a {
	case replication.Failover:
		return one(provider.FailoverStep(callFailover, g, inc.Plan, g.Ready)), nil
	case replication.Switchover:
		return one(switchover(g, inc.Plan), noteStopped, noteReverse), nil
	case replication.Reprotect:
		return one(protect(a, g, inc.Plan, "failed-over", "error-reprotecting"), noteReprotect), nil
	case replication.Start:
		return one(protect(a, g, inc.Plan, "available", "error-starting")), nil
	case replication.Stop:
		return one(stop(g), noteStop), nil
	case replication.StartDrill:
		return one(startDrill(g, inc), noteDrill), nil
	case replication.ClearDrill:
		return one(provider.ClearDrillStep(callClearDrill, g, inc, "error-deleting"), noteClear), nil
	}
	return replication.Procedure{}, provider.NoSuchAction(fmt.Sprintf("%q is no action on a protection group", a))
}

func one(s replication.Step, notes ...string) replication.Procedure {
	return replication.Procedure{Steps: []replication.Step{s}, Notes: notes}
}

// switchover is the planned failover and failback.
func switchover(g replication.Group, p replication.Plan) replication.Step {
	ready := append([]replication.Condition{
		provider.StatusAllows(replication.Switchover, g.RawStatus, "protected", "error-reversing"), provider.AtFrom(g, p),
	}, provider.Pick(g.Ready, "has_pairs", "fault_level", "full_sync_done", "disks_present", "servers_present", "active_side_known")...)
	return replication.Step{
		Action: replication.Switchover, Call: callReverse, Ready: ready,
		Done: provider.Protects(g, p.To), Failed: provider.FailedWith(g.RawStatus, "error-reversing"),
	}
}

// protect is the start of protection, and its start again after a failover: one
// call, in different statuses. failure is the status of one that failed, from
// which it may be tried again.
func protect(a replication.Action, g replication.Group, p replication.Plan, from, failure string) replication.Step {
	ready := append([]replication.Condition{provider.StatusAllows(a, g.RawStatus, from, failure)}, provider.Pick(g.Ready, "has_pairs", "disks_present", "servers_present", "active_side_known")...)
	return replication.Step{
		Action: a, Call: callStart, Ready: ready,
		Done: provider.Protects(g, p.To), Failed: provider.FailedWith(g.RawStatus, failure),
	}
}

func stop(g replication.Group) replication.Step {
	return replication.Step{
		Action: replication.Stop, Call: callStop,
		Ready: []replication.Condition{provider.StatusAllows(replication.Stop, g.RawStatus, "protected", "error-stopping")},
		Done:  g.State == replication.ProtectionOff, Failed: provider.FailedWith(g.RawStatus, "error-stopping"),
	}
}

// startDrill wants a full copy too: before there is one, the vendor says, the
// servers of a drill may not come up.
func startDrill(g replication.Group, inc replication.Incident) replication.Step {
	ready := append([]replication.Condition{
		provider.StatusAllows(replication.StartDrill, g.RawStatus, "available", "protected", "failed-over", "error-starting", "error-stopping",
			"error-reversing", "error-reprotecting", "error-failing-over"),
	}, provider.Pick(g.Ready, "has_pairs", "full_sync_done", "disks_present", "servers_present")...)
	name := provider.DrillName(inc.ID)
	return provider.StartDrillStep(callStartDrill, g, inc, func(d replication.Drill) bool { return d.Name == name }, ready...)
}
