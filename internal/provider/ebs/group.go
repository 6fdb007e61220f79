package ebs

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/replication"
)

// maxText bounds the words of the provider that go into labels, in bytes.
const maxText = 128

// pair is what is kept of one replication pair.
type pair struct {
	id, group string
	status    string
	message   string // StatusMessage: why it does not replicate
	synced    bool   // a first full copy is not known to be missing
	expired   bool   // prepaid and not renewed: it replicates no longer
}

// errUnread is that of a pair which may be one of any group's: it does not say in a
// way that can be read which pair of which group it is.
var errUnread = errors.New("a pair cannot be read")

// parsePair reads one item of ReplicaPairs. Its group is "" when it is in none. at is
// when the answer came.
func parsePair(raw json.RawMessage, at moment, bad func(string)) (p pair, err error) {
	it, ok := decodeItem(raw, bad)
	if !ok {
		bad("ReplicaPairs")
		return pair{}, errUnread
	}
	p.id, _ = text(it.fields.Get("ReplicaPairId"))
	if p.group, ok = text(it.fields.Get("ReplicaGroupId")); !ok {
		bad("ReplicaGroupId")
		return pair{}, errUnread
	}
	if p.group == "" {
		return pair{}, nil // a pair outside of any group is no concern of ours
	}
	if p.id == "" {
		bad("ReplicaPairId")
		return pair{}, errUnread
	}
	p.status, p.message = short(it.text("Status")), short(it.text("StatusMessage"))
	if p.status == "" {
		p.status = string(replication.Unknown)
	}
	recovered, told := it.number("LastRecoverPoint")
	p.synced = pairUsable(p.status) && (!told || recovered > 0)
	if end := expiryOf(it); !end.IsZero() {
		p.expired = !at.there.IsZero() && !at.there.Before(end) || at.there.IsZero() && !at.here.Before(end)
	}
	return p, nil
}

// expiryOf is when a prepaid pair stops replicating unless it is renewed; zero
// for any other pair, and when it is not told.
func expiryOf(it item) time.Time {
	if it.text("ChargeType") != "PREPAY" {
		return time.Time{}
	}
	seconds, _ := it.number("ExpiredTime")
	return provider.Times{Meter: counting{provider.NopMeter{}, it.bad}}.Unix("ExpiredTime", seconds)
}

// parseGroup reads one item of ReplicaGroups, without its pairs; ok is false
// when it has no usable id. at is when the answer came.
func (r *Reader) parseGroup(raw json.RawMessage, at moment, bad func(string)) (g group, ok bool) {
	it, ok := decodeItem(raw, bad)
	if !ok {
		bad("ReplicaGroups")
		return group{}, false
	}
	id, _ := text(it.fields.Get("ReplicaGroupId"))
	if provider.ValidID(id) != nil {
		bad("ReplicaGroupId")
		return group{}, false
	}
	status := it.text("Status")
	meaning, known := statuses[status]
	if !known {
		meaning.state = replication.Unknown
	}
	g = group{
		status: status,
		from:   replication.Location{Region: it.text("SourceRegionId"), Zone: it.text("SourceZoneId")},
		to:     replication.Location{Region: it.text("DestinationRegionId"), Zone: it.text("DestinationZoneId")},
	}
	g.told, _ = it.number("PairNumber")
	g.Group = replication.Group{
		Key:     replication.GroupKey{Provider: replication.AliyunEBS, ID: id},
		Account: r.c.s.Account, Region: r.c.s.Region,
		Name: short(it.text("GroupName")), RawStatus: short(status), State: meaning.state, FailoverFailed: status == "failover_failed",
		Source: replication.Location{Region: it.text("PrimaryRegion"), Zone: it.text("PrimaryZone")},
		Target: replication.Location{Region: it.text("StandbyRegion"), Zone: it.text("StandbyZone")},
		ReadAt: at.here, ProviderTime: at.there,
	}
	g.Active = g.active(meaning.active)
	g.RPOObjective = r.objective(it)
	times := provider.Times{Meter: counting{provider.NopMeter{}, bad}}
	seconds, _ := it.number("LastRecoverPoint")
	g.LastSync = times.Unix("LastRecoverPoint", seconds)
	g.Lag = times.Lag(notBefore(at.here, g.LastSync), g.LastSync)
	return g, true
}

// clockGrain is how far a recover point may lie ahead of our clock and still be
// "just now": the provider tells whole seconds, and two clocks that are kept in
// time differ by a few.
const clockGrain = 5 * time.Second

// notBefore is here, or synced when that is later by no more than clockGrain.
// Without it a group that has just replicated would have no lag at all.
func notBefore(here, synced time.Time) time.Time {
	if ahead := synced.Sub(here); ahead > 0 && ahead <= clockGrain {
		return synced
	}
	return here
}

