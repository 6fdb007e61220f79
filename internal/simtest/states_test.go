package simtest_test

import (
	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/quorum/quorumtest"
	"github.com/drwatch/drwatch/internal/replication"
)

// theTransitions are those that the product's own table allows the incident of a
// rule, and of a person.
var theTransitions = transitions()

type transition struct {
	from, to replication.Phase
	person   bool
}

func transitions() map[transition]bool {
	out := map[transition]bool{}
	for _, tr := range failover.Transitions() {
		if tr.Rule != "" {
			out[transition{tr.From, tr.To, false}] = true
		}
		if tr.Person != "" {
			out[transition{tr.From, tr.To, true}] = true
		}
	}
	return out
}

// judgePhase: the incident went where the table lets it go; what is no claim and no
// write of its holder leaves it where it is.
func (w *world) judgePhase(a quorumtest.Applied, inc replication.Incident) {
	w.mu.Lock()
	from := w.phases[inc.ID]
	w.phases[inc.ID] = inc.Phase
	w.mu.Unlock()
	if a.Txn.Op != "claim" && a.Txn.Op != "write" {
		if from != inc.Phase {
			w.violated("%q has brought %s from %s to %s", a.Txn.Op, inc.ID, from, inc.Phase)
		}
		return
	}
	if !theTransitions[transition{from, inc.Phase, inc.Person != nil}] {
		w.violated("%s went from %q to %q", inc.ID, from, inc.Phase)
	}
}
