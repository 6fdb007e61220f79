package cloudsim

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/drwatch/drwatch/internal/replication"
)

// maxBody bounds what a client may send.
const maxBody = 1 << 20

// api is how the endpoints of one provider are spoken to.
type api struct {
	// route finds the operation that a request asks for, and fills in the group
	// it names.
	route func(q *request) (route, bool)
	// authenticate gives the answer to a request that is not authentic, nil to
	// one that is.
	authenticate func(q *request, now time.Time) *answer
	dialect      dialect
}

func apis() map[replication.Provider]api {
	return map[replication.Provider]api{
		replication.HuaweiSDRS: {route: routeREST(sdrsRoutes()), authenticate: authenticateHuawei, dialect: huaweiDialect()},
		replication.HuaweiEVS:  {route: routeREST(evsRoutes()), authenticate: authenticateHuawei, dialect: huaweiDialect()},
		replication.HuaweiDWS:  {route: routeREST(dwsRoutes()), authenticate: authenticateHuawei, dialect: huaweiDialect()},
		replication.AliyunEBS:  {route: routeRPC(ebsRoutes()), authenticate: authenticateAliyun, dialect: aliyunDialect()},
		HuaweiIAM:              {route: routeREST(iamRoutes()), authenticate: authenticateHuawei, dialect: huaweiDialect()},
		AliyunSTS:              {route: routeRPC(stsRoutes()), authenticate: authenticateAliyun, dialect: aliyunDialect()},
	}
}

// route is one operation of an API.
type route struct {
	operation string // the vendor's name
	action    string // what it does to a group; "" for reads
	lists     string // JSON name of the list it answers with; "" = none
	serve     func(c *Cloud, q *request, now time.Time) answer
}

// request is one request on its way through an endpoint.
type request struct {
	ep      *endpoint
	http    *http.Request
	body    []byte
	query   url.Values
	params  url.Values // Alibaba: query and form together
	route   route
	group   string // id of the group it names, "" when none
	path    map[string]string
	id      string // request id
	key     Credential
	reused  bool // its connection had a request before
	fault   activeFault
	verdict Verdict // set by what serves a mutating call
	quit    <-chan struct{}
}

// param is a business parameter of an Alibaba request, or of a Huawei query.
func (q *request) param(name string) string {
	if q.params != nil {
		return q.params.Get(name)
	}
	return q.query.Get(name)
}

func (e *endpoint) serve(w http.ResponseWriter, r *http.Request, quit <-chan struct{}) {
	c := e.cloud
	q := &request{ep: e, http: r, quit: quit, query: r.URL.Query(), path: map[string]string{}, reused: reused(r)}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		panic(http.ErrAbortHandler) // the client went away half way, or sends without end
	}
	q.body = body
	q.wait(c.o.Latency)
	c.answerTo(w, q)
}

// answerTo is the way of one request: what it asks, whether it may, which fault
// meets it, what it does, what is said of that.
func (c *Cloud) answerTo(w http.ResponseWriter, q *request) {
	now := c.enter()
	q.id = c.uuid(c.requests)
	if q.ep.speaksRPC() {
		q.id = strings.ToUpper(q.id)
		q.readParams()
	}
	rt, known := q.ep.api.route(q)
	q.route = rt
	if known {
		c.log.calls[callKey{q.ep.Provider, rt.operation}]++
	}
	refused := q.ep.api.authenticate(q, now)
	if refused == nil && !known {
		a := q.ep.api.dialect.noSuchCall(q)
		refused = &a
	}
	if refused == nil && (q.key.ReadOnly && rt.action != "" || q.key.AssumeOnly && !q.ep.gives()) {
		a := q.ep.api.dialect.forbidden(q)
		refused = &a
	}
	if refused != nil && rt.action != "" {
		c.log.received(q, Rejected, now).Status = refused.status
	}
	if refused == nil {
		q.fault = c.meetFault(q)
	}
	c.mu.Unlock()
	if refused != nil {
		c.send(w, q, *refused)
		return
	}
	c.perform(w, q)
}

func (c *Cloud) perform(w http.ResponseWriter, q *request) {
	q.wait(q.fault.Before)
	if q.fault.Answer == ResetReused {
		c.dropped(q)
		reset(w)
		return
	}
	a := c.act(q)
	q.wait(q.fault.After)
	c.send(w, q, c.distort(q, a))
}

// act serves the request, unless its fault holds the effect back.
func (c *Cloud) act(q *request) answer {
	now := c.enter()
	defer c.mu.Unlock()
	if q.route.action == "" {
		return q.route.serve(c, q, now)
	}
	if q.fault.Late > 0 {
		entry := c.log.received(q, Deferred, now)
		c.timeline.add(now.Add(q.fault.Late), func(at time.Time) { c.mutate(q, entry, at) })
		return answer{}
	}
	if !q.fault.takesEffect() {
		c.log.received(q, Dropped, now)
		return answer{}
	}
	return c.mutate(q, c.log.received(q, Accepted, now), now)
}

// dropped logs a mutating call that never reached the operation.
func (c *Cloud) dropped(q *request) {
	now := c.enter()
	defer c.mu.Unlock()
	if q.route.action != "" {
		c.log.received(q, Dropped, now)
	}
}

// mutate serves a mutating call and completes its entry in the log.
func (c *Cloud) mutate(q *request, entry *Effect, now time.Time) answer {
	q.verdict = Accepted
	a := q.route.serve(c, q, now)
	if a.status >= 300 {
		q.verdict = Rejected
	}
	entry.Verdict, entry.Status, entry.RequestID = q.verdict, a.status, q.id
	return a
}

// wait passes real time. A client that goes away does not shorten it: the
// provider works on. A listener that is shut does, and ends the request without
// an answer.
func (q *request) wait(d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-q.quit:
		panic(http.ErrAbortHandler)
	}
}
