package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/drwatch/drwatch/internal/api"
	"github.com/drwatch/drwatch/internal/collector"
	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/provider/dws"
	"github.com/drwatch/drwatch/internal/provider/ebs"
	"github.com/drwatch/drwatch/internal/provider/evs"
	"github.com/drwatch/drwatch/internal/provider/sdrs"
	"github.com/drwatch/drwatch/internal/replication"
	"github.com/drwatch/drwatch/internal/web"
)

// actPatience bounds how long a person's request waits for the round that claims
// it.
const actPatience = 20 * time.Second

// Act plans what a person asks for and, unless it is a dry run, starts it.
func (o operator) Act(ctx context.Context, ask api.Ask, who, from string) (api.Asked, error) {
	g, err := named(o.app.collector.Snapshot(), ask.Account, ask.Group)
	if err != nil {
		return api.Asked{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, actPatience)
	defer cancel()
	a := failover.Ask{
		Group: g.Key, Action: ask.Action, Active: ask.Active, Drill: ask.Drill,
		Person: replication.Person{Who: who, From: from, Reason: ask.Reason},
	}
	if ask.DryRun {
		p, err := o.app.controller.Propose(ctx, a)
		if err != nil {
			return api.Asked{}, notDone(err)
		}
		return api.Asked{Plan: o.plan(p, g)}, nil
	}
	p, inc, err := o.app.controller.Act(ctx, a)
	if p.Group.Key != g.Key { // not even read
		return api.Asked{}, notDone(err)
	}
	asked := api.Asked{Plan: o.plan(p, g)}
	if err != nil {
		return asked, notDone(err)
	}
	asked.Incident = &inc
	return asked, nil
}

// notDone puts what keeps a person's action from beginning into the words that
// the API knows.
func notDone(err error) error {
	switch {
	case errors.Is(err, failover.ErrNotNow), errors.Is(err, replication.ErrNoSuchAction):
		return sorted{err, web.ErrRefused}
	case errors.Is(err, provider.ErrNotFound):
		return sorted{err, web.ErrNotFound}
	}
	return err
}

func (o operator) plan(p failover.Proposal, g collector.Group) api.Plan {
	out := api.Plan{
		Account: p.Group.Account, Provider: g.Key.Provider, Group: g.Key.ID, Name: p.Group.Name, Action: p.Plan.Action, Drill: p.Plan.Drill,
		Active: shownAt(p.Plan.From), To: shownAt(p.Plan.To), State: p.Group.State, RawStatus: p.Group.RawStatus,
		LagSeconds: secondsOf(p.Group.Lag), OK: p.OK, Conditions: p.Conditions, Steps: []api.PlanStep{}, Notes: append([]string{}, p.Notes...),
	}
	for _, s := range p.Steps {
		out.Steps = append(out.Steps, api.PlanStep{Action: s.Action, Call: s.Call, Ready: s.Ready, Waits: s.Waits})
	}
	for _, d := range p.Group.DrillList {
		out.Drills = append(out.Drills, api.Drill{ID: d.ID, Name: d.Name, Status: d.Status, State: d.State, Incident: provider.StartedBy(d.Name)})
	}
	rec := o.app.controller.State().Cluster.Groups[g.Key]
	if rec.Baseline != "" && p.Group.Baseline != rec.Baseline {
		out.Notes = append(out.Notes, fmt.Sprintf("Clusters and roles are %q; recorded while all was well: %q. Somebody has switched over.", p.Group.Baseline, rec.Baseline))
	}
	if g.Key.Provider == replication.AliyunEBS && p.Plan.Action.Moves() && !p.Plan.To.IsZero() && p.Plan.To != p.Group.Source {
		out.Notes = append(out.Notes, "Rules fail an EBS group over only from "+p.Group.Source.String()+", where production was when it was created. From "+p.Plan.To.String()+" only a person can, until production is switched back.")
	}
	if p.Plan.Action == replication.Failover && !g.Key.Provider.Fences() {
		out.Notes = append(out.Notes, "This provider does not stop production at the old side: keep it from writing, or there are two.")
	}
	if site, up, known := probed(o).Reachable(p.Plan.From); p.Plan.Action == replication.Failover && known && up {
		out.Notes = append(out.Notes, "Production answers at "+site+". A switchover moves it without loss; a failover is for a site that is lost.")
	}
	return out
}

// probed tells what this observer's probes see of the place of a group.
type probed struct{ app *App }

// Reachable is the site of a place and whether it answers.
func (p probed) Reachable(l replication.Location) (site string, up, known bool) {
	site = replication.SiteOf(p.app.current.Load().config.ReplicationSites(), l)
	now := p.app.o.Now()
	for _, s := range p.app.collector.Snapshot().Sites {
		if s.Name == site && site != "" {
			return site, s.Verdict.Reachable, s.Verdict.Known && !now.After(s.Verdict.Until)
		}
	}
	return site, false, false
}

// shownAt is "" for a place that is not known, so that nothing is compared to it.
func shownAt(l replication.Location) string {
	if l.IsZero() {
		return ""
	}
	return l.String()
}

// handbook asks the vendor's package what an action consists of.
type handbook struct{}

// Procedure tells the steps of an action, judged on the group.
func (handbook) Procedure(a replication.Action, g replication.Group, inc replication.Incident) (replication.Procedure, error) {
	switch g.Key.Provider {
	case replication.HuaweiSDRS:
		return sdrs.Procedure(a, g, inc)
	case replication.HuaweiEVS:
		return evs.Procedure(a, g, inc)
	case replication.HuaweiDWS:
		return dws.Procedure(a, g, inc)
	case replication.AliyunEBS:
		return ebs.Procedure(a, g, inc)
	}
	return replication.Procedure{}, fmt.Errorf("provider %q is not known", g.Key.Provider)
}

func newOperator(p replication.Provider, s, other provider.Settings) (provider.Operator, error) {
	switch p {
	case replication.HuaweiSDRS:
		return sdrs.NewOperator(s, other)
	case replication.HuaweiEVS:
		return evs.NewOperator(s, other)
	case replication.HuaweiDWS:
		return dws.NewOperator(s, other)
	case replication.AliyunEBS:
		return ebs.NewOperator(s, other)
	}
	return nil, fmt.Errorf("provider %q is not known", p)
}

// Operator loads the action credentials and builds what carries out a person's
// action with them.
func (s sending) Operator(name string) (failover.Operator, error) {
	a, err := s.ready(name)
	if err != nil {
		return nil, err
	}
	own := a.acting
	own.Endpoint, own.Region = a.config.Endpoint, a.config.Region
	op, err := newOperator(a.config.Provider, a.acting, own)
	if err != nil {
		return nil, fmt.Errorf("account %s: %w", name, err)
	}
	return hand{op}, nil
}

func (s sending) actionTimeout(name string) time.Duration {
	if a, ok := s.clouds().byName[name]; ok {
		return a.config.ActionTimeout
	}
	return 0
}

type hand struct{ operator provider.Operator }

// Operate sends the one call of a step. The idempotency token depends on the
// incident and the step only, so that a call that is sent again is the same call
// to the provider.
func (h hand) Operate(ctx context.Context, step replication.Action, o failover.Operation) failover.Sent {
	drill := o.Drill
	if step == replication.StartDrill {
		drill = provider.DrillName(o.Incident)
	}
	r := h.operator.Operate(ctx, step, provider.Request{
		GroupID:         o.Order.Group.ID,
		ClientToken:     provider.ClientToken(o.Order.Group.Provider, o.Order.Group.ID, o.Incident, step),
		Group:           o.Group,
		To:              o.To,
		Drill:           drill,
		BeforeFirstByte: o.BeforeFirstByte,
	})
	return failover.Sent{Outcome: r.Outcome, Status: r.Status, RequestID: r.RequestID, JobID: r.JobID, Err: r.Err}
}
