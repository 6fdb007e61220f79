// Package crash_test kills the real daemon with SIGKILL at every step of a
// failover, starts it again, and lets the simulated clouds judge: exactly one
// effective failover a group.
package crash_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/exporter-toolkit/web"
	"go.uber.org/goleak"

	"github.com/drwatch/drwatch/internal/api"
	"github.com/drwatch/drwatch/internal/app"
	"github.com/drwatch/drwatch/internal/cloudsim"
	"github.com/drwatch/drwatch/internal/quorum"
	"github.com/drwatch/drwatch/internal/replication"
	"github.com/drwatch/drwatch/test/leftover"
)

// TestMain is also the daemon and the daemon's store: the test starts itself.
func TestMain(m *testing.M) {
	switch {
	case len(os.Args) > 1 && os.Args[1] == "etcd-member":
		os.Exit(quorum.MemberMain(os.Args[2:]))
	case os.Getenv("CRASH_CONFIG") != "":
		os.Exit(daemon())
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(leftover.Exit()))
}

// dies tells that the daemon has come to the step that it is to die at: CRASH_AT
// is "STEP", or "STEP N" for the Nth time that it comes there.
func dies(step string) bool {
	at, nth, several := strings.Cut(os.Getenv("CRASH_AT"), " ")
	if step != at {
		return false
	}
	n := reached.Add(1)
	return !several || nth == fmt.Sprint(n)
}

// reached counts how often the step was come to.
var reached atomic.Int64

// daemon runs drwatch until it is told to end, or dies at the step that
// CRASH_AT names. A signature is taken for dead after two seconds, so that the
// one second send that the protocol allows can be seen; or after CRASH_LIFE.
func daemon() int {
	life := 2 * time.Second
	if d, err := time.ParseDuration(os.Getenv("CRASH_LIFE")); err == nil {
		life = d
	}
	exe, err := os.Executable()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	none, no := "", false
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go func() { // the test closes this pipe to end the daemon in order
		_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
		stop()
	}()
	err = app.Run(ctx, app.Options{
		ConfigFile: os.Getenv("CRASH_CONFIG"), StoragePath: os.Getenv("CRASH_STORAGE"), Version: "test", MemberCommand: []string{exe, "etcd-member"},
		Web:           &web.FlagConfig{WebListenAddresses: &[]string{"127.0.0.1:0"}, WebConfigFile: &none, WebSystemdSocket: &no},
		Logger:        slog.New(slog.NewTextHandler(os.Stderr, nil)),
		TrackInterval: 100 * time.Millisecond, SignatureLife: life, Settle: time.Second, Margin: 500 * time.Millisecond,
		Listening: func(a []string) { fmt.Printf("listening %s\n", a[0]) },
		At: func(step string) {
			if dies(step) {
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {}
			}
		},
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// process is one life of the daemon.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	url  string
	done chan error
	end  func()
	log  string
}

func start(t *testing.T, config, storage, crashAt string, env ...string) *process {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: exec.Command(exe), done: make(chan error, 1), log: filepath.Join(t.TempDir(), "log")}
	p.cmd.Env = append(os.Environ(), "CRASH_CONFIG="+config, "CRASH_STORAGE="+storage, "CRASH_AT="+crashAt)
	p.cmd.Env = append(p.cmd.Env, env...)
	logs, err := os.Create(p.log)
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stderr = logs
	in, err := p.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.end = func() { _ = in.Close() }
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if a, ok := strings.CutPrefix(lines.Text(), "listening "); ok {
			p.url = "http://" + a
			break
		}
	}
	go func() { p.done <- p.cmd.Wait() }()
	return p
}

func (p *process) logs() string {
	b, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(string(b), "\n")
	return strings.Join(lines[max(0, len(lines)-40):], "\n")
}

func get[T any](p *process, path string) (out T, err error) {
	resp, err := http.Get(p.url + "/api/v1/" + path)
	if err != nil {
		return out, err
	}
	defer resp.Body.Close()
	var e api.Envelope
	if err := json.NewDecoder(resp.Body).Decode(&e); err != nil {
		return out, err
	}
	return out, json.Unmarshal(e.Data, &out)
}

// eventually waits for a condition on the real daemon.
func (p *process) eventually(what string, within time.Duration, ok func() bool) {
	p.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	limit := time.NewTimer(within)
	defer limit.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case err := <-p.done:
			p.t.Fatalf("the daemon ended (%v) before: %s\n%s", err, what, p.logs())
		case <-limit.C:
			p.t.Fatalf("in vain for %s: %s\n%s", within, what, p.logs())
		}
	}
}

func (p *process) fit() bool {
	s, err := get[api.Status](p, "status")
	if err != nil || !s.Ready || !s.Leads || len(s.Fitness) == 0 {
		return false
	}
	for _, f := range s.Fitness {
		if !f.OK {
			return false
		}
	}
	return true
}

