package ledger_test

import (
	"context"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/quorum/quorumtest"
	"github.com/drwatch/drwatch/internal/replication"
)

// A veto stands after the very call that says it, whatever became of the heartbeat
// before it.
func TestAVetoDoesNotWaitForAHeartbeat(t *testing.T) {
	for name, trouble := range map[string]func(context.Context, *quorumtest.Store) error{
		"its answer is lost": func(ctx context.Context, c *quorumtest.Store) error {
			c.LoseAnswer("beat")
			_ = c.Renew(ctx) // nobody knows whether it did
			return nil
		},
		"the lease has run out": func(_ context.Context, c *quorumtest.Store) error { return c.LoseLease("obs-c") },
		"all is well":           func(ctx context.Context, c *quorumtest.Store) error { return c.Renew(ctx) },
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			d.ready()
			c := d.Join(func() time.Time { return at }, "obs-c", "witness")
			pending := vote(sdrs)
			pending.Observer, pending.Site, pending.Verdict = "obs-c", "witness", replication.Pending
			d.ok(c.PublishVotes(t.Context(), []replication.Vote{pending}))
			d.ok(c.Renew(t.Context()))
			d.ok(trouble(t.Context(), c))
			veto := pending
			veto.Verdict = replication.Veto
			d.ok(c.PublishVotes(t.Context(), []replication.Vote{veto}))
			for _, v := range d.now().Votes {
				if v.Observer == "obs-c" && v.Verdict == replication.Veto {
					return
				}
			}
			t.Error("no veto stands")
		})
	}
}
