package failover

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/drwatch/drwatch/internal/replication"
)

// ErrNotNow is returned when what a person asks for cannot be done as things
// stand. The error's text names what is in the way.
var ErrNotNow = errors.New("it cannot be done now")

// Ask is what a person wants done to a group.
type Ask struct {
	Group  replication.GroupKey
	Action replication.Action
	Person replication.Person
	// Active is where production was in the plan that the person has seen, as
	// Location.String tells it; "" asks for no such check.
	Active string
	Drill  string // the drill to clear, "" for the only one
}

// Proposal is what an action would do, judged at this moment.
type Proposal struct {
	Group      replication.Group
	Plan       replication.Plan
	Steps      []replication.Step
	Notes      []string
	Conditions []replication.Condition // besides those of the first step
	OK         bool                    // all of them and the first step's hold
}

// Blocking lists what does not hold.
func (p Proposal) Blocking() []replication.Condition {
	all := p.Conditions
	if len(p.Steps) > 0 {
		all = append(append([]replication.Condition(nil), all...), p.Steps[0].Ready...)
	}
	return Decision{Conditions: all}.Blocking()
}

// asked is a person's wish on its way to the next round.
type asked struct {
	ask      Ask
	proposal Proposal
	gone     <-chan struct{} // closed when whoever asked does not wait any more
	reply    chan<- claimed
}

type claimed struct {
	incident replication.Incident
	err      error
}

// Propose reads the group and tells what the action would do. It changes
// nothing.
func (c *Controller) Propose(ctx context.Context, a Ask) (Proposal, error) {
	g, err := c.o.Reader.Read(ctx, a.Group)
	if err != nil {
		return Proposal{}, fmt.Errorf("reading the group before %s: %w", a.Action, err)
	}
	if g, err = c.withDrills(ctx, a.Action, g); err != nil {
		return Proposal{}, err
	}
	s := c.State()
	p, err := c.propose(a, g, c.asSeenHere(s.Cluster), s.Leads)
	if err == nil && s.ClusterErr != "" {
		p.OK = false
		p.Conditions = append(p.Conditions, replication.Condition{Name: "store", Value: s.ClusterErr, Threshold: "the coordination store answers"})
	}
	return p, err
}

// Act is Propose, and then the claim of an incident that carries it out. It
// returns once the incident is written, not when it has ended. ErrNotNow tells
// that nothing was started; the Proposal says why.
func (c *Controller) Act(ctx context.Context, a Ask) (Proposal, replication.Incident, error) {
	var none replication.Incident
	p, err := c.Propose(ctx, a)
	if err != nil {
		return p, none, err
	}
	if a.Action == replication.ClearDrill && a.Drill == "" {
		return p, none, fmt.Errorf("%w: name the drill to clear, as the plan tells it", ErrNotNow)
	}
	if !p.OK {
		return p, none, fmt.Errorf("%w: %s", ErrNotNow, describe(p.Blocking()))
	}
	reply := make(chan claimed, 1)
	c.mu.Lock()
	c.asked = append(c.asked, asked{ask: a, proposal: p, gone: ctx.Done(), reply: reply})
	c.mu.Unlock()
	c.nudge()
	select {
	case got := <-reply:
		return p, got.incident, got.err
	case <-ctx.Done():
		return p, none, fmt.Errorf("no round came to it in time: look at `drwatch incidents` whether it has begun: %w", ctx.Err())
	}
}

func (c *Controller) withDrills(ctx context.Context, a replication.Action, g replication.Group) (replication.Group, error) {
	if a != replication.StartDrill && a != replication.ClearDrill {
		return g, nil
	}
	drills, err := c.o.Drills.Drills(ctx, g.Key)
	if err != nil {
		return g, fmt.Errorf("listing the drills of %s: %w", g.Key, err)
	}
	g.DrillList = drills
	return g, nil
}

// dateSlack: a Date header tells whole seconds.
const dateSlack = time.Second

