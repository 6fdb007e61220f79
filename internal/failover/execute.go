package failover

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/drwatch/drwatch/internal/replication"
)

// execute takes an incident that nothing holds through its call: read the
// provider, decide again on what it says, intent, call, outcome, proof.
func (c *Controller) execute(ctx context.Context, election int64, rec replication.IncidentRecord) error {
	if late, err := c.cameLate(ctx, rec); err != nil {
		return err // what an earlier call did must be known before another
	} else if late != nil {
		return c.takeLate(ctx, election, rec, *late)
	}
	p, err := c.prepare(ctx, election, rec)
	if err != nil || p == nil {
		return err
	}
	if p.decision.Mode == replication.DryRun {
		return c.simulate(ctx, rec, *p)
	}
	if p.moved {
		return c.alreadyMoved(ctx, election, rec, *p)
	}
	by, why, over := c.waitsForPerson(rec, p.decision, p.cluster) // the mode may have fallen since
	switch {
	case over:
		return c.end(ctx, rec, replication.Aborted, why, true)
	case by != "":
		return c.hold(ctx, rec, p.decision, by, why)
	}
	return c.act(ctx, election, rec, *p)
}

// prepared is what a rehearsal and the real thing share: whatever guards the
// one guards the other (invariant 14).
type prepared struct {
	group    replication.Group
	cluster  replication.Cluster
	decision Decision
	moved    bool // the provider already shows the planned move
	limited  bool // max_per_hour bounds the rule
}

