package failover

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/drwatch/drwatch/internal/replication"
)

const (
	tickEvery   = time.Second      // of the cluster clock; protocol §6 allows 5 s
	tellAfter   = time.Minute      // a trigger that is true and blocked is told
	tellSettled = 10 * time.Minute // and one that has had its say, by a dry run or a person

	maxRemembersARound = 100
)

// upkeep is the leader's housekeeping: the cluster clock, episodes that are
// over, site losses that are over. Trouble with it waits for the next round.
func (c *Controller) upkeep(ctx context.Context, eval Evaluation, cluster replication.Cluster) {
	now := c.o.Now()
	if elapsed := now.Sub(c.lastTick); elapsed >= tickEvery {
		if err := c.o.Upkeep.Tick(ctx, elapsed); err != nil {
			c.o.Logger.Warn("cluster clock not advanced", "err", err)
		}
		c.lastTick = now
	}
	c.endEpisodes(ctx, eval, cluster)
	c.closeLosses(ctx, eval, cluster)
	for id, s := range c.seen {
		if rec, ok := cluster.Incidents[id]; !ok || rec.Phase.Ended() || rec.Token != s.token {
			delete(c.seen, id)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for id := range c.waited {
		if rec, ok := cluster.Incidents[id]; !ok || rec.Phase.Ended() {
			delete(c.waited, id)
		}
	}
	for id := range c.held {
		if rec, ok := cluster.Incidents[id]; !ok || rec.Phase.Ended() {
			delete(c.held, id)
		}
	}
	for id := range c.retry {
		if rec, ok := cluster.Incidents[id]; !ok || rec.Phase.Ended() {
			delete(c.retry, id)
		}
	}
}

// remember keeps where each group's production is. A change that no incident of
// ours made counts as a failover all the same: the cool-down runs from it. DWS
// cluster ids and roles are taken down once, while all is well; when they are
// later others, the group is latched until a person has looked.
func (c *Controller) remember(ctx context.Context, eval Evaluation, cluster replication.Cluster) {
	if len(eval.Rules) == 0 {
		return
	}
	put := 0
	for _, g := range eval.Groups {
		rec := cluster.Groups[g.Key]
		if g.Active.IsZero() || rec.OpenIncident != "" || !c.amend(&rec, g, cluster) {
			continue
		}
		if put++; put > maxRemembersARound {
			c.nudge()
			return
		}
		if err := c.o.Upkeep.PutGroup(ctx, g.Key, rec); err != nil {
			c.o.Logger.Warn("group not remembered, tried again next round", "group", g.Key.String(), "err", err)
			return
		}
	}
}

// amend brings a group's record up to date and tells whether it changed.
func (c *Controller) amend(rec *replication.GroupRecord, g replication.Group, cluster replication.Cluster) bool {
	changed := false
	// LastAction.At is another observer's clock, which may be behind: what was read
	// before this one led says nothing of moves since.
	if rec.LastAction != nil && g.ReadAt.Before(c.elected) {
		return false
	}
	if unrecordedMove(*rec, g) {
		c.o.Logger.Warn("production of a group moved without an incident of ours", "group", g.Name, "from", rec.Active.String(), "to", g.Active.String())
		rec.LastAction = &replication.LastAction{Action: replication.Failover, At: c.o.Now().UTC(), Clock: cluster.Clock}
		rec.Active, changed = g.Active, true
		if g.Key.Provider.Async() && rec.Latch == nil {
			rec.Latch = &replication.Latch{At: c.o.Now().UTC(), Rebase: true, Why: fmt.Sprintf("moved to %s without an incident of ours; a second call would be accepted by the provider", g.Active)}
		}
	}
	if rec.Active.IsZero() {
		rec.Active, changed = g.Active, true
	}
	// A poll from before the last move still shows what was then.
	old := rec.LastAction != nil && !g.ReadAt.After(rec.LastAction.At)
	if old || g.Baseline == rec.Baseline || g.State != replication.Replicating {
		return changed
	}
	if rec.Baseline == "" {
		rec.Baseline = g.Baseline
		return true
	}
	if rec.Latch == nil {
		rec.Latch = &replication.Latch{At: c.o.Now().UTC(), Rebase: true, Why: fmt.Sprintf("clusters and roles are %q, recorded were %q: somebody has switched over", g.Baseline, rec.Baseline)}
		return true
	}
	return changed
}

// endEpisodes forgets that a rule has had its say once its trigger was untrue
// for one whole `for`.
func (c *Controller) endEpisodes(ctx context.Context, eval Evaluation, cluster replication.Cluster) {
	for _, key := range slices.Sorted(maps.Keys(cluster.Episodes)) {
		e := cluster.Episodes[key]
		r, t, ok := find(eval, e.Rule, e.Group)
		if !ok || t.UntrueFor <= 0 || t.UntrueFor < r.Rule.For {
			continue
		}
		if err := c.o.Upkeep.EndEpisode(ctx, e.Rule, e.Group, e.Incident); err != nil {
			c.o.Logger.Warn("episode not ended", "rule", e.Rule, "group", e.Group.String(), "err", err)
		}
	}
}

// closeLosses ends a site loss when no incident of it is open and the site was
// reachable for the longest `for` of the rules about it; one that nothing probes,
// when no trigger has been true of a group there for as long.
func (c *Controller) closeLosses(ctx context.Context, eval Evaluation, cluster replication.Cluster) {
	for _, site := range slices.Sorted(maps.Keys(cluster.Losses)) {
		loss := cluster.Losses[site]
		over := siteBack(eval, site)
		if !eval.Probed[site] {
			over = siteQuiet(eval, site) && cluster.Clock-time.Duration(loss.Clock) >= longestFor(eval, site)
		}
		if !over || lossOpen(cluster, site) {
			continue
		}
		if err := c.o.Upkeep.CloseLoss(ctx, site, loss.Rev); err != nil {
			c.o.Logger.Warn("site loss not closed", "site", site, "err", err)
		}
	}
}

func siteBack(eval Evaluation, site string) bool {
	up := eval.SiteUp[site]
	return up > 0 && up >= longestFor(eval, site)
}

// siteQuiet tells that every trigger is known to have been untrue, for its rule's
// whole `for`, of each group whose production is at the site or may be.
func siteQuiet(eval Evaluation, site string) bool {
	if !eval.AllPolled || len(eval.Rules) == 0 {
		return false
	}
	for _, v := range eval.Rules {
		if v.Err != "" {
			return false
		}
		for _, t := range v.Targets {
			if (t.ActiveSite == site || t.ActiveSite == "") && (t.UntrueFor <= 0 || t.UntrueFor < v.Rule.For) {
				return false
			}
		}
	}
	return true
}

func longestFor(eval Evaluation, site string) time.Duration {
	var longest time.Duration
	for _, r := range eval.Rules {
		if r.Rule.SiteUnreachable == site || r.Rule.SiteUnreachable == "" {
			longest = max(longest, r.Rule.For)
		}
	}
	return longest
}

func lossOpen(cluster replication.Cluster, site string) bool {
	for _, rec := range cluster.Incidents {
		if rec.Plan.LostSite == site && !rec.Phase.Ended() {
			return true
		}
	}
	return false
}

// tellBlocked tells, again and again, of a trigger that has been true for its
// whole `for` and a minute more with nothing executing (invariant 30).
func (c *Controller) tellBlocked(eval Evaluation, ds []Decision, cluster replication.Cluster) {
	on := map[targetKey][]Decision{}
	for _, d := range ds {
		k := targetKey{d.Rule, d.Group}
		on[k] = append(on[k], d)
	}
	c.tellEach(eval, cluster, func(r RuleView, t Target) []string {
		// A poll from before the last move says nothing. By the cluster clock: LastAction.At
		// is of another observer's, and one that is ahead must not make silence.
		if last := cluster.Groups[t.Group.Key].LastAction; last != nil && c.o.Now().Sub(t.Group.ReadAt) > cluster.Clock-last.Clock {
			return nil
		}
		var why []string
		for _, d := range on[targetKey{r.Rule.Name, t.Group.Key}] {
			if d.Act {
				why = append(why, "every condition holds, the claim has not been made yet")
			}
			for _, b := range d.Blocking() {
				if b.Name == condActiveLost {
					return nil // production is elsewhere: there is nothing to fail over
				}
				why = append(why, b.String())
			}
		}
		if rec, open := openIncident(cluster, r.Rule.Name, t.Group.Key); open {
			if rec.Phase == replication.Held {
				why = append(why, "incident "+rec.ID+" is held by "+rec.HeldBy)
			} else {
				why = append(why, "incident "+rec.ID+" is "+string(rec.Phase)+", and goes on with its holder or the next one")
			}
		}
		return why
	})
}

// tellEach tells of each target whose trigger is true for long enough, with the
// reasons that why gives.
func (c *Controller) tellEach(eval Evaluation, cluster replication.Cluster, why func(RuleView, Target) []string) {
	now := c.o.Now()
	for _, r := range eval.Rules {
		for _, t := range r.Targets {
			key := replication.EpisodeKey(r.Rule.Name, t.Group.Key)
			if t.State != "firing" || now.Sub(t.Since) < r.Rule.For+tellAfter || executing(cluster, t.Group.Key) {
				delete(c.toldAt, key)
				continue
			}
			again := tellAfter
			if _, said := cluster.Episodes[key]; said {
				again = tellSettled
			}
			if last, told := c.toldAt[key]; told && now.Sub(last) < again {
				continue
			}
			reasons := why(r, t)
			if len(reasons) == 0 {
				continue
			}
			c.toldAt[key] = now
			c.o.Logger.Warn("the trigger is true and nothing is executing", "rule", r.Rule.Name, "group", t.Group.Name, "since", t.Since, "why", strings.Join(reasons, "; "))
		}
	}
}

func executing(cluster replication.Cluster, key replication.GroupKey) bool {
	rec, ok := cluster.Incidents[cluster.Groups[key].OpenIncident]
	moves := rec.Person == nil || rec.Action.Moves() // a drill under way is no reason to say nothing
	return ok && moves && (rec.Phase == replication.Executing || rec.Phase == replication.Verifying)
}
