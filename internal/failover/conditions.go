package failover

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/drwatch/drwatch/internal/replication"
)

// ownershipConditions: may this observer act on this group at all, now.
func ownershipConditions(s Snapshot) []judged {
	rec := s.Cluster.Groups[s.Target.Group.Key]
	cs := []judged{
		leaderCondition(s),
		wants(replication.Condition{Name: "can_act", Value: yesNo(s.CanAct), Threshold: "credentials that may act", OK: s.CanAct}, always("this observer must have credentials that may act")),
		fitNeeds(s.Fitness),
		wants(frozenCondition(s.Cluster.Freeze), func() string { return thaw(s) }),
		latchNeeds(rec.Latch),
	}
	if s.Claim == nil {
		return append(cs, wants(noIncidentCondition(rec), func() string { return "incident " + rec.OpenIncident + " must end" }), episodeCondition(s))
	}
	mine := rec.OpenIncident == s.Claim.ID
	return append(cs, wants(
		replication.Condition{Name: "claim", Value: yesNo(mine), Threshold: "the group is claimed by this incident", OK: mine},
		func() string {
			return fmt.Sprintf("the group must be claimed by %s; it is by %s", s.Claim.ID, orNobody(rec.OpenIncident))
		}))
}

// condLocalFreeze is the condition of fitness that does not hold while something on
// its machine freezes this observer.
const condLocalFreeze = "local_freeze"

// thaw is what lifts the freeze. A command does not lift one of this observer alone,
// which makes it unfit too.
func thaw(s Snapshot) string {
	if slices.ContainsFunc(s.Fitness, func(f replication.Condition) bool { return f.Name == condLocalFreeze && !f.OK }) {
		return "the freeze of " + s.Cluster.Freeze.Who + " must be lifted"
	}
	return "`drwatch unfreeze`"
}

func leaderCondition(s Snapshot) judged {
	leads := s.Election != 0 && s.Cluster.Leader != nil && s.Cluster.Leader.CreateRev == s.Election
	c := replication.Condition{Name: "leader", Value: yesNo(leads), Threshold: "this observer leads", OK: leads}
	return wants(c, func() string {
		if s.Cluster.Leader == nil {
			return "an observer must be elected"
		}
		return "this observer must be elected; " + orUnknown(s.Cluster.Leader.Observer) + " leads"
	})
}

func fitNeeds(fitness []replication.Condition) judged {
	var unfit []string
	for _, f := range fitness {
		if !f.OK {
			unfit = append(unfit, f.Name)
		}
	}
	c := wants(fitCondition(fitness), func() string { return "this observer must be fit again: " + and(unfit) })
	c.far *= float64(len(unfit))
	return c
}

