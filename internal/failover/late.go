package failover

import (
	"context"
	"errors"
	"fmt"

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
func (c *Controller) leaveLate(ctx context.Context, rec replication.IncidentRecord, sent Sent) {
	call := rec.LastCall()
	if c.o.Lates == nil || call == nil || sent.Outcome == replication.Uncertain {
		return
	}
	late := *call
	late.Outcome, late.Status, late.RequestID, late.JobID = sent.Outcome, sent.Status, sent.RequestID, sent.JobID
	late.EndedAt = c.o.Now().UTC()
	if sent.Err != nil {
		late.Error = sent.Err.Error()
	}
	if err := c.o.Lates.PutLate(ctx, rec.ID, rec.Token, late); err != nil && !errors.Is(err, replication.ErrConflict) {
		c.o.Logger.Error("the outcome of a call of an incident that was taken over is not written", "incident", rec.ID, "outcome", sent.Outcome, "err", err)
	}
}

// cameLate is the certain outcome of the incident's last call that its sender
// left, if it has.
func (c *Controller) cameLate(ctx context.Context, rec replication.IncidentRecord) (Sent, bool) {
	call := rec.LastCall()
	if c.o.Lates == nil || call == nil || call.Outcome != replication.OutcomeNone && call.Outcome != replication.Uncertain {
		return Sent{}, false
	}
	all, err := c.o.Lates.Late(ctx, rec.ID)
	if err != nil {
		c.o.Logger.Warn("outcomes that came late could not be read", "incident", rec.ID, "err", err)
		return Sent{}, false
	}
	for _, late := range all {
		if late.Attempt != call.Attempt || !late.StartedAt.Equal(call.StartedAt) {
			continue
		}
		sent := Sent{Outcome: late.Outcome, Status: late.Status, RequestID: late.RequestID, JobID: late.JobID}
		if late.Error != "" {
			sent.Err = errors.New(late.Error)
		}
		return sent, true
	}
	return Sent{}, false
}

// takeLate writes the outcome that came late and goes on from there.
func (c *Controller) takeLate(ctx context.Context, election int64, rec replication.IncidentRecord, sent Sent) error {
	cluster, err := c.o.Store.Read(ctx)
	if err != nil {
		return fmt.Errorf("reading the coordination store: %w", err)
	}
	inc := rec.Incident
	inc.Calls = append([]replication.Call(nil), inc.Calls...)
	inc.LastCall().Outcome = replication.OutcomeNone
	known := rec
	known.Incident = inc
	w, text := c.afterCall(cluster, known, sent, c.o.Now())
	rec, err = c.write(context.WithoutCancel(ctx), rec, w, "late_outcome", text+" (told late, by the observer that had sent it)")
	if err != nil || rec.Phase != replication.Verifying {
		return err
	}
	return c.verify(ctx, election, rec)
}
