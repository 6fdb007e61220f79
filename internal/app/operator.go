package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/drwatch/drwatch/internal/quorum"
	"github.com/drwatch/drwatch/internal/replication"
	"github.com/drwatch/drwatch/internal/web"
)

// operator passes on what a person asks for.
type operator struct{ app *App }

// Approve says yes to an incident that waits for a person.
func (o operator) Approve(ctx context.Context, id, who, reason string) error {
	return o.done(o.app.store.Approve(ctx, id, replication.Approval{Who: who, Reason: reason, At: o.app.o.Now().UTC()}))
}

// Abort asks that an incident which has sent nothing be ended.
func (o operator) Abort(ctx context.Context, id, who, reason string) error {
	return o.done(o.app.store.Abort(ctx, id, who, reason))
}

// Ack releases what an ended incident has latched. One that ended ambiguous
// cannot be acknowledged before its last call can no longer arrive.
func (o operator) Ack(ctx context.Context, id, who, reason string) error {
	cluster, err := o.app.store.Read(ctx)
	if err != nil {
		return fmt.Errorf("acknowledging incident %q: %w", id, err)
	}
	rec, ok := cluster.Incidents[id]
	if !ok {
		return fmt.Errorf("incident %q: %w", id, web.ErrNotFound)
	}
	if call := rec.LastCall(); rec.Phase == replication.Ambiguous && call != nil {
		if until := call.StartedAt.Add(o.app.quiet()); o.app.o.Now().Before(until) {
			return fmt.Errorf("%w: the last call may still arrive at the provider until %s; look at the group then, and acknowledge", web.ErrRefused, until.UTC().Format(time.RFC3339))
		}
	}
	return o.done(o.app.store.Ack(ctx, rec.Key(), who, reason))
}

// quiet is how long after its signing a request is believed to be dead.
func (a *App) quiet() time.Duration {
	life, settle := a.o.SignatureLife, a.o.Settle
	if life == 0 {
		life = 15 * time.Minute
	}
	if settle == 0 {
		settle = 2 * time.Minute
	}
	return life + settle
}

// Freeze stops all automatic action on every observer.
func (o operator) Freeze(ctx context.Context, who, reason string) error {
	return o.done(o.app.store.Freeze(ctx, who, reason))
}

// Unfreeze lets drwatch act again. With storeWasReset it first takes the store
// as it is now for the right one.
func (o operator) Unfreeze(ctx context.Context, who, reason string, storeWasReset bool) error {
	if storeWasReset {
		if err := o.app.store.AcceptReset(ctx); err != nil {
			return o.done(err)
		}
	}
	return o.done(o.app.store.Unfreeze(ctx, who, reason))
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
