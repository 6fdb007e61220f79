package ebs

import (
	"context"
	"errors"
	"fmt"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/replication"
)

// The calls that change something. The SDK lacks those of drills.
const (
	failoverGroup  = "FailoverDiskReplicaGroup"
	reprotectGroup = "ReprotectDiskReplicaGroup"
	startGroup     = "StartDiskReplicaGroup"
	stopGroup      = "StopDiskReplicaGroup"
	startDrill     = "StartReplicaGroupDrill"
	clearDrill     = "ClearReplicaGroupDrill"
)

// Operator makes the calls of a person's actions, each in the region that the
// API wants it in. Safe for concurrent use.
type Operator struct{ clients []*client }

// NewOperator builds an Operator of an account's two regions. s has the region
// and the endpoint of the secondary site, other those of the primary site; they
// are the same for groups between two zones of one region.
func NewOperator(s, other provider.Settings) (provider.Operator, error) {
	o := &Operator{}
	for _, settings := range []provider.Settings{s, other} {
		c, err := newClient(settings)
		if err != nil {
			return nil, err
		}
		o.clients = append(o.clients, c)
	}
	return o, nil
}

// Operate sends the one call of a step, to the region that the vendor's page on
// the call names.
//
// A failover goes to the side that production moves to, and a reprotection,
// after it, to the same: "the secondary site" of both pages is the end that is
// replicated to. So it is with drills, whose disks are made where the copy is.
// Start and stop go to "the region of the group", which is where it was created:
// its first production site.
func (o *Operator) Operate(ctx context.Context, step replication.Action, req provider.Request) provider.Result {
	group := map[string]string{"ReplicaGroupId": req.GroupID}
	switch step {
	case replication.Failover:
		return o.act(ctx, req, failoverGroup, req.To, group)
	case replication.Reprotect:
		group["ReverseReplicate"] = "true"
		return o.act(ctx, req, reprotectGroup, recoverySide(req.Group), group)
	case replication.Start:
		group["OneShot"] = "false"
		return o.act(ctx, req, startGroup, req.Group.Source, group)
	case replication.Stop:
		return o.act(ctx, req, stopGroup, req.Group.Source, group)
	case replication.StartDrill:
		return o.act(ctx, req, startDrill, recoverySide(req.Group), map[string]string{"GroupId": req.GroupID})
	case replication.ClearDrill:
		return o.clear(ctx, req)
	default:
		return notSent(provider.NoSuchAction(fmt.Sprintf("%q is no step on a replication pair-consistent group", step)))
	}
}

// clear clears only what was listed as a drill of this very group. The call
// knows no client token.
func (o *Operator) clear(ctx context.Context, req provider.Request) provider.Result {
	if err := provider.ValidID(req.Drill); err != nil {
		return notSent(fmt.Errorf("%s: drill: %w", clearDrill, err))
	}
	if _, listed := provider.DrillOf(req.Group, req.Drill); !listed || req.Group.Key.ID != req.GroupID {
		return notSent(errors.New(clearDrill + ": drill " + req.Drill + " was not listed as one of this group"))
	}
	return o.act(ctx, req, clearDrill, recoverySide(req.Group), map[string]string{"GroupId": req.GroupID, "DrillId": req.Drill})
}

// recoverySide is the end that is replicated to: after a failover it is where
// production is. It is zero when it cannot be decided.
func recoverySide(g replication.Group) replication.Location {
	if g.State == replication.FailedOver {
		return g.Active
	}
	return g.Standby()
}

// act sends one call to a side's region.
func (o *Operator) act(ctx context.Context, req provider.Request, operation string, side replication.Location, params map[string]string) provider.Result {
	for _, c := range o.clients {
		if side.Region != "" && c.s.Region == side.Region {
			return c.act(ctx, req, operation, params)
		}
	}
	if side.IsZero() {
		return notSent(fmt.Errorf("%s: group %s does not tell which region the call must go to", operation, req.GroupID))
	}
	return notSent(fmt.Errorf("%s must go to region %s, of which account %s has no endpoint", operation, side.Region, o.clients[0].s.Account))
}
