package ebs

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/replication"
)

const failoverGroup = "FailoverDiskReplicaGroup"

// validToken is what the API takes for a ClientToken.
var validToken = regexp.MustCompile(`^[[:graph:]]{1,64}$`)

// Actor fails groups over, by the region they move to. Safe for concurrent use.
type Actor struct{ c *client }

// NewActor builds an Actor. s.Region and s.Endpoint are those of the secondary
// site: the API wants the failover there, and it answers when production's
// region does not.
func NewActor(s provider.Settings) (provider.Actor, error) {
	c, err := newClient(s)
	if err != nil {
		return nil, err
	}
	return &Actor{c: c}, nil
}

// Failover sends FailoverDiskReplicaGroup once. The provider accepts it also
// for a group that is failing over or has failed over: what keeps it from
// happening twice is the caller, and the ClientToken.
func (a *Actor) Failover(ctx context.Context, req provider.Request) provider.Result {
	if err := provider.ValidID(req.GroupID); err != nil {
		return provider.Result{Outcome: replication.NotSent, Err: fmt.Errorf("%s: %w", failoverGroup, err)}
	}
	if !validToken.MatchString(req.ClientToken) {
		return provider.Result{Outcome: replication.NotSent, Err: errors.New(failoverGroup + ": the client token must be 1 to 64 ASCII characters")}
	}
	r := a.c.call(ctx, provider.Op{Name: failoverGroup, Action: true, BeforeFirstByte: req.BeforeFirstByte},
		map[string]string{"ReplicaGroupId": req.GroupID, "ClientToken": req.ClientToken})

	result := provider.Result{
		Outcome: provider.OutcomeOf(provider.Facts{
			Sent: r.Sent, Status: r.Status, Whole: r.answer.isObject, Code: r.code(),
			Proof: r.answer.requestID != "" && r.answer.code == "" && !r.answer.badCode,
		}),
		Status: r.Status, RequestID: r.answer.requestID, Date: r.Date, Err: r.err,
	}
	if result.RequestID == "" {
		result.RequestID = r.Exchange.RequestID
	}
	switch {
	case result.Outcome == replication.Accepted:
		result.Err = nil
	case result.Err == nil:
		result.Err = fmt.Errorf("%s in %s: status %d without a request id: nothing proves that it was accepted", failoverGroup, a.c.s.Region, r.Status)
	}
	return result
}
