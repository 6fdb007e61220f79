package policy

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/drwatch/drwatch/internal/replication"
	"github.com/drwatch/drwatch/internal/series"
)

// siteReachable is the metric of a site's reachability from here: 1 or 0.
const siteReachable = "drwatch_site_reachable"

// side is the evidence besides the trigger: what speaks against.
type side struct {
	fresh   []answer // vetoes that rest on fresh samples
	carried []answer // vetoes whose sample has since gone missing
	down    map[string]bool
	err     error
}

// sideEvidence asks for vetoes and for sites that are down. A lost sample takes
// neither away before the rule's `for` has passed: missing samples never turn a
// no into a yes.
func (e *Evaluator) sideEvidence(ctx context.Context, r *ruleState, at int64) side {
	s := side{down: e.sites.down(at, r.rule.For.Milliseconds())}
	for _, x := range r.program.vetoes {
		a, err := e.ask(ctx, e.store, x, at)
		if err != nil {
			s.err = fmt.Errorf("the veto is not known: %w", err)
			continue
		}
		s.fresh = append(s.fresh, a)
		if !e.anyMissing([]expr{x}, at) {
			continue
		}
		d := r.rule.For
		a, err = e.carry(ctx, x, at, series.Carry{Silence: d, Vanish: d, End: d, NaN: d})
		if err != nil {
			s.err = fmt.Errorf("the veto is not known: %w", err)
			continue
		}
		s.carried = append(s.carried, a)
	}
	return s
}

func (e *Evaluator) judge(r *ruleState, target tracked, at time.Time, ms int64, res *RuleResult, s side, g []guardAnswer) TargetResult {
	t, state, h := target.Target, target.state, &target.state.hold
	out := TargetResult{Target: *t}
	out.LastGood, out.Unwatched = e.lastGood(r, target, h, ms)
	out.Guards, out.GuardsUnknown = e.guards(r, t, at, g)
	if h.isFalse && res.Err == nil {
		out.UntrueFor = time.Duration(ms-h.falseSince) * time.Millisecond
	}
	firing := h.active && h.held(ms) >= r.rule.For.Milliseconds()
	if h.active {
		out.State, out.Since, out.Value = StatePending, e.store.Time(h.since), h.value
		if firing && !h.bridging {
			out.State = StateFiring
		}
	}
	verdict, why := e.verdict(r, t, h, firing, res, s)
	if verdict != state.verdict || state.since.IsZero() {
		state.verdict, state.since = verdict, at
	}
	out.Vote = replication.Vote{
		Observer: e.o.Observer, Site: e.o.Site, Rule: r.rule.Name, RuleHash: r.hash, Group: t.Group.Key,
		Verdict: verdict, Since: state.since, Value: out.Value, Evidence: why,
		Mode: replication.Lowest(e.o.Mode, r.rule.Mode), For: r.rule.For,
		TargetDown: t.Standby() != "" && s.down[t.Standby()],
	}
	return out
}

// verdict is the vote and one line on why.
func (e *Evaluator) verdict(r *ruleState, t *Target, h *hold, firing bool, res *RuleResult, s side) (replication.Verdict, string) {
	unfit := unfitness(res.Fitness)
	if why, ok := s.veto(t, unfit == ""); ok {
		return replication.Veto, why
	}
	if res.Err != nil {
		return replication.Abstain, "the trigger is not known: " + res.Err.Error()
	}
	switch {
	case !h.active:
		return "", ""
	case h.bridging:
		return replication.Pending, "samples are missing; keep_firing_for bridges them"
	case h.paused:
		return replication.Pending, "the trigger was not known at some moments; the timer stands"
	case !firing:
		return replication.Pending, fmt.Sprintf("true since %s, for %s is not over", stamp(e.store.Time(h.since)), r.rule.For)
	}
	for _, reason := range []string{unfit, e.standsWrong(t), errText(s.err)} {
		if reason != "" {
			return replication.Abstain, reason
		}
	}
	return replication.Go, fmt.Sprintf("true since %s, value %g", stamp(e.store.Time(h.since)), h.value)
}

// veto finds what speaks against acting on the target. An observer that is not
// fit has only what rests on fresh samples.
func (s side) veto(t *Target, fit bool) (string, bool) {
	for _, a := range s.fresh {
		if v, ok := a.says(t, true); ok {
			return fmt.Sprintf("%s is %g", written(v.Metric), v.F), true
		}
	}
	if !fit {
		return "", false
	}
	for _, a := range s.carried {
		if v, ok := a.says(t, true); ok {
			return fmt.Sprintf("%s was %g when samples went missing", v.Metric, v.F), true
		}
	}
	return "", false
}

// standsWrong tells why this observer may not say go for the target: it stands
// in the site that would be left, or that site is not known.
func (e *Evaluator) standsWrong(t *Target) string {
	switch {
	case t.ActiveSite == "":
		return "the group's active site is not known"
	case e.o.Site == t.ActiveSite:
		return "this observer stands in " + t.ActiveSite + ", the group's active site, which has no go"
	}
	return ""
}

func unfitness(fitness []replication.Condition) string {
	var bad []string
	for _, c := range fitness {
		if !c.OK {
			bad = append(bad, c.Name+": "+c.Value)
		}
	}
	if len(bad) == 0 {
		return ""
	}
	return "this observer is not fit to judge: " + strings.Join(bad, "; ")
}

// lastGood is the last moment production was known to be good: the site was
// reachable, or where that is not watched, the trigger was false. Where samples are
// missing it may have been good for longer than anybody knows: see blind.
func (e *Evaluator) lastGood(r *ruleState, target tracked, h *hold, ms int64) (at time.Time, unwatched bool) {
	site := r.rule.SiteUnreachable
	if site == "" {
		site = target.ActiveSite
	}
	good, bad, b := h.lastFalse, h.isTrue, h.blind
	if w := e.sites[site]; w != nil && w.lastUp != 0 {
		good, bad, b = w.lastUp, w.last != 1, w.blind
	}
	target.state.copying.look(target.Group.LastSync, ms, good, bad)
	if good == 0 {
		return time.Time{}, false
	}
	if until := target.state.copying.goodUntil(b, good); until != 0 {
		return e.store.Time(until), true
	}
	return e.store.Time(good), false
}

func stamp(t time.Time) string { return t.Format("15:04:05Z") }

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