// prepare reads everything again under the claim. A nil result without error
// means the incident was held or ended.
func (c *Controller) prepare(ctx context.Context, election int64, rec replication.IncidentRecord) (*prepared, error) {
	group, err := c.o.Reader.Read(ctx, rec.Key())
	if err != nil {
		c.backOff(rec.ID)
		return nil, c.holdFor(ctx, rec, "provider_read", "the provider could not be read: "+err.Error())
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
	if moved(rec, group) { // there is nothing left to decide, and the rule may not know the group any more
		return &prepared{group: group, cluster: cluster, moved: true, decision: Decision{Mode: rec.Mode, Conditions: rec.Guards}}, nil
	}
	eval := c.State().Evaluation
	r, t, ok := find(eval, rec.Rule, rec.Key())
	if !ok || r.Rule.Hash != rec.RuleHash {
		return nil, fmt.Errorf("incident %s: its rule or target is gone, left to the next round", rec.ID)
	}
	p := &prepared{group: group, cluster: cluster, limited: r.Rule.MaxPerHour > 0}
	if group.Active != t.Group.Active {
		t.ActiveSite, t.TargetSite = "", ""
	}
	t.Group = group
	s := c.snapshot(election, r, t, cluster)
	s.Claim = &now
	p.decision = decided(s)
	if p.decision.Act {
		return p, nil
	}
	if !p.decision.Evidence {
		return nil, c.endOn(ctx, rec, p.decision, replication.Aborted, "the evidence is gone: "+describe(p.decision.Blocking()), false)
	}
	c.backOff(rec.ID)
	return nil, c.hold(ctx, rec, p.decision, p.decision.Blocking()[0].Name, describe(p.decision.Blocking()))
}

// holdFor holds without a decision, for what is no condition of the rule.
func (c *Controller) holdFor(ctx context.Context, rec replication.IncidentRecord, by, why string) error {
	return c.hold(ctx, rec, Decision{Mode: rec.Mode, Conditions: rec.Guards}, by, why)
}

// moved tells whether production already is where the plan wants it.
func moved(rec replication.IncidentRecord, g replication.Group) bool {
	if g.Active.IsZero() || g.Active != rec.Plan.To {
		return false
	}
	switch g.State {
	case replication.Switching, replication.Changing, replication.Unknown:
		return false // on its way, or in a status that nobody has documented
	default:
		return true
	}
}

// simulate ends a rehearsal: it has only read.
func (c *Controller) simulate(ctx context.Context, rec replication.IncidentRecord, p prepared) error {
	rec.Guards, rec.RPOSeconds = p.decision.Conditions, secondsOf(p.decision.RPO)
	if p.moved {
		return c.end(ctx, rec, replication.Simulated, fmt.Sprintf("dry run: the provider already shows %s at %s; nothing would have been sent", rec.Name, p.group.Active), true)
	}
	text := fmt.Sprintf("dry run: would have called failover of %s (%s) from %s to %s, %s", rec.Name, rec.Key(), rec.Plan.LostSite, rec.Plan.TargetSite, lossText(p.decision.RPO))
	return c.endOn(ctx, rec, p.decision, replication.Simulated, text, true)
}

func lossText(rpo *time.Duration) string {
	if rpo == nil {
		return "RPO not told by the provider"
	}
	return "RPO " + seconds(rpo.Round(time.Millisecond))
}

// alreadyMoved goes on to the proof without sending: somebody else, or a call
// of ours that was thought lost, has moved the group.
func (c *Controller) alreadyMoved(ctx context.Context, election int64, rec replication.IncidentRecord, p prepared) error {
	inc := rec.Incident
	inc.Phase, inc.HeldBy = replication.Verifying, ""
	rec, err := c.write(ctx, rec, replication.Write{Incident: inc}, "already_moved", fmt.Sprintf("the provider already shows %s at %s (%s): nothing is sent", rec.Name, p.group.Active, p.group.RawStatus))
	if err != nil {
		return err
	}
	return c.verify(ctx, election, rec)
}

// act writes the intent, sends the one call and writes its outcome.
func (c *Controller) act(ctx context.Context, election int64, rec replication.IncidentRecord, p prepared) error {
	sender, err := c.o.Senders.Sender(rec.Account)
	if err != nil {
		c.backOff(rec.ID)
		return c.holdFor(ctx, rec, "action_credentials", "the credentials that act could not be loaded: "+err.Error())
	}
	end, err := c.beginCall()
	if err != nil {
		return err
	}
	ended := sync.OnceFunc(end)
	defer ended()
	intentAt := c.o.Now()
	rec, err = c.intent(ctx, election, rec, p)
	if err != nil {
		return err
	}
	c.o.At("intent")
	need := time.Duration(rec.Plan.ActionTimeout) + sendWithin
	sent := sender.Failover(ctx, Order{
		Group: rec.Key(), Incident: rec.ID,
		BeforeFirstByte: func() error {
			if err := ctx.Err(); err != nil {
				return fmt.Errorf("the election this call was started under is over: not sent: %w", err)
			}
			err := c.maySend(election, intentAt, need)
			c.o.At("first_byte")
			return err
		},
	})
	c.o.At("sent")
	rec, err = c.outcome(ctx, rec, sent)
	if err != nil {
		return err
	}
	ended()
	c.o.At("outcome")
	if rec.Phase != replication.Verifying {
		return nil
	}
	return c.verify(ctx, election, rec)
}

// intent is durable before the call leaves (invariant 10). A freeze, an abort,
// a veto or a take-over committed before it wins.
func (c *Controller) intent(ctx context.Context, election int64, rec replication.IncidentRecord, p prepared) (replication.IncidentRecord, error) {
	inc := rec.Incident
	first := !inc.Counted()
	now := c.o.Now().UTC()
	if first {
		inc.ExecutedAt, inc.ExecutedClock = now, replication.Duration(p.cluster.Clock)
		inc.RPOSeconds = secondsOf(p.decision.RPO)
	}
	inc.Phase, inc.HeldBy, inc.Guards, inc.Mode = replication.Executing, "", p.decision.Conditions, p.decision.Mode
	take := inc.Slot < 0
	if take {
		inc.Slot = c.freeSlot(p.cluster, rec.Rule, inc.Plan.MaxConcurrent)
	}
	inc.Calls = append(append([]replication.Call(nil), inc.Calls...), replication.Call{
		Operation: string(inc.Action), Attempt: len(inc.Calls) + 1, StartedAt: now,
		ExpectedStatus: p.group.RawStatus, ExpectedActive: p.group.Active, ExpectedPairs: p.group.Pairs,
	})
	out, err := c.write(ctx, rec, replication.Write{
		Incident: inc, LeaderRev: election, Unfrozen: true, Unaborted: true, LimitStarts: first && p.limited,
		Votes:    &replication.VoteGuard{Revision: p.cluster.Revision, Votes: p.decision.Counted},
		TakeSlot: take, CountStart: first, Entry: p.decision.entry(),
	}, "intent", fmt.Sprintf("will call %s of %s (%s, %s), %s", inc.Action, rec.Name, rec.Key(), p.group.RawStatus, lossText(p.decision.RPO)))
	if err != nil && !errors.Is(err, replication.ErrConflict) { // it may be written all the same
		c.owe(rec, *inc.LastCall(), Sent{Outcome: replication.NotSent, Err: errors.New("the intent was written without an answer, and nothing was sent for it")})
	}
	return out, err
}

// freeSlot picks one of the rule's free slots at random: those that start at the
// same moment then rarely want the same one. With none free the lowest is
// named, and the write that takes it is refused.
func (c *Controller) freeSlot(cluster replication.Cluster, rule string, slots int) int {
	var free []int
	for n := range slots {
		if _, taken := cluster.Slots[rule][n]; !taken {
			free = append(free, n)
		}
	}
	if len(free) == 0 {
		return 0
	}
	return free[c.o.Rand(int64(len(free)))]
}

// outcome writes what is known of the call. It is written even when the
// election is over: the token still tells whether this observer may. The store
// may be away for a moment; what is known of a call is worth waiting for, because
// what is forgotten costs a wait of many minutes or ends ambiguous.
func (c *Controller) outcome(ctx context.Context, rec replication.IncidentRecord, sent Sent) (replication.IncidentRecord, error) {
	c.countSent(sent.Outcome)
	ctx = context.WithoutCancel(ctx)
	ended := c.o.Now()
	var err error
	for c.o.Now().Sub(ended) < outcomePatience {
		var out replication.IncidentRecord
		if out, err = c.writeOutcome(ctx, rec, sent, ended); err == nil {
			return out, nil
		}
		c.o.Logger.Error("the outcome of a call is not written yet", "incident", rec.ID, "outcome", sent.Outcome, "err", err)
		if rec, err = c.stillOurs(ctx, rec, err); err != nil && errors.Is(err, errTaken) {
			if c.leaveLate(ctx, rec, sent) != nil {
				c.owe(rec, *rec.LastCall(), sent)
			}
			return rec, err
		}
		if c.isStopping() {
			break
		}
		if e := c.o.Wait(ctx, time.Second); e != nil {
			return rec, e
		}
	}
	if call := rec.LastCall(); call != nil && sent.Outcome != replication.Uncertain {
		c.owe(rec, *call, sent)
	}
	return rec, err
}

// outcomePatience is how long an outcome is tried to be written.
const outcomePatience = time.Minute

var errTaken = errors.New("the incident was taken over")

// stillOurs reads the incident again after a write that did not succeed.
func (c *Controller) stillOurs(ctx context.Context, rec replication.IncidentRecord, cause error) (replication.IncidentRecord, error) {
	cluster, err := c.o.Store.Read(ctx)
	if err != nil {
		return rec, cause
	}
	now, ok := cluster.Incidents[rec.ID]
	if !ok || now.Token != rec.Token {
		return rec, fmt.Errorf("incident %s: %w", rec.ID, errTaken)
	}
	return now, cause
}

func (c *Controller) writeOutcome(ctx context.Context, rec replication.IncidentRecord, sent Sent, ended time.Time) (replication.IncidentRecord, error) {
	if call := rec.LastCall(); call == nil || call.Outcome != replication.OutcomeNone {
		return rec, nil // an earlier try was applied although it had no answer
	}
	cluster, err := c.o.Store.Read(ctx)
	if err != nil {
		return rec, fmt.Errorf("reading the coordination store: %w", err)
	}
	w, text := c.afterCall(cluster, rec, sent, ended)
	return c.write(ctx, rec, w, "outcome", text)
}

// setOutcome puts what is known of a call into it, and says it.
func setOutcome(call *replication.Call, sent Sent, ended time.Time) string {
	call.Outcome, call.Status, call.RequestID, call.JobID = sent.Outcome, sent.Status, sent.RequestID, sent.JobID
	call.EndedAt = ended.UTC()
	if sent.Err != nil {
		call.Error = sent.Err.Error()
	}
	text := fmt.Sprintf("call %d: %s", call.Attempt, sent.Outcome)
	if call.Error != "" {
		text += ": " + call.Error
	}
	return text
}

// afterCall is the transition that an outcome makes.
func (c *Controller) afterCall(cluster replication.Cluster, rec replication.IncidentRecord, sent Sent, ended time.Time) (replication.Write, string) {
	inc := rec.Incident
	inc.Calls = append([]replication.Call(nil), inc.Calls...)
	call := inc.LastCall()
	text := setOutcome(call, sent, ended)
	if until := call.StartedAt.Add(c.o.SignatureLife + c.o.Settle); sent.Outcome == replication.Uncertain {
		text += "; it may still arrive until " + until.UTC().Format("15:04:05Z") + ", and is not sent again before"
	}
	if inc.Person != nil {
		return c.afterOperation(cluster, inc), text
	}
	switch sent.Outcome {
	case replication.Accepted:
		inc.Phase = replication.Verifying
	case replication.NotSent, replication.Throttled:
		limit := time.Duration(inc.Plan.ExecutionTimeout)
		if limit > 0 && cluster.Clock-time.Duration(inc.ExecutedClock) >= limit {
			return c.ending(cluster, inc, replication.Failed, fmt.Sprintf("nothing could be sent within %s: %s", limit, call.Error)), text
		}
		c.backOff(rec.ID)
		inc.Phase, inc.HeldBy = replication.Held, string(sent.Outcome)
		return replication.Write{Incident: inc, FreeSlot: inc.Slot >= 0}, text
	case replication.Rejected:
		if uncertainCalls(rec) > 0 {
			// An earlier call may be why this one is refused: the group will tell.
			inc.Phase = replication.Verifying
			break
		}
		return c.ending(cluster, inc, replication.Failed, "the provider refused: "+call.Error), text
	default:
		call.Outcome = replication.Uncertain
		inc.Phase = replication.Verifying
	}
	return replication.Write{Incident: inc}, text
}

// ending is the write that ends an incident which may have acted. A failure
// latches the group until a person has looked (invariant 17).
func (c *Controller) ending(cluster replication.Cluster, inc replication.Incident, phase replication.Phase, why string) replication.Write {
	group := cluster.Groups[inc.Key()]
	group.OpenIncident = ""
	now := c.o.Now().UTC()
	inc.Phase, inc.HeldBy, inc.EndedAt = phase, "", now
	if phase == replication.Succeeded {
		group.Active = inc.Plan.To
		group.LastAction = &replication.LastAction{Incident: inc.ID, Action: inc.Action, At: now, Clock: cluster.Clock}
		if inc.Provider.Async() {
			group.Latch = &replication.Latch{Incident: inc.ID, At: now, Why: "failed over; a second call would be accepted by the provider", Rebase: true}
		}
	} else {
		inc.Error = why
		group.Latch = &replication.Latch{Incident: inc.ID, At: now, Why: string(phase) + ": " + why}
		if inc.LastCall() != nil {
			group.LastAction = &replication.LastAction{Incident: inc.ID, Action: inc.Action, At: now, Clock: cluster.Clock}
		}
	}
	return replication.Write{Incident: inc, Group: &group, FreeSlot: inc.Slot >= 0, CountFailed: phase != replication.Succeeded}
}

// backOff keeps an incident from being tried again at once.
func (c *Controller) backOff(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.retry[id]
	wait := min(time.Second<<min(r.attempt, 5), 30*time.Second)
	wait += time.Duration(c.o.Rand(int64(wait / 4)))
	c.retry[id] = retry{at: c.o.Now().Add(wait), attempt: r.attempt + 1}
}

func (c *Controller) retryAt(id string) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.retry[id].at
}

// resume goes on with an incident whose intent is written: this observer has
// restarted, was elected again, or lost the store in the middle.
func (c *Controller) resume(ctx context.Context, election int64, rec replication.IncidentRecord) error {
	late, err := c.cameLate(ctx, rec)
	switch {
	case err != nil:
		c.o.Logger.Warn("outcomes that came late could not be read", "incident", rec.ID, "err", err)
	case late != nil:
		return c.takeLate(ctx, election, rec, *late)
	}
	call := rec.LastCall()
	if call != nil && call.Outcome == replication.OutcomeNone {
		if sent, ok := c.owes(rec); ok {
			rec, err = c.outcome(ctx, rec, sent)
			if err != nil || rec.Phase != replication.Verifying {
				return err
			}
			return c.verify(ctx, election, rec)
		}
		rec, err = c.outcome(ctx, rec, Sent{Outcome: replication.Uncertain, Err: errors.New("drwatch ended between the intent and the outcome: the call may have left")})
		if err != nil {
			return err
		}
		if rec.Phase != replication.Verifying {
			return nil // its outcome was written after all, and it went on from there
		}
	}
	return c.verify(ctx, election, rec)
}
