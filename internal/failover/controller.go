package failover

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/drwatch/drwatch/internal/replication"
)

// Options are the parts a Controller works with. Senders nil means that nothing
// can be sent whatever the rules say: the daemon's ceiling is dry run.
type Options struct {
	Observer string
	Site     string

	Store   Store
	Session Session
	Upkeep  Upkeep
	Lates   Lates // nil: outcomes that come late are lost
	Rules   Rules
	Reader  Reader
	Senders Senders
	// Handbook, Drills and Operators are for what a person asks for. Operators nil
	// means, like Senders, that nothing can be sent.
	Handbook  Handbook
	Drills    Drills
	Sites     Sites
	Operators Operators
	// CanAct tells whether this observer has credentials to act for an account.
	CanAct func(account string) bool
	// MayLead tells whether this observer has credentials to act with at all. Nil:
	// it may.
	MayLead func() bool
	// Rehearses tells that this observer's ceiling is dry run: it then leads only
	// where nobody else may, or the outage would be a rehearsal for all. Nil: it
	// does not.
	Rehearses func() bool
	// LocalFreeze tells what beside this observer stops it, and it alone; nil when
	// nothing does. It is asked in every round and before everything that is sent,
	// from any goroutine. Nil: there is no such thing.
	LocalFreeze func() *replication.Freeze
	// ActionTimeout is an account's bound on one mutating call, for what a person
	// asks for. Nil: none.
	ActionTimeout func(account string) time.Duration

	AcceptSingle bool
	LeaseTTL     time.Duration
	// TrackInterval is how often a failover under way is looked at.
	TrackInterval time.Duration
	// SignatureLife is how long a signed request stays valid at a provider, and
	// Settle how long after that an unsent call is believed unsent. Only then,
	// by the provider's own clock, may an unknown call be sent again.
	SignatureLife time.Duration
	Settle        time.Duration
	// Margin is added to lease and action timeout before a take-over.
	Margin time.Duration

	Now func() time.Time
	// Rand is a number from 0 up to n, not n itself, safe for concurrent use; it
	// keeps observers and incidents from doing the same at the same moment. Nil: a
	// random one.
	Rand   func(n int64) int64
	Logger *slog.Logger
	// Told is called after each durable change; it must not block.
	Told func(Fact)
	// At is called at each named step of an execution, for tests that end the
	// process there. Nil: not called.
	At func(step string)
	// Go runs the steps of one incident, which take longer than a round; it is
	// called within Round and must not wait for them. Nil: in a goroutine.
	Go func(steps func())
	// Wait is how steps wait for d: until it has passed by Now, or with an error
	// when ctx ends. Nil: by a timer.
	Wait func(ctx context.Context, d time.Duration) error
}

// SignatureLife and Settle are what Options have where they name none, and what
// everybody waits who asks whether a call may still arrive (protocol §5).
const (
	SignatureLife = 15 * time.Minute
	Settle        = 2 * time.Minute
)

// withDefaults fills the durations that are zero.
func (o Options) withDefaults() Options {
	set := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	set(&o.LeaseTTL, 15*time.Second)
	set(&o.TrackInterval, 5*time.Second)
	set(&o.SignatureLife, SignatureLife)
	set(&o.Settle, Settle)
	set(&o.Margin, 2*time.Second)
	if o.Rand == nil {
		o.Rand = rand.Int64N
	}
	if o.Told == nil {
		o.Told = func(Fact) {}
	}
	if o.ActionTimeout == nil {
		o.ActionTimeout = func(string) time.Duration { return 0 }
	}
	if o.At == nil {
		o.At = func(string) {}
	}
	if o.Go == nil {
		o.Go = func(steps func()) { go steps() }
	}
	if o.Wait == nil {
		o.Wait = pause
	}
	return o
}

