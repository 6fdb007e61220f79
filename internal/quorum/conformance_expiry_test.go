package quorum_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/quorum/ledger"
)

// dyingLease is the number of the one lease of a history that runs out by itself.
const dyingLease = 1000

// dyingTTL is its time to live, and dyingMargin what must be left of it when the
// silence begins.
const (
	dyingTTL    = 2 * time.Second
	dyingMargin = 500 * time.Millisecond
)

// silence waits until the lease has run out: by the virtual clock on the model, by the
// real one on etcd.
func (l *lockstep) silence(ctx context.Context, s step, on underTest, side int) error {
	id := l.id(s.lease)
	if side == 1 {
		for _, e := range l.store.Ends() {
			if e.Lease == id {
				l.clock.advance(e.At.Sub(l.clock.now()))
			}
		}
		return nil
	}
	if time.Since(l.since[s.lease]) > dyingTTL-dyingMargin {
		return ledger.ErrUncertain // this machine was too slow for it
	}
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); tick() {
		v, err := on.client(0).Scan(ctx, ledger.Under(l.prefix))
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(v.Items, func(it ledger.Item) bool { return it.Lease == id }) {
			return nil
		}
	}
	return fmt.Errorf("lease %x stands a minute after its time", id)
}

// dyingHistory is a short random history, a lease that runs out with what stands under
// it, and what comes then.
func dyingHistory(seed uint64) []step {
	r := rand.New(rand.NewPCG(seed, 7))
	g := generator{r: r}
	var steps []step
	for range 4 + r.IntN(6) {
		steps = append(steps, g.step())
	}
	dying := g.commit()
	dying.ifs = nil
	dying.puts = []write{{key: "b/1", value: "x", lease: dyingLease}, {key: "a", value: "y", lease: dyingLease}, {key: "c", value: "z"}}
	dying.dels = nil
	steps = append(steps, step{do: "watch", back: -1}, step{do: "grant", lease: dyingLease, ttl: dyingTTL - time.Duration(r.IntN(900))*time.Millisecond}, dying)
	if r.IntN(2) == 0 {
		steps = append(steps, step{do: "commit", puts: []write{{key: "a", value: "freed"}}})
	}
	if r.IntN(2) == 0 {
		steps = append(steps, step{do: "keep alive", lease: dyingLease})
	}
	steps = append(steps, step{do: "silence", lease: dyingLease}, step{do: "scan", keys: []string{""}}, step{do: "keep alive", lease: dyingLease}, step{do: "revoke", lease: dyingLease})
	late := g.commit()
	late.puts = append(late.puts, write{key: "late", value: "1", lease: dyingLease})
	steps = append(steps, late)
	for i := range steps {
		steps[i].client = r.IntN(historyClients)
	}
	return append(steps, step{do: "told"})
}

// TestLeasesRunOutAlike: what the end of a lease leaves is the same when nobody ends
// it, on etcd by the real clock.
func TestLeasesRunOutAlike(t *testing.T) {
	t.Parallel()
	runHistories(t, max(1, *historyCount/40), dyingHistory, func(ctx context.Context, l *lockstep, steps []step) *disagreement { return l.play(ctx, steps) })
}