func latchNeeds(l *replication.Latch) judged {
	return wants(latchCondition(l), func() string { return "`drwatch ack " + orGroup(l.Incident) + " --reason …`" })
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

func episodeCondition(s Snapshot) judged {
	c := judged{Condition: replication.Condition{Name: "new_episode", Value: "yes", Threshold: "no incident of this rule ended in this episode", OK: true}}
	if e, ok := s.Cluster.Episodes[replication.EpisodeKey(s.Rule.Name, s.Target.Group.Key)]; ok {
		c.OK = false
		c.Value = fmt.Sprintf("%s was %s; until `drwatch ack` of it, or the trigger was untrue for %s", e.Incident, e.Phase, s.Rule.For)
		left := max(s.Rule.For-s.Target.UntrueFor, 0)
		c.flip, c.far = fmt.Sprintf("`drwatch ack %s --reason …`, or the trigger untrue for %s", e.Incident, exact(left)), share(left, s.Rule.For)
	}
	return c
}

// directionConditions: the lost site is the active one, the other is known and
// nobody sees it down. Under a claim the direction is the plan's.
func directionConditions(s Snapshot) []judged {
	t := s.Target
	lost := s.Rule.SiteUnreachable
	if lost == "" {
		lost = t.ActiveSite
	}
	active := replication.Condition{Name: condActiveLost, Value: orUnknown(t.ActiveSite), Threshold: orUnknown(lost), OK: t.ActiveSite != "" && t.ActiveSite == lost}
	known := replication.Condition{Name: "target_site_known", Value: orUnknown(t.TargetSite), Threshold: "a site that the configuration names", OK: t.TargetSite != "" && t.TargetSite != t.ActiveSite}
	cs := []judged{
		wants(active, func() string {
			return fmt.Sprintf("production must be in a site that is lost: %s, not %s", orUnknown(lost), orUnknown(t.ActiveSite))
		}),
		wants(known, func() string {
			return "a site of the configuration, another than " + orUnknown(t.ActiveSite) + ", must be where production would go"
		}),
		targetUpCondition(s), movedCondition(s),
	}
	if t.Group.Key.Provider == replication.HuaweiDWS {
		base := s.Cluster.Groups[t.Group.Key].Baseline
		cs = append(cs, wants(
			replication.Condition{Name: "baseline", Value: orUnknown(t.Group.Baseline), Threshold: "as recorded while all was well: " + orUnknown(base), OK: base != "" && base == t.Group.Baseline},
			func() string {
				if base == "" {
					return "the clusters' ids and roles must be taken down while all is well"
				}
				return "the clusters' ids and roles must be as recorded: " + base
			}))
	}
	if s.Claim != nil {
		p := s.Claim.Plan
		same := t.Group.Active == p.From && t.Group.Standby() == p.To
		cs = append(cs, wants(
			replication.Condition{Name: "direction", Value: fmt.Sprintf("%s to %s", t.Group.Active, t.Group.Standby()), Threshold: fmt.Sprintf("%s to %s", p.From, p.To), OK: same},
			func() string {
				return fmt.Sprintf("the group must stand as planned: %s to %s", orUnknown(p.From.String()), orUnknown(p.To.String()))
			}))
	}
	return cs
}

// movedCondition: a move that nobody has taken down yet starts a cool-down
// first. A poll from before the last failover is no news.
func movedCondition(s Snapshot) judged {
	rec, g := s.Cluster.Groups[s.Target.Group.Key], s.Target.Group
	c := replication.Condition{Name: "moves_recorded", Value: "yes", Threshold: "every move of production is taken down", OK: true}
	if unrecordedMove(rec, g) {
		c.OK, c.Value = false, fmt.Sprintf("production moved from %s to %s just now", rec.Active, g.Active)
	}
	return wants(c, always("the leader must take the move of production down, as it does each round"))
}

func unrecordedMove(rec replication.GroupRecord, g replication.Group) bool {
	old := rec.LastAction != nil && !g.ReadAt.After(rec.LastAction.At)
	return !old && !rec.Active.IsZero() && !g.Active.IsZero() && rec.Active != g.Active
}

func targetUpCondition(s Snapshot) judged {
	c := replication.Condition{Name: "target_site_not_down", Value: "nobody sees it down", Threshold: "no voter sees the target site down", OK: true}
	var who []string
	// As a veto it counts while the store keeps it: who has fallen silent has not
	// seen the site come up.
	for _, v := range s.Cluster.Votes {
		if v.TargetDown && v.Rule == s.Rule.Name && v.Group == s.Target.Group.Key {
			who = append(who, v.Observer+" ("+v.Site+")")
		}
	}
	if len(who) == 0 {
		return judged{Condition: c}
	}
	slices.Sort(who)
	who = slices.Compact(who)
	c.OK, c.Value = false, fmt.Sprintf("%s sees %s down", strings.Join(who, ", "), orUnknown(s.Target.TargetSite))
	j := wants(c, func() string { return and(who) + " must see " + orUnknown(s.Target.TargetSite) + " up" })
	j.far = float64(len(who))
	return j
}

// dataConditions: is what is known of the group fresh, and is the loss within
// the limit.
func dataConditions(s Snapshot, rpo *time.Duration) []judged {
	cs := []judged{dataAgeCondition(s)}
	if s.Rule.LagUnder <= 0 {
		return cs
	}
	return append(cs, lagCondition(s, rpo))
}

func dataAgeCondition(s Snapshot) judged {
	read, limit := s.Target.Group.ReadAt, s.Rule.DataAgeUnder
	age := s.Now.Sub(read)
	c := judged{Condition: replication.Condition{Name: "data_age_under", Value: "never read", Threshold: seconds(limit)}, far: 1}
	if !read.IsZero() {
		c.OK, c.Value = age >= 0 && age <= limit, seconds(age.Round(time.Millisecond))
	}
	switch {
	case c.OK:
		c.flip, c.far = "the group's data is "+exact(limit-age)+" from too old", share(limit-age, limit)
	case read.IsZero():
		c.flip = "the group must be read"
	case age < 0:
		c.flip = "the group must be read again: its data is from the future"
	default:
		c.flip, c.far = fmt.Sprintf("the group must be read again: its data is %s too old", exact(age-limit)), share(age-limit, limit)
	}
	return c
}

func lagCondition(s Snapshot, rpo *time.Duration) judged {
	limit := s.Rule.LagUnder
	c := judged{Condition: replication.Condition{Name: condLag, Threshold: seconds(limit)}, far: 1}
	switch {
	case rpo == nil && s.Target.Group.Key.Provider.Async():
		// It does tell a lag; that it is missing now must not pass for "none".
		c.Value, c.flip = "not known, of a provider that tells it", "the provider must tell the last synchronisation"
	case rpo == nil && s.Rule.LagUnknownAllow:
		c.OK, c.Value = true, "not told by the provider (lag_unknown: allow)"
	case rpo == nil:
		c.Value, c.flip = "not told by the provider (lag_unknown: block)", "the rule must say `lag_unknown: allow`: the provider tells no lag"
	default:
		c.OK, c.Value = *rpo < limit, seconds(rpo.Round(time.Millisecond))
		if c.OK {
			c.flip, c.far = "the loss is "+exact(limit-*rpo)+" from the limit", share(limit-*rpo, limit)
		} else {
			c.flip, c.far = fmt.Sprintf("the loss must be %s smaller", exact(*rpo-limit+1)), share(*rpo-limit, limit)
		}
	}
	return c
}

// budgetConditions: cool-down and limits, over all observers, on the cluster
// clock. The concurrency slot is needed only when the call is next.
func budgetConditions(s Snapshot) []judged {
	c, r := s.Cluster, s.Rule
	cs := []judged{cooldownCondition(s)}
	if r.MaxPerHour > 0 {
		n := startedLastHour(c, r.Name)
		hour := under("max_per_hour", n, r.MaxPerHour, "", "more of the rule's failovers this hour")
		if !hour.OK {
			left := hourLeft(c, r)
			hour.flip, hour.far = fmt.Sprintf("%s more, until fewer than %d failovers of the rule are of the last hour", exact(left), r.MaxPerHour), share(left, time.Hour)
		}
		if s.Claim != nil && s.Claim.Counted() { // it is one of them
			hour.OK, hour.flip = true, ""
		}
		cs = append(cs, hour)
	}
	failures := under("max_failures", c.Losses[s.Target.ActiveSite].Failures[r.Name], r.MaxFailures, " failed or ambiguous in this site loss", "more failed or ambiguous in this site loss")
	if !failures.OK {
		failures.flip = fmt.Sprintf("the loss of %s must end: until then a person fails over what is left", orUnknown(s.Target.ActiveSite))
	}
	cs = append(cs, failures)
	if s.Claim != nil {
		slots := under("max_concurrent", len(c.Slots[r.Name]), r.MaxConcurrent, "", "more of the rule's incidents with a slot")
		if s.Claim.Slot >= 0 { // it has its own
			slots.OK, slots.flip = true, ""
		}
		cs = append(cs, slots)
	}
	return cs
}

// under is a count that has to stay below a limit. What is over it has to end;
// more, with its noun, is what would bring it there.
func under(name string, n, limit int, of, more string) judged {
	c := judged{Condition: replication.Condition{Name: name, Value: fmt.Sprint(n), Threshold: fmt.Sprintf("under %d%s", limit, of), OK: n < limit}}
	if c.OK {
		c.flip, c.far = strconv.Itoa(limit-n)+" "+more, share(limit-n, limit)
	} else {
		c.flip, c.far = count(n-limit+1, "incident of the rule must end", "incidents of the rule must end"), share(n-limit+1, limit)
	}
	return c
}

func cooldownCondition(s Snapshot) judged {
	limit := s.Rule.Cooldown
	c := judged{Condition: replication.Condition{Name: "cooldown", Value: "no failover yet", Threshold: seconds(limit) + " since the last failover", OK: true}}
	last := s.Cluster.Groups[s.Target.Group.Key].LastAction
	if last == nil || limit <= 0 {
		return c
	}
	since := s.Cluster.Clock - last.Clock
	c.OK, c.Value = since >= limit, seconds(since.Round(time.Second))+" ago"
	if !c.OK {
		c.flip, c.far = exact(limit-since)+" more since the last failover", share(limit-since, limit)
	}
	return c
}

// hourLeft is how long it takes until so few of the rule's failovers are of the
// last hour that one more may begin.
func hourLeft(c replication.Cluster, r Rule) time.Duration {
	var ages []time.Duration
	for _, at := range c.Started[r.Name] {
		if age := c.Clock - at; age < time.Hour {
			ages = append(ages, age)
		}
	}
	slices.Sort(ages)
	// Of the youngest one less than allowed may stay.
	return time.Hour - ages[r.MaxPerHour-1]
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
func fenceCondition(s Snapshot, mode replication.Mode) judged {
	provider := s.Target.Group.Key.Provider
	f := s.Rule.Fence
	if f == "" && provider.Fences() {
		f = "provider"
	}
	c := replication.Condition{Name: "fence", Value: f, Threshold: "the lost side cannot write, or the rule accepts that", OK: true}
	switch {
	case f == "provider":
		c.OK = provider.Fences() || mode != replication.Auto
	case f == "":
		c.Value, c.OK = "none", mode != replication.Auto
	}
	return wants(c, func() string {
		return "the rule must say `accept_split_brain`, as " + string(provider) + " does not fence, or have mode approve"
	})
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}
