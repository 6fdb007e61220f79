package failover

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/drwatch/drwatch/internal/replication"
)

const (
	// askPatience is how long a person's action may wait to begin. What was asked
	// for at noon is not begun at night.
	askPatience = 10 * time.Minute
	// planPatience is how long it may take once it has begun, or waits for what
	// comes true by itself.
	planPatience = 24 * time.Hour
	// refusedEvery is how often a later step that the provider refuses is tried
	// again, at first and at most: a person has to do something for it.
	refusedEvery, refusedAtMost = time.Minute, 10 * time.Minute
)

// operate takes a person's incident through its steps, from the first that is
// not done. It ends early when the incident is held or has ended.
func (c *Controller) operate(ctx context.Context, election int64, rec replication.IncidentRecord) error {
	for {
		next, err := c.operateStep(ctx, election, rec)
		if err != nil || next == nil {
			return err
		}
		rec = *next
		if rec.Phase.Ended() {
			return nil
		}
	}
}

// operateStep begins the step that is next. A nil record without error means
// that the incident is held, has ended, or is verified elsewhere.
func (c *Controller) operateStep(ctx context.Context, election int64, rec replication.IncidentRecord) (*replication.IncidentRecord, error) {
	if c.isStopping() {
		return nil, nil
	}
	if rec.Abort != nil {
		return nil, c.endOperation(ctx, rec, replication.Aborted, fmt.Sprintf("aborted by %s: %s", rec.Abort.Who, rec.Abort.Reason))
	}
	if late, err := c.cameLate(ctx, rec); err != nil {
		return nil, err // what an earlier call did must be known before another
	} else if late != nil {
		return nil, c.takeLate(ctx, election, rec, *late)
	}
	group, err := c.readFor(ctx, rec)
	if err != nil {
		return nil, c.holdOperation(ctx, rec, "provider_read", "the provider could not be read: "+err.Error(), false)
	}
	c.o.At("read")
	cluster, err := c.o.Store.Read(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the coordination store under the claim: %w", err)
	}
	cluster = c.asSeenHere(cluster)
	now, ok := cluster.Incidents[rec.ID]
	if !ok || now.Token != rec.Token || now.Rev != rec.Rev {
		return nil, fmt.Errorf("incident %s: %w", rec.ID, replication.ErrConflict)
	}
	step, err := c.step(rec.Incident, group)
	switch {
	case err != nil:
		return nil, c.endOperation(ctx, rec, replication.Failed, err.Error())
	case step.Done && step.Action.Moves() && len(rec.Plan.Steps) > 1 && !mayHaveSent(rec.Incident, step.Action):
		return nil, c.movedByOthers(ctx, rec, group)
	case step.Done:
		return c.stepDone(ctx, rec, fmt.Sprintf("%s: the provider already shows it (%s): nothing is sent", step.Action, group.RawStatus))
	}
	if rule := c.neededBy(rec); rule != "" {
		return nil, c.endOperation(ctx, rec, replication.Aborted, "rule "+rule+" needs the group, and nothing has been done to it yet")
	}
	conditions := append(c.stepConditions(election, rec, group, cluster), step.Ready...)
	if step.Action.Moves() && group.Active == rec.Plan.From {
		conditions = append(conditions, c.sidesUp(rec.Action, group, rec.Plan.To, cluster)...)
	}
	if blocking := (Decision{Conditions: conditions}).Blocking(); len(blocking) > 0 {
		return nil, c.holdOperation(ctx, rec, blocking[0].Name, describe(blocking), false)
	}
	if blocking := (Decision{Conditions: step.Waits}).Blocking(); len(blocking) > 0 {
		c.mu.Lock()
		c.waited[rec.ID] = cluster.Clock
		c.mu.Unlock()
		return nil, c.holdOperation(ctx, rec, blocking[0].Name, describe(blocking), true)
	}
	return nil, c.send(ctx, election, rec, group, cluster, step, append(conditions, step.Waits...))
}

func (c *Controller) readFor(ctx context.Context, rec replication.IncidentRecord) (replication.Group, error) {
	g, err := c.o.Reader.Read(ctx, rec.Key())
	if err != nil {
		return g, err
	}
	return c.withDrills(ctx, rec.Action, g)
}

// step is the plan's next step, judged on the group.
func (c *Controller) step(inc replication.Incident, g replication.Group) (replication.Step, error) {
	p, err := c.o.Handbook.Procedure(inc.Action, g, inc)
	if err != nil {
		return replication.Step{}, err
	}
	if len(p.Steps) != len(inc.Plan.Steps) || inc.Step >= len(p.Steps) || p.Steps[inc.Step].Action != inc.Plan.Steps[inc.Step] {
		return replication.Step{}, fmt.Errorf("this version of drwatch has other steps for %s than those planned: finish it by hand", inc.Action)
	}
	return p.Steps[inc.Step], nil
}

