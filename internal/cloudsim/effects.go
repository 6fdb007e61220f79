package cloudsim

import (
	"slices"
	"time"

	"github.com/drwatch/drwatch/internal/replication"
)

// Kind tells a call from what came of it.
type Kind string

// The kinds of effects.
const (
	Called  Kind = "call"   // a mutating request was received
	Changed Kind = "change" // production moved
)

// Verdict is what became of a mutating call.
type Verdict string

// The verdicts. A client may have been told something else.
const (
	Accepted Verdict = "accepted"
	Rejected Verdict = "rejected"
	Repeated Verdict = "repeated" // accepted, without doing anything again
	Deferred Verdict = "deferred" // a fault holds it back; it becomes one of the others
	Dropped  Verdict = "dropped"  // a fault swallowed it
)

// Effect is one line of the log of all that was asked and all that happened.
type Effect struct {
	Seq       int
	At        time.Time
	Kind      Kind
	Provider  replication.Provider
	Endpoint  string // of a call
	Group     string
	Operation string // the vendor's name of the call
	Action    string // failover, switchover, reprotect, start, stop, drill
	RequestID string // of the call, also on the change that it caused
	// ClientToken is the idempotency token of the call, "" when none.
	ClientToken string
	Verdict     Verdict              // of a call
	Status      int                  // HTTP status of the true answer, 0 when there was none
	From, To    replication.Location // of a change: where production was and is
}

// effectLog is the log and its counters. The Cloud's lock guards it.
type effectLog struct {
	entries   []*Effect
	failovers map[string]int
	calls     map[callKey]int
}

type callKey struct {
	provider  replication.Provider
	operation string
}

func newEffectLog() effectLog {
	return effectLog{failovers: make(map[string]int), calls: make(map[callKey]int)}
}

func (l *effectLog) add(e Effect) *Effect {
	e.Seq = len(l.entries) + 1
	l.entries = append(l.entries, &e)
	return &e
}

// received logs a mutating call before its verdict is known.
func (l *effectLog) received(q *request, v Verdict, now time.Time) *Effect {
	return l.add(Effect{
		At: now, Kind: Called, Provider: q.ep.Provider, Endpoint: q.ep.Name, Group: q.group,
		Operation: q.route.operation, Action: q.route.action, RequestID: q.id, ClientToken: q.param("ClientToken"), Verdict: v,
	})
}

func (l *effectLog) changed(g *group, op *operation, from, to replication.Location, now time.Time) {
	l.add(Effect{
		At: now, Kind: Changed, Provider: g.provider, Group: g.id, Operation: op.operation, Action: op.action,
		RequestID: op.by, From: from, To: to,
	})
	if op.action == string(replication.Failover) {
		l.failovers[g.id]++
	}
}

// Effects is the log so far, oldest first.
func (c *Cloud) Effects() []Effect {
	c.enter()
	defer c.mu.Unlock()
	out := make([]Effect, 0, len(c.log.entries))
	for _, e := range c.log.entries {
		out = append(out, *e)
	}
	return out
}

// EffectiveFailovers counts how often a failover call really moved the group's
// production. Accepted calls that changed nothing do not count.
func (c *Cloud) EffectiveFailovers(groupID string) int {
	c.enter()
	defer c.mu.Unlock()
	return c.log.failovers[groupID]
}

// Calls counts the requests for an operation, by the vendor's name of it,
// whatever came of them. An empty operation counts them all.
func (c *Cloud) Calls(p replication.Provider, operation string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if operation != "" {
		return c.log.calls[callKey{p, operation}]
	}
	n := 0
	for k, v := range c.log.calls {
		if k.provider == p {
			n += v
		}
	}
	return n
}

// Operations lists the operations of the provider that were called, sorted.
func (c *Cloud) Operations(p replication.Provider) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []string
	for k := range c.log.calls {
		if k.provider == p {
			out = append(out, k.operation)
		}
	}
	slices.Sort(out)
	return out
}
