package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/replication"
	"github.com/drwatch/drwatch/internal/web"
)

// groupReader reads a group now.
type groupReader interface {
	Read(ctx context.Context, key replication.GroupKey) (replication.Group, error)
}

// quietSince refuses while a call of the incident that has no certain answer may
// still arrive at the provider.
func (a *App) quietSince(ctx context.Context, i replication.Incident) error {
	return quietSince(ctx, reading{a.collector}, a.o.Now, a.quiet(), i)
}

// goneFor is how long after a call a group that the provider does not know any more
// is believed to be gone. Its clock tells nothing then, and this machine's may be
// wrong by much; and a daemon that has just started knows no group.
const goneFor = 24 * time.Hour

// quietSince asks the provider's clock: the observer that a person asks may have
// another one than that which has signed the call.
func quietSince(ctx context.Context, r groupReader, now func() time.Time, quiet time.Duration, i replication.Incident) error {
	until := mayArriveUntil(i, quiet)
	if until.IsZero() {
		return nil
	}
	g, err := r.Read(ctx, i.Key())
	switch {
	case errors.Is(err, provider.ErrNotFound) && now().After(until.Add(goneFor)):
		return nil
	case err != nil:
		return fmt.Errorf("%w: a call may still arrive at the provider; by %s of the provider's clock it cannot, but that clock could not be read: %s; try again when it can", web.ErrRefused, rfc3339(until), err.Error())
	case g.ProviderTime.IsZero():
		return fmt.Errorf("%w: a call may still arrive at the provider until %s by the provider's clock, and its answer does not tell the time; try again", web.ErrRefused, rfc3339(until))
	case !g.ProviderTime.After(until):
		return fmt.Errorf("%w: the call may still arrive at the provider until %s by the provider's clock (which says %s); look at the group then", web.ErrRefused, rfc3339(until), rfc3339(g.ProviderTime))
	}
	return nil
}

// mayArriveUntil is when the last call of the incident that has no certain answer
// can no longer arrive; zero when each has one.
func mayArriveUntil(i replication.Incident, quiet time.Duration) (until time.Time) {
	for _, call := range i.Calls {
		open := call.Outcome == replication.Uncertain || call.Outcome == replication.OutcomeNone || i.Phase == replication.Verifying
		if dead := call.StartedAt.Add(quiet); open && dead.After(until) {
			until = dead
		}
	}
	return until
}

// quiet is how long after its signing a request is believed to be dead.
func (a *App) quiet() time.Duration {
	return cmp.Or(a.o.SignatureLife, failover.SignatureLife) + cmp.Or(a.o.Settle, failover.Settle)
}
