package quorum_test

import (
	"maps"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/quorum/quorumtest"
)

// TestASiteCountsUntilItsObserverIsRemoved: an observer that dies takes its votes
// with it, and not its site's weight.
func TestASiteCountsUntilItsObserverIsRemoved(t *testing.T) {
	clock := newClock()
	w := quorumtest.New(clock.now, "obs-w", "witness")
	a := w.Join(clock.now, "obs-a", "az-a")
	sites := func(want map[string]string, alive int) {
		t.Helper()
		c, err := w.Read(t.Context())
		if err != nil || !maps.Equal(c.Registered, want) || len(c.Observers) != alive {
			t.Errorf("registered %v, %d alive, %v; want %v, %d", c.Registered, len(c.Observers), err, want, alive)
		}
	}
	for _, s := range []*quorumtest.Store{w, a} {
		if err := s.Renew(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	both := map[string]string{"obs-w": "witness", "obs-a": "az-a"}
	sites(both, 2)
	if err := a.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	clock.advance(time.Hour)
	if err := w.Renew(t.Context()); err != nil {
		t.Fatal(err)
	}
	sites(both, 1)
	for range 2 { // the second time there is nothing to forget
		if err := w.Unregister(t.Context(), "obs-a"); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Renew(t.Context()); err != nil {
		t.Fatal(err)
	}
	sites(map[string]string{"obs-w": "witness"}, 1)
	if err := a.Renew(t.Context()); err != nil { // it is back, and was removed while it was away
		t.Fatal(err)
	}
	sites(map[string]string{"obs-w": "witness"}, 2)
	again := w.Join(clock.now, "obs-a", "az-b") // a new life, at another site
	if err := again.Renew(t.Context()); err != nil {
		t.Fatal(err)
	}
	sites(map[string]string{"obs-w": "witness", "obs-a": "az-b"}, 2)
}
