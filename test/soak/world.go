package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/drwatch/drwatch/internal/cloudsim"
	"github.com/drwatch/drwatch/internal/replication"
)

const (
	azA = "az-a"
	azB = "az-b"
	// longest is what one life of the whole run is expected of: this observer is
	// stopped and never killed.
	longest = "obs-w"
)

// world is the clouds, what stands there, and the three that watch it.
type world struct {
	s         settings
	out       io.Writer
	began     time.Time
	cloud     *cloudsim.Cloud
	reference *httptest.Server
	daemons   []*daemon
	peers     map[string]string
	ids       []string // of the groups that are to be failed over
	files     sync.Mutex

	mu       sync.Mutex
	expected map[string]int // effective failovers of each group
	taken    []sample
	happened map[string]int
	faults   []string
}

func newWorld(s settings, out io.Writer) (*world, error) {
	w := &world{s: s, out: out, began: time.Now(), peers: map[string]string{}, expected: map[string]int{}, happened: map[string]int{}}
	program, err := w.copyProgram()
	if err != nil {
		return nil, err
	}
	if w.cloud, err = cloudsim.New(cloudsim.Options{Now: time.Now, Seed: s.seed, Transition: time.Second, ControlAddress: "127.0.0.1:0"}); err != nil {
		return nil, err
	}
	if err := errors.Join(w.fleet(), w.cloud.Start()); err != nil {
		return nil, err
	}
	w.reference = httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	free, err := addresses(9)
	if err != nil {
		return nil, err
	}
	for i, at := range []struct{ name, site string }{{"obs-a", azA}, {"obs-b", azB}, {longest, "witness"}} {
		d, err := newDaemon(at.name, at.site, program, w.path(at.name), free[3*i], free[3*i+1])
		if err != nil {
			return nil, err
		}
		w.daemons, w.peers[at.name] = append(w.daemons, d), "http://"+free[3*i+2]
	}
	return w, w.configure(0)
}

// copyProgram keeps the program as it is now, whoever builds meanwhile.
func (w *world) copyProgram() (string, error) {
	b, err := os.ReadFile(w.s.drwatch)
	if err != nil {
		return "", fmt.Errorf("the program to run (make build makes it): %w", err)
	}
	if err := os.MkdirAll(w.path(), 0o700); err != nil {
		return "", err
	}
	return w.path("drwatch"), os.WriteFile(w.path("drwatch"), b, 0o700)
}

// fleet is twelve groups at az-a, of all providers.
func (w *world) fleet() error {
	at := func(region, zone string) replication.Location {
		return replication.Location{Region: region, Zone: zone}
	}
	var errs []error
	add := func(id string, err error) { w.ids, errs = append(w.ids, id), append(errs, err) }
	for i := range 6 {
		add(w.cloud.AddSDRS(cloudsim.SDRSGroup{Name: fmt.Sprintf("servers-%d", i), Source: at("cn-north-4", "cn-north-4a"), Target: at("cn-north-4", "cn-north-4b"), Pairs: 2}))
	}
	for i := range 2 {
		add(w.cloud.AddEVS(cloudsim.EVSGroup{Name: fmt.Sprintf("volumes-%d", i), Source: at("eu-west-0", "eu-west-0a"), Target: at("eu-west-0", "eu-west-0b"), Pairs: 2}))
		add(w.cloud.AddDWS(cloudsim.DWSGroup{Name: fmt.Sprintf("warehouse-%d", i), Source: at("cn-north-4", "cn-north-4a"), Target: at("cn-north-4", "cn-north-4b"), SyncPeriod: 10 * time.Minute, SyncEvery: time.Second}))
		add(w.cloud.AddEBS(cloudsim.EBSGroup{Name: fmt.Sprintf("disks-%d", i), Source: at("cn-beijing", "cn-beijing-f"), Target: at("cn-shanghai", "cn-shanghai-b"), Pairs: 2, SyncEvery: time.Second}))
	}
	return errors.Join(errs...)
}

// passing is how the names of the groups begin that come and go: no rule is for them.
const passing = "passing-"

