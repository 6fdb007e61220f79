package failover

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/drwatch/drwatch/internal/replication"
)

// Snapshot is everything one decision is made of. Decide reads nothing else.
type Snapshot struct {
	Now     time.Time
	Rule    Rule
	Target  Target
	Fitness []replication.Condition

	// Store: what the coordination store held, at one revision.
	Cluster replication.Cluster
	// Beating are the observers whose heartbeat was seen to move lately.
	Beating map[string]bool
	// Election is the create-revision of the leader key this observer was
	// elected with, 0 when it does not lead.
	Election int64
	// AcceptSingle: a lone observer may go beyond mode approve.
	AcceptSingle bool
	// CanAct: this observer has credentials to act on the group.
	CanAct bool

	// After is how far the rules have got that this one comes after.
	After []TierState

	// Claim is the incident being rechecked, nil before a claim.
	Claim *replication.IncidentRecord
}

// Decision is the answer, with all its reasons.
type Decision struct {
	Rule  string
	Group replication.GroupKey
	// Act: every condition holds.
	Act bool
	// Evidence: nothing speaks against the quorum. A veto does, and a quorum that
	// is gone while the trigger is known to be untrue; silence does not, it only
	// holds. Without evidence an incident ends before any call.
	Evidence   bool
	Mode       replication.Mode
	Conditions []replication.Condition
	// Nearest are the changes that would flip the answer, the smallest first by its
	// share of the threshold. A no needs all of them, one for each condition that
	// blocks; of a yes each alone would make a no. They are told, never stored.
	Nearest   []Change
	Counted   []replication.Vote // the go votes that make the quorum
	Lost      time.Time          // when production was last known good
	LostThere time.Time          // the same by the provider's clock
	// RPO is what a failover now would lose; nil when the provider tells none.
	RPO *time.Duration

	made *Snapshot // of which, where the journal is to hold it
}

// Blocking lists the conditions that do not hold.
func (d Decision) Blocking() []replication.Condition {
	var out []replication.Condition
	for _, c := range d.Conditions {
		if !c.OK {
			out = append(out, c)
		}
	}
	return out
}

// Names of the conditions that are evidence, not guards: under a claim their
// opposite aborts, while a guard only holds (protocol §3).
const (
	condQuorum = "quorum"
	condVeto   = "no_veto"
)

// condNoIncident: no other incident is open on the group.
const condNoIncident = "no_incident_open"

// condLag: what a failover would lose is under the rule's limit.
const condLag = "lag_under"

// condActiveLost: production stands in the site that is lost.
const condActiveLost = "active_site_lost"

// Decide is the decision on one rule and group. It is pure: the same snapshot
// gives the same answer years later.
func Decide(s Snapshot) Decision {
	d := Decision{Rule: s.Rule.Name, Group: s.Target.Group.Key, Act: true, Evidence: true}
	d.Counted = countedVotes(s)
	d.Lost, d.LostThere = lossOf(s)
	d.Mode = effectiveMode(s, d.Counted)
	d.RPO = rpo(s, d.LostThere)

	all := conditions(s, d)
	d.Conditions = make([]replication.Condition, 0, len(all))
	for _, c := range all {
		d.Conditions = append(d.Conditions, c.Condition)
		if c.OK {
			continue
		}
		d.Act = false
		if c.Name == condVeto || c.Name == condQuorum && s.Target.UntrueFor > 0 {
			d.Evidence = false
		}
	}
	d.Nearest = nearest(all, d.Act)
	return d
}

// conditions are all that must hold, each judged whatever the others say. Of d they
// need what is counted and measured before.
func conditions(s Snapshot, d Decision) []judged {
	all := make([]judged, 0, 32)
	all = append(all, quorumCondition(s, d.Counted), vetoCondition(s))
	all = append(all, ownershipConditions(s)...)
	all = append(all, directionConditions(s)...)
	all = asShown(all, "the provider", s.Target.Group.Ready)
	if len(s.Target.Group.Ready) == 0 {
		c := replication.Condition{Name: "provider_ready", Value: "the provider's preconditions are not known", Threshold: "known"}
		all = append(all, wants(c, always("the provider must tell the group's preconditions")))
	}
	all = append(all, dataConditions(s, d.RPO)...)
	all = append(all, budgetConditions(s)...)
	if len(s.Rule.After) > 0 {
		all = append(all, afterCondition(s.Rule.After, s.After))
	}
	all = append(all, fenceCondition(s, d.Mode))
	return asShown(all, "the guard", s.Target.Guards)
}

