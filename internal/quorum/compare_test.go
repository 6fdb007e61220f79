package quorum_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/quorum"
	"github.com/drwatch/drwatch/internal/quorum/quorumtest"
	"github.com/drwatch/drwatch/internal/replication"
)

func containsText(err error, text string) bool { return strings.Contains(err.Error(), text) }

// Each row changes one thing between the snapshot and the claim.
var claimRows = []struct {
	name    string
	change  func(*play, *replication.Claim)
	changed string
}{
	{"an incident is open on the group", func(p *play, _ *replication.Claim) {
		_, err := p.Claim(p.Context(), claimOf(p.read(), "other", group1))
		p.ok(err)
	}, "incident other is open on the group"},
	{"the group is latched", func(p *play, _ *replication.Claim) {
		p.ok(p.PutGroup(p.Context(), group1, replication.GroupRecord{Latch: &replication.Latch{Why: "by hand"}}))
	}, "latched: by hand"},
	{"the group's record", func(p *play, _ *replication.Claim) {
		p.ok(p.PutGroup(p.Context(), group1, replication.GroupRecord{Baseline: "a>b"}))
	}, "the record of the group"},
	{"frozen", func(p *play, _ *replication.Claim) {
		p.ok(p.Freeze(p.Context(), "alice", "stop"))
	}, "the freeze"},
	{"another election", func(p *play, _ *replication.Claim) {
		p.ok(p.Resign(p.Context()))
		p.lead()
	}, "the leader"},
	{"nobody leads", func(p *play, _ *replication.Claim) {
		p.ok(p.Resign(p.Context()))
	}, "the leader"},
	{"a counted vote is gone", func(p *play, _ *replication.Claim) {
		p.ok(p.PublishVotes(p.Context(), nil))
	}, "the vote of obs-a"},
	{"a new veto on the group", func(p *play, _ *replication.Claim) {
		p.ok(p.PublishVotes(p.Context(), []replication.Vote{vote(group1, replication.Go), vote(group2, replication.Go), vote(group1, replication.Veto)}))
	}, "a vote on rule r1 is newer"},
	{"a new vote on another group of the rule", func(p *play, _ *replication.Claim) {
		p.ok(p.PublishVotes(p.Context(), []replication.Vote{vote(group1, replication.Go), vote(group2, replication.Pending)}))
	}, "a vote on rule r1 is newer"},
	{"the site loss was made by another claim", func(p *play, _ *replication.Claim) {
		_, err := p.Claim(p.Context(), claimOf(p.read(), "other", group2))
		p.ok(err)
	}, "the loss of site az-a"},
	{"the incident's id is taken", func(p *play, c *replication.Claim) {
		other := claimOf(p.read(), c.Incident.ID, group2)
		_, err := p.Claim(p.Context(), other)
		p.ok(err)
		c.LossRev = p.read().Losses["az-a"].Rev
	}, "incident i1"},
}

func TestClaimConflicts(t *testing.T) {
	for _, row := range claimRows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			both(t, func(p *play) {
				claim := p.claim()
				row.change(p, &claim)
				before := p.read()
				_, err := p.Claim(p.Context(), claim)
				wantConflict(p.T, err, row.changed)
				if after := p.read(); after.Revision != before.Revision {
					t.Errorf("the refused claim wrote: revision %d became %d", before.Revision, after.Revision)
				}
			})
		})
	}
}

