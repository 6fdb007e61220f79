package simtest_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/replication"
)

// The providers' bounds as they are here: short, so that a story in which a call
// of unknown outcome is answered fits into minutes.
const (
	signatureLife = 40 * time.Second
	settle        = 14 * time.Second
	actionTimeout = 2 * time.Second
)

var (
	azA = replication.Location{Region: "r", Zone: "a"}
	azB = replication.Location{Region: "r", Zone: "b"}
)

// siteOf is the site that a location stands in.
func siteOf(l replication.Location) string {
	switch l {
	case azA:
		return "az-a"
	case azB:
		return "az-b"
	}
	return ""
}

// fate is what becomes of one call on its way.
type fate string

const (
	arrives      fate = ""
	answerLost   fate = "the answer is lost"
	requestLost  fate = "the request is lost"
	arrivesLate  fate = "the request arrives late"
	arrivesTwice fate = "the request arrives twice"
	answerLate   fate = "the answer comes late"
	throttledFor fate = "refused for the rate"
	refusedFor   fate = "refused"
	beginsLater  fate = "it is accepted and begins later"
	twiceLate    fate = "the request arrives once more much later"
	unsaidLater  fate = "it begins later and the answer is lost"
)

// fates are those that any call may have.
func fates() []fate {
	return []fate{arrives, answerLost, requestLost, arrivesLate, arrivesTwice, twiceLate, answerLate, throttledFor, beginsLater, unsaidLater}
}

// group is one replication group at its provider. It notes every effect.
type group struct {
	w    *world
	key  replication.GroupKey
	name string

	mu       sync.Mutex
	active   replication.Location
	state    replication.State
	status   string
	well     replication.State // before an error, and the status then
	healthy  string
	stays    bool   // the error does
	fates    []fate // of the next calls
	stubborn fate   // of all calls behind those
	slow     time.Duration
	lastSync time.Time
	behind   time.Duration   // how far the standby is behind
	tokens   map[string]bool // of incidents whose call had an effect: the ClientToken
	calls    int             // requests whose first byte left
	effects  []effect
	sends    []*send
}

// send is a call whose first byte left; answered when its sender knows what the
// provider said.
type send struct {
	signed   time.Time // by its sender's time of day, as the provider judges it
	answered bool
}

type effect struct {
	at       time.Duration
	incident string
	to       replication.Location
}

func (w *world) newGroup(n int, p replication.Provider) *group {
	return &group{
		w: w, key: replication.GroupKey{Provider: p, ID: fmt.Sprintf("g%d", n)}, name: fmt.Sprintf("db-%d", n),
		active: azA, state: replication.Replicating, status: "protected", tokens: map[string]bool{}, slow: 2 * time.Second, lastSync: w.copied(0),
	}
}

// copies brings the standby up to where it is now, never back. Under mu.
func (g *group) copies() {
	if t := g.w.copied(g.behind); t.After(g.lastSync) {
		g.lastSync = t
	}
}

// change does f while nobody else looks at the group.
func (g *group) change(f func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f()
}

// site is where production stands.
func (g *group) site() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return siteOf(g.active)
}

func (g *group) switching() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.state == replication.Switching
}

// show is the group as the provider tells it now.
func (g *group) show() replication.Group {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.w.up(siteOf(g.active)) && g.state == replication.Replicating {
		g.copies()
	}
	out := replication.Group{
		Key: g.key, Account: "acc", Name: g.name, Region: "r", Source: azA, Target: azB, Active: g.active,
		RawStatus: g.status, State: g.state, ProviderTime: time.Now().Truncate(time.Second).Round(0),
		Ready: []replication.Condition{{Name: "status_allows_failover", Value: g.status, Threshold: "protected", OK: g.state == replication.Replicating}},
	}
	switch g.key.Provider {
	case replication.HuaweiDWS:
		out.Baseline = "a primary, b standby"
		if g.active == azB {
			out.Baseline = "b primary, a standby"
		}
		out.LastSync = g.lastSync.Round(0).UTC() // as a provider tells it
	case replication.AliyunEBS:
		out.LastSync = g.lastSync.Round(0).UTC() // as a provider tells it
	default: // they copy as they write
	}
	return out
}

// sicken makes the group show an error, which may stay.
func (g *group) sicken(forGood bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.state != replication.Errored {
		g.well, g.state = g.state, replication.Errored
		g.healthy, g.status = g.status, "error"
	}
	g.stays = forGood
}

// recover ends an error, unless it stays or something else has come of it.
func (g *group) recover() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.state == replication.Errored && !g.stays {
		g.state, g.status = g.well, g.healthy
	}
}

// take is the request at the provider: what it does depends on whose it is. What is
// queued begins a moment later.
func (g *group) take(incident string, signed time.Time, queued bool) (replication.Outcome, string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if time.Since(signed) > signatureLife {
		return replication.Rejected, "the signature has expired"
	}
	switch g.key.Provider {
	case replication.HuaweiDWS:
		// A second failover swaps the roles back.
	case replication.AliyunEBS:
		if g.state == replication.Errored {
			return replication.Rejected, "not allowed in this state"
		}
		if g.active == azB || g.state != replication.Replicating {
			return replication.Accepted, "" // accepted again, and nothing comes of it
		}
		if g.tokens[incident] {
			return replication.Accepted, ""
		}
		g.tokens[incident] = true
	default:
		if g.state != replication.Replicating {
			return replication.Rejected, "not allowed in this state"
		}
	}
	if queued {
		time.AfterFunc(g.w.between("queued", 100*time.Millisecond, 2*time.Second), func() { g.change(func() { g.begin(incident) }) })
		return replication.Accepted, ""
	}
	g.begin(incident)
	return replication.Accepted, ""
}

