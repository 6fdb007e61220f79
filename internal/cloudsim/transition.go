package cloudsim

import (
	"slices"
	"time"
)

// transition is one row of a provider's state machine.
type transition struct {
	operation string   // the vendor's name of the call
	action    string   // failover, switchover, reprotect, start, stop
	from      []string // statuses that allow it
	fromRepl  []string // replication statuses that allow it; nil = all
	repeat    []string // statuses that accept it without doing anything
	via       []string // statuses on the way, each taking an equal share
	viaRepl   string
	to        string
	toRepl    string
	failed    string // status when it fails
	moves     bool   // production moves to the other side
	syncs     bool   // a full synchronisation is complete at its end
	job       string // SDRS job type
	subJob    string // SDRS job type of the part that handles one pair
	failCode  string // SDRS error code of the failed job
	done      func(g *group)
}

func (t transition) allowed(g *group) bool {
	return slices.Contains(t.from, g.status) &&
		(t.fromRepl == nil || slices.Contains(t.fromRepl, g.repl))
}

// operation is a transition under way.
type operation struct {
	transition
	began time.Time
	takes time.Duration
	fate  Fate
	job   *job
	by    string // request id
}

// percent is how far the operation is: 99 until it is over.
func (o *operation) percent(now time.Time) int {
	if o == nil {
		return 0
	}
	if o.takes <= 0 {
		return 99
	}
	return int(min(99, 100*now.Sub(o.began)/o.takes))
}

// begin takes the group into the transition. The caller has checked that it is
// allowed.
func (c *Cloud) begin(g *group, t transition, q *request, now time.Time) *operation {
	op := &operation{transition: t, began: now, takes: c.o.Transition, fate: q.fault.Fate, by: q.id}
	g.running = op
	g.repl = t.viaRepl
	g.updated = now
	g.wants = false
	g.enterStep(op, 0, now)
	for i := 1; i < len(t.via); i++ {
		c.timeline.add(now.Add(op.takes*time.Duration(i)/time.Duration(len(t.via))), func(at time.Time) {
			g.enterStep(op, i, at)
		})
	}
	if op.fate == Stuck {
		c.stuck[op] = q.fault.ID
		return op
	}
	c.timeline.add(now.Add(op.takes), func(at time.Time) { c.finish(g, op, at) })
	return op
}

func (g *group) enterStep(op *operation, step int, now time.Time) {
	if g.running == op {
		g.status = op.via[step]
		g.clock.set(false, now)
	}
}

// finish ends an operation, unless another has taken its place.
func (c *Cloud) finish(g *group, op *operation, now time.Time) {
	if g.running != op {
		return
	}
	g.running = nil
	g.updated = now
	if op.fate == Fails || c.unable(g, op) {
		op.fate = Fails
		g.status = op.failed
		c.endJob(op, now)
		return
	}
	from := g.active()
	g.status, g.repl = op.to, op.toRepl
	if op.moves {
		g.atTarget = !g.atTarget
	}
	if op.done != nil {
		op.done(g)
	}
	if op.syncs {
		g.clock.complete(now)
	}
	if g.dws != nil {
		g.dws.byLoss = false
	}
	g.wants = replicates(g)
	c.endJob(op, now)
	if to := g.active(); to != from {
		c.log.changed(g, op, from, to, now)
	}
	c.feelSites(g, now)
}

// unable tells that the sites the operation needs are not up: a move needs the
// side it moves to, and whatever is to replicate afterwards needs both.
func (c *Cloud) unable(g *group, op *operation) bool {
	active, standby := g.sites()
	switch op.action {
	case "switchover", "reprotect", "start":
		return c.lost[active] || c.lost[standby]
	}
	return op.moves && c.lost[standby]
}

// unstick lets the operations end that the faults with these ids held; an empty
// id means all of them.
func (c *Cloud) unstick(faultID string, now time.Time) {
	for _, g := range c.order {
		c.unstickDrills(g, faultID, now)
		op := g.running
		if op == nil {
			continue
		}
		held, ok := c.stuck[op]
		if !ok || (faultID != "" && faultID != held) {
			continue
		}
		delete(c.stuck, op)
		c.timeline.add(now.Add(op.takes), func(at time.Time) { c.finish(g, op, at) })
	}
}
