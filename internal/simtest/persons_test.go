package simtest_test

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/replication"
)

// happenByPerson is what somebody does.
func (w *world) happenByPerson(e event) {
	ctx := context.Background()
	switch e.what {
	case "freeze":
		freeze := func(*life) {
			if err := w.root.Freeze(ctx, "sre", "wait"); err == nil {
				w.after(e.last, func() { _ = w.root.Unfreeze(ctx, "sre", "go on") })
			}
		}
		if e.step == "" {
			freeze(nil)
			return
		}
		w.when(e, freeze)
	case "abort":
		all := w.cluster().Incidents
		for _, id := range slices.Sorted(maps.Keys(all)) {
			if err := w.root.Abort(ctx, id, "sre", "no"); err == nil {
				w.person.Store(true)
				w.tell("%s aborted in phase %s", id, all[id].Phase)
			}
		}
	case "ack":
		for _, g := range w.order {
			w.acknowledge(ctx, g)
		}
	case "operator": // asks the observer that leads, or the one named, for a failover
		o := w.observer(e.who)
		if leader := w.cluster().Leader; leader != nil {
			o = w.observer(leader.Observer)
		}
		for _, g := range w.order {
			w.faults.Go(func() { w.askFor(o.daemon(), g) })
		}
	}
}

// acknowledge releases a group that is latched, but not while a call may still
// arrive: the daemon refuses that.
func (w *world) acknowledge(ctx context.Context, g *group) {
	c := w.cluster()
	latch := c.Groups[g.key].Latch
	if latch == nil {
		return
	}
	last := c.Incidents[latch.Incident].Incident
	if call := last.LastCall(); call != nil && call.Outcome == replication.Uncertain && time.Since(call.StartedAt) < signatureLife+settle+skewed {
		return
	}
	if err := w.root.Ack(ctx, g.key, latch.Incident, "sre", "looked at it"); err == nil {
		w.tell("%s is acknowledged, latched by %s", g.name, latch.Incident)
	}
}

// askFor is a person who asks an observer for a failover while the site is lost. The
// answer is waited for as long as a person does.
func (w *world) askFor(l *life, g *group) {
	if w.up(g.site()) {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	_, inc, err := l.controller.Act(ctx, failover.Ask{
		Group: g.key, Action: replication.Failover, Person: replication.Person{Who: "sre", Reason: "it burns"},
	})
	if err != nil {
		w.tell("%s refuses the failover of %s that a person asks for: %v", l.name, g.name, err)
		return
	}
	w.tell("a person has %s fail %s over as %s", l.name, g.name, inc.ID)
}

// handbook knows the one step of a person's failover.
type handbook struct{}

func (handbook) Procedure(a replication.Action, g replication.Group, inc replication.Incident) (replication.Procedure, error) {
	if a != replication.Failover {
		return replication.Procedure{}, replication.ErrNoSuchAction
	}
	done := !g.Active.IsZero() && g.Active == inc.Plan.To && g.Active != inc.Plan.From && g.State == replication.FailedOver
	return replication.Procedure{Steps: []replication.Step{{Action: replication.Failover, Call: "failover", Ready: g.Ready, Done: done}}}, nil
}

// Reachable is what this observer's probes tell of the site of a place.
func (l *life) Reachable(at replication.Location) (site string, up, known bool) {
	site = siteOf(at)
	l.mu.Lock()
	defer l.mu.Unlock()
	up, known = l.up[site]
	return site, up, known
}

func (p provider) Operator(string) (failover.Operator, error) { return p, nil }

// Operate is a person's failover: the same call.
func (p provider) Operate(ctx context.Context, _ replication.Action, o failover.Operation) failover.Sent {
	return p.Failover(ctx, o.Order)
}
