// Command memory measures what the real daemon holds and burns with many groups,
// polled and scraped as usual.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/drwatch/drwatch/bench/fleet"
)

func main() {
	fleet.BePeer()
	groups := flag.Int("groups", 10_000, "groups of each provider")
	interval := flag.Duration("poll-interval", 30*time.Second, "how often each account is polled")
	every := flag.Duration("scrape-interval", 15*time.Second, "how often /metrics is scraped")
	during := flag.Duration("for", 3*time.Minute, "how long it is measured, after one minute to settle")
	flag.Parse()
	if err := run(*groups, *interval, *every, *during); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(groups int, interval, every, during time.Duration) error {
	cloud, err := fleet.Clouds(groups, groups, 20*time.Millisecond)
	if err != nil {
		return err
	}
	defer cloud.Close()
	d, err := fleet.Start(cloud, 2*groups, interval)
	if err != nil {
		return err
	}
	defer d.Close()
	text, err := d.Scrape()
	if err != nil {
		return err
	}
	peer, err := fleet.StartPeer(text, interval)
	if err != nil {
		return err
	}
	defer peer.Close()
	urls := []string{d.URL + "/metrics", peer.URL}
	if err := scrapes(urls, every, time.Minute, nil); err != nil {
		return err
	}
	before, storeBefore, err := d.Usage()
	if err != nil {
		return err
	}
	peerBefore, err := peer.Usage()
	if err != nil {
		return err
	}
	start := time.Now()
	var rss, peerRSS []int64
	err = scrapes(urls, every, during, func() error {
		u, _, err := d.Usage()
		p, peerErr := peer.Usage()
		rss, peerRSS = append(rss, u.RSS), append(peerRSS, p.RSS)
		return errors.Join(err, peerErr)
	})
	if err != nil {
		return err
	}
	took := time.Since(start)
	after, store, err := d.Usage()
	if err != nil {
		return err
	}
	peerAfter, err := peer.Usage()
	if err != nil {
		return err
	}
	cores := func(a, b fleet.Usage) float64 { return float64(b.CPU-a.CPU) / float64(took) }
	highest := fleet.Quantile(rss, 1)
	fmt.Printf("%d groups polled every %s, scraped every %s, for %s\n", 2*groups, interval, every, during)
	fmt.Printf("daemon  RSS median %d MB, highest %d MB, ever %d MB (target 350 MB: %s)  CPU %.3f cores (target 0.25: %s)\n",
		fleet.Quantile(rss, 0.5)>>20, highest>>20, after.Peak>>20, fleet.Verdict(highest <= 350<<20), cores(before, after), fleet.Verdict(cores(before, after) <= 0.25))
	fmt.Printf("store   RSS %d MB  CPU %.3f cores (its etcd, a process of its own); both together at most %d MB\n", store.RSS>>20, cores(storeBefore, store), (highest+store.Peak)>>20)
	peerHighest := fleet.Quantile(peerRSS, 1)
	fmt.Printf("peer    RSS median %d MB, highest %d MB  CPU %.3f cores: %d series in a plain registry, which polls nobody and keeps no history; daemon/peer %.2f by RSS, %.2f by CPU\n",
		fleet.Quantile(peerRSS, 0.5)>>20, peerHighest>>20, cores(peerBefore, peerAfter), peer.Series, float64(highest)/float64(peerHighest), cores(before, after)/cores(peerBefore, peerAfter))
	return nil
}

// scrapes scrapes all at an interval, and looks each second.
func scrapes(urls []string, every, during time.Duration, look func() error) error {
	next := time.Now()
	for end := next.Add(during); time.Now().Before(end); fleet.Wait(time.Second) {
		if !time.Now().Before(next) {
			next = next.Add(every)
			for _, url := range urls {
				if _, err := fleet.Scrape(url); err != nil {
					return err
				}
			}
		}
		if look == nil {
			continue
		}
		if err := look(); err != nil {
			return err
		}
	}
	return nil
}
