package ebs_test

import (
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/provider"
)

// The SDK's own timeout would count what a poll waits for its turn.
func TestTheWaitForATurnIsNoPartOfTheCall(t *testing.T) {
	c := newCloud(t, good(t))
	s := c.settings()
	s.Timeout = 300 * time.Millisecond
	s.Pace = provider.NewPace(1, 1, time.Now)
	if _, err := newReader(t, s).List(t.Context()); err != nil { // two calls, a second apart
		t.Error(err)
	}
}
