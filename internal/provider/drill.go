package provider

import (
	"fmt"
	"slices"
	"strings"

	"github.com/drwatch/drwatch/internal/replication"
)

// maxDrillName is the longest name of a drill that SDRS takes, in bytes.
const maxDrillName = 64

// drillPrefix begins the name of each drill that drwatch starts.
const drillPrefix = "drwatch-"

// DrillName is the name of the drill that an incident starts: the same on every
// observer and after every restart, so that the drill is found again when the
// answer to the call was lost. It has only letters, digits, hyphens, dots and
// underscores, which SDRS wants.
func DrillName(incident string) string {
	name := drillPrefix + strings.Map(func(r rune) rune {
		if r < 128 && (r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || strings.ContainsRune("-._", r)) {
			return r
		}
		return '-'
	}, incident)
	return name[:min(len(name), maxDrillName)]
}

// StartedBy is the incident that started a drill of that name, "" when the name
// does not tell.
func StartedBy(name string) string {
	incident, ours := strings.CutPrefix(name, drillPrefix)
	if !ours || DrillName(incident) != name || len(name) == maxDrillName { // it may have been cut
		return ""
	}
	return incident
}

// DrillOf is the drill of that id among those that were listed for the group.
func DrillOf(g replication.Group, id string) (replication.Drill, bool) {
	i := slices.IndexFunc(g.DrillList, func(d replication.Drill) bool { return d.ID == id })
	if i < 0 || id == "" {
		return replication.Drill{}, false
	}
	return g.DrillList[i], true
}

// StartDrillStep judges the start of a drill. Only a drill that was not there
// at the claim can be the one that was asked for, and only if mine says so.
func StartDrillStep(call string, g replication.Group, inc replication.Incident, mine func(replication.Drill) bool, ready ...replication.Condition) replication.Step {
	s := replication.Step{Action: replication.StartDrill, Call: call, Ready: append(ready, drillsSettled(g))}
	for _, d := range g.DrillList {
		if slices.Contains(inc.Plan.KnownDrills, d.ID) || !mine(d) {
			continue
		}
		if d.State == replication.DrillReady {
			s.Done = true
		}
		if d.State == replication.DrillFailed {
			s.Failed = fmt.Sprintf("drill %s is %s: what it has made is billed until it is cleared", d.ID, d.Status)
		}
	}
	return s
}

// drillsSettled: the drills were read, and nothing is being done to any.
func drillsSettled(g replication.Group) replication.Condition {
	c := replication.Condition{Name: "drills_settled", Value: fmt.Sprintf("%d drills", len(g.DrillList)), Threshold: "none is being started or cleared", OK: g.DrillList != nil}
	if g.DrillList == nil {
		c.Value = "the drills were not read"
	}
	for _, d := range g.DrillList {
		if d.State != replication.DrillReady && d.State != replication.DrillFailed {
			c.OK, c.Value = false, fmt.Sprintf("drill %s is %s", d.ID, d.Status)
		}
	}
	return c
}

// ClearDrillStep judges the cleaning up of the plan's drill. failure is the
// status that a failed cleaning up leaves behind.
func ClearDrillStep(call string, g replication.Group, inc replication.Incident, failure string) replication.Step {
	if inc.Plan.Drill == "" {
		return replication.Step{Action: replication.ClearDrill, Call: call, Ready: []replication.Condition{noneNamed(g)}}
	}
	d, listed := DrillOf(g, inc.Plan.Drill)
	there := replication.Condition{Name: "drill_of_group", Value: "not listed", Threshold: "a drill of this very group", OK: listed}
	state := replication.Condition{
		Name: "drill_settled", Value: "not known", Threshold: "the drill is neither being started nor cleared",
		OK: d.State == replication.DrillReady || d.State == replication.DrillFailed,
	}
	if listed {
		there.Value, state.Value = d.ID, d.Status
	}
	s := replication.Step{Action: replication.ClearDrill, Call: call, Ready: []replication.Condition{there, state}}
	s.Done = g.DrillList != nil && !listed
	if listed {
		s.Failed = FailedWith(d.Status, failure)
	}
	return s
}

// noneNamed says why it is not known which drill is to be cleared.
func noneNamed(g replication.Group) replication.Condition {
	c := replication.Condition{Name: "drill_of_group", Threshold: "a drill of this very group"}
	switch n := len(g.DrillList); {
	case g.DrillList == nil:
		c.Value = "the drills were not read"
	case n == 0:
		c.Value = "the group has no drill"
	default:
		c.Value, c.Threshold = fmt.Sprintf("it has %d", n), "one of them named: --drill ID"
	}
	return c
}
