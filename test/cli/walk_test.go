package cli_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// patience is how long anything may take here; what waits looks again each
// tick.
const (
	patience = time.Minute
	tick     = 100 * time.Millisecond
)

// TestGettingStarted goes the way of docs/getting-started.md: simulated clouds,
// the rules that are shipped, a daemon in dry run, a lost site, what it would
// have done, and a stop. Only the waiting is shorter.
func TestGettingStarted(t *testing.T) {
	dir := t.TempDir()
	sim := start(t, dir, "sim", "--control.listen-address", "127.0.0.1:0")
	control := sim.find(t, regexp.MustCompile(`(http://\S+)/sim/sites/az-a/lose`))

	config, rules := filepath.Join(dir, "sim/drwatch.yml"), read(t, filepath.Join(root, "rules/az-a-loss.yml"))
	write(t, filepath.Join(dir, "sim/rules.yml"), strings.ReplaceAll(rules, "for: 30s", "for: 2s"))
	write(t, config, read(t, config)+"rule_files: [rules.yml]\n")
	if said, code := run(t, dir, "check", "config", "sim/drwatch.yml"); code != 0 {
		t.Fatalf("check config: exit code %d:\n%s", code, said)
	}

	serve := start(t, dir, "serve", "--config.file", "sim/drwatch.yml", "--storage.path", "data", "--web.listen-address", "127.0.0.1:0")
	url := "http://" + serve.find(t, regexp.MustCompile(`msg="drwatch runs" addresses=\[([^\]]+)\]`))
	serve.eventually(t, "all 16 targets are seen by a fit leader", func() bool {
		said, code := run(t, dir, "rules", "--url", url)
		status, _ := run(t, dir, "status", "--url", url)
		return code == 0 && strings.Count(said, "\n") == 17 && strings.Contains(status, "leads") && !strings.Contains(status, "ABSTAINS")
	})
	if said, _ := run(t, dir, "explain", "db-orders", "--url", url); !strings.Contains(said, "NO  no_veto") {
		t.Errorf("explain does not show the veto of a site that answers:\n%s", said)
	} else if !strings.Contains(said, "no_veto: the veto of ") {
		t.Errorf("explain does not say what would flip the answer:\n%s", said)
	}

	post(t, control+"/sim/sites/az-a/lose")
	serve.eventually(t, "16 incidents are simulated", func() bool {
		said, _ := run(t, dir, "incidents", "--url", url)
		return strings.Count(said, "  simulated  ") == 16
	})
	if effects := get(t, control+"/sim/effects"); strings.TrimSpace(effects) != "[]" {
		t.Errorf("dry run had effects: %s", effects)
	}
	checkMetricsPage(t, get(t, url+"/metrics"))
	if code := serve.stop(t); code != 0 {
		t.Errorf("serve ended with %d at SIGTERM:\n%s", code, serve.said())
	}
}

// checkMetricsPage: what is exported stands in docs/metrics.md.
func checkMetricsPage(t *testing.T, scrape string) {
	t.Helper()
	page := read(t, filepath.Join(root, "docs/metrics.md"))
	parser := expfmt.NewTextParser(model.UTF8Validation) // refuses a metric that is there twice
	families, err := parser.TextToMetricFamilies(strings.NewReader(scrape))
	if err != nil {
		t.Errorf("/metrics: %v", err)
	}
	for name, want := range map[string]int{"drwatch_group_info": 21, "drwatch_group_latched": 21, "drwatch_rule_votes": 16 * 3, "drwatch_rule_info": 4, "drwatch_leader": 1} {
		if n := len(families[name].GetMetric()); n != want {
			t.Errorf("%d series of %s, want %d", n, name, want)
		}
	}
	found := regexp.MustCompile(`(?m)^# TYPE (drwatch_\S+) (\S+)$`).FindAllStringSubmatch(scrape, -1)
	if len(found) < 30 {
		t.Errorf("only %d metrics are exported", len(found))
	}
	for _, m := range found {
		if !strings.Contains(page, "| `"+m[1]+"` | "+m[2]+" |") {
			t.Errorf("docs/metrics.md has no row for %s, a %s", m[1], m[2])
		}
	}
}