// Controller runs rounds: evaluate, vote, read, decide, claim, and drive the
// incidents it holds. One goroutine calls Round; State may be called from any.
type Controller struct {
	o Options

	mu       sync.Mutex
	state    State
	stopping bool
	beats    map[string]beat
	running  map[string]context.CancelFunc
	retry    map[string]retry // incident → not before
	asked    []asked          // by persons, not claimed yet
	unable   inability
	// calls are on their way between intent and outcome; none begins while callsHeld.
	calls     int
	callsHeld bool
	tiers     tierMemo
	votes     voteMemo
	owed      map[string]debt                  // incidents → what is known of a call and could not be written
	held      map[string]map[holding]time.Time // incidents → when each reason was written last
	waited    map[string]time.Duration         // persons' incidents → the cluster clock when they last had to wait

	// Only the goroutine of Round touches these.
	election int64               // create-revision of the leader key held, 0: none
	busy     map[string]bool     // incidents that were being driven when the store was read
	seen     map[string]sighting // incident → foreign holder first seen
	lastTick time.Time
	elected  time.Time // when this observer was elected last, by its own clock
	unread   bool      // the store could not be read last time
	driven   string    // the incident that a round has looked at last
	toldAt   map[string]time.Time

	wake chan struct{}
	wg   sync.WaitGroup
}

type beat struct {
	value int64
	moved time.Time
}

type sighting struct {
	token int64
	at    time.Time
}

type retry struct {
	at      time.Time
	attempt int
}

// State is what the last round saw, for the API, the page and /metrics.
type State struct {
	At         time.Time
	Cluster    replication.Cluster
	ClusterAt  time.Time // when it was read
	ClusterErr string    // why the store could not be read, "" when it was
	Evaluation Evaluation
	Decisions  []Decision
	Leads      bool
	// LocalFreeze is what beside this observer stops it, nil when nothing does. The
	// Cluster has the freeze that holds for all.
	LocalFreeze *replication.Freeze
}

// New makes a Controller. Nothing runs until Round is called.
func New(o Options) *Controller {
	return &Controller{
		o: o.withDefaults(), beats: map[string]beat{}, seen: map[string]sighting{}, retry: map[string]retry{}, waited: map[string]time.Duration{}, owed: map[string]debt{}, held: map[string]map[holding]time.Time{},
		unable:  inability{since: map[string]time.Time{}},
		running: map[string]context.CancelFunc{}, wake: make(chan struct{}, 1), toldAt: map[string]time.Time{},
	}
}

// Wake receives when something happened that a new round should look at.
func (c *Controller) Wake() <-chan struct{} { return c.wake }

// State is the last round's. The caller must not change it.
func (c *Controller) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

// Round is one complete pass. An error means that nothing was decided in it:
// the store or the rules could not answer.
func (c *Controller) Round(ctx context.Context) error {
	eval, err := c.o.Rules.Evaluate(ctx)
	if err != nil {
		return fmt.Errorf("evaluating the rules: %w", err)
	}
	cluster, leads, err := c.meet(ctx, eval)
	c.publish(func(s *State) {
		s.At, s.Evaluation, s.LocalFreeze = c.o.Now(), eval, c.frozenHere()
		s.ClusterErr = ""
		if err != nil {
			s.ClusterErr, s.Leads = err.Error(), false
		} else {
			s.Cluster, s.ClusterAt, s.Leads = cluster, s.At, leads
		}
	})
	if err != nil {
		c.refuseAsked(fmt.Errorf("the coordination store does not answer: %w", err))
		c.publish(func(s *State) { s.Decisions = nil })
		c.tellEach(eval, c.State().Cluster, func(RuleView, Target) []string { return []string{err.Error()} })
		return err
	}
	if leads {
		c.remember(ctx, eval, cluster)
	}
	c.payDebts(ctx, cluster)
	cluster = c.asSeenHere(cluster)
	decisions := c.decideAll(eval, cluster)
	c.publish(func(s *State) { s.Decisions = decisions })
	c.tellBlocked(eval, decisions, cluster)
	if !leads || c.isStopping() {
		c.refuseAsked(notLeading(cluster))
		return nil
	}
	c.claimAsked(ctx, cluster)
	c.claimAll(ctx, eval, cluster, decisions)
	c.driveAll(ctx, eval, cluster)
	c.upkeep(ctx, eval, cluster)
	c.resignIfUnable(ctx, eval, cluster)
	return nil
}

