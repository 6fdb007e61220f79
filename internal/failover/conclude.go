package failover

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/drwatch/drwatch/internal/replication"
)

// leaveOperation ends the wait for a proof that is no longer to be waited for, or
// that a person has given up.
func (c *Controller) leaveOperation(ctx context.Context, rec replication.IncidentRecord) (bool, error) {
	if why := c.mayBeLeft(ctx, rec); why != "" {
		return true, c.endOperation(ctx, rec, replication.Ambiguous, why)
	}
	given := c.givenUp(rec)
	if given == nil {
		return false, nil
	}
	return true, c.endOperation(ctx, *given, replication.Ambiguous, gaveUp(*given))
}

// proofPatience is how long a drill, a start or a stop is watched for its proof.
const proofPatience = 2 * time.Hour

// mayBeLeft says why the wait for the proof of what moves nothing is over: a rule
// needs the group, or it has lasted too long. Nothing is latched by it; what the
// provider shows of the group guards it.
func (c *Controller) mayBeLeft(ctx context.Context, rec replication.IncidentRecord) (why string) {
	if rec.Action.Moves() || rec.Action == replication.Reprotect {
		return ""
	}
	if rule := c.neededBy(rec); rule != "" {
		why = fmt.Sprintf("rule %s needs the group: the proof of %s is not waited for any longer", rule, rec.Action)
	} else if c.o.Now().Sub(rec.LastCall().StartedAt) > proofPatience {
		why = fmt.Sprintf("the provider has not shown within %s what became of the call", proofPatience)
	}
	if why != "" && rec.Action == replication.Start && c.mayArrive(ctx, rec) {
		return "" // where one call protects and protects again, it would reprotect a group that has failed over
	}
	return why
}

// mayArrive tells whether a call of unknown outcome may still come to the provider,
// by the provider's own clock: this observer's may be another than that of the one
// that has sent it. It may while nobody tells the time.
func (c *Controller) mayArrive(ctx context.Context, rec replication.IncidentRecord) bool {
	call := rec.LastCall()
	if call.Outcome != replication.Uncertain {
		return false
	}
	g, err := c.o.Reader.Read(ctx, rec.Key())
	return err != nil || !g.ProviderTime.After(call.StartedAt.Add(c.o.SignatureLife+c.o.Settle))
}

func (c *Controller) track(ctx context.Context, rec replication.IncidentRecord) (Progress, error) {
	p, err := c.o.Reader.Track(ctx, rec.Key(), jobID(rec))
	if err != nil || p.Group.Key != rec.Key() {
		return p, err
	}
	p.Group, err = c.withDrills(ctx, rec.Action, p.Group)
	return p, err
}

// conclude acts on what one look proves, and tells whether it proved anything.
func (c *Controller) conclude(ctx context.Context, election int64, rec replication.IncidentRecord, p Progress, w watch) (bool, error) {
	step, err := c.step(rec.Incident, p.Group)
	if err != nil {
		return true, c.endOperation(ctx, rec, replication.Ambiguous, err.Error())
	}
	call := rec.LastCall()
	switch {
	case step.Done:
		next, err := c.stepDone(ctx, rec, doneText(step.Action, rec, p.Group))
		if err != nil || next.Phase.Ended() {
			return true, err
		}
		return true, c.operate(ctx, election, *next)
	case p.JobFailed:
		return true, c.endUnmoved(ctx, rec, p.Group, "the provider's job failed: "+p.Detail)
	case step.Failed != "" && (!w.unchanged || shown(rec.Action, p.Group) != call.ExpectedStatus):
		return true, c.endUnmoved(ctx, rec, p.Group, step.Failed)
	case call.Outcome == replication.Rejected && w.reads >= 2 && !underWay(p.Group):
		return true, c.endUnmoved(ctx, rec, p.Group, "the provider refused: "+call.Error)
	case call.Outcome == replication.Uncertain:
		return c.concludeUncertain(ctx, election, rec, p, w)
	}
	return false, nil
}

