package ledger_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/drwatch/drwatch/internal/quorum/ledger"
	"github.com/drwatch/drwatch/internal/quorum/quorumtest"
	"github.com/drwatch/drwatch/internal/replication"
)

const root = "/drwatch/test/"

func now() time.Time { return time.Date(2026, 3, 1, 3, 0, 0, 0, time.UTC) }

var group = replication.GroupKey{Provider: replication.HuaweiSDRS, ID: "g"}

// populated is a store with a leader, votes, and an incident under way that has a
// slot, an abort and a late outcome.
func populated(tb testing.TB) *quorumtest.Store {
	tb.Helper()
	ctx := context.Background()
	s := quorumtest.New(now, "obs-a", "az-b")
	ok := func(err error) {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
	}
	ok(s.Renew(ctx))
	_, _, err := s.Lead(ctx)
	ok(err)
	ok(s.PublishVotes(ctx, []replication.Vote{
		{Observer: "obs-a", Site: "az-b", Rule: "r1", RuleHash: "h1", Group: group, Verdict: replication.Go, Since: now(), Mode: replication.Auto, For: time.Minute, Evidence: "up == 0"},
		{Observer: "obs-a", Site: "az-b", Rule: "r2", RuleHash: "h2", Group: group, Verdict: replication.Veto, Since: now(), For: time.Minute},
	}))
	c, err := s.Read(ctx)
	ok(err)
	of := slices.IndexFunc(c.Votes, func(v replication.Vote) bool { return v.Verdict == replication.Go })
	rec, err := s.Claim(ctx, replication.Claim{
		Incident: replication.Incident{ID: "i", Rule: "r1", Provider: group.Provider, Group: group.ID, Mode: replication.Auto, Phase: replication.Open, Slot: -1, OpenedAt: now()},
		Entry:    replication.Entry{Event: "claimed", Text: "trigger true at 1 site", Data: map[string]any{"lag": 0.29}},
		Observer: "obs-a", LeaderRev: c.Leader.CreateRev, Revision: c.Revision, Votes: c.Votes[of : of+1], Loss: replication.SiteLoss{Site: "az-a"},
	})
	ok(err)
	inc := rec.Incident
	inc.Slot, inc.Phase = 0, replication.Executing
	_, err = s.Write(ctx, replication.Write{
		Incident: inc, Token: rec.Token, IncidentRev: rec.Rev, TakeSlot: true, CountStart: true, Episode: true,
		Entry: replication.Entry{Event: "intent", Text: "about to call"},
	})
	ok(err)
	ok(s.PutLate(ctx, "i", rec.Token, replication.Call{Outcome: replication.Uncertain}))
	ok(s.Note(ctx, "removed", "member", "alice", "gone"))
	return s
}

// kinds are keys of every kind there is; what the input adds behind one makes others.
func kinds() []string {
	return []string{
		"leader", "freeze", "clock", "format", "registered/obs-b", "observer/obs-b", "incident/i", "holder/i", "abort/i", "loss/az-a", "slot/r1/0",
		"started/r1/i", "group/huawei_sdrs/g", "group/huawei_sdrs/h", "episode/huawei_sdrs/g/r1", "chain/operator", "late/i/1", "voted/r1/obs-b",
		"vote/r1/00/obs-b", "vote/r1/00/obs-b/veto/7", "journal/i/000001", "journal/i/000003", "journal/operator/000001",
		"archive/head", "archive/anchor/000000000001", "archive/chain/i", "archive/observer/obs-a", "incident/j", "holder/j", "",
	}
}

