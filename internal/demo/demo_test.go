package demo_test

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/drwatch/drwatch/internal/cloudsim"
	"github.com/drwatch/drwatch/internal/demo"
	"github.com/drwatch/drwatch/internal/quorum"
	"github.com/drwatch/drwatch/test/leftover"
)

// TestMain is also an observer of the play, and its store's member.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "etcd-member" {
		os.Exit(quorum.MemberMain(os.Args[2:]))
	}
	if len(os.Args) > 1 && os.Args[1] == "demo-observer" {
		os.Exit(demo.ObserverMain(os.Stdin, os.Stdout, os.Stderr))
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(leftover.Exit()))
}

// told is what the play prints. It calls then once, when it has said a text.
type told struct {
	bytes.Buffer
	text string
	then func()
}

func (o *told) Write(b []byte) (int, error) {
	n, err := o.Buffer.Write(b)
	if o.then != nil && strings.Contains(o.String(), o.text) {
		o.then()
		o.then = nil
	}
	return n, err
}

func play(t *testing.T, ctx context.Context, out *told, change func(*demo.Options)) (bool, error) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", t.TempDir())
	o := demo.Options{
		Out: out, Once: true, Speed: 1, Listen: "127.0.0.1:0", Version: "test", Now: time.Now,
		ObserverCommand: []string{exe, "demo-observer"}, MemberCommand: []string{exe, "etcd-member"},
	}
	change(&o)
	kept, err := demo.Run(ctx, o)
	if left := processes(t, exe); len(left) != 0 {
		t.Errorf("processes left behind: %v", left)
	}
	return kept, err
}

func TestPromiseIsKept(t *testing.T) {
	var out told
	var status int
	kept, err := play(t, t.Context(), &out, func(o *demo.Options) {
		o.Spoil = func(_ *cloudsim.Cloud, address string) error {
			resp, err := http.Get("http://" + address + "/metrics")
			if err != nil {
				return err
			}
			status = resp.StatusCode
			return resp.Body.Close()
		}
	})
	if !kept || err != nil {
		t.Fatalf("kept %v, %v\n%s", kept, err, out.String())
	}
	if status != http.StatusOK {
		t.Errorf("/metrics of the witness answers %d", status)
	}
	for _, want := range []string{
		"az-a unreachable for", "failing over from az-a to az-b", "PROMISE KEPT", "db-orders", "Report with every journal",
		"obs-a, the leader, is killed now (SIGKILL)", "obs-b leads now", "(changes: 1)",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the tale does not say %q:\n%s", want, out.String())
		}
	}
	if left := inTemp(t); len(left) != 1 || !strings.HasPrefix(left[0], "drwatch-demo-report-") {
		t.Errorf("left behind: %v, want the report alone", left)
	}
}

// TestPromiseIsBroken: the judge must see a failover that the cloud refused.
func TestPromiseIsBroken(t *testing.T) {
	var out told
	kept, err := play(t, t.Context(), &out, func(o *demo.Options) {
		o.Spoil = func(c *cloudsim.Cloud, _ string) error {
			for _, g := range c.Groups() {
				if g.Name == "db-orders" {
					return c.SetStatus(g.ID, "error")
				}
			}
			return nil
		}
		o.Patience = 12 * time.Second
	})
	if kept || err == nil || !strings.Contains(out.String(), "PROMISE BROKEN") || !strings.Contains(out.String(), "WRONG: no incident") {
		t.Errorf("kept %v, %v\n%s", kept, err, out.String())
	}
}

func TestInterruptedEndsAndLeavesNothing(t *testing.T) {
	for _, when := range []string{"three observers", "az-a is lost now", "is killed now"} {
		t.Run(when, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			out := told{text: when, then: cancel}
			kept, err := play(t, ctx, &out, func(*demo.Options) {})
			if kept || err == nil {
				t.Errorf("kept %v, %v\n%s", kept, err, out.String())
			}
			if left := inTemp(t); len(left) != 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// processes are those that run this program, besides this one.
func processes(t *testing.T, exe string) []string {
	t.Helper()
	var out []string
	links, err := filepath.Glob("/proc/[0-9]*/exe")
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range links {
		pid := filepath.Base(filepath.Dir(l))
		if at, err := os.Readlink(l); err == nil && at == exe && pid != strconv.Itoa(os.Getpid()) {
			out = append(out, pid)
		}
	}
	return out
}

// inTemp are the files in the folder for temporary files.
func inTemp(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(os.TempDir()) //nolint:usetesting // the folder that the demo asks for, which play has set
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