// Each row changes one thing between the snapshot and the intent.
var intentRows = []struct {
	name    string
	change  func(*play, replication.IncidentRecord, *replication.Write)
	changed string
}{
	{"taken over", func(p *play, rec replication.IncidentRecord, w *replication.Write) {
		p.ok(p.Resign(p.Context()))
		_, err := p.TakeOver(p.Context(), rec, p.lead())
		p.ok(err)
		w.LeaderRev = 0
	}, "the holder of incident i1"},
	{"the incident was written", func(p *play, rec replication.IncidentRecord, _ *replication.Write) {
		p.ok(p.Approve(p.Context(), rec.ID, replication.Approval{Who: "alice"}))
	}, "incident i1"},
	{"another election", func(p *play, _ replication.IncidentRecord, _ *replication.Write) {
		p.ok(p.Resign(p.Context()))
		p.lead()
	}, "the leader"},
	{"frozen", func(p *play, _ replication.IncidentRecord, _ *replication.Write) {
		p.ok(p.Freeze(p.Context(), "alice", "stop"))
	}, "the freeze"},
	{"aborted", func(p *play, rec replication.IncidentRecord, w *replication.Write) {
		p.ok(p.Abort(p.Context(), rec.ID, "alice", "stop"))
		w.IncidentRev = p.read().Incidents[rec.ID].Rev
	}, "the abort"},
	{"a new veto", func(p *play, _ replication.IncidentRecord, _ *replication.Write) {
		p.ok(p.PublishVotes(p.Context(), []replication.Vote{vote(group1, replication.Veto), vote(group2, replication.Go)}))
	}, "a vote on rule r1 is newer"},
	{"a counted vote is gone", func(p *play, _ replication.IncidentRecord, _ *replication.Write) {
		p.ok(p.PublishVotes(p.Context(), nil))
	}, "the vote of obs-a"},
	{"the slot is taken", func(p *play, _ replication.IncidentRecord, _ *replication.Write) {
		rec, err := p.Claim(p.Context(), claimOf(p.read(), "i2", group2))
		p.ok(err)
		_, err = p.Write(p.Context(), p.intent(rec))
		p.ok(err)
	}, "slot 0 of rule r1"},
	{"the group's record", func(p *play, rec replication.IncidentRecord, w *replication.Write) {
		g := p.read().Groups[group1]
		w.Group = &g
		changed := g
		changed.Baseline = "a>b"
		p.ok(p.PutGroup(p.Context(), group1, changed))
	}, "the record of the group"},
}

func TestIntentConflicts(t *testing.T) {
	for _, row := range intentRows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			both(t, func(p *play) {
				rec := p.claimed()
				w := p.intent(rec)
				row.change(p, rec, &w)
				before := p.read()
				_, err := p.Write(p.Context(), w)
				wantConflict(p.T, err, row.changed)
				if after := p.read(); after.Revision != before.Revision {
					t.Errorf("the refused intent wrote: revision %d became %d", before.Revision, after.Revision)
				}
			})
		})
	}
}

func TestPersonsAreRefusedOnceSent(t *testing.T) {
	t.Parallel()
	both(t, func(p *play) {
		rec, err := p.Write(p.Context(), p.intent(p.claimed()))
		p.ok(err)
		if err := p.Abort(p.Context(), rec.ID, "alice", "stop"); !errors.Is(err, quorum.ErrAlreadySent) || !containsText(err, "already sent") {
			t.Errorf("abort after the intent: got %v, want already sent", err)
		}
		if err := p.Approve(p.Context(), rec.ID, replication.Approval{Who: "alice"}); !errors.Is(err, quorum.ErrRefused) {
			t.Errorf("approval after the intent: got %v, want refused", err)
		}
		rec.Calls[0].Outcome = replication.NotSent
		_, err = p.Write(p.Context(), replication.Write{Incident: rec.Incident, Token: rec.Token, IncidentRev: rec.Rev})
		p.ok(err)
		p.ok(p.Abort(p.Context(), rec.ID, "alice", "nothing was sent"))
	})
}

func TestModeOnlyGoesDown(t *testing.T) {
	t.Parallel()
	both(t, func(p *play) {
		rec := p.claimed()
		down := replication.Write{Incident: rec.Incident, Token: rec.Token, IncidentRev: rec.Rev}
		down.Incident.Mode = replication.Approve
		rec, err := p.Write(p.Context(), down)
		p.ok(err)
		up := replication.Write{Incident: rec.Incident, Token: rec.Token, IncidentRev: rec.Rev}
		up.Incident.Mode = replication.Auto
		if _, err := p.Write(p.Context(), up); err == nil {
			t.Error("the mode went up")
		}
	})
}

func TestLossIsNotClosedUnderAnOpenIncident(t *testing.T) {
	t.Parallel()
	both(t, func(p *play) {
		rec := p.claimed()
		rev := p.read().Losses["az-a"].Rev
		wantConflict(p.T, p.CloseLoss(p.Context(), "az-a", rev), "incident i1 of it is open")
		_, err := p.Write(p.Context(), p.ended(rec, replication.Aborted))
		p.ok(err)
		wantConflict(p.T, p.CloseLoss(p.Context(), "az-a", rev-1), "the loss of site az-a")
		p.ok(p.CloseLoss(p.Context(), "az-a", rev))
	})
}

