package ledger_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drwatch/drwatch/internal/quorum/ledger"
	"github.com/drwatch/drwatch/internal/quorum/quorumtest"
	"github.com/drwatch/drwatch/internal/replication"
)

var writeTransactions = flag.Bool("write-transactions", false, "write testdata/transactions.golden anew")

// at is when all of it happens.
var at = time.Date(2026, 3, 1, 3, 0, 0, 0, time.UTC)

var (
	sdrs = replication.GroupKey{Provider: replication.HuaweiSDRS, ID: "g/1"}
	ebs  = replication.GroupKey{Provider: replication.AliyunEBS, ID: "g 2"}
)

// desk is a store and all that is asked of it.
type desk struct {
	*testing.T
	*quorumtest.Store
	told strings.Builder
}

func newDesk(t *testing.T) *desk {
	d := &desk{T: t, Store: quorumtest.New(func() time.Time { return at }, "obs-a", "az-b")}
	d.Store.Watched(func(a quorumtest.Applied) { d.told.WriteString(shown(a.Txn)) })
	return d
}

// told is what has been written by f, in words.
func (d *desk) during(f func()) string {
	d.told.Reset()
	f()
	return d.told.String()
}

func (d *desk) ok(err error) {
	d.Helper()
	if err != nil {
		d.Fatal(err)
	}
}

func (d *desk) now() replication.Cluster {
	d.Helper()
	c, err := d.Read(d.Context())
	d.ok(err)
	return c
}

func (d *desk) lead() replication.Leader {
	d.Helper()
	d.ok(d.Renew(d.Context()))
	l, mine, err := d.Lead(d.Context())
	d.ok(err)
	if !mine {
		d.Fatalf("%v leads", l)
	}
	return l
}

func vote(g replication.GroupKey) replication.Vote {
	return replication.Vote{
		Observer: "obs-a", Site: "az-b", Rule: "r1", RuleHash: "h1", Group: g, Verdict: replication.Go,
		Since: at.Add(-time.Minute), Mode: replication.Auto, For: time.Minute,
	}
}

// claim is one on the store as it stands, by the observer that leads.
func (d *desk) claim(id string, g replication.GroupKey) replication.Claim {
	d.Helper()
	c := d.now()
	var votes []replication.Vote
	for _, v := range c.Votes {
		if v.Group == g {
			votes = append(votes, v)
		}
	}
	return replication.Claim{
		Incident: replication.Incident{
			ID: id, Rule: "r1", RuleHash: "h1", Provider: g.Provider, Group: g.ID, Mode: replication.Auto, Phase: replication.Open,
			Slot: -1, OpenedAt: at, Plan: replication.Plan{LostSite: "az-a", MaxConcurrent: 2},
		},
		Entry:    replication.Entry{At: at, Observer: "obs-a", Event: "claimed", Text: "trigger true at 1 site"},
		Observer: "obs-a", LeaderRev: c.Leader.CreateRev, Revision: c.Revision, GroupRev: c.Groups[g].Rev,
		Votes: votes, LossRev: c.Losses["az-a"].Rev, Loss: replication.SiteLoss{Site: "az-a", Since: at},
	}
}

// ready leads and votes go on both groups.
func (d *desk) ready() {
	d.Helper()
	d.lead()
	d.ok(d.Tick(d.Context(), 100*time.Second))
	d.ok(d.PublishVotes(d.Context(), []replication.Vote{vote(sdrs), vote(ebs)}))
}

func (d *desk) claimed(id string, g replication.GroupKey) replication.IncidentRecord {
	d.Helper()
	rec, err := d.Claim(d.Context(), d.claim(id, g))
	d.ok(err)
	return rec
}

func (d *desk) write(w replication.Write) replication.IncidentRecord {
	d.Helper()
	rec, err := d.Write(d.Context(), w)
	d.ok(err)
	return rec
}

// plain is a write that changes nothing but the journal.
func plain(rec replication.IncidentRecord) replication.Write {
	return replication.Write{
		Incident: rec.Incident, Token: rec.Token, IncidentRev: rec.Rev,
		Entry: replication.Entry{At: at, Observer: "obs-a", Event: "noted", Text: "as it was"},
	}
}

