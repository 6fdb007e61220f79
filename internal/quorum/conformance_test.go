package quorum_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/drwatch/drwatch/internal/quorum"
	"github.com/drwatch/drwatch/internal/quorum/ledger"
	"github.com/drwatch/drwatch/internal/quorum/quorumtest"
	"github.com/drwatch/drwatch/internal/replication"
)

// coordinator is what the real store and the model have in common.
type coordinator interface {
	Read(context.Context) (replication.Cluster, error)
	Renew(context.Context) error
	LeaseLeft() time.Duration
	LeaseLeftIn(int64) time.Duration
	Lead(context.Context) (replication.Leader, bool, error)
	Resign(context.Context) error
	PublishVotes(context.Context, []replication.Vote) error
	Claim(context.Context, replication.Claim) (replication.IncidentRecord, error)
	Write(context.Context, replication.Write) (replication.IncidentRecord, error)
	TakeOver(context.Context, replication.IncidentRecord, replication.Leader) (replication.IncidentRecord, error)
	Journal(context.Context, string) ([]replication.Entry, error)
	PersonsJournal(context.Context) ([]replication.Entry, error)
	Freeze(ctx context.Context, who, reason string) error
	Unfreeze(ctx context.Context, who, reason string) error
	Abort(ctx context.Context, incident, who, reason string) error
	Approve(ctx context.Context, incident string, a replication.Approval) error
	Ack(ctx context.Context, g replication.GroupKey, incident, who, reason string) error
	PutGroup(context.Context, replication.GroupKey, replication.GroupRecord) error
	EndEpisode(ctx context.Context, rule string, g replication.GroupKey, incident string) error
	CloseLoss(ctx context.Context, site string, rev int64) error
	Tick(context.Context, time.Duration) error
	PutLate(ctx context.Context, incident string, token int64, c replication.Call) error
	Late(ctx context.Context, incident string) (map[int64]replication.Call, error)
	Anchor(context.Context, replication.Cluster) (int, error)
	Unarchived(ctx context.Context, after int64, limit int) (replication.Unarchived, error)
	Archived(context.Context, replication.Mark) error
	Collect(context.Context, replication.Cluster) (ledger.Collected, error)
	AcceptReset(context.Context) error
	Close() error
}

var (
	_ coordinator = (*quorum.Store)(nil)
	_ coordinator = (*quorumtest.Store)(nil)
)

// clock is set by the test.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 3, 1, 3, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// play is one history on one store.
type play struct {
	*testing.T
	coordinator
	clock *clock
	log   []string
}

// ok fails the test on an error.
func (p *play) ok(err error) {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
}

// says records how a call ended, to be compared between the stores.
func (p *play) says(what string, err error) { p.log = append(p.log, fmt.Sprintf("%s: %v", what, err)) }

func (p *play) read() replication.Cluster {
	p.Helper()
	c, err := p.Read(p.Context())
	p.ok(err)
	return c
}

// lead registers and is elected.
func (p *play) lead() replication.Leader {
	p.Helper()
	p.ok(p.Renew(p.Context()))
	l, mine, err := p.Lead(p.Context())
	p.ok(err)
	if !mine {
		p.Fatalf("%v leads, want this observer", l)
	}
	return l
}

var (
	group1 = replication.GroupKey{Provider: replication.HuaweiSDRS, ID: "g/1"}
	group2 = replication.GroupKey{Provider: replication.AliyunEBS, ID: "g 2"}
)

func vote(g replication.GroupKey, v replication.Verdict) replication.Vote {
	return replication.Vote{
		Observer: "obs-a", Site: "az-b", Rule: "r1", RuleHash: "h1", Group: g, Verdict: v,
		Since: time.Date(2026, 3, 1, 2, 59, 0, 0, time.UTC), Mode: replication.Auto, For: time.Minute,
	}
}

func incident(id string, g replication.GroupKey) replication.Incident {
	return replication.Incident{
		ID: id, Rule: "r1", RuleHash: "h1", Provider: g.Provider, Group: g.ID, Mode: replication.Auto,
		Phase: replication.Open, Slot: -1, Plan: replication.Plan{LostSite: "az-a", MaxConcurrent: 2},
	}
}

