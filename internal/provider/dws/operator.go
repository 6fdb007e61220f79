package dws

import (
	"context"
	"fmt"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/provider/huawei"
	"github.com/drwatch/drwatch/internal/replication"
)

// The calls that change something, by the names of the vendor's SDK. Its
// RestoreDisaster, which drops the data of one cluster, is not among them.
const (
	callFailover   = "SwitchFailoverDisaster"
	callSwitchover = "SwitchoverDisasterRecovery"
	callStart      = "StartDisasterRecovery"
	callPause      = "PauseDisasterRecovery"
)

// operator is another type than actor, so that what a rule is given cannot be
// asked for more than a failover.
type operator struct{ actor }

// NewOperator builds the Operator of one project. All calls go to the endpoint
// that failovers go to: the vendor names none for either, and both regions know
// the disaster recovery. It sends nothing.
func NewOperator(s, _ provider.Settings) (provider.Operator, error) {
	client, err := huawei.NewClient(s)
	if err != nil {
		return nil, err
	}
	return &operator{actor{client: client}}, nil
}

// Operate sends the one call of a step. A switchover names no side: a second one
// swaps the roles back.
func (o *operator) Operate(ctx context.Context, step replication.Action, req provider.Request) provider.Result {
	switch step {
	case replication.Failover:
		return o.Failover(ctx, req)
	case replication.Switchover:
		return o.act(ctx, req, callSwitchover, "/switchover")
	case replication.Start:
		return o.act(ctx, req, callStart, "/start")
	case replication.Stop:
		return o.act(ctx, req, callPause, "/pause")
	default:
		return huawei.NotSent(provider.NoSuchAction(fmt.Sprintf("%q is no step on a disaster recovery", step)))
	}
}
