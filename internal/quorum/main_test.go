package quorum_test

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
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/drwatch/drwatch/internal/quorum"
	"github.com/drwatch/drwatch/test/leftover"
)

// TestMain lets the test binary be the member process, as drwatch itself is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "etcd-member":
			os.Exit(quorum.MemberMain(os.Args[2:]))
		case "store-parent":
			os.Exit(storeParent(os.Args[2]))
		}
	}
	flag.Parse()
	// Most of these tests wait for a process and use little CPU time.
	if err := flag.Set("test.parallel", "4"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(leftover.Exit()))
}

// storeParent is a process that opens a store and waits to be killed.
func storeParent(dir string) int {
	s, err := quorum.Open(options(dir, slog.New(slog.NewTextHandler(os.Stderr, nil))))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	for s.Status().ClientURL == "" {
		tick()
	}
	fmt.Fprintln(os.Stdout, "joined")
	select {}
}

func options(dir string, log *slog.Logger) quorum.Options {
	return quorum.Options{
		Dir: dir, Cluster: "test", Observer: "obs-a", Site: "az-b", Version: "test", LeaseTTL: 15 * time.Second,
		ClientURL: "http://127.0.0.1:0", Command: []string{os.Args[0], "etcd-member"}, Logger: log, Now: time.Now,
	}
}

// tick lets a moment pass for another process.
func tick() { <-time.After(10 * time.Millisecond) }

// logs collects what the store logged; it is shown when the test fails.
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
	return textLogger(l)
}

func textLogger(l *logs) *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// openStore opens a store in dir and waits until it has joined.
func openStore(t *testing.T, dir string, change ...func(*quorum.Options)) *quorum.Store {
	t.Helper()
	s := openRaw(t, dir, change...)
	waitFor(t, "the store to join", func() bool { return s.Status().Joined })
	return s
}

func openRaw(t *testing.T, dir string, change ...func(*quorum.Options)) *quorum.Store {
	t.Helper()
	o := options(dir, logger(t))
	for _, c := range change {
		c(&o)
	}
	s, err := quorum.Open(o)
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
		tick()
	}
}

// members are the member processes that work in dir.
func members(t *testing.T, dir string) []int {
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
	return pids
}
