package archive_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drwatch/drwatch/internal/archive"
	"github.com/drwatch/drwatch/internal/quorum/ledger"
	"github.com/drwatch/drwatch/internal/quorum/quorumtest"
	"github.com/drwatch/drwatch/internal/replication"
)

func now() time.Time { return time.Date(2026, 3, 1, 3, 0, 0, 0, time.UTC) }

// observer is one observer of the model with its archive.
type observer struct {
	*testing.T
	*quorumtest.Store
	dir    string
	logged *bytes.Buffer
	keeper *archive.Keeper
	wrote  []string
}

func newObserver(t *testing.T, s *quorumtest.Store) *observer {
	t.Helper()
	o := &observer{T: t, Store: s, dir: filepath.Join(t.TempDir(), "journal"), logged: &bytes.Buffer{}}
	o.ok(s.Renew(t.Context()))
	o.restart()
	return o
}

// restart is the next life of the observer's process.
func (o *observer) restart() {
	o.keeper = &archive.Keeper{
		Store: o.Store, Archive: archive.New(o.dir), Now: now, Logger: slog.New(slog.NewTextHandler(o.logged, nil)),
		Archived: func(a replication.Anchor) { o.wrote = append(o.wrote, a.Chain) },
	}
	o.Cleanup(func() { o.ok(o.keeper.Archive.Close()) })
}

func (o *observer) ok(err error) {
	o.Helper()
	if err != nil {
		o.Fatal(err)
	}
}

func (o *observer) read() replication.Cluster {
	o.Helper()
	c, err := o.Read(o.Context())
	o.ok(err)
	return c
}

// pass lets the observer archive, as the leader when it is.
func (o *observer) pass() error {
	_, leads, err := o.Lead(o.Context())
	if err != nil {
		return err
	}
	return o.keeper.Pass(o.Context(), o.read(), leads)
}

// incident is one that has ended, with entries in its journal.
func (o *observer) incident(id string, entries int) {
	o.Helper()
	_, _, err := o.Lead(o.Context())
	o.ok(err)
	c := o.read()
	g := replication.GroupKey{Provider: replication.HuaweiSDRS, ID: "g-" + id}
	rec, err := o.Claim(o.Context(), replication.Claim{
		Incident: replication.Incident{ID: id, Rule: "r1", Provider: g.Provider, Group: g.ID, Mode: replication.Auto, Phase: replication.Open, Slot: -1, OpenedAt: now(), Plan: replication.Plan{For: replication.Duration(290 * time.Millisecond)}},
		Entry:    replication.Entry{Event: "claimed", Text: "lag <3 s> & \"more\"", Data: map[string]any{"lag": 0.29}},
		Observer: c.Leader.Observer, LeaderRev: c.Leader.CreateRev, Revision: c.Revision, GroupRev: c.Groups[g].Rev,
	})
	o.ok(err)
	for i := 2; i < entries; i++ {
		rec, err = o.Write(o.Context(), replication.Write{Incident: rec.Incident, Token: rec.Token, IncidentRev: rec.Rev, Entry: replication.Entry{Event: "note", Text: fmt.Sprint("entry ", i)}})
		o.ok(err)
	}
	rec.Phase = replication.Aborted
	group := o.read().Groups[g]
	group.OpenIncident = ""
	_, err = o.Write(o.Context(), replication.Write{Incident: rec.Incident, Token: rec.Token, IncidentRev: rec.Rev, Group: &group, Entry: replication.Entry{Event: "aborted"}})
	o.ok(err)
}

// clean wants the observer's archive to be whole, and returns its report.
func (o *observer) clean() archive.Report {
	o.Helper()
	r, err := archive.Verify(o.dir)
	o.ok(err)
	if len(r.Problems) > 0 {
		o.Errorf("the archive of %d records is not whole:\n%s", r.Records, strings.Join(r.Problems, "\n"))
	}
	return r
}

func (o *observer) bytes() []byte {
	o.Helper()
	b, err := os.ReadFile(filepath.Join(o.dir, "journal-000001.jsonl"))
	o.ok(err)
	return b
}

