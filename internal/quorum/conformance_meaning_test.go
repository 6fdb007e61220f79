package quorum_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/drwatch/drwatch/internal/quorum/ledger"
	"github.com/drwatch/drwatch/internal/replication"
)

// made is a call with all that it takes.
type made func(*ledger.Ledger) (any, error)

func none(err error) (any, error) { return nil, err }

func groups() []replication.GroupKey {
	return []replication.GroupKey{group1, group2, {Provider: replication.HuaweiEVS, ID: "g3"}}
}

func rules() []string { return []string{"r1", "r2"} }

func sites() []string { return []string{"az-a", "az-b"} }

func nth[T any](from []T, n int) T { return from[n%len(from)] }

// meant is a call on what its observer read last.
func (o *observers) meant(ctx context.Context, c call) made {
	switch c.do {
	case "renew":
		return func(l *ledger.Ledger) (any, error) { return none(l.Renew(ctx)) }
	case "lead":
		return func(l *ledger.Ledger) (any, error) {
			lead, mine, err := l.Lead(ctx)
			return fmt.Sprint(lead, mine), err
		}
	case "resign":
		return func(l *ledger.Ledger) (any, error) { return none(l.Resign(ctx)) }
	case "leave":
		return func(l *ledger.Ledger) (any, error) { return none(l.Leave(ctx)) }
	case "read":
		return func(l *ledger.Ledger) (any, error) { return l.Read(ctx) }
	case "votes":
		votes := o.votes(c)
		return func(l *ledger.Ledger) (any, error) { return none(l.PublishVotes(ctx, votes)) }
	case "lease left":
		return func(l *ledger.Ledger) (any, error) {
			lead := o.read[c.who].Leader
			if lead == nil {
				return l.LeaseLeft(), nil
			}
			return []time.Duration{l.LeaseLeft(), l.LeaseLeftIn(lead.CreateRev)}, nil
		}
	case "unregister":
		return func(l *ledger.Ledger) (any, error) { return none(l.Unregister(ctx, name(c.a%historyClients))) }
	case "tick":
		return func(l *ledger.Ledger) (any, error) { return none(l.Tick(ctx, time.Duration(c.a)*2*time.Minute)) }
	}
	if do := o.meantForIncident(ctx, c); do != nil {
		return do
	}
	if do := o.meantByPerson(ctx, c); do != nil {
		return do
	}
	return o.meantForArchive(ctx, c)
}

// votes are an observer's on some groups.
func (o *observers) votes(c call) []replication.Vote {
	verdicts := []replication.Verdict{replication.Go, replication.Go, replication.Go, replication.Pending, replication.Veto, replication.Abstain}
	var out []replication.Vote
	for i, g := range groups() {
		for j, r := range rules() {
			if (c.a>>(2*i+j))&1 == 1 && c.c%5 > 0 {
				continue
			}
			v := vote(g, nth(verdicts, c.b+i*j))
			v.Observer, v.Rule, v.For = name(c.who), r, longTTL+time.Duration(c.c%2)*longTTL/2
			out = append(out, v)
		}
	}
	return out
}

// incidentOf is one that the observer knows.
func (o *observers) incidentOf(c call) (replication.IncidentRecord, bool) {
	read := o.read[c.who]
	ids := slices.Sorted(maps.Keys(read.Incidents))
	open := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return read.Incidents[id].Phase.Ended() })
	if len(open) > 0 && c.a%4 > 0 {
		ids = open
	}
	if len(ids) == 0 {
		return replication.IncidentRecord{Incident: incident("nobody's", group1)}, false
	}
	rec := read.Incidents[nth(ids, c.a)]
	rec.Calls = slices.Clone(rec.Calls)
	return rec, true
}

func (o *observers) meantForIncident(ctx context.Context, c call) made {
	switch c.do {
	case "claim":
		claim := o.claim(c)
		return func(l *ledger.Ledger) (any, error) { return l.Claim(ctx, claim) }
	case "take over":
		rec, _ := o.incidentOf(c)
		var lead replication.Leader
		if now := o.read[c.who].Leader; now != nil {
			lead = *now
		}
		return func(l *ledger.Ledger) (any, error) { return l.TakeOver(ctx, rec, lead) }
	case "intent", "outcome", "note", "end":
		w := o.write(c)
		return func(l *ledger.Ledger) (any, error) { return l.Write(ctx, w) }
	case "put late":
		rec, _ := o.incidentOf(c)
		return func(l *ledger.Ledger) (any, error) {
			return none(l.PutLate(ctx, rec.ID, rec.Token-int64(c.b%2), replication.Call{Operation: "failover", Outcome: replication.Accepted}))
		}
	case "late":
		rec, _ := o.incidentOf(c)
		return func(l *ledger.Ledger) (any, error) { return l.Late(ctx, rec.ID) }
	case "journal":
		rec, _ := o.incidentOf(c)
		return func(l *ledger.Ledger) (any, error) { return l.Journal(ctx, rec.ID) }
	case "put group":
		g := nth(groups(), c.a)
		rec := o.read[c.who].Groups[g]
		rec.Baseline = fmt.Sprint("a>b", c.b)
		return func(l *ledger.Ledger) (any, error) { return none(l.PutGroup(ctx, g, rec)) }
	case "end episode":
		rec, _ := o.incidentOf(c)
		return func(l *ledger.Ledger) (any, error) { return none(l.EndEpisode(ctx, rec.Rule, rec.Key(), rec.ID)) }
	case "close loss":
		site := nth(sites(), c.a)
		rev := o.read[c.who].Losses[site].Rev
		return func(l *ledger.Ledger) (any, error) { return none(l.CloseLoss(ctx, site, rev)) }
	}
	return nil
}

