package exhaust_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/replication"
)

// phase is where the group stands at its provider.
type phase int

const (
	resting phase = iota // replicating, production at az-a
	taken                // a call was taken; SDRS and EVS show it, the others do not yet
	moved                // production at az-b
)

type cloud struct {
	phase   phase
	takenAt time.Duration
	effects int
	tokens  map[string]bool // of incidents whose call had an effect
}

// message is a request whose first byte has left.
type message struct {
	by      string
	signed  time.Duration
	arrived bool
	outcome replication.Outcome // once it has arrived
}

func (w *world) expired(m *message) bool { return w.at()-m.signed > w.life }

// arrive is the request at the provider: what it does depends on whose it is.
func (w *world) arrive(m *message) {
	m.arrived, m.outcome = true, replication.Accepted
	c := &w.cloud
	switch w.provider {
	case replication.HuaweiDWS:
		// A second failover swaps the roles back.
	case replication.AliyunEBS:
		if c.phase != resting || c.tokens[m.by] {
			return // accepted again, and nothing comes of it
		}
		c.tokens[m.by] = true
	default:
		if c.phase != resting {
			m.outcome = replication.Rejected
			return
		}
	}
	c.effects++
	c.phase, c.takenAt = taken, w.at()
}

// show is the group as the provider tells it now.
func (w *world) show() replication.Group {
	g := replication.Group{
		Key: w.key, Account: "acc", Name: "db", Region: "r", Source: azA, Target: azB, Active: azA, RawStatus: "protected", State: replication.Replicating,
		LastSync: w.began.Add(-4 * time.Second), ReadAt: time.Now(), ProviderTime: time.Now(),
	}
	switch {
	case w.cloud.phase == moved:
		g.Active, g.RawStatus, g.State = azB, "failed-over", replication.FailedOver
	case w.cloud.phase == taken && !w.provider.Async():
		g.RawStatus, g.State = "failing-over", replication.Switching
	}
	if w.provider == replication.HuaweiDWS {
		g.Baseline = "a primary, b standby"
		if g.Active == azB {
			g.Baseline = "b primary, a standby"
		}
	}
	g.Ready = []replication.Condition{{Name: "status_allows_failover", Value: g.RawStatus, Threshold: "protected", OK: g.State == replication.Replicating}}
	return g
}

// provider is the cloud as one life of an observer reaches it.
type provider struct{ l *life }

func (p provider) Read(ctx context.Context, _ replication.GroupKey) (replication.Group, error) {
	p.l.wait(ctx, "looks at the provider")
	if err := ctx.Err(); err != nil {
		return replication.Group{}, err
	}
	g := p.l.w.show()
	p.l.step.looked(g)
	return g, nil
}

func (p provider) Track(ctx context.Context, key replication.GroupKey, _ string) (failover.Progress, error) {
	g, err := p.Read(ctx, key)
	return failover.Progress{Group: g, Detail: g.RawStatus}, err
}

func (p provider) Sender(string) (failover.Sender, error) { return p, nil }

// Failover signs, asks, and sends. From then on the request is on its way, whatever
// becomes of its sender: a stop between the question and the first byte is one that
// nothing on this side can see.
func (p provider) Failover(ctx context.Context, o failover.Order) failover.Sent {
	w := p.l.w
	m := &message{by: o.Incident, signed: w.at()}
	p.l.step.note(text("signed"), since(m.signed, 1))
	p.l.wait(ctx, "connects")
	if err := o.BeforeFirstByte(); err != nil {
		p.l.step.note(text("not sent"), since(w.at(), patience))
		return failover.Sent{Outcome: replication.NotSent, Err: err}
	}
	w.judgeFirstByte(p.l, m, o.Incident)
	w.flight = append(w.flight, m)
	p.l.step.note(text(fmt.Sprintf("sent %d", len(w.flight))))
	sent := failover.Sent{Outcome: replication.Uncertain, Err: errors.New("no answer")}
	if p.l.await(ctx, m) == answered {
		sent = failover.Sent{Outcome: m.outcome}
		if m.outcome != replication.Accepted {
			sent.Err = errors.New("refused")
		}
	}
	p.l.step.note(text(string(sent.Outcome)), since(w.at(), patience))
	return sent
}