// stepConditions are asked before every call of a plan.
func (c *Controller) stepConditions(election int64, rec replication.IncidentRecord, g replication.Group, cluster replication.Cluster) []replication.Condition {
	leads := cluster.Leader != nil && cluster.Leader.CreateRev == election
	mine := cluster.Groups[rec.Key()].OpenIncident == rec.ID
	there := !g.Active.IsZero() && (g.Active == rec.Plan.From || g.Active == rec.Plan.To)
	return []replication.Condition{
		{Name: "leader", Value: whoLeads(leads, cluster.Leader), Threshold: "this observer leads", OK: leads},
		c.mayOperate(rec.Account),
		frozenCondition(cluster.Freeze),
		{Name: "claim", Value: yesNo(mine), Threshold: "the group is claimed by this incident", OK: mine},
		{Name: "direction", Value: "production at " + orUnknown(g.Active.String()), Threshold: fmt.Sprintf("%s to %s", rec.Plan.From, rec.Plan.To), OK: there},
	}
}

func whoLeads(leads bool, leader *replication.Leader) string {
	switch {
	case leads:
		return "yes"
	case leader == nil:
		return "no, nobody does yet"
	}
	return "no, " + leader.Observer + " does: ask there"
}

// holdOperation holds, or ends what has waited for too long. waits tells that
// what is missing comes true by itself.
func (c *Controller) holdOperation(ctx context.Context, rec replication.IncidentRecord, by, why string, waits bool) error {
	limit := c.patienceLeft(rec.Incident, c.State().Cluster.Clock)
	if waits {
		limit = planPatience - (c.State().Cluster.Clock - time.Duration(rec.OpenedClock))
	}
	if limit <= 0 {
		return c.endOperation(ctx, rec, replication.Aborted, "not possible in time: "+why)
	}
	c.backOff(rec.ID)
	return c.hold(ctx, rec, Decision{Mode: rec.Mode, Conditions: rec.Guards}, by, why)
}

// send writes the intent of a step, sends its one call and writes the outcome.
func (c *Controller) send(ctx context.Context, election int64, rec replication.IncidentRecord, g replication.Group, cluster replication.Cluster, step replication.Step, guards []replication.Condition) error {
	operator, err := c.o.Operators.Operator(rec.Account)
	if err != nil {
		return c.holdOperation(ctx, rec, "action_credentials", "the credentials that act could not be loaded: "+err.Error(), false)
	}
	end, err := c.beginCall()
	if err != nil {
		return err
	}
	ended := sync.OnceFunc(end)
	defer ended()
	inc := rec.Incident
	now := c.o.Now().UTC()
	if inc.ExecutedAt.IsZero() {
		inc.ExecutedAt, inc.ExecutedClock = now, replication.Duration(cluster.Clock)
	}
	inc.Phase, inc.HeldBy, inc.Guards = replication.Executing, "", guards
	inc.Calls = append(append([]replication.Call(nil), inc.Calls...), replication.Call{
		Operation: string(step.Action), Attempt: len(inc.Calls) + 1, StartedAt: now,
		ExpectedStatus: shown(inc.Action, g), ExpectedActive: g.Active,
	})
	rec, err = c.write(ctx, rec, replication.Write{Incident: inc, LeaderRev: election, Unfrozen: true, Unaborted: true}, "intent",
		fmt.Sprintf("step %d of %d: will call %s for %s (%s, %s)", inc.Step+1, len(inc.Plan.Steps), step.Call, rec.Name, rec.Key(), g.RawStatus))
	if err != nil {
		return err
	}
	c.o.At("intent")
	need := time.Duration(rec.Plan.ActionTimeout) + sendWithin
	sent := operator.Operate(ctx, step.Action, Operation{
		Order: Order{Group: rec.Key(), Incident: rec.ID, BeforeFirstByte: func() error {
			if err := ctx.Err(); err != nil {
				return fmt.Errorf("the election this call was started under is over: not sent: %w", err)
			}
			err := c.maySend(election, now, need)
			c.o.At("first_byte")
			return err
		}},
		Group: g, To: rec.Plan.To, Drill: rec.Plan.Drill,
	})
	c.o.At("sent")
	if rec, err = c.outcome(ctx, rec, sent); err != nil {
		return err
	}
	ended()
	c.o.At("outcome")
	if rec.Phase != replication.Verifying {
		return nil
	}
	return c.verify(ctx, election, rec)
}

