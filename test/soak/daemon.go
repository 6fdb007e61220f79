package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/drwatch/drwatch/internal/client"
)

// daemon is one observer: a real drwatch with its store's member. Its data outlives
// its lives.
type daemon struct {
	name, site string
	program    string
	dir        string
	listen     string // of its API
	store      string // of its member's own client URL
	api        *client.Client
	keys       *clientv3.Client

	mu      sync.Mutex
	cmd     *exec.Cmd
	done    chan struct{} // closed when this life has ended
	wanted  bool          // it is to run
	stopped bool          // by SIGSTOP
	life    int
	began   time.Time
}

func (d *daemon) storage() string { return filepath.Join(d.dir, "data") }

func (d *daemon) config() string { return filepath.Join(d.dir, "drwatch.yml") }

func (d *daemon) url(path string) string { return "http://" + d.listen + path }

// start starts the daemon. unwanted is called if it ends by itself.
func (d *daemon) start(unwanted func(error)) error {
	log, err := os.OpenFile(filepath.Join(d.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	// No context ends it: it goes when it is told to.
	cmd := exec.CommandContext(context.Background(), d.program, "serve", "--config.file", d.config(), "--storage.path", d.storage(), "--web.listen-address", d.listen)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for the soak
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", d.name, err)
	}
	done := make(chan struct{})
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cmd, d.done, d.wanted, d.began = cmd, done, true, time.Now()
	d.life++
	go func() {
		err := cmd.Wait()
		d.mu.Lock()
		surprise := d.wanted && d.cmd == cmd
		d.mu.Unlock()
		if surprise {
			unwanted(err)
		}
		close(done)
	}()
	return nil
}

// kill ends the daemon with the signal and waits until it has.
func (d *daemon) kill(how syscall.Signal) {
	d.mu.Lock()
	d.wanted = false
	cmd, done := d.cmd, d.done
	d.mu.Unlock()
	if cmd == nil {
		return
	}
	_ = cmd.Process.Signal(how) // one that has gone needs none
	<-done
}

// halt stops the daemon and its member, as a machine that hangs does, or lets them
// go on.
func (d *daemon) halt(stop bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	sig := syscall.SIGCONT
	if d.stopped = stop; stop {
		sig = syscall.SIGSTOP
	}
	for _, pid := range append([]int{d.cmd.Process.Pid}, children(d.cmd.Process.Pid)...) {
		_ = syscall.Kill(pid, sig) // one that has gone needs none
	}
}

// state is the daemon's process, its life, and its age; 0 while it does not run.
func (d *daemon) state() (pid, life int, age time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.cmd == nil || !d.wanted || d.stopped {
		return 0, d.life, 0
	}
	return d.cmd.Process.Pid, d.life, time.Since(d.began)
}

func (d *daemon) runs() bool {
	pid, _, _ := d.state()
	return pid != 0
}

// hangup asks the daemon to read its files again.
func (d *daemon) hangup() {
	if pid, _, _ := d.state(); pid != 0 {
		_ = syscall.Kill(pid, syscall.SIGHUP) // one that has gone needs none
	}
}

// children are the processes that the process has started.
func children(pid int) []int {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is right
	var out []int
	for _, path := range stats {
		b, _ := os.ReadFile(path) // it may just have ended
		_, rest, _ := strings.Cut(string(b), ") ")
		if f := strings.Fields(rest); len(f) > 1 && f[1] == strconv.Itoa(pid) {
			if p, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil {
				out = append(out, p)
			}
		}
	}
	return out
}

func newDaemon(name, site, program, dir, listen, store string) (*daemon, error) {
	d := &daemon{name: name, site: site, program: program, dir: dir, listen: listen, store: store}
	if err := os.MkdirAll(d.storage(), 0o700); err != nil {
		return nil, err
	}
	var err error
	if d.api, err = client.New(d.url(""), &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{IdleConnTimeout: time.Minute}}); err != nil {
		return nil, err
	}
	d.keys, err = clientv3.New(clientv3.Config{Endpoints: []string{"http://" + store}, Logger: zap.NewNop()})
	return d, err
}

// live is the number of keys in the store, as its member knows it, and how many of
// them remember what is past: a group that was seen, or within an hour a failover that
// was begun. The member's own metric counts those too that are gone.
func (d *daemon) live(ctx context.Context) (all, past int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	r, err := d.keys.Get(ctx, "\x00", clientv3.WithFromKey(), clientv3.WithKeysOnly(), clientv3.WithSerializable())
	if err != nil {
		return 0, 0, err
	}
	for _, kv := range r.Kvs {
		if key := string(kv.Key); strings.Contains(key, "/group/") || strings.Contains(key, "/started/") {
			past++
		}
	}
	return r.Count, past, nil
}

// resident is the memory of a process in bytes without that of files that it maps, as
// the machine tells it.
func resident(pid int) (float64, bool) {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)) // it may just have ended
	_, rest, _ := strings.Cut(string(b), "\nRssAnon:")
	kb, ok := strings.CutSuffix(strings.TrimSpace(strings.SplitN(rest, "\n", 2)[0]), " kB")
	n, err := strconv.ParseFloat(kb, 64)
	return n * 1024, ok && err == nil
}
