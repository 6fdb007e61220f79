package breakglass_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/drwatch/drwatch/internal/api"
	"github.com/drwatch/drwatch/internal/archive"
	"github.com/drwatch/drwatch/internal/breakglass"
	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/replication"
)

var (
	left  = replication.Location{Region: "north", Zone: "a"}
	right = replication.Location{Region: "north", Zone: "b"}
)

// desk is the provider, the person and what sends, in one.
type desk struct {
	now     func() time.Time
	group   replication.Group
	answer  replication.Outcome
	acts    bool // a call moves production
	jobFail bool
	types   string
	sent    int
	ids     map[string]bool // of the incidents that calls were made for
	told    []string
	plan    api.Plan
	typed   func()
	begins  func() // between the intent and the first byte
	during  func() // between the first byte and the answer
	reads   func() // before each look at the group
}

func newDesk(p replication.Provider) *desk {
	return &desk{
		now: time.Now, acts: true, types: "db", answer: replication.Accepted, ids: map[string]bool{},
		group: replication.Group{
			Key: replication.GroupKey{Provider: p, ID: "id-1"}, Name: "db", Account: "main", Source: left, Target: right, Active: left,
			State: replication.Replicating, RawStatus: "protected", Ready: []replication.Condition{{Name: "pairs", Value: "2", Threshold: "2", OK: true}},
		},
	}
}

func (d *desk) Read(context.Context) (replication.Group, error) {
	if d.reads != nil {
		d.reads()
	}
	g := d.group
	g.ReadAt, g.ProviderTime = d.now(), d.now()
	return g, nil
}

func (d *desk) Track(ctx context.Context, _ string) (failover.Progress, error) {
	g, err := d.Read(ctx)
	return failover.Progress{Group: g, JobFailed: d.jobFail, Detail: "job"}, err
}

func (d *desk) Show(p api.Plan) error { d.plan = p; return nil }
func (d *desk) Tell(line string)      { d.told = append(d.told, line) }

func (d *desk) Ask(_ context.Context, name string) error {
	if d.typed != nil {
		d.typed()
	}
	if d.types != name {
		return errors.New("not the name")
	}
	return nil
}

func (d *desk) Procedure(_ replication.Action, g replication.Group, inc replication.Incident) (replication.Procedure, error) {
	there := replication.Condition{Name: "production_at_from", Value: g.Active.String(), Threshold: inc.Plan.From.String(), OK: g.Active == inc.Plan.From}
	return replication.Procedure{Steps: []replication.Step{{
		Action: replication.Failover, Call: "MoveIt", Ready: append([]replication.Condition{there}, g.Ready...), Done: g.Active == inc.Plan.To,
	}}}, nil
}

func (d *desk) Operate(ctx context.Context, _ replication.Action, o failover.Operation) failover.Sent {
	if d.begins != nil {
		d.begins()
	}
	if err := o.BeforeFirstByte(); err != nil {
		return failover.Sent{Outcome: replication.NotSent, Err: err}
	}
	d.sent++
	d.ids[o.Incident] = true
	if d.during != nil {
		d.during()
	}
	if ctx.Err() != nil {
		return failover.Sent{Outcome: replication.Uncertain, Err: ctx.Err()}
	}
	if d.acts {
		d.group.Active, d.group.State, d.group.RawStatus = right, replication.FailedOver, "failed-over"
	}
	return failover.Sent{Outcome: d.answer, Status: 200, RequestID: "r-1"}
}

// run is one run of the command, with a journal that is opened for it.
func (d *desk) run(t *testing.T, storage string, change ...func(*breakglass.Options)) error {
	t.Helper()
	return d.runIn(t.Context(), t, storage, change...)
}

func (d *desk) runIn(ctx context.Context, t *testing.T, storage string, change ...func(*breakglass.Options)) error {
	t.Helper()
	j, err := breakglass.OpenJournal(filepath.Join(storage, "j"), "obs", d.now)
	if err != nil {
		return err
	}
	defer func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	}()
	o := breakglass.Options{
		Group: d, Person: d, Handbook: d, Operator: func() (failover.Operator, error) { return d, nil },
		Stopped: func(context.Context) error { return nil }, Frozen: func() error { return nil },
		Endpoint: func(replication.Location) string { return "https://b" }, Journal: j,
		Asked: replication.Person{Who: "ann", From: "here", Reason: "lost"}, ActionTimeout: 5 * time.Second,
		TrackInterval: time.Second, SignatureLife: 15 * time.Minute, Settle: 2 * time.Minute, Now: d.now,
	}
	for _, c := range change {
		c(&o)
	}
	return breakglass.New(o).Run(ctx)
}

func wants(t *testing.T, err, kind error, text string) {
	t.Helper()
	if !errors.Is(err, kind) || !strings.Contains(err.Error(), text) {
		t.Errorf("it ended with %v; want %v and %q", err, kind, text)
	}
}