// afterOperation is the transition that the outcome of a step's call makes. The
// call is already in inc.
func (c *Controller) afterOperation(cluster replication.Cluster, inc replication.Incident) replication.Write {
	call := inc.LastCall()
	left := c.patienceLeft(inc, cluster.Clock)
	switch call.Outcome {
	case replication.Accepted:
		inc.Phase = replication.Verifying
	case replication.NotSent, replication.Throttled:
		if left <= 0 {
			return c.operationEnd(cluster, inc, replication.Failed, "nothing could be sent: "+call.Error)
		}
		c.backOff(inc.ID)
		inc.Phase, inc.HeldBy = replication.Held, string(call.Outcome)
	case replication.Rejected:
		switch {
		case unansweredInStep(inc) > 0:
			inc.Phase = replication.Verifying // an earlier call may be why: the group will tell
		case inc.Step == 0:
			return c.operationEnd(cluster, inc, replication.Failed, "the provider refused, and nothing has happened: "+call.Error)
		case left <= 0:
			return c.operationEnd(cluster, inc, replication.Failed, fmt.Sprintf("the provider refused %s for %s: %s", call.Operation, planPatience, call.Error))
		default:
			c.retryRefused(inc.ID)
			inc.Phase, inc.HeldBy = replication.Held, "provider_refused"
		}
	default:
		call.Outcome = replication.Uncertain
		inc.Phase = replication.Verifying
	}
	return replication.Write{Incident: inc}
}

// patienceLeft is how long the incident may still try. One that has done nothing
// is over soon, counted from when it was asked for or had to wait last.
func (c *Controller) patienceLeft(inc replication.Incident, clock time.Duration) time.Duration {
	opened := time.Duration(inc.OpenedClock)
	if inc.Step == 0 && harmless(inc) {
		c.mu.Lock()
		defer c.mu.Unlock()
		return askPatience - (clock - max(opened, c.waited[inc.ID]))
	}
	return planPatience - (clock - opened)
}

// neededBy names a rule that would act on the group this very moment, were it
// not for a person's action that has done nothing yet or never moves anything.
func (c *Controller) neededBy(rec replication.IncidentRecord) string {
	idle := rec.Step == 0 && harmless(rec.Incident)
	if !idle && (rec.Action.Moves() || rec.Action == replication.Reprotect) {
		return ""
	}
	for _, d := range c.State().Decisions {
		blocking := d.Blocking()
		if d.Group == rec.Key() && d.Mode != replication.DryRun && len(blocking) == 1 && blocking[0].Name == condNoIncident {
			return d.Rule
		}
	}
	return ""
}

// mayHaveSent tells whether a call of that step may have reached the provider.
func mayHaveSent(inc replication.Incident, step replication.Action) bool {
	for _, call := range inc.Calls {
		if call.Operation == string(step) && (call.Outcome == replication.Accepted || call.Outcome == replication.Uncertain || call.Outcome == replication.OutcomeNone) {
			return true
		}
	}
	return false
}

// movedByOthers ends a plan whose group somebody else has moved. What is left of
// the plan would overwrite the other side, which may have the only copy of the
// last writes.
func (c *Controller) movedByOthers(ctx context.Context, rec replication.IncidentRecord, g replication.Group) error {
	why := fmt.Sprintf("somebody else has moved %s to %s (%s): what is left of the plan would overwrite %s", rec.Name, g.Active, g.RawStatus, rec.Plan.From)
	ctx = context.WithoutCancel(ctx)
	cluster, err := c.o.Store.Read(ctx)
	if err != nil {
		return fmt.Errorf("reading the record of %s: %w", rec.Key(), err)
	}
	w := c.operationEnd(cluster, rec.Incident, replication.Aborted, why)
	now := c.o.Now().UTC()
	w.Group.Latch = &replication.Latch{Incident: rec.ID, At: now, Why: why, Rebase: true}
	w.Group.LastAction = &replication.LastAction{Incident: rec.ID, Action: replication.Failover, At: now, Clock: cluster.Clock}
	w.Group.Active, w.Group.Baseline = g.Active, ""
	_, err = c.write(ctx, rec, w, string(replication.Aborted), why)
	c.o.At("ended")
	return err
}

// retryRefused puts the next try of a refused step off, longer each time.
func (c *Controller) retryRefused(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.retry[id]
	c.retry[id] = retry{at: c.o.Now().Add(min(refusedEvery<<min(r.attempt, 4), refusedAtMost)), attempt: r.attempt + 1}
}

// unansweredInStep counts the calls of the present step of which no answer came.
func unansweredInStep(inc replication.Incident) int {
	n := 0
	for _, call := range inc.Calls {
		if call.Operation == string(inc.Plan.Steps[inc.Step]) && call.Outcome == replication.Uncertain {
			n++
		}
	}
	return n
}

