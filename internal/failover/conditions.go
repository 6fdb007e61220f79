package failover

import (
	"fmt"
	"strings"
	"time"

	"github.com/drwatch/drwatch/internal/replication"
)

// ownershipConditions: may this observer act on this group at all, now.
func ownershipConditions(s Snapshot) []replication.Condition {
	rec := s.Cluster.Groups[s.Target.Group.Key]
	leads := s.Election != 0 && s.Cluster.Leader != nil && s.Cluster.Leader.CreateRev == s.Election
	cs := []replication.Condition{
		{Name: "leader", Value: yesNo(leads), Threshold: "this observer leads", OK: leads},
		{Name: "can_act", Value: yesNo(s.CanAct), Threshold: "credentials that may act", OK: s.CanAct},
		fitCondition(s.Fitness),
		frozenCondition(s.Cluster.Freeze),
		latchCondition(rec.Latch),
	}
	if s.Claim == nil {
		cs = append(cs, noIncidentCondition(rec), episodeCondition(s))
	} else {
		mine := rec.OpenIncident == s.Claim.ID
		cs = append(cs, replication.Condition{Name: "claim", Value: yesNo(mine), Threshold: "the group is claimed by this incident", OK: mine})
	}
	return cs
}

func fitCondition(fitness []replication.Condition) replication.Condition {
	c := replication.Condition{Name: "fit", Value: "yes", Threshold: "this observer can vouch for itself", OK: true}
	var unfit []string
	for _, f := range fitness {
		if !f.OK {
			unfit = append(unfit, f.Name+": "+f.Value)
		}
	}
	if len(unfit) > 0 {
		c.OK, c.Value = false, strings.Join(unfit, "; ")
	}
	return c
}

func frozenCondition(f *replication.Freeze) replication.Condition {
	c := replication.Condition{Name: "not_frozen", Value: "not frozen", Threshold: "not frozen", OK: true}
	if f != nil {
		c.OK, c.Value = false, fmt.Sprintf("frozen by %s: %s", f.Who, f.Reason)
	}
	return c
}

func latchCondition(l *replication.Latch) replication.Condition {
	c := replication.Condition{Name: "not_latched", Value: "not latched", Threshold: "not latched", OK: true}
	if l != nil {
		c.OK, c.Value = false, fmt.Sprintf("latched by %s: %s (release with `drwatch ack %s --reason …`)", orNobody(l.Incident), l.Why, orGroup(l.Incident))
	}
	return c
}

func orNobody(incident string) string {
	if incident == "" {
		return "no incident of ours"
	}
	return incident
}

// orGroup is what an acknowledgement names: a latch that no incident made is
// named by its group.
func orGroup(incident string) string {
	if incident == "" {
		return "GROUP"
	}
	return incident
}

func noIncidentCondition(rec replication.GroupRecord) replication.Condition {
	c := replication.Condition{Name: condNoIncident, Value: "none", Threshold: "none", OK: rec.OpenIncident == ""}
	if !c.OK {
		c.Value = rec.OpenIncident
	}
	return c
}

func episodeCondition(s Snapshot) replication.Condition {
	c := replication.Condition{Name: "new_episode", Value: "yes", Threshold: "no incident of this rule ended in this episode", OK: true}
	if e, ok := s.Cluster.Episodes[replication.EpisodeKey(s.Rule.Name, s.Target.Group.Key)]; ok {
		c.OK = false
		c.Value = fmt.Sprintf("%s was %s; until `drwatch ack` of it, or the trigger was untrue for %s", e.Incident, e.Phase, s.Rule.For)
	}
	return c
}

// directionConditions: the lost site is the active one, the other is known and
// nobody sees it down. Under a claim the direction is the plan's.
func directionConditions(s Snapshot) []replication.Condition {
	t := s.Target
	lost := s.Rule.SiteUnreachable
	if lost == "" {
		lost = t.ActiveSite
	}
	active := replication.Condition{Name: condActiveLost, Value: orUnknown(t.ActiveSite), Threshold: orUnknown(lost), OK: t.ActiveSite != "" && t.ActiveSite == lost}
	known := replication.Condition{Name: "target_site_known", Value: orUnknown(t.TargetSite), Threshold: "a site that the configuration names", OK: t.TargetSite != "" && t.TargetSite != t.ActiveSite}
	cs := []replication.Condition{active, known, targetUpCondition(s), movedCondition(s)}
	if t.Group.Key.Provider == replication.HuaweiDWS {
		base := s.Cluster.Groups[t.Group.Key].Baseline
		cs = append(cs, replication.Condition{Name: "baseline", Value: orUnknown(t.Group.Baseline), Threshold: "as recorded while all was well: " + orUnknown(base), OK: base != "" && base == t.Group.Baseline})
	}
	if s.Claim != nil {
		p := s.Claim.Plan
		same := t.Group.Active == p.From && t.Group.Standby() == p.To
		cs = append(cs, replication.Condition{Name: "direction", Value: fmt.Sprintf("%s to %s", t.Group.Active, t.Group.Standby()), Threshold: fmt.Sprintf("%s to %s", p.From, p.To), OK: same})
	}
	return cs
}

