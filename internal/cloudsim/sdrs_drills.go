package cloudsim

import (
	"encoding/json"
	"time"
)

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
	return c.runSDRSDrill(d, q, now, "createFail", func(failed bool) {
		d.status = "available"
		if failed {
			d.status = "error"
		}
	})
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
	return c.runSDRSDrill(d, q, now, "deleteFail", func(failed bool) {
		if failed {
			d.status = "error-deleting"
			return
		}
		c.dropDrill(d)
	})
}

// runSDRSDrill lets the drill's step end after the time that all operations
// take, unless a fault holds it, and answers with its job, which has no parts.
func (c *Cloud) runSDRSDrill(d *drill, q *request, now time.Time, failure string, finish func(failed bool)) answer {
	d.running = c.drillStep(q, now, finish)
	j := c.newJob(d.group, d.running, failure)
	j.subs = nil
	c.letDrillEnd(d.group, &d.running, q.fault.ID, now)
	return ok200Job(j)
}
