package breakglass

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/drwatch/drwatch/internal/api"
	"github.com/drwatch/drwatch/internal/replication"
)

// plan is what would be done to the group as it was read.
type plan struct {
	group replication.Group
	call  string // with its endpoint
	shown api.Plan
}

func (p plan) name() string { return cmp.Or(p.group.Name, p.group.Key.ID) }

// blocking is a refusal that names what does not hold; nil when all does.
func (p plan) blocking() error {
	var why []string
	for _, c := range p.shown.Conditions {
		if !c.OK {
			why = append(why, fmt.Sprintf("%s: %s (wants %s)", c.Name, cmp.Or(c.Value, "-"), c.Threshold))
		}
	}
	if len(why) == 0 {
		return nil
	}
	return fmt.Errorf("%w:\n  %s", ErrRefused, strings.Join(why, "\n  "))
}

// loss is what is lost by a failover at the moment of the read, in seconds; nil
// when the provider does not tell.
func (p plan) loss() *float64 {
	lag := p.group.Lag
	if lag == nil && !p.group.LastSync.IsZero() {
		since := max(p.group.ReadAt.Sub(p.group.LastSync), 0)
		lag = &since
	}
	if lag == nil {
		return nil
	}
	s := lag.Seconds()
	return &s
}

// newIncident is the record of this run. Its direction is that of the group now.
func (f *Failover) newIncident(g replication.Group) replication.Incident {
	now, person := f.o.Now().UTC(), f.asked()
	return replication.Incident{
		ID: now.Format("20060102t150405") + "-" + random(), Rule: replication.PersonRule, Account: g.Account, Provider: g.Key.Provider,
		Group: g.Key.ID, Name: cmp.Or(g.Name, g.Key.ID), Action: replication.Failover, Mode: replication.Approve, Phase: replication.Open, OpenedAt: now,
		Trigger: replication.Trigger{Expr: "asked for by " + person.Who + " without the store", Value: 1, Since: now},
		Votes:   []replication.Vote{}, Guards: []replication.Condition{}, Calls: []replication.Call{}, Approvals: []replication.Approval{},
		Person: person, Slot: -1,
		Plan: replication.Plan{
			Action: replication.Failover, From: g.Active, To: g.Standby(), RawStatus: g.RawStatus, LastSync: g.LastSync, Lost: now, AskedAt: now,
			Steps: []replication.Action{replication.Failover}, ActionTimeout: replication.Duration(f.o.ActionTimeout),
		},
	}
}

// asked is who asks, now.
func (f *Failover) asked() *replication.Person {
	person := f.o.Asked
	person.At = f.o.Now().UTC()
	return &person
}

// random keeps two incidents of one second apart.
func random() string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // it never fails
	return hex.EncodeToString(b[:])
}

// step is the one step of a failover, judged on the group.
func (f *Failover) step(g replication.Group, inc replication.Incident) (replication.Step, []string, error) {
	p, err := f.o.Handbook.Procedure(replication.Failover, g, inc)
	if err != nil {
		return replication.Step{}, nil, fmt.Errorf("failover of %s: %w", g.Name, err)
	}
	if len(p.Steps) != 1 || p.Steps[0].Action != replication.Failover {
		return replication.Step{}, nil, fmt.Errorf("failover of %s takes %d calls: only one of a single call can be made without the store", g.Name, len(p.Steps))
	}
	return p.Steps[0], p.Notes, nil
}

func (f *Failover) propose(g replication.Group, inc replication.Incident) (plan, error) {
	s, notes, err := f.step(g, inc)
	if err != nil {
		return plan{}, err
	}
	p := plan{group: g, call: fmt.Sprintf("%s at %s", s.Call, f.o.Endpoint(inc.Plan.To))}
	conditions := slices.Concat([]replication.Condition{f.canAct(), directionKnown(g), f.notMoved(g)}, f.callsKnown(g), s.Ready, s.Waits)
	p.shown = api.Plan{
		Account: g.Account, Provider: g.Key.Provider, Group: g.Key.ID, Name: g.Name, Action: replication.Failover,
		Active: place(inc.Plan.From), To: place(inc.Plan.To), State: g.State, RawStatus: g.RawStatus, LagSeconds: seconds(g.Lag),
		Conditions: conditions, Steps: []api.PlanStep{{Action: replication.Failover, Call: p.call, Ready: s.Ready, Waits: s.Waits}},
	}
	p.shown.Notes = slices.Concat([]string{notLookedAt, stopOthers}, f.o.Notes, f.repeats(inc), f.loss(p), notes)
	p.shown.OK = p.blocking() == nil
	return p, nil
}

const (
	notLookedAt = "WITHOUT THE STORE. Not looked at: votes and vetoes of observers, whether the sites answer, a freeze of the cluster, latches and open incidents in the store, cool-down, budgets, tiers."
	stopOthers  = "If other observers still see each other they have the majority, and this is the wrong command: ask one of them with --url. Stop every other way of acting on this group first, and keep it stopped until this has ended: nobody in the provider's console, no second --without-store on another machine. The journal and the lock of this command are of this machine alone."
)

