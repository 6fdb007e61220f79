package quorum_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/quorum/ledger"
	"github.com/drwatch/drwatch/internal/quorum/quorumtest"
	"github.com/drwatch/drwatch/internal/replication"
)

// history is a play with a name.
type history = struct {
	name string
	run  func(*play)
}

// archiveHistories are those of what leaves the store.
var archiveHistories = []history{
	{"nothing to archive", func(p *play) {
		p.says(fmt.Sprint("anchor ", p.anchorErr()), nil)
		p.lead()
		p.anchor(0)
		p.collect(0)
	}},
	{"an incident leaves", func(p *play) {
		rec := p.over("i1", group1, replication.Succeeded, false)
		p.anchor(1)
		p.anchor(0)
		p.collect(0)
		p.archive()
		p.ok(p.Archived(p.Context(), replication.Mark{Seq: 1}))
		p.ok(p.CloseLoss(p.Context(), "az-a", p.read().Losses["az-a"].Rev))
		p.collect(1)
		p.collect(0)
		p.gone(rec.ID)
	}},
	{"a latch and its ack", func(p *play) {
		rec := p.over("i1", group1, replication.Failed, true)
		p.anchor(1)
		p.archive()
		p.collect(0)
		p.ok(p.Ack(p.Context(), group1, rec.ID, "alice", "looked at it"))
		p.collect(0) // what the ack added is not archived
		p.anchor(1)
		p.collect(0)
		p.archive()
		p.collect(1)
		p.gone(rec.ID)
	}},
	{"a late outcome", func(p *play) {
		rec := p.over("i1", group1, replication.Succeeded, false)
		p.ok(p.CloseLoss(p.Context(), "az-a", p.read().Losses["az-a"].Rev))
		p.anchor(1)
		p.archive()
		p.ok(p.PutLate(p.Context(), rec.ID, 7, replication.Call{Operation: "failover", Outcome: replication.Accepted}))
		p.anchor(1)
		p.collect(0)
		p.archive()
		p.collect(1)
		p.gone(rec.ID)
	}},
	{"a long journal", func(p *play) {
		rec := p.claimed()
		for i := range 230 {
			var err error
			rec, err = p.Write(p.Context(), replication.Write{Incident: rec.Incident, Token: rec.Token, IncidentRev: rec.Rev, Entry: replication.Entry{Event: "note", Text: fmt.Sprint(i)}})
			p.ok(err)
		}
		_, err := p.Write(p.Context(), p.ended(rec, replication.Succeeded))
		p.ok(err)
		p.ok(p.CloseLoss(p.Context(), "az-a", p.read().Losses["az-a"].Rev))
		p.anchor(1)
		p.archive()
		p.collect(1)
		p.collect(1)
		p.collect(1)
		p.collect(0)
		p.gone(rec.ID)
	}},
	{"persons", func(p *play) {
		p.lead()
		for range 60 {
			p.ok(p.Freeze(p.Context(), "alice", "on"))
			p.ok(p.Unfreeze(p.Context(), "alice", "off"))
		}
		p.anchor(1)
		p.archive()
		p.collect(0)
		p.collect(0)
		left, err := p.PersonsJournal(p.Context())
		p.ok(err)
		if len(left) != 20 || left[19].Seq != 120 {
			p.Errorf("%d entries are left, want the newest 20", len(left))
		}
		p.ok(p.Freeze(p.Context(), "alice", "again"))
		p.anchor(1)
	}},
	{"more than one transaction", func(p *play) {
		p.lead()
		for i := range 40 {
			g := replication.GroupKey{Provider: replication.HuaweiEVS, ID: fmt.Sprint("g", i)}
			c := claimOf(p.read(), fmt.Sprint("i", i), g)
			rec, err := p.Claim(p.Context(), c)
			p.ok(err)
			_, err = p.Write(p.Context(), p.ended(rec, replication.Aborted))
			p.ok(err)
		}
		p.ok(p.CloseLoss(p.Context(), "az-a", p.read().Losses["az-a"].Rev))
		p.anchor(40)
		p.archive()
		p.collect(32)
		p.collect(8)
	}},
}