// shown is the status that a person's action is judged by: the group's, where all
// the words for "it replicates" are one, because a healthy group goes to and fro
// between them; and of an action on drills that of each drill as well.
func shown(a replication.Action, g replication.Group) string {
	status := g.RawStatus
	if g.State == replication.Replicating {
		status = string(g.State)
	}
	if a != replication.StartDrill && a != replication.ClearDrill {
		return status
	}
	drills := make([]string, len(g.DrillList))
	for i, d := range g.DrillList {
		drills[i] = d.ID + " " + d.Status
	}
	slices.Sort(drills)
	return strings.Join(append([]string{status}, drills...), ", ")
}

// doneText says what is done, and what of it still runs.
func doneText(step replication.Action, rec replication.IncidentRecord, g replication.Group) string {
	switch {
	case step == replication.StartDrill:
		for _, d := range g.DrillList {
			if d.ID == rec.LastCall().JobID || strings.Contains(d.Name, rec.ID) {
				return strings.TrimSpace(fmt.Sprintf("drill %s %s", d.ID, d.Name)) + " is " + string(d.State)
			}
		}
	case step == replication.ClearDrill:
		return fmt.Sprintf("drill %s is gone", rec.Plan.Drill)
	case g.State == replication.Syncing:
		return fmt.Sprintf("%s has begun: %s is at %s, and copies (%s)", step, rec.Name, orUnknown(g.Active.String()), g.RawStatus)
	}
	return fmt.Sprintf("%s is done: %s is at %s (%s)", step, rec.Name, orUnknown(g.Active.String()), g.RawStatus)
}

func underWay(g replication.Group) bool {
	switch g.State {
	case replication.Switching, replication.Changing, replication.Reprotecting:
		return true
	default:
		return false
	}
}

// concludeUncertain: did a call happen of which no answer came? It is answered
// only once the signed request can no longer arrive. A first step that did not
// happen is not sent again: a person is there to ask again. A later one is, once.
func (c *Controller) concludeUncertain(ctx context.Context, election int64, rec replication.IncidentRecord, p Progress, w watch) (bool, error) {
	quiet := rec.LastCall().StartedAt.Add(c.o.SignatureLife + c.o.Settle)
	if w.reads < 2 || p.Group.ProviderTime.IsZero() || !p.Group.ProviderTime.After(quiet) || underWay(p.Group) {
		return false, nil
	}
	switch {
	case rec.Provider == replication.HuaweiDWS && rec.Action.Moves():
		return true, c.endOperation(ctx, rec, replication.Ambiguous, "the outcome of the call is unknown and nothing proves it")
	case !w.unchanged:
		return true, c.endOperation(ctx, rec, replication.Ambiguous, "the outcome of the call is unknown; the group has changed since without showing it, so nothing proves that the call did not happen")
	case unansweredInStep(rec.Incident) > 1:
		return true, c.endOperation(ctx, rec, replication.Ambiguous, "two calls without a known outcome, and the provider shows no change")
	case rec.Step == 0:
		inc := rec.Incident
		inc.Calls = append([]replication.Call(nil), inc.Calls...)
		inc.LastCall().Outcome = replication.NotSent // proven: it can no longer arrive, and has changed nothing
		rec.Incident = inc
		return true, c.endOperation(ctx, rec, replication.Failed, "the call did not happen: the group is unchanged at every read and the request can no longer arrive; ask for it again")
	}
	inc := rec.Incident
	inc.Phase, inc.HeldBy = replication.Held, "send_again"
	rec, err := c.write(ctx, rec, replication.Write{Incident: inc}, "not_happened", "the call did not happen: the group is unchanged at every read and the request can no longer arrive; it is sent once more")
	if err != nil {
		return true, err
	}
	return true, c.operate(ctx, election, rec)
}