// objective is the RPO of the group, in whole seconds: the configured one, or
// what the provider states; nil when neither says.
func (r *Reader) objective(it item) *time.Duration {
	seconds, told := it.number("RPO")
	const most = 365 * 24 * 3600
	switch {
	case r.c.s.RPOObjective != nil:
		d := *r.c.s.RPOObjective
		return &d
	case !told || seconds == 0:
		return nil
	case seconds < 0 || seconds > most:
		it.bad("RPO")
		return nil
	}
	d := time.Duration(seconds) * time.Second
	return &d
}

// counting sends decode errors where the item's other bad fields go.
type counting struct {
	provider.NopMeter
	bad func(string)
}

// DecodeError counts a bad field.
func (c counting) DecodeError(u provider.Unread) { c.bad(u.Field) }

// unread tells the meter of fields of an item that could not be read.
func (r *Reader) unread(call, idField string, raw json.RawMessage) func(field string) {
	return func(field string) {
		u := provider.Unread{Call: call, Field: field}
		if it, ok := decodeItem(raw, func(string) {}); ok {
			if id := it.text(idField); provider.ValidID(id) == nil {
				u.Item = id
			}
		}
		r.c.s.Meter.DecodeError(u)
	}
}

// group is a replication.Group under construction.
type group struct {
	replication.Group
	status   string               // unshortened
	from, to replication.Location // the current direction
	told     int64                // PairNumber
}

// active is where production is. A direction between other places than the
// group's own two decides nothing.
func (g group) active(s side) replication.Location {
	forward := g.from == g.Source && g.to == g.Target
	reverse := g.from == g.Target && g.to == g.Source
	switch {
	case g.Source.Region == "" || g.Target.Region == "" || g.Source == g.Target || !forward && !reverse:
		return replication.Location{}
	case s == atSource:
		return g.from
	case s == atDestination:
		return g.to
	}
	return replication.Location{}
}

// finish adds what the pairs tell, and the preconditions. lost is how many pairs there
// are that may be the group's as well and could not be read.
func (g group) finish(pairs []pair, lost int) replication.Group {
	synced, expired := 0, 0
	var faults []string
	if len(pairs) > 0 {
		g.Pairs = map[string]int{}
	}
	for _, p := range pairs {
		g.Pairs[p.status]++
		if p.synced {
			synced++
		}
		if p.expired {
			expired++
		}
		if p.message != "" && !slices.Contains(faults, p.message) {
			faults = append(faults, p.message)
		}
	}
	slices.Sort(faults)
	g.Fault = short(strings.Join(faults, ", "))
	g.Ready = g.conditions(len(pairs), synced, expired, lost > 0 && g.told == 0)
	return g.Group
}

// conditions are the provider's preconditions of a failover, as its API page
// gives them, made stricter where the provider would accept a repeated one. How
// old the copy may be is the rule's to say. unread tells that there may be more pairs
// than are known.
func (g group) conditions(pairs, synced, expired int, unread bool) []replication.Condition {
	lastSync := "never"
	if !g.LastSync.IsZero() {
		lastSync = g.LastSync.Format(time.RFC3339)
	}
	want := max(int64(pairs), g.told)
	copied := fmt.Sprintf("%d of %d", synced, want)
	if unread {
		copied += ", some could not be read"
	}
	return []replication.Condition{
		{
			Name: "status_allows_failover", Value: orNotTold(g.RawStatus), Threshold: strings.Join(failoverStatuses, ", "),
			OK: slices.Contains(failoverStatuses, g.status),
		},
		{
			Name: "first_full_sync", Value: lastSync, Threshold: "a completed replication",
			OK: !g.LastSync.IsZero(),
		},
		{
			Name: "not_reversed", Value: fmt.Sprintf("%s to %s", orNotTold(g.from.String()), orNotTold(g.to.String())),
			Threshold: fmt.Sprintf("%s to %s", orNotTold(g.Source.String()), orNotTold(g.Target.String())),
			OK:        !g.Active.IsZero() && g.Active == g.Source,
		},
		{
			Name: "pairs_synced", Value: copied, Threshold: "all, at least one",
			OK: synced > 0 && int64(synced) == want && !unread,
		},
		{
			Name: "pairs_not_expired", Value: fmt.Sprintf("%d of %d expired", expired, want), Threshold: "none: renew them",
			OK: expired == 0,
		},
	}
}

func orNotTold(s string) string {
	if s == "" {
		return "not told"
	}
	return s
}

// short bounds a word of the provider's.
func short(s string) string {
	if len(s) <= maxText {
		return strings.ToValidUTF8(s, "�")
	}
	return strings.ToValidUTF8(s[:maxText], "") + "…"
}
