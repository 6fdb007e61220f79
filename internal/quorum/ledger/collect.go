package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/drwatch/drwatch/internal/replication"
)

const (
	// collectBatch bounds the incidents that one call removes, and removeOps the
	// keys that one transaction does.
	collectBatch = 32
	removeOps    = 96
	// keepPersons is how many of the newest entries of the persons' journal stay.
	keepPersons = 20
)

// Collected is what one Collect did, and what still waits.
type Collected struct {
	Incidents int   // that have left the store
	Waiting   int64 // pieces that some archive may still lack
	// Lacking are the observers without the oldest of these, when it is overdue: no
	// majority has it an hour after it was made.
	Lacking []string
	// Dropped are pieces that left although no majority has them: more than
	// MostWaiting would fill the store.
	Dropped int64
}

// Collect removes from the store what the archives have: anchors that every
// registered observer has archived, or after an hour a majority of them, and then
// the incidents which are ended, whose last anchor is among those, and which
// nothing needs any more. c tells what there is; each transaction compares what it
// rests on. Only the leader may.
func (l *Ledger) Collect(ctx context.Context, c replication.Cluster) (Collected, error) {
	lead := l.current().leaderRev
	if lead == 0 {
		return Collected{}, errors.New("removing what is archived: this observer does not lead")
	}
	n, err := l.collect(ctx, lead, c)
	if err != nil {
		return n, fmt.Errorf("removing what is archived: %w", err)
	}
	return n, nil
}

func (l *Ledger) collect(ctx context.Context, lead int64, c replication.Cluster) (Collected, error) {
	var done Collected
	v, err := l.o.KV.Scan(ctx, only(l.keys.archiveHead()), Under(l.keys.anchoredChains()), Under(l.keys.allProgress()),
		Under(l.keys.observers()), Under(l.keys.allRegistered()), Under(l.keys.allLates()))
	if err != nil {
		return done, err
	}
	it := v.At(l.keys.archiveHead())
	if it.Mod == 0 {
		return done, nil
	}
	var head archived
	if err := json.Unmarshal(it.Value, &head); err != nil {
		return done, fmt.Errorf("key %s: %w", it.Key, err)
	}
	marks, err := l.marks(v)
	if err != nil {
		return done, err
	}
	if head, err = l.removeAnchors(ctx, lead, c, v, head, &done); err != nil {
		return done, err
	}
	if err := l.trimPersons(ctx, lead, marks[operator], head); err != nil {
		return done, err
	}
	done.Incidents, err = l.removeIncidents(ctx, lead, c, v, head, marks)
	return done, err
}

// removeIncidents removes those whose last anchor has left.
func (l *Ledger) removeIncidents(ctx context.Context, lead int64, c replication.Cluster, v View, head archived, marks map[string]anchored) (int, error) {
	removed := 0
	for _, id := range slices.Sorted(maps.Keys(marks)) {
		m := marks[id]
		rec, there := c.Incidents[id]
		var err error
		switch {
		case id == operator || m.Seq >= head.First || removed == collectBatch:
			continue
		case m.Gone:
			err = l.removeEntries(ctx, lead, id, m)
		case !there || needed(c, rec) || rec.Length != m.To:
			continue
		default:
			err = l.removeIncident(ctx, lead, rec, m, v, c)
		}
		if errors.Is(err, replication.ErrConflict) {
			continue // it is looked at again
		}
		if err != nil {
			return removed, err
		}
		removed++
	}
	return removed, nil
}

// needed tells whether a decision may still look at the incident, or a person
// has still to acknowledge it.
func needed(c replication.Cluster, rec replication.IncidentRecord) bool {
	if !rec.Phase.Ended() || rec.Slot >= 0 {
		return true
	}
	g := c.Groups[rec.Key()]
	if g.OpenIncident == rec.ID || g.Latch != nil && g.Latch.Incident == rec.ID {
		return true
	}
	for _, e := range c.Episodes {
		if e.Incident == rec.ID {
			return true
		}
	}
	_, lost := c.Losses[rec.Plan.LostSite]
	return lost
}

// removeIncident removes an incident with all that belongs to it, and as much of
// its journal as one transaction may; the rest follows by removeEntries.
func (l *Ledger) removeIncident(ctx context.Context, lead int64, rec replication.IncidentRecord, m anchored, v View, c replication.Cluster) error {
	id, key := rec.ID, l.keys.anchoredChain(rec.ID)
	t := Txn{
		Op: "collect", What: "removing incident " + id,
		If: []Compare{
			l.keys.elected(lead), unchanged("the anchors of "+id, key, m.rev),
			unchanged("the record of the group", l.keys.group(rec.Key()), c.Groups[rec.Key()].Rev),
			{Name: "a late outcome", Kind: NoneNewer, Key: l.keys.lates(id), Rev: v.Revision},
		},
		Deletes: []string{l.keys.incident(id), l.keys.holder(id), l.keys.abort(id)},
	}
	t.If = append(t.If, l.tokenCompares(id, rec.Token, rec.Rev)...)
	if site := rec.Plan.LostSite; site != "" {
		t.If = append(t.If, absent("the loss of site "+site, l.keys.loss(site)))
	}
	late := Under(l.keys.lates(id))
	for _, it := range v.Items {
		if late.Has(it.Key) {
			t.Deletes = append(t.Deletes, it.Key)
		}
	}
	if len(t.Deletes) > removeOps/4 {
		return fmt.Errorf("%s: it has %d late outcomes", t.What, len(t.Deletes)-3)
	}
	m.Gone = true
	return l.remove(ctx, t, id, m, m.To)
}

// removeEntries goes on with the journal of an incident that is gone.
func (l *Ledger) removeEntries(ctx context.Context, lead int64, id string, m anchored) error {
	return l.remove(ctx, Txn{
		Op: "collect", What: "removing the journal of " + id,
		If: []Compare{l.keys.elected(lead), unchanged("the anchors of "+id, l.keys.anchoredChain(id), m.rev)},
	}, id, m, m.To)
}

// trimPersons removes the older entries of the persons' journal.
func (l *Ledger) trimPersons(ctx context.Context, lead int64, m anchored, head archived) error {
	if m.rev == 0 || m.Seq >= head.First || m.To-keepPersons <= m.Removed {
		return nil
	}
	return l.remove(ctx, Txn{
		Op: "collect", What: "removing the older entries of the persons' journal",
		If: []Compare{l.keys.elected(lead), unchanged("the anchors of "+operator, l.keys.anchoredChain(operator), m.rev)},
	}, operator, m, m.To-keepPersons)
}

// remove adds to a transaction the oldest entries that are still there up to
// number last, and where that leaves the journal, and commits it.
func (l *Ledger) remove(ctx context.Context, t Txn, chain string, m anchored, last int) error {
	from := m.Removed
	m.Removed = min(last, from+removeOps-len(t.Deletes))
	for seq := from + 1; seq <= m.Removed; seq++ {
		t.Deletes = append(t.Deletes, l.keys.entry(chain, seq))
	}
	key := l.keys.anchoredChain(chain)
	if m.Gone && m.Removed == m.To {
		t.Deletes = append(t.Deletes, key)
	} else {
		p, err := put(key, m)
		if err != nil {
			return err
		}
		t.Puts = append(t.Puts, p)
	}
	_, err := l.commit(ctx, t)
	return err
}
