package cloudsim

import (
	"net/http"
	"strings"
	"time"
)

// ebsDrill is one drill of a replica group: a copy of its last recover point on
// disks of its own, which bill until the drill is cleared.
type ebsDrill struct {
	id      string
	status  string // executing → executed → clearing, and then it is gone; or execute_failed, clear_failed
	message string
	recover time.Time // the copy's
	began   time.Time
	pairs   []*pair
	disks   []string
	running *operation
}

// DrillDisks tells what the group's drills cost: how many disks they have ever
// created, and how many of them exist and bill now.
func (c *Cloud) DrillDisks(groupID string) (created, billing int) {
	c.enter()
	defer c.mu.Unlock()
	g := c.groups[groupID]
	if g == nil || g.ebs == nil {
		return 0, 0
	}
	for _, d := range g.ebs.drills {
		billing += len(d.disks)
	}
	return g.ebs.drillDisks, billing
}

func ebsDrillRoutes() map[string]route {
	return map[string]route{
		"DescribeReplicaGroupDrills": {operation: "DescribeReplicaGroupDrills", lists: "Drills", serve: ebsDrills},
		"StartReplicaGroupDrill":     {operation: "StartReplicaGroupDrill", action: "drill", serve: ebsOnce((*Cloud).ebsStartDrill)},
		"ClearReplicaGroupDrill":     {operation: "ClearReplicaGroupDrill", action: "drill", serve: ebsOnce((*Cloud).ebsClearDrill)},
	}
}

// ebsDrillGroup is the group of a drill call, which names it by GroupId and not
// by ReplicaGroupId as all others do.
func (c *Cloud) ebsDrillGroup(q *request) (*group, *answer) {
	id := q.param("GroupId")
	g := c.groups[id]
	switch {
	case id == "":
		a := q.aliyunError(http.StatusBadRequest, "MissingParameter", "GroupId is mandatory for this action.")
		return nil, &a
	case g == nil || !q.ep.sees(g):
		a := q.aliyunError(http.StatusNotFound, "NoSuchResource", "The specified resource does not exist.")
		return nil, &a
	}
	return g, nil
}

// ebsDrillSide refuses a drill call in the region that is replicated from: the
// disks of a drill are made where the copy is.
func (q *request) ebsDrillSide(g *group) *answer {
	if _, to := g.flow(); q.ep.Region != to.Region {
		a := q.aliyunError(http.StatusForbidden, "OperationDenied.OperateNotAllowedForPrimary", "The operation is not allowed in the production site.")
		return &a
	}
	return nil
}

func (c *Cloud) ebsStartDrill(q *request, now time.Time) answer {
	g, bad := c.ebsDrillGroup(q)
	if bad == nil {
		bad = q.ebsDrillSide(g)
	}
	if bad != nil {
		return *bad
	}
	recovered := g.clock.at(now)
	switch {
	case len(g.pairs) == 0:
		return q.aliyunError(http.StatusForbidden, "OperationDenied.NoPairInGroup", "The operation is not permitted due to no pair in group.")
	case recovered.IsZero():
		return q.aliyunError(http.StatusForbidden, "OperationDenied.InvalidStatus", "The group has no recover point yet.")
	}
	d := &ebsDrill{id: "pg-drill-" + c.shortID(), status: "executing", recover: recovered, began: now, pairs: g.pairs}
	for range g.pairs {
		d.disks = append(d.disks, "d-"+c.shortID())
	}
	g.ebs.drills = append(g.ebs.drills, d)
	g.ebs.drillDisks += len(d.disks)
	c.runEBSDrill(g, d, q, now, func(failed bool) {
		d.status = "executed"
		if failed {
			d.status, d.message = "execute_failed", "InternalError"
		}
	})
	return ok(object{"RequestId": q.id, "DrillId": d.id})
}

func (c *Cloud) ebsClearDrill(q *request, now time.Time) answer {
	g, bad := c.ebsDrillGroup(q)
	if bad == nil {
		bad = q.ebsDrillSide(g)
	}
	if bad != nil {
		return *bad
	}
	d := g.ebs.drill(q.param("DrillId"))
	switch {
	case d == nil:
		return q.aliyunError(http.StatusNotFound, "NoSuchResource", "The specified resource does not exist.")
	case d.status == "clearing":
		q.verdict = Repeated
		return ok(object{"RequestId": q.id})
	case d.status == "executing":
		return q.aliyunError(http.StatusForbidden, "OperationDenied.InvalidStatus", "The operation is not allowed in status "+d.status+".")
	}
	d.status, d.message = "clearing", ""
	c.runEBSDrill(g, d, q, now, func(failed bool) {
		if failed {
			d.status, d.message = "clear_failed", "InternalError"
			return
		}
		g.ebs.dropDrill(d)
	})
	return ok(object{"RequestId": q.id})
}

// runEBSDrill lets the drill's step end after the time that all operations take,
// unless a fault holds it.
func (c *Cloud) runEBSDrill(g *group, d *ebsDrill, q *request, now time.Time, finish func(failed bool)) {
	d.running = c.drillStep(q, now, finish)
	c.letDrillEnd(g, &d.running, q.fault.ID, now)
}

// shortID is the part of an id that follows its kind, for what arises while
// running.
func (c *Cloud) shortID() string {
	return strings.ReplaceAll(c.uuid(c.requests), "-", "")[:16]
}
