// Package cluster_test runs the coordination store of several observers as real
// processes on loopback addresses: it forms, loses members and gets them back.
package cluster_test

import (
	"bytes"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/drwatch/drwatch/internal/quorum"
	"github.com/drwatch/drwatch/test/leftover"
)

const (
	stop = syscall.SIGSTOP
	cont = syscall.SIGCONT
)

// TestMain lets the test binary be the member process, as drwatch itself is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "etcd-member" {
		os.Exit(quorum.MemberMain(os.Args[2:]))
	}
	if len(os.Args) > 2 && os.Args[1] == "observer" {
		os.Exit(observe(os.Args[2]))
	}
	flag.Parse()
	// These tests wait for elections and time-outs and use little CPU time.
	if err := flag.Set("test.parallel", "4"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(leftover.Exit()))
}

func options(dir string, log *slog.Logger) quorum.Options {
	return quorum.Options{
		Dir: dir, Cluster: "test", Observer: "obs-a", Site: "az-b", Version: "test", LeaseTTL: time.Minute,
		Command: []string{os.Args[0], "etcd-member"}, Logger: log, Now: time.Now,
	}
}

// logs collects what a store logged; it is shown when the test fails.
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

func logger(t *testing.T) *slog.Logger {
	t.Helper()
	l := &logs{}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the store logged:\n%s", l)
		}
	})
	return slog.New(slog.NewTextHandler(l, nil))
}

// lone opens the store of a lone observer.
func lone(t *testing.T, dir string) *quorum.Store {
	t.Helper()
	s, err := quorum.Open(options(dir, logger(t)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited 30s for %s", what)
		}
		<-time.After(10 * time.Millisecond)
	}
}

func kill(t *testing.T, pid int, sig syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, sig); err != nil {
		t.Fatal(err)
	}
	if sig == stop { // it takes a moment, in which much could be answered
		waitFor(t, "the process to stop", func() bool { return stopped(t, pid) })
	}
}

// stopped tells whether each thread of the process has stopped.
func stopped(t *testing.T, pid int) bool {
	t.Helper()
	threads, err := filepath.Glob(filepath.Join("/proc", strconv.Itoa(pid), "task", "*", "stat"))
	if err != nil || len(threads) == 0 {
		t.Fatalf("process %d has no threads: %v", pid, err)
	}
	for _, path := range threads {
		b, err := os.ReadFile(path) //nolint:gosec // of the member that the test has started
		if err == nil && !strings.Contains(string(b), ") T ") {
			return false
		}
	}
	return true
}

// theMember is the one member process that works in dir.
func theMember(t *testing.T, dir string) int {
	t.Helper()
	procs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, p := range procs {
		cmd, _ := os.ReadFile(filepath.Join(p, "cmdline"))
		cwd, _ := os.Readlink(filepath.Join(p, "cwd"))
		if strings.Contains(string(cmd), "etcd-member") && cwd == dir {
			pid, err := strconv.Atoi(filepath.Base(p))
			if err != nil {
				t.Fatal(err)
			}
			pids = append(pids, pid)
		}
	}
	if len(pids) != 1 {
		t.Fatalf("%d members run in %s, want 1", len(pids), dir)
	}
	return pids[0]
}

func containsText(err error, text string) bool {
	return err != nil && strings.Contains(err.Error(), text)
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}

func writeFile(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}