// claimOf is a claim on the snapshot as it stands.
func claimOf(c replication.Cluster, id string, g replication.GroupKey) replication.Claim {
	return replication.Claim{
		Incident: incident(id, g), Entry: replication.Entry{Event: "claimed", Text: "trigger true at 1 site"},
		Observer: c.Leader.Observer, LeaderRev: c.Leader.CreateRev, Revision: c.Revision, GroupRev: c.Groups[g].Rev,
		Votes: votesOn(c, g), LossRev: c.Losses["az-a"].Rev, Loss: replication.SiteLoss{Site: "az-a"},
	}
}

func votesOn(c replication.Cluster, g replication.GroupKey) []replication.Vote {
	var out []replication.Vote
	for _, v := range c.Votes {
		if v.Group == g && v.Verdict == replication.Go {
			out = append(out, v)
		}
	}
	return out
}

// claim leads, votes go on both groups and prepares a claim of the first.
func (p *play) claim() replication.Claim {
	p.Helper()
	p.lead()
	p.ok(p.PublishVotes(p.Context(), []replication.Vote{vote(group1, replication.Go), vote(group2, replication.Go)}))
	return claimOf(p.read(), "i1", group1)
}

// claimed leads, votes go on both groups and claims the first.
func (p *play) claimed() replication.IncidentRecord {
	p.Helper()
	rec, err := p.Claim(p.Context(), p.claim())
	p.ok(err)
	return rec
}

// intent is the write that comes before a call.
func (p *play) intent(rec replication.IncidentRecord) replication.Write {
	c := p.read()
	inc := rec.Incident
	inc.Phase, inc.Slot = replication.Executing, 0
	inc.Calls = append(inc.Calls, replication.Call{Operation: "failover", Attempt: 1, StartedAt: p.clock.now()})
	return replication.Write{
		Incident: inc, Entry: replication.Entry{Event: "intent", Text: "failover"}, Token: rec.Token, IncidentRev: rec.Rev,
		LeaderRev: rec.Holder.LeaderRev, Unfrozen: true, Unaborted: true, TakeSlot: true, CountStart: true,
		Votes: &replication.VoteGuard{Revision: c.Revision, Votes: votesOn(c, rec.Key())},
	}
}

// ended is the write that ends an incident.
func (p *play) ended(rec replication.IncidentRecord, phase replication.Phase) replication.Write {
	g := p.read().Groups[rec.Key()]
	g.OpenIncident = ""
	g.LastAction = &replication.LastAction{Incident: rec.ID, Action: replication.Failover, At: p.clock.now()}
	inc := rec.Incident
	inc.Phase = phase
	if last := inc.LastCall(); last != nil {
		inc.Calls[len(inc.Calls)-1].Outcome = replication.Accepted
	}
	return replication.Write{
		Incident: inc, Entry: replication.Entry{Event: "ended"}, Token: rec.Token, IncidentRev: rec.Rev, FreeSlot: true, Group: &g,
	}
}

