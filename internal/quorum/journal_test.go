package quorum_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drwatch/drwatch/internal/quorum"
	"github.com/drwatch/drwatch/internal/quorum/ledger"
	"github.com/drwatch/drwatch/internal/quorum/quorumtest"
	"github.com/drwatch/drwatch/internal/replication"
)

// journal is a journal of five entries with its incident.
func journal(t *testing.T) (replication.Incident, []replication.Entry) {
	t.Helper()
	c := newClock()
	s := quorumtest.New(c.now, "obs-a", "az-b")
	p := &play{T: t, clock: c, coordinator: s}
	rec := p.claimed()
	for range 4 {
		c.advance(time.Second)
		var err error
		rec, err = s.Write(t.Context(), replication.Write{
			Incident: rec.Incident, Token: rec.Token, IncidentRev: rec.Rev,
			Entry: replication.Entry{Event: "note", Text: "<lag> & 4 s", Data: map[string]any{"big": int64(1) << 60, "at": c.now(), "b": "\xff"}},
		})
		p.ok(err)
	}
	entries, err := s.Journal(t.Context(), rec.ID)
	p.ok(err)
	return rec.Incident, entries
}

func TestTamperingWithTheJournalShows(t *testing.T) {
	inc, whole := journal(t)
	if err := quorum.VerifyHead(inc, whole); err != nil {
		t.Fatal(err)
	}
	if len(whole) != 5 {
		t.Fatalf("%d entries, want 5", len(whole))
	}
	rows := []struct {
		name   string
		tamper func([]replication.Entry) []replication.Entry
		says   string
	}{
		{"a text", func(e []replication.Entry) []replication.Entry { e[2].Text = "no lag"; return e }, "entry 3 was altered"},
		{"a time", func(e []replication.Entry) []replication.Entry { e[1].At = e[1].At.Add(1); return e }, "entry 2 was altered"},
		{"data", func(e []replication.Entry) []replication.Entry { e[4].Data = nil; return e }, "entry 5 was altered"},
		{"an entry taken out", func(e []replication.Entry) []replication.Entry { return slices.Delete(e, 1, 2) }, "entry 2 is missing"},
		{"the first taken out", func(e []replication.Entry) []replication.Entry { return e[1:] }, "entry 1 is missing"},
		{"the last cut off", func(e []replication.Entry) []replication.Entry { return e[:4] }, "the incident tells of 5"},
		{"swapped", func(e []replication.Entry) []replication.Entry { e[1], e[2] = e[2], e[1]; return e }, "entry 2 is missing"},
		{"renumbered", func(e []replication.Entry) []replication.Entry {
			e = slices.Delete(e, 1, 2)
			for i := range e {
				e[i].Seq = i + 1
			}
			return e
		}, "does not follow"},
		{"rewritten with its hash", func(e []replication.Entry) []replication.Entry {
			e[2].Text = "no lag"
			forged, err := ledger.Chain("i1", 2, e[1].Hash, e[2])
			if err != nil {
				t.Fatal(err)
			}
			e[2] = forged
			return e
		}, "entry 4 does not follow"},
		{"the last rewritten with its hash", func(e []replication.Entry) []replication.Entry {
			e[4].Text = "no lag"
			forged, err := ledger.Chain("i1", 4, e[3].Hash, e[4])
			if err != nil {
				t.Fatal(err)
			}
			e[4] = forged
			return e
		}, "not the one the incident names"},
		{"another incident's", func(e []replication.Entry) []replication.Entry { e[3].Incident = "i2"; return e }, "belongs to i2"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			err := quorum.VerifyHead(inc, row.tamper(slices.Clone(whole)))
			if err == nil || !containsText(err, row.says) {
				t.Errorf("got %v, want %q", err, row.says)
			}
		})
	}
}

func TestRecordsStaySmall(t *testing.T) {
	both(t, func(p *play) {
		p.lead()
		long := strings.Repeat("lag é ", 5000)
		c := claimOf(p.read(), "i1", group1)
		c.Incident.Error, c.Incident.HeldBy, c.Incident.Trigger.Expr = long, long, long
		for range 40 {
			c.Incident.Guards = append(c.Incident.Guards, replication.Condition{Name: "lag_under", Value: long, Threshold: long})
			c.Incident.Calls = append(c.Incident.Calls, replication.Call{Operation: "failover", Outcome: replication.NotSent, Error: long})
		}
		c.Incident.Calls[0].Outcome = replication.Uncertain
		c.Entry.Text, c.Entry.Data = long, map[string]any{"body": long}
		rec, err := p.Claim(p.Context(), c)
		p.ok(err)
		if c.Incident.Guards[0].Value != long {
			t.Error("the caller's incident was changed")
		}
		stored := p.read().Incidents["i1"]
		if diff := cmp.Diff(rec, stored); diff != "" {
			t.Errorf("what was returned is not what was stored (-returned +stored):\n%s", diff)
		}
		if stored.Calls[0].Outcome != replication.Uncertain || len(stored.Calls) != 9 {
			t.Errorf("%d calls are left, the first %s; want the unclear one and the newest eight", len(stored.Calls), stored.Calls[0].Outcome)
		}
		entries, err := p.Journal(p.Context(), "i1")
		p.ok(err)
		p.ok(quorum.VerifyHead(stored.Incident, entries))
		if len(entries[0].Text) > 2<<10 || entries[0].Data["left_out_bytes"] == nil {
			t.Errorf("the entry has %d bytes of text and data %v", len(entries[0].Text), entries[0].Data)
		}
		for range 600 {
			c.Incident.Guards = append(c.Incident.Guards, replication.Condition{Name: "lag_under", Value: long})
		}
		c.Incident.ID, c.GroupRev = "i2", 0
		c.Incident.Group = "g3"
		if _, err := p.Claim(p.Context(), c); err == nil || !containsText(err, "does not fit") {
			t.Errorf("a record without end: %v", err)
		}
	})
}

// Names from configuration and providers never reach into another key.
func FuzzGroupKeys(f *testing.F) {
	for _, id := range []string{"g1", "a/b", "a b", "..", "%2f", "\x00", "é", "\xff", "group/x", "~", "a//b"} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		if id == "" || strings.ToValidUTF8(id, "") != id {
			return // providers' ids are not empty, and JSON brings them as UTF-8
		}
		c := newClock()
		s := quorumtest.New(c.now, id, id)
		p := &play{T: t, clock: c, coordinator: s}
		key := replication.GroupKey{Provider: "p", ID: id}
		p.lead()
		v := vote(key, replication.Go)
		p.ok(s.PublishVotes(t.Context(), []replication.Vote{v}))
		p.ok(s.PutGroup(t.Context(), key, replication.GroupRecord{Baseline: id}))
		inc := claimOf(p.read(), "i", key)
		rec, err := s.Claim(t.Context(), inc)
		p.ok(err)
		got := p.read()
		if got.Groups[key].OpenIncident != "i" || got.Groups[key].Baseline != id || len(got.Groups) != 1 {
			t.Errorf("groups %v", got.Groups)
		}
		if len(got.Votes) != 1 || got.Votes[0].Group != key || got.Votes[0].Observer != id {
			t.Errorf("votes %v", got.Votes)
		}
		if diff := cmp.Diff(rec, got.Incidents["i"]); diff != "" {
			t.Error(diff)
		}
	})
}
