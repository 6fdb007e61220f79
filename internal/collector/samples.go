package collector

import (
	"maps"
	"slices"
	"time"

	"github.com/drwatch/drwatch/internal/probe"
	"github.com/drwatch/drwatch/internal/replication"
)

// Samples is every sample of the snapshot as it is at now: a result or verdict
// that got too old since has none.
func (s *Snapshot) Samples(now time.Time) []Sample {
	out := make([]Sample, 0, 24*len(s.Groups)+64)
	for _, a := range s.Accounts {
		out = slices.AppendSeq(out, s.GroupSamples(a))
	}
	return append(out, s.ObserverSamples(now)...)
}

// groupSamples is what is told of one group; what the provider does not tell
// has no sample.
func groupSamples(g *Group) []Sample {
	id := []string{g.Account, g.Key.ID}
	out := make([]Sample, 0, 24)
	add := func(metric string, v float64, more ...string) {
		values := id
		if len(more) > 0 {
			values = append(slices.Clone(id), more...)
		}
		out = append(out, Sample{Metric: metric, Labels: values, Value: v})
	}
	add("drwatch_group_info", 1, string(g.Key.Provider), g.Name, g.Region, g.SourceSite, g.TargetSite, g.ActiveSite, g.RawStatus)
	state := g.State
	if !slices.Contains(replication.States(), state) {
		state = replication.Unknown
	}
	for _, s := range replication.States() {
		add("drwatch_group_state", truth(state == s), string(s))
	}
	add("drwatch_group_failover_ready", truth(g.FailoverReady()))
	if g.Lag != nil {
		add("drwatch_group_replication_lag_seconds", g.Lag.Seconds())
	}
	if !g.LastSync.IsZero() {
		add("drwatch_group_last_sync_timestamp_seconds", unix(g.LastSync))
	}
	if g.RPOObjective != nil {
		add("drwatch_group_rpo_objective_seconds", g.RPOObjective.Seconds())
	}
	if g.Progress != nil {
		add("drwatch_group_sync_progress_ratio", *g.Progress)
	}
	for _, state := range slices.Sorted(maps.Keys(g.Pairs)) {
		add("drwatch_group_pairs", float64(g.Pairs[state]), state)
	}
	if g.Instances != nil {
		add("drwatch_group_protected_instances", float64(*g.Instances))
	}
	if g.CapacityBytes != nil {
		add("drwatch_group_capacity_bytes", float64(*g.CapacityBytes))
	}
	if g.Drills != nil {
		add("drwatch_group_drills", float64(*g.Drills))
	}
	if g.Fault != "" {
		add("drwatch_group_fault", 1, g.Fault)
	}
	if !g.BarrierTime.IsZero() {
		add("drwatch_group_barrier_timestamp_seconds", unix(g.BarrierTime))
	}
	if g.RecoveryTime != nil {
		add("drwatch_group_recovery_time_estimate_seconds", g.RecoveryTime.Seconds())
	}
	for _, w := range g.Clusters {
		add("drwatch_warehouse_cluster_info", 1, w.Role, w.ID, w.Version, w.Status)
		if w.CapacityBytes != nil {
			add("drwatch_warehouse_disk_capacity_bytes", float64(*w.CapacityBytes), w.Role)
		}
		if w.UsedBytes != nil {
			add("drwatch_warehouse_disk_used_bytes", float64(*w.UsedBytes), w.Role)
		}
		if !w.LastSuccess.IsZero() {
			add("drwatch_warehouse_last_success_timestamp_seconds", unix(w.LastSuccess), w.Role)
		}
	}
	return out
}

// samples is what is told of one account: nothing before its first poll ended,
// but what was counted.
func (a Account) samples() []Sample {
	var out []Sample
	if a.Tried {
		out = append(out,
			Sample{Metric: "drwatch_account_up", Labels: []string{a.Name, string(a.Provider)}, Value: truth(a.Up)},
			Sample{Metric: "drwatch_account_poll_duration_seconds", Labels: []string{a.Name}, Histogram: a.polls})
	}
	if !a.LastSuccess.IsZero() {
		out = append(out, Sample{Metric: "drwatch_account_last_success_timestamp_seconds", Labels: []string{a.Name}, Value: unix(a.LastSuccess)})
		for _, s := range []replication.Side{replication.PrimarySide, replication.SecondarySide} {
			out = append(out, Sample{Metric: "drwatch_account_told_by", Labels: []string{a.Name, string(s)}, Value: truth(side(a.Fallback) == s)})
		}
	}
	if a.pace != nil {
		out = append(out,
			Sample{Metric: "drwatch_account_rate_limit_requests_per_second", Labels: []string{a.Name}, Value: a.pace.Rate()},
			Sample{Metric: "drwatch_account_rate_limit_wait_seconds_total", Labels: []string{a.Name}, Value: a.pace.Waited().Seconds()})
	}
	return append(out, a.meter.samples(a.Name)...)
}

func probeSamples(s probe.Sighting) []Sample {
	values := []string{s.Spec.Site, s.Spec.Name}
	return []Sample{
		{Metric: "drwatch_probe_success", Labels: values, Value: truth(s.Result.Success)},
		{Metric: "drwatch_probe_duration_seconds", Labels: values, Value: s.Result.Duration.Seconds()},
	}
}

// verdictSamples is the sample of a verdict that is known.
func verdictSamples(references bool, site string, v probe.Verdict) []Sample {
	if references {
		return []Sample{{Metric: "drwatch_observer_isolated", Value: truth(!v.Reachable)}}
	}
	return []Sample{{Metric: "drwatch_site_reachable", Labels: []string{site}, Value: truth(v.Reachable)}}
}

func stillStanding(references bool, site string, v probe.Verdict, now time.Time) []Sample {
	if !v.Known || now.After(v.Until) {
		return nil
	}
	return verdictSamples(references, site, v)
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func unix(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
