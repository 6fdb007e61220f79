package failover

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/drwatch/drwatch/internal/replication"
)

// wordEvery is how often a person is told that a proof is still missing.
const wordEvery = 10 * time.Minute

// verify looks at the provider until it proves what became of the call.
// Slowness is no failure: only proof ends it, or a person.
func (c *Controller) verify(ctx context.Context, election int64, rec replication.IncidentRecord) error {
	c.o.At("verifying")
	conclude, leave := c.concludeFailover, c.leaveFailover
	if rec.Person != nil {
		conclude, leave = c.conclude, c.leaveOperation
	}
	w := watch{since: c.o.Now(), told: c.o.Now(), unchanged: unchangedSoFar(rec)}
	for {
		if c.isStopping() {
			return nil
		}
		if l, err := c.cameLate(ctx, rec); err != nil {
			c.o.Logger.Warn("outcomes that came late could not be read", "incident", rec.ID, "err", err)
		} else if l != nil {
			return c.takeLate(ctx, election, rec, *l)
		}
		p, err := c.track(ctx, rec)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			c.o.Logger.Warn("the provider could not be read while verifying", "incident", rec.ID, "group", rec.Name, "err", err)
		} else if p.Group.Key == rec.Key() {
			w.look(rec, p)
			if rec, err = c.noteChange(ctx, rec, p, w); errors.Is(err, replication.ErrConflict) {
				return err
			} else if err != nil { // it is tried again at the next look: w remembers
				c.o.Logger.Warn("a change of the group is not taken down yet", "incident", rec.ID, "err", err)
			}
			if ended, err := conclude(ctx, election, rec, p, w); ended || err != nil {
				return err
			}
		}
		if ended, err := leave(ctx, rec); ended || err != nil {
			return err
		}
		if c.o.Now().Sub(w.told) >= wordEvery {
			w.told = c.o.Now()
			c.o.Logger.Error("still waiting for the provider's proof", "incident", rec.ID, "group", rec.Name, "for", c.o.Now().Sub(w.since), "seen", p.Detail)
		}
		if err := c.o.Wait(ctx, c.o.TrackInterval); err != nil {
			return err
		}
	}
}

// concludeFailover acts on what one look proves of a rule's call, and tells
// whether it proved anything.
func (c *Controller) concludeFailover(ctx context.Context, election int64, rec replication.IncidentRecord, p Progress, w watch) (bool, error) {
	switch v := c.judge(rec, p, w); {
	case v.again:
		return true, c.sendAgain(ctx, election, rec)
	case v.phase == replication.Aborted:
		return true, c.end(ctx, rec, v.phase, v.why, false)
	case v.phase != "":
		return true, c.proven(ctx, rec, v)
	}
	return false, nil
}

// leaveFailover ends the wait for a proof that a person has given up.
func (c *Controller) leaveFailover(ctx context.Context, rec replication.IncidentRecord) (bool, error) {
	given := c.givenUp(rec)
	if given == nil {
		return false, nil
	}
	return true, c.proven(ctx, *given, verdict{phase: replication.Ambiguous, why: gaveUp(*given)})
}

func gaveUp(rec replication.IncidentRecord) string {
	return fmt.Sprintf("%s ended the wait for a proof: %s", rec.Abort.Who, rec.Abort.Reason)
}

// givenUp is the incident as the last round saw it, when a person has ended the
// wait for its proof.
func (c *Controller) givenUp(rec replication.IncidentRecord) *replication.IncidentRecord {
	now, ok := c.State().Cluster.Incidents[rec.ID]
	if !ok || now.Abort == nil || now.Token != rec.Token || now.Phase != replication.Verifying {
		return nil
	}
	return &now
}

// pause waits, or ends early with the context.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// jobID is the provider's job of the last call that it made one for.
func jobID(rec replication.IncidentRecord) string {
	for _, call := range slices.Backward(rec.Calls) {
		if call.JobID != "" || rec.Person != nil {
			return call.JobID
		}
	}
	return ""
}

// unchangedSoFar tells that no read since the intent is known to have shown the
// group otherwise than in it.
func unchangedSoFar(rec replication.IncidentRecord) bool {
	call := rec.LastCall()
	return call == nil || call.ChangedAt.IsZero()
}

// noteChange takes down that the group has changed since a call of unknown
// outcome: whoever takes the incident over must not believe that every read
// showed it unchanged.
func (c *Controller) noteChange(ctx context.Context, rec replication.IncidentRecord, p Progress, w watch) (replication.IncidentRecord, error) {
	if call := rec.LastCall(); w.unchanged || call == nil || !unanswered(*call) || !call.ChangedAt.IsZero() {
		return rec, nil
	}
	inc := rec.Incident
	inc.Calls = slices.Clone(inc.Calls)
	inc.LastCall().ChangedAt = c.o.Now().UTC()
	return c.write(ctx, rec, replication.Write{Incident: inc}, "changed", fmt.Sprintf("the group has changed since the call of unknown outcome: %s at %s", p.Group.RawStatus, orUnknown(p.Group.Active.String())))
}

// watch is what the reads since the start of a verification have shown.
type watch struct {
	since, told time.Time
	reads       int
	unchanged   bool // every read showed the group exactly as in the intent
}

func (w *watch) look(rec replication.IncidentRecord, p Progress) {
	w.reads++
	call := rec.LastCall()
	if call == nil {
		w.unchanged = false
		return
	}
	if rec.Person != nil {
		w.unchanged = w.unchanged && shown(rec.Action, p.Group) == call.ExpectedStatus && p.Group.Active == call.ExpectedActive
		return
	}
	w.unchanged = w.unchanged && asIntended(*call, p.Group)
}

