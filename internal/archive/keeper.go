package archive

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/drwatch/drwatch/internal/quorum/ledger"
	"github.com/drwatch/drwatch/internal/replication"
)

// Store is what a Keeper asks of the coordination store.
type Store interface {
	// Anchor and Collect are the leader's part: to put what has ended in order, and
	// to remove what the archives have.
	Anchor(ctx context.Context, c replication.Cluster) (int, error)
	Collect(ctx context.Context, c replication.Cluster) (ledger.Collected, error)
	Unarchived(ctx context.Context, after int64, limit int) (replication.Unarchived, error)
	Archived(ctx context.Context, m replication.Mark) error
}

// Keeper brings one observer's archive up to date. One goroutine uses it.
type Keeper struct {
	Store   Store
	Archive *Archive
	Now     func() time.Time
	Logger  *slog.Logger
	// Archived is called with each piece that has become durable.
	Archived func(replication.Anchor)

	behind  int64
	waiting int64
	toldAt  time.Time // when it was last logged that an observer holds the archives up
}

// batch bounds the pieces that are held in memory at a time.
const batch = 32

// Pass does all there is to do now: anchors as the leader, archives, and removes
// as the leader. c is what the last round of decisions read. The order is the
// guard: a piece is durable here before the store is told so, and leaves it after
// all have told.
func (k *Keeper) Pass(ctx context.Context, c replication.Cluster, leads bool) error {
	var errs []error
	if leads {
		if _, err := k.Store.Anchor(ctx, c); err != nil {
			errs = append(errs, err)
		}
	}
	if err := k.archive(ctx); err != nil {
		errs = append(errs, err)
	}
	if leads {
		done, err := k.Store.Collect(ctx, c)
		k.heldUp(done)
		if err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// tellEvery is how often it is logged that an observer holds the archives up.
const tellEvery = time.Hour

// heldUp tells what stays in the store because observers are away, and what has
// left it although they are.
func (k *Keeper) heldUp(done ledger.Collected) {
	k.waiting = done.Waiting
	missing := strings.Join(done.Lacking, ",")
	if done.Dropped > 0 {
		k.Logger.Error("ended journals have left the coordination store although no majority of the observers has archived them: more of them would have filled it; "+
			"the observers that live have them, and the others' archives will have a gap", "records", done.Dropped, "missing", missing)
	}
	switch now := k.Now(); {
	case len(done.Lacking) == 0:
		k.toldAt = time.Time{}
	case k.toldAt.IsZero() || now.Sub(k.toldAt) >= tellEvery:
		k.toldAt = now
		k.Logger.Warn("ended journals stay in the coordination store until a majority of the observers has archived them: "+
			"bring back the missing ones, or take them out with `drwatch member remove NAME --reason …`", "records", done.Waiting, "at_most", ledger.MostWaiting, "missing", missing)
	}
}

// Waiting is how many pieces were in the store at the end of the last Pass as the
// leader, because an archive may still lack them.
func (k *Keeper) Waiting() int64 { return k.waiting }

// Behind is how many pieces the archive lacked at the end of the last Pass.
func (k *Keeper) Behind() int64 { return k.behind }

// archive writes what the archive lacks, and tells the store.
func (k *Keeper) archive(ctx context.Context) error {
	for {
		last, err := k.Archive.Last()
		if err != nil {
			return err
		}
		u, err := k.Store.Unarchived(ctx, last.Seq, batch)
		if err != nil {
			return err
		}
		k.behind = max(u.Head.Seq-last.Seq, 0)
		why := differs(last, u)
		if why == reset {
			if u, err = k.Store.Unarchived(ctx, u.Mine.Seq, batch); err != nil {
				return err
			}
			k.behind = u.Head.Seq - u.Mine.Seq
		}
		if len(u.Pieces) == 0 {
			return k.tell(ctx, last, u, why)
		}
		if err := k.write(why, u.Pieces); err != nil {
			return err
		}
		newest := u.Pieces[len(u.Pieces)-1].Anchor
		if err := k.Store.Archived(ctx, replication.Mark{Seq: newest.Seq, Hash: newest.Hash}); err != nil {
			return err
		}
		k.behind = max(u.Head.Seq-newest.Seq, 0)
	}
}

// tell repeats how far the archive is when the store does not know it: the
// process ended between the two.
func (k *Keeper) tell(ctx context.Context, last replication.Mark, u replication.Unarchived, why string) error {
	if why != "" || u.Mine == last {
		return nil
	}
	return k.Store.Archived(ctx, last)
}

const (
	first = "the first record"
	gap   = "this observer was away: the records between left the store"
	reset = "the coordination store was begun anew or put back"
)

// differs says why what the store has does not go on from the archive's last
// record, "" when it does.
func differs(last replication.Mark, u replication.Unarchived) string {
	switch {
	case last.Seq > u.Head.Seq, last.Seq == u.Head.Seq && last.Hash != u.Head.Hash:
		return reset
	case len(u.Pieces) == 0:
		return ""
	}
	next := u.Pieces[0].Anchor
	switch {
	case next.Seq == last.Seq+1 && next.Prev == last.Hash:
		return ""
	case next.Seq == last.Seq+1:
		return reset
	}
	return gap
}

// write appends the pieces, with a beginning where they do not go on from the
// last record.
func (k *Keeper) write(why string, pieces []replication.Piece) error {
	for _, p := range pieces {
		if err := check(p); err != nil {
			k.Logger.Error("a journal is archived as it is, but it is not as it was written", "record", p.Anchor.Seq, "err", err)
		}
	}
	empty, err := k.Archive.Empty()
	if err != nil {
		return err
	}
	if empty && why == "" {
		why = first
	}
	if why == "" {
		err = k.Archive.Append(pieces...)
	} else {
		if why != first {
			k.Logger.Warn("the archive of journals does not go on without a break", "record", pieces[0].Anchor.Seq, "why", why)
		}
		err = k.Archive.Begin(why, k.Now(), pieces...)
	}
	if err != nil {
		return err
	}
	for _, p := range pieces {
		k.Archived(p.Anchor)
	}
	return nil
}

// check is whether a piece is as it was written.
func check(p replication.Piece) error {
	if hash, err := ledger.HashAnchor(p.Anchor); err != nil || hash != p.Anchor.Hash {
		return errors.Join(err, fmt.Errorf("anchor %d of %s was altered", p.Anchor.Seq, p.Anchor.Chain))
	}
	prev := p.Anchor.Base
	for i, e := range p.Entries {
		if err := ledger.VerifyNext(p.Anchor.Chain, p.Anchor.From+i, prev, e); err != nil {
			return err
		}
		prev = e.Hash
	}
	if prev != p.Anchor.Head {
		return fmt.Errorf("journal of %s: it does not end as its anchor says", p.Anchor.Chain)
	}
	return nil
}
