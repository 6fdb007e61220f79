package provider

import (
	"fmt"
	"slices"
	"strings"

	"github.com/drwatch/drwatch/internal/replication"
)

// What the vendors' procedures have in common: how a step is judged on a group
// as it was read.

// NoSuchAction is ErrNoSuchAction with what a person can do instead.
func NoSuchAction(why string) error {
	return fmt.Errorf("%w: %s", replication.ErrNoSuchAction, why)
}

// Moved tells whether production is where a plan wants it and nothing that moves
// it is under way.
func Moved(g replication.Group, to replication.Location) bool {
	moving := g.State == replication.Switching || g.State == replication.Changing || g.State == replication.Unknown
	return !moving && !to.IsZero() && g.Active == to
}

// FailoverStep is the step of a failover, the same at all providers: ready are
// the provider's preconditions, to which the plan's direction comes. It is done
// when production has moved, and not when the group says that it failed on the
// way.
func FailoverStep(call string, g replication.Group, p replication.Plan, ready []replication.Condition) replication.Step {
	s := replication.Step{Action: replication.Failover, Call: call, Done: Moved(g, p.To) && !g.FailoverFailed}
	s.Ready = append(append(s.Ready, ready...), AtFrom(g, p))
	if g.FailoverFailed {
		s.Failed = "the provider shows " + g.RawStatus
	}
	return s
}

// Protects tells whether production is where a plan wants it and the group
// replicates, or makes its full copy.
func Protects(g replication.Group, to replication.Location) bool {
	return Moved(g, to) && (g.State == replication.Replicating || g.State == replication.Syncing)
}

// AtFrom is the condition that production still stands where the plan moves it
// from, and that the plan moves it to the other side.
func AtFrom(g replication.Group, p replication.Plan) replication.Condition {
	return replication.Condition{
		Name: "production_at_from", Value: orUnknown(g.Active), Threshold: fmt.Sprintf("%s, to move to %s", orUnknown(p.From), orUnknown(p.To)),
		OK: !p.From.IsZero() && !p.To.IsZero() && g.Active == p.From && g.Standby() == p.To,
	}
}

func orUnknown(l replication.Location) string {
	if l.IsZero() {
		return "unknown"
	}
	return l.String()
}

// StatusAllows is the condition that the provider allows the action in this
// status.
func StatusAllows(a replication.Action, status string, allowed ...string) replication.Condition {
	c := replication.Condition{Name: "status_allows_" + string(a), Value: status, Threshold: strings.Join(allowed, " or "), OK: slices.Contains(allowed, status)}
	if status == "" {
		c.Value = "not told"
	}
	return c
}

// Pick are the named ones of a group's conditions. One that is missing was not
// evaluated, and does not hold.
func Pick(all []replication.Condition, names ...string) []replication.Condition {
	picked := make([]replication.Condition, 0, len(names))
	for _, name := range names {
		i := slices.IndexFunc(all, func(c replication.Condition) bool { return c.Name == name })
		if i < 0 {
			picked = append(picked, replication.Condition{Name: name, Value: "not evaluated", Threshold: "evaluated"})
			continue
		}
		picked = append(picked, all[i])
	}
	return picked
}

// FailedWith is Step.Failed of a step whose failure, and nothing else, leaves
// one of these statuses behind.
func FailedWith(status string, failures ...string) string {
	if slices.Contains(failures, status) {
		return "the provider shows " + status
	}
	return ""
}
