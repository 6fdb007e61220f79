package sdrs

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

// NewActor builds the Actor of one project. It sends nothing.
func NewActor(s provider.Settings) (provider.Actor, error) {
	client, err := huawei.NewClient(s)
	if err != nil {
		return nil, err
	}
	return &actor{client: client}, nil
}

// refusals are the documented codes that prove that the group was not touched:
// not found, not allowed in this state, bad request, quota, servers not in the
// state the call needs. The codes of a failed operation (1027 to 1032) are not
// among them: it may have failed half way.
var refusals = map[string]bool{
	"SDRS.0206": true, "SDRS.0207": true, "SDRS.0209": true, "SDRS.0305": true,
	"SDRS.1002": true, "SDRS.1013": true,
	"SDRS.1017": true, "SDRS.1018": true, "SDRS.1019": true, "SDRS.1020": true,
	"SDRS.1021": true, "SDRS.1022": true, "SDRS.1023": true, "SDRS.1024": true,
	"SDRS.1319": true, "SDRS.1342": true, "SDRS.1352": true,
	"SDRS.1608": true, "SDRS.1902": true, "SDRS.1913": true, "SDRS.1922": true,
}

// Failover starts an unplanned failover (StartFailoverProtectionGroup). The
// service has no idempotency token; the client token is not sent.
func (a *actor) Failover(ctx context.Context, req provider.Request) provider.Result {
	return a.act(ctx, req, callFailover, `{"failover-server-group":{}}`)
}

// act sends one action on the group.
func (a *actor) act(ctx context.Context, req provider.Request, operation, body string) provider.Result {
	if err := provider.ValidID(req.GroupID); err != nil {
		return huawei.NotSent(fmt.Errorf("protection group: %w", err))
	}
	return a.send(ctx, req, huawei.Action{Operation: operation, Path: groupsPath + "/" + req.GroupID + "/action", Body: body + "\n"})
}

// send adds what all calls of the service have in common.
func (a *actor) send(ctx context.Context, req provider.Request, action huawei.Action) provider.Result {
	action.ContentType, action.Refusals, action.Accepted = "application/json;charset=UTF-8", refusals, accepted
	return a.client.Act(ctx, action, req.BeforeFirstByte)
}

// accepted: only the id of a job that can be asked for proves it.
func accepted(_ int, body []byte) (jobID string, ok bool) {
	var answer struct {
		JobID string `json:"job_id"`
	}
	if json.Unmarshal(body, &answer) != nil || provider.ValidID(answer.JobID) != nil {
		return "", false
	}
	return answer.JobID, true
}
