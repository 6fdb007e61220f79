package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/replication"
)

const (
	siteA = "az-a"
	siteB = "az-b"
	hold  = 10 * time.Second
)

var (
	locationA = replication.Location{Region: "cn-north-4", Zone: "cn-north-4a"}
	locationB = replication.Location{Region: "cn-north-4", Zone: "cn-north-4b"}
)

func groupKey(n int) replication.GroupKey {
	return replication.GroupKey{Provider: replication.HuaweiSDRS, ID: fmt.Sprintf("6f1c84e2-0d5b-4a63-9c2e-%012d", n)}
}

// rules is one rule whose targets all stand at one site. What observers see of it
// changes once: when the site is lost.
type rules struct {
	groups []replication.Group

	mu   sync.Mutex
	lost time.Time
}

func newRules(n int) *rules {
	r := &rules{}
	for i := range n {
		r.groups = append(r.groups, replication.Group{
			Key: groupKey(i), Account: "huawei-cn-north-4", Name: fmt.Sprintf("database-%05d", i), Region: locationA.Region,
			Source: locationA, Target: locationB, Active: locationA, RawStatus: "protected", State: replication.Replicating,
			Ready: []replication.Condition{{Name: "status_allows_failover", Value: "protected", Threshold: "protected", OK: true}},
		})
	}
	return r
}

func (r *rules) lose(at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lost = at
}

func (r *rules) lostAt() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lost
}

func rule() failover.Rule {
	return failover.Rule{
		Name: "az-a-is-lost", Hash: "4f9c1e", Expr: `site_unreachable: az-a`, Mode: replication.Approve, Action: replication.Failover, For: hold,
		SiteUnreachable: siteA, Agree: 2, Of: 3, VetoAny: true, Fence: "accept_split_brain: bench", LagUnder: time.Minute, LagUnknownAllow: true,
		DataAgeUnder: 2 * time.Minute, Cooldown: time.Hour, MaxConcurrent: 20, MaxFailures: 3, ExecutionTimeout: 10 * time.Minute, ApprovalTimeout: time.Hour, Approvals: 1,
	}
}

// seat is the rule as one observer sees it.
type seat struct {
	rules          *rules
	observer, site string
}

// Evaluate tells all targets; those of a lost site fire, their hold time is up.
func (s seat) Evaluate(context.Context) (failover.Evaluation, error) {
	now, lost := time.Now(), s.rules.lostAt()
	r := rule()
	view := failover.RuleView{Rule: r, Fitness: []replication.Condition{{Name: "references", OK: true}, {Name: "loops", OK: true}}, Targets: make([]failover.Target, 0, len(s.rules.groups))}
	out := failover.Evaluation{At: now, AllPolled: true, SiteUp: map[string]time.Duration{siteB: time.Hour}}
	for _, g := range s.rules.groups {
		g.ReadAt, g.ProviderTime = now, now
		t := failover.Target{Group: g, SourceSite: siteA, ActiveSite: siteA, TargetSite: siteB, ActionTimeout: 5 * time.Second}
		if lost.IsZero() {
			t.UntrueFor = time.Hour
		} else {
			t.State, t.Since, t.LastGood, t.Value = "firing", lost.Add(-hold), lost.Add(-hold), 1
			t.Vote = replication.Vote{
				Observer: s.observer, Site: s.site, Rule: r.Name, RuleHash: r.Hash, Group: g.Key, Verdict: replication.Go, Since: lost, Value: 1,
				Evidence: "drwatch_site_reachable{site=\"az-a\"} is 0 for 10s", Mode: r.Mode, For: r.For,
			}
		}
		view.Targets = append(view.Targets, t)
		out.Groups = append(out.Groups, g)
	}
	if lost.IsZero() {
		out.SiteUp[siteA] = time.Hour
	}
	out.Rules = []failover.RuleView{view}
	return out, nil
}

// nobody reads and sends nothing: without an approval neither is asked for.
type nobody struct{}

var errNobody = errors.New("nothing is read or sent here")

func (nobody) Read(context.Context, replication.GroupKey) (replication.Group, error) {
	return replication.Group{}, errNobody
}

func (nobody) Track(context.Context, replication.GroupKey, string) (failover.Progress, error) {
	return failover.Progress{}, errNobody
}

func (nobody) Sender(string) (failover.Sender, error) { return nil, errNobody }

// tally counts what was durably written.
type tally struct {
	mu     sync.Mutex
	claims int
	holds  int
	first  time.Time
	last   time.Time
}

func (t *tally) told(f failover.Fact) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch f.Entry.Event {
	case "claimed":
		t.claims++
		t.last = time.Now()
		if t.claims == 1 {
			t.first = t.last
		}
	case "held":
		t.holds++
	}
}

func (t *tally) claimed() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.claims
}

func (t *tally) heldNow() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.holds
}

// span is when the first and the last claim were made.
func (t *tally) span(began time.Time) (first, last time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.first.Sub(began), t.last.Sub(began)
}
