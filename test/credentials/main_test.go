// Package credentials_test runs the real daemon against the simulated clouds
// while keys are rotated, expire and are issued by a metadata service, and while
// the clouds' clock is wrong. It sees the daemon from outside: by /metrics, the
// HTTP API and the log.
package credentials_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/exporter-toolkit/web"
	"go.uber.org/goleak"
	"go.yaml.in/yaml/v3"

	"github.com/drwatch/drwatch/internal/app"
	"github.com/drwatch/drwatch/internal/cloudsim"
	"github.com/drwatch/drwatch/internal/quorum"
	"github.com/drwatch/drwatch/test/leftover"
)

// TestMain lets the test binary be the coordination store's member too, as
// drwatch itself is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "etcd-member" {
		os.Exit(quorum.MemberMain(os.Args[2:]))
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(leftover.Exit()))
}

// newClouds starts the demo's clouds.
func newClouds(t *testing.T, o cloudsim.Options) *cloudsim.Cloud {
	t.Helper()
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Seed = 1
	c, err := cloudsim.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := cloudsim.DemoFleet(c, cloudsim.FleetOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// daemon is one run of the real daemon.
type daemon struct {
	t    *testing.T
	dir  string
	url  string
	http *http.Client
	logs *logs
	// accounts is how many there are.
	accounts int
}

// doc is a part of a YAML document.
type doc = map[string]any

// start runs a daemon that polls the clouds every two seconds. edit changes each
// account before the configuration is written.
func start(t *testing.T, c *cloudsim.Cloud, metadata string, edit func(account doc)) *daemon {
	t.Helper()
	d := &daemon{t: t, dir: t.TempDir(), logs: &logs{}, http: &http.Client{Transport: &http.Transport{}, Timeout: 20 * time.Second}}
	path, err := c.WriteConfig(d.dir, cloudsim.ConfigOptions{
		PollInterval: 2 * time.Second, EvaluationInterval: time.Second, Mode: "dry_run", Observer: "obs-w", ObserverSite: "witness",
	})
	if err != nil {
		t.Fatal(err)
	}
	change(t, path, func(account doc) {
		d.accounts++
		account["rate_limit"] = doc{"requests_per_second": 1000, "burst": 1000}
		edit(account)
	})
	none, systemd := "", false
	served := make(chan string, 1)
	a, err := app.New(app.Options{
		ConfigFile: path, StoragePath: filepath.Join(d.dir, "data"), Version: "0.0.0-test", MemberCommand: []string{os.Args[0], "etcd-member"},
		Web:       &web.FlagConfig{WebListenAddresses: &[]string{"127.0.0.1:0"}, WebConfigFile: &none, WebSystemdSocket: &systemd},
		Logger:    slog.New(slog.NewTextHandler(d.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Listening: func(addresses []string) { served <- addresses[0] }, MetadataAddress: metadata,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("the daemon ended with: %v", err)
		}
		d.http.CloseIdleConnections()
		if t.Failed() {
			t.Logf("the daemon logged:\n%s", d.logs)
		}
	})
	select {
	case address := <-served:
		d.url = "http://" + address
	case err := <-done:
		done <- err
		t.Fatalf("the daemon ended at once: %v", err)
	}
	return d
}

func change(t *testing.T, path string, edit func(account doc)) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	root := doc{}
	if err := yaml.Unmarshal(raw, &root); err != nil {
		t.Fatal(err)
	}
	for _, a := range root["accounts"].([]any) {
		edit(a.(doc))
	}
	if raw, err = yaml.Marshal(root); err != nil {
		t.Fatal(err)
	}
	write(t, path, string(raw))
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// get reads a page of the daemon.
func (d *daemon) get(path string) string {
	d.t.Helper()
	return d.do(http.MethodGet, path)
}

func (d *daemon) do(method, path string) string {
	d.t.Helper()
	req, err := http.NewRequestWithContext(d.t.Context(), method, d.url+path, http.NoBody)
	if err != nil {
		d.t.Fatal(err)
	}
	resp, err := d.http.Do(req)
	if err != nil {
		d.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		d.t.Fatalf("%s %s: status %d, error %v: %s", method, path, resp.StatusCode, err, body)
	}
	return string(body)
}

// series are the values of one metric now, by their labels as they are written.
func (d *daemon) series(name string) map[string]float64 {
	d.t.Helper()
	out := map[string]float64{}
	for line := range strings.Lines(d.get("/metrics")) {
		rest, ok := strings.CutPrefix(strings.TrimSpace(line), name+"{")
		if !ok {
			continue
		}
		labels, value, _ := strings.Cut(rest, "} ")
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			d.t.Fatalf("%s: %v", line, err)
		}
		out[labels] = v
	}
	return out
}

// polled is how many polls each account has made.
func (d *daemon) polled() map[string]float64 {
	return d.series("drwatch_account_poll_duration_seconds_count")
}

// further waits until each account has made n more polls.
func (d *daemon) further(n float64) {
	d.t.Helper()
	before := d.polled()
	eventually(d.t, "further polls", func() bool {
		now := d.polled()
		for account := range now {
			if now[account] < before[account]+n {
				return false
			}
		}
		return len(now) > 0
	})
}

// up waits until all accounts are.
func (d *daemon) up() { d.t.Helper(); d.allAt(1) }

// allAt waits until all accounts are up, 1, or down, 0.
func (d *daemon) allAt(want float64) {
	d.t.Helper()
	eventually(d.t, "all accounts are up or down", func() bool {
		now := d.series("drwatch_account_up")
		for _, v := range now {
			if v != want {
				return false
			}
		}
		return len(now) == d.accounts
	})
}

// eventually looks every now and then, for a minute at most.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	end := time.After(time.Minute)
	for !done() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

// noSecrets looks for texts in all that the daemon shows and logged.
func (d *daemon) noSecrets(secrets ...string) {
	d.t.Helper()
	shown := map[string]string{"the log": d.logs.String()}
	for _, path := range []string{"/", "/metrics", "/api/v1/status", "/api/v1/groups"} {
		shown[path] = d.get(path)
	}
	for where, text := range shown {
		for _, s := range secrets {
			if strings.Contains(text, s) {
				d.t.Errorf("%s holds the secret %q", where, s)
			}
		}
	}
}

// logs collects what a daemon logs.
type logs struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logs) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}
