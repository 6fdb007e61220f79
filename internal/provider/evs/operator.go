package evs

import (
	"context"
	"fmt"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/provider/huawei"
	"github.com/drwatch/drwatch/internal/replication"
)

// The calls that change something. The vendor's SDK has no such API, so that
// the names are ours.
const (
	callFailover  = "FailoverReplicationConsistencyGroup"
	callReverse   = "ReverseReplicationConsistencyGroup"
	callReprotect = "ReprotectReplicationConsistencyGroup"
	callSync      = "SyncReplicationConsistencyGroup"
	callStop      = "StopReplicationConsistencyGroup"
)

// operator is another type than actor, so that what a rule is given cannot be
// asked for more than a failover.
type operator struct{ actor }

// NewOperator builds the Operator of one project. Both zones of a group are of
// one region with one endpoint, so that the other settings are not needed. It
// sends nothing.
func NewOperator(s, _ provider.Settings) (provider.Operator, error) {
	client, err := newClient(s)
	if err != nil {
		return nil, err
	}
	return &operator{actor{client: client}}, nil
}

// Operate sends the one call of a step. A reversal names no side: it goes to the
// other, wherever production is.
func (o *operator) Operate(ctx context.Context, step replication.Action, req provider.Request) provider.Result {
	switch step {
	case replication.Failover:
		return o.Failover(ctx, req)
	case replication.Switchover:
		return o.act(ctx, req, callReverse, "os-reverse-replication-consistency-group")
	case replication.Reprotect:
		return o.act(ctx, req, callReprotect, "os-reprotect-replication-consistency-group")
	case replication.Start:
		return o.act(ctx, req, callSync, "os-sync-replication-consistency-group")
	case replication.Stop:
		return o.act(ctx, req, callStop, "os-stop-replication-consistency-group")
	default:
		return huawei.NotSent(provider.NoSuchAction(fmt.Sprintf("%q is no step on a replication consistency group", step)))
	}
}
