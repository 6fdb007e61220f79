// Package breakglass_test runs `drwatch failover --without-store` against the
// simulated clouds, kills it at its steps, runs it again and twice at once, and
// lets the clouds judge: at most one effective failover a group.
package breakglass_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/exporter-toolkit/web"
	"go.uber.org/goleak"

	"github.com/drwatch/drwatch/internal/api"
	"github.com/drwatch/drwatch/internal/app"
	"github.com/drwatch/drwatch/internal/client"
	"github.com/drwatch/drwatch/internal/cloudsim"
	"github.com/drwatch/drwatch/internal/console"
	"github.com/drwatch/drwatch/internal/quorum"
	"github.com/drwatch/drwatch/internal/replication"
	"github.com/drwatch/drwatch/test/leftover"
)

// TestMain is also the command in a process of its own, and the daemon with its
// store: the test starts itself.
func TestMain(m *testing.M) {
	switch {
	case len(os.Args) > 1 && os.Args[1] == "etcd-member":
		os.Exit(quorum.MemberMain(os.Args[2:]))
	case os.Getenv("GLASS_DAEMON") != "":
		os.Exit(daemon())
	case os.Getenv("GLASS_CONFIG") != "":
		os.Exit(command())
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(leftover.Exit()))
}

// command is the break-glass in its own process. It dies at the step GLASS_AT.
func command() int {
	at := func(step string) {
		if step == os.Getenv("GLASS_AT") {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
	w := order(os.Getenv("GLASS_CONFIG"), os.Getenv("GLASS_STORAGE"), os.Getenv("GLASS_GROUP"))
	w.Daemon, w.At = mustClient(os.Getenv("GLASS_DAEMON_URL")), at
	w.Person = &person{types: os.Getenv("GLASS_GROUP"), out: os.Stdout}
	if life, err := time.ParseDuration(os.Getenv("GLASS_LIFE")); err == nil {
		w.SignatureLife = life
	}
	if err := app.FailoverWithoutStore(context.Background(), w); err != nil {
		fmt.Println("error:", err)
		return 1
	}
	return 0
}

// nobody is an address at which no drwatch answers.
const nobody = "http://127.0.0.1:1"

func mustClient(url string) *client.Client {
	c, err := client.New(url, &http.Client{Timeout: 10 * time.Second})
	if err != nil {
		panic(err)
	}
	return c
}

// order is what the command line asks for, of a person who is alone.
func order(config, storage, group string) app.WithoutStore {
	return app.WithoutStore{
		ConfigFile: config, StoragePath: storage, Group: group, Version: "test", Daemon: mustClient(nobody),
		Asked: replication.Person{Who: "sre", From: "test", Reason: "az-a is lost and so is the store"}, Logger: slog.New(slog.DiscardHandler),
		TrackInterval: 50 * time.Millisecond, SignatureLife: time.Second, Settle: time.Second,
	}
}

// person types the same each time, and does something just before.
type person struct {
	types  string
	before func()
	out    io.Writer

	mu    sync.Mutex
	asked int
	plan  api.Plan
	said  bytes.Buffer
}

func (p *person) Show(plan api.Plan) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.plan = plan
	return console.Plan(&p.said, plan)
}

func (p *person) Ask(_ context.Context, name string) error {
	p.mu.Lock()
	p.asked++
	p.mu.Unlock()
	if p.before != nil {
		p.before()
	}
	if p.types != name {
		return fmt.Errorf("%q is not the group's name", p.types)
	}
	return nil
}

func (p *person) Tell(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	console.Say(&p.said, line)
	if p.out != nil {
		console.Say(p.out, line)
	}
}

func (p *person) heard() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(strings.Fields(p.said.String()), " ")
}

// lab is the four clouds with one group each at az-a, and a configuration.
type lab struct {
	t       *testing.T
	clouds  *cloudsim.Cloud
	config  string
	storage string
	ids     map[string]string // by name
}

// all are the names of the lab's groups.
func all() []string { return []string{"servers", "volumes", "warehouse", "disks"} }