// meet publishes this observer's votes, renews its lease, tries to lead, and
// reads the store.
func (c *Controller) meet(ctx context.Context, eval Evaluation) (replication.Cluster, bool, error) {
	if err := c.o.Session.PublishVotes(ctx, votesOf(eval)); err != nil {
		c.dropLost()
		return replication.Cluster{}, false, fmt.Errorf("publishing votes: %w", err)
	}
	if c.unread { // the lease is renewed after rounds that were complete: the last was not
		if _, err := c.read(ctx); err != nil {
			c.dropLost()
			return replication.Cluster{}, false, err
		}
	}
	leads, err := c.renew(ctx)
	if err != nil {
		return replication.Cluster{}, false, err
	}
	c.busy = c.runningNow()
	cluster, err := c.read(ctx)
	if err != nil {
		return replication.Cluster{}, false, err
	}
	c.watchBeats(cluster)
	// The leader key may have gone between asking and reading.
	return cluster, leads && cluster.Leader != nil && cluster.Leader.CreateRev == c.election, nil
}

// read reads the store, and keeps in mind whether it could: an observer that
// renews its lease without knowing what the store holds would lead for ever, and
// decide nothing.
func (c *Controller) read(ctx context.Context) (replication.Cluster, error) {
	cluster, err := c.o.Store.Read(ctx)
	c.unread = err != nil
	if err != nil {
		return cluster, fmt.Errorf("reading the coordination store: %w", err)
	}
	return cluster, nil
}

// renew extends the lease and asks who leads. An election that is no more takes
// with it all that was started under it.
func (c *Controller) renew(ctx context.Context) (bool, error) {
	if err := c.o.Session.Renew(ctx); err != nil {
		c.dropLost()
		return false, fmt.Errorf("renewing the lease: %w", err)
	}
	var leader replication.Leader
	var leads bool
	var err error
	if c.mayLead() {
		leader, leads, err = c.o.Session.Lead(ctx)
	} else {
		leader, leads, err = c.giveUp(ctx)
	}
	if err != nil {
		c.dropLost()
		return false, fmt.Errorf("asking who leads: %w", err)
	}
	now := int64(0)
	if leads {
		now = leader.CreateRev
	}
	if c.election != now {
		c.cancelRunning()
		c.election = now
		c.lastTick = c.o.Now()
		c.elected = c.lastTick
		c.forgetInability()
	}
	return leads, nil
}

// dropLost ends an election whose lease has run out. While it lives, a store
// that does not answer cancels no call that is on its way.
func (c *Controller) dropLost() {
	if c.o.Session.LeaseLeftIn(c.election) == 0 {
		c.election = 0
		c.cancelRunning()
	}
}

// maySend is asked with the connection up, before the first byte: the lease of
// that very election must outlast the call.
func (c *Controller) maySend(election int64, intent time.Time, need time.Duration) error {
	if f := c.frozenHere(); f != nil {
		return fmt.Errorf("frozen by %s: %s: not sent", f.Who, f.Reason)
	}
	now := c.o.Now()
	if took := now.Sub(intent); took > sendWithin {
		return fmt.Errorf("%s passed between intent and first byte, over %s: not sent", took, sendWithin)
	}
	// A signature lives by the wall clock it was made by. One that is later than the
	// intent says could still arrive when the call is taken for not having happened.
	if put := now.Round(0).Sub(intent.Round(0)); put > sendWithin {
		return fmt.Errorf("the clock was put forward by %s between intent and first byte: not sent", put)
	}
	if left := c.o.Session.LeaseLeftIn(election); left <= need {
		return fmt.Errorf("%s of this election's lease are left, over %s are needed: not sent", left, need)
	}
	return nil
}

