package dws

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/provider/huawei"
)

type actor struct {
	client *huawei.Client
}

// NewActor builds the Actor of one project. For a recovery between regions the
// endpoint should be the standby region's. It sends nothing.
func NewActor(s provider.Settings) (provider.Actor, error) {
	client, err := huawei.NewClient(s)
	if err != nil {
		return nil, err
	}
	return &actor{client: client}, nil
}

// refusals: the one code of the service that is known to prove that nothing
// happened. The vendor documents no others for the call.
var refusals = map[string]bool{"DWS.10101": true}

// Failover starts an exception switchover (SwitchFailoverDisaster): data that
// is not yet synchronised is lost. The service has no idempotency token and no
// job, and a second call swaps the roles back; the client token is not sent.
func (a *actor) Failover(ctx context.Context, req provider.Request) provider.Result {
	return a.act(ctx, req, callFailover, "/failover")
}

// act sends one call on the disaster recovery.
func (a *actor) act(ctx context.Context, req provider.Request, operation, verb string) provider.Result {
	if err := provider.ValidID(req.GroupID); err != nil {
		return huawei.NotSent(fmt.Errorf("disaster recovery: %w", err))
	}
	return a.client.Act(ctx, huawei.Action{
		Operation:   operation,
		Path:        onePath + req.GroupID + verb,
		ContentType: "application/json",
		Refusals:    refusals,
		Accepted: func(_ int, body []byte) (string, bool) {
			return "", accepted(body, req.GroupID)
		},
	}, req.BeforeFirstByte)
}

// accepted: only an answer that names the disaster recovery proves it.
func accepted(body []byte, id string) bool {
	var answer struct {
		DisasterRecovery struct {
			ID string `json:"id"`
		} `json:"disaster_recovery"`
	}
	return json.Unmarshal(body, &answer) == nil && answer.DisasterRecovery.ID == id
}
