// Command scrape compares /metrics of the real daemon with the same series in a
// plain client_golang registry: both gzip, over loopback, in turn, in one run.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/drwatch/drwatch/bench/fleet"
	"github.com/drwatch/drwatch/internal/exposition"
)

func main() {
	fleet.BePeer()
	groups := flag.Int("groups", 10_000, "groups of each provider")
	rounds := flag.Int("rounds", 10, "rounds, each of scrapes of ours and one of the peer's")
	each := flag.Int("each", 100, "scrapes of ours in a round")
	pause := flag.Duration("pause", 20*time.Millisecond, "between two scrapes of ours")
	interval := flag.Duration("poll-interval", time.Hour, "how often the daemon polls meanwhile")
	flag.Parse()
	if err := run(*groups, *rounds, *each, *interval, *pause); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(groups, rounds, each int, interval, pause time.Duration) error {
	cloud, err := fleet.Clouds(groups, groups, 0)
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
	peer, err := fleet.StartPeer(text, time.Hour)
	if err != nil {
		return err
	}
	defer peer.Close()
	floor, err := same(d.URL + "/metrics")
	if err != nil {
		return err
	}
	// Clients that only read: what they take is the server's time and the wire's.
	var ours, theirs, bare []time.Duration
	var size, peerSize int64
	for range rounds {
		for range each {
			fleet.Wait(pause)
			took, n, err := scrape(d.URL + "/metrics")
			if err != nil {
				return err
			}
			ours, size = append(ours, took), n
			fleet.Wait(pause)
			if took, _, err = scrape(floor); err != nil {
				return err
			}
			bare = append(bare, took)
		}
		took, n, err := scrape(peer.URL)
		if err != nil {
			return err
		}
		theirs, peerSize = append(theirs, took), n
	}
	p50, p99, peer50 := fleet.Quantile(ours, 0.5), fleet.Quantile(ours, 0.99), fleet.Quantile(theirs, 0.5)
	fmt.Printf("%d series, %.1f MB of text; daemon polls every %s; each in a process of its own\n", peer.Series, float64(len(text))/1e6, interval)
	fmt.Printf("ours, gzip  %.2f MB  p50 %.2f ms  p99 %.2f ms of %d, one every %s (target p99 5 ms: %s)\n", float64(size)/1e6, ms(p50), ms(p99), len(ours), pause, fleet.Verdict(p99 <= 5*time.Millisecond))
	fmt.Printf("bare, gzip  the same bytes from memory, by net/http alone: p50 %.2f ms  p99 %.2f ms\n", ms(fleet.Quantile(bare, 0.5)), ms(fleet.Quantile(bare, 0.99)))
	fmt.Printf("peer, gzip  %.2f MB  p50 %.0f ms of %d; ours/peer 1/%.0f by p50 (target 1/20: %s)\n", float64(peerSize)/1e6, ms(peer50), len(theirs), float64(peer50)/float64(p50), fleet.Verdict(20*p50 <= peer50))
	return errors.Join(atOnce(d, each), counted(text, each))
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// scrape reads an answer as it comes over the wire, compressed.
func scrape(url string) (time.Duration, int64, error) {
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, http.NoBody)
	if err != nil {
		return 0, 0, err
	}
	r.Header.Set("Accept-Encoding", "gzip")
	r.Header.Set("Accept", "application/openmetrics-text;version=1.0.0")
	start := time.Now()
	resp, err := fleet.Client().Do(r)
	if err != nil {
		return 0, 0, err
	}
	defer resp.Body.Close()
	n, err := io.Copy(io.Discard, resp.Body)
	if err == nil && (resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Encoding") != "gzip") {
		err = fmt.Errorf("%s: %s, encoding %q", url, resp.Status, resp.Header.Get("Content-Encoding"))
	}
	return time.Since(start), n, err
}

// same serves the bytes of one scrape from memory: what the wire takes.
func same(url string) (string, error) {
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, http.NoBody)
	if err != nil {
		return "", err
	}
	r.Header.Set("Accept-Encoding", "gzip")
	resp, err := fleet.Client().Do(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	return fleet.Serve(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(body)
	}))
}

