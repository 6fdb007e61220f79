package breakglass_test

import (
	"bytes"
	"context"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/app"
	"github.com/drwatch/drwatch/internal/archive"
	"github.com/drwatch/drwatch/internal/cloudsim"
	"github.com/drwatch/drwatch/internal/replication"
)

// TestOnce: with production's site gone, its endpoints with it, each group is
// failed over by one call; asked again, nothing is sent.
func TestOnce(t *testing.T) {
	for _, group := range all() {
		t.Run(group, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			l.lose()
			p, err := l.fail(group)
			if err != nil {
				t.Fatalf("%v\n%s", err, p.heard())
			}
			l.want(group, 1, 1)
			if !strings.Contains(p.heard(), "succeeded: production of "+group) {
				t.Errorf("the person was not told:\n%s", p.heard())
			}
			p, err = l.fail(group)
			l.refused(err, "nothing was sent", "not_failed_over")
			if p.asked != 0 {
				t.Error("the name was asked for although nothing can be done")
			}
			l.want(group, 1, 1)
			report, err := archive.Verify(l.journal())
			if err != nil || len(report.Problems) > 0 || report.Entries != 3 {
				t.Errorf("the journal has %d entries, %v, %v; want intent, outcome and end", report.Entries, report.Problems, err)
			}
			check, err := app.CheckJournal(l.storage)
			if err != nil || !check.OK || !slices.Contains(check.Notes, "journal-without-store: 3 entries of what persons did without the store") {
				t.Errorf("the check of the journals: %+v, %v", check, err)
			}
		})
	}
}

// TestPlan: the person is shown what is called where, what must hold, and what is
// not looked at.
func TestPlan(t *testing.T) {
	for group, texts := range map[string][]string{
		"servers":   {"StartFailoverProtectionGroup at http://127.0.0.1:", "status_allows_failover", "not told by the provider"},
		"volumes":   {"at http://127.0.0.1:", "keep it from writing"},
		"warehouse": {"at http://127.0.0.1:", "is lost", "keep it from writing"},
		"disks":     {"FailoverDiskReplicaGroup at http://127.0.0.1:", "cn-beijing/cn-beijing-f, then at cn-shanghai/cn-shanghai-b", "is lost"},
	} {
		t.Run(group, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			p, err := l.fail(group, func(w *app.WithoutStore) { w.DryRun = true })
			if err != nil {
				t.Fatal(err)
			}
			for _, text := range append(texts, "WITHOUT THE STORE", "votes and vetoes", "they have the majority", "no drwatch answers at "+nobody) {
				if !strings.Contains(p.heard(), text) {
					t.Errorf("the plan does not tell %q:\n%s", text, p.heard())
				}
			}
			if group == "disks" && !strings.Contains(p.heard(), "at "+l.clouds.URL("ebs-b")) && !strings.Contains(p.heard(), "at "+shanghai(l)) {
				t.Errorf("the call does not go to the region that production moves to:\n%s", p.heard())
			}
			if p.asked != 0 {
				t.Error("a dry run asked")
			}
			if _, err := os.Stat(l.journal()); err == nil {
				t.Error("a dry run made a journal")
			}
			l.want(group, 0, 0)
		})
	}
}

// shanghai is the endpoint of the region that the disks move to.
func shanghai(l *lab) string {
	for _, e := range cloudsim.DefaultEndpoints() {
		if e.Provider == replication.AliyunEBS && e.Region == "cn-shanghai" {
			return l.clouds.URL(e.Name)
		}
	}
	return ""
}

// TestTwoAtOnce: of two that run at the same time on one machine one is refused.
func TestTwoAtOnce(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.lose()
	var wg sync.WaitGroup
	outs := make([]bytes.Buffer, 4)
	for n := range outs {
		cmd := l.process("disks", "", "")
		cmd.Stdout = &outs[n]
		wg.Go(func() { _ = cmd.Run() })
	}
	wg.Wait()
	l.want("disks", 1, 1)
	succeeded := 0
	for n := range outs {
		text := outs[n].String()
		switch {
		case strings.Contains(text, "succeeded"):
			succeeded++
		case !strings.Contains(text, "another --without-store runs") && !strings.Contains(text, "not_failed_over"):
			t.Errorf("one ended with:\n%s", text)
		}
	}
	if succeeded != 1 {
		t.Errorf("%d succeeded, want 1", succeeded)
	}
}

// TestSecondWaitsForFirst: while one asks its person, a second does not begin.
func TestSecondWaitsForFirst(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.lose()
	p := &person{types: "disks"}
	p.before = func() {
		_, err := l.fail("servers")
		l.refused(err, "another --without-store runs on", "let it end first")
	}
	if _, err := l.fail("disks", func(w *app.WithoutStore) { w.Person = p }); err != nil {
		t.Fatal(err)
	}
	l.want("servers", 0, 0)
	l.want("disks", 1, 1)
}

// TestKilled kills the command at each of its steps and runs it again, at once
// and once a call that was signed can no longer arrive. Production moves once.
func TestKilled(t *testing.T) {
	for _, group := range all() {
		steps := []string{"intent", "sent"}
		if group == "disks" {
			steps = []string{"typed", "read", "intent", "first_byte", "sent", "outcome", "following"}
		}
		for _, at := range steps {
			t.Run(group+"/"+at, func(t *testing.T) {
				t.Parallel()
				l := newLab(t)
				l.lose()
				if err := l.process(group, at, "3s").Run(); !killed(err) {
					t.Fatalf("%q was never reached: %v", at, err)
				}
				l.again(group, at)
			})
		}
	}
}

