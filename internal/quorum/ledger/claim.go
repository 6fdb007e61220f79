package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/drwatch/drwatch/internal/replication"
)

// Claim starts an incident in one transaction (protocol §3): the incident, its
// holder, the group's record, the site loss if it is the first of it, and the
// first journal entry are written only if nothing that c names has changed. A
// *Conflict tells what has. ErrUncertain means that no answer came and the claim
// is not there so far: read the store again before anything else.
func (l *Ledger) Claim(ctx context.Context, c replication.Claim) (replication.IncidentRecord, error) {
	what := fmt.Sprintf("claiming %s for rule %s", c.Incident.Key(), c.Incident.Rule)
	if err := checkClaim(c); err != nil {
		return replication.IncidentRecord{}, fmt.Errorf("%s: %w", what, err)
	}
	group, before, err := l.claimable(ctx, c, what)
	if err != nil {
		return replication.IncidentRecord{}, err
	}
	c.Incident.Head, c.Incident.Length = "", 0
	inc, entry, err := l.chained(c.Incident, c.Entry)
	if err != nil {
		return replication.IncidentRecord{}, fmt.Errorf("%s: %w", what, err)
	}
	inc, stored, err := fitIncident(inc, nil)
	if err != nil {
		return replication.IncidentRecord{}, fmt.Errorf("%s: %w", what, err)
	}
	holder := replication.Holder{Observer: c.Observer, LeaderRev: c.LeaderRev}
	group.OpenIncident = inc.ID
	ps := puts{list: []Put{{Key: l.keys.incident(inc.ID), Value: stored}}}
	ps.add(l.keys.holder(inc.ID), holder)
	addKept(&ps, before, group)
	ps.add(l.keys.entry(inc.ID, entry.Seq), entry)
	if c.LossRev == 0 && c.Loss.Site != "" {
		ps.add(l.keys.loss(c.Loss.Site), c.Loss)
	}
	if ps.err != nil {
		return replication.IncidentRecord{}, fmt.Errorf("%s: %w", what, ps.err)
	}
	rev, err := l.commit(ctx, Txn{
		Op: "claim", What: what, If: l.claimCompares(c), Puts: ps.list, Witness: l.keys.entry(inc.ID, entry.Seq),
	})
	if errors.Is(err, replication.ErrConflict) { // what stands now says more than that something has changed
		if _, _, now := l.readClaimable(ctx, c, what); errors.Is(now, replication.ErrConflict) {
			err = now
		}
	}
	if err != nil {
		return replication.IncidentRecord{}, err
	}
	return replication.IncidentRecord{Incident: inc, Rev: rev, Token: rev, Holder: holder}, nil
}

// checkClaim finds what no store could make right.
func checkClaim(c replication.Claim) error {
	switch {
	case c.Incident.ID == "" || c.Incident.ID == operator:
		return fmt.Errorf("%q is no incident id", c.Incident.ID)
	case c.Incident.Rule == "" || c.Incident.Provider == "" || c.Incident.Group == "":
		return errors.New("the incident names no rule or no group")
	case c.LeaderRev == 0 || c.Observer == "":
		return errors.New("only an elected leader may claim")
	case c.Revision == 0:
		return errors.New("the claim names no snapshot that it was decided on")
	}
	for _, v := range c.Votes {
		if v.Key == "" || v.Rev == 0 {
			return fmt.Errorf("the vote of %s was not read from the store", v.Observer)
		}
	}
	return nil
}

// claimable is the group's record, which the claim keeps but for its open incident:
// as the last read had it, if that is the one the claim was decided on, because the
// claim compares it anyway and its readers may be far from each other.
func (l *Ledger) claimable(ctx context.Context, c replication.Claim, what string) (replication.GroupRecord, Item, error) {
	key := l.keys.group(c.Incident.Key())
	it, known := l.lastRead(key, c.GroupRev)
	if !known {
		return l.readClaimable(ctx, c, what)
	}
	return l.judgeClaimable(it, c, what)
}

// readClaimable is claimable as it is now.
func (l *Ledger) readClaimable(ctx context.Context, c replication.Claim, what string) (replication.GroupRecord, Item, error) {
	key := l.keys.group(c.Incident.Key())
	v, err := l.o.KV.Get(ctx, key)
	if err != nil {
		return replication.GroupRecord{}, Item{}, fmt.Errorf("%s: %w", what, err)
	}
	it := v.At(key)
	it.Key = key // also when there is none yet
	return l.judgeClaimable(it, c, what)
}

func (l *Ledger) judgeClaimable(it Item, c replication.Claim, what string) (replication.GroupRecord, Item, error) {
	rec := replication.GroupRecord{}
	if it.Mod != 0 {
		if err := json.Unmarshal(it.Value, &rec); err != nil {
			return rec, it, fmt.Errorf("%s: key %s: %w", what, it.Key, err)
		}
	}
	switch {
	case rec.OpenIncident != "":
		return rec, it, &Conflict{What: what, Changed: []string{"incident " + rec.OpenIncident + " is open on the group"}}
	case rec.Latch != nil:
		return rec, it, &Conflict{What: what, Changed: []string{"the group is latched: " + rec.Latch.Why}}
	case it.Mod != c.GroupRev:
		return rec, it, &Conflict{What: what, Changed: []string{"the record of the group"}}
	}
	return rec, it, nil
}

