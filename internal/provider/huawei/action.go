package huawei

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/replication"
)

// Action is one mutating call of a service.
type Action struct {
	Operation   string // for metrics and errors
	Method      string // "" is POST
	Path        string // with {project_id}; ids in it must have passed provider.ValidID
	Body        string // exactly these bytes; "" sends none
	ContentType string
	// Refusals are the service's codes that prove that nothing happened.
	Refusals map[string]bool
	// Accepted looks at a whole answer of 2xx for what only an accepted call
	// has. jobID is "" where the service has no jobs.
	Accepted func(status int, body []byte) (jobID string, ok bool)
}

// Act sends the action once. It never retries. The Result's Err is nil only
// when the action was accepted, and holds no secret.
func (c *Client) Act(ctx context.Context, a Action, beforeFirstByte func() error) provider.Result {
	op := provider.Op{Name: a.Operation, Action: true, BeforeFirstByte: beforeFirstByte}
	ex, err := c.do(ctx, op, request{method: cmp.Or(a.Method, http.MethodPost), path: a.Path, body: a.Body, contentType: a.ContentType})
	r := provider.Result{Status: ex.Status, RequestID: ex.RequestID, Date: ex.Date}
	facts := provider.Facts{Sent: ex.Sent, Status: ex.Status, Whole: ex.Status != 0 && ex.Err == nil}
	var refused *Error
	switch {
	case errors.As(err, &refused):
		facts.Code = classOf(refused, a.Refusals)
	case ex.OK():
		r.JobID, facts.Proof = a.Accepted(ex.Status, ex.Body)
		if code := errorCodeIn(ex.Body); code != "" {
			facts.Code = provider.CodeRefused
			err = errors.Join(err, fmt.Errorf("the answer carries the error code %.100q", code))
		}
	}
	r.Outcome = provider.OutcomeOf(facts)
	if r.Outcome == replication.Accepted {
		return r
	}
	if err == nil {
		err = fmt.Errorf("status %d without what an accepted call has: %s", ex.Status, excerpt(ex))
	}
	r.JobID, r.Err = "", ex.Redact(fmt.Errorf("account %s: %s: %w", c.settings.Account, a.Operation, err))
	return r
}

// NotSent is the result of an action that was stopped before any call.
func NotSent(err error) provider.Result {
	return provider.Result{Outcome: replication.NotSent, Err: err}
}
