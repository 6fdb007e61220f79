package quorum_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/quorum/ledger"
	"github.com/drwatch/drwatch/internal/quorum/quorumtest"
	"github.com/drwatch/drwatch/internal/replication"
)

// rivals are three observers, each of which believes whenever it can that it leads,
// and claims the same groups.
type rivals struct {
	*testing.T
	ledgers [historyClients]*ledger.Ledger

	mu   sync.Mutex
	won  map[string]replication.IncidentRecord // by incident
	lost int                                   // claims refused
	read [historyClients][]int64               // revisions of each one's reads, in their order
}

const (
	rivalRounds = 12
	// rivalsWant is how many of the rivals' claims must be won for them to show anything.
	rivalsWant = 10
)

// contend claims each group in each round, on a reading that may be old by then, ends
// what it has claimed, and gives the lead away.
func (r *rivals) contend(ctx context.Context, who int) error {
	l := r.ledgers[who]
	for round := range rivalRounds {
		if err := l.Renew(ctx); err != nil {
			return err
		}
		if _, _, err := l.Lead(ctx); err != nil && !errors.Is(err, replication.ErrConflict) {
			return err
		}
		read, err := l.Read(ctx)
		if err != nil {
			return err
		}
		r.mu.Lock()
		r.read[who] = append(r.read[who], read.Revision)
		r.mu.Unlock()
		if read.Leader == nil {
			continue
		}
		for i, g := range groups() {
			// The leader of the reading claims, whoever that is: so do two processes that
			// both take themselves for one observer.
			rec, err := l.Claim(ctx, claimOf(read, fmt.Sprintf("i%d-%d-%d", who, round, i), g))
			if err != nil {
				if !errors.Is(err, replication.ErrConflict) {
					return err
				}
				r.count(nil)
				continue
			}
			r.count(&rec)
			if err := r.end(ctx, l, rec); err != nil {
				return err
			}
			if read, err = l.Read(ctx); err != nil {
				return err
			}
			if read.Leader == nil {
				break
			}
		}
		if err := l.Resign(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (r *rivals) count(rec *replication.IncidentRecord) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if rec == nil {
		r.lost++
		return
	}
	r.won[rec.ID] = *rec
}

// end ends an incident that was claimed, so that the group can be claimed again.
func (r *rivals) end(ctx context.Context, l *ledger.Ledger, rec replication.IncidentRecord) error {
	read, err := l.Read(ctx)
	if err != nil {
		return err
	}
	g := read.Groups[rec.Key()]
	g.OpenIncident = ""
	inc := rec.Incident
	inc.Phase = replication.Aborted
	_, err = l.Write(ctx, replication.Write{Incident: inc, Entry: replication.Entry{Event: "ended"}, Token: rec.Token, IncidentRev: rec.Rev, Group: &g})
	return err
}

// judge reads from the watch who held each group when: never two at once, and each
// that was told that it won, and nobody else.
func (r *rivals) judge(root string, events []quorumtest.Event) {
	r.Helper()
	open, claimed := map[string]string{}, map[string]int64{}
	for _, e := range events {
		kind, rest, _ := strings.Cut(strings.TrimPrefix(e.Item.Key, root), "/")
		switch {
		case kind == "incident" && e.Item.Create == e.Item.Mod:
			if claimed[rest] != 0 {
				r.Errorf("incident %s was claimed at revision %d and again at %d", rest, claimed[rest], e.Item.Mod)
			}
			claimed[rest] = e.Item.Mod
		case kind == "group" && !e.Deleted:
			var g replication.GroupRecord
			if err := json.Unmarshal(e.Item.Value, &g); err != nil {
				r.Fatal(err)
			}
			if was := open[rest]; was != "" && g.OpenIncident != "" && was != g.OpenIncident {
				r.Errorf("revision %d: %s holds group %s, which %s had not given back", e.Item.Mod, g.OpenIncident, rest, was)
			}
			open[rest] = g.OpenIncident
		}
	}
	for id, rev := range claimed {
		if rec, ok := r.won[id]; !ok || rec.Token != rev {
			r.Errorf("%s was claimed at revision %d; its claimant was told token %d (%v)", id, rev, rec.Token, ok)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(r.won)) {
		if claimed[id] == 0 {
			r.Errorf("the claimant of %s was told that it won, and nothing was written", id)
		}
	}
	for who, revs := range r.read {
		if !slices.IsSorted(revs) {
			r.Errorf("observer %d read revisions %d: they go back", who, revs)
		}
	}
}

// TestRivalsClaim: observers that claim the same groups at once win them one after the
// other, on etcd and on the model.
func TestRivalsClaim(t *testing.T) {
	t.Parallel()
	rounds := &rounds{T: t, etcd: newOnEtcd(t)}
	for n := range max(1, *historyCount/40) {
		l := rounds.begin()
		for side, on := range []underTest{l.real, l.model} {
			r := &rivals{T: t, won: map[string]replication.IncidentRecord{}}
			for who := range historyClients {
				c := on.client(who)
				r.ledgers[who] = ledger.New(ledger.Options{
					KV: c, Leases: c, Cluster: fmt.Sprint("rivals-", n), Observer: name(who), Site: "az-b", Version: "test", LeaseTTL: longTTL,
					Now: l.clock.now, Boot: func() time.Duration { return 0 },
				})
			}
			root := r.ledgers[0].Root()
			w := on.watch(t.Context(), root, 0)
			var all sync.WaitGroup
			for who := range historyClients {
				all.Go(func() {
					if err := r.contend(t.Context(), who); err != nil {
						t.Errorf("%s, observer %d: %v", []string{"etcd", "model"}[side], who, err)
					}
				})
			}
			all.Wait()
			events, err := allOf(t.Context(), on, root, w)
			if err != nil {
				t.Fatal(err)
			}
			r.judge(root, events)
			t.Logf("%s: %d claims won, %d refused, %d changes", []string{"etcd", "model"}[side], len(r.won), r.lost, len(events))
			if len(r.won) < rivalsWant || side == 0 && r.lost == 0 {
				t.Error("so few claims show nothing")
			}
		}
	}
}
