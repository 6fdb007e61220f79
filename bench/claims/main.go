// Command claims measures how fast three observers commit claims when thousands
// of groups fire at once: the real controllers on the real store, whose members
// are far from each other. Beside it stands what a person would take instead: one
// lock for each group in the same etcd, in the same run.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"runtime/pprof"
	"slices"
	"time"

	"github.com/drwatch/drwatch/bench/fleet"
	"github.com/drwatch/drwatch/internal/quorum"
	"github.com/drwatch/drwatch/internal/replication"
)

const (
	goalWithin = 60 * time.Second
	leaseTTL   = 15 * time.Second
	// settle is how long rounds are looked at before the site is lost, and again
	// once all its incidents are open.
	settle = 20 * time.Second
)

// options are the flags.
type options struct {
	groups  int
	rtt     time.Duration
	locks   int // at a time
	giveUp  time.Duration
	profile string
	log     *slog.Logger
}

func main() {
	if len(os.Args) == 3 && os.Args[1] == memberCommand {
		if err := os.Setenv("HTTP_PROXY", os.Args[2]); err != nil { // so it reaches its peers
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(quorum.MemberMain(nil))
	}
	var o options
	flag.IntVar(&o.groups, "groups", 10_000, "groups whose site is lost at once")
	flag.DurationVar(&o.rtt, "rtt", 40*time.Millisecond, "round trip between the members")
	flag.IntVar(&o.locks, "in-flight", 32, "how many of the plain locks are under way at a time")
	flag.DurationVar(&o.giveUp, "give-up", 10*time.Minute, "after which a run counts as failed")
	flag.StringVar(&o.profile, "cpu-profile", "", "write where this process spends its time while claims are made")
	runs := flag.Int("runs", 3, "runs to take the median of, each with a cluster of its own")
	verbose := flag.Bool("verbose", false, "show what the observers log")
	flag.Parse()
	level := slog.LevelError
	if *verbose {
		level = slog.LevelInfo
	}
	o.log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	if err := measure(o, *runs); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// measured is one run's figures.
type measured struct {
	rtt    time.Duration
	locks  time.Duration // until all plain locks were held
	same   time.Duration // the same with values as large as what a claim writes
	claims time.Duration // until all incidents were open
	first  time.Duration // until the first was
	held   int           // that had been told what they wait for by then
	calm   []time.Duration
	rush   []time.Duration // rounds of the leader while claims were made
	after  []time.Duration // and with all incidents open
	leased time.Duration   // the least that was left of the leader's lease
	bytes  int             // that a claim writes
	store  int64           // bytes of a member's directory at the end
}

func measure(o options, runs int) error {
	fmt.Printf("%d groups at one site, three observers with an etcd member each on this machine, lease %s, mode approve: claims stand, nothing is called\n", o.groups, leaseTTL)
	var all []measured
	for n := range runs {
		m, err := run(o)
		if err != nil {
			return fmt.Errorf("run %d: %w", n+1, err)
		}
		m.print(o, fmt.Sprintf("run %d", n+1))
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b measured) int { return int(a.claims - b.claims) })
	m := all[len(all)/2]
	rate := func(d time.Duration) float64 { return float64(o.groups) / d.Seconds() }
	fmt.Printf("median of %d: %d claims in %.1fs, %.0f a second (goal: 10,000 in %s at 40ms, %s); plain locks %.0f a second, claims/locks %.2f; puts of the same bytes %.0f a second\n",
		runs, o.groups, m.claims.Seconds(), rate(m.claims), goalWithin, fleet.Verdict(m.claims.Seconds()*10_000/float64(o.groups) <= goalWithin.Seconds()), rate(m.locks), rate(m.claims)/rate(m.locks), rate(m.same))
	return nil
}

func (m measured) print(o options, name string) {
	rate := func(d time.Duration) float64 { return float64(o.groups) / d.Seconds() }
	fmt.Printf("%s: round trip %s; claims %.1fs, %.0f a second, first after %.2fs, of %d was written by then that they wait for an approval; %d bytes each; member's directory %d MB\n",
		name, m.rtt.Round(time.Millisecond), m.claims.Seconds(), rate(m.claims), m.first.Seconds(), m.held, m.bytes, m.store>>20)
	fmt.Printf("%s: locks (concurrency.Mutex, %d at a time) %.1fs, %.0f a second; put-if-absent of as many bytes as a claim %.1fs, %.0f a second\n",
		name, o.locks, m.locks.Seconds(), rate(m.locks), m.same.Seconds(), rate(m.same))
	longest := func(ds []time.Duration) string {
		if len(ds) == 0 {
			return "none"
		}
		return fmt.Sprintf("p50 %.2fs max %.2fs of %d", fleet.Quantile(ds, 0.5).Seconds(), slices.Max(ds).Seconds(), len(ds))
	}
	fmt.Printf("%s: rounds of the leader: before %s; while claiming %s; with all incidents open %s; least left of its lease %.1fs\n",
		name, longest(m.calm), longest(m.rush), longest(m.after), m.leased.Seconds())
}

func run(o options) (m measured, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), o.giveUp)
	defer cancel()
	c, err := newCluster(o)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	if err := c.remember(ctx); err != nil {
		return m, err
	}
	if m.rtt, err = c.roundTrip(ctx); err != nil {
		return m, err
	}
	c.begin(ctx)
	if err := c.until(ctx, "an observer to lead with all three alive", c.ready); err != nil {
		return m, err
	}
	fleet.Wait(settle)
	m.calm = c.rounds()
	stopProfile, err := profile(o.profile)
	if err != nil {
		return m, err
	}
	began := c.fire()
	err = c.until(ctx, "all groups to be claimed", func() bool { return c.tally.claimed() >= o.groups })
	stopProfile()
	if err != nil {
		return m, fmt.Errorf("%w: %d of %d claimed", err, c.tally.claimed(), o.groups)
	}
	m.first, m.claims = c.tally.span(began)
	m.rush = c.rounds()
	m.held = c.tally.heldNow()
	fleet.Wait(settle)
	m.after, m.leased = c.rounds(), c.leastLease()
	if err := c.stop(); err != nil {
		return m, err
	}
	if m.bytes, err = c.verify(ctx); err != nil {
		return m, err
	}
	m.store = c.stores[0].Status().DiskBytes
	m.locks, m.same, err = c.locks(ctx, o, m.bytes)
	return m, err
}

// verify counts what stands in the store, and gives the bytes of one claim.
func (c *cluster) verify(ctx context.Context) (int, error) {
	got, err := c.stores[0].Read(ctx)
	if err != nil {
		return 0, err
	}
	groups := map[replication.GroupKey]bool{}
	bytes := 0
	for id, rec := range got.Incidents {
		if groups[rec.Key()] {
			return 0, fmt.Errorf("group %s was claimed twice", rec.Key())
		}
		groups[rec.Key()] = true
		if bytes == 0 {
			if bytes, err = c.sizeOf(ctx, id, rec); err != nil {
				return 0, err
			}
		}
	}
	if len(groups) != c.groups {
		return 0, fmt.Errorf("the store holds %d incidents, want %d", len(groups), c.groups)
	}
	return bytes, nil
}

// profile writes where this process spends its time until it is called back.
func profile(path string) (func(), error) {
	if path == "" {
		return func() {}, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	return pprof.StopCPUProfile, pprof.StartCPUProfile(f)
}
