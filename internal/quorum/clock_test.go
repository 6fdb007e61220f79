package quorum_test

import (
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/quorum/quorumtest"
)

// The cluster clock moves by no more than the time that passed at the leader, also
// when a step of it was applied and its answer was lost: a cool-down that runs on
// it must not end early.
func TestALostAnswerDoesNotMakeTheClockFast(t *testing.T) {
	c := newClock()
	s := quorumtest.New(c.now, "obs-a", "az-b")
	p := &play{T: t, clock: c, coordinator: s}
	p.lead()
	began := c.now()
	last := began
	tick := func() error { // as the leader's loop does: what was not confirmed counts on
		now := c.now()
		err := s.Tick(t.Context(), now.Sub(last))
		if err == nil {
			last = now
		}
		return err
	}
	for i := range 6 {
		c.advance(time.Second)
		if i%2 == 1 {
			s.LoseAnswerAndConnection("tick")
		}
		if err := tick(); (err != nil) != (i%2 == 1) {
			t.Fatalf("step %d: %v", i, err)
		}
		s.Heal()
	}
	c.advance(time.Second)
	p.ok(tick())
	if got, passed := p.read().Clock, c.now().Sub(began); got != passed {
		t.Errorf("the clock is at %s after %s", got, passed)
	}
}
