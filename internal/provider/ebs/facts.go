package ebs

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/replication"
)

const (
	describeDrills = "DescribeReplicaGroupDrills"
	// maxDrillGroups is how many groups are asked for their drills, a call each.
	maxDrillGroups = 200
)

// DrillsNotRead is the Kind of the one GroupCount in SlowFacts.Drills that
// belongs to no group and counts no drills, but the groups whose drills are not
// known: the account has too many groups to ask each, or its key may not ask.
const DrillsNotRead = "not_read"

// FactsCost is that of two lists, groups and pairs, and of the drills of each
// group.
func FactsCost() provider.PollCost {
	return provider.PollCost{Least: 2, Page: 500, PerGroup: 1, MostGroups: maxDrillGroups}
}

// SlowFacts reads when prepaid pairs expire and which drills exist.
//
// Groups and pairs are two paged lists, as in List. Drills have no list of
// their own: DescribeReplicaGroupDrills, which the SDK lacks and any region of
// the group answers, costs a call a group, one after the other and within the
// account's read rate. That is what the slow cadence is for. An account with
// more than 200 groups is not asked for drills at all. Neither that nor a
// refused permission is an error: such groups are counted in one GroupCount of
// the Kind DrillsNotRead, and not as decode errors, since nothing was
// undecodable. Any other failure, and the end of ctx, ends the reading of
// drills; the expiries stand.
//
// Drills are counted by the provider's status: executing, executed,
// execute_failed, clearing, clear_failed. All of them may have disks that bill.
func (r *Reader) SlowFacts(ctx context.Context) (provider.SlowFacts, error) {
	groups, err := r.groupIDs(ctx)
	if err != nil {
		return provider.SlowFacts{}, err
	}
	if len(groups) == 0 {
		return provider.SlowFacts{Expiries: []provider.Expiry{}, Drills: []provider.GroupCount{}}, nil
	}
	expiries, noExpiries := r.expiries(ctx)
	drills, noDrills := r.drills(ctx, groups)
	return provider.SlowFacts{Expiries: expiries, Drills: drills}, errors.Join(noExpiries, noDrills)
}

// groupIDs are the groups that exist now. An id that cannot be used is List's
// to count.
func (r *Reader) groupIDs(ctx context.Context) (ids []string, err error) {
	known := map[string]bool{}
	err = r.pages(ctx, describeGroups, "ReplicaGroups", r.view(nil), func(raw json.RawMessage, _ moment) {
		it, ok := decodeItem(raw, func(string) {})
		if id := it.text("ReplicaGroupId"); ok && provider.ValidID(id) == nil && it.text("Status") != "deleted" && !known[id] && r.c.s.Wants(short(it.text("GroupName"))) {
			known[id] = true
			ids = append(ids, id)
		}
	})
	return ids, err
}

// expiries are those of the prepaid pairs that are in a group; nil with an
// error, empty when there are none.
func (r *Reader) expiries(ctx context.Context) ([]provider.Expiry, error) {
	found, seen := []provider.Expiry{}, map[string]bool{}
	err := r.pages(ctx, describePairs, "ReplicaPairs", r.view(nil), func(raw json.RawMessage, _ moment) {
		if e, ok := parseExpiry(raw); ok && !seen[e.Pair] {
			seen[e.Pair] = true
			found = append(found, e)
		}
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// parseExpiry reads one item of ReplicaPairs; ok is false for a pair that is
// not prepaid, in no group, or does not tell when it expires. What cannot be read
// is List's to count.
func parseExpiry(raw json.RawMessage) (e provider.Expiry, ok bool) {
	it, ok := decodeItem(raw, func(string) {})
	e.Pair, e.GroupID = it.text("ReplicaPairId"), it.text("ReplicaGroupId")
	if !ok || provider.ValidID(e.Pair) != nil || provider.ValidID(e.GroupID) != nil {
		return e, false
	}
	e.At = expiryOf(it)
	return e, !e.At.IsZero()
}

// drills asks for the drills of each group; nil with an error, empty when there
// are none.
func (r *Reader) drills(ctx context.Context, groups []string) ([]provider.GroupCount, error) {
	if len(groups) > maxDrillGroups {
		return []provider.GroupCount{{Kind: DrillsNotRead, Count: len(groups)}}, nil
	}
	found, refused := []provider.GroupCount{}, 0
	for _, id := range groups {
		counts, err := r.groupDrills(ctx, id)
		var call callError
		switch {
		case errors.Is(err, provider.ErrNotFound): // deleted since it was listed
		case errors.As(err, &call) && denied(call.code):
			refused++
		case err != nil:
			return nil, err
		}
		found = append(found, counts...)
	}
	if refused > 0 {
		found = append(found, provider.GroupCount{Kind: DrillsNotRead, Count: refused})
	}
	return found, nil
}

// groupDrills counts the drills of one group by status.
func (r *Reader) groupDrills(ctx context.Context, group string) ([]provider.GroupCount, error) {
	byStatus, seen := map[string]int{}, map[string]bool{}
	err := r.pages(ctx, describeDrills, "Drills", map[string]string{"GroupId": group}, func(raw json.RawMessage, _ moment) {
		bad := r.unread(describeDrills, "DrillId", raw)
		id, status, ok := parseDrill(raw, bad)
		it, _ := decodeItem(raw, func(string) {})
		if of := it.text("GroupId"); ok && of != "" && of != group { // a region that does not know the filter lists all
			bad("GroupId")
			return
		}
		if ok && !seen[id] {
			seen[id] = true
			byStatus[status]++
		}
	})
	if err != nil {
		return nil, err
	}
	var counts []provider.GroupCount
	for _, status := range slices.Sorted(maps.Keys(byStatus)) {
		counts = append(counts, provider.GroupCount{GroupID: group, Kind: status, Count: byStatus[status]})
	}
	return counts, nil
}

// parseDrill reads one item of Drills; ok is false when it does not say which
// drill it is.
func parseDrill(raw json.RawMessage, bad func(string)) (id, status string, ok bool) {
	it, ok := decodeItem(raw, bad)
	if !ok {
		bad("Drills")
		return "", "", false
	}
	if id, _ = text(it.fields.Get("DrillId")); id == "" {
		bad("DrillId")
		return "", "", false
	}
	if status = short(it.text("Status")); status == "" {
		status = string(replication.Unknown)
	}
	return id, status, true
}