// rules are those of the n-th writing: each is another one than the last. For a loss
// of az-b Alertmanager must say so as well.
func rules(n int) string {
	var b strings.Builder
	b.WriteString("groups:\n- name: losses\n  interval: 1s\n  rules:\n")
	for _, site := range []string{azA, azB} {
		fmt.Fprintf(&b, "  - failover: loss-of-%s\n    targets: '{active_site=%q, name!~\"%s.*\"}'\n    site_unreachable: %s\n", site, site, passing, site)
		if site == azB {
			b.WriteString("    alert: '{alertname=\"SiteLost\", lost=\"az-b\"}'\n")
		}
		b.WriteString("    for: 8s\n    mode: auto\n    quorum: {agree: 2, of: 3}\n    fence: {accept_split_brain: simulated}\n")
		fmt.Fprintf(&b, "    guards: {lag_under: 5m, lag_unknown: allow, data_age_under: 1m, cooldown: 5s, max_concurrent: %d}\n", 8+n%2)
	}
	b.WriteString("  - failover: noise\n    targets: '{name=\"nobody\"}'\n    site_unreachable: az-a\n    alert: '{alertname=\"Noise\"}'\n    for: 8s\n    mode: dry_run\n")
	return b.String()
}

// configure writes everybody's files for the n-th time, a little different each time.
func (w *world) configure(n int) error {
	w.files.Lock()
	defer w.files.Unlock()
	for _, d := range w.daemons {
		if err := os.WriteFile(d.dir+"/rules.yml", []byte(rules(n)), 0o600); err != nil {
			return err
		}
		_, err := w.cloud.WriteConfig(d.dir, cloudsim.ConfigOptions{
			PollInterval: time.Duration(3+n%2) * time.Second, EvaluationInterval: time.Second, ProbeInterval: 2 * time.Second, ProbeTimeout: time.Duration(1700+n%3*50) * time.Millisecond,
			Mode: string(replication.Auto), RuleFiles: []string{"rules.yml"}, Observer: d.name, ObserverSite: d.site, Sites: []string{"witness"},
			Peers: w.peers, LeaseTTL: 10 * time.Second, ActionTimeout: 2 * time.Second,
		})
		if err != nil {
			return err
		}
		text, err := os.ReadFile(d.config())
		if err != nil {
			return err
		}
		edited := strings.NewReplacer(
			"    embedded:\n", "    embedded:\n        client_url: http://"+d.store+"\n",
			"observer:\n", "observer:\n    references: [{name: gateway, module: http_2xx, target: \""+w.reference.URL+"\"}]\n",
		).Replace(string(text))
		if err := os.WriteFile(d.config(), []byte(edited), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// begin starts all three and waits until they can vouch for themselves.
func (w *world) begin(ctx context.Context) error {
	for _, d := range w.daemons {
		if err := w.start(d); err != nil {
			return err
		}
	}
	if !w.eventually(ctx, soon, w.ready) {
		return fmt.Errorf("the observers were not ready in %s: %s", soon, w.notReady(ctx))
	}
	return nil
}

func (w *world) start(d *daemon) error {
	return d.start(func(err error) { w.wrong("%s ended by itself: %v", d.name, err) })
}

// end ends all, and makes those that do not.
func (w *world) end() {
	var all sync.WaitGroup
	for _, d := range w.daemons {
		if d.cmd == nil {
			continue
		}
		d.halt(false)
		hard := time.AfterFunc(30*time.Second, func() { _ = d.cmd.Process.Kill() })
		all.Go(func() {
			d.kill(syscall.SIGTERM)
			hard.Stop()
		})
	}
	all.Wait()
	for _, d := range w.daemons {
		_ = d.keys.Close() // its member has gone
	}
	w.reference.Close()
	w.cloud.Close()
}

// addresses are free ones of this machine.
func addresses(n int) ([]string, error) {
	var held []net.Listener
	defer func() {
		for _, l := range held {
			_ = l.Close() // nothing was served
		}
	}()
	for range n {
		l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		held = append(held, l)
	}
	var out []string
	for _, l := range held {
		out = append(out, l.Addr().String())
	}
	return out, nil
}

// tell says what happens.
func (w *world) tell(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	fmt.Fprintf(w.out, "%8s  %s\n", time.Since(w.began).Round(time.Second), fmt.Sprintf(format, args...))
}

// wrong notes what must not be.
func (w *world) wrong(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	w.tell("WRONG: %s", text)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults = append(w.faults, fmt.Sprintf("%s %s", time.Since(w.began).Round(time.Second), text))
}

func (w *world) wrongs() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.faults)
}

// did counts what has happened.
func (w *world) did(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.happened[what]++
}
