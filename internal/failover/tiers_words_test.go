package failover_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"regexp"
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

var writeTiers = flag.Bool("write-tiers", false, "write testdata/tiers.golden anew")

// still is a store that holds what it is given, and notes what is claimed in it.
type still struct {
	cluster replication.Cluster

	mu     sync.Mutex
	claims []replication.Claim
}

func (s *still) Read(context.Context) (replication.Cluster, error) { return s.cluster, nil }

func (s *still) Claim(_ context.Context, c replication.Claim) (replication.IncidentRecord, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.claims = append(s.claims, c)
	return replication.IncidentRecord{}, errAway
}

func (s *still) Write(context.Context, replication.Write) (replication.IncidentRecord, error) {
	return replication.IncidentRecord{}, errAway
}

func (s *still) TakeOver(context.Context, replication.IncidentRecord, replication.Leader) (replication.IncidentRecord, error) {
	return replication.IncidentRecord{}, errAway
}

// seen is an evaluation that stays as it is.
type seen failover.Evaluation

func (s *seen) Evaluate(context.Context) (failover.Evaluation, error) {
	return failover.Evaluation(*s), nil
}

// queue is a rule that comes after another, in a loss of az-a.
type queue struct {
	store *still
	eval  *seen
}

func sdrsKey(id string) string { return "huawei_sdrs/" + id }

// target is a group of a rule, with production at a site; "" when the provider does
// not tell.
func target(id, rule, site string) failover.Target {
	g := replication.Group{
		Key: replication.GroupKey{Provider: replication.HuaweiSDRS, ID: id}, Name: id, Account: "acc", Source: azA, Target: azB, Active: azA,
		State: replication.Replicating, Ready: []replication.Condition{{Name: "ready", OK: true}}, ReadAt: time.Now(),
	}
	if site == "" {
		g.Active = replication.Location{}
	}
	return failover.Target{
		Group: g, ActiveSite: site, TargetSite: "az-b", Since: time.Now(), State: "firing",
		Vote: replication.Vote{Observer: "obs-w", Site: "witness", Rule: rule, RuleHash: "h", Group: g.Key, Verdict: replication.Go, Mode: replication.Auto},
	}
}

func newQueue(data ...string) *queue {
	rule := failover.Rule{Name: "data", Hash: "h", Mode: replication.Auto, Action: replication.Failover, SiteUnreachable: "az-a", Agree: 1, Of: 1, Fence: "accept_split_brain: test", DataAgeUnder: time.Minute, MaxConcurrent: 2, MaxFailures: 3}
	apps := rule
	apps.Name, apps.After = "apps", []string{"data"}
	q := &queue{store: &still{}, eval: &seen{At: time.Now(), AllPolled: true, Rules: []failover.RuleView{
		{Rule: apps, Targets: []failover.Target{target("app", "apps", "az-a")}}, {Rule: rule},
	}}}
	for _, id := range data {
		q.add(id, "az-a")
	}
	return q
}

func (q *queue) add(id, site string) {
	q.eval.Rules[1].Targets = append(q.eval.Rules[1].Targets, target(id, "data", site))
}

// lost is the loss of az-a, with the tier that was fixed then.
func (q *queue) lost(t replication.Tier) {
	q.store.cluster.Losses = map[string]replication.SiteLoss{"az-a": {
		Site: "az-a", Clock: replication.Duration(time.Hour), Rev: 1, Tiers: map[string]replication.Tier{"data": t},
	}}
}

// done are groups that the rule has failed over in the loss.
func (q *queue) done(ids ...string) {
	for _, id := range ids {
		q.ended(id, func(*replication.Incident) {})
	}
}

func (q *queue) ended(id string, change func(*replication.Incident)) {
	if q.store.cluster.Incidents == nil {
		q.store.cluster.Incidents = map[string]replication.IncidentRecord{}
	}
	inc := replication.Incident{
		ID: fmt.Sprint(id, len(q.store.cluster.Incidents)), Rule: "data", Provider: replication.HuaweiSDRS, Group: id,
		Phase: replication.Succeeded, OpenedClock: replication.Duration(time.Hour), Plan: replication.Plan{LostSite: "az-a"},
	}
	change(&inc)
	q.store.cluster.Incidents[inc.ID] = replication.IncidentRecord{Incident: inc}
}

