package cluster_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/quorum"
	"github.com/drwatch/drwatch/internal/replication"
)

// What an observer process is asked on its standard input, a line each.
const (
	askLead   = "lead"   // it leads when nobody does, and claims
	askFollow = "follow" // it makes room
)

// observerConfig is what an observer process is started with.
type observerConfig struct {
	Name, Dir, Version string
	Peers              quorum.Peers
}

// observe is an observer as a process of its own, of whatever version it was
// built from: it renews its lease round by round, and when it leads it goes on
// with the incidents that are open, ends them, and claims one more. What it did is
// told on standard output.
func observe(config string) int {
	var c observerConfig
	if err := json.Unmarshal([]byte(config), &c); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	o := options(c.Dir, slog.New(slog.NewTextHandler(os.Stderr, nil)).With("observer", c.Name, "version", c.Version))
	o.Observer, o.Site, o.Version, o.Peers, o.LeaseTTL = c.Name, "site-"+c.Name, c.Version, &c.Peers, 3*time.Second
	s, err := quorum.Open(o)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	p := &party{Store: s, name: c.Name, version: c.Version}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			p.leads.Store(lines.Text() == askLead)
		}
	}()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ended:
			if err := s.Close(); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
			return 0
		case <-tick.C:
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		p.round(ctx)
		cancel()
	}
}

// party is one observer's part in the claims.
type party struct {
	*quorum.Store
	name, version string
	leads         atomic.Bool
	said          string
	claims        int
}

// say tells a state once.
func (p *party) say(what string, a ...any) {
	if text := fmt.Sprintf(what, a...); text != p.said {
		p.said = text
		fmt.Println(text)
	}
}

func (p *party) round(ctx context.Context) {
	if err := p.PublishVotes(ctx, nil); err != nil {
		p.say("out %v", err)
		return
	}
	if err := p.Renew(ctx); err != nil {
		p.say("out %v", err)
		return
	}
	c, err := p.Read(ctx)
	if err != nil {
		p.say("out %v", err)
		return
	}
	if !p.leads.Load() {
		if err := p.Resign(ctx); err == nil {
			p.say("follows %s", p.Status().ClientURL)
		}
		return
	}
	lead, mine, err := p.Lead(ctx)
	if err != nil || !mine {
		p.say("does not lead")
		return
	}
	if err := p.act(ctx, c, lead); err != nil {
		p.say("not done %v", err)
	}
}

// act ends what is open, whoever claimed it, and claims the next.
func (p *party) act(ctx context.Context, c replication.Cluster, lead replication.Leader) error {
	for _, rec := range c.Incidents {
		if rec.Phase.Ended() {
			continue
		}
		if rec.Holder.LeaderRev != lead.CreateRev {
			var err error
			if rec, err = p.TakeOver(ctx, rec, lead); err != nil {
				return err
			}
			p.say("took over %s", rec.ID)
		}
		g := c.Groups[rec.Key()]
		g.OpenIncident = ""
		rec.Phase = replication.Aborted
		w := replication.Write{Incident: rec.Incident, Entry: replication.Entry{Event: "aborted"}, Token: rec.Token, IncidentRev: rec.Rev, Group: &g}
		if _, err := p.Write(ctx, w); err != nil {
			return err
		}
		p.say("ended %s", rec.ID)
	}
	p.claims++
	id := fmt.Sprintf("%s-%s-%d-%d", p.version, p.name, lead.CreateRev, p.claims)
	_, err := p.Store.Claim(ctx, replication.Claim{
		Incident: replication.Incident{
			ID: id, Rule: "r1", RuleHash: "h1", Provider: replication.HuaweiEVS, Group: id, Mode: replication.Auto,
			Phase: replication.Open, Slot: -1, Plan: replication.Plan{LostSite: "az-a", MaxConcurrent: 2},
		},
		Entry: replication.Entry{Event: "claimed"}, Observer: p.name, LeaderRev: lead.CreateRev,
		Revision: c.Revision, LossRev: c.Losses["az-a"].Rev, Loss: replication.SiteLoss{Site: "az-a"},
	})
	if err == nil {
		p.say("claimed %s", id)
	}
	return err
}

