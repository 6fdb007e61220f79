// Command poll measures what a poll of many groups costs: requests, counted by
// the simulated clouds; time against the least that the requests alone take; and
// how much later other accounts are polled while one hangs.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/drwatch/drwatch/bench/fleet"
	"github.com/drwatch/drwatch/internal/cloudsim"
	"github.com/drwatch/drwatch/internal/collector"
	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/provider/ebs"
	"github.com/drwatch/drwatch/internal/provider/sdrs"
	"github.com/drwatch/drwatch/internal/replication"
	"github.com/drwatch/drwatch/internal/series"
)

const page = 500

func main() {
	groups := flag.Int("groups", 10_000, "groups of each provider")
	latency := flag.Duration("latency", 20*time.Millisecond, "added to each request")
	rounds := flag.Int("rounds", 5, "polls to take the median of")
	flag.Parse()
	// The simulated clouds live in this process: what they hold is seldom to be
	// looked at while polls are measured.
	debug.SetGCPercent(400)
	if err := run(*groups, *rounds, *latency); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(groups, rounds int, latency time.Duration) error {
	cloud, err := fleet.Clouds(groups, groups, latency)
	if err != nil {
		return err
	}
	defer cloud.Close()
	fmt.Printf("%d SDRS and %d EBS groups, %d pairs each, %s added to each request, one request at a time for each account, median of %d\n", groups, groups, fleet.Pairs, latency, rounds)
	waits := &waiting{}
	all, err := readers(cloud, waits)
	if err != nil {
		return err
	}
	pages := func(n int) int { return (n + page - 1) / page }
	least := pages(groups) + pages(fleet.Pairs*groups)
	b := bench{cloud: cloud, waits: waits, groups: groups, rounds: rounds, latency: latency}
	return errors.Join(
		b.poll(all[replication.HuaweiSDRS], replication.HuaweiSDRS, least, pages(fleet.Pairs*groups)), // as many instances as pairs here
		b.poll(all[replication.AliyunEBS], replication.AliyunEBS, least, 0),
		hanging(all[replication.AliyunEBS], cloud),
	)
}

// waiting sums up how long requests took, on the wire and at the other side.
type waiting struct {
	provider.NopMeter
	total atomic.Int64
}

// Request adds one.
func (w *waiting) Request(_, _ string, took time.Duration) { w.total.Add(int64(took)) }

func readers(c *cloudsim.Cloud, meter provider.Meter) (map[replication.Provider]provider.Reader, error) {
	settings := provider.Settings{
		ProjectID: cloudsim.ProjectID, Timeout: 20 * time.Second, Now: time.Now, TimeZone: time.UTC, Meter: meter, UserAgent: "bench",
		Credentials: func() (provider.Credentials, error) {
			return provider.Credentials{AccessKey: cloudsim.AccessKey, SecretKey: cloudsim.SecretKey}, nil
		},
	}
	out := map[replication.Provider]provider.Reader{}
	var err error
	settings.Account, settings.Region, settings.Endpoint = "sdrs", "cn-north-4", c.URL(cloudsim.EndpointSDRS)
	if out[replication.HuaweiSDRS], err = sdrs.NewReader(settings); err != nil {
		return nil, err
	}
	settings.Account, settings.Region, settings.Endpoint = "ebs", "cn-beijing", c.URL(cloudsim.EndpointEBS)
	settings.PrimaryRegion = settings.Region
	out[replication.AliyunEBS], err = ebs.NewReader(settings)
	return out, err
}

type bench struct {
	cloud          *cloudsim.Cloud
	waits          *waiting
	groups, rounds int
	latency        time.Duration
}

// poll polls all groups of a provider. more is how many requests it takes beyond
// the pages of groups and pairs.
func (b bench) poll(r provider.Reader, p replication.Provider, least, more int) error {
	var took, waited []time.Duration
	var listing provider.Listing
	calls := b.cloud.Calls(p, "")
	for range b.rounds {
		before, start := b.waits.total.Load(), time.Now()
		var err error
		if listing, err = r.List(context.Background()); err != nil {
			return err
		}
		took, waited = append(took, time.Since(start)), append(waited, time.Duration(b.waits.total.Load()-before))
		if len(listing.Groups) != b.groups || len(listing.Bad) > 0 {
			return fmt.Errorf("%s: %d groups, unreadable %v", p, len(listing.Groups), listing.Bad)
		}
	}
	calls = (b.cloud.Calls(p, "") - calls) / b.rounds
	each, eachCalls, err := b.oneByOne(r, p, listing.Groups)
	if err != nil {
		return err
	}
	start := time.Now()
	for range calls {
		fleet.Wait(b.latency)
	}
	waits := time.Since(start)
	median, alone := fleet.Quantile(took, 0.5), time.Duration(calls)*b.latency
	ratio := float64(median) / float64(alone)
	told := ""
	if more > 0 {
		told = fmt.Sprintf(" and %d of protected instances", more)
	}
	fmt.Printf("%-12s %4d requests a poll: the least for groups and pairs is %d%s (%s)\n", p, calls, least, told, fleet.Verdict(calls == least+more))
	fmt.Printf("%-12s %.2f s a poll, of which %.2f s until answers were there; %.2f × requests × latency (target 1.30: %s); this machine needs %.2f s to do nothing but wait as often\n",
		"", median.Seconds(), fleet.Quantile(waited, 0.5).Seconds(), ratio, fleet.Verdict(ratio <= 1.3), waits.Seconds())
	all := each * time.Duration(b.groups)
	fmt.Printf("%-12s group by group: %d requests, %.0f s (from 100 groups): 1/%.0f of the requests, 1/%.0f of the time\n",
		"", eachCalls*b.groups, all.Seconds(), float64(eachCalls*b.groups)/float64(calls), float64(all)/float64(median))
	return nil
}

// oneByOne reads a hundred groups each on its own, as exporters do that ask for
// each resource.
func (b bench) oneByOne(r provider.Reader, p replication.Provider, groups []replication.Group) (each time.Duration, calls int, err error) {
	few := groups[:min(100, len(groups))]
	before, start := b.cloud.Calls(p, ""), time.Now()
	for _, g := range few {
		if _, err := r.Read(context.Background(), g.Key.ID); err != nil {
			return 0, 0, err
		}
	}
	return time.Since(start) / time.Duration(len(few)), (b.cloud.Calls(p, "") - before) / len(few), nil
}

// hanging polls five accounts of one cloud, once as they are and once with a
// sixth that never answers, and compares when the five are polled.
func hanging(hangs provider.Reader, c *cloudsim.Cloud) error {
	small, err := fleet.Clouds(500, 0, 20*time.Millisecond)
	if err != nil {
		return err
	}
	defer small.Close()
	without, err := gap(small, nil)
	if err != nil {
		return err
	}
	if _, err := c.AddFault(cloudsim.Fault{Endpoint: cloudsim.EndpointEBS, Answer: cloudsim.Hang}); err != nil {
		return err
	}
	defer c.ClearFaults()
	with, err := gap(small, hangs)
	if err != nil {
		return err
	}
	waits, err := inTurn(small, hangs)
	if err != nil {
		return err
	}
	late := float64(with)/float64(without) - 1
	fmt.Printf("five accounts of 500 groups every 2 s: from the begin of a poll to the next %.4f s, with a sixth account that hangs %.4f s: %+.2f %% (target 1 %%: %s)\n",
		without.Seconds(), with.Seconds(), 100*late, fleet.Verdict(late <= 0.01))
	fmt.Printf("%11spolled in turn, with 10 s until the hanging one is given up: the other five begin %.1f s later, %+.0f %%\n", "", waits.Seconds(), 100*float64(waits)/float64(without))
	return nil
}

// inTurn polls the hanging account and then another, as a loop over accounts
// does, and tells how much later the other begins.
func inTurn(c *cloudsim.Cloud, hangs provider.Reader) (time.Duration, error) {
	r, err := readers(c, provider.NopMeter{})
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	start := time.Now()
	if _, err := hangs.List(ctx); err == nil {
		return 0, errors.New("the account that should hang has answered")
	}
	late := time.Since(start)
	_, err = r[replication.HuaweiSDRS].List(context.Background())
	return late, err
}

// gap is the median time from the begin of one poll to that of the next.
func gap(c *cloudsim.Cloud, hangs provider.Reader) (time.Duration, error) {
	col, err := collector.New(collector.Options{
		Series: series.New(series.Options{Epoch: time.Now()}), Now: time.Now, Int64N: func(int64) int64 { return 0 }, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return 0, err
	}
	r, err := readers(c, provider.NopMeter{})
	if err != nil {
		return 0, err
	}
	var s collector.Settings
	add := func(name string, p replication.Provider, r provider.Reader, timeout time.Duration) {
		s.Accounts = append(s.Accounts, collector.AccountSettings{Name: name, Provider: p, Reader: r, PollInterval: 2 * time.Second, PollTimeout: timeout})
	}
	if hangs != nil {
		add("hangs", replication.AliyunEBS, hangs, time.Minute)
	}
	for i := range 5 {
		add(fmt.Sprint("a", i), replication.HuaweiSDRS, r[replication.HuaweiSDRS], 10*time.Second)
	}
	if err := col.Update(s); err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 24*time.Second)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- col.Run(ctx) }()
	last := map[string]time.Time{}
	var gaps []time.Duration
	for ctx.Err() == nil {
		fleet.Wait(2 * time.Millisecond)
		for _, a := range col.Snapshot().Accounts {
			began := a.LastTry.Add(-a.Duration)
			if was := last[a.Name]; a.Up && !was.Equal(began) {
				if !was.IsZero() {
					gaps = append(gaps, began.Sub(was))
				}
				last[a.Name] = began
			}
		}
	}
	if err := <-ended; err != nil {
		return 0, err
	}
	return fleet.Quantile(gaps, 0.5), nil
}