// TestExampleConfiguration serves examples/drwatch.yml, with its clouds and
// probes replaced by a port where nobody answers and its secrets by files.
func TestExampleConfiguration(t *testing.T) {
	said, code := run(t, root, "check", "config", "examples/drwatch.yml")
	if code != 0 {
		t.Fatalf("check config: exit code %d:\n%s", code, said)
	}
	dir := t.TempDir()
	text := read(t, filepath.Join(root, "examples/drwatch.yml"))
	text = regexp.MustCompile(`https://vip\.az-..example\.com/health`).ReplaceAllString(text, "http://127.0.0.1:9/")
	text = regexp.MustCompile(`"[0-9.]+:[0-9]+"`).ReplaceAllString(text, `"127.0.0.1:9"`)
	text = regexp.MustCompile(`(?m)^    provider: .*$`).ReplaceAllString(text, "$0\n    endpoint: http://127.0.0.1:9\n    action_endpoint: http://127.0.0.1:9")
	write(t, filepath.Join(dir, "drwatch.yml"), text)
	write(t, filepath.Join(dir, "rules/az-a.yml"), read(t, filepath.Join(root, "examples/rules/az-a.yml")))
	for _, m := range regexp.MustCompile(`_file: (\S+)`).FindAllStringSubmatch(text, -1) {
		write(t, filepath.Join(dir, m[1]), "example\n")
	}
	serve := start(t, dir, "serve", "--storage.path", "data", "--web.listen-address", "127.0.0.1:0")
	url := "http://" + serve.find(t, regexp.MustCompile(`msg="drwatch runs" addresses=\[([^\]]+)\]`))
	serve.eventually(t, "it leads, without any cloud", func() bool {
		said, code := run(t, dir, "status", "--url", url)
		return code == 0 && strings.Contains(said, "leads")
	})
	serve.eventually(t, "it says that it is isolated: no reference answers", func() bool {
		return strings.Contains(get(t, url+"/metrics"), "drwatch_observer_isolated 1")
	})
	var rules struct{ Data []any }
	if err := json.Unmarshal([]byte(get(t, url+"/api/v1/rules")), &rules); err != nil || len(rules.Data) != 4 {
		t.Errorf("%d rules, %v", len(rules.Data), err)
	}
	if code := serve.stop(t); code != 0 {
		t.Errorf("serve ended with %d at SIGTERM:\n%s", code, serve.said())
	}
}

// process is a drwatch that runs until the end of the test.
type process struct {
	cmd   *exec.Cmd
	lines chan string
	heard []string
}

func start(t *testing.T, dir string, args ...string) *process {
	t.Helper()
	return startAt(t, nil, dir, args...)
}

// startAt is start with something else than nothing to read from.
func startAt(t *testing.T, stdin *os.File, dir string, args ...string) *process {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: exec.CommandContext(t.Context(), filepath.Join(built.bin, "drwatch"), args...), lines: make(chan string, 10_000)}
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, w, w
	if stdin != nil {
		p.cmd.Stdin = stdin
	}
	// At the end of the test it is asked to stop, not killed.
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(syscall.SIGTERM) }
	p.cmd.WaitDelay = patience
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	go func() {
		defer close(p.lines)
		for s := bufio.NewScanner(r); s.Scan(); {
			p.lines <- s.Text()
		}
	}()
	t.Cleanup(func() { p.stop(t) })
	return p
}

// find waits for a line that matches, and returns its first group.
func (p *process) find(t *testing.T, re *regexp.Regexp) string {
	t.Helper()
	limit := time.After(patience)
	for {
		select {
		case line, ok := <-p.lines:
			if !ok {
				t.Fatalf("drwatch ended without a line like %s:\n%s", re, p.said())
			}
			p.heard = append(p.heard, line)
			if m := re.FindStringSubmatch(line); m != nil {
				return m[1]
			}
		case <-limit:
			t.Fatalf("no line like %s came:\n%s", re, p.said())
		}
	}
}

// eventually waits until something holds.
func (p *process) eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	every := time.NewTicker(tick)
	defer every.Stop()
	for !holds() {
		select {
		case <-every.C:
		case <-ctx.Done():
			t.Fatalf("waited in vain: %s\n%s", what, p.said())
		}
	}
}

// stop ends it as a service manager would, once, and returns its exit code.
func (p *process) stop(t *testing.T) int {
	t.Helper()
	if p.cmd.ProcessState == nil {
		if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		_ = p.cmd.Wait() // the exit code tells
	}
	return p.cmd.ProcessState.ExitCode()
}

// said is all that it has printed so far.
func (p *process) said() string {
	for {
		select {
		case line, ok := <-p.lines:
			if !ok {
				return strings.Join(p.heard, "\n")
			}
			p.heard = append(p.heard, line)
		default:
			return strings.Join(p.heard, "\n")
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, url string) string { t.Helper(); return ask(t, http.MethodGet, url, "") }

func post(t *testing.T, url string) { t.Helper(); ask(t, http.MethodPost, url, "") }

func ask(t *testing.T, method, url, body string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %s %v\n%s", method, url, resp.Status, err, b)
	}
	return string(b)
}
