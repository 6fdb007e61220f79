package simtest_test

import (
	"slices"
	"time"

	"github.com/drwatch/drwatch/internal/replication"
)

func bugs() []exhibit {
	return []exhibit{
		vitess20021(), repmgr821(), autoFailover997(), autoFailover1032(), booth68(),
		orchestrator1296(), orchestrator451(), patroni3703(), cephCSI3209(), sentinelTilt(),
	}
}

const (
	usualQuorum = "quorum: {agree: 2, of: 3, veto: any}"
	oneSuffices = "quorum: {agree: 1, of: 3, veto: none}"
)

func vitess20021() exhibit {
	blind := cuts(20, 130, []string{"obs-b"}, []string{"az-a"})
	return exhibit{
		name: "vitess#20021", source: "https://github.com/vitessio/vitess/issues/20021",
		rooms: []room{
			{
				name: "one observer does not see the site, the others do",
				plan: on(replication.HuaweiSDRS, 1, blind...).until(160*time.Second, 260*time.Second),
				told: "no_veto",
			},
			{
				name:  "without quorum and veto",
				plan:  on(replication.HuaweiSDRS, 1, blind...).until(160*time.Second, 260*time.Second).under(usualQuorum, oneSuffices),
				moved: 1, broken: "by the vote of 1 site",
			},
		},
	}
}

// apart cuts the two sites from each other; the witness reaches both.
func apart(at, last float64) []event {
	return slices.Concat(
		cuts(at, last, []string{"obs-a"}, []string{"obs-b", "az-b"}),
		cuts(at, last, []string{"obs-b"}, []string{"az-a"}),
	)
}

func repmgr821() exhibit {
	led := append(apart(20, 130), event{at: seconds(15), what: "serves", who: "obs-w"})
	return exhibit{
		name: "repmgr#821", source: "https://github.com/EnterpriseDB/repmgr/issues/821",
		rooms: []room{
			{
				name: "the two sites do not reach each other, the witness sees both",
				plan: on(replication.HuaweiEVS, 1, led...).until(160*time.Second, 260*time.Second),
				told: "obs-w (witness)",
			},
			{
				name: "the same, and the store is led from beside the site",
				plan: on(replication.HuaweiEVS, 1, apart(20, 130)...).until(160*time.Second, 260*time.Second),
				told: "the coordination store",
			},
			{
				name:  "without quorum and veto",
				plan:  on(replication.HuaweiEVS, 1, led...).until(160*time.Second, 260*time.Second).under(usualQuorum, oneSuffices),
				moved: 1, broken: "by the vote of 1 site",
			},
		},
	}
}

func autoFailover997() exhibit {
	stalled := func(more ...event) []event {
		all := apart(20, 60)
		for at := 20.0; at <= 80; at += 10 {
			all = append(all, event{at: seconds(at), what: "lag", last: seconds(at - 10)})
		}
		return append(all, more...)
	}
	return exhibit{
		name: "pg_auto_failover#997", source: "https://github.com/hapostgres/pg_auto_failover/issues/997",
		rooms: []room{
			{
				name: "the link between the sites is cut and the standby falls behind, both are up",
				plan: on(replication.AliyunEBS, 1, stalled()...).until(160*time.Second, 260*time.Second),
			},
			{
				name: "then the site is lost, with more unsent than the rule allows",
				plan: on(replication.AliyunEBS, 1, stalled(lost(90, 0))...).until(160*time.Second, 300*time.Second),
				told: "lag_under",
			},
			{
				name:  "without the limit",
				plan:  on(replication.AliyunEBS, 1, stalled(lost(90, 0))...).until(160*time.Second, 300*time.Second).under("lag_under: 30s, lag_unknown: allow, ", ""),
				moved: 1, phase: replication.Succeeded,
			},
		},
	}
}

func autoFailover1032() exhibit {
	returns := func(step string) plan {
		return on(
			replication.HuaweiSDRS, 3, lost(30, 0), event{at: seconds(31), what: "pause", step: step, last: 8 * time.Second},
			event{at: seconds(31), what: "back", who: "az-a", step: "claimed"},
		).until(150*time.Second, 240*time.Second)
	}
	return exhibit{
		name: "pg_auto_failover#1032", source: "https://github.com/hapostgres/pg_auto_failover/issues/1032",
		rooms: []room{
			{name: "the site is back while the leader is stopped before it decides under the claim", plan: returns("read"), phase: replication.Aborted},
			{name: "while it is stopped before it writes the intent", plan: returns("store write"), phase: replication.Aborted},
			{name: "while it is stopped before the first byte", plan: returns("connect"), phase: replication.Aborted, seen: "does not send"},
			{
				name: "without the look at the time since the intent", plan: returns("connect").without("first byte"),
				moved: 1, phase: replication.Succeeded,
			},
		},
	}
}

func booth68() exhibit {
	asleep := on(replication.HuaweiSDRS, 2, lost(20, 0), event{at: seconds(21), what: "pause", step: "connect", last: 90 * time.Second}).until(150*time.Second, 260*time.Second)
	return exhibit{
		name: "booth#68", source: "https://github.com/ClusterLabs/booth/issues/68",
		rooms: []room{
			{name: "who was about to send sleeps past its lease, and wakes", plan: asleep, moved: 1, phase: replication.Succeeded, seen: "does not send"},
			{
				name:  "who holds the incident is cut off from the others, sends, and comes back",
				plan:  on(replication.HuaweiSDRS, 1, lost(20, 0), event{at: seconds(21), what: "isolate", step: "intent", last: 60 * time.Second}).until(150*time.Second, 260*time.Second),
				moved: 1, phase: replication.Succeeded, seen: "over (executing)",
			},
			{name: "without the look at the lease before the first byte", plan: asleep.without("first byte"), moved: 1, broken: "the leader is"},
		},
	}
}

