package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strconv"

	"github.com/drwatch/drwatch/internal/replication"
)

// Write changes an incident under its token, with one journal entry and all
// that goes with it, in one transaction. Head and Length of w.Incident are those
// of the stored incident, whatever the caller has in them. The errors are those
// of Claim.
func (l *Ledger) Write(ctx context.Context, w replication.Write) (replication.IncidentRecord, error) {
	var out replication.IncidentRecord
	err := retriedLoss(func() error {
		t, rec, err := l.planWrite(ctx, w)
		if err != nil {
			return err
		}
		rec.Rev, err = l.commit(ctx, t)
		out = rec
		return err
	})
	if err != nil {
		return replication.IncidentRecord{}, err
	}
	return out, nil
}

// lossChanged names the compare on the count of failures, which the writer reads
// by itself: other incidents of the same loss may fail at the same time.
const lossChanged = "the count of failures in the site loss"

func retriedLoss(try func() error) error {
	var err error
	for range conflictTries {
		var c *Conflict
		if err = try(); !errors.As(err, &c) || len(c.Changed) != 1 || c.Changed[0] != lossChanged {
			return err
		}
	}
	return err
}

// planWrite reads what the transaction builds on and builds it.
func (l *Ledger) planWrite(ctx context.Context, w replication.Write) (Txn, replication.IncidentRecord, error) {
	id := w.Incident.ID
	t := Txn{Op: "write", What: fmt.Sprintf("writing incident %s (%s)", id, w.Entry.Event)}
	lossKey := l.keys.loss(w.Incident.Plan.LostSite)
	now, view, err := l.record(ctx, id, l.keys.clock(), lossKey, l.keys.group(w.Incident.Key()))
	if err != nil {
		return t, now, fmt.Errorf("%s: %w", t.What, err)
	}
	if now.Token != w.Token {
		return t, now, &Conflict{What: t.What, Changed: []string{"the holder of incident " + id}}
	}
	if now.Rev != w.IncidentRev {
		return t, now, &Conflict{What: t.What, Changed: []string{"incident " + id}}
	}
	if replication.Lowest(w.Incident.Mode, now.Mode) != w.Incident.Mode {
		return t, now, fmt.Errorf("%s: its mode is %s and cannot become %s", t.What, now.Mode, w.Incident.Mode)
	}
	t.If = append(l.tokenCompares(id, w.Token, w.IncidentRev), l.writeCompares(w)...)
	w.Incident.Head, w.Incident.Length = now.Head, now.Length
	inc, err := l.slotWrites(&t, w, now.Slot)
	if err == nil {
		err = l.sideWrites(&t, w, view)
	}
	if err == nil && w.CountFailed {
		err = l.countFailed(&t, w, view.At(lossKey))
	}
	if err != nil {
		return t, now, fmt.Errorf("%s: %w", t.What, err)
	}
	inc, entry, err := l.chained(inc, w.Entry)
	if err == nil {
		now.Incident, err = l.write(&t, inc, entry, view)
	}
	if err != nil {
		return t, now, fmt.Errorf("%s: %w", t.What, err)
	}
	return t, now, nil
}

func (l *Ledger) writeCompares(w replication.Write) []Compare {
	var cs []Compare
	if w.LeaderRev != 0 {
		cs = append(cs, l.keys.elected(w.LeaderRev))
	}
	if w.Unfrozen {
		cs = append(cs, absent("the freeze", l.keys.freeze()))
	}
	if w.Unaborted {
		cs = append(cs, absent("the abort", l.keys.abort(w.Incident.ID)))
	}
	if w.Votes != nil {
		cs = append(cs, l.voteCompares(w.Incident.Rule, w.Incident.Key(), *w.Votes)...)
		if w.LimitStarts {
			cs = append(cs, Compare{Name: "the starts of rule " + w.Incident.Rule, Kind: NoneNewer, Key: l.keys.startedOf(w.Incident.Rule), Rev: w.Votes.Revision})
		}
	}
	if w.Group != nil {
		cs = append(cs, unchanged("the record of the group", l.keys.group(w.Incident.Key()), w.Group.Rev))
	}
	return cs
}

// slotWrites takes or gives back the concurrency slot. A slot is a key: it is
// taken by creating it, so no count can go wrong.
func (l *Ledger) slotWrites(t *Txn, w replication.Write, held int) (replication.Incident, error) {
	inc := w.Incident
	switch {
	case w.TakeSlot && w.FreeSlot:
		return inc, errors.New("a slot cannot be taken and given back at once")
	case w.TakeSlot && inc.Slot < 0:
		return inc, errors.New("no slot is named that could be taken")
	case w.TakeSlot:
		name := fmt.Sprintf("slot %d of rule %s", inc.Slot, inc.Rule)
		t.If = append(t.If, absent(name, l.keys.slot(inc.Rule, inc.Slot)))
		t.Puts = append(t.Puts, Put{Key: l.keys.slot(inc.Rule, inc.Slot), Value: []byte(inc.ID)})
	case w.FreeSlot:
		if held >= 0 {
			t.Deletes = append(t.Deletes, l.keys.slot(inc.Rule, held))
		}
		inc.Slot = -1
	}
	return inc, nil
}

// sideWrites are the group's record, the episode and the count of starts.
func (l *Ledger) sideWrites(t *Txn, w replication.Write, view View) error {
	inc, ps := w.Incident, puts{}
	if w.Group != nil {
		before := view.At(l.keys.group(inc.Key()))
		before.Key = l.keys.group(inc.Key())
		addKept(&ps, before, *w.Group)
	}
	if w.Episode {
		ps.add(l.keys.episode(inc.Rule, inc.Key()), replication.Episode{Rule: inc.Rule, Group: inc.Key(), Incident: inc.ID, Phase: inc.Phase})
	}
	if w.CountStart {
		clock, err := parseClock(view.At(l.keys.clock()))
		if err != nil {
			return fmt.Errorf("the cluster clock: %w", err)
		}
		ps.list = append(ps.list, Put{Key: l.keys.started(inc.Rule, inc.ID), Value: []byte(strconv.FormatInt(int64(clock), 10))})
	}
	t.Puts = append(t.Puts, ps.list...)
	return ps.err
}

// countFailed adds one to the site loss's failures of the rule. A loss that is
// closed counts nothing any more.
func (l *Ledger) countFailed(t *Txn, w replication.Write, it Item) error {
	if it.Mod == 0 {
		return nil
	}
	var loss replication.SiteLoss
	if err := json.Unmarshal(it.Value, &loss); err != nil {
		return fmt.Errorf("key %s: %w", it.Key, err)
	}
	loss.Failures = maps.Clone(loss.Failures)
	if loss.Failures == nil {
		loss.Failures = map[string]int{}
	}
	loss.Failures[w.Incident.Rule]++
	var ps puts
	addKept(&ps, it, loss)
	t.If = append(t.If, unchanged(lossChanged, it.Key, it.Mod))
	t.Puts = append(t.Puts, ps.list...)
	return ps.err
}
