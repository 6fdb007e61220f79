package app

import (
	"github.com/drwatch/drwatch/internal/api"
	"github.com/drwatch/drwatch/internal/console"
	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/quorum/ledger"
)

// Replay makes the decisions that an incident's journal holds again, on what was
// read for them.
func Replay(i api.Incident) console.Replayed {
	out := console.Replayed{Incident: i.ID, Decisions: []console.ReplayedDecision{}, OK: true}
	if err := ledger.VerifyHead(i.Incident, i.Journal); err != nil {
		out.Wrong, out.OK = err.Error(), false
	}
	if i.Person != nil {
		out.Person = i.Person.Who
		return out
	}
	for _, e := range i.Journal {
		if !failover.Recorded(e) {
			continue
		}
		d := console.ReplayedDecision{Seq: e.Seq, Event: e.Event}
		r, err := failover.ReplayEntry(e)
		if err != nil {
			d.Wrong = err.Error()
		}
		d.Act, d.Mode, d.Missing, d.Differences = r.Act, r.Mode, r.Missing, r.Differences
		out.Decisions = append(out.Decisions, d)
		out.OK = out.OK && d.Same()
	}
	out.OK = out.OK && len(out.Decisions) > 0
	return out
}