func orchestrator1296() exhibit {
	return exhibit{
		name: "orchestrator#1296", source: "https://github.com/openark/orchestrator/issues/1296",
		rooms: []room{
			{
				name:  "the leader dies with the site, right after its claim",
				plan:  on(replication.HuaweiSDRS, 2, lost(30, 0), event{at: seconds(31), what: "crash", step: "claimed", last: 400 * time.Second}).until(200*time.Second, 300*time.Second),
				moved: 1, within: 60 * time.Second, phase: replication.Succeeded, seen: "obs-a claims",
			},
			{
				name: "without a second observer that can take over",
				plan: on(
					replication.HuaweiSDRS, 2, lost(30, 0), event{at: seconds(31), what: "crash", step: "claimed", last: 400 * time.Second},
					event{at: seconds(50), what: "crash", who: "obs-w", last: 400 * time.Second},
				).until(250*time.Second, 250*time.Second),
				broken: "was not failed over", told: "the coordination store",
			},
		},
	}
}

func orchestrator451() exhibit {
	dies := func(step string) plan {
		return on(replication.HuaweiEVS, 1, lost(30, 0), event{at: seconds(31), what: "crash", step: step, last: 400 * time.Second}).until(200*time.Second, 300*time.Second)
	}
	return exhibit{
		name: "orchestrator#451", source: "https://github.com/openark/orchestrator/issues/451",
		rooms: []room{
			{name: "the leader dies before it reads the answer", plan: dies("answered"), moved: 1, phase: replication.Succeeded, seen: "over (executing)"},
			{name: "after it wrote the outcome", plan: dies("outcome"), moved: 1, phase: replication.Succeeded, seen: "over (verifying)"},
			{name: "before it writes that it is done", plan: dies("verified"), moved: 1, phase: replication.Succeeded, seen: "over (verifying)"},
			{name: "without the take-over", plan: dies("outcome").without("take over"), moved: 1, phase: replication.Verifying},
		},
	}
}

func patroni3703() exhibit {
	late := cuts(35, 75, names, names)
	behind := func(d time.Duration) []event {
		return append([]event{lost(30, 0), {at: seconds(5), what: "lag", last: d}}, late...)
	}
	return exhibit{
		name: "patroni#3703", source: "https://github.com/patroni/patroni/issues/3703",
		rooms: []room{
			{
				name:  "20 s behind when the site was lost, decided on minutes later, under a limit of 30 s",
				plan:  on(replication.AliyunEBS, 1, behind(20*time.Second)...).until(150*time.Second, 260*time.Second),
				moved: 1, phase: replication.Succeeded,
			},
			{
				name: "40 s behind",
				plan: on(replication.AliyunEBS, 1, behind(40*time.Second)...).until(150*time.Second, 260*time.Second),
				told: "lag_under does not hold: 3",
			},
			{
				name:  "without the limit",
				plan:  on(replication.AliyunEBS, 1, behind(40*time.Second)...).until(150*time.Second, 260*time.Second).under("lag_under: 30s, lag_unknown: allow, ", ""),
				moved: 1, phase: replication.Succeeded,
			},
		},
	}
}

func cephCSI3209() exhibit {
	return exhibit{
		name: "ceph-csi#3209", source: "https://github.com/ceph/ceph-csi/issues/3209",
		rooms: []room{
			{
				name: "a group shows an error for a minute, and the site is well",
				plan: on(replication.HuaweiEVS, 1, event{at: seconds(30), what: "unwell", last: 60 * time.Second}).until(150*time.Second, 240*time.Second),
			},
			{
				name:  "after its failover it shows an error, and the lost site is back",
				plan:  on(replication.HuaweiEVS, 1, lost(20, 0), event{at: seconds(80), what: "back", who: "az-a"}, event{at: seconds(90), what: "unwell", last: 50 * time.Second}).until(150*time.Second, 300*time.Second),
				moved: 1, phase: replication.Succeeded,
			},
		},
	}
}

func sentinelTilt() exhibit {
	stopped := func(at, last float64) []event {
		return each(event{at: seconds(at), what: "pause", last: seconds(last)})
	}
	return exhibit{
		name: "Redis Sentinel, TILT", source: "https://redis.io/docs/management/sentinel/",
		rooms: []room{
			{
				name:  "all observers are stopped for 3 s, then the site is lost",
				plan:  on(replication.HuaweiSDRS, 1, append(stopped(40, 3), lost(43.1, 0))...).until(150*time.Second, 260*time.Second),
				moved: 1, within: 16 * time.Second, phase: replication.Succeeded,
			},
			{
				name: "all are stopped for 30 s, and the site is well",
				plan: on(replication.HuaweiSDRS, 1, stopped(40, 30)...).until(150*time.Second, 260*time.Second),
			},
			{
				name:  "the site is lost while they are stopped for 30 s",
				plan:  on(replication.HuaweiSDRS, 1, append(stopped(40, 30), lost(50, 0))...).until(150*time.Second, 260*time.Second),
				moved: 1, within: 60 * time.Second, phase: replication.Succeeded,
			},
		},
	}
}