// sendWithin is the longest time from intent to first byte (protocol §4.3).
const sendWithin = 2 * time.Second

func (c *Controller) cancelRunning() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, cancel := range c.running {
		cancel()
	}
}

func (c *Controller) isStopping() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stopping
}

func votesOf(eval Evaluation) []replication.Vote {
	var votes []replication.Vote
	for _, r := range eval.Rules {
		for _, t := range r.Targets {
			if t.Vote.Verdict != "" {
				votes = append(votes, t.Vote)
			}
		}
	}
	return votes
}

// watchBeats notes whose heartbeat moved, on this observer's own clock.
func (c *Controller) watchBeats(cluster replication.Cluster) {
	now := c.o.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, o := range cluster.Observers {
		had, ok := c.beats[o.Name]
		switch {
		case !ok:
			c.beats[o.Name] = beat{value: o.Beat}
		case had.value != o.Beat:
			c.beats[o.Name] = beat{value: o.Beat, moved: now}
		}
	}
}

// LastBeats tells when the heartbeat of each observer was last seen to move, by
// this observer's clock; those that never were are left out.
func (c *Controller) LastBeats() map[string]time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := map[string]time.Time{}
	for name, b := range c.beats {
		if !b.moved.IsZero() {
			out[name] = b.moved
		}
	}
	return out
}

func (c *Controller) beating() map[string]bool {
	now := c.o.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	out := map[string]bool{}
	for name, b := range c.beats {
		out[name] = !b.moved.IsZero() && now.Sub(b.moved) < c.o.LeaseTTL
	}
	return out
}

func (c *Controller) snapshot(election int64, r RuleView, t Target, cluster replication.Cluster) Snapshot {
	cluster.Votes = c.votesOn(targetKey{r.Rule.Name, t.Group.Key}, cluster)
	return Snapshot{
		Now: c.o.Now(), Rule: r.Rule, Target: t, Fitness: r.Fitness, Cluster: cluster, Beating: c.beating(),
		Election: election, AcceptSingle: c.o.AcceptSingle, CanAct: c.canAct(r.Rule.Mode, t.Group.Account),
		After: c.after(r.Rule, t.ActiveSite, cluster),
	}
}

// canAct: a rehearsal needs no credentials that act.
func (c *Controller) canAct(m replication.Mode, account string) bool {
	if m == replication.DryRun {
		return true
	}
	return c.o.Senders != nil && c.o.CanAct(account)
}

func (c *Controller) decideAll(eval Evaluation, cluster replication.Cluster) []Decision {
	var out []Decision
	for _, r := range eval.Rules {
		for _, t := range r.Targets {
			s := c.snapshot(c.election, r, t, cluster)
			if rec, ok := openIncident(cluster, r.Rule.Name, t.Group.Key); ok {
				s.Claim = &rec
			}
			out = append(out, Decide(s))
		}
	}
	return out
}

func openIncident(cluster replication.Cluster, rule string, key replication.GroupKey) (replication.IncidentRecord, bool) {
	rec, ok := cluster.Incidents[cluster.Groups[key].OpenIncident]
	return rec, ok && rec.Rule == rule && !rec.Phase.Ended()
}

func (c *Controller) publish(change func(*State)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(&c.state)
}

// Nudge asks for a round soon: a person has changed something in the store.
func (c *Controller) Nudge() { c.nudge() }

func (c *Controller) nudge() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Close lets the steps in flight end and starts nothing new. It returns when
// all have, or when ctx ends, after cancelling them.
func (c *Controller) Close(ctx context.Context) error {
	c.mu.Lock()
	c.stopping = true
	c.mu.Unlock()
	done := make(chan struct{})
	go func() { c.wg.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	c.cancelRunning()
	<-done
	return errors.Join(fmt.Errorf("a failover step did not end in time and was cancelled; it is resumed at the next start"), ctx.Err())
}
