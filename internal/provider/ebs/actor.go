package ebs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/replication"
)

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
	return a.c.act(ctx, req, failoverGroup, map[string]string{"ReplicaGroupId": req.GroupID})
}

// act sends one mutating call, with the client token where the call has one.
func (c *client) act(ctx context.Context, req provider.Request, operation string, params map[string]string) provider.Result {
	if err := provider.ValidID(req.GroupID); err != nil {
		return notSent(fmt.Errorf("%s: %w", operation, err))
	}
	if operation != clearDrill {
		if !validToken.MatchString(req.ClientToken) {
			return notSent(errors.New(operation + ": the client token must be 1 to 64 ASCII characters"))
		}
		params["ClientToken"] = req.ClientToken
	}
	r := c.call(ctx, provider.Op{Name: operation, Action: true, BeforeFirstByte: req.BeforeFirstByte}, params)
	drill, proof := r.proof(operation)
	result := provider.Result{
		Outcome: provider.OutcomeOf(provider.Facts{Sent: r.Sent, Status: r.Status, Whole: r.answer.isObject, Code: r.code(), Proof: proof}),
		Status:  r.Status, RequestID: cmp.Or(r.answer.requestID, r.Exchange.RequestID), Date: r.Date, Err: r.err,
	}
	switch {
	case result.Outcome == replication.Accepted:
		result.JobID, result.Err = drill, nil
	case result.Err == nil:
		result.Err = fmt.Errorf("%s in %s: status %d without what the answer to an accepted call has: nothing proves that it was accepted", operation, c.s.Region, r.Status)
	}
	return result
}

// proof tells whether the answer has what only an accepted call has: a request
// id and no error, and of a drill that was started its id.
func (r reply) proof(operation string) (drill string, ok bool) {
	ok = r.answer.requestID != "" && r.answer.code == "" && !r.answer.badCode
	if operation == startDrill && ok {
		drill, _ = text(r.answer.fields.Get("DrillId"))
		ok = provider.ValidID(drill) == nil
	}
	return drill, ok
}

// notSent is the result of a call that was stopped before any.
func notSent(err error) provider.Result {
	return provider.Result{Outcome: replication.NotSent, Err: err}
}
