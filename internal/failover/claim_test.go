package failover_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/quorum/quorumtest"
	"github.com/drwatch/drwatch/internal/replication"
)

// claimsSeen is a store far away that notes which claims are under way at a time.
type claimsSeen struct {
	failover.Store
	takes time.Duration
	fails error // of every claim but the first; nil: none fails

	mu          sync.Mutex
	under, most int
	asked       int
	makes       int // claims that make the record of a site loss
	beside      int // claims that were under way beside one of those
	making      bool
}

func (s *claimsSeen) Claim(ctx context.Context, c replication.Claim) (replication.IncidentRecord, error) {
	s.mu.Lock()
	s.under++
	s.asked++
	s.most = max(s.most, s.under)
	if c.LossRev == 0 {
		s.makes++
		s.making = true
	}
	if s.making && s.under > 1 {
		s.beside++
	}
	fails := s.fails
	if s.asked == 1 {
		fails = nil
	}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.under--
		s.making = s.making && c.LossRev != 0
	}()
	<-time.After(s.takes)
	if fails != nil {
		return replication.IncidentRecord{}, fails
	}
	return s.Store.Claim(ctx, c)
}

// claimer is a leader that has seen its own heart beat and taken down where all
// groups are, before the first of them fires.
func (w *world) claimer(m *many, s failover.Store) *failover.Controller {
	w.t.Helper()
	c := failover.New(failover.Options{
		Observer: "obs-w", Site: "witness", Store: s, Session: w.store, Upkeep: w.store, Lates: w.store, Rules: m, Reader: m, Senders: w.cloud,
		CanAct: func(string) bool { return true }, AcceptSingle: true, LeaseTTL: quorumtest.LeaseTTL, TrackInterval: time.Second, Now: time.Now, Logger: w.log,
	})
	w.rules.says("")
	w.rounds(c, 1+m.groups/100)
	w.rules.says(replication.Go)
	return c
}

// rounds runs so many and gives the longest.
func (w *world) rounds(c *failover.Controller, n int) time.Duration {
	w.t.Helper()
	longest := time.Duration(0)
	for range n {
		began := time.Now()
		if err := c.Round(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
		longest = max(longest, time.Since(began))
		<-time.After(100 * time.Millisecond)
	}
	return longest
}

// TestClaimsAreMadeManyAtATime: with a store far away a thousand claims one after
// the other take minutes. The first of a site loss goes alone, because it makes
// the record that all others compare.
func TestClaimsAreMadeManyAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, replication.HuaweiSDRS, replication.Approve)
		m := &many{rules: w.rules, groups: 1500}
		s := &claimsSeen{Store: w.store, takes: 100 * time.Millisecond}
		c := w.claimer(m, s)
		longest := w.rounds(c, 6)
		if err := c.Close(t.Context()); err != nil {
			t.Error(err)
		}
		groups := map[replication.GroupKey]bool{}
		for _, rec := range w.incidents() {
			if groups[rec.Key()] {
				t.Errorf("%s was claimed twice", rec.Key())
			}
			groups[rec.Key()] = true
		}
		if len(groups) != m.groups || s.asked != m.groups {
			t.Errorf("%d groups are claimed by %d claims, want each of %d once", len(groups), s.asked, m.groups)
		}
		if s.most != 32 {
			t.Errorf("%d claims were under way at a time, want 32", s.most)
		}
		if s.makes != 1 || s.beside != 0 {
			t.Errorf("%d claims would make the loss of the site, %d claims beside one, want one alone", s.makes, s.beside)
		}
		if longest > quorumtest.LeaseTTL/4 {
			t.Errorf("a round took %s, want a fraction of the lease of %s", longest, quorumtest.LeaseTTL)
		}
	})
}

// TestClaimsStopWhereNoneIsMade: a store that gives no claim an answer is not
// asked for each of thousands.
func TestClaimsStopWhereNoneIsMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, replication.HuaweiSDRS, replication.Approve)
		m := &many{rules: w.rules, groups: 500}
		s := &claimsSeen{Store: w.store, fails: errors.New("no answer")}
		c := w.claimer(m, s)
		w.rounds(c, 2)
		if err := c.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if most := 1 + 2*32; s.asked > most || s.asked <= 32 {
			t.Errorf("%d claims were tried, want more than 32 and at most %d", s.asked, most)
		}
	})
}
