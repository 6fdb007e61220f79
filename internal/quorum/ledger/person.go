package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/drwatch/drwatch/internal/replication"
)

// chain is the head of the journal of what persons did to the whole store.
type chain struct {
	Head   string `json:"head"`
	Length int    `json:"length"`
}

// Freeze sets the kill switch. A second freeze leaves the first in place and is
// no error.
func (l *Ledger) Freeze(ctx context.Context, who, reason string) error {
	return retried(func() error {
		v, err := l.o.KV.Get(ctx, l.keys.freeze(), l.keys.chain())
		if err != nil {
			return fmt.Errorf("freezing: %w", err)
		}
		if v.At(l.keys.freeze()).Mod != 0 {
			return nil
		}
		now := l.o.Now().Round(0).UTC()
		t := Txn{Op: "freeze", What: "freezing", If: []Compare{absent("the freeze", l.keys.freeze())}}
		if err := l.chainPerson(&t, v, personEntry("freeze", who, reason, now)); err != nil {
			return err
		}
		p, err := put(l.keys.freeze(), replication.Freeze{Who: cut(who, 256), Reason: cut(reason, 1<<10), At: now})
		if err != nil {
			return fmt.Errorf("freezing: %w", err)
		}
		t.Puts = append(t.Puts, p)
		_, err = l.commit(ctx, t)
		return err
	})
}

// Unfreeze takes the kill switch back; it is no error when it was not set.
func (l *Ledger) Unfreeze(ctx context.Context, who, reason string) error {
	return retried(func() error {
		v, err := l.o.KV.Get(ctx, l.keys.freeze(), l.keys.chain())
		if err != nil {
			return fmt.Errorf("unfreezing: %w", err)
		}
		it := v.At(l.keys.freeze())
		if it.Mod == 0 {
			return nil
		}
		t := Txn{Op: "unfreeze", What: "unfreezing", If: []Compare{unchanged("the freeze", it.Key, it.Mod)}, Deletes: []string{it.Key}}
		if err := l.chainPerson(&t, v, personEntry("unfreeze", who, reason, l.o.Now())); err != nil {
			return err
		}
		_, err = l.commit(ctx, t)
		return err
	})
}

// chainPerson adds an entry to the persons' journal, whose head v must hold.
func (l *Ledger) chainPerson(t *Txn, v View, e replication.Entry) error {
	it := v.At(l.keys.chain())
	var c chain
	if it.Mod != 0 {
		if err := json.Unmarshal(it.Value, &c); err != nil {
			return fmt.Errorf("%s: key %s: %w", t.What, it.Key, err)
		}
	}
	e.Observer = l.o.Observer
	e, err := Chain(operator, c.Length, c.Head, e)
	if err != nil {
		return fmt.Errorf("%s: %w", t.What, err)
	}
	ps := puts{}
	ps.add(l.keys.chain(), chain{Head: e.Hash, Length: e.Seq})
	ps.add(l.keys.entry(operator, e.Seq), e)
	t.If = append(t.If, unchanged("the journal of persons", l.keys.chain(), it.Mod))
	t.Puts = append(t.Puts, ps.list...)
	t.Witness = l.keys.entry(operator, e.Seq)
	return ps.err
}