// movedCondition: a move that nobody has taken down yet starts a cool-down
// first. A poll from before the last failover is no news.
func movedCondition(s Snapshot) replication.Condition {
	rec, g := s.Cluster.Groups[s.Target.Group.Key], s.Target.Group
	c := replication.Condition{Name: "moves_recorded", Value: "yes", Threshold: "every move of production is taken down", OK: true}
	if unrecordedMove(rec, g) {
		c.OK, c.Value = false, fmt.Sprintf("production moved from %s to %s just now", rec.Active, g.Active)
	}
	return c
}

func unrecordedMove(rec replication.GroupRecord, g replication.Group) bool {
	old := rec.LastAction != nil && !g.ReadAt.After(rec.LastAction.At)
	return !old && !rec.Active.IsZero() && !g.Active.IsZero() && rec.Active != g.Active
}

func targetUpCondition(s Snapshot) replication.Condition {
	c := replication.Condition{Name: "target_site_not_down", Value: "nobody sees it down", Threshold: "no voter sees the target site down", OK: true}
	for _, v := range liveVotes(s) {
		if v.TargetDown {
			c.OK, c.Value = false, fmt.Sprintf("%s (%s) sees %s down", v.Observer, v.Site, orUnknown(s.Target.TargetSite))
		}
	}
	return c
}

// dataConditions: is what is known of the group fresh, and is the loss within
// the limit.
func dataConditions(s Snapshot, rpo *time.Duration) []replication.Condition {
	age := s.Now.Sub(s.Target.Group.ReadAt)
	fresh := !s.Target.Group.ReadAt.IsZero() && age >= 0 && age <= s.Rule.DataAgeUnder
	value := "never read"
	if !s.Target.Group.ReadAt.IsZero() {
		value = seconds(age.Round(time.Millisecond))
	}
	cs := []replication.Condition{{Name: "data_age_under", Value: value, Threshold: seconds(s.Rule.DataAgeUnder), OK: fresh}}
	if s.Rule.LagUnder <= 0 {
		return cs
	}
	lag := replication.Condition{Name: "lag_under", Threshold: seconds(s.Rule.LagUnder)}
	switch {
	case rpo == nil && s.Target.Group.Key.Provider.Async():
		// It does tell a lag; that it is missing now must not pass for "none".
		lag.Value = "not known, of a provider that tells it"
	case rpo == nil && s.Rule.LagUnknownAllow:
		lag.OK, lag.Value = true, "not told by the provider (lag_unknown: allow)"
	case rpo == nil:
		lag.Value = "not told by the provider (lag_unknown: block)"
	default:
		lag.OK, lag.Value = *rpo < s.Rule.LagUnder, seconds(rpo.Round(time.Millisecond))
	}
	return append(cs, lag)
}

// budgetConditions: cool-down and limits, over all observers, on the cluster
// clock. The concurrency slot is needed only when the call is next.
func budgetConditions(s Snapshot) []replication.Condition {
	c, r := s.Cluster, s.Rule
	cool := replication.Condition{Name: "cooldown", Value: "no failover yet", Threshold: seconds(r.Cooldown) + " since the last failover", OK: true}
	if last := c.Groups[s.Target.Group.Key].LastAction; last != nil && r.Cooldown > 0 {
		since := c.Clock - last.Clock
		cool.OK, cool.Value = since >= r.Cooldown, seconds(since.Round(time.Second))+" ago"
	}
	cs := []replication.Condition{cool}
	if r.MaxPerHour > 0 {
		n := startedLastHour(c, r.Name)
		cs = append(cs, replication.Condition{Name: "max_per_hour", Value: fmt.Sprint(n), Threshold: fmt.Sprintf("under %d", r.MaxPerHour), OK: n < r.MaxPerHour})
	}
	failures := c.Losses[s.Target.ActiveSite].Failures[r.Name]
	cs = append(cs, replication.Condition{Name: "max_failures", Value: fmt.Sprint(failures), Threshold: fmt.Sprintf("under %d failed or ambiguous in this site loss", r.MaxFailures), OK: failures < r.MaxFailures})
	if s.Claim != nil {
		used := len(c.Slots[r.Name])
		cs = append(cs, replication.Condition{Name: "max_concurrent", Value: fmt.Sprint(used), Threshold: fmt.Sprintf("under %d", r.MaxConcurrent), OK: used < r.MaxConcurrent || s.Claim.Slot >= 0})
	}
	return cs
}

func startedLastHour(c replication.Cluster, rule string) int {
	n := 0
	for _, at := range c.Started[rule] {
		if c.Clock-at < time.Hour {
			n++
		}
	}
	return n
}

// fenceCondition: in mode auto the lost side must be kept from writing, or the
// rule must say in words that it accepts the risk (invariant 23).
func fenceCondition(s Snapshot, mode replication.Mode) replication.Condition {
	f := s.Rule.Fence
	if f == "" && s.Target.Group.Key.Provider.Fences() {
		f = "provider"
	}
	c := replication.Condition{Name: "fence", Value: f, Threshold: "the lost side cannot write, or the rule accepts that", OK: true}
	switch {
	case f == "provider":
		c.OK = s.Target.Group.Key.Provider.Fences() || mode != replication.Auto
	case f == "":
		c.Value, c.OK = "none", mode != replication.Auto
	}
	return c
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}
