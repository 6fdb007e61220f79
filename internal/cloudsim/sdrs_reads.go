package cloudsim

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

func sdrsRoutes() []restRoute {
	const p = "/v1/{project}"
	act := func(key, operation, action string) restRoute {
		return restRoute{
			"POST", p + "/server-groups/{group}/action", key,
			route{operation: operation, action: action, serve: sdrsAct(key)},
		}
	}
	read := func(path, operation, list string, serve func(*Cloud, *request, time.Time) answer) restRoute {
		return restRoute{"GET", path, "", route{operation: operation, lists: list, serve: serve}}
	}
	return []restRoute{
		read("/", "ListApiVersions", "", sdrsVersions),
		read(p+"/server-groups", "ListProtectionGroups", "server_groups", sdrsListGroups),
		read(p+"/server-groups/{group}", "ShowProtectionGroup", "", sdrsShowGroup),
		act("failover-server-group", "StartFailoverProtectionGroup", "failover"),
		act("reverse-server-group", "StartReverseProtectionGroup", "switchover"),
		act("start-server-group", "StartProtectionGroup", "start"),
		act("stop-server-group", "StopProtectionGroup", "stop"),
		read(p+"/replications", "ListReplications", "replications", sdrsListPairs),
		read(p+"/replications/{id}", "ShowReplication", "", sdrsShowPair),
		read(p+"/protected-instances", "ListProtectedInstances", "protected_instances", sdrsListInstances),
		read(p+"/protected-instances/{id}", "ShowProtectedInstance", "", sdrsShowInstance),
		read(p+"/disaster-recovery-drills", "ListDisasterRecoveryDrills", "disaster_recovery_drills", sdrsListDrills),
		read(p+"/disaster-recovery-drills/{id}", "ShowDisasterRecoveryDrill", "", sdrsShowDrill),
		{"POST", p + "/disaster-recovery-drills", "", route{operation: "CreateDisasterRecoveryDrill", action: "drill", serve: sdrsCreateDrill}},
		{"DELETE", p + "/disaster-recovery-drills/{id}", "", route{operation: "DeleteDisasterRecoveryDrill", action: "drill", serve: sdrsDeleteDrill}},
		read(p+"/jobs/{id}", "ShowJobStatus", "", sdrsShowJob),
		read(p+"/task-center/failure-jobs", "ListFailureJobs", "failure_jobs", sdrsListFailures),
		read(p+"/sdrs/quotas", "ShowQuota", "", sdrsQuotas),
		read(p+"/resource/rpo-statistics", "ListRpoStatistics", "resource_rpo_statistics", sdrsStatistics),
	}
}

func (q *request) sdrsShelf() *shelf {
	return q.ep.cloud.shelf(shelfKey{provider: q.ep.Provider, region: q.ep.Region})
}

// sdrsPage cuts the list as limit and offset ask and names it as the API does.
func sdrsPage[T, V any](q *request, list []T, name string, view func(T) V) answer {
	limit, good := q.number("limit", 1000)
	if !good || limit < 1 || limit > 1000 {
		return sdrsError("SDRS.0221", "The limit must be between 1 and 1000.")
	}
	offset, good := q.number("offset", 0)
	if !good || offset < 0 {
		return sdrsError("SDRS.0222", "The offset must not be negative.")
	}
	cut := page(list, offset, limit)
	views := make([]V, 0, len(cut))
	for _, x := range cut {
		views = append(views, view(x))
	}
	count := len(list)
	if q.ep.cloud.o.SDRSCountsPage {
		count = len(cut)
	}
	return ok(object{name: views, "count": count})
}

// groupFilter reads server_group_id and server_group_ids.
func (q *request) groupFilter() ([]string, *answer) {
	ids := idList(q.query.Get("server_group_ids"))
	if len(ids) > 30 {
		a := sdrsError("SDRS.0226", "At most 30 ids can be given.")
		return nil, &a
	}
	if id := q.query.Get("server_group_id"); id != "" {
		ids = append(ids, id)
	}
	return ids, nil
}

