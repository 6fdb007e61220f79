package simtest_test

import (
	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/quorum/quorumtest"
	"github.com/drwatch/drwatch/internal/replication"
)

// theTransitions are those that the product's own table allows the incident of a
// rule.
var theTransitions = transitions()

func transitions() map[[2]replication.Phase]bool {
	out := map[[2]replication.Phase]bool{}
	for _, tr := range failover.Transitions() {
		if tr.Rule != "" {
			out[[2]replication.Phase{tr.From, tr.To}] = true
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
	if !theTransitions[[2]replication.Phase{from, inc.Phase}] {
		w.violated("%s went from %q to %q", inc.ID, from, inc.Phase)
	}
}
