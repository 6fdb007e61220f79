package failover_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/quorum/quorumtest"
	"github.com/drwatch/drwatch/internal/replication"
)

var writeOutages = flag.Bool("write-outages", false, "write testdata/outages.golden anew")

// night is a world in which az-a is lost, and all that is written of it.
type night struct {
	*world
	began time.Time
	at    func(step string)        // nil: nothing happens there
	track func(*failover.Progress) // nil: the group alone tells
	shows func(*replication.Group) // what a read under the claim shows; nil: what is so
	set   func(*failover.Options)  // nil: as usual
	mu    sync.Mutex
	lines []string
}

func (o *night) say(format string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lines = append(o.lines, fmt.Sprintf("%-9s ", time.Since(o.began).Round(time.Millisecond))+fmt.Sprintf(format, args...))
}

// Track is what the cloud shows, as the outage changes it.
func (o *night) Track(ctx context.Context, key replication.GroupKey, job string) (failover.Progress, error) {
	p, err := o.cloud.Track(ctx, key, job)
	if o.track != nil {
		o.track(&p)
	}
	return p, err
}

func (o *night) Read(ctx context.Context, key replication.GroupKey) (replication.Group, error) {
	g, err := o.cloud.Read(ctx, key)
	if o.shows != nil {
		g.Ready = slices.Clone(g.Ready)
		o.shows(&g)
	}
	return g, err
}

// numbers are what a run makes of its own: an incident's id has a hash in it.
var numbers = regexp.MustCompile(`\b(\d{8}t\d{6}-[0-9a-f]{8}|revision \d+)\b|"leader_rev":\d+`)

// written says of a transaction what is about incidents.
func (o *night) written(a quorumtest.Applied) {
	t := a.Txn
	if t.Op != "claim" && t.Op != "write" && t.Op != "take over" {
		return
	}
	var compares []string
	for _, c := range t.If {
		compares = append(compares, c.Name)
	}
	o.say("%s %s, if: %s", a.Observer, t.Op, numbers.ReplaceAllString(strings.Join(compares, "; "), "N"))
	for _, p := range t.Puts {
		kind, _, _ := strings.Cut(strings.TrimPrefix(p.Key, "/drwatch/test/"), "/")
		o.say("  %s %s", kind, o.record(kind, p.Value))
	}
	for _, key := range t.Deletes {
		o.say("  deletes %s", numbers.ReplaceAllString(key, "N"))
	}
}

// record is a record as it stands, without what is long or never changes, and
// without what a chance decides: whether the clock ticked just before or after.
func (o *night) record(kind string, value []byte) string {
	var fields map[string]any
	if json.Unmarshal(value, &fields) != nil {
		if kind == "started" {
			return ""
		}
		return numbers.ReplaceAllString(string(value), "N")
	}
	leave := []string{"journal_head", "rule", "rule_hash", "account", "provider", "group", "hash", "prev"}
	if kind == "incident" && fields["journal_length"] != 1.0 {
		leave = append(leave, "plan", "trigger", "name", "action", "id", "opened_at", "votes")
	}
	for _, name := range leave {
		delete(fields, name)
	}
	for _, name := range []string{"votes", "guards", "data"} {
		if fields[name] != nil {
			fields[name] = "…"
		}
	}
	o.clocks(fields)
	b, err := json.Marshal(fields)
	if err != nil {
		o.t.Fatal(err)
	}
	return numbers.ReplaceAllString(string(b), "N")
}

// clocks tells of the cluster clock whether it is that of now, or about when.
func (o *night) clocks(fields map[string]any) {
	for name, v := range fields {
		switch v := v.(type) {
		case map[string]any:
			o.clocks(v)
		case []any:
			for _, e := range v {
				if inner, ok := e.(map[string]any); ok {
					o.clocks(inner)
				}
			}
		case float64:
			if !strings.HasSuffix(name, "clock") {
				continue
			}
			if v > 1e6 { // in nanoseconds
				v /= 1e9
			}
			at := time.Duration(v * float64(time.Second))
			if near := time.Since(o.began) - at; near < 12*time.Second {
				fields[name] = "now"
			} else {
				fields[name] = "about " + at.Round(5*time.Minute).String()
			}
		}
	}
}

// options are those of an observer of the outage, without chance.
func (o *night) options(name string, store *quorumtest.Store) failover.Options {
	opt := failover.Options{
		Observer: name, Site: "witness", Store: store, Session: store, Upkeep: store, Lates: store, Rules: o.rules, Reader: o, Senders: o.cloud,
		CanAct: func(string) bool { return true }, AcceptSingle: true, LeaseTTL: quorumtest.LeaseTTL, TrackInterval: 1037 * time.Millisecond,
		Now: time.Now, Rand: func(n int64) int64 { return n / 2 }, Logger: discard,
		At: func(step string) {
			o.say("%s at %s", name, step)
			if step == "read" {
				<-time.After(130 * time.Millisecond) // from here on nothing is at the moment of a round
			}
			if o.at != nil {
				o.at(step)
			}
		},
	}
	if o.rules.rule.Mode == replication.DryRun {
		opt.Senders = nil
	}
	if o.set != nil {
		o.set(&opt)
	}
	return opt
}

