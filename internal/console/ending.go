package console

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/drwatch/drwatch/internal/api"
	"github.com/drwatch/drwatch/internal/replication"
)

// Ending says how an ended incident that a person asked for went, what still runs,
// and what is to be done about it. now is a plan that was made after it, nil when
// there is none: it tells how the group is.
func Ending(i replication.Incident, now *api.Plan) string {
	what := fmt.Sprintf("%s: %s of %s", i.Phase, Deed(i.Action), cmp.Or(i.Name, i.Group))
	if i.Phase == replication.Succeeded {
		return what + outcome(i, now)
	}
	why := strings.TrimRight(cmp.Or(i.Error, i.HeldBy, "no reason is told"), ".")
	out := fmt.Sprintf("%s: %s. Steps: %s.", what, why, progress(i))
	if i.Phase == replication.Ambiguous {
		out += " It is not known whether the provider acted: look at the group there. Nothing more is sent."
	}
	switch {
	case !i.Action.Moves() && i.Action != replication.Reprotect:
	case touched(i):
		out += fmt.Sprintf(" The group is latched until `drwatch ack %s --reason …`.", i.ID)
	default:
		out += " Nothing was done to the group, and it is not latched."
	}
	return out
}

// touched tells whether the group may be left half way: only calls that surely
// did nothing leave it as it was.
func touched(i replication.Incident) bool {
	for _, call := range i.Calls {
		switch call.Outcome {
		case replication.Rejected, replication.NotSent, replication.Throttled:
		default:
			return true
		}
	}
	return i.Step > 0
}

// outcome is what has been reached, and what goes on by itself.
func outcome(i replication.Incident, now *api.Plan) string {
	switch i.Action {
	case replication.Failover:
		return fmt.Sprintf(", production is at %s", orDash(i.Plan.To.String()))
	case replication.Switchover:
		return fmt.Sprintf(", production is at %s", orDash(i.Plan.To.String())) + copying(now)
	case replication.Reprotect:
		return ", it is protected again" + copying(now)
	case replication.Start:
		return ", replication has begun" + copying(now)
	case replication.StartDrill:
		if d := Started(i, now); d != nil {
			return fmt.Sprintf(", drill %s is %s", strings.TrimSpace(d.ID+" "+d.Name), cmp.Or(d.State, replication.DrillReady))
		}
		return fmt.Sprintf("; `drwatch drill clear %s --dry-run` lists it", cmp.Or(i.Name, i.Group))
	case replication.ClearDrill:
		return fmt.Sprintf(", drill %s is gone", orDash(i.Plan.Drill))
	default:
		return ""
	}
}

// copying tells how far replication is: it counts only when all has been copied.
func copying(now *api.Plan) string {
	switch {
	case now == nil:
		return ""
	case now.State == replication.Syncing:
		return fmt.Sprintf("; the copy to the other side is still under way (%s)", now.RawStatus)
	default:
		return fmt.Sprintf("; it is %s (%s)", now.State, now.RawStatus)
	}
}

// Started is the drill that an incident has started, among those of a plan that
// was made after it; nil when it is not there. EBS names the drill in the answer
// to the call, SDRS takes a name, which tells the incident.
func Started(i replication.Incident, now *api.Plan) *api.Drill {
	if now == nil || i.Action != replication.StartDrill {
		return nil
	}
	call := i.LastCall()
	for n, d := range now.Drills {
		if d.Incident == i.ID || call != nil && call.JobID == d.ID {
			return &now.Drills[n]
		}
	}
	return nil
}