func (c *Controller) propose(a Ask, g replication.Group, cluster replication.Cluster, leads bool) (Proposal, error) {
	p := Proposal{Group: g, Plan: replication.Plan{
		Action: a.Action, From: g.Active, To: g.Active, RawStatus: g.RawStatus, LastSync: g.LastSync, Lost: c.o.Now().UTC(),
		Approvals: 1, AskedAt: c.o.Now().UTC(), Drill: a.Drill, ActionTimeout: replication.Duration(c.o.ActionTimeout(g.Account)),
	}}
	if a.Action.Moves() {
		p.Plan.To = g.Standby()
	}
	if !g.ProviderTime.IsZero() {
		p.Plan.AskedAt = g.ProviderTime.Add(dateSlack).UTC()
	}
	for _, d := range g.DrillList {
		p.Plan.KnownDrills = append(p.Plan.KnownDrills, d.ID)
	}
	if a.Action == replication.ClearDrill && a.Drill == "" && len(g.DrillList) == 1 {
		p.Plan.Drill = g.DrillList[0].ID
	}
	procedure, err := c.o.Handbook.Procedure(a.Action, g, c.newIncident(a, p, cluster))
	if err != nil {
		return p, fmt.Errorf("%s of %s: %w", a.Action, g.Name, err)
	}
	p.Steps, p.Notes = procedure.Steps, procedure.Notes
	for _, s := range p.Steps {
		p.Plan.Steps = append(p.Plan.Steps, s.Action)
	}
	p.Conditions = c.askConditions(a, g, cluster, leads)
	p.OK = len(p.Steps) > 0 && len(p.Blocking()) == 0
	return p, nil
}

// askConditions are the guards that a person's action shares with a rule's:
// identity and reason stand in for votes and mode, nothing else is waived.
func (c *Controller) askConditions(a Ask, g replication.Group, cluster replication.Cluster, leads bool) []replication.Condition {
	rec := cluster.Groups[g.Key]
	cs := []replication.Condition{
		{Name: "leader", Value: yesNo(leads), Threshold: "this observer leads", OK: leads},
		c.mayOperate(g.Account),
		frozenCondition(cluster.Freeze), latchCondition(rec.Latch), noIncidentCondition(rec),
	}
	known := !g.Active.IsZero() && !g.Standby().IsZero()
	cs = append(cs, replication.Condition{Name: "direction_known", Value: fmt.Sprintf("production at %s", orUnknown(g.Active.String())), Threshold: "the provider tells where production is", OK: known})
	if a.Active != "" {
		cs = append(cs, replication.Condition{Name: "as_planned", Value: "production at " + orUnknown(g.Active.String()), Threshold: "at " + a.Active + ", as in the plan that was shown", OK: a.Active == g.Active.String()})
	}
	if a.Action.Moves() {
		cs = append(cs, c.sidesUp(a.Action, g, g.Standby(), cluster)...)
	}
	if n := len(g.DrillList); n > maxDrills {
		cs = append(cs, replication.Condition{Name: "drills", Value: fmt.Sprint(n), Threshold: fmt.Sprintf("at most %d, to know which one is new", maxDrills)})
	}
	return cs
}

// mayOperate: this daemon has what carries out a person's action.
func (c *Controller) mayOperate(account string) replication.Condition {
	cond := replication.Condition{Name: "can_act", Value: "yes", Threshold: "mode above dry_run, and credentials that may act", OK: true}
	switch {
	case c.o.Operators == nil:
		cond.OK, cond.Value = false, "no: the daemon's mode is dry_run, so it has nothing that sends"
	case !c.o.CanAct(account):
		cond.OK, cond.Value = false, "no: account "+account+" has no action_credentials here"
	}
	return cond
}

// maxDrills bounds the drills that a record of an action names.
const maxDrills = 100

// sidesUp: the side that production would move to is not down, neither for this
// observer's own probes nor for any voter; and a switchover, which is to lose
// nothing, finds production alive.
func (c *Controller) sidesUp(a replication.Action, g replication.Group, to replication.Location, cluster replication.Cluster) []replication.Condition {
	cs := []replication.Condition{c.toSideUp(g, to, cluster)}
	if a == replication.Switchover {
		site, up, known := c.o.Sites.Reachable(g.Active)
		cond := replication.Condition{Name: "production_not_down", Value: seen(site, up, known), Threshold: "production answers; where it does not, a failover is the action", OK: up || !known}
		cs = append(cs, cond)
	}
	return cs
}

// seen is what the probes tell of a site, for a person.
func seen(site string, up, known bool) string {
	switch {
	case site == "":
		return "it stands in no site that is configured"
	case !known:
		return site + " is not probed"
	case up:
		return site + " answers"
	}
	return site + " does not answer"
}

func (c *Controller) toSideUp(g replication.Group, to replication.Location, cluster replication.Cluster) replication.Condition {
	site, up, known := c.o.Sites.Reachable(to)
	cond := replication.Condition{Name: "target_site_not_down", Value: seen(site, up, known), Threshold: "neither this observer's probes nor a voter sees the target site down", OK: up || !known}
	for _, v := range cluster.Votes { // what was seen down stays so as long as the store keeps the vote
		if v.Group == g.Key && v.TargetDown {
			cond.OK, cond.Value = false, fmt.Sprintf("%s (%s) sees it down", v.Observer, v.Site)
		}
	}
	return cond
}