func alone(t *testing.T) *observer { return newObserver(t, quorumtest.New(now, "obs-a", "az-b")) }

func TestAnEndedIncidentMovesIntoTheArchive(t *testing.T) {
	o := alone(t)
	o.incident("i1", 3)
	before := o.read().Incidents["i1"]
	journal, err := o.Journal(t.Context(), "i1")
	o.ok(err)
	o.ok(o.Freeze(t.Context(), "alice", "maintenance"))
	o.ok(o.pass())
	if len(o.read().Incidents) > 0 {
		t.Error("the incident is still in the store")
	}
	inc, entries, err := o.keeper.Archive.Incident("i1")
	o.ok(err)
	if diff := cmp.Diff(before.Incident, inc); diff != "" {
		t.Error("the incident in the archive (-before +archived):\n", diff)
	}
	if diff := cmp.Diff(journal, entries); diff != "" {
		t.Error("its journal (-before +archived):\n", diff)
	}
	o.ok(ledger.VerifyHead(inc, entries))
	if r := o.clean(); r.Records != 2 || r.Entries != 4 {
		t.Errorf("%d records with %d entries, want the incident's three entries and the person's one", r.Records, r.Entries)
	}
	if _, _, err := o.keeper.Archive.Incident("i2"); !errors.Is(err, archive.ErrNotFound) {
		t.Errorf("an incident that there is not: %v", err)
	}
	list, err := o.keeper.Archive.Incidents(10)
	o.ok(err)
	if len(list) != 1 || list[0].ID != "i1" {
		t.Errorf("listed %v", list)
	}
}

func TestTheListIsNewestFirstAndBounded(t *testing.T) {
	o := alone(t)
	for i := range 5 {
		o.incident(fmt.Sprint("i", i), 2)
		o.ok(o.pass())
	}
	list, err := o.keeper.Archive.Incidents(3)
	o.ok(err)
	var ids []string
	for _, i := range list {
		ids = append(ids, i.ID)
	}
	if want := []string{"i4", "i3", "i2"}; !cmp.Equal(ids, want) {
		t.Errorf("listed %v, want %v", ids, want)
	}
}

// What is added to an ended incident follows in a record of its own.
func TestAnAckAfterTheEndIsArchivedToo(t *testing.T) {
	o := alone(t)
	o.incident("i1", 3)
	g := replication.GroupKey{Provider: replication.HuaweiSDRS, ID: "g-i1"}
	rec := o.read().Groups[g]
	rec.Latch = &replication.Latch{Incident: "i1", Why: "look"}
	o.ok(o.PutGroup(t.Context(), g, rec))
	o.ok(o.pass())
	if len(o.read().Incidents) != 1 {
		t.Fatal("an incident that latches its group has left the store")
	}
	o.ok(o.Ack(t.Context(), g, "i1", "alice", "looked"))
	o.ok(o.pass())
	if len(o.read().Incidents) != 0 {
		t.Fatal("the acknowledged incident is still in the store")
	}
	inc, entries, err := o.keeper.Archive.Incident("i1")
	o.ok(err)
	o.ok(ledger.VerifyHead(inc, entries))
	if len(entries) != 4 || entries[3].Event != "ack" {
		t.Errorf("%d entries, want the ack as the fourth", len(entries))
	}
	list, err := o.keeper.Archive.Incidents(10)
	o.ok(err)
	if len(list) != 1 || list[0].Length != 4 {
		t.Errorf("the list has %d incidents, want one as it was last", len(list))
	}
	o.clean()
}