// asIntended tells whether the group is exactly as it was when the intent was
// written.
func asIntended(call replication.Call, g replication.Group) bool {
	return g.RawStatus == call.ExpectedStatus && g.Active == call.ExpectedActive && maps.Equal(g.Pairs, call.ExpectedPairs)
}

// verdict is what one look proves; the zero verdict proves nothing yet.
type verdict struct {
	phase replication.Phase
	why   string
	again bool
}

// judge tells what the provider's state proves (protocol §5).
func (c *Controller) judge(rec replication.IncidentRecord, p Progress, w watch) verdict {
	call := rec.LastCall()
	if moved(rec, p.Group) && (p.Group.State == replication.FailedOver || p.JobDone || !p.JobFailed) {
		return verdict{phase: replication.Succeeded, why: fmt.Sprintf("%s is at %s (%s)", rec.Name, p.Group.Active, p.Group.RawStatus)}
	}
	if call == nil { // nothing was sent: the group had been moved already
		if p.Group.Active == rec.Plan.From && p.Group.State != replication.Switching {
			return verdict{phase: replication.Aborted, why: fmt.Sprintf("%s is back at %s without a call of ours", rec.Name, p.Group.Active)}
		}
		return verdict{}
	}
	if p.JobFailed {
		return verdict{phase: replication.Failed, why: "the provider's job failed: " + p.Detail}
	}
	// Only a status that a failed failover alone leaves behind is a failure. Any
	// other error may be the very outage, while the call is still under way.
	if p.Group.FailoverFailed && p.Group.RawStatus != call.ExpectedStatus {
		return verdict{phase: replication.Failed, why: fmt.Sprintf("the group is in %s: %s", p.Group.RawStatus, p.Detail)}
	}
	switch call.Outcome {
	case replication.Uncertain:
		return c.judgeUncertain(rec, *call, p, w)
	case replication.Rejected: // after a call of which no answer came
		if w.reads >= 2 && p.Group.State != replication.Switching && p.Group.State != replication.Changing {
			return verdict{phase: replication.Failed, why: "the provider refused: " + call.Error}
		}
	default:
	}
	return verdict{}
}

// judgeUncertain: did a call happen of which no answer came? Until a signed
// request can no longer arrive, by the provider's own clock, a state that shows
// no move proves nothing.
func (c *Controller) judgeUncertain(rec replication.IncidentRecord, call replication.Call, p Progress, w watch) verdict {
	quiet := call.StartedAt.Add(c.o.SignatureLife + c.o.Settle)
	if w.reads < 2 || p.Group.ProviderTime.IsZero() || !p.Group.ProviderTime.After(quiet) {
		return verdict{}
	}
	if p.Group.State == replication.Switching || p.Group.State == replication.Changing {
		return verdict{} // something is under way: its end will tell
	}
	switch {
	case taken(rec):
		return verdict{} // an earlier call was: only its proof ends this
	case rec.Provider == replication.HuaweiDWS:
		return verdict{phase: replication.Ambiguous, why: "the outcome of the call is unknown and nothing proves it; a second call could swap the roles back, so none is sent"}
	case !w.unchanged:
		return verdict{phase: replication.Ambiguous, why: "the outcome of the call is unknown; the group has changed since without moving, so nothing proves that the call did not happen"}
	case uncertainCalls(rec) > 1:
		return verdict{phase: replication.Ambiguous, why: "two calls without a known outcome, and the provider shows no change"}
	}
	return verdict{again: true}
}

// taken tells that the provider has accepted a call of the incident.
func taken(rec replication.IncidentRecord) bool {
	return slices.ContainsFunc(rec.Calls, func(call replication.Call) bool { return call.Outcome == replication.Accepted })
}

func uncertainCalls(rec replication.IncidentRecord) int {
	n := 0
	for _, call := range rec.Calls {
		if call.Outcome == replication.Uncertain {
			n++
		}
	}
	return n
}

// sendAgain is the one second send that protocol §5 allows: the first is proven
// not to have happened. Everything is read and decided again before it.
func (c *Controller) sendAgain(ctx context.Context, election int64, rec replication.IncidentRecord) error {
	inc := rec.Incident
	inc.Phase, inc.HeldBy = replication.Held, "send_again"
	inc.ExecutedClock = replication.Duration(c.State().Cluster.Clock) // the wait does not count against execution_timeout
	rec, err := c.write(ctx, rec, replication.Write{Incident: inc}, "not_happened",
		"the call did not happen: the group is unchanged at every read and the request can no longer arrive; it is sent once more")
	if err != nil {
		return err
	}
	return c.execute(ctx, election, rec)
}

// proven ends the incident with what the provider has proven.
func (c *Controller) proven(ctx context.Context, rec replication.IncidentRecord, v verdict) error {
	inc := rec.Incident
	now := c.o.Now().UTC()
	text := v.why
	if v.phase == replication.Succeeded {
		inc.VerifiedAt = now
		rto := now.Sub(inc.Trigger.Since).Round(time.Millisecond).Seconds()
		inc.RTOSeconds = &rto
		text = fmt.Sprintf("%s; RTO %s", v.why, seconds(now.Sub(inc.Trigger.Since).Round(100*time.Millisecond)))
	}
	c.o.At("verified")
	ctx = context.WithoutCancel(ctx)
	cluster, err := c.o.Store.Read(ctx)
	if err != nil {
		return fmt.Errorf("reading the record of %s: %w", rec.Key(), err)
	}
	_, err = c.write(ctx, rec, c.ending(cluster, inc, v.phase, v.why), string(v.phase), text)
	c.o.At("ended")
	return err
}
