package collector

import (
	"maps"
	"slices"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/replication"
)

// samples is what is told of the account's facts. Those of a group that the
// account does not hold now have no sample, as the group itself; nor have drills
// of no group, which are none (see provider.SlowFacts).
func (f Facts) samples(a Account, groups map[replication.GroupKey]Group) []Sample {
	var out []Sample
	add := func(metric string, v float64, more ...string) {
		out = append(out, Sample{Metric: metric, Labels: append([]string{a.Name}, more...), Value: v})
	}
	held := func(id string) bool {
		g, ok := groups[replication.GroupKey{Provider: a.Provider, ID: id}]
		return ok && g.Account == a.Name
	}
	for _, part := range slices.Sorted(maps.Keys(f.Read)) {
		add("drwatch_account_facts_last_success_timestamp_seconds", unix(f.Read[part]), part)
	}
	for _, q := range f.Quotas {
		add("drwatch_quota_used", q.Used, q.Resource)
		if q.Limit != nil {
			add("drwatch_quota_limit", *q.Limit, q.Resource)
		}
	}
	for _, e := range f.Expiries {
		if held(e.GroupID) {
			add("drwatch_pair_expiry_timestamp_seconds", unix(e.At), e.GroupID, e.Pair)
		}
	}
	counts := func(metric string, all []provider.GroupCount, ofNone bool) {
		for _, n := range all {
			if held(n.GroupID) || ofNone && n.GroupID == "" {
				add(metric, float64(n.Count), n.GroupID, n.Kind)
			}
		}
	}
	counts("drwatch_drills", f.Drills, false)
	counts("drwatch_group_failed_jobs", f.FailedJobs, true)
	if f.Breaches != nil {
		add("drwatch_account_rpo_breached_pairs", float64(*f.Breaches))
	}
	return out
}