// An incident that is in several records is listed once, as it was last, and takes no
// other's place.
func TestTheListHasEachIncidentOnce(t *testing.T) {
	o := alone(t)
	for i := range 4 {
		id := fmt.Sprint("i", i)
		o.incident(id, 2)
		g := replication.GroupKey{Provider: replication.HuaweiSDRS, ID: "g-" + id}
		rec := o.read().Groups[g]
		rec.Latch = &replication.Latch{Incident: id, Why: "look"}
		o.ok(o.PutGroup(t.Context(), g, rec))
		o.ok(o.pass())
		o.ok(o.Ack(t.Context(), g, id, "alice", "looked"))
		o.ok(o.pass())
	}
	for limit := range 6 {
		list, err := o.keeper.Archive.Incidents(limit)
		o.ok(err)
		var got []string
		for _, i := range list {
			got = append(got, fmt.Sprintf("%s with %d entries", i.ID, i.Length))
		}
		want := []string{"i3 with 3 entries", "i2 with 3 entries", "i1 with 3 entries", "i0 with 3 entries"}
		if want = want[:min(limit, len(want))]; !slices.Equal(got, want) {
			t.Errorf("the newest %d: %q, want %q", limit, got, want)
		}
	}
}

// Two observers that archive at their own pace end with the same bytes.
func TestArchivesAreTheSameEverywhere(t *testing.T) {
	a := alone(t)
	b := newObserver(t, a.Join(now, "obs-b", "az-c"))
	for i := range 6 {
		a.incident(fmt.Sprint("i", i), 2+i)
		a.ok(a.pass())
		if i%3 == 2 {
			b.ok(b.pass())
		}
	}
	if len(a.read().Incidents) != 3 {
		t.Errorf("%d incidents are in the store, want the three that the leader has not yet seen archived by the other", len(a.read().Incidents))
	}
	a.ok(a.pass())
	if len(a.read().Incidents) != 0 {
		t.Error("what both have archived is still in the store")
	}
	if !bytes.Equal(a.bytes(), b.bytes()) {
		t.Error("the archives differ")
	}
	a.clean()
	b.clean()
}

// Each row ends the process at another place; the next life goes on.
func TestKilledBetweenTheSteps(t *testing.T) {
	for _, op := range []string{"anchor", "archived", "collect"} {
		for _, applied := range []bool{false, true} {
			t.Run(fmt.Sprint(op, " applied ", applied), func(t *testing.T) {
				o := alone(t)
				o.incident("i1", 3)
				o.incident("i2", 2)
				if applied {
					o.LoseAnswerAndConnection(op)
				} else {
					o.FailNext(op, errors.New("killed"))
				}
				if err := o.pass(); err == nil {
					t.Fatal("the pass went through")
				}
				o.Heal()
				o.ok(o.Renew(t.Context()))
				o.restart()
				o.ok(o.pass())
				if n := len(o.read().Incidents); n != 0 {
					t.Errorf("%d incidents are still in the store", n)
				}
				if r := o.clean(); r.Records != 2 || r.Entries != 5 {
					t.Errorf("%d records with %d entries, want 2 with 5", r.Records, r.Entries)
				}
				u, err := o.Unarchived(t.Context(), 0, 0)
				o.ok(err)
				if u.Mine.Seq != 2 {
					t.Errorf("the store knows of %d archived records, want 2", u.Mine.Seq)
				}
			})
		}
	}
}

// Killed within the write: what is torn is written again.
func TestTornWithinTheWrite(t *testing.T) {
	o := alone(t)
	newObserver(t, o.Join(now, "obs-b", "az-c")) // archives nothing, so that all stays in the store
	o.incident("i1", 3)
	o.incident("i2", 2)
	o.ok(o.pass())
	whole := o.bytes()
	file := filepath.Join(o.dir, "journal-000001.jsonl")
	for n := range whole {
		if n%16 != 0 && whole[n] != '\n' && whole[max(n-1, 0)] != '\n' {
			continue // every sixteenth byte, and those around the ends of lines
		}
		o.ok(o.keeper.Archive.Close())
		o.ok(os.WriteFile(file, whole[:n], 0o600))
		o.restart()
		o.ok(o.pass())
		if got := o.bytes(); !bytes.Equal(got, whole) {
			t.Fatalf("torn after %d of %d bytes, it became %d bytes:\n%s", n, len(whole), len(got), got)
		}
	}
}

