package sdrs

import (
	"fmt"
	"strings"

	"github.com/drwatch/drwatch/internal/provider/huawei"
	"github.com/drwatch/drwatch/internal/replication"
)

// group makes a group of the vendor's object and of what was listed of its
// members.
func (r *reader) group(o huawei.Object, id string, answer huawei.Answer, m members) replication.Group {
	s := r.client.Settings()
	status := o.Text("status")
	copying := o.Text("replication_status")
	pairs := huawei.Pairs{List: m.pairs[id]}
	pairNum := o.Count("replication_num")
	pairs.Unread = unread(m.lostPairs, pairNum, len(pairs.List))
	levels, broken := pairs.FaultLevels()
	g := replication.Group{
		Key:            replication.GroupKey{Provider: replication.HuaweiSDRS, ID: id},
		Account:        s.Account,
		Name:           o.Text("name"),
		Region:         s.Region,
		Source:         location(s.Region, o.Text("source_availability_zone")),
		Target:         location(s.Region, o.Text("target_availability_zone")),
		RawStatus:      status,
		State:          stateOf(status, copying, pairs),
		FailoverFailed: status == "error-failing-over",
		Fault:          huawei.FaultHint(levels),
		RPOObjective:   s.RPOObjective,
		Pairs:          pairs.ByStatus(),
		Instances:      o.Count("protected_instance_num"),
		CapacityBytes:  pairs.Bytes(),
		Drills:         o.Count("disaster_recovery_drill_num"),
		ReadAt:         answer.At,
		ProviderTime:   answer.Date,
	}
	station := o.Text("priority_station")
	g.Active = activeOf(station, g.Source, g.Target)
	g.Progress = progressOf(g.State, o, pairs)
	g.Ready = []replication.Condition{
		huawei.StatusCondition(status, "protected", "error-failing-over", "error-reversing"),
		pairs.PairsCondition(),
		huawei.FaultCondition(levels, broken),
		pairs.SyncCondition(copying),
		disksCondition(pairs),
		serversCondition(m, id, g.Instances),
		huawei.SideCondition(g.Active, station),
	}
	return g
}

// unread tells whether an item that was lost may belong to a group of which
// fewer are known than it counts.
func unread(lost int, counted *int, known int) bool {
	return lost > 0 && (counted == nil || known < *counted)
}

// location is a zone, or nothing when the zone is not told: the region alone
// would stand for both sides.
func location(region, zone string) replication.Location {
	if zone == "" {
		return replication.Location{}
	}
	return replication.Location{Region: region, Zone: zone}
}

// activeOf is where production is now, zero unless both sides are known.
// priority_station is a side here, not a zone.
func activeOf(station string, source, target replication.Location) replication.Location {
	switch {
	case source.IsZero() || target.IsZero() || source == target:
		return replication.Location{}
	case station == "source":
		return source
	case station == "target":
		return target
	}
	return replication.Location{}
}

// stateOf is the service's table of states. Pairs have a say only where the
// group says "protected": while it moves and after, it speaks for itself.
func stateOf(status, copying string, pairs huawei.Pairs) replication.State {
	switch status {
	case "protected":
		switch {
		case pairs.Any("fault", "invalid", "error"):
			return replication.Errored
		case copying == "copying" || pairs.Copying() > 0:
			return replication.Syncing
		}
		return replication.Replicating
	case "available":
		return replication.ProtectionOff
	case "failing-over", "reversing":
		return replication.Switching
	case "failed-over":
		return replication.FailedOver
	case "reprotecting", "starting":
		return replication.Reprotecting
	case "creating", "deleting", "stopping":
		return replication.Changing
	case "error", "error-deleting", "error-starting", "error-stopping", "error-reversing", "error-failing-over", "error-reprotecting":
		return replication.Errored
	}
	return replication.Unknown
}

// progressOf is the group's own while an operation runs, and that of its
// copying pairs otherwise; a finished operation's number means nothing.
func progressOf(state replication.State, o huawei.Object, pairs huawei.Pairs) *float64 {
	if state == replication.Syncing {
		return pairs.CopyProgress()
	}
	if state == replication.Switching || state == replication.Reprotecting || state == replication.Changing {
		return o.Ratio("progress")
	}
	return nil
}

// disksCondition: a pair whose disk was deleted natively makes the whole group
// inoperable, and the service says so only when it is tried.
func disksCondition(pairs huawei.Pairs) replication.Condition {
	gone := pairs.ByStatus()["invalid"]
	return replication.Condition{Name: "disks_present", Value: fmt.Sprintf("%d pairs invalid", gone), Threshold: "no disk was deleted natively", OK: gone == 0}
}

// serversCondition: the same of the protected servers.
func serversCondition(m members, id string, counted *int) replication.Condition {
	gone := m.gone[id]
	c := replication.Condition{Name: "servers_present", Value: fmt.Sprintf("%d instances invalid", gone), Threshold: "no server was deleted natively", OK: gone == 0}
	if unread(m.lostInstances, counted, m.instances[id]) {
		c.OK, c.Value = false, strings.Join([]string{c.Value, "some could not be read"}, ", ")
	}
	return c
}
