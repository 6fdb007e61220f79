package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/drwatch/drwatch/internal/quorum"
	"github.com/drwatch/drwatch/internal/replication"
	"github.com/drwatch/drwatch/internal/web"
)

// operator passes on what a person asks for.
type operator struct{ app *App }

// Approve says yes to an incident that waits for a person.
func (o operator) Approve(ctx context.Context, id, who, reason string) error {
	return o.answered(id, o.app.store.Approve(ctx, id, replication.Approval{
		Who: who, Reason: reason, At: o.app.o.Now().UTC(), Clock: replication.Duration(o.app.controller.State().Cluster.Clock),
	}))
}

// Abort asks that an incident which has sent nothing be ended, or that the wait
// for a provider's proof be, once nothing sent can arrive any more.
func (o operator) Abort(ctx context.Context, id, who, reason string) error {
	cluster, err := o.app.store.Read(ctx)
	if err != nil {
		return fmt.Errorf("aborting incident %q: %w", id, err)
	}
	rec := cluster.Incidents[id]
	if rec.Phase != replication.Verifying {
		return o.answered(id, o.app.store.Abort(ctx, id, who, reason))
	}
	if err := o.app.quietSince(ctx, rec.Incident); err != nil {
		return fmt.Errorf("already sent: %w", err)
	}
	return o.done(o.app.store.GiveUp(ctx, id, attempt(rec.Incident), who, reason))
}

func attempt(i replication.Incident) int {
	if call := i.LastCall(); call != nil {
		return call.Attempt
	}
	return 0
}

// Ack releases what an ended incident has latched, not before a call of unknown
// outcome can no longer arrive.
func (o operator) Ack(ctx context.Context, id, who, reason string) error {
	cluster, err := o.app.store.Read(ctx)
	if err != nil {
		return fmt.Errorf("acknowledging %q: %w", id, err)
	}
	rec, ok := cluster.Incidents[id]
	if !ok { // a latch that no incident made is named by its group
		if over := o.app.over(id); over != nil {
			return o.done(over)
		}
		g, err := named(o.app.collector.Snapshot(), "", id)
		if err != nil {
			return fmt.Errorf("%q is neither an incident nor one group: %w", id, err)
		}
		if err := o.done(o.app.store.Ack(ctx, g.Key, "", who, reason)); err != nil {
			return fmt.Errorf("%s: %w", g.Name, err)
		}
		return nil
	}
	if err := o.app.quietSince(ctx, rec.Incident); err != nil {
		return err
	}
	return o.done(o.app.store.Ack(ctx, rec.Key(), id, who, reason))
}

// Freeze stops all that sends, on every observer, and returns the freeze that was
// in force already: that one stays.
func (o operator) Freeze(ctx context.Context, who, reason string) (*replication.Freeze, error) {
	already := o.frozen(ctx)
	return already, o.app.freeze.instead(o.done(o.app.store.Freeze(ctx, who, reason)))
}

// Unfreeze lets drwatch act again, and returns the freeze that it lifted. With
// storeWasReset it first takes the store as it is now for the right one.
func (o operator) Unfreeze(ctx context.Context, who, reason string, storeWasReset bool) (*replication.Freeze, error) {
	if storeWasReset {
		if err := o.app.store.AcceptReset(ctx); err != nil {
			return nil, o.done(err)
		}
	}
	lifted := o.frozen(ctx)
	return lifted, o.done(o.app.store.Unfreeze(ctx, who, reason))
}

// frozen is the freeze as the store has it now, or as the last round saw it.
func (o operator) frozen(ctx context.Context) *replication.Freeze {
	if cluster, err := o.app.store.Read(ctx); err == nil {
		return cluster.Freeze
	}
	return o.app.controller.State().Cluster.Freeze
}

// Reload loads the configuration again.
func (o operator) Reload(ctx context.Context) error { return o.app.Reload(ctx) }

// done puts the store's refusals into the words that the API knows.
func (o operator) done(err error) error {
	o.app.controller.Nudge()
	switch {
	case err == nil:
		return nil
	case errors.Is(err, quorum.ErrNotFound):
		return sorted{err, web.ErrNotFound}
	case errors.Is(err, quorum.ErrRefused), errors.Is(err, quorum.ErrAlreadySent):
		return sorted{err, web.ErrRefused}
	}
	return err
}

// sorted is an error that is of a kind the API knows, in its own words.
type sorted struct {
	error
	kind error
}

func (s sorted) Unwrap() []error { return []error{s.error, s.kind} }
