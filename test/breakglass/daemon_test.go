package breakglass_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/api"
	"github.com/drwatch/drwatch/internal/app"
	"github.com/drwatch/drwatch/internal/cloudsim"
)

// daemonProcess is one life of the real daemon.
type daemonProcess struct {
	t    *testing.T
	url  string
	log  string
	end  func()
	done chan struct{}
}

func (l *lab) daemon(config string) *daemonProcess {
	l.t.Helper()
	exe, err := os.Executable()
	if err != nil {
		l.t.Fatal(err)
	}
	d := &daemonProcess{t: l.t, log: filepath.Join(l.t.TempDir(), "log"), done: make(chan struct{})}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), "GLASS_DAEMON=1", "GLASS_CONFIG="+config, "GLASS_STORAGE="+l.storage)
	logs, err := os.Create(d.log)
	if err != nil {
		l.t.Fatal(err)
	}
	cmd.Stderr = logs
	in, err := cmd.StdinPipe()
	if err != nil {
		l.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		l.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { _ = cmd.Process.Kill(); <-d.done })
	lines := bufio.NewScanner(out)
	for d.url == "" && lines.Scan() {
		if a, ok := strings.CutPrefix(lines.Text(), "listening "); ok {
			d.url = "http://" + a
		}
	}
	go func() { _ = cmd.Wait(); close(d.done) }()
	d.end = func() { _ = in.Close(); <-d.done }
	if d.url == "" {
		l.t.Fatalf("the daemon did not start\n%s", d.logs())
	}
	return d
}

func (d *daemonProcess) logs() string {
	b, _ := os.ReadFile(d.log)
	lines := strings.Split(string(b), "\n")
	return strings.Join(lines[max(0, len(lines)-30):], "\n")
}

func (d *daemonProcess) eventually(what string, ok func() bool) {
	d.t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(60 * time.Second); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			d.t.Fatalf("in vain: %s\n%s", what, d.logs())
		}
	}
}

func get[T any](d *daemonProcess, path string) (out T) {
	resp, err := http.Get(d.url + "/api/v1/" + path)
	if err != nil {
		return out
	}
	defer resp.Body.Close()
	var e api.Envelope
	if json.NewDecoder(resp.Body).Decode(&e) == nil {
		_ = json.Unmarshal(e.Data, &out)
	}
	return out
}

// TestNoMajority: the real daemon that is left of three says that the store has
// no majority, which is what the break-glass is for.
func TestNoMajority(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	peers := map[string]string{}
	for _, name := range []string{"obs-a", "obs-b", "obs-w"} {
		p, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		peers[name] = "http://" + p.Addr().String()
		_ = p.Close()
	}
	d := l.daemon(l.configure(cloudsim.ConfigOptions{Peers: peers}))
	d.eventually("the daemon says that the store does not answer", func() bool { return get[api.Status](d, "status").Store.Error != "" })
	l.lose()
	asked := func(w *app.WithoutStore) {
		w.Daemon = mustClient(d.url)
		w.Now = func() time.Time { return time.Now().Add(time.Minute) } // it had the time to join
	}
	_, err := l.fail("warehouse", asked, lifelike)
	l.refused(err, "the drwatch here has not read the store since its start at", "may still arrive until")
	l.want("warehouse", 0, 0)
	p, err := l.fail("disks", asked)
	if err != nil || !strings.Contains(p.heard(), "The drwatch of this machine says of the store") {
		t.Fatalf("%v\n%s\n%+v", err, p.heard(), get[api.Status](d, "status").Store)
	}
	l.want("disks", 1, 1)
}

const bothSites = `groups:
- name: either-is-lost
  interval: 500ms
  rules:
  - failover: from-a
    targets: '{active_site="az-a"}'
    site_unreachable: az-a
    for: 2s
    mode: auto
    quorum: {agree: 1, of: 1}
    fence: {accept_split_brain: "simulated"}
    guards: {lag_unknown: allow, data_age_under: 30s}
  - failover: from-b
    targets: '{active_site="az-b"}'
    site_unreachable: az-b
    for: 2s
    mode: auto
    quorum: {agree: 1, of: 1}
    fence: {accept_split_brain: "simulated"}
    guards: {lag_unknown: allow, data_age_under: 30s}
`

// TestAfterwards: with the real daemon running and its store well, the command is
// refused. Without it, it moves a group; the daemon that comes back takes the
// change of direction for a failover: its cool-down runs, and no rule acts again,
// neither for the site that was left nor for the one that the group is at.
func TestAfterwards(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	rules := filepath.Join(t.TempDir(), "rules.yml")
	write(t, rules, bothSites)
	config := l.configure(cloudsim.ConfigOptions{RuleFiles: []string{rules}})
	l.config = config
	first := l.daemon(config)
	first.eventually("ready and leading", func() bool { s := get[api.Status](first, "status"); return s.Ready && s.Leads })
	_, err := l.fail("disks", func(w *app.WithoutStore) { w.Daemon = mustClient(first.url) })
	l.refused(err, "the store answers: use `drwatch failover`")
	l.want("disks", 0, 0)
	if read := get[api.Status](first, "status").Store.ReadAt; time.Since(read) > time.Minute {
		t.Errorf("it says that it has last read the store at %s", read)
	}
	first.end()
	_, err = l.fail("warehouse", lifelike)
	l.refused(err, "the drwatch here does not answer, and has last written to its store at", "may still arrive until")
	l.want("warehouse", 0, 0)

	if err := l.clouds.LoseSite("az-a", cloudsim.Loss{}); err != nil {
		t.Fatal(err)
	}
	p, err := l.fail("disks")
	if err != nil {
		t.Fatalf("%v\n%s", err, p.heard())
	}
	l.want("disks", 1, 1)

	second := l.daemon(config)
	second.eventually("the rule has moved the other groups", func() bool {
		for _, group := range []string{"servers", "volumes", "warehouse"} {
			if l.clouds.EffectiveFailovers(l.ids[group]) != 1 {
				return false
			}
		}
		return true
	})
	l.want("disks", 1, 1)
	if err := errors.Join(l.clouds.RestoreSite("az-a"), l.clouds.LoseSite("az-b", cloudsim.Loss{})); err != nil {
		t.Fatal(err)
	}
	second.eventually("the rule for the other site says go, and the cool-down holds it back", func() bool {
		held := map[string]bool{}
		for _, r := range get[api.Explain](second, "explain?group=disks").Rules {
			for _, c := range r.Conditions {
				held[r.Rule+"/"+c.Name] = c.OK
			}
		}
		cool, there := held["from-b/cooldown"]
		return held["from-b/quorum"] && there && !cool
	})
	l.want("disks", 1, 1)
}
