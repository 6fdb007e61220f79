package policytest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/replication"
)

// cloud is the provider: groups stand as the input series say, until a call moves
// them.
type cloud struct {
	t       *test
	now     func() time.Duration // into the test
	answers []cloudForm          // not given yet
	effects map[replication.GroupKey]effect
	calls   []call
}

// call is one whose first byte left.
type call struct {
	at             time.Duration
	account, group string
	operation      replication.Action
}

// effect is what a call does to its group.
type effect struct {
	from, done time.Duration
	ends       string
	to         string // the site
}

// groups are all groups as a poll shows them now, with their sites. The input
// series tell what there is; a group that none tells of is not there.
func (c *cloud) groups() []seen {
	var out []seen
	for _, in := range c.t.inputs {
		if in.name() != groupInfo {
			continue
		}
		v, when, ok := in.newest(c.now())
		if !ok || v != 1 {
			continue
		}
		g := c.group(in.labels, when)
		same := func(o seen) bool { return o.group.Key == g.group.Key && o.group.Account == g.group.Account }
		i := slices.IndexFunc(out, same)
		switch {
		case i < 0:
			out = append(out, g)
		case out[i].group.ReadAt.Before(g.group.ReadAt): // its labels have changed
			out[i] = g
		}
	}
	return out
}

// seen is a group with its sites.
type seen struct {
	group                  replication.Group
	source, target, active string
}

// place is where a site is. Tests name sites alone.
func place(region, site string) replication.Location {
	if site == "" {
		return replication.Location{}
	}
	return replication.Location{Region: region, Zone: site}
}

func (c *cloud) group(ls labels.Labels, when time.Duration) seen {
	account, id := ls.Get("account"), ls.Get("group")
	s := seen{source: ls.Get("source_site"), target: ls.Get("target_site"), active: ls.Get("active_site")}
	g := replication.Group{
		Key: c.t.groups[id], Account: account, Name: ls.Get("name"), Region: ls.Get("region"), RawStatus: ls.Get("raw_status"), State: replication.Unknown,
		ReadAt: c.t.start.Add(when), ProviderTime: c.t.start.Add(when),
	}
	for _, in := range c.t.inputs {
		v, _, ok := in.newest(c.now())
		if !ok {
			continue
		}
		switch {
		case in.is(groupState, account, id) && v == 1:
			g.State = replication.State(in.labels.Get("state"))
		case in.is(groupReady, account, id):
			g.Ready = []replication.Condition{ready(v == 1)}
		case in.is(groupLag, account, id):
			lag := time.Duration(v * float64(time.Second))
			g.Lag = &lag
		case in.is(groupLastSync, account, id):
			g.LastSync = time.UnixMilli(int64(v * 1000)).UTC()
		}
	}
	c.moved(&g, &s)
	region := g.Region
	if region == "" {
		region = "region"
	}
	g.Source, g.Target, g.Active = place(region, s.source), place(region, s.target), place(region, s.active)
	if g.Key.Provider == replication.HuaweiDWS && s.active != "" {
		g.Baseline = "primary in " + s.active
	}
	s.group = g
	return s
}

func ready(ok bool) replication.Condition {
	v := "0"
	if ok {
		v = "1"
	}
	return replication.Condition{Name: "provider_ready", Value: v, Threshold: "1", OK: ok}
}

// moved puts what became of a call over what the series say.
func (c *cloud) moved(g *replication.Group, s *seen) {
	e, ok := c.effects[g.Key]
	if !ok || c.now() < e.from || e.ends == endsUnchanged {
		return
	}
	g.Ready = []replication.Condition{ready(false)}
	switch {
	case c.now() < e.done:
		g.State, g.RawStatus = replication.Switching, "switching"
	case e.ends == endsFailed:
		g.State, g.RawStatus, g.FailoverFailed = replication.Errored, "failover-failed", true
	default:
		g.State, g.RawStatus, s.active = replication.FailedOver, "failed-over", e.to
	}
}

// Read implements failover.Reader.
func (c *cloud) Read(_ context.Context, key replication.GroupKey) (replication.Group, error) {
	for _, s := range c.groups() {
		if s.group.Key == key {
			s.group.ReadAt = c.t.start.Add(c.now())
			s.group.ProviderTime = s.group.ReadAt
			return s.group, nil
		}
	}
	return replication.Group{}, fmt.Errorf("the input series tell nothing of %s at %s", key, written(c.now()))
}

// Track implements failover.Reader.
func (c *cloud) Track(ctx context.Context, key replication.GroupKey, _ string) (failover.Progress, error) {
	g, err := c.Read(ctx, key)
	return failover.Progress{Group: g, Detail: g.RawStatus}, err
}

// Sender implements failover.Senders.
func (c *cloud) Sender(account string) (failover.Sender, error) { return sender{c, account}, nil }

// sender is the provider for one account.
type sender struct {
	*cloud
	account string
}

// Failover takes one call down, and answers it as the test says.
func (s sender) Failover(_ context.Context, o failover.Order) failover.Sent {
	if err := o.BeforeFirstByte(); err != nil {
		return failover.Sent{Outcome: replication.NotSent, Err: err}
	}
	a := s.answer(o.Group.ID)
	sent := failover.Sent{Outcome: a.Outcome}
	if a.Outcome != replication.Accepted {
		sent.Err = errors.New("as the test says")
	}
	if a.Outcome == replication.NotSent {
		return sent
	}
	now := s.now()
	s.calls = append(s.calls, call{at: now, account: s.account, group: o.Group.ID, operation: replication.Failover})
	if a.Ends != endsUnchanged {
		s.effects[o.Group] = effect{from: now, done: now + a.Takes, ends: a.Ends, to: s.standby(o.Group)}
	}
	return sent
}

// answer is the next that the test gives for a group; without one all goes well.
func (c *cloud) answer(group string) cloudForm {
	for i, a := range c.answers {
		if a.Group == group {
			c.answers = slices.Delete(c.answers, i, i+1)
			return a
		}
	}
	return cloudForm{Outcome: replication.Accepted, Ends: endsMoved}
}

func (c *cloud) standby(key replication.GroupKey) string {
	for _, s := range c.groups() {
		switch {
		case s.group.Key != key:
		case s.active == s.target:
			return s.source
		default:
			return s.target
		}
	}
	return ""
}
