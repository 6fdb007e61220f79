package cloudsim

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// tokenEntry is what was answered to a call with a client token.
type tokenEntry struct {
	params string
	answer answer
}

// maxToken is the longest client token, in ASCII characters.
const maxToken = 64

// ebsOnce carries out an action, once for each client token.
func ebsOnce(do func(c *Cloud, q *request, now time.Time) answer) func(c *Cloud, q *request, now time.Time) answer {
	return func(c *Cloud, q *request, now time.Time) answer {
		if bad := q.checkRegion(); bad != nil {
			return *bad
		}
		token := q.param("ClientToken")
		if token == "" {
			return do(c, q, now)
		}
		if len(token) > maxToken || strings.ContainsFunc(token, func(r rune) bool { return r > 127 }) {
			return q.aliyunError(http.StatusBadRequest, "InvalidParameter.ClientToken", "The ClientToken is longer than 64 characters or not ASCII.")
		}
		key, params := q.route.operation+" "+token, q.business()
		if seen, ok := c.tokens[key]; ok {
			if seen.params != params {
				return q.aliyunError(http.StatusBadRequest, "IdempotentParameterMismatch", "The request uses the same client token as a previous, but non-identical request.")
			}
			q.verdict = Repeated
			return seen.answer
		}
		a := do(c, q, now)
		if a.status == http.StatusOK {
			c.tokens[key] = tokenEntry{params, a}
		}
		return a
	}
}

// business is the request's own parameters, without the ones that every request
// has and that differ each time.
func (q *request) business() string {
	common := []string{
		"AccessKeyId", "Action", "Format", "SecurityToken", "Signature", "SignatureMethod", "SignatureNonce",
		"SignatureType", "SignatureVersion", "Timestamp", "Version", "ClientToken",
	}
	own := url.Values{}
	for k, v := range q.params {
		if !slices.Contains(common, k) {
			own[k] = v
		}
	}
	return canonicalQuery(own)
}

func (q *request) checkRegion() *answer {
	region := q.param("RegionId")
	switch {
	case region == "":
		a := q.aliyunError(http.StatusBadRequest, "MissingParameter", "RegionId is mandatory for this action.")
		return &a
	case region != q.ep.Region:
		a := q.aliyunError(http.StatusBadRequest, "InvalidParameter.RegionId", fmt.Sprintf("The region %s is not served by this endpoint.", region))
		return &a
	}
	return nil
}

func (c *Cloud) ebsDo(q *request, now time.Time) answer {
	g := c.groups[q.group]
	switch {
	case q.group == "":
		return q.aliyunError(http.StatusBadRequest, "MissingParameter", "ReplicaGroupId is mandatory for this action.")
	case g == nil || !q.ep.sees(g):
		return q.aliyunError(http.StatusNotFound, "NoSuchResource", "The specified resource does not exist.")
	}
	t := ebsActions()[q.route.operation]
	if t.action == "start" && q.param("OneShot") == "true" {
		t = ebsOneShot()
	}
	t.operation = q.route.operation
	if bad := c.ebsRefuses(q, g, t); bad != nil {
		return *bad
	}
	done := ok(object{"RequestId": q.id})
	if slices.Contains(t.repeat, g.status) {
		q.verdict = Repeated
		return done
	}
	if t.action == "reprotect" {
		t.done = ebsReverse
		if q.param("ReverseReplicate") == "false" {
			t.done = ebsCancel
		}
	}
	c.begin(g, t, q, now)
	return done
}

// ebsReverse makes the side that serves the one that is replicated from.
func ebsReverse(g *group) { g.ebs.reversed = g.atTarget }

// ebsCancel takes a failover back: production is where replication came from.
func ebsCancel(g *group) { g.atTarget = g.ebs.reversed }

func (c *Cloud) ebsRefuses(q *request, g *group, t transition) *answer {
	refuse := func(code, message string) *answer {
		a := q.aliyunError(http.StatusForbidden, code, message)
		return &a
	}
	_, to := g.flow()
	switch {
	case len(g.pairs) == 0:
		return refuse("OperationDenied.NoPairInGroup", "The operation is not permitted due to no pair in group.")
	case (t.action == "failover" || t.action == "reprotect") && q.ep.Region != to.Region:
		return refuse("OperationDenied.OperateNotAllowedForPrimary", "The operation is not allowed in the production site.")
	case !slices.Contains(t.from, g.status) && !slices.Contains(t.repeat, g.status):
		return refuse("OperationDenied.InvalidStatus", "The operation is not allowed in status "+g.status+".")
	case t.action == "reprotect" && g.ebs.attached:
		return refuse("OperationDenied", "The disks at the other site are attached.")
	case t.action == "failover" && g.clock.last.IsZero() && g.clock.at(c.o.Now()).IsZero():
		return refuse("OperationDenied.InvalidStatus", "The first full synchronization of the group is not complete.")
	}
	return nil
}
