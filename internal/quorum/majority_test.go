package quorum_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drwatch/drwatch/internal/quorum/ledger"
	"github.com/drwatch/drwatch/internal/quorum/quorumtest"
	"github.com/drwatch/drwatch/internal/replication"
)

// registered are that many observers on one model, the first of which leads.
func registered(t *testing.T, n int) []*play {
	t.Helper()
	c := newClock()
	first := quorumtest.New(c.now, "obs-1", "site-1")
	out := []*play{{T: t, clock: c, coordinator: first}}
	out[0].lead()
	for i := 2; i <= n; i++ {
		p := &play{T: t, clock: c, coordinator: first.Join(c.now, fmt.Sprint("obs-", i), fmt.Sprint("site-", i))}
		p.ok(p.Renew(t.Context()))
		out = append(out, p)
	}
	return out
}

func (p *play) closed(id string) {
	p.Helper()
	p.over(id, group1, replication.Aborted, false)
	p.ok(p.CloseLoss(p.Context(), "az-a", p.read().Losses["az-a"].Rev))
	p.anchor(1)
}

// A majority is one of all observers that belong to the cluster, not of those that
// live: with two of five alive the only copies could be lost with them.
func TestAMajorityOfAllArchives(t *testing.T) {
	all := registered(t, 5)
	a, b, c := all[0], all[1], all[2]
	for _, p := range all[2:] {
		p.ok(p.Close())
	}
	a.closed("i1")
	a.archive()
	b.archive()
	a.ok(a.Tick(t.Context(), 100*time.Hour))
	done, err := a.Collect(t.Context(), a.read())
	a.ok(err)
	if want := (ledger.Collected{Waiting: 1, Lacking: []string{"obs-3", "obs-4", "obs-5"}}); !cmp.Equal(done, want) {
		t.Errorf("with two of five archives: %+v, want %+v", done, want)
	}
	c.ok(c.Renew(t.Context()))
	c.archive()
	a.collect(1)
	a.gone("i1")
}

// Whom a person has taken out is not waited for, and needs not be outvoted.
func TestWhoIsTakenOutIsNotWaitedFor(t *testing.T) {
	all := registered(t, 3)
	a := all[0]
	a.closed("i1")
	a.archive()
	for i, p := range all[1:] {
		p.ok(p.Close())
		a.collect(0)
		a.ok(p.coordinator.(*quorumtest.Store).Unregister(t.Context(), fmt.Sprint("obs-", i+2)))
	}
	a.collect(1)
	a.gone("i1")
	if i := slices.IndexFunc(a.coordinator.(*quorumtest.Store).Keys(), func(k string) bool { return k == "/drwatch/test/archive/observer/obs-2" }); i >= 0 {
		t.Error("how far it was is still in the store")
	}
}

// However long most observers are away, the store does not fill: beyond the bound
// what the live ones have leaves, oldest first, and it is said how much and who
// lacks it. Who comes back finds that there is a gap.
func TestTheStoreDoesNotFillWhileObserversAreAway(t *testing.T) {
	all := registered(t, 5)
	a, b, e := all[0], all[1], all[4]
	for _, p := range all[2:] {
		p.ok(p.Close())
	}
	const more = 30
	for i := range ledger.MostWaiting + more {
		a.ok(a.Freeze(t.Context(), "alice", fmt.Sprint("piece ", i)))
		a.ok(a.Unfreeze(t.Context(), "alice", "x"))
		a.anchor(1)
	}
	a.told()
	a.ok(a.Tick(t.Context(), 2*time.Hour))
	done, err := a.Collect(t.Context(), a.read())
	a.ok(err)
	if done.Dropped != 0 || done.Waiting != ledger.MostWaiting+more {
		t.Errorf("%+v, want that nothing leaves before both live observers have it", done)
	}
	b.told()
	var dropped int64
	for range 5 {
		done, err := a.Collect(t.Context(), a.read())
		a.ok(err)
		dropped += done.Dropped
		if want := []string{"obs-3", "obs-4", "obs-5"}; !cmp.Equal(done.Lacking, want) {
			t.Errorf("lacking are %v, want %v", done.Lacking, want)
		}
	}
	if dropped != more {
		t.Errorf("%d pieces left without a majority, want the %d beyond the bound", dropped, more)
	}
	e.ok(e.Renew(t.Context()))
	u, err := e.Unarchived(t.Context(), 0, 1)
	e.ok(err)
	if u.First != more+1 || len(u.Pieces) != 1 {
		t.Errorf("who comes back finds the pieces from %d on, want from %d", u.First, more+1)
	}
}

// told says that all is archived, without a look at it.
func (p *play) told() {
	p.Helper()
	u, err := p.Unarchived(p.Context(), 0, 0)
	p.ok(err)
	p.ok(p.Archived(p.Context(), u.Head))
}
