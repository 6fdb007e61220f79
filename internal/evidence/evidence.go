// Package evidence turns what the rules' evaluation says into what a decision is
// made on. It knows both languages and nothing else: no clocks, no samples, no
// store.
package evidence

import (
	"time"

	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/policy"
	"github.com/drwatch/drwatch/internal/replication"
)

// Observer is what a view needs to know of the observer whose evaluation it is.
type Observer struct {
	Mode replication.Mode // its ceiling over the rules' own
	// ActionTimeout is an account's bound on one mutating call.
	ActionTimeout func(account string) time.Duration
	// Told is a moment on the clock that the evaluation tells times by.
	Told func(time.Time) time.Time
}

// View is one rule of an evaluation as a decision needs it.
func (o Observer) View(r policy.RuleResult) failover.RuleView {
	v := failover.RuleView{Rule: ruleOf(r, o.Mode), Fitness: r.Fitness}
	if r.Err != nil {
		v.Err = r.Err.Error()
	}
	for _, t := range r.Targets {
		v.Targets = append(v.Targets, failover.Target{
			Group: *t.Target.Group, SourceSite: t.Target.SourceSite, TargetSite: t.Target.Standby(), ActiveSite: t.Target.ActiveSite,
			Vote: t.Vote, State: t.State, Since: t.Since, Value: t.Value, LastGood: t.LastGood, Unwatched: t.Unwatched, UntrueFor: t.UntrueFor,
			Skew: o.skew(t.Target.Group), Guards: t.Guards, GuardsUnknown: t.GuardsUnknown, ActionTimeout: o.ActionTimeout(t.Target.Group.Account),
		})
	}
	return v
}

// skew is how far the provider's clock was ahead of the one that times are told by.
func (o Observer) skew(g *replication.Group) time.Duration {
	if g.ReadAt.IsZero() || g.ProviderTime.IsZero() {
		return 0
	}
	return g.ProviderTime.Sub(o.Told(g.ReadAt))
}

// ruleOf is a rule as the decision needs it.
func ruleOf(r policy.RuleResult, ceiling replication.Mode) failover.Rule {
	f := r.Rule
	out := failover.Rule{
		Name: f.Name, Hash: r.Hash, Expr: policy.TriggerText(f), Mode: replication.Lowest(f.Mode, ceiling), Action: f.Action, For: f.For,
		SiteUnreachable: f.SiteUnreachable, After: f.After, Agree: f.Agree, Of: f.Of, VetoAny: f.VetoAny,
		LagUnknownAllow: f.Guards.LagUnknown == "allow", DataAgeUnder: f.Guards.DataAgeUnder, Cooldown: f.Guards.Cooldown,
		MaxConcurrent: f.Guards.MaxConcurrent, MaxPerHour: f.Guards.MaxPerHour, MaxFailures: f.Guards.MaxFailures,
		VetoWindow: f.VetoWindow, ExecutionTimeout: f.ExecutionTimeout, ApprovalTimeout: f.ApprovalTimeout, Approvals: f.Approvals,
	}
	if f.Guards.LagUnder != nil {
		out.LagUnder = *f.Guards.LagUnder
	}
	switch f.Fence.Kind {
	case "accept_split_brain":
		out.Fence = f.Fence.Kind + ": " + f.Fence.Reason
	default:
		out.Fence = f.Fence.Kind
	}
	return out
}
