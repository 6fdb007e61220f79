package collector

// The labels that identify a group and a probe.
var (
	groupLabels = []string{"account", "group"}
	probeLabels = []string{"site", "probe"}
)

// definitions is every metric of accounts, groups, sites and probes.
var definitions = []Metric{
	{
		Name: "drwatch_group_info", Labels: []string{"account", "group", "provider", "name", "region", "source_site", "target_site", "active_site", "raw_status"},
		Help: "A replication group as its provider describes it; a site is empty when no site names the location. Always 1.",
	},
	{
		Name: "drwatch_group_state", Labels: []string{"account", "group", "state"},
		Help: "Whether the group is in this state (1) or not (0).",
	},
	{
		Name: "drwatch_group_failover_ready", Labels: groupLabels,
		Help: "Whether all of the provider's own preconditions of a failover held at the last complete poll.",
	},
	{
		Name: "drwatch_group_replication_lag_seconds", Labels: groupLabels, Unit: "seconds",
		Help: "How far the standby side is behind, where the provider tells it.",
	},
	{
		Name: "drwatch_group_last_sync_timestamp_seconds", Labels: groupLabels, Unit: "seconds",
		Help: "When the last synchronisation was complete, by the provider's clock, where it tells it.",
	},
	{
		Name: "drwatch_group_rpo_objective_seconds", Labels: groupLabels, Unit: "seconds",
		Help: "The recovery point objective of the group, from the provider or the configuration.",
	},
	{
		Name: "drwatch_group_sync_progress_ratio", Labels: groupLabels, Unit: "ratio",
		Help: "Progress of the running synchronisation or operation, where the provider tells it.",
	},
	{
		Name: "drwatch_group_pairs", Labels: []string{"account", "group", "state"},
		Help: "Replication pairs of the group by the provider's status; each pair is counted once.",
	},
	{
		Name: "drwatch_group_protected_instances", Labels: groupLabels,
		Help: "Protected instances of the group.",
	},
	{
		Name: "drwatch_group_capacity_bytes", Labels: groupLabels, Unit: "bytes",
		Help: "Replicated capacity of the group, where the provider tells it (its GB are 2^30 bytes).",
	},
	{
		Name: "drwatch_group_drills", Labels: groupLabels,
		Help: "Drills of the group that exist now.",
	},
	{
		Name: "drwatch_group_fault", Labels: []string{"account", "group", "fault"},
		Help: "What the provider says is wrong with the group; absent while it says nothing. Always 1.",
	},
	{
		Name: "drwatch_group_barrier_timestamp_seconds", Labels: groupLabels, Unit: "seconds",
		Help: "Up to when the standby warehouse has restored, by the provider's clock, where it tells it.",
	},
	{
		Name: "drwatch_group_recovery_time_estimate_seconds", Labels: groupLabels, Unit: "seconds",
		Help: "The provider's own estimate of how long a recovery takes, where it tells one; a reference value.",
	},
	{
		Name: "drwatch_warehouse_cluster_info", Labels: []string{"account", "group", "role", "cluster", "version", "status"},
		Help: "A warehouse cluster of the group; its role is the one chosen at creation. Always 1.",
	},
	{
		Name: "drwatch_warehouse_disk_capacity_bytes", Labels: []string{"account", "group", "role"}, Unit: "bytes",
		Help: "Disk capacity of the warehouse cluster (the provider's GB are 2^30 bytes).",
	},
	{
		Name: "drwatch_warehouse_disk_used_bytes", Labels: []string{"account", "group", "role"}, Unit: "bytes",
		Help: "Disk space of the warehouse cluster that is in use.",
	},
	{
		Name: "drwatch_warehouse_last_success_timestamp_seconds", Labels: []string{"account", "group", "role"}, Unit: "seconds",
		Help: "When the warehouse cluster last ended a backup or restore, by the provider's clock.",
	},

	{
		Name: "drwatch_pair_expiry_timestamp_seconds", Labels: []string{"account", "group", "pair"}, Unit: "seconds",
		Help: "When a prepaid pair stops replicating unless it is renewed.",
	},
	{
		Name: "drwatch_drills", Labels: []string{"account", "group", "status"},
		Help: "Drills of the group by the provider's status.",
	},
	{
		Name: "drwatch_group_failed_jobs", Labels: []string{"account", "group", "kind"},
		Help: "Failed jobs that the provider still lists, by what failed; group is empty for those of no group.",
	},
	{
		Name: "drwatch_quota_limit", Labels: []string{"account", "resource"},
		Help: "The account's quota of a resource; absent when it is unlimited.",
	},
	{
		Name: "drwatch_quota_used", Labels: []string{"account", "resource"},
		Help: "How much of a resource with a quota is in use.",
	},
	{
		Name: "drwatch_account_rpo_breached_pairs", Labels: []string{"account"},
		Help: "Pairs that the provider's own statistics count as over their recovery point objective, at their newest point.",
	},
	{
		Name: "drwatch_account_facts_last_success_timestamp_seconds", Labels: []string{"account", "fact"}, Unit: "seconds",
		Help: "When this part of what changes slowly was last read in full: its age.",
	},

	{
		Name: "drwatch_account_up", Labels: []string{"account", "provider"},
		Help: "Whether the last poll of the account was complete. When it was not, the account's groups are those of the last complete one.",
	},
	{
		Name: "drwatch_account_last_success_timestamp_seconds", Labels: []string{"account"}, Unit: "seconds",
		Help: "When the last complete poll of the account ended: the age of its groups' data.",
	},
	{
		Name: "drwatch_account_told_by", Labels: []string{"account", "side"},
		Help: "Which end told the account's groups at the last complete poll (1): its endpoint, primary, or its action endpoint, secondary.",
	},
	{
		Name: "drwatch_account_poll_duration_seconds", Labels: []string{"account"}, Unit: "seconds", Type: Distribution,
		Help: "How long polls of the account took, complete or not.",
	},
	{
		Name: "drwatch_account_clock_skew_seconds", Labels: []string{"account"}, Unit: "seconds",
		Help: "The provider's clock minus the clock here, at its last answer.",
	},
	{
		Name: "drwatch_account_rate_limit_requests_per_second", Labels: []string{"account"},
		Help: "How many requests per second the account's polls may make now: the configured rate limit, or less after refusals for the rate.",
	},
	{
		Name: "drwatch_account_rate_limit_wait_seconds_total", Labels: []string{"account"}, Unit: "seconds", Type: Counter,
		Help: "How long polls of the account have waited for the rate limit, or because the provider asked to.",
	},
	{
		Name: "drwatch_provider_requests_total", Labels: []string{"account", "operation", "code"}, Type: Counter,
		Help: "Requests to the provider by HTTP status, or \"error\" when no response came.",
	},
	{
		Name: "drwatch_provider_request_duration_seconds", Labels: []string{"account", "operation", "code"}, Unit: "seconds", Type: Distribution,
		Help: "How long requests to the provider took.",
	},
	{
		Name: "drwatch_provider_throttled_total", Labels: []string{"account", "operation"}, Type: Counter,
		Help: "Answers of the provider that refused a request for its rate.",
	},
	{
		Name: "drwatch_provider_decode_errors_total", Labels: []string{"account", "field"}, Type: Counter,
		Help: "Fields of the provider's answers that could not be read.",
	},

	{
		Name: "drwatch_probe_success", Labels: probeLabels,
		Help: "Whether the last try of the probe succeeded; absent when it is older than two intervals. References of the observer have no site.",
	},
	{
		Name: "drwatch_probe_duration_seconds", Labels: probeLabels, Unit: "seconds",
		Help: "How long the last try of the probe took; absent when it is older than two intervals.",
	},
	{
		Name: "drwatch_site_reachable", Labels: []string{"site"},
		Help: "Whether the site is reachable from here, by the fresh results of its probes; absent while they do not decide it.",
	},
	{
		Name: "drwatch_observer_isolated",
		Help: "Whether most references of this observer fail; absent while they do not decide it, and when there are none.",
	},
}
