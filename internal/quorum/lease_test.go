package quorum_test

import (
	"errors"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/drwatch/drwatch/internal/quorum"
	"github.com/drwatch/drwatch/internal/quorum/quorumtest"
	"github.com/drwatch/drwatch/internal/replication"
)

// On real etcd and real time: a silent observer loses its votes and the lead,
// keeps its veto for the rule's `for`, and starts anew at its next renewal.
func TestLeaseRunsOutOnEtcd(t *testing.T) {
	t.Parallel()
	s := openStore(t, filepath.Join(t.TempDir(), "etcd"), func(o *quorum.Options) { o.LeaseTTL = time.Second })
	p := &play{T: t, clock: newClock(), coordinator: s}
	first := p.lead()
	veto := vote(group1, replication.Veto)
	veto.For = time.Minute
	votes := []replication.Vote{veto, vote(group2, replication.Go)}
	p.ok(p.PublishVotes(t.Context(), votes))
	if left := s.LeaseLeft(); left <= 0 || left > time.Second {
		t.Errorf("%s left of a lease of 1s", left)
	}
	if s.LeaseLeftIn(first.CreateRev) <= 0 || s.LeaseLeftIn(first.CreateRev-1) != 0 || s.LeaseLeftIn(0) != 0 {
		t.Error("the lease does not belong to its own election alone")
	}
	waitFor(t, "the lease to run out", func() bool { return len(p.read().Observers) == 0 })
	c := p.read()
	if s.LeaseLeft() != 0 || c.Leader != nil {
		t.Errorf("%s left, leader %v; want neither", s.LeaseLeft(), c.Leader)
	}
	if len(c.Votes) != 1 || c.Votes[0].Verdict != replication.Veto {
		t.Errorf("votes are %v, want the veto alone", c.Votes)
	}
	second := p.lead()
	if second.CreateRev == first.CreateRev || s.LeaseLeftIn(first.CreateRev) != 0 || s.LeaseLeftIn(second.CreateRev) <= 0 {
		t.Errorf("election %d after %d: the lease of the new one counts for the old", second.CreateRev, first.CreateRev)
	}
	p.ok(p.PublishVotes(t.Context(), votes))
	if n := len(p.read().Votes); n != 2 {
		t.Errorf("%d votes after the return, want 2", n)
	}
}

func TestLeaseLeftTakesTheWorstClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := quorumtest.New(time.Now, "obs-a", "az-b")
		p := &play{T: t, coordinator: s}
		if s.LeaseLeft() != 0 {
			t.Error("a lease before the first renewal")
		}
		lead := p.lead()
		time.Sleep(4 * time.Second)
		want := func(left time.Duration) {
			t.Helper()
			if got := s.LeaseLeft(); got != left {
				t.Errorf("%s left, want %s", got, left)
			}
			if got := s.LeaseLeftIn(lead.CreateRev); got != left {
				t.Errorf("%s left in the election, want %s", got, left)
			}
		}
		want(11 * time.Second)
		s.Suspend(6 * time.Second)
		want(5 * time.Second)
		s.Suspend(time.Hour)
		want(0)
		p.ok(s.Renew(t.Context()))
		want(quorumtest.LeaseTTL)
		s.Disconnect(errors.New("cut"))
		time.Sleep(5 * time.Second)
		if err := s.Renew(t.Context()); err == nil {
			t.Error("renewed without a connection")
		}
		want(10 * time.Second)
		time.Sleep(11 * time.Second)
		want(0)
	})
}

// A wall clock that jumps ahead shortens the lease, one that is set back does
// not lengthen it.
func TestLeaseLeftOverStepsOfTheWallClock(t *testing.T) {
	for _, step := range []time.Duration{time.Hour, -time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			moved := time.Duration(0)
			s := quorumtest.New(func() time.Time { return time.Now().Round(0).Add(moved) }, "obs-a", "az-b")
			(&play{T: t, coordinator: s}).lead()
			time.Sleep(5 * time.Second)
			moved = step
			if left := s.LeaseLeft(); left > 10*time.Second && step > 0 {
				t.Errorf("%s left after a step of %s", left, step)
			}
			s.Suspend(time.Hour + 5*time.Second) // the boot clock of the model follows the wall clock; this takes the step out of it
			if left := s.LeaseLeft(); left > 10*time.Second {
				t.Errorf("%s left after a step of %s", left, step)
			}
		})
	}
}

func TestModelLeaseLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := quorumtest.New(time.Now, "obs-a", "az-b")
		b := a.Join(time.Now, "obs-b", "az-c")
		pa, pb := &play{T: t, coordinator: a}, &play{T: t, coordinator: b}
		first := pa.lead()
		pb.ok(b.Renew(t.Context()))
		if _, mine, err := b.Lead(t.Context()); mine || err != nil {
			t.Errorf("b leads beside a (%v)", err)
		}
		pa.ok(a.LoseLease("obs-a"))
		if second := pb.lead(); second.CreateRev <= first.CreateRev {
			t.Errorf("election %d after %d", second.CreateRev, first.CreateRev)
		}
		if err := a.Tick(t.Context(), time.Second); !errors.Is(err, replication.ErrConflict) {
			t.Errorf("the former leader moved the clock: %v", err)
		}
		pa.ok(a.Renew(t.Context()))
		if _, mine, err := a.Lead(t.Context()); mine || err != nil {
			t.Errorf("a leads beside b (%v)", err)
		}
		time.Sleep(quorumtest.LeaseTTL)
		if c := pa.read(); c.Leader != nil || len(c.Observers) != 0 {
			t.Errorf("leader %v, observers %v after a silence as long as the lease", c.Leader, c.Observers)
		}
	})
}

func TestModelFaults(t *testing.T) {
	claim := func(p *play) error {
		_, err := p.Claim(p.Context(), claimOf(p.read(), "i1", group1))
		return err
	}
	rows := []struct {
		name   string
		fault  func(*quorumtest.Store)
		is     error
		landed bool
	}{
		{"not applied", func(s *quorumtest.Store) { s.FailNext("", errors.New("no")) }, nil, false},
		{"not applied, no answer", func(s *quorumtest.Store) { s.FailNext("claim", quorum.ErrUncertain) }, quorum.ErrUncertain, false},
		{"applied, answer lost", func(s *quorumtest.Store) { s.LoseAnswer("") }, nil, true},
		{"applied, answer and connection lost", func(s *quorumtest.Store) { s.LoseAnswerAndConnection("claim") }, quorum.ErrUncertain, true},
		{"conflict", func(s *quorumtest.Store) { s.ConflictNext("claim", "the moon") }, replication.ErrConflict, false},
		{"cut", func(s *quorumtest.Store) { s.Disconnect(errors.New("cut")) }, nil, false},
		{"reset", func(s *quorumtest.Store) { s.ResetStore() }, quorum.ErrStoreReset, false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := quorumtest.New(time.Now, "obs-a", "az-b")
				p := &play{T: t, coordinator: s}
				p.lead()
				c := claimOf(p.read(), "i1", group1)
				row.fault(s)
				rec, err := s.Claim(t.Context(), c)
				if row.name == "applied, answer lost" {
					p.ok(err)
				} else if err == nil {
					t.Error("no error")
				}
				if row.is != nil && !errors.Is(err, row.is) {
					t.Errorf("got %v, want %v", err, row.is)
				}
				p.ok(s.AcceptReset(t.Context()))
				s.Heal()
				got, there := p.read().Incidents["i1"]
				if there != row.landed {
					t.Errorf("the incident is there: %v, want %v", there, row.landed)
				}
				if err == nil && got.Token != rec.Token {
					t.Errorf("token %d, the store has %d", rec.Token, got.Token)
				}
				if !row.landed && !errors.Is(row.is, quorum.ErrStoreReset) {
					p.ok(claim(p)) // the fault happens once
				}
			})
		})
	}
}

// An observer whose writes get no answer, as with a slow disk, does not keep its
// lease: it would lead for ever and do nothing.
func TestALeaseIsNotKeptWithoutAHeartbeat(t *testing.T) {
	clock := newClock()
	s := quorumtest.New(clock.now, "obs-a", "az-b")
	p := &play{T: t, clock: clock, coordinator: s}
	p.lead()
	for range 2 {
		clock.advance(quorumtest.LeaseTTL/2 + time.Millisecond)
		s.FailNext("beat", quorum.ErrUncertain)
		if err := s.Renew(t.Context()); !errors.Is(err, quorum.ErrUncertain) {
			t.Fatalf("renewing: %v", err)
		}
	}
	if left := s.LeaseLeft(); left != 0 {
		t.Errorf("%s of the lease are left, although no heartbeat was written for as long as it lives", left)
	}
	other := &play{T: t, clock: clock, coordinator: s.Join(clock.now, "obs-b", "az-c")}
	other.lead()
	p.ok(s.Renew(t.Context()))
}
