package dws

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/drwatch/drwatch/internal/provider/huawei"
	"github.com/drwatch/drwatch/internal/replication"
)

// errSwapping: list and detail were read at different sides of a swap.
var errSwapping = errors.New("list and detail tell different clusters or roles: it is changing right now, read again")

// group makes a group of what was seen. With errSwapping the group has state
// Unknown and no direction.
func (r *reader) group(seen sight) (replication.Group, error) {
	s := r.client.Settings()
	primary, standby, err := clusters(seen, s.TimeZone)
	status := seen.item.Text("status")
	if seen.detail != nil && seen.detail.Told("status") {
		status = seen.detail.Text("status") // read later than the list
	}
	g := replication.Group{
		Key:           replication.GroupKey{Provider: replication.HuaweiDWS, ID: seen.item.ID},
		Account:       s.Account,
		Name:          seen.item.Text("name"),
		Region:        s.Region,
		RawStatus:     status,
		Fault:         faultOf(primary, standby),
		LastSync:      timeOf(seen.item.Object, "last_disaster_time", s.TimeZone),
		RPOObjective:  objective(seen, s.RPOObjective),
		CapacityBytes: primary.bytes,
		ReadAt:        seen.answer.At,
		ProviderTime:  seen.answer.Date,
	}
	if err != nil {
		g.State = replication.Unknown
	} else {
		g.Source, g.Target = primary.location(seen, s.Region), standby.location(seen, s.Region)
		g.Active = activeOf(primary, standby, g.Source, g.Target)
		g.Baseline = baseline(primary, standby)
		g.State = stateOf(status, swapped(primary, standby))
		g.Clusters = described(primary, standby)
	}
	if seen.progress != nil {
		g.BarrierTime = timeOf(*seen.progress, "latest_barrier_time", s.TimeZone)
		g.RecoveryTime = secondsOf(*seen.progress, "recovery_time_object")
	}
	g.Lag = lag(seen, g)
	if g.State == replication.Switching || g.State == replication.Reprotecting || g.State == replication.Changing {
		g.Progress = standby.progress
	}
	g.Ready = ready(g, primary, standby)
	return g, err
}

// stateOf is the service's table of states. After a failover the relation is
// broken until it is rebuilt: swapped roles and no replication. A planned
// switchover ends running, in the other direction.
func stateOf(status string, swapped bool) replication.State {
	switch status {
	case "running":
		return replication.Replicating
	case "unstart":
		return replication.ProtectionOff
	case "stopped", "abnormal":
		switch {
		case swapped:
			return replication.FailedOver
		case status == "stopped":
			return replication.ProtectionOff
		}
		return replication.Errored
	case "switchovering":
		return replication.Switching
	case "starting":
		return replication.Reprotecting
	case "creating", "stopping", "deleting":
		return replication.Changing
	case "create_failed", "start_failed", "stop_failed":
		return replication.Errored
	}
	return replication.Unknown
}

// faultOf is what the two clusters say of themselves.
func faultOf(primary, standby cluster) string {
	var faults []string
	for _, c := range []struct {
		name string
		cluster
	}{{"primary", primary}, {"standby", standby}} {
		switch c.status {
		case "abnormal", "stopped", "drDeleted":
			faults = append(faults, c.name+" cluster "+c.status)
		}
	}
	return strings.Join(faults, ", ")
}

// lag is the provider's own figure where it gives one, else the time since the
// last synchronisation. One in the future is a problem of a clock or of the
// account's time zone: it is told whatever else is known, and is no lag.
func lag(seen sight, g replication.Group) *time.Duration {
	since := g.ReadAt.Sub(g.LastSync)
	if since < 0 {
		seen.item.Note("clock")
	}
	switch {
	case seen.progress != nil && seen.progress.Told("recovery_point_object"):
		return secondsOf(*seen.progress, "recovery_point_object")
	case g.LastSync.IsZero(), since < 0:
		return nil
	}
	return &since
}

// ready are the service's preconditions. The vendor gives them in prose only:
// production broken or at fault, clusters of version 8.1.2 or later.
func ready(g replication.Group, primary, standby cluster) []replication.Condition {
	status := huawei.StatusCondition(g.RawStatus, "running", "abnormal")
	if g.State == replication.FailedOver {
		status.Value, status.OK = g.RawStatus+", failed over already", false // again would swap the roles back
	}
	synced := replication.Condition{Name: "full_sync_done", Value: "never, or its time cannot be read", Threshold: "synchronised at least once", OK: !g.LastSync.IsZero()}
	if synced.OK {
		synced.Value = "last at " + g.LastSync.Format(time.RFC3339)
	}
	known := replication.Condition{
		Name: "clusters_known", Value: fmt.Sprintf("%s and %s", primary.name(), standby.name()), Threshold: "two clusters with ids, not deleted",
		OK: primary.id != "" && standby.id != "" && primary.id != standby.id && primary.status != "drDeleted" && standby.status != "drDeleted",
	}
	return []replication.Condition{
		status, known, versionCondition(primary, standby), synced,
		huawei.SideCondition(g.Active, fmt.Sprintf("roles %s and %s", primary.role, standby.role)),
	}
}
