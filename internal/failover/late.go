package failover

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/drwatch/drwatch/internal/replication"
)

// Lates keeps outcomes that came after the incident was taken over: whoever
// holds it now reads them before it decides what became of the call.
type Lates interface {
	PutLate(ctx context.Context, incident string, token int64, c replication.Call) error
	Late(ctx context.Context, incident string) (map[int64]replication.Call, error)
}

// leaveLate leaves the outcome of a call to whoever has taken the incident over.
// Only what is certain is worth telling.
func (c *Controller) leaveLate(ctx context.Context, rec replication.IncidentRecord, sent Sent) error {
	call := rec.LastCall()
	if c.o.Lates == nil || call == nil || sent.Outcome == replication.Uncertain {
		return nil
	}
	late := *call
	late.Outcome, late.Status, late.RequestID, late.JobID = sent.Outcome, sent.Status, sent.RequestID, sent.JobID
	late.EndedAt = c.o.Now().UTC()
	if sent.Err != nil {
		late.Error = sent.Err.Error()
	}
	err := c.o.Lates.PutLate(ctx, rec.ID, rec.Token, late)
	if err != nil && !errors.Is(err, replication.ErrConflict) {
		c.o.Logger.Error("the outcome of a call of an incident that was taken over is not written", "incident", rec.ID, "outcome", sent.Outcome, "err", err)
	}
	return err
}

// late is the outcome of one of an incident's calls that its sender left.
type late struct {
	call int // which one
	sent Sent
}

// cameLate is a certain outcome that was left for a call of the incident of which
// none is known, nil when there is none.
func (c *Controller) cameLate(ctx context.Context, rec replication.IncidentRecord) (*late, error) {
	if c.o.Lates == nil || !slices.ContainsFunc(rec.Calls, unanswered) {
		return nil, nil
	}
	all, err := c.o.Lates.Late(ctx, rec.ID)
	if err != nil {
		return nil, fmt.Errorf("reading the outcomes of incident %s that came late: %w", rec.ID, err)
	}
	for _, l := range all {
		i := slices.IndexFunc(rec.Calls, func(call replication.Call) bool {
			return unanswered(call) && call.Attempt == l.Attempt && call.StartedAt.Equal(l.StartedAt)
		})
		if i < 0 {
			continue
		}
		sent := Sent{Outcome: l.Outcome, Status: l.Status, RequestID: l.RequestID, JobID: l.JobID}
		if l.Error != "" {
			sent.Err = errors.New(l.Error)
		}
		return &late{call: i, sent: sent}, nil
	}
	return nil, nil
}

func unanswered(call replication.Call) bool {
	return call.Outcome == replication.OutcomeNone || call.Outcome == replication.Uncertain
}

// takeLate writes the outcome that came late and goes on from there.
func (c *Controller) takeLate(ctx context.Context, election int64, rec replication.IncidentRecord, l late) error {
	w, text, err := c.afterLate(ctx, rec, l)
	if err != nil {
		return err
	}
	rec, err = c.write(context.WithoutCancel(ctx), rec, w, "late_outcome", text+" (told late, by the observer that had sent it)")
	switch {
	case err != nil:
		return err
	case rec.Phase == replication.Executing:
		return c.resume(ctx, election, rec)
	case rec.Phase == replication.Verifying:
		return c.verify(ctx, election, rec)
	}
	return nil
}

// afterLate is the transition that such an outcome makes. That of an earlier call
// than the last decides nothing by itself, but that nothing more is sent when the
// call was taken.
func (c *Controller) afterLate(ctx context.Context, rec replication.IncidentRecord, l late) (replication.Write, string, error) {
	inc := rec.Incident
	inc.Calls = slices.Clone(inc.Calls)
	if l.call < len(inc.Calls)-1 {
		call := &inc.Calls[l.call]
		text := setOutcome(call, l.sent, c.o.Now())
		if call.Outcome == replication.Accepted && inc.Phase == replication.Held && call.Operation == inc.LastCall().Operation {
			inc.Phase, inc.HeldBy = replication.Verifying, ""
		}
		return replication.Write{Incident: inc}, text, nil
	}
	cluster, err := c.o.Store.Read(ctx)
	if err != nil {
		return replication.Write{}, "", fmt.Errorf("reading the coordination store: %w", err)
	}
	inc.LastCall().Outcome = replication.OutcomeNone
	rec.Incident = inc
	w, text := c.afterCall(cluster, rec, l.sent, c.o.Now())
	return w, text, nil
}
