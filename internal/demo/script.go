package demo

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/drwatch/drwatch/internal/cloudsim"
	"github.com/drwatch/drwatch/internal/failover"
)

// Options of a demo.
type Options struct {
	Out      io.Writer
	Terminal bool // Out is a terminal: a live table is drawn below the lines
	Once     bool // end by itself instead of serving until ctx ends
	Speed    float64
	Listen   string // address of the witness's page and /metrics
	Version  string
	// ObserverCommand is the argv that runs ObserverMain, MemberCommand the one that
	// runs quorum.MemberMain.
	ObserverCommand []string
	MemberCommand   []string
	Logs            io.Writer // the observers' own logs; nil: they keep none
	Now             func() time.Time
	// Spoil is called with the clouds before the site is lost, and the address of
	// the page, for tests that want the promise broken; nil: not called.
	Spoil func(c *cloudsim.Cloud, address string) error
	// Patience bounds the time from the loss to the last proof; zero is 75 s.
	Patience time.Duration
}

const lostSite = "az-a"

// play is one performance.
type play struct {
	o         Options
	dir       string
	cloud     *cloudsim.Cloud
	observers map[string]*observer
	say       *screen
	facts     chan failover.Fact
	listening chan listening
	broken    chan error // observers that ended by themselves
	address   string     // of the witness
	seen      seen
	sent      sent
	led       []reign
}

// Run plays the demo. It is true when every failover it promised was made
// exactly once and proven, and nothing else was touched.
func Run(ctx context.Context, o Options) (bool, error) {
	if o.Speed <= 0 || o.Speed > 5 {
		return false, fmt.Errorf("--speed %g: want a number above 0 and at most 5", o.Speed)
	}
	if o.Patience == 0 {
		o.Patience = 75 * time.Second
	}
	dir, err := os.MkdirTemp("", "drwatch-demo-")
	if err != nil {
		return false, fmt.Errorf("a folder for the demo: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }() // a folder for temporary files; what is left there harms nobody
	p := &play{
		o: o, dir: dir, say: newScreen(o.Out, o.Terminal, o.Now), observers: map[string]*observer{}, sent: sent{},
		facts: make(chan failover.Fact, 10_000), listening: make(chan listening, 3), broken: make(chan error, 3),
	}
	if err := p.stage(); err != nil {
		return false, err
	}
	defer p.cloud.Close()
	defer p.end()
	for _, name := range []string{first, second, witness} {
		if err := p.start(p.observers[name]); err != nil {
			return false, err
		}
	}
	ok, err := p.perform(ctx)
	if err == nil && !o.Once && ctx.Err() == nil {
		p.say.line("Still serving http://%s/ until Ctrl-C.", p.address)
		select {
		case <-ctx.Done():
		case err = <-p.broken:
			return false, err
		}
	}
	return ok, err
}

// scaled is a duration at the demo's speed.
func (p *play) scaled(d time.Duration) time.Duration {
	return max(time.Duration(float64(d)/p.o.Speed).Round(time.Millisecond), 50*time.Millisecond)
}

// stage builds the clouds, the rules and the observers.
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
	return p.cast()
}

// rules are one rule a provider, as a person would write them for three
// observers: the servers come after the warehouses that they write to.
func (p *play) rules() string {
	const form = `  - failover: %s
    targets: '{provider="%s", active_site="az-a"}'
    site_unreachable: az-a
    for: %s
    mode: auto
    quorum: {agree: 2, of: 3}
    after: [%s]
    fence: %s
    guards: {%s, data_age_under: 30s, cooldown: 1h, max_concurrent: 4}
`
	hold := strconv.Itoa(int(p.scaled(3*time.Second).Milliseconds())) + "ms"
	accept := `{accept_split_brain: "simulated: nobody writes to the lost side"}`
	out := "groups:\n- name: az-a-is-lost\n  interval: " + strconv.Itoa(int(p.scaled(500*time.Millisecond).Milliseconds())) + "ms\n  rules:\n"
	out += fmt.Sprintf(form, "warehouses", "huawei_dws", hold, "", accept, "lag_under: 30s")
	out += fmt.Sprintf(form, "disks", "aliyun_ebs", hold, "", accept, "lag_under: 30s")
	out += fmt.Sprintf(form, "legacy-volumes", "huawei_evs", hold, "", accept, "lag_under: 30s, lag_unknown: allow")
	out += fmt.Sprintf(form, "servers", "huawei_sdrs", hold, "warehouses", "provider", "lag_under: 30s, lag_unknown: allow")
	return out
}
