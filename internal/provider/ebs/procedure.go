package ebs

import (
	"fmt"
	"slices"
	"time"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/replication"
)

// What the vendor's API does not tell, and wants.
const (
	noteStopWrites = "EBS has no planned failover. Stop what writes at the production site before you ask: drwatch cannot stop it, waits until the recover point is newer than your asking, and fails over then; what is written later is lost."
	noteDetach     = "The disks at the old production site must be detached before they are replicated to: EBS refuses the reprotection otherwise, and drwatch tries it again."
	noteReprotect  = "Reprotection and start overwrite the disks at the other side with those of the present production site: what was written only there is lost."
	noteStop       = "Until it is started again nothing is replicated; a failover would bring up the last recover point."
	noteDrill      = "The drill makes a pay-as-you-go disk of each pair. The disks are billed until the drill is cleared with `drwatch drill clear`; drwatch clears none by itself."
	noteClear      = "The drill's disks are deleted, with all that was written to them."
)

// Procedure tells what an action consists of and judges its steps on the group.
// Allowed statuses are those of the vendor's pages on each call. Both directions
// are served: what is the recovery side follows from the group. Plan.From, To,
// Drill, KnownDrills and AskedAt of the incident are looked at, and what its
// last call was answered with.
func Procedure(a replication.Action, g replication.Group, inc replication.Incident) (replication.Procedure, error) {
	var p replication.Procedure
	switch a {
	case replication.Failover:
		p.Steps = []replication.Step{failover(g, inc.Plan, failoverStatuses)}
	case replication.Switchover:
		p.Steps = []replication.Step{planned(g, inc.Plan), reprotect(g, inc.Plan), start(g, inc.Plan)}
		p.Notes = []string{noteStopWrites, noteDetach, noteReprotect}
	case replication.Reprotect:
		p.Steps = []replication.Step{reprotect(g, inc.Plan), start(g, inc.Plan)}
		p.Notes = []string{noteDetach, noteReprotect}
	case replication.Start:
		p.Steps = []replication.Step{start(g, inc.Plan)}
	case replication.Stop:
		p.Steps, p.Notes = []replication.Step{stop(g)}, []string{noteStop}
	case replication.StartDrill:
		p.Steps, p.Notes = []replication.Step{drill(g, inc)}, []string{noteDrill}
	case replication.ClearDrill:
		p.Steps, p.Notes = []replication.Step{provider.ClearDrillStep(clearDrill, g, inc, "clear_failed")}, []string{noteClear}
	default:
		return p, provider.NoSuchAction(fmt.Sprintf("%q is no action on a replication pair-consistent group", a))
	}
	return p, nil
}

// failover is a person's: in either direction, where a rule's is only ever away
// from where production was at the creation.
func failover(g replication.Group, p replication.Plan, statuses []string) replication.Step {
	ready := append([]replication.Condition{provider.StatusAllows(replication.Failover, g.RawStatus, statuses...)},
		provider.Pick(g.Ready, "first_full_sync", "pairs_synced")...)
	return provider.FailoverStep(failoverGroup, g, p, ready)
}

// planned is the failover of a switchover: it waits for all that was written
// before the person asked. While it waits the group must replicate, or it would
// wait for ever.
func planned(g replication.Group, p replication.Plan) replication.Step {
	c := replication.Condition{
		Name: "recover_point", Value: pointText(g.LastSync), Threshold: "after " + pointText(p.AskedAt),
		OK: !p.AskedAt.IsZero() && g.LastSync.After(p.AskedAt),
	}
	statuses := failoverStatuses
	if !c.OK {
		statuses = []string{"normal", "syncing", "manual_syncing"}
	}
	s := failover(g, p, statuses)
	s.Waits = []replication.Condition{c}
	return s
}

func pointText(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format(time.RFC3339)
}

// reprotect is done as well when the group was started after it. Where
// production is cannot be told while it runs, nor when it failed.
func reprotect(g replication.Group, p replication.Plan) replication.Step {
	return replication.Step{
		Action: replication.Reprotect, Call: reprotectGroup,
		Ready: []replication.Condition{
			provider.StatusAllows(replication.Reprotect, g.RawStatus, "failovered"), at(g, p.To),
		},
		Done:   provider.Moved(g, p.To) && g.State != replication.FailedOver && g.State != replication.Errored,
		Failed: provider.FailedWith(g.RawStatus, "reprotect_failed"),
	}
}

func start(g replication.Group, p replication.Plan) replication.Step {
	return replication.Step{
		Action: replication.Start, Call: startGroup,
		Ready: []replication.Condition{
			provider.StatusAllows(replication.Start, g.RawStatus, "created", "stopped"), at(g, p.To), hasPairs(g),
		},
		Done: provider.Moved(g, p.To) && slices.Contains([]string{"initial_syncing", "syncing", "normal"}, g.RawStatus),
	}
}

func stop(g replication.Group) replication.Step {
	return replication.Step{
		Action: replication.Stop, Call: stopGroup,
		Ready:  []replication.Condition{provider.StatusAllows(replication.Stop, g.RawStatus, "normal", "syncing", "manual_syncing", "stop_failed")},
		Done:   g.RawStatus == "stopped",
		Failed: provider.FailedWith(g.RawStatus, "stop_failed"),
	}
}

// drill: the vendor names no statuses. After a failover the copy is production,
// and while the first copy is made there is none.
func drill(g replication.Group, inc replication.Incident) replication.Step {
	ready := append([]replication.Condition{
		provider.StatusAllows(replication.StartDrill, g.RawStatus, "normal", "syncing", "manual_syncing", "stopped"), at(g, inc.Plan.To),
	}, provider.Pick(g.Ready, "first_full_sync", "pairs_synced")...)
	return provider.StartDrillStep(startDrill, g, inc, func(d replication.Drill) bool {
		call := inc.LastCall()
		if call == nil {
			return false // nothing was sent: it is somebody else's
		}
		unanswered := call.Outcome == replication.OutcomeNone || call.Outcome == replication.Uncertain
		return call.JobID == d.ID || call.JobID == "" && unanswered
	}, ready...)
}

// at is the condition that it is known where production is, and that it is where
// the plan has it.
func at(g replication.Group, to replication.Location) replication.Condition {
	return replication.Condition{
		Name: "production_at", Value: orNotTold(g.Active.String()), Threshold: orNotTold(to.String()), OK: !to.IsZero() && g.Active == to,
	}
}

func hasPairs(g replication.Group) replication.Condition {
	n := 0
	for _, count := range g.Pairs {
		n += count
	}
	return replication.Condition{Name: "has_pairs", Value: fmt.Sprint(n), Threshold: "at least 1 replication pair", OK: n > 0}
}
