// Command idle measures what an observer of three holds and burns while nothing
// happens: three real daemons, each with its etcd member, that watch the fleet of
// `drwatch sim` as a production site is watched.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/drwatch/drwatch/bench/fleet"
	"github.com/drwatch/drwatch/internal/cloudsim"
)

const (
	goalRSS   = 90 << 20
	goalCores = 0.01
	every     = 15 * time.Second // between scrapes
)

func main() {
	settle := flag.Duration("settle", 3*time.Minute, "how long nothing is measured after the start")
	during := flag.Duration("for", 3*time.Minute, "how long it is measured")
	flag.Parse()
	if err := run(*settle, *during); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// observer is one daemon.
type observer struct {
	name, url string
	cmd       *exec.Cmd
	both      []int64 // RSS of daemon and member together, over time
	once      []int64 // with the executable, which both have mapped, counted once
}

func run(settle, during time.Duration) (err error) {
	dir, err := os.MkdirTemp("", "drwatch-idle-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	c, err := cloudsim.New(cloudsim.Options{Now: time.Now, Seed: 1})
	if err != nil {
		return err
	}
	if err := errors.Join(cloudsim.DemoFleet(c, cloudsim.FleetOptions{}), c.Start()); err != nil {
		return err
	}
	defer c.Close()
	all, err := start(c, dir)
	defer func() {
		for _, o := range all {
			err = errors.Join(err, o.stop())
		}
	}()
	if err != nil {
		return err
	}
	if err := watch(all, settle); err != nil {
		return err
	}
	began, before, err := look(all)
	if err != nil {
		return err
	}
	for _, o := range all {
		o.both, o.once = nil, nil
	}
	if err := watch(all, during); err != nil {
		return err
	}
	ended, after, err := look(all)
	if err != nil {
		return err
	}
	tell(all, before, after, ended.Sub(began))
	return nil
}

// start runs three observers with the defaults of production and the rules that
// go with the simulated clouds, of which two must agree.
func start(c *cloudsim.Cloud, dir string) ([]*observer, error) {
	bin, err := fleet.Build(dir)
	if err != nil {
		return nil, err
	}
	rules, err := os.ReadFile("rules/az-a-loss.yml")
	if err != nil {
		return nil, fmt.Errorf("from the module's folder: %w", err)
	}
	text := strings.ReplaceAll(string(rules), "{agree: 1, of: 1}", "{agree: 2, of: 3}")
	sites := map[string]string{"obs-a": "az-a", "obs-b": "az-b", "obs-w": "witness"}
	peers := map[string]string{}
	for name := range sites {
		address, err := fleet.FreeAddress()
		if err != nil {
			return nil, err
		}
		peers[name] = "http://" + address
	}
	var all []*observer
	for name, site := range sites {
		o := &observer{name: name}
		all = append(all, o)
		if err := o.start(c, bin, filepath.Join(dir, name), text, cloudsim.ConfigOptions{
			PollInterval: 30 * time.Second, EvaluationInterval: 5 * time.Second, ProbeInterval: 5 * time.Second, Observer: name, ObserverSite: site,
			Peers: peers, Sites: []string{"witness"}, LeaseTTL: 15 * time.Second, RuleFiles: []string{"rules.yml"},
		}); err != nil {
			return all, err
		}
	}
	return all, nil
}

func (o *observer) start(c *cloudsim.Cloud, bin, dir, rules string, options cloudsim.ConfigOptions) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	config, err := c.WriteConfig(dir, options)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "rules.yml"), []byte(rules), 0o600); err != nil {
		return err
	}
	address, err := fleet.FreeAddress()
	if err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return err
	}
	defer log.Close()
	o.url = "http://" + address + "/metrics"
	o.cmd = exec.CommandContext(context.Background(), bin, "serve", "--config.file="+config, "--storage.path="+filepath.Join(dir, "data"), "--web.listen-address="+address)
	o.cmd.Stdout, o.cmd.Stderr = log, log
	return o.cmd.Start()
}

func (o *observer) stop() error {
	if o.cmd == nil || o.cmd.Process == nil {
		return nil
	}
	err := o.cmd.Process.Signal(syscall.SIGTERM)
	_ = o.cmd.Wait() // the last of them finds no majority to give its lease back to
	return err
}

// watch scrapes the observers as Prometheus does, and looks at their memory after
// each scrape.
func watch(all []*observer, during time.Duration) error {
	for end := time.Now().Add(during); time.Now().Before(end); {
		fleet.Wait(every)
		for _, o := range all {
			text, err := fleet.Scrape(o.url)
			if err != nil {
				return fmt.Errorf("%s: %w", o.name, err)
			}
			if n := strings.Count(string(text), "\ndrwatch_group_info{"); n != groups {
				return fmt.Errorf("%s shows %d groups, want %d", o.name, n, groups)
			}
			daemon, store, err := fleet.UsageOf(o.cmd.Process.Pid)
			if err != nil {
				return err
			}
			o.both = append(o.both, daemon.RSS+store.RSS)
			o.once = append(o.once, daemon.Anon+store.Anon+max(daemon.RSS-daemon.Anon, store.RSS-store.Anon))
		}
	}
	return nil
}

// groups is how many the fleet of `drwatch sim` has.
const groups = 21

// usage is what the processes of the observers have used so far.
type usage struct{ daemon, store fleet.Usage }

func look(all []*observer) (time.Time, map[string]usage, error) {
	out := map[string]usage{}
	for _, o := range all {
		daemon, store, err := fleet.UsageOf(o.cmd.Process.Pid)
		if err != nil {
			return time.Time{}, nil, err
		}
		out[o.name] = usage{daemon, store}
	}
	return time.Now(), out, nil
}

func tell(all []*observer, before, after map[string]usage, took time.Duration) {
	fmt.Printf("three observers on one machine, %d groups, polled each 30s, probed and evaluated each 5s, lease 15s, scraped each %s; over %s\n", groups, every, took.Round(time.Second))
	slices.SortFunc(all, func(a, b *observer) int { return strings.Compare(a.name, b.name) })
	for _, o := range all {
		a, b := before[o.name], after[o.name]
		cores := func(from, to fleet.Usage) float64 { return float64(to.CPU-from.CPU) / float64(took) }
		cpu := cores(a.daemon, b.daemon) + cores(a.store, b.store)
		highest := slices.Max(o.once)
		fmt.Printf("%s: RSS of daemon and etcd member %d + %d MB, of these %d + %d MB their own; together, the executable counted once, median %d MB, highest %d MB (goal 90 MB: %s), twice %d MB; CPU %.2f + %.2f = %.2f %% of a core (goal 1 %%: %s)\n",
			o.name, b.daemon.RSS>>20, b.store.RSS>>20, b.daemon.Anon>>20, b.store.Anon>>20, fleet.Quantile(o.once, 0.5)>>20, highest>>20, fleet.Verdict(highest <= goalRSS),
			slices.Max(o.both)>>20, 100*cores(a.daemon, b.daemon), 100*cores(a.store, b.store), 100*cpu, fleet.Verdict(cpu <= goalCores))
	}
}