// intent is the write before a call.
func (d *desk) intent(rec replication.IncidentRecord) replication.Write {
	d.Helper()
	c := d.now()
	w := plain(rec)
	w.Entry.Event = "intent"
	w.Incident.Phase, w.Incident.Slot = replication.Executing, 1
	w.Incident.Calls = append(w.Incident.Calls, replication.Call{Operation: "failover", Attempt: 1, StartedAt: at})
	w.LeaderRev, w.Unfrozen, w.Unaborted, w.TakeSlot, w.CountStart, w.LimitStarts = rec.Holder.LeaderRev, true, true, true, true, true
	w.Votes = &replication.VoteGuard{Revision: c.Revision, Votes: c.Votes}
	return w
}

// ended is the write that ends an incident as failed.
func (d *desk) ended(rec replication.IncidentRecord) replication.Write {
	d.Helper()
	g := d.now().Groups[rec.Key()]
	g.OpenIncident = ""
	w := plain(rec)
	w.Entry.Event, w.Incident.Phase = "failed", replication.Failed
	w.Group, w.FreeSlot, w.Episode, w.CountFailed = &g, true, true, true
	return w
}

// shown is a transaction in words.
func shown(t ledger.Txn) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", t.Op, t.What)
	kinds := map[ledger.Kind]string{ledger.CreatedAt: "was created at", ledger.ChangedAt: "was changed at", ledger.NoneNewer: "has nothing newer than"}
	for _, c := range t.If {
		fmt.Fprintf(&b, "  if      %s %s %d, else: %s\n", c.Key, kinds[c.Kind], c.Rev, c.Name)
	}
	for _, p := range t.Puts {
		fmt.Fprintf(&b, "  put     %s %s\n", p.Key, p.Value)
		if p.Lease != 0 {
			fmt.Fprintf(&b, "          under a lease\n")
		}
	}
	for _, key := range t.Deletes {
		fmt.Fprintf(&b, "  delete  %s\n", key)
	}
	if t.Witness != "" {
		fmt.Fprintf(&b, "  witness %s\n", t.Witness)
	}
	return b.String()
}