// harmless tells that nothing the incident sent can have changed the group.
func harmless(inc replication.Incident) bool {
	for _, call := range inc.Calls {
		switch call.Outcome {
		case replication.Rejected, replication.NotSent, replication.Throttled:
		default:
			return false
		}
	}
	return true
}

// stepDone goes on to the next step, or ends the incident with the last.
func (c *Controller) stepDone(ctx context.Context, rec replication.IncidentRecord, why string) (*replication.IncidentRecord, error) {
	inc := rec.Incident
	inc.Step++
	w := replication.Write{}
	event := "step_done"
	if inc.Step == len(inc.Plan.Steps) {
		cluster, err := c.o.Store.Read(ctx)
		if err != nil {
			return nil, fmt.Errorf("reading the record of %s: %w", rec.Key(), err)
		}
		if inc.Action.Moves() {
			inc.VerifiedAt = c.o.Now().UTC()
			rto := inc.VerifiedAt.Sub(inc.Trigger.Since).Round(time.Millisecond).Seconds()
			inc.RTOSeconds = &rto
		}
		w, event = c.operationEnd(cluster, inc, replication.Succeeded, ""), string(replication.Succeeded)
	} else {
		inc.Phase, inc.HeldBy = replication.Held, "next_step"
		w.Incident = inc
		c.mu.Lock()
		delete(c.retry, rec.ID)
		c.mu.Unlock()
	}
	rec, err := c.write(context.WithoutCancel(ctx), rec, w, event, why)
	if err != nil {
		return nil, err
	}
	c.o.At("step_done")
	return &rec, nil
}

// endOperation ends a person's incident now.
func (c *Controller) endOperation(ctx context.Context, rec replication.IncidentRecord, phase replication.Phase, why string) error {
	ctx = context.WithoutCancel(ctx)
	cluster, err := c.o.Store.Read(ctx)
	if err != nil {
		return fmt.Errorf("reading the record of %s: %w", rec.Key(), err)
	}
	_, err = c.write(ctx, rec, c.operationEnd(cluster, rec.Incident, phase, why), string(phase), why)
	c.o.At("ended")
	return err
}

// endUnmoved ends an incident that the provider has proven to have failed. With
// production where it was there was no move, and no cool-down runs.
func (c *Controller) endUnmoved(ctx context.Context, rec replication.IncidentRecord, g replication.Group, why string) error {
	ctx = context.WithoutCancel(ctx)
	cluster, err := c.o.Store.Read(ctx)
	if err != nil {
		return fmt.Errorf("reading the record of %s: %w", rec.Key(), err)
	}
	w := c.operationEnd(cluster, rec.Incident, replication.Failed, why)
	if rec.Step == 0 && g.Active == rec.Plan.From {
		w.Group.LastAction = cluster.Groups[rec.Key()].LastAction
	}
	_, err = c.write(ctx, rec, w, string(replication.Failed), why)
	c.o.At("ended")
	return err
}

// operationEnd is the write that ends a person's incident. A move that has
// happened, or may have, starts the cool-down. A group that was left half way,
// or that the provider would fail over again, is latched; one that nothing
// happened to is not, nor one that was never to move: what the provider shows of
// it guards it.
func (c *Controller) operationEnd(cluster replication.Cluster, inc replication.Incident, phase replication.Phase, why string) replication.Write {
	group, now := cluster.Groups[inc.Key()], c.o.Now().UTC()
	group.OpenIncident = ""
	inc.Phase, inc.HeldBy, inc.EndedAt = phase, "", now
	touched := inc.Step > 0 || !harmless(inc)
	if inc.Action.Moves() && touched {
		group.LastAction = &replication.LastAction{Incident: inc.ID, Action: inc.Action, At: now, Clock: cluster.Clock}
		if inc.Step > 0 { // the first call that a plan makes is the one that moves
			group.Active, group.Baseline = inc.Plan.To, ""
		}
	}
	switch {
	case phase == replication.Succeeded && inc.Action == replication.Failover && inc.Provider.Async():
		group.Latch = &replication.Latch{Incident: inc.ID, At: now, Why: "failed over; a second call would be accepted by the provider", Rebase: true}
	case phase != replication.Succeeded && touched && (inc.Action.Moves() || inc.Action == replication.Reprotect):
		group.Latch = &replication.Latch{Incident: inc.ID, At: now, Why: string(phase) + " half way: " + why, Rebase: inc.Action.Moves()}
	}
	if phase != replication.Succeeded {
		inc.Error = why
	}
	return replication.Write{Incident: inc, Group: &group}
}