// The same changes, made after all that the store reads by itself and before
// the transaction: its own compares must notice them.
func TestTransactionsNoticeWhatHappensMeanwhile(t *testing.T) {
	run := func(t *testing.T, op, changed string, prepare func(*play) (change func(), act func() error)) {
		t.Helper()
		c := newClock()
		s := quorumtest.New(c.now, "obs-a", "az-b")
		p := &play{T: t, clock: c, coordinator: s}
		change, act := prepare(p)
		var before int64
		s.BeforeNext(op, func() {
			change()
			before = p.read().Revision
		})
		wantConflict(t, act(), changed)
		if after := p.read().Revision; after != before {
			t.Errorf("the refused transaction wrote: revision %d became %d", before, after)
		}
	}
	for _, row := range claimRows {
		t.Run("claim: "+row.name, func(t *testing.T) {
			run(t, "claim", row.changed, func(p *play) (func(), func() error) {
				claim := p.claim()
				return func() { row.change(p, &claim) }, func() error {
					_, err := p.Claim(p.Context(), claim)
					return err
				}
			})
		})
	}
	for _, row := range intentRows {
		t.Run("intent: "+row.name, func(t *testing.T) {
			run(t, "write", row.changed, func(p *play) (func(), func() error) {
				rec := p.claimed()
				w := p.intent(rec)
				g := p.read().Groups[group1]
				w.Group = &g
				return func() { row.change(p, rec, &replication.Write{}) }, func() error {
					_, err := p.Write(p.Context(), w)
					return err
				}
			})
		})
	}
	takeOver := func(p *play) (replication.IncidentRecord, func() error) {
		rec := p.claimed()
		p.ok(p.Resign(p.Context()))
		lead := p.lead()
		return rec, func() error {
			_, err := p.TakeOver(p.Context(), rec, lead)
			return err
		}
	}
	t.Run("take-over: the incident", func(t *testing.T) {
		run(t, "take over", "incident i1", func(p *play) (func(), func() error) {
			rec, act := takeOver(p)
			return func() { p.ok(p.Approve(p.Context(), rec.ID, replication.Approval{Who: "alice"})) }, act
		})
	})
	t.Run("take-over: another election", func(t *testing.T) {
		run(t, "take over", "the leader", func(p *play) (func(), func() error) {
			_, act := takeOver(p)
			return func() { p.ok(p.Resign(p.Context())); p.lead() }, act
		})
	})
	t.Run("closing a loss: a new incident", func(t *testing.T) {
		run(t, "loss", "an incident", func(p *play) (func(), func() error) {
			rec := p.claimed()
			_, err := p.Write(p.Context(), p.ended(rec, replication.Aborted))
			p.ok(err)
			c := p.read()
			return func() {
					_, err := p.Claim(p.Context(), claimOf(p.read(), "i2", group2))
					p.ok(err)
				}, func() error {
					return p.CloseLoss(p.Context(), "az-a", c.Losses["az-a"].Rev)
				}
		})
	})
	t.Run("a group's record", func(t *testing.T) {
		run(t, "group", "the record of the group", func(p *play) (func(), func() error) {
			g := replication.GroupRecord{Baseline: "a>b"}
			return func() { p.ok(p.PutGroup(p.Context(), group1, g)) }, func() error { return p.PutGroup(p.Context(), group1, g) }
		})
	})
	t.Run("the clock: another election", func(t *testing.T) {
		run(t, "tick", "the leader", func(p *play) (func(), func() error) {
			p.lead()
			return func() { p.ok(p.Resign(p.Context())); p.lead() }, func() error { return p.Tick(p.Context(), time.Second) }
		})
	})
	t.Run("the clock: moved meanwhile", func(t *testing.T) {
		run(t, "tick", "the cluster clock", func(p *play) (func(), func() error) {
			p.lead()
			return func() { p.ok(p.Tick(p.Context(), time.Second)) }, func() error { return p.Tick(p.Context(), time.Second) }
		})
	})
}

