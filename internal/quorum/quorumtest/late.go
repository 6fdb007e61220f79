package quorumtest

import (
	"context"
	"errors"
	"time"

	"github.com/drwatch/drwatch/internal/quorum/ledger"
)

// Late is what a Way gives for a transaction that arrives after so long, when whoever
// sent it has stopped waiting with Err.
type Late struct {
	After time.Duration
	Err   error
}

func (l Late) Error() string { return l.Err.Error() }

func (l Late) Unwrap() error { return l.Err }

// later has the transaction applied when it arrives, if it is on its way still; nobody
// learns what came of it.
func (c *conn) later(err error, t ledger.Txn) error {
	if l, ok := errors.AsType[Late](err); ok {
		time.AfterFunc(l.After, func() {
			late := &conn{db: c.db, observer: c.observer, way: open{}, late: true}
			_, _ = late.Commit(context.Background(), t)
		})
	}
	return err
}