// again runs the command until it has nothing to wait for any more.
func (l *lab) again(group, at string) {
	l.t.Helper()
	intended := at == "intent" || at == "first_byte"
	run := func(life string) string {
		out, _ := l.process(group, "", life).CombinedOutput()
		return string(out)
	}
	first := run("3s")
	if intended && !strings.Contains(flat(first), "may have been sent, and may still arrive until") {
		l.t.Errorf("after a kill at %q at once:\n%s", at, first)
	}
	if intended {
		l.want(group, 0, 0)
	}
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	last := first
	for deadline := time.Now().Add(30 * time.Second); strings.Contains(last, "may still arrive") && time.Now().Before(deadline); <-tick.C {
		last = run("3s")
	}
	switch {
	case intended && group == "warehouse":
		if !strings.Contains(flat(last), "for DWS a second call could swap the roles back") {
			l.t.Errorf("after a kill at %q, later:\n%s", at, last)
		}
		l.want(group, 0, 0)
	default:
		l.want(group, 1, 1)
	}
	if last = run("3s"); strings.Contains(last, "succeeded") {
		l.t.Errorf("it was done once more:\n%s", last)
	}
}

func flat(s string) string { return strings.Join(strings.Fields(s), " ") }

// TestUnknown: the provider acts and cuts the connection, or acts late, or not
// at all.
func TestUnknown(t *testing.T) {
	for _, group := range all() {
		t.Run(group+"/applied and cut", func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			l.lose()
			l.fault(cloudsim.Fault{Operation: "failover", Answer: cloudsim.Cut, Count: 1})
			p, err := l.fail(group)
			if err != nil {
				t.Fatalf("%v\n%s", err, p.heard())
			}
			l.want(group, 1, 1)
		})
		t.Run(group+"/applied late", func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			l.lose()
			l.fault(cloudsim.Fault{Operation: "failover", Answer: cloudsim.Hang, Applied: "applied", Late: 2 * time.Second, Count: 1})
			p, err := l.fail(group, func(w *app.WithoutStore) { w.SignatureLife = 10 * time.Second })
			if err != nil {
				t.Fatalf("%v\n%s", err, p.heard())
			}
			l.want(group, 1, 1)
		})
		t.Run(group+"/dropped", func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			l.lose()
			l.fault(cloudsim.Fault{Operation: "failover", Answer: cloudsim.Unavailable, Count: 1})
			_, err := l.fail(group)
			l.refused(err, "not proven")
			l.want(group, 0, 1)
			p, err := l.fail(group)
			if group == "warehouse" {
				l.refused(err, "for DWS a second call could swap the roles back", "console")
				l.want(group, 0, 1)
				return
			}
			if err != nil || !strings.Contains(p.heard(), "for the second and last time") {
				t.Fatalf("%v\n%s", err, p.heard())
			}
			l.want(group, 1, 2)
		})
	}
}

func (l *lab) fault(f cloudsim.Fault) {
	l.t.Helper()
	if _, err := l.clouds.AddFault(f); err != nil {
		l.t.Fatal(err)
	}
}

// TestSecondUnknownIsTheLast: two calls without an answer are enough.
func TestSecondUnknownIsTheLast(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.lose()
	l.fault(cloudsim.Fault{Operation: "failover", Answer: cloudsim.Unavailable, Count: 3})
	for range 2 {
		_, err := l.fail("disks")
		l.refused(err, "not proven")
	}
	_, err := l.fail("disks")
	l.refused(err, "two calls", "console")
	l.want("disks", 0, 2)
	tokens := map[string]bool{}
	for _, e := range l.clouds.Effects() {
		if e.Kind == cloudsim.Called {
			tokens[e.ClientToken] = true
		}
	}
	if len(tokens) != 1 {
		t.Errorf("the calls of one incident had %d client tokens, want one and the same", len(tokens))
	}
}

// TestInterrupted: Ctrl-C after the call ends the following alone, and says so;
// the next run follows on without a call.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.lose()
	l.fault(cloudsim.Fault{Operation: "failover", Fate: cloudsim.Stuck})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	w := order(l.config, l.storage, "servers")
	w.Person = &person{types: "servers"}
	w.At = func(step string) {
		if step == "following" {
			cancel()
		}
	}
	l.refused(app.FailoverWithoutStore(ctx, w), "not proven", "it goes on at the provider")
	l.want("servers", 0, 1)
	l.clouds.ClearFaults()
	p, err := l.fail("servers")
	if err != nil && !strings.Contains(err.Error(), "the provider already shows it") || err == nil && !strings.Contains(p.heard(), "it is only followed") {
		t.Errorf("the next run ended with %v\n%s", err, p.heard())
	}
	if p.asked != 0 {
		t.Error("a call that was accepted is only followed, and the name was asked for")
	}
	l.want("servers", 1, 1)
}

// TestRejected: what the provider refuses has done nothing, and may be asked for
// again.
func TestRejected(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.lose()
	l.fault(cloudsim.Fault{Operation: "failover", Answer: cloudsim.Throttled, Count: 1})
	_, err := l.fail("disks")
	l.refused(err, "refused for the rate", "run it again")
	l.want("disks", 0, 1)
	if _, err := l.fail("disks"); err != nil {
		t.Fatal(err)
	}
	l.want("disks", 1, 2)
}
