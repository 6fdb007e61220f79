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
	open map[string]bool                       // incidents of which no answer came, so that nothing is known
	lost int                                   // claims refused
	read [historyClients][]int64               // revisions of each one's reads, in their order
}

const (
	rivalRounds = 12
	// rivalsWant is how many of the rivals' claims must be won for them to show anything.
	rivalsWant = 10
)

// contend goes through its rounds; one in which the store does not answer in time, as
// on a machine with other work, counts as one.
func (r *rivals) contend(ctx context.Context, who int) error {
	for n := range rivalRounds {
		err := r.round(ctx, who, n)
		if err != nil && !errors.Is(err, ledger.ErrUncertain) && !errors.Is(err, replication.ErrConflict) {
			return err
		}
	}
	return nil
}

// round claims each group, on a reading that may be old by then, ends what it has
// claimed, and gives the lead away.
func (r *rivals) round(ctx context.Context, who, n int) error {
	l := r.ledgers[who]
	if err := l.Renew(ctx); err != nil {
		return err
	}
	if _, _, err := l.Lead(ctx); err != nil {
		return err
	}
	for i, g := range groups() {
		read, err := l.Read(ctx)
		if err != nil {
			return err
		}
		r.note(who, read)
		if read.Leader == nil {
			break
		}
		// The leader of the reading claims, whoever that is: so do two processes that
		// both take themselves for one observer.
		claim := claimOf(read, fmt.Sprintf("i%d-%d-%d", who, n, i), g)
		rec, err := l.Claim(ctx, claim)
		r.count(claim.Incident.ID, rec, err)
		switch {
		case errors.Is(err, replication.ErrConflict):
			continue
		case err != nil:
			return err
		}
		if err := r.end(ctx, l, rec); err != nil {
			return err
		}
	}
	return l.Resign(ctx)
}

func (r *rivals) note(who int, read replication.Cluster) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.read[who] = append(r.read[who], read.Revision)
}

func (r *rivals) count(id string, rec replication.IncidentRecord, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case err == nil:
		r.won[id] = rec
	case errors.Is(err, replication.ErrConflict):
		r.lost++
	default:
		r.open[id] = true
	}
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
		if rec, ok := r.won[id]; !r.open[id] && (!ok || rec.Token != rev) {
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
			r := &rivals{T: t, won: map[string]replication.IncidentRecord{}, open: map[string]bool{}}
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