func (p *play) anchorErr() error {
	_, err := p.Anchor(p.Context(), p.read())
	return err
}

// over claims a group and ends its incident.
func (p *play) over(id string, g replication.GroupKey, phase replication.Phase, latch bool) replication.IncidentRecord {
	p.Helper()
	p.lead()
	rec, err := p.Claim(p.Context(), claimOf(p.read(), id, g))
	p.ok(err)
	w := p.ended(rec, phase)
	if latch {
		w.Group.Latch = &replication.Latch{Incident: rec.ID, Why: "it failed"}
		p.ok(p.CloseLossAfter(w))
		return p.read().Incidents[id]
	}
	_, err = p.Write(p.Context(), w)
	p.ok(err)
	return p.read().Incidents[id]
}

// CloseLossAfter makes a write and closes the site loss.
func (p *play) CloseLossAfter(w replication.Write) error {
	if _, err := p.Write(p.Context(), w); err != nil {
		return err
	}
	return p.CloseLoss(p.Context(), "az-a", p.read().Losses["az-a"].Rev)
}

func (p *play) anchor(want int) {
	p.Helper()
	n, err := p.Anchor(p.Context(), p.read())
	p.ok(err)
	if n != want {
		p.Errorf("%d anchors made, want %d", n, want)
	}
}

func (p *play) collect(want int) {
	p.Helper()
	done, err := p.Collect(p.Context(), p.read())
	p.ok(err)
	if done.Incidents != want {
		p.Errorf("%d removed, want %d", done.Incidents, want)
	}
}

// archive checks what the store has for an archive, as one does, and says that
// it is archived.
func (p *play) archive() {
	p.Helper()
	u, err := p.Unarchived(p.Context(), 0, 100)
	p.ok(err)
	prev := ""
	for i, piece := range u.Pieces {
		a := piece.Anchor
		hash, err := ledger.HashAnchor(a)
		p.ok(err)
		if hash != a.Hash || i > 0 && a.Prev != prev {
			p.Errorf("anchor %d does not belong to the chain", a.Seq)
		}
		prev = a.Hash
		before := a.Base
		for j, e := range piece.Entries {
			p.ok(ledger.VerifyNext(a.Chain, a.From+j, before, e))
			before = e.Hash
		}
		if before != a.Head || len(piece.Entries) != a.To-a.From+1 {
			p.Errorf("anchor %d is for entries %d to %d; there are %d", a.Seq, a.From, a.To, len(piece.Entries))
		}
	}
	p.ok(p.Archived(p.Context(), u.Head))
}

// gone wants nothing of an incident left.
func (p *play) gone(id string) {
	p.Helper()
	c := p.read()
	if _, there := c.Incidents[id]; there {
		p.Errorf("incident %s is still in the store", id)
	}
	entries, err := p.Journal(p.Context(), id)
	p.ok(err)
	late, err := p.Late(p.Context(), id)
	p.ok(err)
	if len(entries) > 0 || len(late) > 0 {
		p.Errorf("%d entries and %d late outcomes of %s are still in the store", len(entries), len(late), id)
	}
}

// pair is two observers on one model, the first of which leads.
func pair(t *testing.T) (a, b *play) {
	t.Helper()
	c := newClock()
	first := quorumtest.New(c.now, "obs-a", "az-b")
	a = &play{T: t, clock: c, coordinator: first}
	b = &play{T: t, clock: c, coordinator: first.Join(c.now, "obs-b", "az-c")}
	a.lead()
	b.ok(b.Renew(t.Context()))
	return a, b
}

