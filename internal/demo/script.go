package demo

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/prometheus/exporter-toolkit/web"

	"github.com/drwatch/drwatch/internal/app"
	"github.com/drwatch/drwatch/internal/cloudsim"
	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/replication"
)

// Options of a demo.
type Options struct {
	Out           io.Writer
	Terminal      bool // Out is a terminal: a live table is drawn below the lines
	Once          bool // end by itself instead of serving until ctx ends
	Speed         float64
	Listen        string // address of the page and /metrics
	Version       string
	MemberCommand []string
	Logger        *slog.Logger
	Now           func() time.Time
	// Spoil is called with the clouds before the site is lost, for tests that
	// want the promise broken; nil: not called.
	Spoil func(*cloudsim.Cloud) error
	// Patience bounds the time from the loss to the last proof, at speed 1; zero
	// is 50 s.
	Patience time.Duration
}

const lostSite = "az-a"

// play is one performance.
type play struct {
	o     Options
	dir   string
	cloud *cloudsim.Cloud
	app   *app.App
	say   *screen
	lost  time.Time
	facts chan failover.Fact
}

// Run plays the demo. It is true when every failover it promised was made
// exactly once and proven, and nothing else was touched.
func Run(ctx context.Context, o Options) (bool, error) {
	if o.Speed <= 0 || o.Speed > 5 {
		return false, fmt.Errorf("--speed %g: want a number above 0 and at most 5", o.Speed)
	}
	if o.Patience == 0 {
		o.Patience = 50 * time.Second
	}
	dir, err := os.MkdirTemp("", "drwatch-demo-")
	if err != nil {
		return false, fmt.Errorf("a folder for the demo: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }() // a folder for temporary files; what is left there harms nobody
	p := &play{o: o, dir: dir, say: newScreen(o.Out, o.Terminal, o.Now), facts: make(chan failover.Fact, 10_000)}
	if err := p.stage(); err != nil {
		return false, err
	}
	defer p.cloud.Close()

	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	done := make(chan error, 1)
	go func() { done <- p.app.Run(running) }()
	ok, err := p.perform(ctx, done)
	if err == nil && !o.Once && ctx.Err() == nil {
		p.say.line("Still serving http://%s/ until Ctrl-C.", o.Listen)
		select {
		case <-ctx.Done():
		case err = <-done:
			return false, err
		}
	}
	stop()
	select {
	case end := <-done:
		if err == nil {
			err = end
		}
	case <-time.After(30 * time.Second):
		err = fmt.Errorf("the daemon did not stop within 30 s")
	}
	return ok, err
}

// scaled is a duration at the demo's speed.
func (p *play) scaled(d time.Duration) time.Duration {
	return max(time.Duration(float64(d)/p.o.Speed).Round(time.Millisecond), 50*time.Millisecond)
}

// stage builds the clouds, the configuration, the rules and the daemon.
func (p *play) stage() error {
	var err error
	p.cloud, err = cloudsim.New(cloudsim.Options{Now: p.o.Now, Seed: 1, Transition: p.scaled(2 * time.Second)})
	if err != nil {
		return err
	}
	if err := cloudsim.DemoFleet(p.cloud, cloudsim.FleetOptions{SyncEvery: p.scaled(4 * time.Second)}); err != nil {
		return err
	}
	if err := p.cloud.Start(); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(p.dir, "rules.yml"), []byte(p.rules()), 0o600); err != nil {
		return fmt.Errorf("writing the demo's rules: %w", err)
	}
	path, err := p.cloud.WriteConfig(p.dir, cloudsim.ConfigOptions{
		PollInterval: p.scaled(time.Second), EvaluationInterval: p.scaled(500 * time.Millisecond), ProbeInterval: p.scaled(500 * time.Millisecond),
		ProbeTimeout: p.scaled(400 * time.Millisecond), Mode: string(replication.Auto), RuleFiles: []string{"rules.yml"},
		Observer: "obs-w", ObserverSite: "witness", AcceptSingleObserver: "the demo's clouds are simulated",
	})
	if err != nil {
		return err
	}
	none, systemd := "", false
	p.app, err = app.New(app.Options{
		ConfigFile: path, StoragePath: filepath.Join(p.dir, "data"), Version: p.o.Version, MemberCommand: p.o.MemberCommand,
		Web:    &web.FlagConfig{WebListenAddresses: &[]string{p.o.Listen}, WebConfigFile: &none, WebSystemdSocket: &systemd},
		Logger: p.o.Logger, TrackInterval: p.scaled(500 * time.Millisecond), Now: p.o.Now,
		Told: func(f failover.Fact) { p.facts <- f },
	})
	return err
}

// rules are one rule a provider, as a person would write them for a lone
// observer.
func (p *play) rules() string {
	const form = `  - failover: %s
    targets: '{provider="%s", active_site="az-a"}'
    site_unreachable: az-a
    for: %s
    mode: auto
    quorum: {agree: 1, of: 1}
    fence: %s
    guards: {%s, data_age_under: 30s, cooldown: 1h, max_concurrent: 50}
`
	hold := strconv.Itoa(int(p.scaled(3*time.Second).Milliseconds())) + "ms"
	accept := `{accept_split_brain: "simulated: nobody writes to the lost side"}`
	out := "groups:\n- name: az-a-is-lost\n  interval: " + strconv.Itoa(int(p.scaled(500*time.Millisecond).Milliseconds())) + "ms\n  rules:\n"
	out += fmt.Sprintf(form, "servers", "huawei_sdrs", hold, "provider", "lag_under: 30s, lag_unknown: allow")
	out += fmt.Sprintf(form, "legacy-volumes", "huawei_evs", hold, accept, "lag_under: 30s, lag_unknown: allow")
	out += fmt.Sprintf(form, "warehouses", "huawei_dws", hold, accept, "lag_under: 30s")
	out += fmt.Sprintf(form, "disks", "aliyun_ebs", hold, accept, "lag_under: 30s")
	return out
}