func (o *observers) claim(c call) replication.Claim {
	read, g := o.read[c.who], nth(groups(), c.a)
	if read.Leader == nil {
		read.Leader = &replication.Leader{Observer: name(c.who), CreateRev: 1}
	}
	out := claimOf(read, fmt.Sprint("i", c.b%12), g)
	out.Incident.Rule, out.Incident.Plan.LostSite = nth(rules(), c.c), nth(sites(), c.c/2)
	out.Votes = slices.DeleteFunc(out.Votes, func(v replication.Vote) bool { return v.Rule != out.Incident.Rule })
	out.LossRev, out.Loss = read.Losses[out.Incident.Plan.LostSite].Rev, replication.SiteLoss{Site: out.Incident.Plan.LostSite}
	return out
}

// write goes on with an incident.
func (o *observers) write(c call) replication.Write {
	rec, _ := o.incidentOf(c)
	read := o.read[c.who]
	inc := rec.Incident
	w := replication.Write{Entry: replication.Entry{Event: c.do}, Token: rec.Token, IncidentRev: rec.Rev}
	if c.b%3 > 0 {
		w.LeaderRev = rec.Holder.LeaderRev
	}
	switch c.do {
	case "intent":
		inc.Phase, inc.Slot = replication.Executing, c.b%3
		inc.Calls = append(inc.Calls, replication.Call{Operation: "failover", Attempt: len(inc.Calls) + 1, StartedAt: o.l.clock.now()})
		w.Unfrozen, w.Unaborted, w.TakeSlot, w.CountStart, w.LimitStarts = true, true, rec.Slot < 0, true, c.b%4 == 0
		guard := slices.DeleteFunc(votesOn(read, rec.Key()), func(v replication.Vote) bool { return v.Rule != rec.Rule })
		w.Votes = &replication.VoteGuard{Revision: read.Revision, Votes: guard}
	case "outcome":
		if len(inc.Calls) > 0 {
			inc.Phase = replication.Verifying
			inc.Calls[len(inc.Calls)-1].Outcome = nth([]replication.Outcome{replication.Accepted, replication.Uncertain, replication.NotSent, replication.Throttled}, c.b)
		}
	case "end":
		g := read.Groups[rec.Key()]
		g.OpenIncident = ""
		g.LastAction = &replication.LastAction{Incident: rec.ID, Action: replication.Failover, At: o.l.clock.now()}
		inc.Phase = nth([]replication.Phase{replication.Succeeded, replication.Aborted, replication.Failed, replication.Simulated}, c.b)
		w.FreeSlot, w.CountFailed, w.Episode, w.Group = true, inc.Phase == replication.Failed, c.c%3 == 0, &g
		if c.c%4 == 0 {
			g.Latch = &replication.Latch{Incident: rec.ID, Why: "it failed"}
		}
	}
	w.Incident = inc
	return w
}

func (o *observers) meantByPerson(ctx context.Context, c call) made {
	who := nth([]string{"alice", "bob"}, c.b)
	rec, _ := o.incidentOf(c)
	switch c.do {
	case "freeze":
		return func(l *ledger.Ledger) (any, error) { return none(l.Freeze(ctx, who, "look")) }
	case "unfreeze":
		return func(l *ledger.Ledger) (any, error) { return none(l.Unfreeze(ctx, who, "over")) }
	case "abort":
		return func(l *ledger.Ledger) (any, error) { return none(l.Abort(ctx, rec.ID, who, "stop")) }
	case "approve":
		return func(l *ledger.Ledger) (any, error) {
			return none(l.Approve(ctx, rec.ID, replication.Approval{Who: who, Reason: "yes"}))
		}
	case "give up":
		return func(l *ledger.Ledger) (any, error) { return none(l.GiveUp(ctx, rec.ID, 1+c.c%2, who, "no proof")) }
	case "ack":
		g, id := nth(groups(), c.b), ""
		if latch := o.read[c.who].Groups[g].Latch; latch != nil && c.c%5 > 0 {
			id = latch.Incident
		} else if c.c%2 == 0 {
			g, id = rec.Key(), rec.ID
		}
		return func(l *ledger.Ledger) (any, error) { return none(l.Ack(ctx, g, id, who, "looked")) }
	case "person's note":
		return func(l *ledger.Ledger) (any, error) { return none(l.Note(ctx, "replaced", "a member", who, "broken")) }
	case "persons' journal":
		return func(l *ledger.Ledger) (any, error) { return l.PersonsJournal(ctx) }
	}
	return nil
}

func (o *observers) meantForArchive(ctx context.Context, c call) made {
	read := o.read[c.who]
	switch c.do {
	case "anchor":
		return func(l *ledger.Ledger) (any, error) { return l.Anchor(ctx, read) }
	case "collect":
		return func(l *ledger.Ledger) (any, error) { return l.Collect(ctx, read) }
	case "archive":
		return func(l *ledger.Ledger) (any, error) {
			u, err := l.Unarchived(ctx, int64(c.a%3), 1+c.b)
			if err == nil {
				err = l.Archived(ctx, u.Head)
			}
			return u, err
		}
	}
	panic(c.do)
}
