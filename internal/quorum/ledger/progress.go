package ledger

import (
	"context"
	"encoding/json"
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
	// MostWaiting is how many pieces may wait for a majority of the archives. A piece
	// with its incident and entries takes some 40 KB, so that they stay far below
	// the store's quota; beyond it the oldest leave when every live observer has them.
	MostWaiting = 1000
)

// removeAnchors removes the oldest anchors as far as the archives have them.
func (l *Ledger) removeAnchors(ctx context.Context, lead int64, c replication.Cluster, v View, head archived, done *Collected) (archived, error) {
	p, err := l.progressOf(v)
	if err != nil {
		return head, err
	}
	done.Waiting = head.Seq - head.First + 1
	t := Txn{Op: "collect", What: "removing anchors that are archived"}
	upTo := min(p.all(), head.Seq, head.First+removeOps-1)
	if upTo < head.First && done.Waiting > 0 {
		if upTo, err = l.withoutAll(ctx, c, head, p, done); err != nil {
			return head, err
		}
		t.Deletes = p.departed(l.keys)
	}
	if upTo < head.First {
		return head, nil
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
		done.Dropped = 0
		return head, err
	}
	done.Waiting -= upTo - head.First + 1
	return next, nil
}

// withoutAll is up to where the anchors may leave although not all observers have
// them: a majority has, for the hour that the others were waited for; or so many
// wait that the store would fill.
func (l *Ledger) withoutAll(ctx context.Context, c replication.Cluster, head archived, p progress, done *Collected) (int64, error) {
	old, err := l.overdue(ctx, c, head)
	if err != nil {
		return 0, err
	}
	if upTo := min(old, p.majority()); upTo >= head.First {
		return upTo, nil
	}
	if old >= head.First {
		done.Lacking = p.lacking(head.First)
	}
	upTo := min(p.living(), head.Seq-MostWaiting, head.First+removeOps/4-1)
	if upTo >= head.First && upTo > p.majority() {
		done.Dropped = upTo - max(p.majority(), head.First-1)
	}
	return upTo, nil
}

// overdue is up to where the anchors are so old that a majority is enough, at
// most as many as one transaction removes. They are in the order of their clock.
func (l *Ledger) overdue(ctx context.Context, c replication.Cluster, head archived) (int64, error) {
	upTo := min(head.Seq, head.First+removeOps/4-1)
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
	of         map[string]int64 // of whoever has told
	registered map[string]bool  // who belongs to the cluster until a person removes it
	live       map[string]bool
}

func (l *Ledger) progressOf(v View) (progress, error) {
	p := progress{of: map[string]int64{}, registered: map[string]bool{}, live: map[string]bool{}}
	for _, it := range v.Items {
		parts, err := l.keys.split(it.Key)
		if err != nil {
			return p, err
		}
		switch {
		case len(parts) == 2 && parts[0] == "observer":
			p.live[parts[1]] = true
		case len(parts) == 2 && parts[0] == "registered":
			p.registered[parts[1]] = true
		case len(parts) == 3 && parts[0] == "archive" && parts[1] == "observer":
			var m replication.Mark
			if err := json.Unmarshal(it.Value, &m); err != nil {
				return p, fmt.Errorf("key %s: %w", it.Key, err)
			}
			p.of[parts[2]] = m.Seq
		}
	}
	return p, nil
}

// seqs are how far those are, the furthest first.
func (p progress) seqs(observers map[string]bool) []int64 {
	var out []int64
	for o := range observers {
		out = append(out, p.of[o])
	}
	slices.Sort(out)
	slices.Reverse(out)
	return out
}

// all is what every observer has archived that belongs to the cluster or lives.
func (p progress) all() int64 {
	everybody := maps.Clone(p.registered)
	maps.Copy(everybody, p.live)
	return least(p.seqs(everybody))
}

// living is what every live observer has archived.
func (p progress) living() int64 { return least(p.seqs(p.live)) }

func least(seqs []int64) int64 {
	if len(seqs) == 0 {
		return 0
	}
	return seqs[len(seqs)-1]
}

// majority is what a majority of the registered observers has archived, alive or
// not: what the minority that lives has could be lost with it.
func (p progress) majority() int64 {
	seqs := p.seqs(p.registered)
	if len(seqs) == 0 {
		return 0
	}
	return seqs[len(seqs)/2]
}

// lacking are the registered observers that have not archived a piece.
func (p progress) lacking(seq int64) []string {
	var out []string
	for o := range p.registered {
		if p.of[o] < seq {
			out = append(out, o)
		}
	}
	slices.Sort(out)
	return out
}

// departed are the keys of observers that no longer belong to the cluster. One
// that comes back tells anew how far it is.
func (p progress) departed(k keys) []string {
	var out []string
	for _, o := range slices.Sorted(maps.Keys(p.of)) {
		if !p.live[o] && !p.registered[o] && len(out) < removeOps/4 {
			out = append(out, k.progress(o))
		}
	}
	return out
}