func newLab(t *testing.T) *lab {
	t.Helper()
	c, err := cloudsim.New(cloudsim.Options{Now: time.Now, Seed: 1, Transition: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{t: t, clouds: c, storage: t.TempDir(), ids: map[string]string{}}
	add := func(name string) func(string, error) {
		return func(id string, err error) {
			if err != nil {
				t.Fatal(err)
			}
			l.ids[name] = id
		}
	}
	at := func(region, zone string) replication.Location {
		return replication.Location{Region: region, Zone: zone}
	}
	add("servers")(c.AddSDRS(cloudsim.SDRSGroup{Name: "servers", Source: at("cn-north-4", "cn-north-4a"), Target: at("cn-north-4", "cn-north-4b"), Pairs: 2}))
	add("volumes")(c.AddEVS(cloudsim.EVSGroup{Name: "volumes", Source: at("eu-west-0", "eu-west-0a"), Target: at("eu-west-0", "eu-west-0b"), Pairs: 2}))
	add("warehouse")(c.AddDWS(cloudsim.DWSGroup{Name: "warehouse", Source: at("cn-north-4", "cn-north-4a"), Target: at("cn-north-4", "cn-north-4b"), SyncPeriod: 10 * time.Minute, SyncEvery: time.Second}))
	add("disks")(c.AddEBS(cloudsim.EBSGroup{Name: "disks", Source: at("cn-beijing", "cn-beijing-f"), Target: at("cn-shanghai", "cn-shanghai-b"), Pairs: 2, RPO: 15 * time.Minute, SyncEvery: time.Second}))
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	l.config = l.configure(cloudsim.ConfigOptions{})
	return l
}

// configure writes a configuration; what o leaves open is the lab's.
func (l *lab) configure(o cloudsim.ConfigOptions) string {
	l.t.Helper()
	if o.Mode == "" {
		o.Mode = "auto"
	}
	o.PollInterval, o.EvaluationInterval, o.ProbeInterval, o.ProbeTimeout = 500*time.Millisecond, 500*time.Millisecond, 300*time.Millisecond, 250*time.Millisecond
	o.Observer, o.ObserverSite, o.ActionTimeout, o.LeaseTTL = "obs-w", "witness", time.Second, 5*time.Second
	if o.Peers == nil {
		o.AcceptSingleObserver = "test"
	}
	path, err := l.clouds.WriteConfig(l.t.TempDir(), o)
	if err != nil {
		l.t.Fatal(err)
	}
	return path
}

// lose takes az-a away, and production of all groups with it.
func (l *lab) lose() {
	l.t.Helper()
	if err := l.clouds.LoseSite("az-a", cloudsim.Loss{API: true}); err != nil {
		l.t.Fatal(err)
	}
}

// want checks how often production of the group was moved, and how often it was
// asked for.
func (l *lab) want(group string, moved, called int) {
	l.t.Helper()
	if n := l.clouds.EffectiveFailovers(l.ids[group]); n != moved {
		l.t.Errorf("%s: %d effective failovers, want %d", group, n, moved)
	}
	n := 0
	for _, e := range l.clouds.Effects() {
		if e.Kind == cloudsim.Called && e.Group == l.ids[group] {
			n++
		}
	}
	if n != called {
		l.t.Errorf("%s: %d mutating calls, want %d", group, n, called)
	}
}

// fail runs the command in this process, with the name typed rightly.
func (l *lab) fail(group string, change ...func(*app.WithoutStore)) (*person, error) {
	l.t.Helper()
	p := &person{types: group}
	w := order(l.config, l.storage, group)
	w.Person = p
	for _, c := range change {
		c(&w)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return p, app.FailoverWithoutStore(ctx, w)
}

// refused wants an error with all these texts, and that nothing was asked for at
// the provider by now.
func (l *lab) refused(err error, texts ...string) {
	l.t.Helper()
	if err == nil {
		l.t.Fatal("it succeeded; want it refused")
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			l.t.Errorf("refused with:\n%s\nwithout %q", err, text)
		}
	}
}

// process starts the command in a process of its own.
func (l *lab) process(group, at, life string) *exec.Cmd {
	l.t.Helper()
	exe, err := os.Executable()
	if err != nil {
		l.t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), "GLASS_CONFIG="+l.config, "GLASS_STORAGE="+l.storage, "GLASS_GROUP="+group, "GLASS_AT="+at, "GLASS_LIFE="+life, "GLASS_DAEMON_URL="+nobody)
	return cmd
}

func killed(err error) bool {
	e, ok := errors.AsType[*exec.ExitError](err)
	return ok && e.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL
}

// daemon runs drwatch until its standard input ends.
func daemon() int {
	exe, err := os.Executable()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	none, no := "", false
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go func() {
		_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
		stop()
	}()
	err = app.Run(ctx, app.Options{
		ConfigFile: os.Getenv("GLASS_CONFIG"), StoragePath: os.Getenv("GLASS_STORAGE"), Version: "test", MemberCommand: []string{exe, "etcd-member"},
		Web:           &web.FlagConfig{WebListenAddresses: &[]string{"127.0.0.1:0"}, WebConfigFile: &none, WebSystemdSocket: &no},
		Logger:        slog.New(slog.NewTextHandler(os.Stderr, nil)),
		TrackInterval: 100 * time.Millisecond, SignatureLife: 2 * time.Second, Settle: time.Second, Margin: 500 * time.Millisecond,
		Listening: func(a []string) { fmt.Printf("listening %s\n", a[0]) },
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// answering is a daemon that says one thing of itself, and knows these incidents.
func answering(t *testing.T, status int, body string, incidents ...string) *client.Client {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/status") {
			_, _ = io.WriteString(w, `{"status":"success","data":[`+strings.Join(incidents, ",")+`]}`)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(srv.Close)
	return mustClient(srv.URL)
}

// journal is where the runs of a lab write.
func (l *lab) journal() string { return filepath.Join(l.storage, "journal-without-store") }