// atOnce compares the daemon's CPU time for twenty scrapes at once with that
// for as many one after the other.
func atOnce(d *fleet.Daemon, rounds int) error {
	const many = 20
	cpu := func(work func() error) (time.Duration, error) {
		before, _, err := d.Usage()
		if err != nil {
			return 0, err
		}
		if err := work(); err != nil {
			return 0, err
		}
		after, _, err := d.Usage()
		return after.CPU - before.CPU, err
	}
	alone, err := cpu(func() error {
		for range rounds * many {
			if _, _, err := scrape(d.URL + "/metrics"); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	together, err := cpu(func() error {
		errs := make(chan error, many)
		for range rounds {
			var all sync.WaitGroup
			for range many {
				all.Go(func() {
					if _, _, err := scrape(d.URL + "/metrics"); err != nil {
						errs <- err
					}
				})
			}
			all.Wait()
			select {
			case err := <-errs:
				return err
			default:
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	per := func(d time.Duration) float64 { return ms(d) / float64(rounds*many) }
	fmt.Printf("daemon's CPU for a scrape: %.2f ms alone, %.2f ms each of %d at once (a peer renders for each of them: %d times as much as for one)\n", per(alone), per(together), many, many)
	return nil
}

// counter counts how often it is collected.
type counter struct{ times atomic.Int64 }

func (c *counter) Describe(chan<- *prometheus.Desc) {}

func (c *counter) Collect(chan<- prometheus.Metric) { c.times.Add(1) }

// counted counts what is rendered while twenty scrape at once: the page of the
// same series, in this process, with a live registry that counts.
func counted(text []byte, rounds int) error {
	const many = 20
	families, err := fleet.Families(bytes.NewReader(text))
	if err != nil {
		return err
	}
	rendered := 0
	page, err := paged(families, &rendered)
	if err != nil {
		return err
	}
	once := rendered
	live, c := prometheus.NewRegistry(), &counter{}
	live.MustRegister(c)
	handler, err := exposition.NewHandler(page, live, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	url, err := fleet.Serve(handler)
	if err != nil {
		return err
	}
	gathered := c.times.Load()
	errs := make(chan error, many*rounds)
	for range rounds {
		var all sync.WaitGroup
		for range many {
			all.Go(func() {
				_, _, err := scrape(url)
				errs <- err
			})
		}
		all.Wait()
	}
	close(errs)
	for err := range errs {
		if err != nil {
			return err
		}
	}
	fmt.Printf("%d × %d scrapes at once: %d series rendered (target 0: %s), the few of the process gathered %d times, %.1f for each %d\n",
		rounds, many, rendered-once, fleet.Verdict(rendered == once), c.times.Load()-gathered, float64(c.times.Load()-gathered)/float64(rounds), many)
	return nil
}

// paged is a page of the gauges, which counts the samples that it renders.
func paged(families map[string]*dto.MetricFamily, rendered *int) (*exposition.Page, error) {
	var defined []exposition.Family
	var samples []exposition.Sample
	for name, f := range families {
		if f.GetType() != dto.MetricType_GAUGE {
			continue
		}
		d := exposition.Family{Name: name, Help: f.GetHelp()}
		for _, l := range f.Metric[0].Label {
			d.Labels = append(d.Labels, l.GetName())
		}
		defined = append(defined, d)
		for _, m := range f.Metric {
			s := exposition.Sample{Family: name, Value: m.Gauge.GetValue()}
			for _, l := range m.Label {
				s.Labels = append(s.Labels, l.GetValue())
			}
			samples = append(samples, s)
		}
	}
	page, err := exposition.NewPage(defined)
	if err != nil {
		return nil, err
	}
	return page, page.Put("all", func(yield func(exposition.Sample) bool) {
		for _, s := range samples {
			if *rendered++; !yield(s) {
				return
			}
		}
	})
}