var histories = []struct {
	name string
	run  func(*play)
}{
	{"an empty store", func(p *play) { p.read() }},
	{"session", func(p *play) {
		_, _, err := p.Lead(p.Context())
		p.says("lead without a lease", err)
		p.lead()
		p.ok(p.Renew(p.Context()))
		p.lead()
		p.ok(p.Resign(p.Context()))
		p.ok(p.Resign(p.Context()))
		p.lead()
	}},
	{"votes before the first renewal", func(p *play) {
		p.ok(p.PublishVotes(p.Context(), []replication.Vote{vote(group1, replication.Abstain)}))
		p.ok(p.Renew(p.Context()))
	}},
	{"votes of many groups", func(p *play) {
		p.ok(p.Renew(p.Context()))
		var votes []replication.Vote
		for i := range 1200 {
			v := vote(replication.GroupKey{Provider: replication.HuaweiEVS, ID: fmt.Sprint("g", i)}, replication.Pending)
			v.Value = float64(i)
			votes = append(votes, v)
		}
		votes[0].Value, votes[1].Value = math.NaN(), math.Inf(1)
		p.ok(p.PublishVotes(p.Context(), votes))
		votes[3].Value = 7
		p.ok(p.PublishVotes(p.Context(), votes))
		for i := range 300 {
			votes[i].Verdict = replication.Veto
		}
		p.ok(p.PublishVotes(p.Context(), votes))
		p.ok(p.PublishVotes(p.Context(), votes[100:900]))
		p.ok(p.Renew(p.Context()))
	}},
	{"a failover that succeeds", func(p *play) {
		rec := p.claimed()
		p.ok(p.Tick(p.Context(), 5*time.Second))
		rec, err := p.Write(p.Context(), p.intent(rec))
		p.ok(err)
		_, err = p.Write(p.Context(), p.ended(rec, replication.Succeeded))
		p.ok(err)
		p.says("ack", p.Ack(p.Context(), group1, rec.ID, "alice", "done"))
	}},
	{"a failover that fails", func(p *play) {
		rec := p.claimed()
		rec, err := p.Write(p.Context(), p.intent(rec))
		p.ok(err)
		w := p.ended(rec, replication.Failed)
		w.CountFailed, w.Episode = true, true
		w.Group.Latch = &replication.Latch{Incident: rec.ID, Why: "it failed"}
		_, err = p.Write(p.Context(), w)
		p.ok(err)
		c := claimOf(p.read(), "i2", group1)
		_, err = p.Claim(p.Context(), c)
		p.says("claim on a latched group", err)
		p.ok(p.Ack(p.Context(), group1, rec.ID, "alice", "looked at it"))
		p.says("second ack", p.Ack(p.Context(), group1, rec.ID, "alice", "again"))
		p.ok(p.CloseLoss(p.Context(), "az-a", p.read().Losses["az-a"].Rev))
	}},
	{"persons", func(p *play) {
		rec := p.claimed()
		p.ok(p.Freeze(p.Context(), "alice", "maintenance"))
		p.ok(p.Freeze(p.Context(), "bob", "again"))
		p.ok(p.Approve(p.Context(), rec.ID, replication.Approval{Who: "alice", Reason: "yes", At: p.clock.now()}))
		p.ok(p.Approve(p.Context(), rec.ID, replication.Approval{Who: "alice", Reason: "yes twice", At: p.clock.now()}))
		p.ok(p.Unfreeze(p.Context(), "sre", "over"))
		p.ok(p.Unfreeze(p.Context(), "sre", "over"))
		p.ok(p.Abort(p.Context(), rec.ID, "bob", "no"))
		p.ok(p.Abort(p.Context(), rec.ID, "carol", "no twice"))
		p.says("approve after abort", p.Approve(p.Context(), rec.ID, replication.Approval{Who: "dave"}))
		p.says("abort of nothing", p.Abort(p.Context(), "i9", "bob", "no"))
		p.says("ack under way", p.Ack(p.Context(), group1, rec.ID, "bob", "no"))
		p.says("ack of nothing", p.Ack(p.Context(), group2, "", "bob", "no"))
	}},
	{"take over", func(p *play) {
		rec := p.claimed()
		p.ok(p.Resign(p.Context()))
		taken, err := p.TakeOver(p.Context(), rec, p.lead())
		p.ok(err)
		_, err = p.Write(p.Context(), p.intent(rec))
		p.says("the former holder", err)
		_, err = p.TakeOver(p.Context(), rec, replication.Leader{Observer: "obs-a", CreateRev: taken.Holder.LeaderRev})
		p.says("a second take-over", err)
		p.ok(p.PutLate(p.Context(), rec.ID, rec.Token, replication.Call{Operation: "failover", Outcome: replication.Accepted}))
		p.says("a second late outcome", p.PutLate(p.Context(), rec.ID, rec.Token, replication.Call{}))
		late, err := p.Late(p.Context(), rec.ID)
		p.ok(err)
		p.says(fmt.Sprint("late ", late[rec.Token].Outcome), err)
		_, err = p.Write(p.Context(), p.intent(taken))
		p.ok(err)
	}},
	{"the cluster clock", func(p *play) {
		p.says("tick without leading", p.Tick(p.Context(), time.Second))
		rec := p.claimed()
		p.says("tick backwards", p.Tick(p.Context(), -time.Second))
		p.ok(p.Tick(p.Context(), 5*time.Second))
		_, err := p.Write(p.Context(), p.intent(rec))
		p.ok(err)
		p.says(fmt.Sprint("started ", p.read().Started), nil)
		p.ok(p.Tick(p.Context(), time.Hour))
		p.says(fmt.Sprint("started ", p.read().Started), nil)
		p.ok(p.Tick(p.Context(), time.Second))
		p.says(fmt.Sprint("started ", p.read().Started), nil)
		p.ok(p.Resign(p.Context()))
		p.says("tick after resigning", p.Tick(p.Context(), time.Second))
	}},
	{"an episode", func(p *play) {
		w := p.ended(p.claimed(), replication.Simulated)
		w.Episode = true
		_, err := p.Write(p.Context(), w)
		p.ok(err)
		if len(p.read().Episodes) != 1 {
			p.Fatal("no episode is remembered")
		}
		p.ok(p.EndEpisode(p.Context(), "r1", group1, "i1"))
		p.ok(p.EndEpisode(p.Context(), "r1", group1, "i1"))
		if len(p.read().Episodes) != 0 {
			p.Fatal("the episode is still remembered")
		}
	}},
}