func sdrsListGroups(_ *Cloud, q *request, now time.Time) answer {
	name, status, zone := q.query.Get("name"), q.query.Get("status"), q.query.Get("availability_zone")
	list := visible(q.sdrsShelf().groups, name+status+zone != "", func(g *group) bool {
		return strings.Contains(g.name, name) && equalOr(status, g.status) && equalOr(zone, g.active().Zone)
	})
	return sdrsPage(q, list, "server_groups", func(g *group) sdrsGroupView { return sdrsGroupOf(q.fault.seen(g), now) })
}

func sdrsShowGroup(_ *Cloud, q *request, now time.Time) answer {
	g, bad := q.sdrsGroup(q.group)
	if bad != nil {
		return *bad
	}
	return ok(object{"server_group": sdrsGroupOf(q.fault.seen(g), now)})
}

func sdrsListPairs(c *Cloud, q *request, now time.Time) answer {
	ids, bad := q.groupFilter()
	if bad != nil {
		return *bad
	}
	name, status, zone := q.query.Get("name"), q.query.Get("status"), q.query.Get("availability_zone")
	list := visible(q.sdrsShelf().pairs, len(ids) > 0 || name+status+zone != "", func(p *pair) bool {
		return oneOf(ids, p.group.id) && strings.Contains(p.name, name) && equalOr(status, sdrsMemberStatus(p.group)) && equalOr(zone, p.group.active().Zone)
	})
	return sdrsPage(q, list, "replications", func(p *pair) sdrsPairView { return c.sdrsPairOf(q, p, now) })
}

func sdrsShowPair(c *Cloud, q *request, now time.Time) answer {
	for _, p := range q.sdrsShelf().pairs {
		if p.id == q.path["id"] {
			return ok(object{"replication": c.sdrsPairOf(q, p, now)})
		}
	}
	return sdrsError("SDRS.1608", "The replication pair %s does not exist.", q.path["id"])
}

func sdrsListInstances(_ *Cloud, q *request, now time.Time) answer {
	ids, bad := q.groupFilter()
	if bad != nil {
		return *bad
	}
	name, status := q.query.Get("name"), q.query.Get("status")
	list := visible(q.sdrsShelf().instances, len(ids) > 0 || name+status != "", func(i *instance) bool {
		return oneOf(ids, i.group.id) && strings.Contains(i.name, name) && equalOr(status, sdrsMemberStatus(i.group))
	})
	return sdrsPage(q, list, "protected_instances", func(i *instance) sdrsInstanceView { return sdrsInstanceOf(i, q.fault.seen(i.group), now) })
}

func sdrsShowInstance(_ *Cloud, q *request, now time.Time) answer {
	for _, i := range q.sdrsShelf().instances {
		if i.id == q.path["id"] {
			return ok(object{"protected_instance": sdrsInstanceOf(i, q.fault.seen(i.group), now)})
		}
	}
	return sdrsError("SDRS.1313", "The protected instance %s does not exist.", q.path["id"])
}

func sdrsListDrills(_ *Cloud, q *request, _ time.Time) answer {
	id, name, status, vpc := q.query.Get("server_group_id"), q.query.Get("name"), q.query.Get("status"), q.query.Get("drill_vpc_id")
	list := visible(q.sdrsShelf().drills, id+name+status+vpc != "", func(d *drill) bool {
		return equalOr(id, d.group.id) && strings.Contains(d.name, name) && equalOr(status, d.status) && equalOr(vpc, d.vpc)
	})
	return sdrsPage(q, list, "disaster_recovery_drills", sdrsDrillOf)
}

func sdrsShowDrill(_ *Cloud, q *request, _ time.Time) answer {
	if d := q.sdrsDrill(q.path["id"]); d != nil {
		return ok(object{"disaster_recovery_drill": sdrsDrillOf(d)})
	}
	return sdrsError("SDRS.1902", "The disaster recovery drill %s does not exist.", q.path["id"])
}

