package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/drwatch/drwatch/bench/fleet"
	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/quorum"
	"github.com/drwatch/drwatch/internal/replication"
)

const memberCommand = "etcd-member"

// names are the observers, and the sites they stand at: one at the site that is
// lost, one at the other, and the witness.
func names() map[string]string {
	return map[string]string{"obs-a": siteA, "obs-b": siteB, "obs-w": "witness"}
}

// cluster is three observers whose members are far from each other.
type cluster struct {
	groups int
	dir    string
	peers  map[string]string
	links  map[string]*link
	stores []*quorum.Store
	all    []*observer
	rules  *rules
	tally  *tally

	stopAll context.CancelFunc
	running sync.WaitGroup
}

// observer is one controller with its loop.
type observer struct {
	name       string
	store      *quorum.Store
	controller *failover.Controller

	mu    sync.Mutex
	took  []time.Duration // rounds in which it led
	least time.Duration   // left of its lease at the end of a round
}

func newCluster(o options) (*cluster, error) {
	dir, err := os.MkdirTemp("", "drwatch-claims-")
	if err != nil {
		return nil, err
	}
	c := &cluster{groups: o.groups, dir: dir, peers: map[string]string{}, links: map[string]*link{}, rules: newRules(o.groups), tally: &tally{}}
	if err := c.open(o); err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

func (c *cluster) open(o options) error {
	for name := range names() {
		port, err := freePort()
		if err != nil {
			return err
		}
		// Written so, it is this machine, and yet not exempt from proxies.
		c.peers[name] = fmt.Sprintf("http://LOCALHOST:%d", port)
		if c.links[name], err = newLink(o.rtt); err != nil {
			return err
		}
	}
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	for name, site := range names() {
		store, err := quorum.Open(quorum.Options{
			Dir: filepath.Join(c.dir, name, "etcd"), Cluster: "bench", Observer: name, Site: site, Version: "bench", LeaseTTL: leaseTTL,
			Command: []string{exe, memberCommand, c.links[name].url}, Peers: &quorum.Peers{Members: c.peers}, Logger: o.log.With("observer", name), Now: time.Now,
		})
		if err != nil {
			return err
		}
		c.stores = append(c.stores, store)
		c.all = append(c.all, c.newObserver(name, site, store, o))
	}
	return c.until(context.Background(), "the members to join", func() bool {
		for _, s := range c.stores {
			if !s.Status().Joined {
				return false
			}
		}
		return true
	})
}

func (c *cluster) newObserver(name, site string, store *quorum.Store, o options) *observer {
	return &observer{name: name, store: store, least: leaseTTL, controller: failover.New(failover.Options{
		Observer: name, Site: site, Store: store, Session: store, Upkeep: store, Lates: store,
		Rules: seat{rules: c.rules, observer: name, site: site}, Reader: nobody{}, Senders: nobody{},
		CanAct: func(string) bool { return true }, LeaseTTL: leaseTTL, Now: time.Now, Logger: o.log.With("observer", name), Told: c.tally.told,
	})}
}

func freePort() (int, error) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// remember puts down where each group's production is, as a leader does when it
// first sees a group.
func (c *cluster) remember(ctx context.Context) error {
	return inParallel(64, c.groups, func(n int) error {
		return c.stores[0].PutGroup(ctx, groupKey(n), replication.GroupRecord{Active: locationA})
	})
}

// roundTrip is the middle of what a question to another member takes.
func (c *cluster) roundTrip(ctx context.Context) (time.Duration, error) {
	var took []time.Duration
	for from, l := range c.links {
		for to, peer := range c.peers {
			if from == to {
				continue
			}
			for range 5 {
				d, err := l.ask(ctx, peer+"/version")
				if err != nil {
					return 0, err
				}
				took = append(took, d)
			}
		}
	}
	return fleet.Quantile(took, 0.5), nil
}

// begin runs the observers' loops until stop.
func (c *cluster) begin(ctx context.Context) {
	ctx, c.stopAll = context.WithCancel(ctx)
	for _, o := range c.all {
		c.running.Go(func() { o.store.Watch(ctx, o.controller.Nudge) })
		c.running.Go(func() { o.loop(ctx) })
	}
}

// loop is the daemon's: a round whenever something happened, and at the latest
// after a while.
func (o *observer) loop(ctx context.Context) {
	const leastPause, longest = 20 * time.Millisecond, leaseTTL / 4
	for ctx.Err() == nil {
		began := time.Now()
		err := o.controller.Round(ctx)
		took := time.Since(began)
		state := o.controller.State()
		if err == nil && state.Leads {
			o.mu.Lock()
			o.took = append(o.took, took)
			o.least = min(o.least, o.store.LeaseLeft())
			o.mu.Unlock()
		}
		timer := time.NewTimer(longest)
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-o.controller.Wake():
			fleet.Wait(leastPause)
		}
		timer.Stop()
	}
}