// TestKnownElsewhere: what observers have done for the group is looked at as far
// as this machine knows it.
func TestKnownElsewhere(t *testing.T) {
	call := func(ago time.Duration, o replication.Outcome) []replication.Call {
		return []replication.Call{{Outcome: o, StartedAt: time.Now().Add(-ago)}}
	}
	moved := replication.Plan{From: left, To: right}
	for _, c := range []struct {
		name string
		p    replication.Provider
		inc  replication.Incident
		want string // "" = it is done
	}{
		{"a call a minute ago without an answer", replication.HuaweiSDRS, replication.Incident{Phase: replication.Verifying, Calls: call(time.Minute, replication.Uncertain)}, "may still arrive"},
		{"an intent a minute ago", replication.HuaweiSDRS, replication.Incident{Phase: replication.Executing, Calls: call(time.Minute, replication.OutcomeNone)}, "may still arrive"},
		{"a call that was accepted a minute ago", replication.HuaweiSDRS, replication.Incident{Phase: replication.Verifying, Calls: call(time.Minute, replication.Accepted)}, "may still arrive"},
		{"a call an hour ago without an answer", replication.HuaweiSDRS, replication.Incident{Phase: replication.Verifying, Calls: call(time.Hour, replication.Uncertain)}, ""},
		{"a call of DWS an hour ago without an answer", replication.HuaweiDWS, replication.Incident{Phase: replication.Verifying, Calls: call(time.Hour, replication.Uncertain)}, "swap the roles back"},
		{"a call that was refused", replication.HuaweiSDRS, replication.Incident{Phase: replication.Held, Calls: call(time.Minute, replication.Rejected)}, ""},
		{"an incident that waits", replication.HuaweiSDRS, replication.Incident{Phase: replication.Held}, ""},
		{"a failover half an hour ago", replication.HuaweiDWS, replication.Incident{Phase: replication.Succeeded, Action: replication.Failover, Plan: moved, EndedAt: time.Now().Add(-30 * time.Minute)}, "moved production to north/b"},
		{"a failover two hours ago", replication.HuaweiDWS, replication.Incident{Phase: replication.Succeeded, Action: replication.Failover, Plan: moved, EndedAt: time.Now().Add(-2 * time.Hour)}, ""},
		{"another group's", replication.HuaweiSDRS, replication.Incident{Group: "id-2", Phase: replication.Verifying, Calls: call(time.Minute, replication.Uncertain)}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDesk(c.p)
			c.inc.ID, c.inc.Provider = "theirs", c.p
			if c.inc.Group == "" {
				c.inc.Group = "id-1"
			}
			err := d.run(t, t.TempDir(), func(o *breakglass.Options) { o.Others = []replication.Incident{c.inc} })
			if c.want == "" {
				if err != nil || d.sent != 1 {
					t.Errorf("%v, %d calls; want it done", err, d.sent)
				}
				return
			}
			wants(t, err, breakglass.ErrRefused, c.want)
			if d.sent != 0 {
				t.Errorf("%d calls were made", d.sent)
			}
		})
	}
}

// TestUnknownOutcome plays an answer that never came, on a virtual clock.
func TestUnknownOutcome(t *testing.T) {
	for _, c := range []struct {
		name  string
		p     replication.Provider
		later func(d *desk) // 20 minutes after the call
		want  string
		calls int
	}{
		{"nothing happened", replication.HuaweiSDRS, func(*desk) {}, "did not happen", 2},
		{"nothing happened, of DWS", replication.HuaweiDWS, func(*desk) {}, "swap the roles back", 1},
		{"it is another status", replication.HuaweiSDRS, func(d *desk) { d.group.RawStatus, d.group.State = "stopped", replication.ProtectionOff }, "proves nothing", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				storage, d := t.TempDir(), newDesk(c.p)
				d.acts, d.answer = false, replication.Uncertain
				began := time.Now()
				d.reads = func() {
					if time.Since(began) > 10*time.Minute && d.sent == 1 {
						c.later(d)
					}
				}
				err := d.run(t, storage)
				wants(t, err, breakglass.ErrNotProven, c.want)
				if took := time.Since(began); took < 17*time.Minute || took > 18*time.Minute {
					t.Errorf("it was decided after %s, want just over 17m", took)
				}
				d.answer, d.acts, d.reads = replication.Accepted, true, nil
				err = d.run(t, storage)
				if c.calls == 2 && (err != nil || len(d.ids) != 1) || c.calls == 1 && !errors.Is(err, breakglass.ErrRefused) {
					t.Errorf("the next run ended with %v, incidents %v", err, d.ids)
				}
				if d.sent != c.calls {
					t.Errorf("%d calls, want %d", d.sent, c.calls)
				}
			})
		})
	}
}

