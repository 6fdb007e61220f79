package failover

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/drwatch/drwatch/internal/replication"
)

const (
	// unableFor is how long a leader may be unable to do its work before another
	// is given the chance, and outFor how long it stays out then (protocol §2).
	unableFor = 30 * time.Second
	outFor    = time.Minute
	// outAtMost bounds outFor, which doubles with each time in short order: what no
	// observer can do must not send the leadership round and round.
	outAtMost = 16 * time.Minute
	// notSentInARow are as many calls that did not leave this machine.
	notSentInARow = 3
)

// inability is since when this leader cannot do something, by what it is.
type inability struct {
	since   map[string]time.Time
	notSent int // calls in a row that were not sent
	out     time.Time
	times   int // that it resigned, in short order
}

// mayLead tells whether this observer asks to lead at all: never without
// credentials to act, nor frozen or for a while after it has resigned, if there is
// another. One that leads when it is frozen resigns, after a call on its way.
func (c *Controller) mayLead() bool {
	if c.o.MayLead != nil && !c.o.MayLead() {
		return false
	}
	frozen := c.election == 0 && c.frozenHere() != nil
	return !frozen && c.Available() || !c.anotherMayLead(c.State().Cluster)
}

// Available tells whether this observer asks to lead where another may: it has not
// just resigned, and does more than rehearse. The other observers are told.
func (c *Controller) Available() bool {
	if c.o.Rehearses != nil && c.o.Rehearses() {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.o.Now().Before(c.unable.out)
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
	if why == "" || !c.anotherMayLead(cluster) || !c.holdCalls() {
		return
	}
	defer c.letCalls()
	c.o.Logger.Warn("resigning: another observer may lead", "why", why)
	if err := c.o.Session.Resign(ctx); err != nil {
		c.o.Logger.Warn("leadership not given up, tried again next round", "err", err)
		return
	}
	c.cancelRunning()
	c.election = 0
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.o.Now()
	times := c.unable.times + 1
	if now.Sub(c.unable.out) > 2*outAtMost {
		times = 1
	}
	c.unable = inability{since: map[string]time.Time{}, out: now.Add(min(outFor<<min(times-1, 4), outAtMost)), times: times}
}

// giveUp leaves the leadership to others: this observer may not lead, although it
// may have been elected before. A call that is on its way ends first.
func (c *Controller) giveUp(ctx context.Context) (replication.Leader, bool, error) {
	if !c.holdCalls() {
		return c.o.Session.Lead(ctx)
	}
	defer c.letCalls()
	return replication.Leader{}, false, c.o.Session.Resign(ctx)
}

// holdCalls keeps new calls from beginning, and tells whether none is on its way
// between its intent and its outcome: such a one is waited for.
func (c *Controller) holdCalls() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.calls > 0 {
		return false
	}
	c.callsHeld = true
	return true
}

func (c *Controller) letCalls() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.callsHeld = false
}

// errResigning is why a call does not begin.
var errResigning = errors.New("this observer gives its leadership up: left to the next leader")

// beginCall is called before an intent; end after its outcome.
func (c *Controller) beginCall() (end func(), err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.callsHeld {
		return nil, errResigning
	}
	c.calls++
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.calls--
	}, nil
}

// whyUnable is what this leader has not been able to do for long enough.
func (c *Controller) whyUnable(eval Evaluation, cluster replication.Cluster) string {
	if f := c.frozenHere(); f != nil { // that does not pass by itself
		return fmt.Sprintf("frozen by %s: %s", f.Who, f.Reason)
	}
	now, seen := c.o.Now(), map[string]bool{}
	unfit, broken := 0, 0
	for _, r := range eval.Rules {
		if fit := fitCondition(r.Fitness); !fit.OK {
			unfit++
		}
		if r.Err != "" {
			broken++
		}
	}
	if len(eval.Rules) > 0 && broken == len(eval.Rules) {
		seen["no rule can be evaluated"] = true
	}
	if len(eval.Rules) > 0 && unfit == len(eval.Rules) {
		seen["this observer cannot vouch for itself"] = true
	}
	for _, why := range c.misjudging(eval) {
		seen[why] = true
	}
	for _, why := range c.outvoted(eval, cluster) {
		seen[why] = true
	}
	for _, rec := range cluster.Incidents {
		if rec.Phase == replication.Held && (rec.HeldBy == "provider_read" || rec.HeldBy == "action_credentials" || rec.HeldBy == "rule_differs" || rec.HeldBy == "data_age_under" || rec.HeldBy == "group_not_read") && rec.Holder.LeaderRev == c.election {
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

// misjudging tells why what a failover would lose looks greater from here than it
// is, where that alone holds one back which another observer would make.
func (c *Controller) misjudging(eval Evaluation) []string {
	seen, here := map[string]bool{}, seenHere(eval)
	for _, d := range c.State().Decisions {
		if blocking := d.Blocking(); len(blocking) != 1 || blocking[0].Name != condLag {
			continue
		}
		switch t := here.targets[targetKey{d.Rule, d.Group}]; {
		case t == nil || t.Group.LastSync.IsZero():
		case t.Skew < -futureSlack:
			seen["this machine's clock is ahead of the provider's at account "+t.Group.Account] = true
		case t.LastGood.IsZero():
			seen["this observer has not seen site "+orUnknown(t.ActiveSite)+" before it was lost"] = true
		case t.Unwatched:
			seen["this observer did not look when site "+orUnknown(t.ActiveSite)+" was lost"] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

// forgetInability begins anew: what this observer could not do when it led before
// says nothing of now.
func (c *Controller) forgetInability() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unable.since, c.unable.notSent = map[string]time.Time{}, 0
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