// world is the four clouds with one group each at az-a, and a configuration.
func world(t *testing.T) (c *cloudsim.Cloud, config string) {
	t.Helper()
	c, err := cloudsim.New(cloudsim.Options{Now: time.Now, Seed: 1, Transition: 500 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	at := func(region, zone string) replication.Location {
		return replication.Location{Region: region, Zone: zone}
	}
	add := func(_ string, err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	add(c.AddSDRS(cloudsim.SDRSGroup{Name: "servers", Source: at("cn-north-4", "cn-north-4a"), Target: at("cn-north-4", "cn-north-4b"), Pairs: 2}))
	add(c.AddEVS(cloudsim.EVSGroup{Name: "volumes", Source: at("eu-west-0", "eu-west-0a"), Target: at("eu-west-0", "eu-west-0b"), Pairs: 2}))
	add(c.AddDWS(cloudsim.DWSGroup{Name: "warehouse", Source: at("cn-north-4", "cn-north-4a"), Target: at("cn-north-4", "cn-north-4b"), SyncPeriod: 10 * time.Minute, SyncEvery: time.Second}))
	add(c.AddEBS(cloudsim.EBSGroup{Name: "disks", Source: at("cn-beijing", "cn-beijing-f"), Target: at("cn-shanghai", "cn-shanghai-b"), Pairs: 2, RPO: 15 * time.Minute, SyncEvery: time.Second}))
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "rules.yml"), []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	config, err = c.WriteConfig(dir, cloudsim.ConfigOptions{
		PollInterval: 500 * time.Millisecond, EvaluationInterval: 500 * time.Millisecond, ProbeInterval: 300 * time.Millisecond, ProbeTimeout: 250 * time.Millisecond,
		Mode: "auto", RuleFiles: []string{"rules.yml"}, Observer: "obs-w", ObserverSite: "witness", AcceptSingleObserver: "test",
	})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	short := regexp.MustCompile(`(?m)^( +)provider: .*$`).ReplaceAllString(string(text), "$0\n${1}action_timeout: 1s")
	short = strings.Replace(short, "coordination:\n", "coordination:\n    lease_ttl: 5s\n", 1)
	if err := os.WriteFile(config, []byte(short), 0o600); err != nil {
		t.Fatal(err)
	}
	return c, config
}

const rules = `groups:
- name: az-a-is-lost
  interval: 500ms
  rules:
  - failover: everything
    targets: '{active_site="az-a"}'
    site_unreachable: az-a
    for: 1s
    mode: auto
    quorum: {agree: 1, of: 1}
    fence: {accept_split_brain: "simulated"}
    guards: {lag_under: 1m, lag_unknown: allow, data_age_under: 30s}
`

// TestKilledAtEveryStep kills the daemon once at each step, whichever group
// reaches it first; the other groups are then wherever they happen to be.
func TestKilledAtEveryStep(t *testing.T) {
	for _, step := range []string{"claimed", "read", "intent", "first_byte", "sent", "outcome", "verifying", "verified", "ended"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			c, config := world(t)
			storage := t.TempDir()
			first := start(t, config, storage, step)
			first.eventually("ready and fit", 40*time.Second, first.fit)
			if err := c.LoseSite("az-a", cloudsim.Loss{}); err != nil {
				t.Fatal(err)
			}
			select {
			case err := <-first.done:
				if !killed(err) {
					t.Fatalf("the daemon ended by itself: %v\n%s", err, first.logs())
				}
			case <-time.After(40 * time.Second):
				t.Fatalf("step %q was never reached\n%s", step, first.logs())
			}
			second := start(t, config, storage, "")
			second.eventually("all four groups have an end", 90*time.Second, func() bool { return ended(second) == 4 })
			judge(t, c, second)
			second.end()
			if err := <-second.done; err != nil {
				t.Errorf("the daemon did not end in order: %v\n%s", err, second.logs())
			}
		})
	}
}

func killed(err error) bool {
	e, ok := errors.AsType[*exec.ExitError](err)
	return ok && e.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL
}

// ended counts groups whose newest incident has come to an end that stands.
func ended(p *process) int {
	incidents, err := get[[]replication.Incident](p, "incidents")
	if err != nil {
		return 0
	}
	done := map[string]bool{}
	for _, i := range incidents { // newest first
		if _, seen := done[i.Group]; !seen {
			done[i.Group] = i.Phase.Ended() && i.Phase != replication.Aborted
		}
	}
	n := 0
	for _, d := range done {
		if d {
			n++
		}
	}
	return n
}

func judge(t *testing.T, c *cloudsim.Cloud, p *process) {
	t.Helper()
	incidents, err := get[[]replication.Incident](p, "incidents")
	if err != nil {
		t.Fatal(err)
	}
	newest := map[string]replication.Incident{}
	for _, i := range incidents {
		if _, seen := newest[i.Group]; !seen {
			newest[i.Group] = i
		}
	}
	for _, g := range c.Groups() {
		i, n := newest[g.ID], c.EffectiveFailovers(g.ID)
		// A DWS call whose outcome is not known is never sent again: a second one
		// would swap the roles back.
		unsent := g.Provider == replication.HuaweiDWS && n == 0 && i.Phase == replication.Ambiguous
		if (n != 1 || i.Phase != replication.Succeeded) && !unsent {
			t.Errorf("%s (%s): %d effective failovers, incident %s %s %s, %d calls", g.Name, g.Provider, n, i.Phase, i.HeldBy, i.Error, len(i.Calls))
		}
	}
}
