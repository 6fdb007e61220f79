package failover

import (
	"context"
	"fmt"
	"time"

	"github.com/drwatch/drwatch/internal/replication"
)

const (
	// unableFor is how long a leader may be unable to do its work before another
	// is given the chance, and outFor how long it stays out then (protocol §2).
	unableFor = 30 * time.Second
	outFor    = time.Minute
	// notSentInARow are as many calls that did not leave this machine.
	notSentInARow = 3
)

// inability is since when this leader cannot do something, by what it is.
type inability struct {
	since   map[string]time.Time
	notSent int // calls in a row that were not sent
	out     time.Time
}

// mayLead tells whether this observer asks to lead at all: never without
// credentials to act, nor frozen or for a while after it has resigned, if there is
// another. One that leads when it is frozen resigns, after a call on its way.
func (c *Controller) mayLead() bool {
	if c.o.MayLead != nil && !c.o.MayLead() {
		return false
	}
	frozen := c.election == 0 && c.frozenHere() != nil
	if !frozen && !c.o.Now().Before(c.unable.out) {
		return true
	}
	return !c.anotherMayLead(c.State().Cluster)
}

func (c *Controller) anotherMayLead(cluster replication.Cluster) bool {
	beating := c.beating()
	for _, o := range cluster.Observers {
		if o.Name != c.o.Observer && o.MayLead && beating[o.Name] {
			return true
		}
	}
	return false
}

// resignIfUnable gives the leadership up when this observer has been unable to
// do a leader's work and another may. A call that is on its way is waited for.
func (c *Controller) resignIfUnable(ctx context.Context, eval Evaluation, cluster replication.Cluster) {
	why := c.whyUnable(eval, cluster)
	if why == "" || !c.anotherMayLead(cluster) || c.calling(cluster) {
		return
	}
	c.o.Logger.Warn("resigning: another observer may lead", "why", why, "out_for", outFor.String())
	if err := c.o.Session.Resign(ctx); err != nil {
		c.o.Logger.Warn("leadership not given up, tried again next round", "err", err)
		return
	}
	c.cancelRunning()
	c.election = 0
	c.mu.Lock()
	c.unable = inability{since: map[string]time.Time{}, out: c.o.Now().Add(outFor)}
	c.mu.Unlock()
}

// calling tells that a call of this election is between its intent and its
// outcome.
func (c *Controller) calling(cluster replication.Cluster) bool {
	running := c.runningNow()
	for id, rec := range cluster.Incidents {
		if running[id] && rec.Phase == replication.Executing {
			return true
		}
	}
	return false
}

// whyUnable is what this leader has not been able to do for long enough.
func (c *Controller) whyUnable(eval Evaluation, cluster replication.Cluster) string {
	if f := c.frozenHere(); f != nil { // that does not pass by itself
		return fmt.Sprintf("frozen by %s: %s", f.Who, f.Reason)
	}
	now, seen := c.o.Now(), map[string]bool{}
	unfit := 0
	for _, r := range eval.Rules {
		if fit := fitCondition(r.Fitness); !fit.OK {
			unfit++
		}
		if r.Err != "" {
			seen["rule "+r.Rule.Name+" cannot be evaluated: "+r.Err] = true
		}
	}
	if len(eval.Rules) > 0 && unfit == len(eval.Rules) {
		seen["this observer cannot vouch for itself"] = true
	}
	for _, rec := range cluster.Incidents {
		if rec.Phase == replication.Held && (rec.HeldBy == "provider_read" || rec.HeldBy == "action_credentials") && rec.Holder.LeaderRev == c.election {
			seen[fmt.Sprintf("incident %s is held by %s", rec.ID, rec.HeldBy)] = true
		}
	}
	for _, d := range c.State().Decisions {
		if blocking := d.Blocking(); len(blocking) == 1 && blocking[0].Name == "can_act" {
			seen["there are no credentials here to act on "+d.Group.String()] = true
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.unable.notSent >= notSentInARow {
		return fmt.Sprintf("%d calls in a row could not be sent", c.unable.notSent)
	}
	longest := ""
	for what := range c.unable.since {
		if !seen[what] {
			delete(c.unable.since, what)
		}
	}
	for what := range seen {
		since, ok := c.unable.since[what]
		if !ok {
			c.unable.since[what] = now
			continue
		}
		if now.Sub(since) >= unableFor && (longest == "" || what < longest) {
			longest = what
		}
	}
	return longest
}

// countSent keeps count of calls in a row that did not leave this machine.
func (c *Controller) countSent(o replication.Outcome) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if o == replication.NotSent {
		c.unable.notSent++
		return
	}
	c.unable.notSent = 0
}