// lossOf is the last moment production was known to be good, by this observer's
// clock and by the provider's. The lag guard judges there, not at the
// frozen number of now (invariant 21). For an observer that has started since it is the
// moment when it first saw the trigger true, which is later: that only holds back,
// and one that knows better may lead in its place.
func lossOf(s Snapshot) (lost, there time.Time) {
	if s.Claim != nil && !s.Claim.Plan.Lost.IsZero() {
		p := s.Claim.Plan
		if p.LostThere.IsZero() {
			return p.Lost, onProvidersClock(p.Lost, s.Target.Skew)
		}
		return p.Lost, p.LostThere
	}
	if lost = s.Target.LastGood; lost.IsZero() {
		lost = s.Target.Since
	}
	return lost, onProvidersClock(lost, s.Target.Skew)
}

// onProvidersClock is a moment of this observer's clock by the provider's, by which
// the last synchronisation is told. It is only ever put later: a clock of ours that
// is behind must not make what is lost look smaller. One that is ahead makes it look
// greater, and holds back; but so would an old Date, and a leader whose clock is
// ahead makes room for another.
func onProvidersClock(t time.Time, skew time.Duration) time.Time {
	if skew > futureSlack && !t.IsZero() {
		return t.Add(skew)
	}
	return t
}

// rpo is what would be lost: from the last completed synchronisation to the
// loss.
func rpo(s Snapshot, lost time.Time) *time.Duration {
	g := s.Target.Group
	if fromTheFuture(g) {
		return nil
	}
	if g.LastSync.IsZero() {
		if g.Lag == nil || *g.Lag < 0 { // less than none is no lag, nor is what was not a number
			return nil
		}
		lag := *g.Lag
		return &lag
	}
	if lost.IsZero() {
		lost = s.Now
	}
	lag := max(lost.Sub(g.LastSync), 0)
	return &lag
}

// futureSlack is how far the clocks of a provider's parts may lie apart.
const futureSlack = 5 * time.Second

// fromTheFuture tells that the last synchronisation is later than the read that
// told of it: a wrong clock or time zone, which says nothing about the loss.
func fromTheFuture(g replication.Group) bool {
	read := g.ReadAt
	if g.ProviderTime.After(read) {
		read = g.ProviderTime
	}
	return g.LastSync.After(read.Add(futureSlack))
}

// countedVotes are the go votes that add up: of beating observers, under this
// observer's own rule hash, one a site, none from the group's active site.
func countedVotes(s Snapshot) []replication.Vote {
	bySite := map[string]replication.Vote{}
	for _, v := range liveVotes(s) {
		if v.Verdict != replication.Go || v.RuleHash != s.Rule.Hash || v.Site == s.Target.ActiveSite {
			continue
		}
		if had, ok := bySite[v.Site]; !ok || v.Observer < had.Observer {
			bySite[v.Site] = v
		}
	}
	out := make([]replication.Vote, 0, len(bySite))
	for _, site := range slices.Sorted(maps.Keys(bySite)) {
		out = append(out, bySite[site])
	}
	slices.SortStableFunc(out, func(x, y replication.Vote) int { return strings.Compare(x.Observer, y.Observer) })
	return out
}

// liveVotes are the votes on this rule and group. A go counts only while its
// observer's heart is seen to beat; a veto outlives its writer as long as the
// store keeps it.
func liveVotes(s Snapshot) []replication.Vote {
	out := make([]replication.Vote, 0, min(len(s.Cluster.Votes), 8))
	for _, v := range s.Cluster.Votes {
		if v.Rule != s.Rule.Name || v.Group != s.Target.Group.Key {
			continue
		}
		if v.Verdict == replication.Veto || s.Beating[v.Observer] {
			out = append(out, v)
		}
	}
	return out
}

