package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/drwatch/drwatch/internal/client"
	"github.com/drwatch/drwatch/internal/cloudsim"
	"github.com/drwatch/drwatch/internal/replication"
)

// The three observers, each at its site.
const (
	first   = "obs-a" // in the site that will be lost; it leads first
	second  = "obs-b"
	witness = "obs-w" // votes and never leads; it has the page
)

// observer is one drwatch in a process of its own.
type observer struct {
	name, site string
	storage    string
	order      order
	api        *client.Client // set when it listens

	mu    sync.Mutex
	proc  *os.Process
	stdin interface{ Close() error }
	lost  bool          // the play has killed it
	ended chan struct{} // closed when the process is gone
}

// cast writes the configurations of the three observers.
func (p *play) cast() error {
	peers, err := peerURLs(first, second, witness)
	if err != nil {
		return err
	}
	for _, o := range []*observer{{name: first, site: lostSite}, {name: second, site: "az-b"}, {name: witness, site: "witness"}} {
		dir := filepath.Join(p.dir, o.name)
		o.storage, o.ended = filepath.Join(dir, "data"), make(chan struct{})
		if err := os.MkdirAll(o.storage, 0o700); err != nil {
			return fmt.Errorf("a folder for %s: %w", o.name, err)
		}
		path, err := p.cloud.WriteConfig(dir, cloudsim.ConfigOptions{
			PollInterval: p.scaled(time.Second), EvaluationInterval: p.scaled(500 * time.Millisecond), ProbeInterval: p.scaled(500 * time.Millisecond),
			ProbeTimeout: p.scaled(400 * time.Millisecond), Mode: string(replication.Auto), RuleFiles: []string{filepath.Join(p.dir, "rules.yml")},
			Observer: o.name, ObserverSite: o.site, Sites: []string{"witness"}, Peers: peers, LeaseTTL: lease, ActionTimeout: actionTimeout,
			NeverActs: o.name == witness,
		})
		if err != nil {
			return err
		}
		o.order = order{
			Name: o.name, Config: path, Storage: o.storage, Listen: "127.0.0.1:0", Version: p.o.Version, Member: p.o.MemberCommand, Verbose: p.o.Logs != nil,
			TrackInterval: p.scaled(500 * time.Millisecond), SignatureLife: 3 * time.Second, Settle: time.Second, Margin: 500 * time.Millisecond,
		}
		if o.name == witness {
			o.order.Listen = p.o.Listen
		}
		p.observers[o.name] = o
	}
	// The play wants the observer that will be lost to lead first. A frozen one
	// leaves that to others.
	return os.WriteFile(p.holdBack(), nil, 0o600)
}

// holdBack is the file that freezes the second observer.
func (p *play) holdBack() string { return filepath.Join(p.observers[second].storage, "FREEZE") }

const (
	lease         = 5 * time.Second
	actionTimeout = time.Second
)

// peerURLs finds a free port of this machine for each name.
func peerURLs(names ...string) (map[string]string, error) {
	out := map[string]string{}
	var held []net.Listener
	defer func() { // all are held until all are found
		for _, l := range held {
			_ = l.Close() // nothing was served
		}
	}()
	for _, n := range names {
		l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("a port for the store of %s: %w", n, err)
		}
		held = append(held, l)
		out[n] = "http://" + l.Addr().String()
	}
	return out, nil
}

// start starts an observer's process and hears it until it ends.
func (p *play) start(o *observer) error {
	// No context ends it: it goes when its input does.
	cmd := exec.CommandContext(context.Background(), p.o.ObserverCommand[0], p.o.ObserverCommand[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for the play, which ends them in order
	cmd.Stderr = p.o.Logs
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting observer %s: %w", o.name, err)
	}
	o.mu.Lock()
	o.proc, o.stdin = cmd.Process, stdin
	o.mu.Unlock()
	go func() {
		why := p.hear(o, json.NewDecoder(stdout))
		if err := cmd.Wait(); err != nil && why == "" {
			why = err.Error()
		}
		if !o.isLost() {
			p.broken <- fmt.Errorf("observer %s ended: %s", o.name, why)
		}
		close(o.ended)
	}()
	if err := json.NewEncoder(stdin).Encode(o.order); err != nil {
		return fmt.Errorf("telling observer %s what to do: %w", o.name, err)
	}
	return nil
}

// hear takes what the process tells until its end, and returns the error it ended
// with, "" when it told none.
func (p *play) hear(o *observer, dec *json.Decoder) string {
	for {
		var m message
		if dec.Decode(&m) != nil {
			return ""
		}
		switch {
		case m.Error != "":
			return m.Error
		case m.Fact != nil:
			p.facts <- *m.Fact
		case len(m.Listening) > 0:
			p.listening <- listening{o, m.Listening[0]}
		}
	}
}

type listening struct {
	observer *observer
	address  string
}

// reached notes where an observer's API is.
func (p *play) reached(l listening) error {
	c, err := client.New("http://"+l.address, &http.Client{Timeout: 3 * time.Second})
	l.observer.api = c
	if l.observer.name == witness {
		p.address = l.address
	}
	return err
}

// isLost tells whether the play has killed it.
func (o *observer) isLost() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.lost
}

// kill ends an observer as the loss of its machine does.
func (o *observer) kill() {
	o.mu.Lock()
	o.lost = true
	_ = o.proc.Kill() // one that is gone need not be killed
	o.mu.Unlock()
	<-o.ended
}

// end asks the observers to end, makes those that do not, and waits until their
// stores have gone too, so that nothing is left that could write into the folder.
func (p *play) end() {
	var wg sync.WaitGroup
	for _, o := range p.observers {
		o.mu.Lock()
		started := o.proc != nil
		o.lost = true
		if started {
			_ = o.stdin.Close() // its end of input is the request
		}
		o.mu.Unlock()
		if !started {
			continue
		}
		wg.Go(func() {
			select {
			case <-o.ended:
			case <-time.After(endWithin):
				o.kill()
			}
			awaitUnlocked(filepath.Join(o.storage, "etcd.lock"))
		})
	}
	wg.Wait()
}

// endWithin is how long an observer may take to end: the last ones have no
// majority left to give their leases back to.
const endWithin = time.Second

// awaitUnlocked waits until nobody holds the file: a store's member does for as
// long as it lives. One that does not end is not waited for for ever.
func awaitUnlocked(path string) {
	f, err := os.Open(path)
	if err != nil {
		return // it never began
	}
	defer f.Close()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for range 500 {
		if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			return
		}
		<-tick.C
	}
}