// observerProcess is a running observer, seen from the test.
type observerProcess struct {
	*testing.T
	cmd   *exec.Cmd
	stdin io.WriteCloser
	done  chan struct{}

	mu    sync.Mutex
	said  []string
	asked int // how many lines there were when it was last asked
}

// startObserver runs an observer from a binary until the test ends.
func startObserver(t *testing.T, binary string, c observerConfig) *observerProcess {
	t.Helper()
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	p := &observerProcess{T: t, cmd: exec.CommandContext(t.Context(), binary, "observer", string(b)), done: make(chan struct{})}
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	l := &logs{}
	p.cmd.Stderr = l
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.stop()
		if t.Failed() {
			t.Logf("%s %s logged:\n%s\nand said:\n%s", c.Name, c.Version, l, strings.Join(p.lines(), "\n"))
		}
	})
	go func() {
		defer close(p.done)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			p.mu.Lock()
			p.said = append(p.said, lines.Text())
			p.mu.Unlock()
		}
	}()
	return p
}

func (p *observerProcess) lines() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.said...)
}

// ask tells the observer what to do from now on.
func (p *observerProcess) ask(what string) {
	p.Helper()
	p.asked = len(p.lines())
	if _, err := fmt.Fprintln(p.stdin, what); err != nil {
		p.Fatal(err)
	}
}

// stop ends the observer as an upgrade does; a second time does nothing.
func (p *observerProcess) stop() {
	_ = p.stdin.Close() // its end of input is the request
	<-p.done
	_ = p.cmd.Wait() // what it did is judged by the store
}

// says waits for n lines that begin so, since it was last asked.
func (p *observerProcess) says(n int, prefix string) {
	p.Helper()
	waitFor(p.T, fmt.Sprintf("%d times %q", n, prefix), func() bool {
		found := 0
		for _, l := range p.lines()[p.asked:] {
			if strings.HasPrefix(l, prefix) {
				found++
			}
		}
		return found >= n
	})
}

// saidOnce waits until a line that contains the text has been said, and returns
// the newest.
func (p *observerProcess) saidOnce(text string) string {
	p.Helper()
	var line string
	waitFor(p.T, text, func() bool {
		for _, l := range p.lines() {
			if strings.Contains(l, text) {
				line = l
			}
		}
		return line != ""
	})
	return line
}

// newerVersion builds this test from a tree that is one version ahead: it writes
// one kind of key, a field of an incident, and a field in its plan that the
// present tree does not have, and its store's format may be one higher.
func newerVersion(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	overlay := map[string]map[string]string{"Replace": {}}
	patch := func(file string, pairs ...string) {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		text := string(b)
		for i := 0; i < len(pairs); i += 2 {
			if strings.Count(text, pairs[i]) != 1 {
				t.Fatalf("%s does not hold this once: %s", file, pairs[i])
			}
			text = strings.Replace(text, pairs[i], pairs[i+1], 1)
		}
		patched := filepath.Join(dir, strings.ReplaceAll(file, "/", "_"))
		writeFile(t, patched, []byte(text))
		overlay["Replace"][filepath.Join(root, file)] = patched
	}
	patch("internal/replication/incident.go",
		"type Incident struct {\n", "type Incident struct {\n\tQuarantine string `json:\"quarantine,omitempty\"`\n",
		"type Plan struct {\n", "type Plan struct {\n\tWave int `json:\"wave,omitempty\"`\n")
	patch("internal/quorum/ledger/claim.go",
		"\tc.Incident.Head, c.Incident.Length = \"\", 0\n", "\tc.Incident.Head, c.Incident.Length, c.Incident.Quarantine, c.Incident.Plan.Wave = \"\", 0, \"newer\", 7\n",
		"\tps.add(l.keys.holder(inc.ID), holder)\n\taddKept", "\tps.add(l.keys.holder(inc.ID), holder)\n\tps.add(l.keys.join(\"wave\", inc.ID), 7)\n\taddKept")
	patch("internal/quorum/ledger/format.go", "const Format = 1\n", "const Format = 2\n")
	b, err := json.Marshal(overlay)
	if err != nil {
		t.Fatal(err)
	}
	list, binary := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "newer")
	writeFile(t, list, b)
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-overlay", list, "-o", binary, "./test/cluster")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the newer version: %v\n%s", err, out)
	}
	return binary
}