func hashed(ids ...string) string {
	keys := make([]string, len(ids))
	for i, id := range ids {
		keys[i] = sdrsKey(id)
	}
	sum := sha256.Sum256([]byte(strings.Join(keys, "\n")))
	return hex.EncodeToString(sum[:8])
}

// fixed is a tier whose groups are named, and one of which only a hash is kept.
func fixed(ids ...string) replication.Tier {
	t := replication.Tier{Count: len(ids), Hash: hashed(ids...)}
	for _, id := range ids {
		t.Groups = append(t.Groups, sdrsKey(id))
	}
	return t
}

func kept(ids ...string) replication.Tier {
	t := fixed(ids...)
	t.Groups = nil
	return t
}

func long(id string, n int) string { return id + strings.Repeat("x", n-len(id)-len("huawei_sdrs/")-3) }

// queues are how far the rule before may be.
var queues = []struct {
	name string
	is   func() *queue
}{
	{"no loss", func() *queue { return newQueue("g4", "g1", "g3", "g2") }},
	{"no loss, two targets", func() *queue { return newQueue("g2", "g1") }},
	{"no loss, no targets", func() *queue { return newQueue() }},
	{"no loss, an account not read yet", func() *queue { q := newQueue("g1"); q.eval.AllPolled = false; return q }},
	{"no loss, no such rule", func() *queue { q := newQueue(); q.eval.Rules = q.eval.Rules[:1]; return q }},
	{"no loss, one elsewhere", func() *queue { q := newQueue("g1"); q.add("g2", "az-c"); return q }},
	{"no loss, two of unknown direction", func() *queue { q := newQueue("g9"); q.add("g3", ""); q.add("g2", ""); return q }},
	{"a loss in which the rule had no part", func() *queue {
		q := newQueue("g1", "g2")
		q.lost(fixed())
		q.store.cluster.Losses["az-a"].Tiers["other"] = fixed("g1")
		delete(q.store.cluster.Losses["az-a"].Tiers, "data")
		return q
	}},
	{"nothing is done", func() *queue { q := newQueue("g1"); q.lost(fixed("g1", "g2", "g3", "g4")); return q }},
	{"some are done", func() *queue { q := newQueue(); q.lost(fixed("g1", "g2", "g3")); q.done("g3", "g1"); return q }},
	{"all are done, one twice, and one that was no target", func() *queue { q := newQueue(); q.lost(fixed("g1", "g2")); q.done("g2", "g1", "g2", "g7"); return q }},
	{"done by another rule, in another loss, before it, or not at all", func() *queue {
		q := newQueue()
		q.lost(fixed("g1", "g2", "g3", "g4", "g5"))
		q.ended("g1", func(i *replication.Incident) { i.Rule = "apps" })
		q.ended("g2", func(i *replication.Incident) { i.Plan.LostSite = "az-b" })
		q.ended("g3", func(i *replication.Incident) { i.OpenedClock-- })
		q.ended("g4", func(i *replication.Incident) { i.Phase = replication.Failed })
		return q
	}},
	{"a tier of nothing", func() *queue { q := newQueue(); q.lost(fixed()); return q }},
	{"of unknown direction then: done, elsewhere, here, not told, and gone", func() *queue {
		q := newQueue("u3")
		q.add("u2", "az-c")
		q.add("u4", "")
		tier := fixed("g1")
		tier.Unsure = []string{sdrsKey("u1"), sdrsKey("u2"), sdrsKey("u3"), sdrsKey("u4"), sdrsKey("u5"), sdrsKey("u6")}
		q.lost(tier)
		q.done("u1", "g1")
		return q
	}},
	{"of unknown direction then, and all done", func() *queue {
		q := newQueue()
		tier := fixed("g1")
		tier.Unsure = []string{sdrsKey("u1"), sdrsKey("u2")}
		q.lost(tier)
		q.done("u1", "g1", "u2")
		return q
	}},
	{"of unknown direction then, beside a hash", func() *queue {
		q := newQueue()
		tier := kept("g1", "g2")
		tier.Unsure = []string{sdrsKey("u1")}
		q.lost(tier)
		q.done("u1", "g1", "g2")
		return q
	}},
	{"a group of that name of another rule is elsewhere", func() *queue {
		q := newQueue()
		q.eval.Rules[0].Targets = append(q.eval.Rules[0].Targets, target("u1", "apps", "az-c"))
		tier := fixed()
		tier.Unsure = []string{sdrsKey("u1")}
		q.lost(tier)
		return q
	}},
	{"a hash, and nothing done", func() *queue { q := newQueue(); q.lost(kept("g1", "g2", "g3")); return q }},
	{"a hash, and some done", func() *queue { q := newQueue(); q.lost(kept("g1", "g2", "g3")); q.done("g1", "g2"); return q }},
	{"a hash, and all done", func() *queue { q := newQueue(); q.lost(kept("g1", "g2", "g3")); q.done("g3", "g1", "g2"); return q }},
	{"a hash, and as many others done", func() *queue { q := newQueue(); q.lost(kept("g1", "g2", "g3")); q.done("g3", "g1", "g9"); return q }},
	{"a hash, and more done", func() *queue {
		q := newQueue()
		q.lost(kept("g1", "g2", "g3"))
		q.done("g1", "g2", "g3", "g9")
		return q
	}},

	// What a claim fixes.
	{"few", func() *queue { q := newQueue("g2", "g1"); q.add("g3", "az-c"); return q }},
	{"few of unknown direction", func() *queue { q := newQueue("g1"); q.add("u2", ""); q.add("u1", ""); return q }},
	{"as many as there is room for", func() *queue { return newQueue(long("g1", 3000), long("g2", 3144)) }},
	{"one byte more than there is room for", func() *queue { return newQueue(long("g1", 3000), long("g2", 3145)) }},
	{"as many of unknown direction as there is room for", func() *queue { q := newQueue("g1"); q.add(long("u1", 3072), ""); return q }},
	{"one byte more of unknown direction", func() *queue { q := newQueue("z1"); q.add(long("u1", 3073), ""); return q }},
	{"with those of unknown direction one byte too much", func() *queue { q := newQueue(long("g1", 3073)); q.add(long("u1", 3072), ""); return q }},
	{"half the room, for two rules are waited for", func() *queue {
		q := newQueue(long("g1", 3072))
		q.eval.Rules[0].Rule.After = []string{"data", "cache"}
		return q
	}},
	{"one byte more than half the room", func() *queue {
		q := newQueue(long("g1", 3073))
		q.eval.Rules[0].Rule.After = []string{"data", "cache"}
		return q
	}},
	{"of unknown direction, half the room", func() *queue {
		q := newQueue("z1")
		q.add(long("u1", 1600), "")
		q.eval.Rules[0].Rule.After = []string{"data", "cache"}
		return q
	}},
	{"nobody waits", func() *queue { q := newQueue("g1"); q.eval.Rules[0].Rule.After = nil; return q }},
}

