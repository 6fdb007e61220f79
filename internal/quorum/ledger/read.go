package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/drwatch/drwatch/internal/replication"
)

// startedFor is how long a started action is remembered, by the cluster clock:
// what max_per_hour counts.
const startedFor = time.Hour

// Read is all that the store holds but the journals, linearizably, at one
// revision. A record that cannot be read fails the whole: a decision on half a
// cluster would be a guess. That is an ErrUnreadable, and so is a store whose
// format is newer than this version; until it can be read again this observer does
// not renew its lease.
func (l *Ledger) Read(ctx context.Context) (replication.Cluster, error) {
	v, err := l.o.KV.Scan(ctx, l.keys.state()...)
	if err != nil {
		return replication.Cluster{}, fmt.Errorf("reading the cluster: %w", err)
	}
	c, err := l.decode(v)
	l.wasRead.Store(err == nil)
	if err != nil {
		return c, fmt.Errorf("reading the cluster: %w", err)
	}
	return c, nil
}

// decoder fills a Cluster key by key; parts that need each other meet in finish.
type decoder struct {
	c       replication.Cluster
	holders map[string]Item
	aborts  map[string]Item
	started map[string][]time.Duration
	memo    memo
}

func (l *Ledger) decode(v View) (replication.Cluster, error) {
	k := l.keys
	if err := checkFormat(v.At(k.format())); err != nil {
		return replication.Cluster{}, err
	}
	d := decoder{
		c: replication.Cluster{
			Revision: v.Revision, Groups: map[replication.GroupKey]replication.GroupRecord{}, Incidents: map[string]replication.IncidentRecord{},
			Losses: map[string]replication.SiteLoss{}, Slots: map[string]map[int]string{}, Episodes: map[string]replication.Episode{},
			Started: map[string][]time.Duration{}, Registered: map[string]string{}, Unknown: map[string]int{},
		},
		holders: map[string]Item{}, aborts: map[string]Item{}, started: map[string][]time.Duration{},
		memo: l.remembering(),
	}
	d.memo.now = make(map[string]remembered, len(v.Items))
	for _, it := range v.Items {
		parts, err := k.split(it.Key)
		if err == nil {
			err = d.add(parts, it)
		}
		if err != nil {
			return replication.Cluster{}, fmt.Errorf("%w: key %s at revision %d: %w", ErrUnreadable, it.Key, it.Mod, err)
		}
	}
	c, err := d.finish()
	if err != nil {
		return replication.Cluster{}, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	l.memo.Store(&d.memo.now)
	return c, nil
}

var errShape = errors.New("not a key of this version of drwatch")

// arity is how many parts a key of each kind has; vote has more.
var arity = map[string]int{
	"leader": 1, "freeze": 1, "clock": 1, "format": 1, "observer": 2, "registered": 2, "incident": 2, "holder": 2, "abort": 2, "loss": 2,
	"slot": 3, "started": 3, "group": 3, "episode": 4, "chain": 2, "late": 3, "voted": 3,
}

// add reads one key. A kind that is not known is a newer version's, and nothing
// that the known ones mean depends on it: the format would tell. A known kind in
// another shape is not passed over.
func (d *decoder) add(p []string, it Item) error {
	if p[0] == "vote" {
		return d.vote(p, it)
	}
	n, known := arity[p[0]]
	switch {
	case !known:
		d.c.Unknown[p[0]]++
		return nil
	case len(p) != n:
		return errShape
	}
	switch p[0] {
	case "holder":
		d.holders[p[1]] = it
	case "abort":
		d.aborts[p[1]] = it
	case "clock":
		t, err := parseClock(it)
		d.c.Clock = t
		return err
	case "started":
		t, err := parseClock(it)
		d.started[p[1]] = append(d.started[p[1]], t)
		return err
	case "slot":
		return d.slot(p[1], p[2], string(it.Value))
	case "chain", "late", "format", "voted":
		return nil
	}
	return d.record(p, it)
}

// record reads the keys that hold one JSON value each.
func (d *decoder) record(p []string, it Item) error {
	switch p[0] {
	case "leader":
		lead, err := once(d.memo, it, decodeLeader)
		d.c.Leader = &lead
		return err
	case "freeze":
		f := frozen(it)
		d.c.Freeze = &f
		return nil
	case "registered":
		site, err := once(d.memo, it, siteOf)
		d.c.Registered[p[1]] = site
		return err
	case "observer":
		o, err := once(d.memo, it, decodeJSON[replication.Observer])
		d.c.Observers = append(d.c.Observers, o)
		return err
	case "incident":
		inc, err := once(d.memo, it, decodeIncident)
		d.c.Incidents[p[1]] = replication.IncidentRecord{Incident: inc, Rev: it.Mod}
		return err
	case "loss":
		loss, err := once(d.memo, it, decodeLoss)
		d.c.Losses[p[1]] = loss
		return err
	case "group":
		g := replication.GroupKey{Provider: replication.Provider(p[1]), ID: p[2]}
		r, err := once(d.memo, it, decodeGroup)
		d.c.Groups[g] = r
		return err
	case "episode":
		e, err := once(d.memo, it, decodeJSON[replication.Episode])
		d.c.Episodes[replication.EpisodeKey(e.Rule, e.Group)] = e
		return err
	}
	return nil
}

// frozen reads the freeze. Its key alone freezes, whatever it holds.
func frozen(it Item) replication.Freeze {
	var f replication.Freeze
	if err := json.Unmarshal(it.Value, &f); err != nil {
		return replication.Freeze{Who: "unknown", Reason: "the freeze cannot be read: " + err.Error()}
	}
	return f
}

// decodeIncident reads an incident. A phase or a mode that this version does not
// know could mean anything.
func decodeIncident(it Item) (replication.Incident, error) {
	var inc replication.Incident
	if err := json.Unmarshal(it.Value, &inc); err != nil {
		return inc, err
	}
	switch inc.Phase {
	case replication.Open, replication.Held, replication.Executing, replication.Verifying:
	default:
		if !inc.Phase.Ended() {
			return inc, fmt.Errorf("its phase %q is not known to this version", inc.Phase)
		}
	}
	if !inc.Mode.Valid() {
		return inc, fmt.Errorf("its mode %q is not known to this version", inc.Mode)
	}
	// Reads share what was decoded: to append must mean to copy.
	inc.Votes, inc.Guards, inc.Calls, inc.Approvals = slices.Clip(inc.Votes), slices.Clip(inc.Guards), slices.Clip(inc.Calls), slices.Clip(inc.Approvals)
	return inc, nil
}

func decodeGroup(it Item) (r replication.GroupRecord, err error) {
	err = json.Unmarshal(it.Value, &r)
	r.Rev = it.Mod
	return r, err
}

func decodeLoss(it Item) (loss replication.SiteLoss, err error) {
	err = json.Unmarshal(it.Value, &loss)
	loss.Rev = it.Mod
	return loss, err
}

func decodeJSON[T any](it Item) (v T, err error) {
	err = json.Unmarshal(it.Value, &v)
	return v, err
}

func decodeInto[T any](it Item, put func(T)) error {
	var v T
	if err := json.Unmarshal(it.Value, &v); err != nil {
		return err
	}
	put(v)
	return nil
}

func decodeLeader(it Item) (replication.Leader, error) {
	lead := replication.Leader{}
	err := json.Unmarshal(it.Value, &lead)
	lead.CreateRev = it.Create
	return lead, err
}

func parseClock(it Item) (time.Duration, error) {
	if it.Mod == 0 {
		return 0, nil
	}
	n, err := strconv.ParseInt(string(it.Value), 10, 64)
	return time.Duration(n), err
}

func (d *decoder) vote(p []string, it Item) error {
	plain := len(p) == 4
	if !plain && (len(p) != 6 || p[4] != "veto") {
		return errShape
	}
	votes, err := once(d.memo, it, func(it Item) ([]replication.Vote, error) { return decodeVotes(p[1], p[3], it, !plain) })
	switch {
	case err != nil && plain: // no go of that observer is taken for one
		d.c.Unknown[p[0]]++
		return nil
	case err != nil:
		return fmt.Errorf("a veto: %w", err)
	}
	d.c.Votes = append(d.c.Votes, votes...)
	return nil
}

func (d *decoder) slot(rule, n, incident string) error {
	i, err := strconv.Atoi(n)
	if err != nil {
		return err
	}
	if d.c.Slots[rule] == nil {
		d.c.Slots[rule] = map[int]string{}
	}
	d.c.Slots[rule][i] = incident
	return nil
}

// finish joins incidents with holders and aborts, and sorts what came in map
// order, so that one revision always reads the same. The votes stand in the order
// of their keys, and within each of their groups.
func (d *decoder) finish() (replication.Cluster, error) {
	for id, rec := range d.c.Incidents {
		rec, err := joined(rec, d.holders[id], d.aborts[id], d.memo)
		if err != nil {
			return replication.Cluster{}, err
		}
		d.c.Incidents[id] = rec
	}
	for _, rule := range slices.Sorted(maps.Keys(d.started)) {
		recent := slices.DeleteFunc(d.started[rule], func(t time.Duration) bool { return d.c.Clock-t > startedFor })
		if len(recent) > 0 {
			slices.Sort(recent)
			d.c.Started[rule] = recent
		}
	}
	return d.c, nil
}

// joined adds what the store keeps beside an incident.
func joined(rec replication.IncidentRecord, holder, abort Item, m memo) (replication.IncidentRecord, error) {
	if holder.Mod == 0 {
		return rec, fmt.Errorf("incident %s has no holder", rec.ID)
	}
	var err error
	rec.Token = holder.Mod
	if rec.Holder, err = once(m, holder, decodeHolder); err != nil {
		return rec, fmt.Errorf("holder of incident %s: %w", rec.ID, err)
	}
	if abort.Mod != 0 {
		rec.Abort = &replication.Abort{}
		if err := json.Unmarshal(abort.Value, rec.Abort); err != nil {
			return rec, fmt.Errorf("abort of incident %s: %w", rec.ID, err)
		}
	}
	return rec, nil
}

// Journal is the journal of an incident, oldest first. It is not verified:
// VerifyHead does that.
func (l *Ledger) Journal(ctx context.Context, incident string) ([]replication.Entry, error) {
	v, err := l.o.KV.Scan(ctx, Under(l.keys.journal(incident)))
	if err != nil {
		return nil, fmt.Errorf("reading the journal of %s: %w", incident, err)
	}
	entries := make([]replication.Entry, 0, len(v.Items))
	for _, it := range v.Items {
		if err := decodeInto(it, func(e replication.Entry) { entries = append(entries, e) }); err != nil {
			return nil, fmt.Errorf("reading the journal of %s: key %s: %w", incident, it.Key, err)
		}
	}
	return entries, nil
}

// PersonsJournal is the newest part of the journal of what persons did to the
// whole store; the older entries are in the archives.
func (l *Ledger) PersonsJournal(ctx context.Context) ([]replication.Entry, error) {
	return l.Journal(ctx, operator)
}

// record reads one incident with its holder and abort.
func (l *Ledger) record(ctx context.Context, id string, more ...string) (replication.IncidentRecord, View, error) {
	keys := append([]string{l.keys.incident(id), l.keys.holder(id), l.keys.abort(id)}, more...)
	v, err := l.o.KV.Get(ctx, keys...)
	if err != nil {
		return replication.IncidentRecord{}, v, fmt.Errorf("reading incident %s: %w", id, err)
	}
	it := v.At(keys[0])
	if it.Mod == 0 {
		return replication.IncidentRecord{}, v, fmt.Errorf("incident %s: %w", id, ErrNotFound)
	}
	m := l.remembering()
	inc, err := once(m, it, decodeIncident)
	rec := replication.IncidentRecord{Incident: inc, Rev: it.Mod}
	if err != nil {
		return rec, v, fmt.Errorf("reading incident %s: %w: %w", id, ErrUnreadable, err)
	}
	rec, err = joined(rec, v.At(keys[1]), v.At(keys[2]), m)
	return rec, v, err
}
