package app

import (
	"context"
	"fmt"

	"github.com/drwatch/drwatch/internal/collector"
	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/replication"
)

// reading gives the controller fresh reads of single groups, from either end of
// their account. It has nothing that changes anything.
type reading struct {
	collector *collector.Collector
}

// Read reads a group now.
func (r reading) Read(ctx context.Context, key replication.GroupKey) (replication.Group, error) {
	return r.collector.Read(ctx, key)
}

// Drills lists the drills of a group now.
func (r reading) Drills(ctx context.Context, key replication.GroupKey) ([]replication.Drill, error) {
	return r.collector.Drills(ctx, key)
}

// Track looks at a failover under way.
func (r reading) Track(ctx context.Context, key replication.GroupKey, jobID string) (failover.Progress, error) {
	p, err := r.collector.Track(ctx, key, jobID)
	return failover.Progress{Group: p.Group, JobFailed: p.Job == provider.JobFailed, JobDone: p.Job == provider.JobDone, Detail: p.Detail}, err
}

// sending hands out what acts, per account, built anew for each use.
type sending struct {
	clouds func() *clouds
}

// Sender loads the action credentials and builds what sends with them.
func (s sending) Sender(name string) (failover.Sender, error) {
	a, err := s.ready(name)
	if err != nil {
		return nil, err
	}
	actor, err := newActor(a.config.Provider, a.acting)
	if err != nil {
		return nil, fmt.Errorf("account %s: %w", name, err)
	}
	return sender{actor}, nil
}

// ready is an account whose action credentials are loaded.
func (s sending) ready(name string) (*account, error) {
	a, ok := s.clouds().byName[name]
	if !ok {
		return nil, fmt.Errorf("account %s is no longer configured", name)
	}
	if !a.config.CanAct() {
		return nil, fmt.Errorf("account %s: action_credentials is none, so this observer never acts", name)
	}
	if _, err := a.acting.Credentials(); err != nil {
		return nil, fmt.Errorf("account %s: %w", name, err)
	}
	return a, nil
}

func (s sending) canAct(name string) bool {
	a, ok := s.clouds().byName[name]
	return ok && a.config.CanAct()
}

// mayLead tells whether this observer has credentials to act with at all. One that
// has none watches and votes.
func (a *App) mayLead() bool {
	if a.current.Load().config.Global.Mode == replication.DryRun {
		return true // a rehearsal needs none
	}
	accounts := a.clouds.Load().order
	for _, acc := range accounts {
		if acc.config.CanAct() {
			return true
		}
	}
	return len(accounts) == 0
}

type sender struct{ actor provider.Actor }

// Failover sends the one call. The idempotency token depends on the incident
// only, so that a call that is sent again is the same call to the provider.
func (s sender) Failover(ctx context.Context, o failover.Order) failover.Sent {
	r := s.actor.Failover(ctx, provider.Request{
		GroupID:         o.Group.ID,
		ClientToken:     provider.ClientToken(o.Group.Provider, o.Group.ID, o.Incident, replication.Failover),
		BeforeFirstByte: o.BeforeFirstByte,
	})
	return failover.Sent{Outcome: r.Outcome, Status: r.Status, RequestID: r.RequestID, JobID: r.JobID, Err: r.Err}
}