func TestModelAndEtcdAgree(t *testing.T) {
	for _, h := range slices.Concat(histories, archiveHistories) {
		t.Run(h.name, func(t *testing.T) {
			t.Parallel()
			etcd, model := newClock(), newClock()
			r := &play{T: t, clock: etcd, coordinator: openStore(t, filepath.Join(t.TempDir(), "etcd"), func(o *quorum.Options) {
				o.Now = etcd.now
			})}
			m := &play{T: t, clock: model, coordinator: quorumtest.New(model.now, "obs-a", "az-b")}
			h.run(r)
			h.run(m)
			if diff := cmp.Diff(m.log, r.log); diff != "" {
				t.Errorf("answers differ (-model +etcd):\n%s", diff)
			}
			compareStores(t, m, r)
		})
	}
}

func compareStores(t *testing.T, m, r *play) {
	t.Helper()
	// The keys of vetoes hold lease numbers, which each store chooses.
	opts := cmp.Options{cmpopts.IgnoreFields(replication.Vote{}, "Key"), cmpopts.EquateNaNs()}
	mc, rc := m.read(), r.read()
	if diff := cmp.Diff(mc, rc, opts); diff != "" {
		t.Errorf("contents differ (-model +etcd):\n%s", diff)
	}
	for id, rec := range rc.Incidents {
		mj, err := m.Journal(t.Context(), id)
		m.ok(err)
		rj, err := r.Journal(t.Context(), id)
		r.ok(err)
		if diff := cmp.Diff(mj, rj); diff != "" {
			t.Errorf("journals of %s differ (-model +etcd):\n%s", id, diff)
		}
		if err := quorum.VerifyHead(rec.Incident, rj); err != nil {
			t.Error(err)
		}
	}
	persons, err := r.PersonsJournal(t.Context())
	r.ok(err)
	if len(persons) > 0 && persons[0].Seq > 1 {
		persons = nil // the older ones have left the store
	}
	if err := quorum.VerifyJournal(persons); err != nil {
		t.Error(err)
	}
	mu, err := m.Unarchived(t.Context(), 0, 100)
	m.ok(err)
	ru, err := r.Unarchived(t.Context(), 0, 100)
	r.ok(err)
	if diff := cmp.Diff(mu, ru); diff != "" {
		t.Errorf("what is to be archived differs (-model +etcd):\n%s", diff)
	}
}

// both runs a test on the model and on etcd.
func both(t *testing.T, run func(*play)) {
	t.Helper()
	t.Run("model", func(t *testing.T) {
		c := newClock()
		run(&play{T: t, clock: c, coordinator: quorumtest.New(c.now, "obs-a", "az-b")})
	})
	t.Run("etcd", func(t *testing.T) {
		c := newClock()
		s := openStore(t, filepath.Join(t.TempDir(), "etcd"), func(o *quorum.Options) { o.Now = c.now })
		run(&play{T: t, clock: c, coordinator: s})
	})
}

func wantConflict(t *testing.T, err error, changed string) {
	t.Helper()
	if !errors.Is(err, replication.ErrConflict) {
		t.Fatalf("got %v, want a conflict", err)
	}
	if !containsText(err, changed) {
		t.Errorf("got %q, want it to name %q", err, changed)
	}
}
