package evs

import (
	"strconv"

	"github.com/drwatch/drwatch/internal/provider/huawei"
	"github.com/drwatch/drwatch/internal/replication"
)

// group makes a group of the vendor's object and of the pairs that were listed.
func (r *reader) group(o huawei.Object, id string, answer huawei.Answer, m members) replication.Group {
	s := r.client.Settings()
	status, repl := o.Text("status"), o.Text("replication_status")
	pairs := pairsOf(o, id, m)
	level, readable := o.Word("fault_level")
	levels, broken := pairs.FaultLevels()
	levels, broken = append(levels, level), broken || !readable
	g := replication.Group{
		Key:            replication.GroupKey{Provider: replication.HuaweiEVS, ID: id},
		Account:        s.Account,
		Name:           o.Text("name"),
		Region:         s.Region,
		Source:         replication.Location{Region: s.Region, Zone: s.PrimaryZone},
		Target:         replication.Location{Region: s.Region, Zone: s.SecondaryZone},
		RawStatus:      status,
		State:          stateOf(status, repl),
		FailoverFailed: status == "error_failovering",
		Fault:          huawei.FaultHint(levels),
		RPOObjective:   s.RPOObjective,
		Pairs:          pairs.ByStatus(),
		CapacityBytes:  pairs.Bytes(),
		ReadAt:         answer.At,
		ProviderTime:   answer.Date,
	}
	if repl != "" {
		g.RawStatus += "/" + repl
	}
	station := o.Text("priority_station")
	if station == "" {
		station = o.Text("priority_staion") // as one of the vendor's samples spells it
	}
	switch station {
	case s.PrimaryZone:
		g.Active = g.Source
	case s.SecondaryZone:
		g.Active = g.Target
	}
	if g.State == replication.Syncing {
		g.Progress = pairs.CopyProgress()
	}
	g.Ready = []replication.Condition{
		huawei.StatusCondition(status, "available", "error_failovering"),
		knownCondition(g.State, repl),
		pairs.PairsCondition(),
		huawei.FaultCondition(levels, broken),
		pairs.SyncCondition(repl),
		huawei.SideCondition(g.Active, station),
	}
	return g
}

// knownCondition: "available" with a replication status that nobody documented
// is a state that is never acted on.
func knownCondition(state replication.State, replicationStatus string) replication.Condition {
	return replication.Condition{
		Name: "replication_status_known", Value: strconv.Quote(replicationStatus), Threshold: "a documented status",
		OK: state != replication.Unknown,
	}
}

// pairsOf are the pairs that name the group, and those the group names which
// name none themselves.
func pairsOf(o huawei.Object, id string, m members) huawei.Pairs {
	pairs := huawei.Pairs{List: m.byGroup[id]}
	ids, told := o.Words("replication_ids")
	for _, pairID := range ids {
		if p, ok := m.single[pairID]; ok && pairID != "" {
			pairs.List = append(pairs.List, p)
		}
	}
	pairs.Unread = m.lost > 0 && (!told || len(pairs.List) < len(ids))
	return pairs
}

// stateOf is the service's table of states.
func stateOf(status, replicationStatus string) replication.State {
	switch status {
	case "available":
		return availableState(replicationStatus)
	case "failovering", "reversing":
		return replication.Switching
	case "failovered":
		return replication.FailedOver
	case "updating":
		if replicationStatus == "copying" {
			return replication.Reprotecting
		}
		return replication.Changing
	case "creating", "deleting":
		return replication.Changing
	case "error", "error_reversing", "error_failovering", "error_deleting":
		return replication.Errored
	}
	return replication.Unknown
}

// availableState: "available" says that nothing is being done to the group;
// whether it replicates is in the other word.
func availableState(replicationStatus string) replication.State {
	switch replicationStatus {
	case "active":
		return replication.Replicating
	case "copying":
		return replication.Syncing
	case "inactive", "active-stopped":
		return replication.ProtectionOff
	case "error":
		return replication.Errored
	}
	return replication.Unknown
}
