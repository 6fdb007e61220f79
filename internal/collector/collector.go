package collector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/drwatch/drwatch/internal/probe"
	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/replication"
)

// Options is what a Collector needs.
type Options struct {
	Series Series
	Now    func() time.Time
	Int64N func(n int64) int64 // a random number in [0, n), for jitter; safe for concurrent use
	Logger *slog.Logger
	// OnMove is told each change of a group's active side that a poll shows. It is
	// called by the poll's own goroutine; while it runs, the account waits. Nil
	// when nobody asks.
	OnMove func(Move)
	// Probers by the name that a module gives; nil means blackbox_exporter's.
	Probers probe.Probers
}

// Collector polls, probes and holds what was found. Its methods are safe for
// concurrent use.
type Collector struct {
	o       Options
	table   *Table
	feed    *feeder
	probes  *probe.Runner
	changed chan struct{} // holds one token when something changed
	rearm   chan struct{} // holds one token when a verdict may expire at another time
	current atomic.Pointer[Snapshot]
	ready   atomic.Bool

	updating sync.Mutex // held by Update, so that two do not mix
	loops    sync.WaitGroup

	mu         sync.Mutex
	ctx        context.Context // of Run, nil before it
	over       bool            // Run waits for its end
	configured bool            // Update was called
	generation uint64          // counts the Updates, and the groups that another account holds than before
	sites      []replication.Site
	accounts   []*account // in the order of precedence
	groups     map[replication.GroupKey]Group
	merges     uint64 // counts the times that groups was made anew
	known      map[replication.GroupKey]whereabouts
	watched    []watch // the sites, then the references
	sightings  map[probe.ID]probe.Sighting
	meters     map[string]*meter // by account
}

// whereabouts is what is remembered of a group, also while no poll shows it.
type whereabouts struct {
	account string
	active  replication.Location
	seen    time.Time // when a poll last showed it
}

// remembered is for how long: a group that was deleted is forgotten some day, or
// groups that come and go would fill the memory.
const remembered = 7 * 24 * time.Hour

// New makes a Collector that watches nothing.
func New(o Options) (*Collector, error) {
	if o.Series == nil || o.Now == nil || o.Int64N == nil || o.Logger == nil {
		return nil, errors.New("collector: Series, Now, Int64N and Logger must be given")
	}
	table, err := NewTable(definitions)
	if err != nil {
		return nil, err
	}
	c := &Collector{
		o: o, table: table,
		changed: make(chan struct{}, 1), rearm: make(chan struct{}, 1),
		groups: map[replication.GroupKey]Group{}, known: map[replication.GroupKey]whereabouts{},
		sightings: map[probe.ID]probe.Sighting{}, meters: map[string]*meter{},
	}
	c.feed = newFeeder(table, o.Series, func(err error) { o.Logger.Error("samples left out of the series", "err", err) })
	c.probes, err = probe.New(probe.Options{Now: o.Now, Int64N: o.Int64N, Logger: o.Logger, Report: c.saw, Probers: o.Probers})
	if err != nil {
		return nil, err
	}
	c.publish(o.Now())
	return c, nil
}

// Run polls and probes until ctx ends, and returns when all its loops are gone.
// A reader or prober that does not return although its context has ended is
// left behind. It may be called once.
func (c *Collector) Run(ctx context.Context) error {
	c.mu.Lock()
	if c.ctx != nil {
		c.mu.Unlock()
		return errors.New("collector: it runs already")
	}
	c.ctx = ctx
	for _, a := range c.accounts {
		c.start(a)
	}
	c.mu.Unlock()

	c.loops.Go(func() { c.expire(ctx) })
	err := c.probes.Run(ctx)
	<-ctx.Done()
	c.mu.Lock()
	c.over = true
	c.mu.Unlock()
	c.loops.Wait()
	return err
}

// Snapshot is what is seen now. It is never nil.
func (c *Collector) Snapshot() *Snapshot { return c.current.Load() }

// Changed gives a token when a probe's result, a verdict or a poll brought
// something new: time to evaluate before the next round is due. Tokens do not
// add up; one consumer can wait on it.
func (c *Collector) Changed() <-chan struct{} { return c.changed }

// Ready tells whether the first poll of every account has ended, well or not.
// Once ready, it stays so over reloads.
func (c *Collector) Ready() bool { return c.ready.Load() }

// Pace tells of every probe whether its rounds come on time.
func (c *Collector) Pace() []probe.Pace { return c.probes.Pace() }

// Metrics renders the snapshot for /metrics. It never calls a provider.
func (c *Collector) Metrics() prometheus.Collector {
	return c.table.Collector(func() []Sample { return c.Snapshot().Samples(c.o.Now()) })
}

// NewMeter is the meter of an account's requests. It goes on counting over
// reloads, as long as the account stays.
func (c *Collector) NewMeter(account string) provider.Meter {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.meter(account)
}

func (c *Collector) meter(account string) *meter {
	if c.meters[account] == nil {
		c.meters[account] = newMeter()
	}
	return c.meters[account]
}

// Update makes settings what is watched. An account that stays, by name and
// provider, keeps its last good state and its counters and is polled soon; a
// probe that stays as it was goes on undisturbed. What left takes its series
// along. Settings with a mistake change nothing.
func (c *Collector) Update(s Settings) error {
	c.updating.Lock()
	defer c.updating.Unlock()
	if err := errors.Join(s.check(), c.probes.Check(s.specs())); err != nil {
		return fmt.Errorf("what to watch was not taken over: %w", err)
	}
	moves, err := c.replace(s)
	poke(c.rearm)
	c.tell(moves)
	return errors.Join(err, c.probes.Update(s.specs()))
}

// replace takes over settings that were checked.
func (c *Collector) replace(s Settings) ([]Move, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.o.Now()
	c.configured = true
	c.generation++
	c.sites = s.sites()
	err := c.replaceAccounts(s.Accounts, now)
	moves := c.merge(now)
	c.replaceProbes(s, now)
	c.publish(now)
	return moves, err
}

// publish swaps the snapshot. c.mu is held, but in New.
func (c *Collector) publish(now time.Time) {
	s := &Snapshot{At: now, Groups: c.groups, merges: c.merges, generation: c.generation}
	tried := c.configured
	for _, a := range c.accounts {
		s.Accounts = append(s.Accounts, a.state)
		tried = tried && a.state.Tried
	}
	for _, w := range c.watched {
		if w.reference {
			s.References, s.ReferenceCount = w.state.Verdict, w.state.Probes
		} else {
			s.Sites = append(s.Sites, w.state)
		}
		for _, id := range w.probes {
			s.Probes = append(s.Probes, c.sightings[id])
		}
	}
	c.current.Store(s)
	if tried {
		c.ready.Store(true)
	}
}

// tell reports moves and that something changed. c.mu is not held.
func (c *Collector) tell(moves []Move) {
	for _, m := range moves {
		c.o.Logger.Warn("a group's active side changed", "provider", m.Key.Provider, "group", m.Key.ID,
			"account", m.Account, "from", m.From.String(), "to", m.To.String())
		if c.o.OnMove != nil {
			c.o.OnMove(m)
		}
	}
	poke(c.changed)
}
