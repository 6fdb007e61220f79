package faults_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/exporter-toolkit/web"
	"go.yaml.in/yaml/v3"

	"github.com/drwatch/drwatch/internal/app"
	"github.com/drwatch/drwatch/internal/client"
	"github.com/drwatch/drwatch/internal/cloudsim"
)

// setting is how a daemon of a test differs from the usual one.
type setting struct {
	mode    string             // global.mode; default auto
	rules   string             // the rule file; default: rulesFor(ruling{})
	poll    time.Duration      // default 1s
	edit    func(root doc)     // changes the configuration before it is written
	options func(*app.Options) // changes the options
}

// doc is a part of a YAML document.
type doc = map[string]any

// home is the folder of one daemon, which outlives its runs.
type home struct {
	cloud   *cloudsim.Cloud
	dir     string
	config  string
	rules   string
	storage string
	setting setting
	logs    *logs
	secrets []string // besides the clouds' own keys
}

func newHome(t *testing.T, c *cloudsim.Cloud, s setting) *home {
	t.Helper()
	dir := t.TempDir()
	h := &home{cloud: c, dir: dir, rules: filepath.Join(dir, "rules.yml"), storage: filepath.Join(dir, "data"), setting: s, logs: &logs{}}
	if s.mode == "" {
		s.mode = "auto"
	}
	if s.poll == 0 {
		s.poll = time.Second
	}
	if s.rules == "" {
		s.rules = rulesFor(ruling{})
	}
	write(t, h.rules, s.rules)
	path, err := c.WriteConfig(dir, cloudsim.ConfigOptions{
		PollInterval: s.poll, EvaluationInterval: 500 * time.Millisecond, ProbeInterval: time.Second, ProbeTimeout: 900 * time.Millisecond,
		Mode: s.mode, RuleFiles: []string{"rules.yml"}, Observer: "obs-w", ObserverSite: "witness",
		AcceptSingleObserver: "the clouds of this test are simulated",
	})
	if err != nil {
		t.Fatal(err)
	}
	h.config = path
	if s.edit != nil {
		h.change(t, s.edit)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the daemon logged:\n%s", h.logs.tail(200_000))
		}
	})
	return h
}

// change edits the configuration file.
func (h *home) change(t *testing.T, edit func(root doc)) {
	t.Helper()
	raw, err := os.ReadFile(h.config)
	if err != nil {
		t.Fatal(err)
	}
	root := doc{}
	if err := yaml.Unmarshal(raw, &root); err != nil {
		t.Fatal(err)
	}
	edit(root)
	if raw, err = yaml.Marshal(root); err != nil {
		t.Fatal(err)
	}
	write(t, h.config, string(raw))
}

// each calls edit for every account of the configuration.
func each(root doc, edit func(account doc)) {
	for _, a := range root["accounts"].([]any) {
		edit(a.(doc))
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// daemon is one run of the real daemon.
type daemon struct {
	t    *testing.T
	home *home
	url  string
	http *http.Client
	api  *client.Client
	stop context.CancelFunc
	done chan error
}

// start runs a daemon and waits until it is ready, leads, and can vouch for
// itself. It is stopped at the end of the test, and its secrets looked for.
func start(t *testing.T, c *cloudsim.Cloud, s setting) *daemon {
	t.Helper()
	d := newHome(t, c, s).run(t, s.options)
	d.fit()
	return d
}

// run starts one run of the daemon.
func (h *home) run(t *testing.T, change func(*app.Options)) *daemon {
	t.Helper()
	none, systemd := "", false
	served := make(chan string, 1)
	o := app.Options{
		ConfigFile: h.config, StoragePath: h.storage, Version: "0.0.0-test", MemberCommand: []string{os.Args[0], "etcd-member"},
		Web:       &web.FlagConfig{WebListenAddresses: &[]string{"127.0.0.1:0"}, WebConfigFile: &none, WebSystemdSocket: &systemd},
		Logger:    slog.New(slog.NewTextHandler(h.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Listening: func(addresses []string) { served <- addresses[0] }, TrackInterval: 500 * time.Millisecond, Margin: time.Second,
	}
	if change != nil {
		change(&o)
	}
	a, err := app.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	d := &daemon{t: t, home: h, stop: stop, done: make(chan error, 1), http: &http.Client{Transport: &http.Transport{}, Timeout: 20 * time.Second}}
	go func() { d.done <- a.Run(ctx) }()
	t.Cleanup(d.end)
	select {
	case address := <-served:
		d.url = "http://" + address
	case err := <-d.done:
		d.done <- err
		t.Fatalf("the daemon ended at once: %v", err)
	}
	if d.api, err = client.New(d.url, d.http); err != nil {
		t.Fatal(err)
	}
	return d
}

// end stops the run and looks for secrets in all that it showed and left.
func (d *daemon) end() {
	d.t.Helper()
	if d.done == nil {
		return
	}
	shown := d.everythingShown()
	if err := d.kill(); err != nil {
		d.t.Errorf("the daemon ended with: %v", err)
	}
	d.noSecrets(shown)
}

// kill stops the run as SIGTERM does and gives what Run returned.
func (d *daemon) kill() error {
	d.t.Helper()
	d.stop()
	var err error
	select {
	case err = <-d.done:
	case <-time.After(60 * time.Second):
		d.t.Error("the daemon did not stop within 60s")
	}
	d.done = nil
	d.http.CloseIdleConnections()
	return err
}

// get reads a page of the daemon.
func (d *daemon) get(path string) string {
	d.t.Helper()
	resp, err := d.http.Get(d.url + path)
	if err != nil {
		d.t.Fatalf("GET %s: %v", path, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		d.t.Fatalf("GET %s: %v", path, err)
	}
	return string(body)
}

// post makes a mutating call and gives its status and answer.
func (d *daemon) post(path, body string) (int, string) {
	d.t.Helper()
	resp, err := d.http.Post(d.url+path, "application/json", strings.NewReader(body))
	if err != nil {
		d.t.Fatalf("POST %s: %v", path, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		d.t.Fatalf("POST %s: %v", path, err)
	}
	return resp.StatusCode, string(answer)
}

// logs collects what the daemons of one home log.
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

// tail is the end of the log.
func (l *logs) tail(n int) string {
	s := l.String()
	return s[max(0, len(s)-n):]
}