func (l *Ledger) claimCompares(c replication.Claim) []Compare {
	id := c.Incident.ID
	cs := []Compare{
		unchanged("the record of the group", l.keys.group(c.Incident.Key()), c.GroupRev),
		absent("the freeze", l.keys.freeze()),
		l.keys.elected(c.LeaderRev),
		absent("incident "+id, l.keys.incident(id)),
	}
	site := c.Loss.Site
	if site == "" {
		site = c.Incident.Plan.LostSite
	}
	if site != "" {
		cs = append(cs, unchanged("the loss of site "+site, l.keys.loss(site), c.LossRev))
	}
	return append(cs, l.voteCompares(c.Incident.Rule, c.Incident.Key(), replication.VoteGuard{Revision: c.Revision, Votes: c.Votes})...)
}

// voteCompares: each counted vote stands as it was read, nobody has said anything
// new about the rule, and what is written still means what it did. The second is
// what notices a new veto. It looks at one small key of each observer, because a
// compare reads all that it looks at, and at the votes on the group beside those.
func (l *Ledger) voteCompares(rule string, key replication.GroupKey, g replication.VoteGuard) []Compare {
	cs := []Compare{{
		Name: fmt.Sprintf("a vote on rule %s is newer than revision %d", rule, g.Revision),
		Kind: NoneNewer, Key: l.keys.allVoted(rule), Rev: g.Revision,
	}, {
		Name: fmt.Sprintf("a vote of rule %s on the group is newer than revision %d", rule, g.Revision),
		Kind: NoneNewer, Key: l.keys.votesOn(rule, key), Rev: g.Revision,
	}, {
		Name: "the format of the store", Kind: NoneNewer, Key: l.keys.format(), Rev: g.Revision,
	}}
	seen := map[string]bool{}
	for _, v := range g.Votes {
		if !seen[v.Key] {
			seen[v.Key] = true
			cs = append(cs, unchanged("the vote of "+v.Observer, v.Key, v.Rev))
		}
	}
	return cs
}

// TakeOver makes leader's observer the holder of an incident that another
// election held. The token of every write by the former holder is void from
// then on.
func (l *Ledger) TakeOver(ctx context.Context, rec replication.IncidentRecord, leader replication.Leader) (replication.IncidentRecord, error) {
	what := "taking over incident " + rec.ID
	now, view, err := l.record(ctx, rec.ID)
	if err != nil {
		return replication.IncidentRecord{}, fmt.Errorf("%s: %w", what, err)
	}
	if now.Rev != rec.Rev || now.Token != rec.Token {
		return replication.IncidentRecord{}, &Conflict{What: what, Changed: []string{"incident " + rec.ID}}
	}
	if leader.CreateRev == 0 {
		return replication.IncidentRecord{}, fmt.Errorf("%s: only an elected leader may take over", what)
	}
	inc, entry, err := l.chained(now.Incident, replication.Entry{
		Event: "taken_over", Text: fmt.Sprintf("taken over by %s from %s", leader.Observer, now.Holder.Observer),
		Data: map[string]any{"from": now.Holder.Observer, "from_election": now.Holder.LeaderRev, "to_election": leader.CreateRev},
	})
	if err != nil {
		return replication.IncidentRecord{}, fmt.Errorf("%s: %w", what, err)
	}
	holder := replication.Holder{Observer: leader.Observer, LeaderRev: leader.CreateRev}
	t := Txn{Op: "take over", What: what, If: append(l.tokenCompares(rec.ID, rec.Token, rec.Rev), l.keys.elected(leader.CreateRev))}
	inc, err = l.write(&t, inc, entry, view)
	if err != nil {
		return replication.IncidentRecord{}, fmt.Errorf("%s: %w", what, err)
	}
	p, err := put(l.keys.holder(rec.ID), holder)
	if err != nil {
		return replication.IncidentRecord{}, fmt.Errorf("%s: %w", what, err)
	}
	t.Puts = append(t.Puts, p)
	rev, err := l.commit(ctx, t)
	if err != nil {
		return replication.IncidentRecord{}, err
	}
	return replication.IncidentRecord{Incident: inc, Rev: rev, Token: rev, Holder: holder, Abort: now.Abort}, nil
}

// tokenCompares: the incident stands as it was read, under the same holder.
func (l *Ledger) tokenCompares(id string, token, rev int64) []Compare {
	return []Compare{
		unchanged("the holder of incident "+id, l.keys.holder(id), token),
		unchanged("incident "+id, l.keys.incident(id), rev),
	}
}

// write adds an incident and its newest journal entry to a transaction, with
// the entry as its witness. view has the incident as it was read.
func (l *Ledger) write(t *Txn, inc replication.Incident, entry replication.Entry, view View) (replication.Incident, error) {
	inc, stored, err := fitIncident(inc, view.At(l.keys.incident(inc.ID)).Value)
	if err != nil {
		return inc, err
	}
	p, err := put(l.keys.entry(inc.ID, entry.Seq), entry)
	if err != nil {
		return inc, err
	}
	t.Puts = append(t.Puts, Put{Key: l.keys.incident(inc.ID), Value: stored}, p)
	t.Witness = p.Key
	return inc, nil
}