func TestAnIncidentStaysUntilEveryArchiveHasIt(t *testing.T) {
	a, b := pair(t)
	rec := a.over("i1", group1, replication.Aborted, false)
	a.ok(a.CloseLoss(t.Context(), "az-a", a.read().Losses["az-a"].Rev))
	a.anchor(1)
	a.archive()
	a.collect(0)
	if _, there := a.read().Incidents[rec.ID]; !there {
		t.Fatal("the incident has left, although an observer has not archived it")
	}
	b.archive()
	a.collect(1)
	a.gone(rec.ID)
}

func TestAnObserverThatCannotArchiveIsWaitedForAnHour(t *testing.T) {
	a, b := pair(t)
	c := &play{T: t, clock: a.clock, coordinator: b.coordinator.(*quorumtest.Store).Join(a.clock.now, "obs-c", "az-d")}
	c.ok(c.Renew(t.Context()))
	rec := a.over("i1", group1, replication.Aborted, false)
	a.ok(a.CloseLoss(t.Context(), "az-a", a.read().Losses["az-a"].Rev))
	a.anchor(1)
	a.archive()
	a.ok(a.Tick(t.Context(), 2*time.Hour))
	a.collect(0) // one of three is no majority, whatever the time
	b.archive()
	a.collect(1)
	a.gone(rec.ID)
	u, err := c.Unarchived(t.Context(), 0, 10)
	c.ok(err)
	if u.First != 2 || len(u.Pieces) != 0 || u.Head.Seq != 1 {
		t.Errorf("the third observer finds %+v, want that the first anchor has left", u)
	}
	rec = a.over("i2", group2, replication.Aborted, false)
	a.ok(a.CloseLoss(t.Context(), "az-a", a.read().Losses["az-a"].Rev))
	a.anchor(1)
	a.archive()
	b.archive()
	a.collect(0) // the hour begins anew with each anchor
	if _, there := a.read().Incidents[rec.ID]; !there {
		t.Error("the incident has left within the hour")
	}
}

// What is needed stays, each row for its own reason.
func TestWhatIsNeededStays(t *testing.T) {
	rows := []struct {
		name  string
		needs func(p *play, rec replication.IncidentRecord)
	}{
		{"the site loss is open", func(*play, replication.IncidentRecord) {}},
		{"the group is latched by it", func(p *play, rec replication.IncidentRecord) {
			g := p.read().Groups[group1]
			g.Latch = &replication.Latch{Incident: rec.ID, Why: "it failed"}
			p.ok(p.PutGroup(p.Context(), group1, g))
			p.ok(p.CloseLoss(p.Context(), "az-a", p.read().Losses["az-a"].Rev))
		}},
		{"its journal grew", func(p *play, rec replication.IncidentRecord) {
			g := p.read().Groups[group1]
			g.Latch = &replication.Latch{Incident: rec.ID, Why: "it failed"}
			p.ok(p.PutGroup(p.Context(), group1, g))
			p.ok(p.CloseLoss(p.Context(), "az-a", p.read().Losses["az-a"].Rev))
			p.ok(p.Ack(p.Context(), group1, rec.ID, "alice", "seen"))
		}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			c := newClock()
			p := &play{T: t, clock: c, coordinator: quorumtest.New(c.now, "obs-a", "az-b")}
			rec := p.over("i1", group1, replication.Aborted, false)
			p.anchor(1)
			p.archive()
			row.needs(p, rec)
			p.collect(0)
			if _, there := p.read().Incidents[rec.ID]; !there {
				t.Error("the incident has left")
			}
		})
	}
}

func TestAnEpisodeKeepsItsIncident(t *testing.T) {
	both(t, func(p *play) {
		rec := p.claimed()
		w := p.ended(rec, replication.Simulated)
		w.Episode = true
		p.ok(p.CloseLossAfter(w))
		p.anchor(1)
		p.archive()
		p.collect(0)
		p.ok(p.EndEpisode(p.Context(), "r1", group1, "i1"))
		p.collect(1)
		p.gone(rec.ID)
	})
}

