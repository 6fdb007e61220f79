package failover_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/quorum/quorumtest"
	"github.com/drwatch/drwatch/internal/replication"
)

// slowStore is one whose every write takes a while.
type slowStore struct{ failover.Store }

const writeTakes = 300 * time.Millisecond

func (s slowStore) Claim(ctx context.Context, c replication.Claim) (replication.IncidentRecord, error) {
	<-time.After(writeTakes)
	return s.Store.Claim(ctx, c)
}

func (s slowStore) Write(ctx context.Context, w replication.Write) (replication.IncidentRecord, error) {
	<-time.After(writeTakes)
	return s.Store.Write(ctx, w)
}

func (s slowStore) TakeOver(ctx context.Context, rec replication.IncidentRecord, leader replication.Leader) (replication.IncidentRecord, error) {
	<-time.After(writeTakes)
	return s.Store.TakeOver(ctx, rec, leader)
}

// many is the one group of the rules, so often.
type many struct {
	*rules
	groups        int
	reading, most int // of single groups, at a time
}

func (m *many) key(n int) replication.GroupKey {
	return replication.GroupKey{Provider: m.cloud.group.Key.Provider, ID: fmt.Sprintf("g%03d", n)}
}

func (m *many) Evaluate(ctx context.Context) (failover.Evaluation, error) {
	eval, err := m.rules.Evaluate(ctx)
	one := eval.Rules[0].Targets[0]
	eval.Rules[0].Targets, eval.Groups = nil, nil
	for n := range m.groups {
		t := one
		t.Group.Key, t.Vote.Group = m.key(n), m.key(n)
		eval.Rules[0].Targets = append(eval.Rules[0].Targets, t)
		eval.Groups = append(eval.Groups, t.Group)
	}
	return eval, err
}

// Read is of a group that nobody can read.
func (m *many) Read(context.Context, replication.GroupKey) (replication.Group, error) {
	m.ask(1)
	<-time.After(time.Second)
	m.ask(-1)
	return replication.Group{}, fmt.Errorf("no answer")
}

func (m *many) ask(n int) {
	m.cloud.mu.Lock()
	defer m.cloud.mu.Unlock()
	m.reading += n
	m.most = max(m.most, m.reading)
}

func (m *many) Track(context.Context, replication.GroupKey, string) (failover.Progress, error) {
	return failover.Progress{}, fmt.Errorf("no answer")
}

func (w *world) controls(m *many, store *quorumtest.Store) *failover.Controller {
	return failover.New(failover.Options{
		Observer: "obs-w", Site: "witness", Store: slowStore{store}, Session: store, Upkeep: store, Lates: store, Rules: m, Reader: m, Senders: w.cloud,
		CanAct: func(string) bool { return true }, AcceptSingle: true, LeaseTTL: quorumtest.LeaseTTL, TrackInterval: time.Second, Now: time.Now, Logger: w.log,
	})
}

// TestRoundsStayShorterThanTheLease: a leader that claims, holds and takes over
// many incidents one after the other would outlive its lease, and so would the
// leader after it.
func TestRoundsStayShorterThanTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, replication.HuaweiSDRS, replication.Approve)
		m := &many{rules: w.rules, groups: 30}
		longest := time.Duration(0)
		rounds := func(store *quorumtest.Store, n int) {
			c := w.controls(m, store)
			for range n {
				began := time.Now()
				if err := c.Round(t.Context()); err != nil {
					t.Fatal(err)
				}
				longest = max(longest, time.Since(began))
				<-time.After(500 * time.Millisecond)
			}
			if err := c.Close(t.Context()); err != nil {
				t.Error(err)
			}
		}
		rounds(w.store, 30)
		if held := w.heldBy("approval"); held != m.groups {
			t.Fatalf("%d incidents wait for an approval, want %d", held, m.groups)
		}
		if err := w.store.Leave(t.Context()); err != nil { // its election is over
			t.Fatal(err)
		}
		rounds(w.store, 60)
		cluster, err := w.store.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for id, rec := range cluster.Incidents {
			if cluster.Leader == nil || rec.Holder.LeaderRev != cluster.Leader.CreateRev {
				t.Errorf("%s was not taken over", id)
			}
		}
		if longest > quorumtest.LeaseTTL/4 {
			t.Errorf("a round took %s, want a fraction of the lease of %s", longest, quorumtest.LeaseTTL)
		}
	})
}

// TestOnlyThoseWithATurnAskTheProvider: of many that wait for few slots, no more
// than the slots are on their way at a time.
func TestOnlyThoseWithATurnAskTheProvider(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, replication.HuaweiSDRS, replication.Auto)
		w.rules.rule.MaxConcurrent = 3
		m := &many{rules: w.rules, groups: 20}
		c := w.controls(m, w.store)
		for range 20 {
			if err := c.Round(t.Context()); err != nil {
				t.Fatal(err)
			}
			<-time.After(500 * time.Millisecond)
		}
		if err := c.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if m.most != 3 {
			t.Errorf("%d incidents asked the provider at a time, want as many as there are slots", m.most)
		}
	})
}

// heldBy counts the incidents that are held by that.
func (w *world) heldBy(what string) int {
	n := 0
	for _, rec := range w.incidents() {
		if rec.Phase == replication.Held && rec.HeldBy == what {
			n++
		}
	}
	return n
}