func (q *request) sdrsDrill(id string) *drill {
	drills := q.sdrsShelf().drills
	if i := slices.IndexFunc(drills, func(d *drill) bool { return d.id == id }); i >= 0 {
		return drills[i]
	}
	return nil
}

func (c *Cloud) dropDrill(d *drill) {
	is := func(x *drill) bool { return x == d }
	d.group.sdrs.drills = slices.DeleteFunc(d.group.sdrs.drills, is)
	sh := c.shelf(shelfKey{provider: d.group.provider, region: d.group.source.Region})
	sh.drills = slices.DeleteFunc(sh.drills, is)
}

func sdrsShowJob(c *Cloud, q *request, now time.Time) answer {
	j := c.jobs[q.path["id"]]
	if j == nil {
		return sdrsError("SDRS.0216", "The job %s does not exist.", q.path["id"])
	}
	return ok(j.view(now))
}

func sdrsListFailures(c *Cloud, q *request, _ time.Time) answer {
	id, failure, name := q.query.Get("server_group_id"), q.query.Get("failure_status"), q.query.Get("resource_name")
	var list []*job
	for _, j := range c.failures {
		if j.group.source.Region == q.ep.Region && equalOr(id, j.group.id) && equalOr(failure, j.failure) && strings.Contains(j.group.name, name) {
			list = append(list, j)
		}
	}
	if kind := q.query.Get("resource_type"); kind != "" && kind != "server_groups" {
		list = nil // only groups have jobs that fail here
	}
	return sdrsPage(q, list, "failure_jobs", sdrsFailureOf)
}

func sdrsVersions(*Cloud, *request, time.Time) answer {
	return ok(object{"versions": []object{{
		"id": "v1", "links": []object{{"rel": "self", "href": "/v1/"}}, "version": "", "status": "CURRENT",
		"updated": "2018-05-30T15:00:00Z", "min_version": "",
	}}})
}

// The quotas of the project, wide enough for a large simulation.
const (
	sdrsGroupQuota = 20000
	sdrsPairQuota  = 100000
)

func sdrsQuotas(_ *Cloud, q *request, _ time.Time) answer {
	sh := q.sdrsShelf()
	row := func(kind string, used, quota int) object {
		return object{"type": kind, "used": used, "quota": quota, "min": 0, "max": quota}
	}
	return ok(object{"quotas": object{"resources": []object{
		row("server_groups", len(sh.groups), sdrsGroupQuota), row("replications", len(sh.pairs), sdrsPairQuota),
	}}})
}

// sdrsStatistics tells how many pairs are over their RPO: those whose link is
// down or whose disks are lost. Only the present minute has a point; the
// simulation keeps no history of it.
func sdrsStatistics(c *Cloud, q *request, now time.Time) answer {
	point := now.UTC().Truncate(time.Minute)
	var points []int
	if kind := q.query.Get("resource_type"); q.within(point) && equalOr(kind, "replication") {
		over := 0
		for _, p := range q.sdrsShelf().pairs {
			if c.faultLevelOf(q.fault.seen(p.group)) != "0" {
				over++
			}
		}
		points = append(points, over)
	}
	return sdrsPage(q, points, "resource_rpo_statistics", func(over int) object {
		at := point.Format(sdrsMilli)
		return object{
			"id": fmt.Sprintf("%08x-0000-4000-8000-000000000000", point.Unix()/60), "point_time": point.Format("2006-01-02 15:04"),
			"resource_num": over, "resource_type": "replication", "created_at": at, "updated_at": at,
		}
	})
}

// within tells whether a point lies between start_time and end_time, as far as
// they are given and can be read.
func (q *request) within(point time.Time) bool {
	start, errStart := time.Parse(sdrsMilli, q.query.Get("start_time"))
	end, errEnd := time.Parse(sdrsMilli, q.query.Get("end_time"))
	return (errStart != nil || !point.Before(start)) && (errEnd != nil || !point.After(end))
}
