package ledger

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/drwatch/drwatch/internal/replication"
)

// archived is the head of the order of anchors.
type archived struct {
	replication.Mark
	First int64 `json:"first"` // the oldest anchor that is still here
}

// anchored is how far one journal is anchored.
type anchored struct {
	Seq  int64  `json:"seq"`  // its newest anchor
	To   int    `json:"to"`   // entries anchored
	Head string `json:"head"` // hash of the last of them
	Late int    `json:"late,omitempty"`
	// Removed is how many of the oldest entries have left the store; Gone that the
	// incident itself has.
	Removed int   `json:"removed,omitempty"`
	Gone    bool  `json:"gone,omitempty"`
	rev     int64 // mod-revision
}

// anchorBatch bounds the journals that one transaction anchors, anchorRounds the
// transactions of one call.
const (
	anchorBatch  = 16
	anchorRounds = 32
)

// HashAnchor is the anchor's own hash: SHA-256 over its JSON without Hash.
func HashAnchor(a replication.Anchor) (string, error) {
	a.Hash = ""
	b, err := json.Marshal(a)
	if err != nil {
		return "", fmt.Errorf("anchor %d of %s: %w", a.Seq, a.Chain, err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

// Anchor puts every journal that has ended, or has grown since it was anchored,
// into the order of the archives, and what persons did as well. c tells which
// have ended; each is read again. Only the leader may. It returns how many
// anchors it made.
func (l *Ledger) Anchor(ctx context.Context, c replication.Cluster) (int, error) {
	lead := l.current().leaderRev
	if lead == 0 {
		return 0, errors.New("anchoring journals: this observer does not lead")
	}
	made := 0
	for range anchorRounds {
		n, err := l.anchorSome(ctx, lead, c)
		if err != nil {
			return made, fmt.Errorf("anchoring journals: %w", err)
		}
		if made += n; n < anchorBatch {
			break
		}
	}
	return made, nil
}

// anchorSome makes the next anchors in one transaction.
func (l *Ledger) anchorSome(ctx context.Context, lead int64, c replication.Cluster) (int, error) {
	v, err := l.o.KV.Scan(ctx, only(l.keys.archiveHead()), only(l.keys.chain()), Under(l.keys.anchoredChains()), Under(l.keys.allLates()))
	if err != nil {
		return 0, err
	}
	a, err := l.anchoringOf(v, c, lead)
	if err != nil {
		return 0, err
	}
	ids := a.due(c)
	if err := a.persons(v); err != nil {
		return 0, err
	}
	if len(ids) > 0 {
		if err := a.incidents(ctx, ids); err != nil {
			return 0, err
		}
	}
	if a.made == 0 {
		return 0, nil
	}
	p, err := put(l.keys.archiveHead(), a.head)
	if err != nil {
		return 0, err
	}
	a.t.Puts = append(a.t.Puts, p)
	_, err = l.commit(ctx, a.t)
	return a.made, err
}

// anchoring builds one transaction.
type anchoring struct {
	l     *Ledger
	c     replication.Cluster
	head  archived
	marks map[string]anchored
	late  map[string][]Item
	t     Txn
	made  int
}

func (l *Ledger) anchoringOf(v View, c replication.Cluster, lead int64) (*anchoring, error) {
	a := &anchoring{l: l, c: c, late: map[string][]Item{}, head: archived{First: 1}}
	var err error
	if a.marks, err = l.marks(v); err != nil {
		return nil, err
	}
	it := v.At(l.keys.archiveHead())
	if it.Mod != 0 {
		if err := json.Unmarshal(it.Value, &a.head); err != nil {
			return nil, fmt.Errorf("key %s: %w", it.Key, err)
		}
	}
	for _, it := range v.Items {
		if parts, err := l.keys.split(it.Key); err == nil && len(parts) == 3 && parts[0] == "late" {
			a.late[parts[1]] = append(a.late[parts[1]], it)
		}
	}
	a.t = Txn{Op: "anchor", What: "putting journals into the order of the archives", If: []Compare{
		l.keys.elected(lead), unchanged("the order of the archives", l.keys.archiveHead(), it.Mod),
	}}
	return a, nil
}

// marks are how far each journal is anchored.
func (l *Ledger) marks(v View) (map[string]anchored, error) {
	out := map[string]anchored{}
	for _, it := range v.Items {
		parts, err := l.keys.split(it.Key)
		if err != nil {
			return nil, err
		}
		if len(parts) != 3 || parts[0] != "archive" || parts[1] != "chain" {
			continue
		}
		m := anchored{rev: it.Mod}
		if err := json.Unmarshal(it.Value, &m); err != nil {
			return nil, fmt.Errorf("key %s: %w", it.Key, err)
		}
		out[parts[2]] = m
	}
	return out, nil
}

// due are the incidents to anchor next, in the order in which they were written
// last.
func (a *anchoring) due(c replication.Cluster) []string {
	var recs []replication.IncidentRecord
	for id, rec := range c.Incidents {
		m := a.marks[id]
		if rec.Phase.Ended() && !m.Gone && (rec.Length > m.To || len(a.late[id]) > m.Late) {
			recs = append(recs, rec)
		}
	}
	slices.SortFunc(recs, func(x, y replication.IncidentRecord) int {
		return cmp.Or(cmp.Compare(x.Rev, y.Rev), cmp.Compare(x.ID, y.ID))
	})
	ids := make([]string, 0, anchorBatch)
	for _, rec := range recs[:min(len(recs), anchorBatch)] {
		ids = append(ids, rec.ID)
	}
	return ids
}

// incidents anchors incidents as they are stored now.
func (a *anchoring) incidents(ctx context.Context, ids []string) error {
	keys := make([]string, len(ids))
	for i, id := range ids {
		keys[i] = a.l.keys.incident(id)
	}
	v, err := a.l.o.KV.Get(ctx, keys...)
	if err != nil {
		return err
	}
	for i, id := range ids {
		it := v.At(keys[i])
		var inc replication.Incident
		if it.Mod == 0 {
			continue
		}
		if err := json.Unmarshal(it.Value, &inc); err != nil {
			return fmt.Errorf("key %s: %w", it.Key, err)
		}
		m := a.marks[id]
		if !inc.Phase.Ended() || inc.Length <= m.To && len(a.late[id]) <= m.Late {
			continue
		}
		late := map[string]json.RawMessage{}
		for _, l := range a.late[id] {
			if parts, err := a.l.keys.split(l.Key); err == nil {
				late[parts[2]] = l.Value
			}
		}
		a.t.If = append(a.t.If, unchanged("incident "+id, it.Key, it.Mod))
		if err := a.add(replication.Anchor{Chain: id, To: inc.Length, Head: inc.Head, Incident: it.Value, Late: late}, len(late)); err != nil {
			return err
		}
	}
	return nil
}

// persons anchors what was added to the persons' journal.
func (a *anchoring) persons(v View) error {
	it := v.At(a.l.keys.chain())
	if it.Mod == 0 {
		return nil
	}
	var c chain
	if err := json.Unmarshal(it.Value, &c); err != nil {
		return fmt.Errorf("key %s: %w", it.Key, err)
	}
	if c.Length <= a.marks[operator].To {
		return nil
	}
	a.t.If = append(a.t.If, unchanged("the journal of persons", it.Key, it.Mod))
	return a.add(replication.Anchor{Chain: operator, To: c.Length, Head: c.Head}, 0)
}

// add appends an anchor to the order.
func (a *anchoring) add(n replication.Anchor, late int) error {
	m, key := a.marks[n.Chain], a.l.keys.anchoredChain(n.Chain)
	n.Seq, n.From, n.Base, n.Prev = a.head.Seq+1, m.To+1, m.Head, a.head.Hash
	n.At, n.Clock = a.l.o.Now().Round(0).UTC(), a.c.Clock
	var err error
	if n.Hash, err = HashAnchor(n); err != nil {
		return err
	}
	a.t.If = append(a.t.If, unchanged("the anchors of "+n.Chain, key, m.rev))
	m.Seq, m.To, m.Head, m.Late = n.Seq, n.To, n.Head, late
	ps := puts{}
	ps.add(a.l.keys.anchor(n.Seq), n)
	ps.add(key, m)
	a.t.Puts = append(a.t.Puts, ps.list...)
	a.t.Witness = a.l.keys.anchor(n.Seq)
	a.head.Mark = replication.Mark{Seq: n.Seq, Hash: n.Hash}
	a.made++
	return ps.err
}

// Unarchived is what an archive that is at seq after lacks, at most limit pieces
// of it. A piece whose entries leave the store meanwhile is left out: First tells.
func (l *Ledger) Unarchived(ctx context.Context, after int64, limit int) (replication.Unarchived, error) {
	u, err := l.unarchived(ctx, after, limit)
	if err != nil {
		return u, fmt.Errorf("reading what is to be archived: %w", err)
	}
	return u, nil
}

func (l *Ledger) unarchived(ctx context.Context, after int64, limit int) (replication.Unarchived, error) {
	var u replication.Unarchived
	v, err := l.o.KV.Get(ctx, l.keys.archiveHead(), l.keys.progress(l.o.Observer))
	if err != nil {
		return u, err
	}
	head := archived{First: 1}
	for key, into := range map[string]any{l.keys.archiveHead(): &head, l.keys.progress(l.o.Observer): &u.Mine} {
		if it := v.At(key); it.Mod != 0 {
			if err := json.Unmarshal(it.Value, into); err != nil {
				return u, fmt.Errorf("key %s: %w", key, err)
			}
		}
	}
	u.Head, u.First = head.Mark, head.First
	from := max(after+1, head.First)
	if limit <= 0 || from > head.Seq {
		return u, nil
	}
	v, err = l.o.KV.Scan(ctx, Span{From: l.keys.anchor(from), To: l.keys.anchor(from + int64(limit))})
	if err != nil {
		return u, err
	}
	for _, it := range v.Items {
		p, there, err := l.piece(ctx, it)
		if err != nil || !there {
			return u, err
		}
		u.Pieces = append(u.Pieces, p)
	}
	return u, nil
}

// piece reads the entries of an anchor. there is false when they are leaving the
// store: the anchor is removed before them.
func (l *Ledger) piece(ctx context.Context, it Item) (p replication.Piece, there bool, err error) {
	if err := json.Unmarshal(it.Value, &p.Anchor); err != nil {
		return p, false, fmt.Errorf("key %s: %w", it.Key, err)
	}
	if p.Anchor.To < p.Anchor.From {
		return p, true, nil
	}
	v, err := l.o.KV.Scan(ctx, Span{From: l.keys.entry(p.Anchor.Chain, p.Anchor.From), To: l.keys.entry(p.Anchor.Chain, p.Anchor.To) + "\x00"})
	if err != nil {
		return p, false, err
	}
	for _, e := range v.Items {
		if err := decodeInto(e, func(e replication.Entry) { p.Entries = append(p.Entries, e) }); err != nil {
			return p, false, fmt.Errorf("key %s: %w", e.Key, err)
		}
	}
	if len(p.Entries) == p.Anchor.To-p.Anchor.From+1 {
		return p, true, nil
	}
	now, err := l.o.KV.Get(ctx, it.Key)
	return p, err == nil && now.At(it.Key).Mod != 0, err
}

// Archived tells the store that this observer's archive has everything up to m,
// durably.
func (l *Ledger) Archived(ctx context.Context, m replication.Mark) error {
	p, err := put(l.keys.progress(l.o.Observer), m)
	if err != nil {
		return err
	}
	_, err = l.commit(ctx, Txn{Op: "archived", What: "telling how far this observer's archive is", Puts: []Put{p}})
	return err
}
