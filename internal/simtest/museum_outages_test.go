package simtest_test

import (
	"slices"
	"time"

	"github.com/drwatch/drwatch/internal/replication"
)

func outages() []exhibit {
	return []exhibit{
		github2012September(), github2012December(), github2018(), cloudflare2020(), goCardless2017(), kakao2022(), roblox2021(),
	}
}

func github2012September() exhibit {
	var wobble []event
	for at := 20.0; at < 180; at += 10.5 {
		wobble = append(wobble, event{at: seconds(at), what: "flap", last: 8 * time.Second})
	}
	return exhibit{
		name: "GitHub, September 2012", source: "https://github.blog/2012-09-14-github-availability-this-week/",
		rooms: []room{
			{
				name: "the site answers only now and then, for minutes",
				plan: on(replication.HuaweiSDRS, 1, wobble...).until(200*time.Second, 240*time.Second),
			},
			{
				name: "the new side fails its checks as well",
				plan: on(replication.HuaweiEVS, 2, lost(20, 0), event{at: seconds(60), what: "back", who: "az-a"}, event{at: seconds(80), what: "lose", who: "az-b"}).
					until(170*time.Second, 260*time.Second),
				moved: 1, phase: replication.Succeeded,
			},
			{
				name:  "without a hold time that is longer than the trouble",
				plan:  on(replication.HuaweiSDRS, 1, wobble...).until(200*time.Second, 240*time.Second).under("for: 10s", "for: 4s"),
				moved: 1, broken: "is claimed with the vote",
			},
		},
	}
}

func github2012December() exhibit {
	sites := []string{"az-a", "az-b"}
	frozen := slices.Concat(cuts(30, 90, names, names), cuts(30, 90, names, sites), cuts(30, 90, names, []string{"cloud"}))
	return exhibit{
		name: "GitHub, December 2012", source: "https://github.blog/2012-12-26-downtime-last-saturday/",
		rooms: []room{
			{
				name: "nobody reaches anybody for 90 s",
				plan: on(replication.HuaweiSDRS, 1, frozen...).until(140*time.Second, 260*time.Second),
				told: "the coordination store",
			},
			{
				name: "the observers reach each other and the provider, and no site",
				plan: on(replication.HuaweiSDRS, 2, cuts(30, 90, names, sites)...).until(140*time.Second, 260*time.Second),
				told: "target_site_not_down",
			},
			{
				name:  "without the other site in sight, nothing tells a freeze from a loss",
				plan:  on(replication.HuaweiSDRS, 2, cuts(30, 90, names, sites[:1])...).until(140*time.Second, 260*time.Second),
				moved: 1, phase: replication.Succeeded,
			},
		},
	}
}

// cutOff is az-a alive behind a cut: nobody else reaches it, and its own observer
// reaches nobody.
func cutOff(at, last float64) []event {
	others := []string{"obs-b", "obs-w"}
	return slices.Concat(cuts(at, last, others, []string{"az-a"}), cuts(at, last, []string{"obs-a"}, []string{"obs-b", "obs-w", "cloud"}))
}

func github2018() exhibit {
	return exhibit{
		name: "GitHub, October 2018", source: "https://github.blog/2018-10-30-oct21-post-incident-analysis/",
		rooms: []room{
			{
				name: "43 s of cut, under a rule that holds for a minute",
				plan: on(replication.HuaweiSDRS, 1, cutOff(90, 43)...).until(160*time.Second, 300*time.Second).under("for: 10s", "for: 1m"),
			},
			{
				name: "a cut of minutes, where nothing fences the site",
				plan: on(replication.AliyunEBS, 2, cutOff(30, 120)...).until(170*time.Second, 300*time.Second).
					under("mode: auto", "mode: approve", `        fence: {accept_split_brain: "nothing writes here"}`+"\n", ""),
				phase: replication.Aborted, told: "held by approval",
			},
			{
				name:  "without the hold time",
				plan:  on(replication.HuaweiSDRS, 1, cutOff(90, 43)...).until(160*time.Second, 300*time.Second),
				moved: 1, phase: replication.Succeeded,
			},
		},
	}
}