// FuzzRecords: whatever a client has written under whichever key, a read tells that it
// cannot be read, or reads it as nothing that it is not.
func FuzzRecords(f *testing.F) {
	s := populated(f)
	for i, kind := range kinds() {
		for _, key := range s.Keys() {
			if tail, found := strings.CutPrefix(key, root+kind); found && kind != "" {
				f.Add(uint8(i), tail, []byte(s.RawAt(key)))
			}
		}
		for _, value := range []string{`{}`, `null`, `7`, `-9223372036854775808`, `{"phase":"later","mode":"auto"}`, `{"v":{"huawei_sdrs/g":{"v":"go","x":"NaN"},"x/y":{"v":"veto"}}}`, ""} {
			f.Add(uint8(i), "", []byte(value))
		}
	}
	f.Fuzz(func(t *testing.T, kind uint8, tail string, value []byte) {
		s := populated(t)
		before, err := s.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		key := root + kinds()[int(kind)%len(kinds())] + tail
		if err := s.Raw(key, string(value)); err != nil {
			return // it is not a key
		}
		began := time.Now()
		c, err := s.Read(t.Context())
		again, second := s.Join(now, "obs-c", "az-c").Read(t.Context())
		if (err == nil) != (second == nil) || err == nil && !cmp.Equal(c, again, cmpopts.EquateNaNs()) {
			t.Errorf("two observers read the store otherwise: %v, %v\n%s", err, second, cmp.Diff(c, again, cmpopts.EquateNaNs()))
		}
		if err != nil && (!errors.Is(err, ledger.ErrUnreadable) || c.Incidents != nil || c.Votes != nil) {
			t.Errorf("%v, with %d votes and %d incidents", err, len(c.Votes), len(c.Incidents))
		}
		if err == nil {
			read(t, c, s)
			others(t, key, before, c)
		}
		after(t, s, c)
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}

// read is what holds of every cluster that could be read.
func read(t *testing.T, c replication.Cluster, s *quorumtest.Store) {
	t.Helper()
	if s.RawAt(root+"freeze") != "" && c.Freeze == nil {
		t.Error("there is a freeze, and it is not frozen")
	}
	for _, v := range c.Votes {
		if inVeto := strings.Contains(v.Key, "/veto/"); inVeto != (v.Verdict == replication.Veto) {
			t.Errorf("%s in %s", v.Verdict, v.Key)
		}
		if v.Verdict == replication.Go && !strings.Contains(s.RawAt(v.Key), "go") && !strings.Contains(s.RawAt(v.Key), `\u`) || v.Rev == 0 || v.Group.ID == "" {
			t.Errorf("vote %+v of %s", v, s.RawAt(v.Key))
		}
	}
	for id, i := range c.Incidents {
		known := slices.Contains([]replication.Phase{replication.Open, replication.Held, replication.Executing, replication.Verifying}, i.Phase)
		if !known && !i.Phase.Ended() || !i.Mode.Valid() || i.Token == 0 || i.Rev == 0 {
			t.Errorf("incident %s: phase %q, mode %q, token %d", id, i.Phase, i.Mode, i.Token)
		}
	}
	for rule, at := range c.Started {
		if len(at) == 0 || !slices.IsSorted(at) {
			t.Errorf("starts of %s: %v", rule, at)
		}
	}
}

// others: what one key holds changes nothing of what others hold.
func others(t *testing.T, key string, before, c replication.Cluster) {
	t.Helper()
	if !strings.Contains(key, "/i") && !cmp.Equal(before.Incidents["i"], c.Incidents["i"]) {
		t.Errorf("%s changed incident i:\n%s", key, cmp.Diff(before.Incidents["i"], c.Incidents["i"]))
	}
	if !strings.HasPrefix(key, root+"group/") && !cmp.Equal(before.Groups, c.Groups) {
		t.Errorf("%s changed the groups:\n%s", key, cmp.Diff(before.Groups, c.Groups))
	}
	vetoes := 0
	for _, v := range c.Votes {
		if v.Verdict == replication.Veto && v.Rule == "r2" && v.Observer == "obs-a" {
			vetoes++
		}
	}
	if vetoes == 0 && !strings.HasPrefix(key, root+"vote/r2/") {
		t.Errorf("%s took a veto away", key)
	}
}

// after is everything else that reads records; what it answers is compared nowhere, it
// must only answer.
func after(t *testing.T, s *quorumtest.Store, c replication.Cluster) {
	t.Helper()
	ctx := t.Context()
	_, _ = s.Journal(ctx, "i")
	_, _ = s.PersonsJournal(ctx)
	_, _ = s.Late(ctx, "i")
	_, _ = s.Unarchived(ctx, 0, 10)
	_, _ = s.Anchor(ctx, c)
	_, _ = s.Unarchived(ctx, 0, 10)
	_ = s.Archived(ctx, replication.Mark{Seq: 1, Hash: "x"})
	_, _ = s.Collect(ctx, c)
	_ = s.Tick(ctx, time.Second)
	_ = s.Freeze(ctx, "alice", "because")
	_ = s.Unfreeze(ctx, "alice", "because")
	_ = s.Abort(ctx, "i", "alice", "because")
	_ = s.GiveUp(ctx, "i", 1, "alice", "because")
	_ = s.Approve(ctx, "i", replication.Approval{Who: "alice"})
	_ = s.Ack(ctx, group, "i", "alice", "because")
	_ = s.EndEpisode(ctx, "r1", group, "i")
	_ = s.CloseLoss(ctx, "az-a", c.Losses["az-a"].Rev)
	_ = s.PutGroup(ctx, group, c.Groups[group])
	_, _, _ = s.Lead(ctx)
	_ = s.Unregister(ctx, "obs-b")
	if rec, ok := c.Incidents["i"]; ok && c.Leader != nil {
		_, _ = s.TakeOver(ctx, rec, *c.Leader)
	}
}

// FuzzJournal: an entry that was replaced is found, or says what it said.
func FuzzJournal(f *testing.F) {
	s := populated(f)
	for n, key := range []string{"journal/i/000001", "journal/i/000002"} {
		f.Add(uint8(n), []byte(s.RawAt(root+key)))
		f.Add(uint8(n), []byte(strings.Replace(s.RawAt(root+key), `"seq"`, `"Seq"`, 1)))
		f.Add(uint8(n), []byte(strings.TrimSuffix(s.RawAt(root+key), "}")+`,"data":{"lag":1e-1000}}`))
	}
	f.Add(uint8(2), []byte(`{}`))
	f.Fuzz(func(t *testing.T, n uint8, value []byte) {
		s := populated(t)
		c, err := s.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		was, err := s.Journal(t.Context(), "i")
		if err != nil || ledger.VerifyHead(c.Incidents["i"].Incident, was) != nil {
			t.Fatal(err, ledger.VerifyHead(c.Incidents["i"].Incident, was))
		}
		if err := s.Raw(root+[]string{"journal/i/000001", "journal/i/000002", "journal/i/000003"}[n%3], string(value)); err != nil {
			t.Fatal(err)
		}
		is, err := s.Journal(t.Context(), "i")
		if err != nil {
			return
		}
		if ledger.VerifyHead(c.Incidents["i"].Incident, is) == nil && !cmp.Equal(was, is) {
			t.Errorf("altered, and it is not found:\n%s", cmp.Diff(was, is))
		}
	})
}