// Each row changes something between what the leader read and what it removes.
func TestRemovingNoticesWhatHasChanged(t *testing.T) {
	rows := []struct {
		name   string
		change func(p *play, s *quorumtest.Store, rec replication.IncidentRecord)
	}{
		{"the group was latched", func(p *play, _ *quorumtest.Store, rec replication.IncidentRecord) {
			g := p.read().Groups[group1]
			g.Latch = &replication.Latch{Incident: rec.ID, Why: "look"}
			p.ok(p.PutGroup(p.Context(), group1, g))
		}},
		{"a late outcome came", func(p *play, _ *quorumtest.Store, rec replication.IncidentRecord) {
			p.ok(p.PutLate(p.Context(), rec.ID, 3, replication.Call{}))
		}},
		{"the site was lost again", func(p *play, _ *quorumtest.Store, _ replication.IncidentRecord) {
			_, err := p.Claim(p.Context(), claimOf(p.read(), "i2", group2))
			p.ok(err)
		}},
		{"another leads", func(p *play, _ *quorumtest.Store, _ replication.IncidentRecord) {
			p.ok(p.Resign(p.Context()))
			p.lead()
		}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			c := newClock()
			s := quorumtest.New(c.now, "obs-a", "az-b")
			p := &play{T: t, clock: c, coordinator: s}
			rec := p.over("i1", group1, replication.Aborted, false)
			p.ok(p.CloseLoss(t.Context(), "az-a", p.read().Losses["az-a"].Rev))
			p.anchor(1)
			p.archive()
			p.ok(p.Freeze(t.Context(), "alice", "so that the anchors go first"))
			p.ok(p.Unfreeze(t.Context(), "alice", "on"))
			read := p.read()
			s.BeforeNext("collect", func() {}) // the anchors
			s.BeforeNext("collect", func() { row.change(p, s, rec) })
			done, err := p.Collect(t.Context(), read)
			if done.Incidents != 0 {
				t.Errorf("%d removed (%v)", done.Incidents, err)
			}
			if _, there := p.read().Incidents[rec.ID]; !there {
				t.Error("the incident has left")
			}
		})
	}
}

// An answer that is lost changes nothing: the next call goes on from there.
func TestAnchorsAndRemovalsSurviveLostAnswers(t *testing.T) {
	for _, op := range []string{"anchor", "collect", "archived"} {
		t.Run(op, func(t *testing.T) {
			c := newClock()
			s := quorumtest.New(c.now, "obs-a", "az-b")
			p := &play{T: t, clock: c, coordinator: s}
			rec := p.over("i1", group1, replication.Aborted, false)
			p.ok(p.CloseLoss(t.Context(), "az-a", p.read().Losses["az-a"].Rev))
			s.LoseAnswerAndConnection(op)
			for range 3 {
				_, aerr := p.Anchor(t.Context(), p.read2(s))
				u, uerr := p.Unarchived(t.Context(), 0, 10)
				err := errors.Join(aerr, uerr)
				if err == nil {
					err = p.Archived(t.Context(), u.Head)
				}
				if err == nil {
					if _, err := p.Collect(t.Context(), p.read2(s)); err != nil && op != "collect" {
						t.Error(err)
					}
				}
				s.Heal()
				p.lead()
			}
			p.gone(rec.ID)
			if u, err := p.Unarchived(t.Context(), 0, 10); err != nil || u.Head.Seq != 1 {
				t.Errorf("%+v (%v), want one anchor", u.Head, err)
			}
		})
	}
}

// read2 reads the cluster on a connection that may be lost.
func (p *play) read2(s *quorumtest.Store) replication.Cluster {
	p.Helper()
	c, err := s.Read(p.Context())
	if err != nil {
		s.Heal()
		return p.read()
	}
	return c
}
