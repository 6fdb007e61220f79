package sdrs

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/provider/huawei"
	"github.com/drwatch/drwatch/internal/replication"
)

// The calls that change something, by the names of the vendor's SDK.
const (
	callFailover   = "StartFailoverProtectionGroup"
	callReverse    = "StartReverseProtectionGroup"
	callStart      = "StartProtectionGroup"
	callStop       = "StopProtectionGroup"
	callStartDrill = "CreateDisasterRecoveryDrill"
	callClearDrill = "DeleteDisasterRecoveryDrill"
)

// operator is another type than actor, so that what a rule is given cannot be
// asked for more than a failover.
type operator struct{ actor }

// NewOperator builds the Operator of one project. Both zones of a group are of
// one region with one endpoint, so that the other settings are not needed. It
// sends nothing.
func NewOperator(s, _ provider.Settings) (provider.Operator, error) {
	client, err := huawei.NewClient(s)
	if err != nil {
		return nil, err
	}
	return &operator{actor{client: client}}, nil
}

// Operate sends the one call of a step.
func (o *operator) Operate(ctx context.Context, step replication.Action, req provider.Request) provider.Result {
	switch step {
	case replication.Failover:
		return o.Failover(ctx, req)
	case replication.Switchover:
		return o.reverse(ctx, req)
	case replication.Start, replication.Reprotect:
		return o.act(ctx, req, callStart, `{"start-server-group":{}}`)
	case replication.Stop:
		return o.act(ctx, req, callStop, `{"stop-server-group":{}}`)
	case replication.StartDrill:
		return o.startDrill(ctx, req)
	case replication.ClearDrill:
		return o.clearDrill(ctx, req)
	default:
		return huawei.NotSent(provider.NoSuchAction(fmt.Sprintf("%q is no step on a protection group", step)))
	}
}

// reverse names the side that production moves to as the service does: by the
// sides chosen at creation.
func (o *operator) reverse(ctx context.Context, req provider.Request) provider.Result {
	station := ""
	switch {
	case req.To.IsZero() || req.Group.Source == req.Group.Target:
	case req.To == req.Group.Source:
		station = "source"
	case req.To == req.Group.Target:
		station = "target"
	}
	if station == "" {
		return huawei.NotSent(fmt.Errorf("%s: %q is neither side of protection group %s", callReverse, req.To, req.Group.Key.ID))
	}
	return o.act(ctx, req, callReverse, `{"reverse-server-group":{"priority_station":"`+station+`"}}`)
}

// validName is what the service takes for the name of a drill.
var validName = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,64}$`)

// startDrill leaves the drill's network to the service.
func (o *operator) startDrill(ctx context.Context, req provider.Request) provider.Result {
	if err := provider.ValidID(req.GroupID); err != nil {
		return huawei.NotSent(fmt.Errorf("protection group: %w", err))
	}
	if !validName.MatchString(req.Drill) {
		return huawei.NotSent(fmt.Errorf("%s: %.100q is no name of a drill: letters, digits, dots, underscores and hyphens only, at most 64", callStartDrill, req.Drill))
	}
	return o.send(ctx, req, huawei.Action{
		Operation: callStartDrill, Path: drillsPath,
		Body: `{"disaster_recovery_drill":{"server_group_id":"` + req.GroupID + `","name":"` + req.Drill + `"}}` + "\n",
	})
}

// clearDrill deletes only what was listed as a drill of this very group: the
// call itself names no group.
func (o *operator) clearDrill(ctx context.Context, req provider.Request) provider.Result {
	if err := provider.ValidID(req.Drill); err != nil {
		return huawei.NotSent(fmt.Errorf("%s: drill: %w", callClearDrill, err))
	}
	if _, listed := provider.DrillOf(req.Group, req.Drill); !listed || req.GroupID == "" || req.Group.Key.ID != req.GroupID {
		return huawei.NotSent(errors.New(callClearDrill + ": drill " + req.Drill + " was not listed as one of this group"))
	}
	return o.send(ctx, req, huawei.Action{Operation: callClearDrill, Method: http.MethodDelete, Path: drillsPath + "/" + req.Drill})
}