// quorumOf is how many sites must agree, of how many.
func quorumOf(s Snapshot) (agree, of int) {
	registered := 0
	if s.Rule.Of == 0 {
		registered = len(sitesOf(s.Cluster))
	}
	return s.Rule.quorum(registered)
}

func quorumCondition(s Snapshot, counted []replication.Vote) judged {
	agree, of := quorumOf(s)
	names := make([]string, len(counted))
	for i, v := range counted {
		names[i] = v.Site
	}
	value := fmt.Sprintf("%d of %d sites say go", len(counted), of)
	if len(names) > 0 {
		value += " (" + strings.Join(names, ", ") + ")"
	}
	if n := otherHashes(s); n > 0 {
		value += fmt.Sprintf("; %d with another rule file not counted", n)
	}
	c := judged{Condition: replication.Condition{Name: condQuorum, Value: value, Threshold: fmt.Sprintf("at least %d", agree), OK: agree > 0 && len(counted) >= agree}}
	if left := agree - len(counted); !c.OK {
		c.flip, c.far = count(max(left, 1), "more site", "more sites")+" must say go", share(max(left, 1), agree)
	} else {
		c.flip, c.far = count(1-left, "site less that says go", "sites less that say go"), share(1-left, agree)
	}
	return c
}

func otherHashes(s Snapshot) int {
	n := 0
	for _, v := range liveVotes(s) {
		if v.Verdict == replication.Go && v.RuleHash != s.Rule.Hash {
			n++
		}
	}
	return n
}

// sitesOf are the sites of the observers that are alive and of all that belong to
// the cluster: one that is lost counts until a person removes it, or a quorum would
// shrink with every loss.
func sitesOf(c replication.Cluster) map[string]bool {
	sites := map[string]bool{}
	for _, o := range c.Observers {
		sites[o.Site] = true
	}
	for _, name := range slices.Sorted(maps.Keys(c.Registered)) {
		sites[c.Registered[name]] = true
	}
	return sites
}

func vetoCondition(s Snapshot) judged {
	var who, names []string
	for _, v := range liveVotes(s) {
		if v.Verdict == replication.Veto {
			who, names = append(who, v.Observer+" ("+v.Site+")"), append(names, v.Observer)
		}
	}
	slices.Sort(who)
	slices.Sort(names)
	names = slices.Compact(names)
	c := judged{Condition: replication.Condition{Name: condVeto, Value: "none", Threshold: "no live veto", OK: true}}
	switch {
	case len(who) > 0:
		c.Value = strings.Join(who, ", ")
		if c.OK = !s.Rule.VetoAny; !c.OK {
			c.flip, c.far = vetoesOf(names)+" must go", float64(len(names))
		}
	case s.Rule.VetoAny:
		c.flip, c.far = "a veto of any observer", 1
	}
	if !s.Rule.VetoAny {
		c.Threshold = "not asked for"
	}
	return c
}

func vetoesOf(observers []string) string {
	if len(observers) == 1 {
		return "the veto of " + observers[0]
	}
	return "the vetoes of " + and(observers)
}

// effectiveMode is the lowest over the leader, the counted voters, the claim,
// and the lone observer's ceiling.
func effectiveMode(s Snapshot, counted []replication.Vote) replication.Mode {
	m := s.Rule.Mode
	for _, v := range counted {
		m = replication.Lowest(m, v.Mode)
	}
	if s.Claim != nil {
		m = replication.Lowest(m, s.Claim.Mode)
	}
	// An observer that is alone for a while is no lone observer: what it says then
	// must not lower the mode for good.
	if len(sitesOf(s.Cluster)) <= 1 && !s.AcceptSingle {
		m = replication.Lowest(m, replication.Approve)
	}
	return m
}

func yesNo(ok bool) string {
	if ok {
		return "yes"
	}
	return "no"
}

// seconds is a duration for a person: 4.5s, 30s, 2m, 1h, 1h30m.
func seconds(d time.Duration) string {
	if d < time.Minute && d > -time.Minute {
		return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + "s"
	}
	text := d.Round(time.Second).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