// amend changes an incident on behalf of a person, under whatever token it has
// now: change returns the journal entry, or an error to refuse.
func (l *Ledger) amend(ctx context.Context, id, what string, change func(*replication.IncidentRecord, *Txn) (replication.Entry, error)) error {
	return retried(func() error {
		rec, view, err := l.record(ctx, id)
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		t := Txn{Op: strings.Fields(what)[0], What: what, If: l.tokenCompares(id, rec.Token, rec.Rev)}
		e, err := change(&rec, &t)
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		if e.Event == "" {
			return nil
		}
		inc, e, err := l.chained(rec.Incident, e)
		if err == nil {
			_, err = l.write(&t, inc, e, view)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		_, err = l.commit(ctx, t)
		return err
	})
}

// Abort asks that an incident be stopped. ErrAlreadySent once an intent exists
// that may have reached the provider, unless a person's action waits between its
// steps; ErrRefused when it has ended. A second abort leaves the first in place
// and is no error.
func (l *Ledger) Abort(ctx context.Context, incident, who, reason string) error {
	return l.abort(ctx, incident, who, reason, 0)
}

// GiveUp asks that the wait for the proof of that attempt be ended; ErrRefused when
// the incident has gone on since the caller looked. The caller has made
// sure that no call of the incident can still arrive.
func (l *Ledger) GiveUp(ctx context.Context, incident string, attempt int, who, reason string) error {
	return l.abort(ctx, incident, who, reason, attempt)
}

// abort asks for an end; attempt is the call whose proof is given up, 0 for none.
func (l *Ledger) abort(ctx context.Context, incident, who, reason string, attempt int) error {
	return l.amend(ctx, incident, "aborting incident "+incident, func(rec *replication.IncidentRecord, t *Txn) (replication.Entry, error) {
		if rec.Phase.Ended() {
			return replication.Entry{}, fmt.Errorf("%w: it has ended as %s", ErrRefused, rec.Phase)
		}
		if attempt != 0 && (rec.Phase != replication.Verifying || len(rec.Calls) == 0 || rec.LastCall().Attempt != attempt) {
			return replication.Entry{}, fmt.Errorf("%w: it has gone on since: look at it again", ErrRefused)
		}
		if c := sent(rec.Calls); c != nil && attempt == 0 && !betweenSteps(rec.Incident) {
			return replication.Entry{}, fmt.Errorf("%w: %s was begun at %s", ErrAlreadySent, c.Operation, c.StartedAt.UTC().Format("15:04:05"))
		}
		if rec.Abort != nil {
			return replication.Entry{}, nil
		}
		now := l.o.Now().Round(0).UTC()
		p, err := put(l.keys.abort(incident), replication.Abort{Who: cut(who, 256), Reason: cut(reason, 1<<10), At: now})
		t.If = append(t.If, absent("the abort", l.keys.abort(incident)))
		t.Puts = append(t.Puts, p)
		return personEntry("abort", who, reason, now), err
	})
}

// betweenSteps tells that a person's action of several steps waits: what it has
// done stays, and what is left can still be stopped.
func betweenSteps(inc replication.Incident) bool {
	return inc.Person != nil && (inc.Phase == replication.Open || inc.Phase == replication.Held)
}

// sent is the first call that may have reached the provider, or nil.
func sent(calls []replication.Call) *replication.Call {
	for i, c := range calls {
		if c.Outcome != replication.NotSent && c.Outcome != replication.Throttled {
			return &calls[i]
		}
	}
	return nil
}

// Approve adds a person's yes to an incident that waits. The same person's
// second yes changes nothing and is no error.
func (l *Ledger) Approve(ctx context.Context, incident string, a replication.Approval) error {
	return l.amend(ctx, incident, "approving incident "+incident, func(rec *replication.IncidentRecord, _ *Txn) (replication.Entry, error) {
		if rec.Phase != replication.Open && rec.Phase != replication.Held {
			return replication.Entry{}, fmt.Errorf("%w: it does not wait for approval, it is %s", ErrRefused, rec.Phase)
		}
		if rec.Abort != nil {
			return replication.Entry{}, fmt.Errorf("%w: %s asked to abort it", ErrRefused, rec.Abort.Who)
		}
		if a.Who == "" {
			return replication.Entry{}, fmt.Errorf("%w: an approval needs a name", ErrRefused)
		}
		for _, old := range rec.Approvals {
			if old.Who == a.Who {
				return replication.Entry{}, nil
			}
		}
		if a.At.IsZero() {
			a.At = l.o.Now()
		}
		a.At = a.At.Round(0).UTC()
		rec.Approvals = append(slices.Clip(rec.Approvals), a) // a list that was decoded once is shared
		return personEntry("approve", a.Who, a.Reason, a.At), nil
	})
}

// Ack releases what an incident has left on its group: its latch, its episodes.
// incident "" is a latch that no incident made. ErrRefused while an incident is
// under way on the group, or when the latch is another incident's: a person must
// have looked at the very one. ErrNotFound when there is nothing to release.
// It is written into the journal of the incident, or into the persons' journal
// when there is none.
func (l *Ledger) Ack(ctx context.Context, group replication.GroupKey, incident, who, reason string) error {
	return retried(func() error {
		if err := l.tryAck(ctx, group, incident, who, reason); err != nil {
			return fmt.Errorf("acknowledging %s: %w", group, err)
		}
		return nil
	})
}

// held is what an ack finds on a group.
type held struct {
	record   replication.GroupRecord
	stored   Item // the record as it was read
	episodes []Item
	others   []string // the incidents whose episodes these are not
	incident string   // the incident behind it, "" when none is named
}

func (l *Ledger) tryAck(ctx context.Context, group replication.GroupKey, incident, who, reason string) error {
	h, err := l.held(ctx, group, incident)
	if err != nil {
		return err
	}
	switch latch := h.record.Latch; {
	case h.record.OpenIncident != "":
		return fmt.Errorf("%w: incident %s is under way", ErrRefused, h.record.OpenIncident)
	case latch != nil && latch.Incident != incident:
		return fmt.Errorf("%w: the group is latched by %s (%s): look at that one and acknowledge it", ErrRefused, orNobody(latch.Incident), latch.Why)
	case latch == nil && incident == "" && len(h.episodes) == 0 && len(h.others) > 0:
		return fmt.Errorf("%w: nothing to acknowledge by the group's name: it is not latched, but no rule acts on it again in the episode of %s: `drwatch ack %s --reason …` ends that",
			ErrNotFound, strings.Join(h.others, ", "), h.others[0])
	case latch == nil && incident == "" && len(h.episodes) == 0:
		return fmt.Errorf("%w: nothing to acknowledge: it is not latched", ErrNotFound)
	case latch == nil && len(h.episodes) == 0:
		return fmt.Errorf("%w: nothing to acknowledge: it is not latched, and incident %s has left no episode open", ErrNotFound, incident)
	}
	t := Txn{Op: "ack", What: "releasing it"}
	entry := personEntry("ack", who, reason, l.o.Now())
	if err := l.chainAck(ctx, &t, h, entry); err != nil {
		return err
	}
	rec := h.record
	if rec.Latch != nil && rec.Latch.Rebase {
		rec.Baseline = ""
	}
	rec.Latch = nil
	ps := puts{}
	addKept(&ps, h.stored, rec)
	if ps.err != nil {
		return ps.err
	}
	t.If = append(t.If, unchanged("the record of the group", h.stored.Key, rec.Rev))
	t.Puts = append(t.Puts, ps.list...)
	for _, e := range h.episodes {
		t.If = append(t.If, unchanged("the episode", e.Key, e.Mod))
		t.Deletes = append(t.Deletes, e.Key)
	}
	_, err = l.commit(ctx, t)
	return err
}

func (l *Ledger) held(ctx context.Context, group replication.GroupKey, incident string) (held, error) {
	key := l.keys.group(group)
	v, err := l.o.KV.Scan(ctx, Under(l.keys.episodes(group)), Span{From: key, To: key + "\x00"})
	if err != nil {
		return held{}, err
	}
	h := held{stored: Item{Key: key}}
	for _, it := range v.Items {
		if it.Key == key {
			h.stored, h.record.Rev = it, it.Mod
			if err := json.Unmarshal(it.Value, &h.record); err != nil {
				return h, fmt.Errorf("key %s: %w", key, err)
			}
			continue
		}
		var e replication.Episode
		if err := json.Unmarshal(it.Value, &e); err != nil {
			return h, fmt.Errorf("key %s: %w", it.Key, err)
		}
		if e.Incident == incident {
			h.episodes = append(h.episodes, it)
			continue
		}
		h.others = append(h.others, e.Incident)
	}
	h.incident = incident
	return h, nil
}

func orNobody(incident string) string {
	if incident == "" {
		return "no incident"
	}
	return "incident " + incident
}

// chainAck journals an ack where it belongs.
func (l *Ledger) chainAck(ctx context.Context, t *Txn, h held, e replication.Entry) error {
	v, err := l.o.KV.Get(ctx, l.keys.chain(), l.keys.incident(h.incident))
	if err != nil {
		return err
	}
	if v.At(l.keys.incident(h.incident)).Mod == 0 {
		return l.chainPerson(t, v, e)
	}
	rec, view, err := l.record(ctx, h.incident)
	if err != nil {
		return err
	}
	if !rec.Phase.Ended() {
		return fmt.Errorf("%w: incident %s is under way (%s)", ErrRefused, rec.ID, rec.Phase)
	}
	inc, e, err := l.chained(rec.Incident, e)
	if err != nil {
		return err
	}
	t.If = l.tokenCompares(rec.ID, rec.Token, rec.Rev)
	_, err = l.write(t, inc, e, view)
	return err
}