// stories are what a rule's failover writes, and how the store is before.
var stories = []struct {
	name string
	play func(*desk) func()
}{
	{"the first claim of a loss, of a group that has no record", func(d *desk) func() {
		d.ready()
		c := d.claim("i1", sdrs)
		c.Incident.Head, c.Incident.Length = "another's", 7 // of no incident that is new
		return func() {
			rec, err := d.Claim(d.Context(), c)
			d.ok(err)
			d.returned(rec)
		}
	}},
	{"a second claim of the loss, of a group that has a record", func(d *desk) func() {
		d.ready()
		d.ok(d.PutGroup(d.Context(), ebs, replication.GroupRecord{Baseline: "a>b"}))
		d.claimed("i1", sdrs)
		c := d.claim("i2", ebs)
		return func() {
			rec, err := d.Claim(d.Context(), c)
			d.ok(err)
			d.returned(rec)
		}
	}},
	{"a claim decided on a read that the ledger has forgotten", func(d *desk) func() {
		d.ready()
		d.ok(d.PutGroup(d.Context(), sdrs, replication.GroupRecord{Baseline: "a>b"}))
		c := d.claim("i1", sdrs)
		later := d.Join(func() time.Time { return at }, "obs-a", "az-b")
		return func() {
			_, err := later.Claim(d.Context(), c)
			d.ok(err)
		}
	}},
	{"a claim that makes no loss, of a plan that has one", func(d *desk) func() {
		d.ready()
		c := d.claim("i1", sdrs)
		c.Loss.Site = ""
		return func() {
			_, err := d.Claim(d.Context(), c)
			d.ok(err)
		}
	}},
	{"a claim of no loss", func(d *desk) func() {
		d.ready()
		c := d.claim("i1", sdrs)
		c.Loss.Site, c.Incident.Plan.LostSite = "", ""
		return func() {
			_, err := d.Claim(d.Context(), c)
			d.ok(err)
		}
	}},
	{"a claim of another loss than the plan's", func(d *desk) func() {
		d.ready()
		c := d.claim("i1", sdrs)
		c.Loss.Site = "az-x"
		return func() {
			_, err := d.Claim(d.Context(), c)
			d.ok(err)
		}
	}},
	{"a claim with two votes that stand under one key", func(d *desk) func() {
		d.ready()
		c := d.claim("i1", sdrs)
		c.Votes = append(c.Votes, c.Votes[0])
		return func() {
			_, err := d.Claim(d.Context(), c)
			d.ok(err)
		}
	}},
	{"a write that changes nothing but the journal", func(d *desk) func() {
		d.ready()
		w := plain(d.claimed("i1", sdrs))
		w.Incident.Head, w.Incident.Length = "another's", 7 // those of the store hold
		return func() { d.returned(d.write(w)) }
	}},
	{"a write while a slot is held", func(d *desk) func() {
		d.ready()
		w := plain(d.write(d.intent(d.claimed("i1", sdrs))))
		return func() { d.returned(d.write(w)) }
	}},
	{"the end of what has no record of its group any more", func(d *desk) func() {
		d.ready()
		rec := d.claimed("i1", sdrs)
		d.ok(d.RawDelete("/drwatch/test/group/huawei_sdrs/g%2F1"))
		w := d.ended(rec)
		return func() { d.write(w) }
	}},
	{"an intent", func(d *desk) func() {
		d.ready()
		w := d.intent(d.claimed("i1", sdrs))
		return func() { d.returned(d.write(w)) }
	}},
	{"an intent of a rule whose starts nothing limits", func(d *desk) func() {
		d.ready()
		w := d.intent(d.claimed("i1", sdrs))
		w.LimitStarts = false
		return func() { d.write(w) }
	}},
	{"the end of a failure", func(d *desk) func() {
		d.ready()
		w := d.ended(d.write(d.intent(d.claimed("i1", sdrs))))
		return func() { d.returned(d.write(w)) }
	}},
	{"the end of a second failure in the loss", func(d *desk) func() {
		d.ready()
		d.write(d.ended(d.claimed("i1", sdrs)))
		w := d.ended(d.claimed("i2", ebs))
		return func() { d.write(w) }
	}},
	{"the end of a failure whose loss is over", func(d *desk) func() {
		d.ready()
		rec := d.claimed("i1", sdrs)
		d.ok(d.RawDelete("/drwatch/test/loss/az-a"))
		w := d.ended(rec)
		return func() { d.write(w) }
	}},
	{"the end of what holds slot 0", func(d *desk) func() {
		d.ready()
		first := d.intent(d.claimed("i1", sdrs))
		first.Incident.Slot = 0
		w := plain(d.write(first))
		w.FreeSlot, w.Incident.Slot = true, 5 // the store knows which it holds
		return func() { d.returned(d.write(w)) }
	}},
	{"a slot given back that is not held", func(d *desk) func() {
		d.ready()
		w := plain(d.claimed("i1", sdrs))
		w.FreeSlot = true
		return func() { d.write(w) }
	}},
	{"a take-over", func(d *desk) func() {
		d.ready()
		d.claimed("i1", sdrs)
		d.ok(d.Abort(d.Context(), "i1", "alice", "wrong site"))
		rec := d.now().Incidents["i1"]
		d.ok(d.Resign(d.Context()))
		leader := d.lead()
		return func() {
			rec, err := d.TakeOver(d.Context(), rec, leader)
			d.ok(err)
			d.returned(rec)
		}
	}},
}

// returned adds what the caller was given.
func (d *desk) returned(rec replication.IncidentRecord) {
	fmt.Fprintf(&d.told, "  returns revision %d, token %d, held by %s of election %d, abort %v, %s slot %d, length %d\n",
		rec.Rev, rec.Token, rec.Holder.Observer, rec.Holder.LeaderRev, rec.Abort != nil, rec.Phase, rec.Slot, rec.Length)
	if want := d.now().Incidents[rec.ID]; cmp.Diff(want, rec) != "" {
		d.Errorf("what is returned is not what is read then (-read +returned):\n%s", cmp.Diff(want, rec))
	}
}

// TestTransactions pins what each write of a rule's failover compares, puts and
// deletes, word for word: a compare that is not there guards nothing.
func TestTransactions(t *testing.T) {
	var all strings.Builder
	for _, s := range stories {
		t.Run(s.name, func(t *testing.T) {
			d := newDesk(t)
			act := s.play(d)
			fmt.Fprintf(&all, "== %s\n%s\n", s.name, d.during(act))
		})
	}
	const golden = "testdata/transactions.golden"
	if *writeTransactions {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, []byte(all.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(all.String(), "\n")); diff != "" {
		t.Errorf("the transactions are others than those of %s (-pinned +now); -write-transactions writes them anew:\n%s", golden, diff)
	}
}