// begin is the effect of a call.
func (g *group) begin(incident string) {
	to := azB
	if g.active == azB {
		to = azA
	}
	g.effects = append(g.effects, effect{at: g.w.now(), incident: incident, to: to})
	g.w.tell("%s moves to %s for %s", g.name, siteOf(to), incident)
	g.state, g.status = replication.Switching, "failing-over"
	time.AfterFunc(g.slow, func() {
		g.change(func() { g.active, g.state, g.status = to, replication.FailedOver, "failed-over" })
	})
}

// again is when a doubled request arrives the second time.
func (w *world) again(f fate) time.Duration {
	if f == twiceLate {
		return w.between("twice", 3*time.Second, signatureLife)
	}
	return time.Second
}

func (g *group) nextFate() fate {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.calls++
	if len(g.fates) == 0 {
		return g.stubborn
	}
	f := g.fates[0]
	g.fates = g.fates[1:]
	return f
}

// provider is the clouds as one observer reaches them.
type provider struct{ l *life }

func (p provider) Read(ctx context.Context, key replication.GroupKey) (replication.Group, error) {
	p.l.step(ctx, "read provider")
	if !p.l.w.linked(p.l.name, "cloud") {
		return replication.Group{}, errors.New("no route to the provider")
	}
	p.l.wait(ctx, p.l.w.between(p.l.name+" reads "+key.ID, 10*time.Millisecond, 50*time.Millisecond))
	g := p.l.w.groups[key].show()
	g.ReadAt = p.l.now()
	return g, nil
}

func (p provider) Track(ctx context.Context, key replication.GroupKey, _ string) (failover.Progress, error) {
	g, err := p.Read(ctx, key)
	return failover.Progress{Group: g, Detail: g.RawStatus}, err
}

func (p provider) Sender(string) (failover.Sender, error) { return p, nil }

// Failover signs, asks, and sends. What is between the question and the first byte
// takes no time: a pause there is one that nothing on this side can see.
func (p provider) Failover(ctx context.Context, o failover.Order) failover.Sent {
	w, g := p.l.w, p.l.w.groups[o.Group]
	signed := p.l.now()
	p.l.wait(ctx, w.between(p.l.name+" connects for "+o.Group.ID, 10*time.Millisecond, 50*time.Millisecond))
	p.l.step(ctx, "connect")
	if !w.linked(p.l.name, "cloud") {
		return failover.Sent{Outcome: replication.NotSent, Err: errors.New("no route to the provider")}
	}
	asked := w.now()
	if err := o.BeforeFirstByte(); err != nil && w.off != "first byte" {
		w.tell("%s does not send for %s: %v", p.l.name, g.name, err)
		return failover.Sent{Outcome: replication.NotSent, Err: err}
	}
	f := g.nextFate()
	w.tell("%s sends for %s, %s (%s)", p.l.name, g.name, o.Incident, f)
	w.judgeFirstByte(p.l, g, o, w.now()-asked)
	if f == arrives && !w.reaches(p.l.name, "cloud") {
		f = requestLost
	}
	this := &send{signed: signed.Round(0)}
	g.change(func() { g.sends = append(g.sends, this) })
	unknown := failover.Sent{Outcome: replication.Uncertain, Err: errors.New(string(f))}
	switch f {
	case throttledFor:
		this.answered = true
		return failover.Sent{Outcome: replication.Throttled, Status: 429, Err: errors.New("slow down")}
	case refusedFor:
		this.answered = true
		return failover.Sent{Outcome: replication.Rejected, Status: 400, Err: errors.New("not today")}
	case requestLost:
		p.l.wait(ctx, actionTimeout)
		return unknown
	case arrivesLate:
		time.AfterFunc(w.between("late", 3*time.Second, signatureLife-5*time.Second), func() { g.take(o.Incident, signed, false) })
		p.l.wait(ctx, actionTimeout)
		return unknown
	default: // it arrives
	}
	outcome, why := g.take(o.Incident, signed, f == beginsLater || f == unsaidLater)
	if twice := f == arrivesTwice || f == twiceLate; twice && g.key.Provider != replication.HuaweiDWS { // nobody could tell it from two calls
		time.AfterFunc(w.again(f), func() { g.take(o.Incident, signed, false) })
	}
	if !w.reaches("cloud", p.l.name) {
		f = answerLost
	}
	switch f {
	case answerLost, unsaidLater:
		p.l.wait(ctx, actionTimeout)
		return unknown
	case answerLate:
		p.l.wait(ctx, w.between("late", 10*time.Second, 60*time.Second))
	default: // it comes at once
	}
	p.l.step(ctx, "answered")
	this.answered = true
	sent := failover.Sent{Outcome: outcome, Status: 200}
	if outcome != replication.Accepted {
		sent.Status, sent.Err = 400, errors.New(why)
	}
	return sent
}