// run starts an observer on the outage; stop ends it.
func (o *night) run(name string, store *quorumtest.Store) (stop func()) {
	c := failover.New(o.options(name, store))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(o.round())
		defer tick.Stop()
		for ctx.Err() == nil {
			_ = c.Round(ctx)
			select {
			case <-ctx.Done():
			case <-tick.C:
			case <-c.Wake():
			}
		}
	}()
	return func() {
		cancel()
		<-done
		closing, end := context.WithTimeout(context.Background(), max(o.closeWithin, time.Minute))
		defer end()
		_ = c.Close(closing)
	}
}

// first does f at a step, the first time that one comes to it.
func first(step string, f func()) func(string) {
	var do sync.Once
	return func(s string) {
		if s == step {
			do.Do(f)
		}
	}
}

// says are the answers of the provider, each told when it is asked for.
func (o *night) says(answers ...func(*cloud) failover.Sent) {
	for i, answer := range slices.Concat(answers, slices.Repeat([]func(*cloud) failover.Sent{accepted}, 3)) {
		o.cloud.answers = append(o.cloud.answers, func(c *cloud) failover.Sent {
			sent := answer(c)
			o.say("call %d reaches the provider: %s", i+1, sent.Outcome)
			return sent
		})
	}
}

// rule changes the rule of the outage.
func (o *night) rule(change func(*failover.Rule)) {
	o.rules.mu.Lock()
	defer o.rules.mu.Unlock()
	change(&o.rules.rule)
}

func (o *night) group(change func(*replication.Group)) {
	o.cloud.mu.Lock()
	defer o.cloud.mu.Unlock()
	change(&o.cloud.group)
}

func (o *night) ok(err error) {
	o.t.Helper()
	if err != nil {
		o.t.Fatal(err)
	}
}

// moves makes production move without a call of ours.
func (o *night) moves() {
	o.group(func(g *replication.Group) {
		g.Active, g.State, g.RawStatus = azB, replication.FailedOver, "failed-over"
	})
}

func (o *night) abort() {
	o.ok(o.store.Abort(context.Background(), o.only().ID, "ann", "enough"))
}

func (o *night) approve(who string) {
	o.ok(o.store.Approve(context.Background(), o.only().ID, replication.Approval{Who: who, Reason: "go"}))
}

// succeeds hands the outage over to obs-2 when the observer hangs at a step of its
// call, and lets the first one go on after a while.
func (o *night) succeeds(step string, after time.Duration) {
	dead, hang := o.store.Join(time.Now, "obs-w", "witness"), make(chan struct{})
	hung := first(step, func() {
		dead.Suspend(10 * time.Hour)
		<-hang
	})
	o.closeWithin, o.at = 5*time.Hour, hung
	stop := o.run("obs-w", dead)
	wait(15 * time.Second)
	o.at = nil
	go stop()
	stopSecond := o.run("obs-2", o.successor())
	wait(after)
	o.say("obs-w wakes")
	close(hang)
	wait(20 * time.Minute)
	stopSecond()
}

// TestOutages pins what is written of an incident from its claim to its end, what
// each write compares, and what reaches the provider, over all that may happen in
// between.
func TestOutages(t *testing.T) {
	const golden = "testdata/outages.golden"
	text, err := os.ReadFile(golden)
	if err != nil && !*writeOutages {
		t.Fatal(err)
	}
	pinned := map[string]string{}
	for part := range strings.SplitSeq(string(text), "== ") {
		name, story, _ := strings.Cut(part, "\n")
		pinned[name] = strings.TrimSpace(story)
	}
	var out strings.Builder
	for _, tt := range slices.Concat(beforeTheCall, atTheCall) {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := &night{world: newWorld(t, tt.provider, tt.mode), began: time.Now()}
				o.store.Watched(o.written)
				tt.play(o)
				o.mu.Lock()
				defer o.mu.Unlock()
				fmt.Fprintf(&out, "== %s\n%s\n\n", tt.name, strings.Join(o.lines, "\n"))
				if diff := cmp.Diff(strings.Split(pinned[tt.name], "\n"), o.lines); diff != "" && !*writeOutages {
					t.Errorf("it goes otherwise than %s has it (-pinned +now); -write-outages writes it anew:\n%s", golden, diff)
				}
			})
		})
	}
	if *writeOutages {
		if err := os.WriteFile(golden, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

var errAway = errors.New("no route")
