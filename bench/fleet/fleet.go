// Package fleet is what the bench programs share: simulated clouds with many
// groups, the real daemon as a process that watches them, and what the kernel
// says of that process. Linux alone.
package fleet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/drwatch/drwatch/internal/cloudsim"
	"github.com/drwatch/drwatch/internal/replication"
)

// Pairs is how many pairs each group has.
const Pairs = 3

// Clouds starts simulated clouds with so many groups at each of two providers.
// Each request takes the latency longer.
func Clouds(sdrs, ebs int, latency time.Duration) (*cloudsim.Cloud, error) {
	c, err := cloudsim.New(cloudsim.Options{Now: time.Now, Seed: 1, Latency: latency})
	if err != nil {
		return nil, err
	}
	a, b := replication.Location{Region: "cn-north-4", Zone: "cn-north-4a"}, replication.Location{Region: "cn-north-4", Zone: "cn-north-4b"}
	for i := range sdrs {
		if _, err := c.AddSDRS(cloudsim.SDRSGroup{Name: fmt.Sprintf("db-%05d", i), Source: a, Target: b, Pairs: Pairs, VolumeGB: 100}); err != nil {
			return nil, err
		}
	}
	a, b = replication.Location{Region: "cn-beijing", Zone: "cn-beijing-f"}, replication.Location{Region: "cn-shanghai", Zone: "cn-shanghai-b"}
	for i := range ebs {
		if _, err := c.AddEBS(cloudsim.EBSGroup{Name: fmt.Sprintf("disks-%05d", i), Source: a, Target: b, Pairs: Pairs, RPO: 15 * time.Minute}); err != nil {
			return nil, err
		}
	}
	return c, c.Start()
}

// Daemon is a running drwatch.
type Daemon struct {
	URL string
	cmd *exec.Cmd
	dir string
}

// Start builds drwatch and runs it against the clouds until it is ready and
// shows all groups. Close it.
func Start(c *cloudsim.Cloud, groups int, interval time.Duration) (*Daemon, error) {
	dir, err := os.MkdirTemp("", "drwatch-bench-")
	if err != nil {
		return nil, err
	}
	d := &Daemon{dir: dir}
	if err := d.start(c, interval); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	for range 600 {
		Wait(200 * time.Millisecond)
		text, err := d.Scrape()
		if err == nil && strings.Count(string(text), "\ndrwatch_group_info{") == groups && strings.Count(string(text), "\ndrwatch_group_latched{") == groups {
			return d, nil
		}
	}
	return nil, errors.Join(fmt.Errorf("the daemon does not show %d groups, see %s", groups, filepath.Join(dir, "log")), d.stop())
}

func (d *Daemon) start(c *cloudsim.Cloud, interval time.Duration) error {
	config, err := c.WriteConfig(d.dir, cloudsim.ConfigOptions{PollInterval: interval, Observer: "bench", ObserverSite: "witness"})
	if err != nil {
		return err
	}
	bin, err := Build(d.dir)
	if err != nil {
		return err
	}
	address, err := FreeAddress()
	if err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(d.dir, "log"))
	if err != nil {
		return err
	}
	defer log.Close()
	d.URL = "http://" + address
	d.cmd = exec.CommandContext(context.Background(), bin, "serve", "--config.file="+config, "--storage.path="+filepath.Join(d.dir, "data"), "--web.listen-address="+address)
	d.cmd.Stdout, d.cmd.Stderr = log, log
	return d.cmd.Start()
}

// Build builds drwatch into the folder, as `make build` does.
func Build(dir string) (string, error) {
	bin := filepath.Join(dir, "drwatch")
	cmd := exec.CommandContext(context.Background(), "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", bin, "github.com/drwatch/drwatch/cmd/drwatch")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building drwatch, from the module's folder: %w\n%s", err, out)
	}
	return bin, nil
}

// FreeAddress is a loopback address that nobody listens at.
func FreeAddress() (string, error) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// Scrape scrapes the daemon.
func (d *Daemon) Scrape() ([]byte, error) { return Scrape(d.URL + "/metrics") }

// Scrape reads a page of metrics as Prometheus does, and inflates it.
func Scrape(url string) ([]byte, error) {
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	resp, err := Client().Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return io.ReadAll(resp.Body)
}

// Client is a client whose connections stay open from scrape to scrape.
func Client() *http.Client { return &http.Client{Timeout: time.Minute} }

// Wait passes real time.
func Wait(d time.Duration) { <-time.After(d) }

// Usage is what the processes of a daemon use.
type Usage struct {
	RSS  int64 // bytes that are resident now
	Anon int64 // of these, its own: the rest is of files, most of it the executable
	Peak int64 // the most that ever were
	CPU  time.Duration
}

// Usage is that of the daemon itself, and of its store's process.
func (d *Daemon) Usage() (daemon, store Usage, err error) { return UsageOf(d.cmd.Process.Pid) }

// UsageOf is that of a daemon by its process id, and of its store's process.
func UsageOf(pid int) (daemon, store Usage, err error) {
	daemon, err = usage(pid)
	if err != nil {
		return daemon, store, err
	}
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil || len(children) == 0 {
		children, err = childrenOf(pid)
	}
	if err != nil {
		return daemon, store, err
	}
	for pid := range strings.FieldsSeq(string(children)) {
		n, err := strconv.Atoi(pid)
		if err != nil {
			return daemon, store, err
		}
		u, err := usage(n)
		if err != nil {
			return daemon, store, err
		}
		store.RSS, store.Anon, store.Peak, store.CPU = store.RSS+u.RSS, store.Anon+u.Anon, store.Peak+u.Peak, store.CPU+u.CPU
	}
	return daemon, store, nil
}

// childrenOf finds the children that other threads than the first have started.
func childrenOf(pid int) ([]byte, error) {
	var out []byte
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			continue // the thread has ended
		}
		out = append(append(out, text...), ' ')
	}
	return out, err
}

func usage(pid int) (Usage, error) {
	var u Usage
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return u, err
	}
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(line, ":")
		to := map[string]*int64{"VmRSS": &u.RSS, "VmHWM": &u.Peak, "RssAnon": &u.Anon}[name]
		if to == nil {
			continue
		}
		kilobytes, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		if err != nil {
			return u, err
		}
		*to = kilobytes << 10
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return u, err
	}
	// After the name, which may hold anything: state, then the numbers.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	for _, f := range fields[11:13] { // utime, stime: hundredths of a second
		ticks, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return u, err
		}
		u.CPU += time.Duration(ticks) * 10 * time.Millisecond
	}
	return u, nil
}

// Close ends the daemon and removes what it left behind.
func (d *Daemon) Close() error { return errors.Join(d.stop(), os.RemoveAll(d.dir)) }

func (d *Daemon) stop() error {
	if d.cmd == nil || d.cmd.Process == nil {
		return nil
	}
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return d.cmd.Wait()
}

// Quantile is the q-th part of the values, which are sorted for it.
func Quantile[T cmp.Ordered](values []T, q float64) T {
	slices.Sort(values)
	return values[min(len(values)-1, int(float64(len(values))*q))]
}

// Verdict says whether a target was met.
func Verdict(met bool) string {
	if met {
		return "met"
	}
	return "MISSED"
}
