package quorum_test

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/quorum/ledger"
	"github.com/drwatch/drwatch/internal/quorum/quorumtest"
)

var (
	historyCount = flag.Int("histories", 32, "how many random histories are run on the model of the store and on etcd")
	firstSeed    = flag.Uint64("history", 1, "the seed of the first of them")
	memberCount  = flag.Int("members", 1, "how many members etcd has in them: 1 or 3")
)

// rounds counts histories, each of which has keys of its own on etcd.
type rounds struct {
	*testing.T
	etcd     *onEtcd
	played   int
	compared int
}

// begin makes a model that is where etcd is.
func (r *rounds) begin() *lockstep {
	r.Helper()
	r.played++
	ctx := r.Context()
	res, err := r.etcd.client(0).Commit(ctx, ledger.Txn{What: "beginning a history", Puts: []ledger.Put{{Key: "/history", Value: fmt.Append(nil, r.played)}}})
	if err != nil {
		r.Fatal(err)
	}
	c := newClock()
	first := quorumtest.New(c.now, "obs-0", "az-0")
	first.StartAt(res.Revision)
	m := &onModel{stores: []*quorumtest.Store{first}}
	for i := 1; i < historyClients; i++ {
		m.stores = append(m.stores, first.Join(c.now, fmt.Sprint("obs-", i), "az"))
	}
	return &lockstep{
		real: r.etcd, model: m, store: first, clock: c, base: res.Revision,
		prefix: fmt.Sprintf("/history/%d/", r.played), leases: map[int]int64{}, since: map[int]time.Time{},
	}
}

// tries is how often a history is played of which etcd did not answer in time.
const tries = 3

// play runs a history, again when etcd did not answer in time.
func (r *rounds) play(run func(context.Context, *lockstep) *disagreement) *disagreement {
	var d *disagreement
	for range tries {
		l := r.begin()
		ctx, cancel := context.WithCancel(r.Context())
		d = run(ctx, l)
		cancel() // and with it the watches
		r.compared += l.compared
		if d == nil || !d.unanswered {
			break
		}
	}
	return d
}

// TestRandomHistories runs the same random histories on the model that the
// simulation uses and on etcd, through the client that the product uses: every
// answer must be the same, with its revisions.
func TestRandomHistories(t *testing.T) {
	t.Parallel()
	runHistories(t, *historyCount, randomHistory, func(ctx context.Context, l *lockstep, steps []step) *disagreement { return l.play(ctx, steps) })
}

// runHistories runs as many random histories, and shrinks the first on which the two
// do not agree.
func runHistories[S fmt.Stringer](t *testing.T, count int, random func(uint64) []S, run func(context.Context, *lockstep, []S) *disagreement) {
	t.Helper()
	r := &rounds{T: t, etcd: newOnEtcd(t)}
	play := func(steps []S) *disagreement {
		return r.play(func(ctx context.Context, l *lockstep) *disagreement { return run(ctx, l, steps) })
	}
	for n := range uint64(count) {
		seed := *firstSeed + n
		steps := random(seed)
		if d := play(steps); d != nil {
			r.etcd.patience = time.Second
			compared := r.compared
			steps, d = shrink(steps, d, play)
			t.Fatalf("history %d, after %d answers (replay with -histories 1 -history %d), shrunk:\n%s\n%s", seed, compared, seed, listed(steps), d)
		}
	}
	t.Logf("%d histories, %d answers compared, none differs", count, r.compared)
}

// shrink takes steps away as long as the rest still disagrees.
func shrink[S any](steps []S, d *disagreement, play func([]S) *disagreement) ([]S, *disagreement) {
	steps = steps[:min(len(steps), d.step+1)]
	for size := max(1, len(steps)/2); size > 0; {
		smaller := false
		for i := 0; i+size <= len(steps); {
			rest := slices.Concat(steps[:i], steps[i+size:])
			if now := play(rest); now != nil {
				steps, d, smaller = rest, now, true
				continue
			}
			i += size
		}
		if !smaller {
			size /= 2
		}
	}
	return steps, d
}

func listed[S fmt.Stringer](steps []S) string {
	var b strings.Builder
	for i, s := range steps {
		fmt.Fprintf(&b, "%3d  %s\n", i, s)
	}
	return b.String()
}