// A person's request meets the executor's write: it is judged anew on what the
// executor left.
func TestAbortMeetsTheIntent(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := quorumtest.New(c.now, "obs-a", "az-b")
	p := &play{T: t, clock: c, coordinator: s}
	rec := p.claimed()
	w := p.intent(rec)
	s.BeforeNext("aborting", func() {
		_, err := s.Write(t.Context(), w)
		p.ok(err)
	})
	if err := s.Abort(t.Context(), rec.ID, "alice", "stop"); !errors.Is(err, quorum.ErrAlreadySent) {
		t.Errorf("got %v, want already sent", err)
	}
	if p.read().Incidents[rec.ID].Abort != nil {
		t.Error("the abort stands although the call was begun")
	}
}

// Failures of several incidents of one loss are counted without a conflict for
// their writers.
func TestFailuresAreCountedTogether(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := quorumtest.New(c.now, "obs-a", "az-b")
	p := &play{T: t, clock: c, coordinator: s}
	first := p.claimed()
	second, err := p.Claim(t.Context(), claimOf(p.read(), "i2", group2))
	p.ok(err)
	fail := func(rec replication.IncidentRecord) {
		w := p.ended(rec, replication.Failed)
		w.CountFailed = true
		_, err := p.Write(t.Context(), w)
		p.ok(err)
	}
	s.BeforeNext("write", func() { fail(second) })
	fail(first)
	if n := p.read().Losses["az-a"].Failures["r1"]; n != 2 {
		t.Errorf("%d failures are counted, want 2", n)
	}
}

func TestTheLeaderIsNotReplacedMeanwhile(t *testing.T) {
	t.Parallel()
	c := newClock()
	a := quorumtest.New(c.now, "obs-a", "az-b")
	b := &play{T: t, clock: c, coordinator: a.Join(c.now, "obs-b", "az-c")}
	b.ok(a.Renew(t.Context()))
	a.BeforeNext("lead", func() { b.lead() })
	lead, mine, err := a.Lead(t.Context())
	if err != nil || mine || lead.Observer != "obs-b" {
		t.Errorf("%v leads, ours %v, error %v; want obs-b, who was first", lead, mine, err)
	}
}

// An incident that a person ended has latched nothing, but keeps its rule from
// beginning again: who acknowledges the group is told what to acknowledge.
func TestAckOfAGroupNamesTheEpisode(t *testing.T) {
	t.Parallel()
	both(t, func(p *play) {
		w := p.ended(p.claimed(), replication.Aborted)
		w.Episode = true
		_, err := p.Write(p.Context(), w)
		p.ok(err)
		if err := p.Ack(p.Context(), group1, "", "alice", "by its name"); !errors.Is(err, quorum.ErrNotFound) || !containsText(err, "`drwatch ack i1 --reason …`") {
			t.Errorf("got %v, want what to acknowledge instead", err)
		}
		p.ok(p.Ack(p.Context(), group1, "i1", "alice", "by the incident"))
	})
}

func TestAckIsRefusedWhileAnIncidentIsUnderWay(t *testing.T) {
	t.Parallel()
	both(t, func(p *play) {
		rec := p.claimed()
		if err := p.Ack(p.Context(), group1, "i1", "alice", "hurry"); !errors.Is(err, quorum.ErrRefused) || !containsText(err, "i1 is under way") {
			t.Errorf("got %v, want refused", err)
		}
		if err := p.Ack(p.Context(), group2, "", "alice", "why not"); !errors.Is(err, quorum.ErrNotFound) {
			t.Errorf("got %v, want nothing to release", err)
		}
		w := p.ended(rec, replication.Failed)
		w.Group.Latch, w.Episode = &replication.Latch{Incident: "i1", Why: "it failed"}, true
		_, err := p.Write(p.Context(), w)
		p.ok(err)
		if err := p.Ack(p.Context(), group1, "i0", "alice", "the older one"); !errors.Is(err, quorum.ErrRefused) || !containsText(err, "latched by incident i1") {
			t.Errorf("ack of another incident: %v; want refused, and which one to look at", err)
		}
		p.ok(p.Ack(p.Context(), group1, "i1", "alice", "looked"))
		c := p.read()
		if c.Groups[group1].Latch != nil || len(c.Episodes) != 0 {
			t.Errorf("latch %v, episodes %v after the ack", c.Groups[group1].Latch, c.Episodes)
		}
		entries, err := p.Journal(p.Context(), "i1")
		p.ok(err)
		if last := entries[len(entries)-1]; last.Event != "ack" || last.Data["who"] != "alice" {
			t.Errorf("the journal ends with %+v", last)
		}
	})
}
