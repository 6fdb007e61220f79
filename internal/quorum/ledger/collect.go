package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/drwatch/drwatch/internal/replication"
)

const (
	// archivePatience is how long, by the cluster clock, an observer that has not
	// archived a piece is waited for. After it a majority is enough.
	archivePatience = time.Hour
	// collectBatch bounds the incidents that one call removes, and removeOps the
	// keys that one transaction does.
	collectBatch = 32
	removeOps    = 96
	// keepPersons is how many of the newest entries of the persons' journal stay.
	keepPersons = 20
)

// Collect removes from the store what the archives have: anchors that every
// observer has archived, or after an hour a majority, and then the incidents
// which are ended, whose last anchor is among those, and which nothing needs any
// more. c tells what there is; each transaction compares what it rests on. Only
// the leader may. It returns how many incidents left.
func (l *Ledger) Collect(ctx context.Context, c replication.Cluster) (int, error) {
	lead := l.current().leaderRev
	if lead == 0 {
		return 0, errors.New("removing what is archived: this observer does not lead")
	}
	n, err := l.collect(ctx, lead, c)
	if err != nil {
		return n, fmt.Errorf("removing what is archived: %w", err)
	}
	return n, nil
}

func (l *Ledger) collect(ctx context.Context, lead int64, c replication.Cluster) (int, error) {
	v, err := l.o.KV.Scan(ctx, only(l.keys.archiveHead()), Under(l.keys.anchoredChains()), Under(l.keys.allProgress()), Under(l.keys.observers()), Under(l.keys.allLates()))
	if err != nil {
		return 0, err
	}
	it := v.At(l.keys.archiveHead())
	if it.Mod == 0 {
		return 0, nil
	}
	var head archived
	if err := json.Unmarshal(it.Value, &head); err != nil {
		return 0, fmt.Errorf("key %s: %w", it.Key, err)
	}
	marks, err := l.marks(v)
	if err != nil {
		return 0, err
	}
	if head, err = l.removeAnchors(ctx, lead, c, v, head); err != nil {
		return 0, err
	}
	if err := l.trimPersons(ctx, lead, marks[operator], head); err != nil {
		return 0, err
	}
	removed := 0
	for _, id := range slices.Sorted(maps.Keys(marks)) {
		m := marks[id]
		rec, there := c.Incidents[id]
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

// removeAnchors removes the oldest anchors as far as the archives have them.
func (l *Ledger) removeAnchors(ctx context.Context, lead int64, c replication.Cluster, v View, head archived) (archived, error) {
	p, err := l.progressOf(v)
	if err != nil {
		return head, err
	}
	upTo := min(p.all(), head.Seq, head.First+removeOps-1)
	t := Txn{Op: "collect", What: "removing anchors that are archived"}
	if upTo < head.First {
		if upTo, err = l.overdue(ctx, c, head, min(p.majority(), head.Seq)); err != nil || upTo < head.First {
			return head, err
		}
		t.Deletes = p.departed(upTo, l.keys)
	}
	for seq := head.First; seq <= upTo; seq++ {
		t.Deletes = append(t.Deletes, l.keys.anchor(seq))
	}
	next := head
	next.First = upTo + 1
	h, err := put(l.keys.archiveHead(), next)
	if err != nil {
		return head, err
	}
	t.If = []Compare{l.keys.elected(lead), unchanged("the order of the archives", h.Key, v.At(h.Key).Mod)}
	t.Puts, t.Witness = []Put{h}, h.Key
	if _, err := l.commit(ctx, t); err != nil {
		return head, err
	}
	return next, nil
}

// overdue is up to where the anchors are so old that a majority is enough. They
// are in the order of their clock.
func (l *Ledger) overdue(ctx context.Context, c replication.Cluster, head archived, upTo int64) (int64, error) {
	upTo = min(upTo, head.First+removeOps/4-1)
	if upTo < head.First {
		return 0, nil
	}
	v, err := l.o.KV.Scan(ctx, Span{From: l.keys.anchor(head.First), To: l.keys.anchor(upTo + 1)})
	if err != nil {
		return 0, err
	}
	last := head.First - 1
	for _, it := range v.Items {
		var a replication.Anchor
		if err := json.Unmarshal(it.Value, &a); err != nil {
			return 0, fmt.Errorf("key %s: %w", it.Key, err)
		}
		if c.Clock-a.Clock < archivePatience {
			break
		}
		last = a.Seq
	}
	return last, nil
}

// progress is how far the archives are.
type progress struct {
	of   map[string]int64 // of each observer that is registered, or has ever told
	live map[string]bool
}

func (l *Ledger) progressOf(v View) (progress, error) {
	p := progress{of: map[string]int64{}, live: map[string]bool{}}
	for _, it := range v.Items {
		parts, err := l.keys.split(it.Key)
		if err != nil {
			return p, err
		}
		switch {
		case len(parts) == 2 && parts[0] == "observer":
			p.live[parts[1]] = true
			p.of[parts[1]] += 0
		case len(parts) == 3 && parts[0] == "archive" && parts[1] == "observer":
			var m replication.Mark
			if err := json.Unmarshal(it.Value, &m); err != nil {
				return p, fmt.Errorf("key %s: %w", it.Key, err)
			}
			p.of[parts[2]] += m.Seq
		}
	}
	return p, nil
}

// all is what every observer has archived.
func (p progress) all() int64 {
	if len(p.live) == 0 {
		return 0
	}
	return slices.Min(slices.Collect(maps.Values(p.of)))
}

// majority is what a majority of the registered observers has archived.
func (p progress) majority() int64 {
	var seqs []int64
	for o := range p.live {
		seqs = append(seqs, p.of[o])
	}
	if len(seqs) == 0 {
		return 0
	}
	slices.Sort(seqs)
	return seqs[len(seqs)-(len(seqs)/2+1)]
}

// departed are the keys of observers that are no more and that nobody need wait
// for again. One that comes back tells anew how far it is.
func (p progress) departed(upTo int64, k keys) []string {
	var out []string
	for _, o := range slices.Sorted(maps.Keys(p.of)) {
		if !p.live[o] && p.of[o] < upTo && len(out) < removeOps/4 {
			out = append(out, k.progress(o))
		}
	}
	return out
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
