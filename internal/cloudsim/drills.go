package cloudsim

import "time"

// Drills run beside their group's own operation, on SDRS and EBS alike.

// drillJob is the SDRS job type of a drill's operation; EBS has no jobs.
func drillJob(operation string) string {
	return map[string]string{
		"CreateDisasterRecoveryDrill": "createDisasterRecoveryDrill", "DeleteDisasterRecoveryDrill": "deleteDisasterRecoveryDrill",
	}[operation]
}

// drillStep is one step of a drill, as the fault of its request has it.
func (c *Cloud) drillStep(q *request, now time.Time, finish func(failed bool)) *operation {
	return &operation{
		transition: transition{
			operation: q.route.operation, action: q.route.action, job: drillJob(q.route.operation), failCode: "SDRS.0013",
			done: func(*group) { finish(q.fault.Fate == Fails) },
		},
		began: now, takes: c.o.Transition, fate: q.fault.Fate, by: q.id,
	}
}

// letDrillEnd ends the step in time, or never while the fault holds it.
func (c *Cloud) letDrillEnd(g *group, running **operation, faultID string, now time.Time) {
	if (*running).fate == Stuck {
		c.stuck[*running] = faultID
		return
	}
	c.endDrillStep(g, running, now)
}

func (c *Cloud) endDrillStep(g *group, running **operation, now time.Time) {
	op := *running
	c.timeline.add(now.Add(op.takes), func(at time.Time) {
		*running = nil
		op.done(g)
		c.endJob(op, at)
	})
}

// unstickDrills lets the steps end that the faults with this id held; an empty
// id means all of them.
func (c *Cloud) unstickDrills(g *group, faultID string, now time.Time) {
	for _, running := range g.drillSteps() {
		held, is := c.stuck[*running]
		if !is || faultID != "" && faultID != held {
			continue
		}
		delete(c.stuck, *running)
		c.endDrillStep(g, running, now)
	}
}

// drillSteps are the places of the steps under way of the group's drills.
func (g *group) drillSteps() []**operation {
	var steps []**operation
	if g.sdrs != nil {
		for _, d := range g.sdrs.drills {
			steps = append(steps, &d.running)
		}
	}
	if g.ebs != nil {
		for _, d := range g.ebs.drills {
			steps = append(steps, &d.running)
		}
	}
	return steps
}