func notLeading(cluster replication.Cluster) error {
	if cluster.Leader == nil {
		return fmt.Errorf("%w: no observer leads yet; ask again in a moment", ErrNotNow)
	}
	return fmt.Errorf("%w: observer %s at %s leads; ask it", ErrNotNow, cluster.Leader.Observer, cluster.Leader.Site)
}

// takeAsked empties the queue.
func (c *Controller) takeAsked() []asked {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := c.asked
	c.asked = nil
	return all
}

func (c *Controller) refuseAsked(why error) {
	for _, a := range c.takeAsked() {
		a.reply <- claimed{err: why}
	}
}

// claimAsked claims what persons have asked for since the last round. All that
// the store holds is looked at again; the provider was read a moment ago, and is
// read again before each call.
func (c *Controller) claimAsked(ctx context.Context, cluster replication.Cluster) {
	for _, a := range c.takeAsked() {
		select {
		case <-a.gone: // nothing is begun for somebody who has gone
			continue
		default:
		}
		inc, err := c.claimOne(ctx, a, cluster)
		if errors.Is(err, replication.ErrConflict) { // judged again in the next round, on what it is then
			c.mu.Lock()
			c.asked = append(c.asked, a)
			c.mu.Unlock()
			c.nudge()
			continue
		}
		a.reply <- claimed{incident: inc, err: err}
	}
}

func (c *Controller) claimOne(ctx context.Context, a asked, cluster replication.Cluster) (replication.Incident, error) {
	g := a.proposal.Group
	blocking := Decision{Conditions: c.askConditions(a.ask, g, cluster, true)}.Blocking()
	if len(blocking) > 0 {
		return replication.Incident{}, fmt.Errorf("%w: %s", ErrNotNow, describe(blocking))
	}
	inc := c.newIncident(a.ask, a.proposal, cluster)
	text := fmt.Sprintf("%s asks for %s of %s (%s), production at %s", a.ask.Person.Who, a.ask.Action, cutName(g.Name), g.Key, g.Active)
	if a.ask.Action.Moves() {
		text += fmt.Sprintf(", to %s", a.proposal.Plan.To)
	}
	rec, err := c.o.Store.Claim(ctx, replication.Claim{
		Incident: inc, Observer: c.o.Observer, LeaderRev: c.election, Revision: cluster.Revision, GroupRev: cluster.Groups[g.Key].Rev,
		Entry: replication.Entry{
			At: c.o.Now().UTC(), Observer: c.o.Observer, Event: "claimed", Phase: replication.Open, Text: text + ": " + a.ask.Person.Reason,
			Data: map[string]any{"revision": cluster.Revision, "guards": inc.Guards, "who": a.ask.Person.Who, "from": a.ask.Person.From, "reason": a.ask.Person.Reason},
		},
	})
	if err != nil {
		return replication.Incident{}, fmt.Errorf("claiming %s (look at `drwatch incidents` whether it has begun): %w", g.Key, err)
	}
	c.o.At("claimed")
	c.o.Told(Fact{Incident: rec.Incident, Entry: replication.Entry{Event: "claimed"}})
	c.nudge()
	return rec.Incident, nil
}

// newIncident is the incident that a person's action becomes.
func (c *Controller) newIncident(a Ask, p Proposal, cluster replication.Cluster) replication.Incident {
	now, g := c.o.Now(), p.Group
	person := a.Person
	person.At = now.UTC()
	inc := replication.Incident{
		ID: incidentID(now, replication.PersonRule, g.Key, cluster.Revision), Rule: replication.PersonRule,
		Account: g.Account, Provider: g.Key.Provider, Group: g.Key.ID, Name: cutName(g.Name),
		Action: a.Action, Mode: replication.Approve, Phase: replication.Open, OpenedAt: now.UTC(), OpenedClock: replication.Duration(cluster.Clock),
		Trigger: replication.Trigger{Expr: "asked for by " + strings.TrimSpace(person.Who), Value: 1, Since: now.UTC()},
		Votes:   []replication.Vote{}, Guards: p.Conditions, Calls: []replication.Call{},
		Approvals: []replication.Approval{{Who: person.Who, Reason: person.Reason, At: now.UTC(), Clock: replication.Duration(cluster.Clock)}},
		Person:    &person, Slot: -1, Plan: p.Plan,
	}
	if a.Action == replication.Failover {
		inc.RPOSeconds = lossNow(g)
	}
	return inc
}

// lossNow is what a failover at the moment of the read would lose.
func lossNow(g replication.Group) *float64 {
	switch {
	case fromTheFuture(g):
		return nil
	case g.Lag != nil:
		return secondsOf(g.Lag)
	case g.LastSync.IsZero():
		return nil
	}
	lag := max(g.ReadAt.Sub(g.LastSync), 0)
	return secondsOf(&lag)
}