// ready tells that one leads, and sees three.
func (c *cluster) ready() bool {
	for _, o := range c.all {
		if s := o.controller.State(); s.Leads && len(s.Cluster.Observers) == len(c.all) && len(o.controller.LastBeats()) == len(c.all) {
			return true
		}
	}
	return false
}

// fire loses the site, for all observers at once.
func (c *cluster) fire() time.Time {
	began := time.Now()
	c.rules.lose(began)
	for _, o := range c.all {
		o.controller.Nudge()
	}
	return began
}

// rounds takes what rounds of leaders took since it was last called.
func (c *cluster) rounds() []time.Duration {
	var out []time.Duration
	for _, o := range c.all {
		o.mu.Lock()
		out, o.took = append(out, o.took...), nil
		o.mu.Unlock()
	}
	return out
}

func (c *cluster) leastLease() time.Duration {
	least := leaseTTL
	for _, o := range c.all {
		o.mu.Lock()
		least = min(least, o.least)
		o.mu.Unlock()
	}
	return least
}

// until waits for a condition.
func (c *cluster) until(ctx context.Context, what string, ok func() bool) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", what, ctx.Err())
		case <-tick.C:
		}
	}
	return nil
}

// stop ends the loops.
func (c *cluster) stop() error {
	if c.stopAll == nil {
		return nil
	}
	c.stopAll()
	c.running.Wait()
	var errs []error
	for _, o := range c.all {
		errs = append(errs, o.controller.Close(context.Background()))
	}
	return errors.Join(errs...)
}

func (c *cluster) close() error {
	errs := []error{c.stop()}
	for _, s := range c.stores {
		_ = s.Close() // whose lease cannot be given back any more is of no matter here
	}
	for _, l := range c.links {
		errs = append(errs, l.close())
	}
	return errors.Join(append(errs, os.RemoveAll(c.dir))...)
}

// sizeOf is how many bytes of values the claim of an incident wrote.
func (c *cluster) sizeOf(ctx context.Context, id string, rec replication.IncidentRecord) (int, error) {
	entries, err := c.stores[0].Journal(ctx, id)
	if err != nil {
		return 0, err
	}
	total := 0
	for _, v := range []any{rec.Incident, rec.Holder, replication.GroupRecord{Active: locationA, OpenIncident: id}, entries[0]} {
		b, err := json.Marshal(v)
		if err != nil {
			return 0, err
		}
		total += len(b)
	}
	return total, nil
}

// inParallel calls f for each of n, so many at a time.
func inParallel(atOnce, n int, f func(int) error) error {
	var wg sync.WaitGroup
	numbers := make(chan int)
	errs := make(chan error, atOnce)
	for range atOnce {
		wg.Go(func() {
			var failed error
			for i := range numbers {
				if failed == nil {
					failed = f(i)
				}
			}
			errs <- failed
		})
	}
	for i := range n {
		numbers <- i
	}
	close(numbers)
	wg.Wait()
	close(errs)
	var first error
	for err := range errs {
		if first == nil {
			first = err
		}
	}
	return first
}
