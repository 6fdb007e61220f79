package quorum_test

import (
	"testing"

	"github.com/drwatch/drwatch/internal/quorum/quorumtest"
)

// TestResignGoesByTheStore: a leader key that was written without an answer is
// given up too, and one whose giving up failed is given up by the next try.
func TestResignGoesByTheStore(t *testing.T) {
	for name, trouble := range map[string]func(*quorumtest.Store){
		"elected without an answer": func(s *quorumtest.Store) {
			s.LoseAnswerAndConnection("lead")
			_, _, _ = s.Lead(t.Context())
			s.Heal()
		},
		"the first try failed": func(s *quorumtest.Store) {
			_, _, _ = s.Lead(t.Context())
			s.LoseAnswerAndConnection("beat")
			_ = s.Renew(t.Context())
			_ = s.Resign(t.Context())
			s.Heal()
		},
	} {
		clock := newClock()
		w := quorumtest.New(clock.now, "obs-w", "witness")
		a := w.Join(clock.now, "obs-a", "az-a")
		for _, s := range []*quorumtest.Store{w, a} {
			if err := s.Renew(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		trouble(w)
		if lead, mine, err := a.Lead(t.Context()); err != nil || mine || lead.Observer != "obs-w" {
			t.Fatalf("%s: %+v, %v, %v; want that obs-w leads", name, lead, mine, err)
		}
		if err := w.Resign(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, mine, err := a.Lead(t.Context()); err != nil || !mine {
			t.Errorf("%s: obs-a leads %v, %v; want it does once obs-w has resigned", name, mine, err)
		}
	}
}
