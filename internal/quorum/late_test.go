package quorum_test

import (
	"context"
	"errors"
	"testing"

	"github.com/drwatch/drwatch/internal/quorum"
	"github.com/drwatch/drwatch/internal/quorum/quorumtest"
	"github.com/drwatch/drwatch/internal/replication"
)

// An outcome that comes when its incident has left the store for the archives is
// refused: nobody would read it there, and nothing would ever remove it.
func TestAnOutcomeAfterItsIncidentHasLeft(t *testing.T) {
	both(t, func(p *play) {
		rec := p.over("i1", group1, replication.Succeeded, false)
		p.ok(p.CloseLoss(p.Context(), "az-a", p.read().Losses["az-a"].Rev))
		p.anchor(1)
		p.archive()
		p.collect(1)
		err := p.PutLate(p.Context(), rec.ID, rec.Token, replication.Call{Operation: "failover", Outcome: replication.Accepted})
		if !errors.Is(err, quorum.ErrNotFound) || !containsText(err, "in the archives") {
			t.Errorf("got %v, want that the incident has left", err)
		}
		p.gone(rec.ID)
	})
}

// The incident leaves between the look at it and the write of the outcome.
func TestAnOutcomeWhileItsIncidentLeaves(t *testing.T) {
	c := newClock()
	s := quorumtest.New(c.now, "obs-a", "az-b")
	p := &play{T: t, clock: c, coordinator: s}
	rec := p.over("i1", group1, replication.Succeeded, false)
	p.ok(p.CloseLoss(t.Context(), "az-a", p.read().Losses["az-a"].Rev))
	p.anchor(1)
	p.archive()
	read := p.read()
	s.BeforeNext("late", func() {
		_, err := p.Collect(context.Background(), read)
		p.ok(err)
	})
	err := p.PutLate(t.Context(), rec.ID, rec.Token, replication.Call{Operation: "failover", Outcome: replication.Accepted})
	if !errors.Is(err, quorum.ErrNotFound) {
		t.Errorf("got %v, want that the incident has left", err)
	}
	p.gone(rec.ID)
}