func TestAFullDiskStopsArchivingOnly(t *testing.T) {
	o := alone(t)
	o.ok(os.WriteFile(o.dir, []byte("stands in the way"), 0o600))
	o.incident("i1", 3)
	if err := o.pass(); err == nil || !strings.Contains(err.Error(), "opening the archive") {
		t.Fatalf("got %v", err)
	}
	if len(o.read().Incidents) != 1 {
		t.Error("what is not archived has left the store")
	}
	o.ok(os.Remove(o.dir))
	o.ok(o.pass())
	if o.keeper.Behind() != 0 || len(o.read().Incidents) != 0 {
		t.Errorf("%d behind, %d incidents in the store; want none", o.keeper.Behind(), len(o.read().Incidents))
	}
	o.clean()
}

func TestAStoreBegunAnewIsTold(t *testing.T) {
	o := alone(t)
	for i := range 3 {
		o.incident(fmt.Sprint("i", i), 2)
	}
	o.ok(o.pass())
	o.ResetStore()
	o.ok(o.AcceptReset(t.Context()))
	o.ok(o.Renew(t.Context()))
	o.ok(o.pass())
	o.incident("j1", 2)
	o.ok(o.pass())
	o.incident("j2", 2)
	o.ok(o.pass())
	r := o.clean()
	if r.Records != 5 || len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "record 1 does not go on from record 3: the coordination store was begun anew") {
		t.Errorf("%d records, notes %q", r.Records, r.Notes)
	}
	if _, _, err := o.keeper.Archive.Incident("i0"); err != nil {
		t.Error(err)
	}
	if _, _, err := o.keeper.Archive.Incident("j2"); err != nil {
		t.Error(err)
	}
}

func TestAnObserverThatWasAwaySaysWhatItLacks(t *testing.T) {
	a := alone(t)
	b := newObserver(t, a.Join(now, "obs-b", "az-c"))
	c := newObserver(t, a.Join(now, "obs-c", "az-d"))
	a.incident("i1", 2)
	for _, o := range []*observer{a, b, c} {
		o.ok(o.pass())
	}
	b.ok(b.Close())
	a.incident("i2", 2)
	a.ok(a.pass())
	a.ok(a.Tick(t.Context(), 2*time.Hour))
	for range 2 {
		a.ok(a.pass()) // one of three is no majority
	}
	if said := a.logged.String(); len(a.read().Incidents) == 0 || strings.Count(said, "stay in the coordination store") != 1 || !strings.Contains(said, "missing=obs-b,obs-c") {
		t.Errorf("it left with one archive of three, or was not told once:\n%s", said)
	}
	if a.keeper.Waiting() != 1 {
		t.Errorf("%d pieces wait, want 1", a.keeper.Waiting())
	}
	c.ok(c.pass())
	a.ok(a.pass()) // nobody waits for the third any more
	if len(a.read().Incidents) != 0 || a.keeper.Waiting() != 0 {
		t.Fatal("an observer that is away is waited for")
	}
	a.incident("i3", 2)
	a.ok(b.Renew(t.Context()))
	a.ok(a.pass())
	b.restart()
	b.ok(b.pass())
	r := b.clean()
	if r.Records != 2 || len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "record 3 does not go on from record 1: this observer was away") {
		t.Errorf("%d records, notes %q", r.Records, r.Notes)
	}
	if !strings.Contains(b.logged.String(), "does not go on without a break") {
		t.Errorf("it was not logged: %s", b.logged)
	}
	b.ok(b.keeper.Archive.Close())
	whole := b.bytes()
	from := bytes.LastIndex(whole, []byte(`{"begin":`))
	unexplained := append(slices.Clone(whole[:from]), whole[from+bytes.IndexByte(whole[from:], '\n')+1:]...)
	b.ok(os.WriteFile(filepath.Join(b.dir, "journal-000001.jsonl"), unexplained, 0o600))
	if r, err := archive.Verify(b.dir); err != nil || len(r.Problems) == 0 {
		t.Errorf("a gap that nothing explains is no problem: %+v, %v", r, err)
	} else {
		t.Logf("a gap that nothing explains: %s", r.Problems[0])
	}
}
