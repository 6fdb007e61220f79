package evs

import (
	"fmt"
	"strings"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/replication"
)

// What the vendor's API does not tell, and wants.
const (
	noteStopped   = "Stop the servers that write at the production site first: the API tells nothing of them, and what they write while production moves may be lost."
	noteReprotect = "Reprotection overwrites the disks at the other side with those of the present production site: what was written only there is lost. Stop the servers there and detach the disks first; the API tells nothing of them."
	noteStop      = "Until it is started again nothing is replicated, and a failover would bring up the disks as they are now."
)

// Procedure tells what an action consists of and judges its step on the group.
// The vendor's pages tell when a failover, a reversal and a reprotection are
// allowed; a start and a stop are allowed here where they have something to do.
// Plan.From and To of the incident are looked at.
func Procedure(a replication.Action, g replication.Group, inc replication.Incident) (replication.Procedure, error) {
	status, copying, _ := strings.Cut(g.RawStatus, "/")
	available := provider.StatusAllows(a, status, "available")
	s := replication.Step{Action: a, Done: provider.Protects(g, inc.Plan.To)}
	var notes []string
	switch a {
	case replication.Failover:
		s = provider.FailoverStep(callFailover, g, inc.Plan, g.Ready)
	case replication.Switchover:
		s.Call, notes = callReverse, []string{noteStopped}
		s.Ready = []replication.Condition{available, replicationIs(copying, "active"), provider.AtFrom(g, inc.Plan)}
		s.Ready = append(s.Ready, provider.Pick(g.Ready, "has_pairs", "fault_level", "full_sync_done", "active_side_known")...)
		s.Failed = provider.FailedWith(status, "error_reversing")
	case replication.Reprotect:
		s.Call, notes = callReprotect, []string{noteReprotect}
		s.Ready = []replication.Condition{provider.StatusAllows(a, status, "failovered")}
		s.Ready = append(s.Ready, provider.Pick(g.Ready, "has_pairs", "active_side_known")...)
	case replication.Start:
		s.Call = callSync
		s.Ready = []replication.Condition{available, replicationIs(copying, "inactive", "active-stopped")}
		s.Ready = append(s.Ready, provider.Pick(g.Ready, "has_pairs", "active_side_known")...)
	case replication.Stop:
		s.Call, notes = callStop, []string{noteStop}
		s.Ready = []replication.Condition{available, replicationIs(copying, "active", "copying")}
		s.Done = g.State == replication.ProtectionOff
	case replication.StartDrill, replication.ClearDrill:
		return replication.Procedure{}, provider.NoSuchAction("EVS has no drills of replication consistency groups; try a recovery by hand, on disks that are made of snapshots of the standby disks")
	default:
		return replication.Procedure{}, provider.NoSuchAction(fmt.Sprintf("%q is no action on a replication consistency group", a))
	}
	return replication.Procedure{Steps: []replication.Step{s}, Notes: notes}, nil
}

// replicationIs is the condition on the second of the group's two words.
func replicationIs(copying string, allowed ...string) replication.Condition {
	c := provider.StatusAllows("", copying, allowed...)
	c.Name = "replication_status"
	return c
}
