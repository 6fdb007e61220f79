package cloudsim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// sdrsError is a business error; nearly all of them are 400, also "not found".
func sdrsError(code, format string, args ...any) answer {
	return answer{status: http.StatusBadRequest, value: object{"badrequest": object{"message": fmt.Sprintf(format, args...), "code": code}}}
}

func (q *request) sdrsGroup(id string) (*group, *answer) {
	g := q.ep.cloud.groups[id]
	if g == nil || !q.ep.sees(g) {
		a := sdrsError("SDRS.1013", "The protection group %s does not exist.", id)
		return nil, &a
	}
	return g, nil
}

// sdrsAct carries out one action of a protection group and answers with a job.
func sdrsAct(key string) func(c *Cloud, q *request, now time.Time) answer {
	rows := sdrsActions()[key]
	failure := strings.TrimSuffix(key, "-server-group") + "Fail"
	return func(c *Cloud, q *request, now time.Time) answer {
		g, bad := q.sdrsGroup(q.group)
		if bad != nil {
			return *bad
		}
		t, ok := pick(rows, g)
		if !ok {
			return sdrsError("SDRS.1002", "The protection group %s is in state %s, which does not allow %s.", g.id, g.status, key)
		}
		if bad := c.sdrsRefuses(q, g, t); bad != nil {
			return *bad
		}
		op := c.begin(g, t, q, now)
		if t.action == "reprotect" {
			return ok200Job(c.newJob(g, op, "reprotectFail"))
		}
		return ok200Job(c.newJob(g, op, failure))
	}
}

func ok200Job(j *job) answer { return ok(object{"job_id": j.id}) }

// sdrsRefuses checks what must hold besides the state.
func (c *Cloud) sdrsRefuses(q *request, g *group, t transition) *answer {
	refuse := func(code, format string, args ...any) *answer {
		a := sdrsError(code, format, args...)
		return &a
	}
	switch {
	case len(g.pairs) == 0:
		return refuse("SDRS.1017", "The protection group %s has no replication pair.", g.id)
	case t.action == "failover" && c.faultLevelOf(g) == "5":
		return refuse("SDRS.1018", "The replication link of protection group %s is down; failover is not allowed.", g.id)
	case t.action == "reprotect" && g.sdrs.standbyRunning:
		return refuse("SDRS.1342", "The servers at the disaster recovery site of %s are not stopped.", g.id)
	case t.action != "switchover":
		return nil
	case g.sdrs.serversRunning:
		return refuse("SDRS.1319", "The servers at the production site of %s are not stopped.", g.id)
	}
	var body struct {
		Reverse struct {
			Station string `json:"priority_station"`
		} `json:"reverse-server-group"`
	}
	if json.Unmarshal(q.body, &body) != nil || (body.Reverse.Station != "source" && body.Reverse.Station != "target") {
		return refuse("SDRS.0206", "priority_station must be source or target.")
	}
	if body.Reverse.Station == g.station() {
		return refuse("SDRS.1019", "Production of %s is at %s already.", g.id, body.Reverse.Station)
	}
	return nil
}

// sdrsCreateDrill starts a drill; its servers come up in a network of their own.
func sdrsCreateDrill(c *Cloud, q *request, now time.Time) answer {
	var body struct {
		Drill struct {
			Group string `json:"server_group_id"`
			Name  string `json:"name"`
			VPC   string `json:"drill_vpc_id"`
		} `json:"disaster_recovery_drill"`
	}
	if json.Unmarshal(q.body, &body) != nil {
		return sdrsError("SDRS.0206", "The body is not a disaster_recovery_drill.")
	}
	q.group = body.Drill.Group
	g, bad := q.sdrsGroup(q.group)
	if bad != nil {
		return *bad
	}
	allowed := []string{"available", "protected", "failed-over", "error-starting", "error-stopping", "error-reversing", "error-reprotecting", "error-failing-over"}
	if !oneOf(allowed, g.status) {
		return sdrsError("SDRS.1002", "The protection group %s is in state %s, which does not allow a drill.", g.id, g.status)
	}
	for _, d := range g.sdrs.drills {
		if d.status == "creating" {
			return sdrsError("SDRS.1913", "A drill of the protection group %s is being created.", g.id)
		}
	}
	d := c.addDrill(g, body.Drill.Name, "creating", now)
	if body.Drill.VPC != "" {
		d.vpc = body.Drill.VPC
	}
	t := transition{operation: q.route.operation, action: "drill", job: "createDisasterRecoveryDrill"}
	op := &operation{transition: t, began: now, takes: c.o.Transition}
	j := c.newJob(g, op, "createFail")
	j.subs = nil
	c.timeline.add(now.Add(op.takes), func(at time.Time) {
		d.status = "available"
		c.endJob(op, at)
	})
	return ok200Job(j)
}

// sdrsDeleteDrill removes a drill.
func sdrsDeleteDrill(c *Cloud, q *request, now time.Time) answer {
	d := q.sdrsDrill(q.path["id"])
	if d == nil {
		return sdrsError("SDRS.1902", "The disaster recovery drill %s does not exist.", q.path["id"])
	}
	q.group = d.group.id
	if !oneOf([]string{"available", "error", "error-deleting"}, d.status) {
		return sdrsError("SDRS.1922", "The drill %s is in state %s, which does not allow deleting it.", d.id, d.status)
	}
	d.status = "deleting"
	op := &operation{transition: transition{job: "deleteDisasterRecoveryDrill"}, began: now, takes: c.o.Transition}
	j := c.newJob(d.group, op, "deleteFail")
	j.subs = nil
	c.timeline.add(now.Add(op.takes), func(at time.Time) {
		c.dropDrill(d)
		c.endJob(op, at)
	})
	return ok200Job(j)
}