func cloudflare2020() exhibit {
	half := func(more ...event) []event {
		all := cuts(20, 150, []string{"obs-a"}, []string{"obs-b"})
		for at := 25.0; at < 150; at += 15 {
			all = append(all, cuts(at, 4, []string{"obs-b"}, []string{"obs-w"})...)
		}
		return append(all, more...)
	}
	return exhibit{
		name: "Cloudflare, November 2020", source: "https://blog.cloudflare.com/a-byzantine-failure-in-the-real-world/",
		rooms: []room{
			{
				name: "two observers do not reach each other, both reach the third, and the site is well",
				plan: on(replication.HuaweiSDRS, 1, half()...).until(180*time.Second, 260*time.Second),
			},
			{
				name:  "the same, and the site is lost with its observer",
				plan:  on(replication.HuaweiSDRS, 1, half(lost(60, 1))...).until(180*time.Second, 300*time.Second),
				moved: 1, within: 60 * time.Second, phase: replication.Succeeded,
			},
			{
				name:  "the same, and the site is lost, while the store is led from beside it",
				plan:  on(replication.HuaweiSDRS, 1, half(lost(60, 0))...).until(180*time.Second, 300*time.Second),
				moved: 1, phase: replication.Succeeded, told: "the coordination store",
			},
			{
				name:   "without a majority that reach each other",
				plan:   on(replication.HuaweiSDRS, 1, append(cuts(20, 230, names, names), lost(60, 0))...).until(250*time.Second, 250*time.Second),
				broken: "was not failed over", told: "the coordination store",
			},
		},
	}
}

func goCardless2017() exhibit {
	return exhibit{
		name: "GoCardless, October 2017", source: "https://gocardless.com/blog/incident-review-api-and-dashboard-outage-on-10th-october/",
		rooms: []room{
			{
				name:  "the site is lost with its observer, and the next observer crashes",
				plan:  on(replication.HuaweiSDRS, 1, lost(30, 1), event{at: seconds(31), what: "crash", who: "obs-b", last: 20 * time.Second}).until(150*time.Second, 260*time.Second),
				moved: 1, within: 80 * time.Second, phase: replication.Succeeded,
			},
			{
				name: "the provider's state forbids the failover, until it does not",
				plan: on(replication.HuaweiSDRS, 2, event{at: seconds(25), what: "unwell", last: 95 * time.Second}, lost(30, 0)).
					until(150*time.Second, 260*time.Second),
				moved: 1, phase: replication.Succeeded, told: "status_allows_failover",
			},
			{
				name: "without an end of what forbids it, a person is told and nothing is forced",
				plan: on(replication.HuaweiSDRS, 2, event{at: seconds(25), what: "unwell", last: 400 * time.Second, n: 1}, lost(30, 0)).
					until(150*time.Second, 260*time.Second),
				broken: "was not failed over", told: "status_allows_failover",
			},
		},
	}
}

func kakao2022() exhibit {
	return exhibit{
		name: "Kakao, October 2022", source: "https://dailyjoongang.ca/kakao-admits-mistakes-in-server-outage-and-shifts-blame/",
		rooms: []room{
			{
				name:  "the site is lost with the observer that leads",
				plan:  on(replication.HuaweiEVS, 2, lost(30, 1)).until(150*time.Second, 260*time.Second),
				moved: 1, within: 60 * time.Second, phase: replication.Succeeded, seen: "obs-a leads",
			},
			{
				name: "without a majority outside the site",
				plan: on(replication.HuaweiEVS, 2, lost(30, 1), event{at: seconds(30), what: "crash", who: "obs-w", last: 400 * time.Second}).
					until(250*time.Second, 250*time.Second),
				broken: "was not failed over", told: "the coordination store",
			},
		},
	}
}

func roblox2021() exhibit {
	slow := each(event{at: seconds(25), what: "stall", last: 6 * time.Second, n: 100})
	return exhibit{
		name: "Roblox, October 2021", source: "https://blog.roblox.com/2022/01/roblox-return-to-service-10-28-10-31-2021/",
		rooms: []room{
			{
				name: "each write of the store takes seconds, and the site is well",
				plan: on(replication.HuaweiSDRS, 1, slow...).until(150*time.Second, 260*time.Second),
			},
			{
				name:  "the same, and the site is lost meanwhile",
				plan:  on(replication.HuaweiSDRS, 1, append(slow, lost(40, 0))...).until(150*time.Second, 260*time.Second),
				moved: 1, phase: replication.Succeeded, told: "quorum does not hold",
			},
			{
				name:   "without an end of it, nothing is sent and a person is told",
				plan:   on(replication.HuaweiSDRS, 1, append(each(event{at: seconds(25), what: "stall", last: 6 * time.Second, n: 220}), lost(40, 0))...).until(250*time.Second, 250*time.Second),
				broken: "was not failed over", told: "the lease ran out",
			},
		},
	}
}