// said is what the rule behind is told of the one before, and what a claim of that
// one fixes.
func (q *queue) said(t *testing.T) string {
	store := quorumtest.New(time.Now, "obs-w", "witness")
	c := failover.New(failover.Options{
		Observer: "obs-w", Site: "witness", Store: q.store, Session: store, Upkeep: store, Rules: q.eval, Senders: &cloud{},
		CanAct: func(string) bool { return true }, AcceptSingle: true, LeaseTTL: quorumtest.LeaseTTL, Now: time.Now, Logger: discard,
	})
	c.Nudge()
	for beat := range int64(3) { // of a leader that is seen to beat, and votes
		q.store.cluster.Revision++
		q.store.cluster.Leader = &replication.Leader{Observer: "obs-w"}
		if now, err := store.Read(t.Context()); err == nil && now.Leader != nil {
			q.store.cluster.Leader = now.Leader
		}
		q.store.cluster.Observers = []replication.Observer{{Name: "obs-w", Site: "witness", Beat: beat}}
		q.store.cluster.Votes = nil
		for _, r := range q.eval.Rules {
			for _, target := range r.Targets {
				q.store.cluster.Votes = append(q.store.cluster.Votes, target.Vote)
			}
		}
		if err := c.Round(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, d := range c.State().Decisions {
		for _, cond := range d.Conditions {
			if cond.Name == "after" {
				fmt.Fprintf(&out, "%t: %s\n", cond.OK, cond.Value)
			}
		}
		for _, n := range d.Nearest {
			if n.Condition == "after" {
				fmt.Fprintf(&out, "to change: %s\n", n.Text)
			}
		}
	}
	for _, claim := range q.store.claims[:min(len(q.store.claims), 1)] {
		for _, name := range []string{"cache", "data"} {
			if tier, ok := claim.Loss.Tiers[name]; ok {
				fmt.Fprintf(&out, "a claim fixes %s: %d, hash %s, named %s, unsure %s\n", name, tier.Count, tier.Hash, brief(tier.Groups), brief(tier.Unsure))
			}
		}
		if claim.Loss.Tiers == nil {
			fmt.Fprintln(&out, "a claim fixes nothing")
		}
	}
	return regexp.MustCompile("x{9,}").ReplaceAllString(out.String(), "…")
}

// TestWhatIsRememberedIsOfThisMoment: what a round has counted is not counted again
// for each group, and is not taken for what another round sees.
func TestWhatIsRememberedIsOfThisMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue("g1", "g2")
		q.lost(fixed("g1", "g2"))
		store := quorumtest.New(time.Now, "obs-w", "witness")
		c := failover.New(failover.Options{Observer: "obs-w", Site: "witness", Store: q.store, Session: store, Upkeep: store, Rules: q.eval, LeaseTTL: quorumtest.LeaseTTL, Now: time.Now, Logger: discard})
		see := func(change, name, want string) {
			t.Helper()
			if err := c.Round(t.Context()); err != nil {
				t.Fatal(err)
			}
			for _, cond := range c.State().Decisions[0].Conditions {
				if cond.Name == name && cond.Value != want {
					t.Errorf("%s: %s is %q, want %q", change, name, cond.Value, want)
				}
			}
		}
		see("at first", "after", "data: 0 of 2, not huawei_sdrs/g1, huawei_sdrs/g2")
		q.store.cluster.Revision++
		q.done("g1")
		see("one is done", "after", "data: 1 of 2, not huawei_sdrs/g2")
		q.store.cluster.Losses = nil
		q.store.cluster.Revision++
		see("the loss is over", "after", "data: 0 of 2, not huawei_sdrs/g1, huawei_sdrs/g2")
		time.Sleep(time.Second)
		q.add("g3", "az-a")
		q.eval.At = time.Now()
		see("a target more, and nothing else", "after", "data: 0 of 3, not huawei_sdrs/g1, huawei_sdrs/g2, huawei_sdrs/g3")

		veto := q.eval.Rules[0].Targets[0].Vote
		veto.Verdict = replication.Veto
		other := veto
		other.Observer, other.Site = "obs-x", "az-x"
		q.eval.Rules[0].Rule.VetoAny = true
		all := []replication.Vote{veto, other}
		q.store.cluster.Votes = all[:1]
		see("a veto", "no_veto", "obs-w (witness)")
		q.store.cluster.Votes = []replication.Vote{other}
		see("another veto", "no_veto", "obs-x (az-x)")
		q.store.cluster.Votes = all[:1]
		see("the first again", "no_veto", "obs-w (witness)")
		q.store.cluster.Votes = all
		see("both", "no_veto", "obs-w (witness), obs-x (az-x)")
		q.store.cluster.Votes = nil
		see("none", "no_veto", "none")
	})
}

// brief is keys without what all begin with.
func brief(keys []string) string {
	out := make([]string, len(keys))
	for i, key := range keys {
		out[i] = strings.TrimPrefix(key, "huawei_sdrs/")
	}
	return fmt.Sprint(out)
}

// TestHowFarATierIs pins what a rule is told of the rule it comes after.
func TestHowFarATierIs(t *testing.T) {
	var out strings.Builder
	for _, tt := range queues {
		synctest.Test(t, func(t *testing.T) { fmt.Fprintf(&out, "== %s\n%s\n", tt.name, tt.is().said(t)) })
	}
	const golden = "testdata/tiers.golden"
	if *writeTiers {
		if err := os.WriteFile(golden, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(out.String(), "\n")); diff != "" {
		t.Errorf("tiers stand otherwise than %s has it (-pinned +now); -write-tiers writes it anew:\n%s", golden, diff)
	}
}
