package quorum_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/drwatch/drwatch/internal/quorum/ledger"
	"github.com/drwatch/drwatch/internal/quorum/quorumtest"
	"github.com/drwatch/drwatch/internal/replication"
)

// watcher is what both stores have for who waits for a change.
type watcher interface {
	Watch(ctx context.Context, changed func())
}

// TestWatchesTellAlike: both stores tell of each change that a decision could look at,
// once, and of no other.
func TestWatchesTellAlike(t *testing.T) {
	t.Parallel()
	both(t, func(p *play) {
		ctx, cancel := context.WithCancel(p.Context())
		var told atomic.Int64
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			p.coordinator.(watcher).Watch(ctx, func() { told.Add(1) })
		}()
		defer func() { cancel(); <-ended }()
		want := int64(1) // what came before it is looked at once
		until := func(what string) {
			waitFor(p.T, "the watch to tell of "+what, func() bool { return told.Load() >= want })
			if got := told.Load(); got != want {
				p.Fatalf("%s: %d told, want %d", what, got, want)
			}
		}
		until("the beginning")
		rec, decisive := replication.IncidentRecord{}, func(what string, do func() error) {
			p.Helper()
			p.ok(do())
			want++
			until(what)
		}
		quiet := func(what string, err error) {
			p.Helper()
			p.ok(err)
			for range 5 { // time enough to be told what should not be
				tick()
			}
			until(what)
		}
		quiet("a registration", p.Renew(p.Context()))
		decisive("the leader", func() error { _, _, err := p.Lead(p.Context()); return err })
		quiet("a heartbeat", p.Renew(p.Context()))
		decisive("votes", func() error { return p.PublishVotes(p.Context(), []replication.Vote{vote(group1, replication.Go)}) })
		quiet("the clock", p.Tick(p.Context(), time.Second))
		decisive("a claim", func() (err error) {
			rec, err = p.Claim(p.Context(), claimOf(p.read(), "i1", group1))
			return err
		})
		decisive("an abort", func() error { return p.Abort(p.Context(), rec.ID, "alice", "stop") })
		quiet("an archive", p.Archived(p.Context(), replication.Mark{Seq: 1}))
		decisive("a freeze", func() error { return p.Freeze(p.Context(), "alice", "stop") })
		decisive("the end of it", func() error { return p.Unfreeze(p.Context(), "alice", "go on") })
		decisive("nobody leading", func() error { return p.Resign(p.Context()) })
	})
}

// slowWatch keeps what a watch has to tell for some time, or loses it.
type slowWatch struct {
	late time.Duration
	lost error
}

func (s slowWatch) Pass(ctx context.Context, _ string) error { return ctx.Err() }

func (s slowWatch) Answer(ctx context.Context, op string) error {
	if op != "watch" {
		return nil
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(s.late):
		return s.lost
	}
}

// A watch of the model can be late, can be lost and begun again, and can be overtaken
// by a compaction; what was changed is told in the end.
func TestModelWatchFaults(t *testing.T) {
	rows := []struct {
		name    string
		way     slowWatch
		compact bool
		took    time.Duration
	}{
		{"late", slowWatch{late: 3 * time.Second}, false, 3 * time.Second},
		{"lost", slowWatch{late: time.Second, lost: errors.New("cut")}, false, 1500 * time.Millisecond},
		{"overtaken", slowWatch{late: time.Second}, true, 1500 * time.Millisecond},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := quorumtest.New(time.Now, "obs-a", "az-b")
				p := &play{T: t, coordinator: s}
				p.ok(s.Renew(t.Context()))
				s.Through(row.way)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				var told []time.Time
				go s.Watch(ctx, func() { told = append(told, time.Now()) })
				synctest.Wait()
				began := time.Now()
				p.ok(s.Freeze(t.Context(), "alice", "stop"))
				p.ok(s.Unfreeze(t.Context(), "alice", "go on"))
				if row.compact {
					p.ok(s.Compact(p.read().Revision))
				}
				time.Sleep(10 * time.Second)
				synctest.Wait()
				if len(told) < 2 || told[1].Sub(began) != row.took {
					t.Errorf("told at %v after %v, want the second after %s", told, began, row.took)
				}
				cancel()
				synctest.Wait()
			})
		})
	}
}

// A lease of the model can stand beyond its time: who holds it still writes under it,
// and cannot keep it. Another leader among the members gives all leases their time again.
func TestModelLeasesEndLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := quorumtest.New(time.Now, "obs-a", "az-b")
		c := s.Client()
		p := &play{T: t, coordinator: s}
		id, ttl, err := c.Grant(t.Context(), 10*time.Second)
		p.ok(err)
		write := func() error {
			_, err := c.Commit(t.Context(), ledger.Txn{Puts: []ledger.Put{{Key: "k", Value: []byte("v"), Lease: id}}})
			return err
		}
		s.LeasesLinger(2 * time.Second)
		time.Sleep(ttl - time.Second)
		s.Elect()
		time.Sleep(ttl + 2*time.Second) // a second beyond what the election gave
		p.ok(write())
		if err := c.KeepAlive(t.Context(), id); !errors.Is(err, ledger.ErrLeaseLost) {
			t.Errorf("a lease was kept beyond its time: %v", err)
		}
		if err := write(); !errors.Is(err, ledger.ErrLeaseLost) || s.RawAt("k") != "" {
			t.Errorf("the lease still stands: %v", err)
		}
	})
}
