package demo_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/cloudsim"
	"github.com/drwatch/drwatch/internal/demo"
	"github.com/drwatch/drwatch/internal/quorum"
)

// TestMain is also the coordination store's member.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "etcd-member" {
		os.Exit(quorum.MemberMain(os.Args[2:]))
	}
	os.Exit(m.Run())
}

func play(t *testing.T, ctx context.Context, change func(*demo.Options)) (bool, string, error) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", t.TempDir())
	var out bytes.Buffer
	o := demo.Options{
		Out: &out, Once: true, Speed: 2, Listen: "127.0.0.1:0", Version: "test", MemberCommand: []string{exe, "etcd-member"},
		Logger: slog.New(slog.DiscardHandler), Now: time.Now,
	}
	change(&o)
	kept, err := demo.Run(ctx, o)
	return kept, out.String(), err
}

func TestPromiseIsKept(t *testing.T) {
	kept, out, err := play(t, t.Context(), func(*demo.Options) {})
	if !kept || err != nil {
		t.Fatalf("kept %v, %v\n%s", kept, err, out)
	}
	for _, want := range []string{"az-a unreachable for", "failing over from az-a to az-b", "PROMISE KEPT", "db-orders", "Report with every journal"} {
		if !strings.Contains(out, want) {
			t.Errorf("the tale does not say %q:\n%s", want, out)
		}
	}
	if left := leftover(t); len(left) != 1 || !strings.HasPrefix(left[0], "drwatch-demo-report-") {
		t.Errorf("left behind: %v, want the report alone", left)
	}
}

// TestPromiseIsBroken: the judge must see a failover that the cloud refused,
// and one that was made behind drwatch's back.
func TestPromiseIsBroken(t *testing.T) {
	kept, out, err := play(t, t.Context(), func(o *demo.Options) {
		o.Spoil = func(c *cloudsim.Cloud) error {
			for _, g := range c.Groups() {
				if g.Name == "db-orders" {
					return c.SetStatus(g.ID, "error")
				}
			}
			return nil
		}
		o.Patience = 12 * time.Second
	})
	if kept || err == nil || !strings.Contains(out, "PROMISE BROKEN") || !strings.Contains(out, "WRONG") {
		t.Errorf("kept %v, %v\n%s", kept, err, out)
	}
}

func TestInterruptedEndsAndLeavesNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	kept, out, err := play(t, ctx, func(o *demo.Options) {
		o.Spoil = func(*cloudsim.Cloud) error { cancel(); return nil }
	})
	if kept || err == nil {
		t.Errorf("kept %v, %v\n%s", kept, err, out)
	}
	if left := leftover(t); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestPageIsServedMeanwhile(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	const address = "127.0.0.1:19373"
	var status int
	_, out, err := play(t, ctx, func(o *demo.Options) {
		o.Listen = address
		o.Spoil = func(*cloudsim.Cloud) error {
			resp, err := http.Get("http://" + address + "/metrics")
			if err != nil {
				return err
			}
			status = resp.StatusCode
			return resp.Body.Close()
		}
	})
	if status != http.StatusOK || err != nil {
		t.Errorf("HTTP %d, %v\n%s", status, err, out)
	}
}

// leftover are the files in the folder for temporary files.
func leftover(t *testing.T) []string {
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