// TestProviderSaysFailed: the provider's job failed.
func TestProviderSaysFailed(t *testing.T) {
	d := newDesk(replication.HuaweiSDRS)
	d.acts, d.jobFail = false, true
	storage := t.TempDir()
	wants(t, d.run(t, storage), breakglass.ErrFailed, "job failed")
	d.acts, d.jobFail = true, false
	if err := d.run(t, storage); err != nil || d.sent != 2 || len(d.ids) != 2 {
		t.Errorf("the next run: %v, %d calls, incidents %v; want a new incident", err, d.sent, d.ids)
	}
}

// TestGuardsBeforeTheFirstByte: a freeze and a late start stop the call with the
// connection up.
func TestGuardsBeforeTheFirstByte(t *testing.T) {
	d, frozen := newDesk(replication.HuaweiSDRS), false
	storage := t.TempDir()
	d.begins = func() { frozen = true }
	freeze := func(o *breakglass.Options) {
		o.Frozen = func() error {
			if frozen {
				return errors.New("frozen by ann")
			}
			return nil
		}
	}
	wants(t, d.run(t, storage, freeze), breakglass.ErrRefused, "frozen by ann")
	shift := time.Duration(0)
	d.now = func() time.Time { return time.Now().Round(0).Add(shift) }
	d.begins = func() { shift = 6 * time.Second }
	wants(t, d.run(t, storage), breakglass.ErrRefused, "too long to send")
	if d.sent != 0 {
		t.Errorf("%d calls", d.sent)
	}
	d.begins = nil
	if err := d.run(t, storage); err != nil || d.sent != 1 {
		t.Errorf("%v, %d calls", err, d.sent)
	}
}

// TestInterrupted: Ctrl-C before the first byte keeps the call from leaving; after
// it the call is not cut, so that its outcome is known.
func TestInterrupted(t *testing.T) {
	d, storage := newDesk(replication.HuaweiSDRS), t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	d.begins = cancel
	wants(t, d.runIn(ctx, t, storage), breakglass.ErrRefused, "interrupted before the first byte")
	if d.sent != 0 {
		t.Errorf("%d calls", d.sent)
	}
	ctx, cancel = context.WithCancel(t.Context())
	d.begins, d.during = nil, cancel
	wants(t, d.runIn(ctx, t, storage), breakglass.ErrNotProven, "it goes on at the provider")
	j, err := breakglass.ReadJournal(filepath.Join(storage, "j"))
	if err != nil {
		t.Fatal(err)
	}
	if call := j.Incidents()[0].LastCall(); call.Outcome != replication.Accepted {
		t.Errorf("the outcome of the call is %q, want what the provider answered", call.Outcome)
	}
}

// TestIntentFirst: the intent is on the disk, whole and chained, before the call.
func TestIntentFirst(t *testing.T) {
	d, storage := newDesk(replication.HuaweiSDRS), t.TempDir()
	d.begins = func() {
		r, err := archive.Verify(filepath.Join(storage, "j"))
		if err != nil || r.Entries != 1 || len(r.Problems) != 0 {
			t.Errorf("before the first byte the journal has %d entries, %v, %v", r.Entries, r.Problems, err)
		}
	}
	if err := d.run(t, storage); err != nil {
		t.Fatal(err)
	}
}

// TestHalfWritten: what a crash left of an intent that was never durable is cut
// off, and stops nobody.
func TestHalfWritten(t *testing.T) {
	d, storage := newDesk(replication.HuaweiSDRS), t.TempDir()
	d.types = "no"
	wants(t, d.run(t, storage), breakglass.ErrRefused, "not the name")
	file := filepath.Join(storage, "j", "journal-000001.jsonl")
	if err := os.WriteFile(file, []byte(`{"begin":{"seq":1,`), 0o600); err != nil {
		t.Fatal(err)
	}
	d.types = "db"
	if err := d.run(t, storage); err != nil || d.sent != 1 {
		t.Errorf("%v, %d calls", err, d.sent)
	}
}

// TestReason: who asked, and why, stands in the journal.
func TestReason(t *testing.T) {
	d, storage := newDesk(replication.HuaweiSDRS), t.TempDir()
	if err := d.run(t, storage); err != nil {
		t.Fatal(err)
	}
	j, err := breakglass.ReadJournal(filepath.Join(storage, "j"))
	if err != nil || len(j.Incidents()) != 1 {
		t.Fatalf("%v, %v", j, err)
	}
	inc := j.Incidents()[0]
	if inc.Person == nil || inc.Person.Who != "ann" || inc.Person.Reason != "lost" || inc.Phase != replication.Succeeded || inc.RTOSeconds == nil {
		t.Errorf("the record is %+v", inc)
	}
	_, entries, err := archive.Incident(filepath.Join(storage, "j"), inc.ID)
	if err != nil || len(entries) != 3 || !strings.Contains(entries[0].Text, "ann asks for failover of db") || entries[0].Observer != "obs" {
		t.Errorf("%v, %+v", err, entries)
	}
}
