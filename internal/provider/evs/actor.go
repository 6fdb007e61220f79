package evs

import (
	"bytes"
	"context"
	"fmt"
	"net/http"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/provider/huawei"
)

type actor struct {
	client *huawei.Client
}

// NewActor builds the Actor of one project. It sends nothing.
func NewActor(s provider.Settings) (provider.Actor, error) {
	client, err := newClient(s)
	if err != nil {
		return nil, err
	}
	return &actor{client: client}, nil
}

// refusals are the OpenStack faults, by name, that prove that the group was not
// touched. Their own codes are only the HTTP status again.
var refusals = map[string]bool{
	"badRequest": true, "unauthorized": true, "forbidden": true,
	"itemNotFound": true, "conflictingRequest": true, "overLimit": true,
}

// Failover starts an unplanned failover of the group
// (os-failover-replication-consistency-group). The service has no idempotency
// token and no job; the client token is not sent.
func (a *actor) Failover(ctx context.Context, req provider.Request) provider.Result {
	return a.act(ctx, req, callFailover, "os-failover-replication-consistency-group")
}

// act sends one action on the group.
func (a *actor) act(ctx context.Context, req provider.Request, operation, action string) provider.Result {
	if err := provider.ValidID(req.GroupID); err != nil {
		return huawei.NotSent(fmt.Errorf("replication consistency group: %w", err))
	}
	return a.client.Act(ctx, huawei.Action{
		Operation:   operation,
		Path:        groupsPath + "/" + req.GroupID + "/action",
		Body:        `{"` + action + `":null}` + "\n",
		ContentType: "application/json",
		Refusals:    refusals,
		Accepted:    accepted,
	}, req.BeforeFirstByte)
}

// accepted: the service answers exactly 200 and nothing. Anything with a body,
// be it a login page, was not said by it.
func accepted(status int, body []byte) (jobID string, ok bool) {
	return "", status == http.StatusOK && len(bytes.TrimSpace(body)) == 0
}
