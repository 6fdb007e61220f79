package exhaust_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/quorum/quorumtest"
	"github.com/drwatch/drwatch/internal/replication"
)

const root = "/drwatch/test/"

// judge looks at each transaction the moment it is applied.
func (w *world) judge(a quorumtest.Applied) {
	for _, p := range a.Txn.Puts {
		if strings.HasPrefix(p.Key, root+"voted/") {
			w.voted = a.Revision
		}
		id, ok := strings.CutPrefix(p.Key, root+"incident/")
		if !ok {
			continue
		}
		var inc replication.Incident
		if err := json.Unmarshal(p.Value, &inc); err != nil {
			w.violated("incident %s cannot be read: %v", id, err)
			return
		}
		w.judgeWrite(a, inc)
		w.phases[id] = inc.Phase
	}
}

func (w *world) judgeWrite(a quorumtest.Applied, inc replication.Incident) {
	if a.Txn.Op == "claim" {
		w.mu.Lock()
		w.alias[inc.ID] = fmt.Sprintf("incident-%d", len(w.alias)+1)
		w.mu.Unlock()
		for id, p := range w.phases {
			if !p.Ended() {
				w.violated("%s is claimed while %s is %s", inc.ID, id, p)
			}
		}
		w.judgeUnstopped(a, inc, "a claim")
	}
	if from := w.phases[inc.ID]; !w.may(from, inc.Phase, a.Txn.Op) {
		w.violated("%s goes from %q to %q", inc.ID, from, inc.Phase)
	}
	var holder replication.Holder
	_ = json.Unmarshal(a.At(root+"holder/"+inc.ID).Value, &holder) // nobody holds what cannot be read
	if a.Observer != "root" && holder.Observer != a.Observer {
		w.violated("%s writes %s, which %s holds", a.Observer, inc.ID, holder.Observer)
	}
	if call := inc.LastCall(); a.Txn.Op == "write" && inc.Phase == replication.Executing && call != nil && call.Outcome == replication.OutcomeNone {
		w.judgeIntent(a, inc)
	}
}

// may tells whether the table of transitions has it. A person's write and a take-over
// change who holds an incident, not where it stands.
func (w *world) may(from, to replication.Phase, op string) bool {
	if from == to && op != "write" && op != "claim" {
		return true
	}
	return slices.ContainsFunc(failover.Transitions(), func(t failover.Transition) bool { return t.From == from && t.To == to && t.Rule != "" })
}

// judgeUnstopped: nothing stands in the store that forbids it.
func (w *world) judgeUnstopped(a quorumtest.Applied, inc replication.Incident, what string) {
	if a.At(root+"freeze").Mod != 0 {
		w.violated("%s of %s while all is frozen", what, inc.ID)
	}
	if a.At(root+"abort/"+inc.ID).Mod != 0 {
		w.violated("%s of %s after its abort", what, inc.ID)
	}
	for _, it := range a.Under(root + "vote/") {
		if strings.Contains(string(it.Value), `"v":"veto"`) {
			w.violated("%s of %s under a veto", what, inc.ID)
		}
	}
	var lead replication.Leader
	_ = json.Unmarshal(a.At(root+"leader").Value, &lead) // nobody leads where nothing stands
	if lead.Observer != a.Observer {
		w.violated("%s of %s by %s, while %q leads", what, inc.ID, a.Observer, lead.Observer)
	}
}

// judgeIntent: no call of the incident may still arrive, or may have had an effect.
func (w *world) judgeIntent(a quorumtest.Applied, inc replication.Incident) {
	w.judgeUnstopped(a, inc, "an intent")
	unknown := 0
	for i, c := range inc.Calls {
		switch c.Outcome {
		case replication.Accepted:
			w.violated("an intent of %s after an accepted call", inc.ID)
		case replication.Uncertain, replication.OutcomeNone:
			unknown++
			if since := w.at() - c.StartedAt.Sub(w.began); i < len(inc.Calls)-1 && since <= w.life+w.settle {
				w.violated("an intent of %s only %s after that of a call of unknown outcome", inc.ID, since)
			}
		case replication.Rejected, replication.NotSent, replication.Throttled:
		}
	}
	if unknown > 2 || unknown == 2 && inc.Provider == replication.HuaweiDWS {
		w.violated("the intent of a call of %s with %d of unknown outcome", inc.ID, unknown)
	}
	for id, p := range w.phases {
		if id != inc.ID && !p.Ended() {
			w.violated("an intent of %s while %s is %s", inc.ID, id, p)
		}
	}
}

// judgeFirstByte: the sender leads, holds the incident, and has its intent in the
// store; and no request that left before may still have an effect.
func (w *world) judgeFirstByte(l *life, m *message, incident string) {
	c, err := w.root.Read(context.Background())
	if err != nil {
		w.violated("the store cannot be read: %v", err)
		return
	}
	inc, ok := c.Incidents[incident]
	switch call := inc.LastCall(); {
	case !ok:
		w.violated("%s sends for an incident that is not in the store", l.name)
	case c.Leader == nil || c.Leader.Observer != l.name || c.Leader.CreateRev != inc.Holder.LeaderRev:
		w.violated("%s sends for %s, which is held by another than the leader", l.name, incident)
	case call == nil || call.Outcome != replication.OutcomeNone || inc.Phase != replication.Executing:
		w.violated("%s sends for %s, which has no intent without outcome", l.name, incident)
	}
	for i, before := range w.flight {
		switch {
		case before.arrived && before.outcome == replication.Throttled:
		case w.provider == replication.HuaweiDWS:
			w.violated("%s sends to DWS although call %d may have had an effect", l.name, i+1)
		case !before.arrived && w.at()-before.signed <= w.life:
			w.violated("%s sends while call %d may still arrive, %s after it was signed", l.name, i+1, w.at()-before.signed)
		}
	}
}