func (f *Failover) loss(p plan) []string {
	var out []string
	if lost := p.loss(); lost != nil {
		out = append(out, fmt.Sprintf("What was written in the last %.1f s is lost.", *lost))
	} else {
		out = append(out, "How much is lost is not told by the provider: what was not replicated yet.")
	}
	if !p.group.Key.Provider.Fences() {
		out = append(out, "This provider does not stop production at the old side: keep it from writing, or there are two.")
	}
	return out
}

// repeats tells that a call of an earlier run is sent again.
func (f *Failover) repeats(inc replication.Incident) []string {
	call := inc.LastCall()
	if call == nil {
		return nil
	}
	return []string{fmt.Sprintf("A call was sent, or meant to be, at %s. It can no longer arrive, and the group is as it was before it: it is sent for the second and last time.", call.StartedAt.Format(time.RFC3339))}
}

func (f *Failover) canAct() replication.Condition {
	c := replication.Condition{Name: "can_act", Value: "yes", Threshold: "mode above dry_run, and credentials that may act", OK: true}
	if _, err := f.o.Operator(); err != nil {
		c.OK, c.Value = false, err.Error()
	}
	return c
}

func directionKnown(g replication.Group) replication.Condition {
	return replication.Condition{
		Name: "direction_known", Value: "production at " + cmp.Or(place(g.Active), "unknown"), Threshold: "the provider tells where production is",
		OK: !g.Active.IsZero() && !g.Standby().IsZero(),
	}
}

// rest is how long after a failover that is known of here another one of the
// group is refused: run again by mistake, it would move production back. It is
// the cool-down that rules have.
const rest = time.Hour

// notMoved: the provider does not show a failover already, and none was made a
// moment ago.
func (f *Failover) notMoved(g replication.Group) replication.Condition {
	c := replication.Condition{Name: "not_failed_over", Value: "no", Threshold: fmt.Sprintf("neither the group nor a journal here shows a failover of the last %s", rest), OK: true}
	if g.State == replication.FailedOver {
		c.OK, c.Value = false, fmt.Sprintf("the provider already shows it: production is at %s (%s)", place(g.Active), g.RawStatus)
		return c
	}
	for _, i := range f.known(g.Key) {
		if i.Action.Moves() && i.Phase == replication.Succeeded && f.o.Now().Before(i.EndedAt.Add(rest)) {
			c.OK, c.Value = false, fmt.Sprintf("incident %s moved production to %s at %s", i.ID, place(i.Plan.To), i.EndedAt.UTC().Format(time.RFC3339))
		}
	}
	return c
}

// callsKnown: no call that is not known here may still arrive, by the provider's
// clock and by this machine's: either may be wrong. It is asked of DWS alone, where
// a second call could swap the roles back.
func (f *Failover) callsKnown(g replication.Group) []replication.Condition {
	if g.Key.Provider != replication.HuaweiDWS {
		return nil
	}
	c := replication.Condition{Name: "calls_known", Value: "yes, as far as the notes say", Threshold: "no call on its way that is not known here: for DWS a second call could swap the roles back", OK: true}
	u := f.o.Unseen
	until, now := u.Before.Add(f.o.SignatureLife+f.o.Settle), f.o.Now()
	if !u.Before.IsZero() && !(g.ProviderTime.After(until) && now.After(until)) {
		c.OK, c.Value = false, fmt.Sprintf("%s: such a call may still arrive until %s by the provider's clock (which says %s; this machine's says %s); run it again after that",
			u.Why, clock(until), clock(g.ProviderTime), clock(now))
	}
	return []replication.Condition{c}
}

// changed says what of a group is not as it was in the plan. A healthy group goes
// to and fro between the provider's words for "it replicates".
func changed(was, is replication.Group) string {
	switch {
	case is.Active != was.Active || is.Source != was.Source || is.Target != was.Target:
		return fmt.Sprintf("production was at %s, is at %s", place(was.Active), place(is.Active))
	case status(is) != status(was) || is.State != was.State:
		return fmt.Sprintf("it was %s (%s), is %s (%s)", was.State, was.RawStatus, is.State, is.RawStatus)
	case is.Key != was.Key || is.Name != was.Name:
		return fmt.Sprintf("it was %s (%s), is %s (%s)", was.Name, was.Key, is.Name, is.Key)
	}
	return ""
}

// status is the status that a group is compared by.
func status(g replication.Group) string {
	if g.State == replication.Replicating {
		return string(g.State)
	}
	return g.RawStatus
}

func place(l replication.Location) string {
	if l.IsZero() {
		return ""
	}
	return l.String()
}

func seconds(d *time.Duration) *float64 {
	if d == nil {
		return nil
	}
	s := d.Seconds()
	return &s
}
