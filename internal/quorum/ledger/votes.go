package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/drwatch/drwatch/internal/replication"
)

// A transaction of votes has at most voteOps writes and about voteBytes bytes,
// so that it neither stalls the store nor exceeds its limits.
const (
	voteOps   = 100
	voteBytes = 512 << 10
)

// published is what this observer knows to stand in the store under its name.
// Guarded by the ledger's session lock.
type published struct {
	keys map[string]shardValue // verdicts only, by key
	// unknown are keys whose last write had no clear answer.
	unknown map[string]bool
	// leases are the vetoes' leases by their time to live, vetoes the keys that
	// stand under each.
	leases map[time.Duration]int64
	vetoes map[string]int64
}

func newPublished() published {
	return published{keys: map[string]shardValue{}, unknown: map[string]bool{}, leases: map[time.Duration]int64{}, vetoes: map[string]int64{}}
}

// forgetPlain forgets all that stood under the observer's lease.
func (p *published) forgetPlain() {
	maps.DeleteFunc(p.keys, func(k string, _ shardValue) bool { return p.vetoes[k] == 0 })
	maps.DeleteFunc(p.unknown, func(k string, _ bool) bool { return p.vetoes[k] == 0 })
}

// forgetLease forgets the vetoes that stood under a lease that is gone.
func (p *published) forgetLease(id int64) {
	maps.DeleteFunc(p.leases, func(_ time.Duration, v int64) bool { return v == id })
	for k, v := range p.vetoes {
		if v == id {
			delete(p.vetoes, k)
			delete(p.keys, k)
			delete(p.unknown, k)
		}
	}
}

// PublishVotes makes the given votes the full set of this observer's votes. Only
// the keys in which a verdict, a rule hash, a mode or a view of the target
// changed are written. Vetoes stand under a lease of their own, of max(the
// observer's lease, Vote.For): they outlive an observer that dies.
func (l *Ledger) PublishVotes(ctx context.Context, votes []replication.Vote) error {
	l.session.Lock()
	defer l.session.Unlock()
	if err := l.readable(ctx); err != nil {
		return fmt.Errorf("publishing votes: %w", err)
	}
	err := l.publish(ctx, votes)
	if errors.Is(err, replication.ErrConflict) {
		// A heartbeat had no answer, came late, or the lease has run out. Nothing was
		// written, and a veto cannot wait for the next round.
		err = l.publish(ctx, votes)
	}
	return err
}

func (l *Ledger) publish(ctx context.Context, votes []replication.Vote) error {
	if l.current().id == 0 {
		if err := l.register(ctx); err != nil {
			return fmt.Errorf("registering observer %s: %w", l.o.Observer, err)
		}
	}
	if len(l.votes.unknown) > 0 || l.current().rev == 0 {
		if err := l.show(ctx); err != nil { // what is still on its way compares the revision before
			return fmt.Errorf("publishing votes: %w", err)
		}
	}
	want, err := l.shards(ctx, votes)
	if err != nil {
		return fmt.Errorf("publishing votes: %w", err)
	}
	vetoes, rest, err := l.voteWrites(want)
	if err != nil {
		return fmt.Errorf("publishing votes: %w", err)
	}
	for _, chunk := range chunks(vetoes) {
		if err := l.writeVotes(ctx, chunk, want, l.votes.forgetAllVetoes); err != nil {
			return err
		}
	}
	for _, chunk := range chunks(rest) {
		if err := l.writeVotes(ctx, chunk, want, l.forget); err != nil {
			return err
		}
	}
	return nil
}

// shards sorts the votes into the keys they stand in.
func (l *Ledger) shards(ctx context.Context, votes []replication.Vote) (map[string]shardValue, error) {
	want := map[string]shardValue{}
	for _, v := range votes {
		lease := int64(0)
		if v.Verdict == replication.Veto {
			var err error
			if lease, err = l.vetoLease(ctx, max(l.o.LeaseTTL, v.For)); err != nil {
				return nil, fmt.Errorf("lease of the vetoes: %w", err)
			}
		}
		key := l.keys.vote(v.Rule, l.o.Observer, v.Group, lease)
		if _, ok := want[key]; !ok {
			want[key] = shardValue{Site: l.o.Site, Votes: map[string]shortVote{}}
		}
		if lease != 0 {
			l.votes.vetoes[key] = lease
		}
		want[key].Votes[v.Group.String()] = short(v)
	}
	return want, nil
}

func (l *Ledger) vetoLease(ctx context.Context, ttl time.Duration) (int64, error) {
	if id := l.votes.leases[ttl]; id != 0 {
		return id, nil
	}
	id, _, err := l.o.Leases.Grant(ctx, ttl)
	if err != nil {
		return 0, err
	}
	l.votes.leases[ttl] = id
	return id, nil
}

// voteOp writes or, without a value, deletes one key.
type voteOp struct {
	key  string
	put  *Put
	rule string // of the votes that are put
}

// voteWrites is what differs between what stands and what is wanted. Vetoes are
// written first and in transactions of their own: they stand under other leases
// than the rest.
func (l *Ledger) voteWrites(want map[string]shardValue) (vetoes, rest []voteOp, err error) {
	for _, key := range slices.Sorted(maps.Keys(want)) {
		stands, ok := l.votes.keys[key]
		if ok && !l.votes.unknown[key] && sameVerdicts(stands, want[key].verdictOnly()) {
			continue
		}
		b, err := json.Marshal(want[key])
		if err != nil {
			return nil, nil, fmt.Errorf("key %s: %w", key, err)
		}
		parts, err := l.keys.split(key)
		if err != nil {
			return nil, nil, err
		}
		op := voteOp{key: key, rule: parts[1], put: &Put{Key: key, Value: b, Lease: l.votes.vetoes[key]}}
		if op.put.Lease != 0 {
			vetoes = append(vetoes, op)
			continue
		}
		op.put.Lease = l.current().id
		rest = append(rest, op)
	}
	known := maps.Clone(l.votes.unknown)
	for key := range l.votes.keys {
		known[key] = true
	}
	for _, key := range slices.Sorted(maps.Keys(known)) {
		if _, wanted := want[key]; !wanted {
			rest = append(rest, voteOp{key: key})
		}
	}
	return vetoes, rest, nil
}

func sameVerdicts(a, b shardValue) bool { return a.Site == b.Site && maps.Equal(a.Votes, b.Votes) }

func chunks(ops []voteOp) [][]voteOp {
	var out [][]voteOp
	start, size, rules := 0, 0, map[string]bool{}
	for i, op := range ops {
		n := 0
		if op.put != nil {
			n = len(op.put.Value)
		}
		if i > start && (i-start+len(rules)+1 >= voteOps || size+n > voteBytes) {
			out = append(out, ops[start:i])
			start, size = i, 0
			clear(rules)
		}
		if op.rule != "" {
			rules[op.rule] = true
		}
		size += n
	}
	if start < len(ops) {
		out = append(out, ops[start:])
	}
	return out
}

// writeVotes writes one chunk and remembers what stands now. After an error the
// keys count as unknown and are written or deleted again at the next call; when
// a lease was gone, lost is called. One that has no answer may still arrive, behind
// newer ones: it compares the revision of this observer's key, which the next call
// changes before it writes anything.
func (l *Ledger) writeVotes(ctx context.Context, ops []voteOp, want map[string]shardValue, lost func()) error {
	t := Txn{
		Op: "vote", What: fmt.Sprintf("publishing %d vote keys of observer %s", len(ops), l.o.Observer),
		If: []Compare{unchanged("the heartbeat of observer "+l.o.Observer, l.keys.observer(l.o.Observer), l.current().rev)},
	}
	rules := map[string]bool{}
	for _, op := range ops {
		l.votes.unknown[op.key] = true
		if op.put != nil {
			t.Puts = append(t.Puts, *op.put)
			rules[op.rule] = true
		} else {
			t.Deletes = append(t.Deletes, op.key)
		}
	}
	for _, rule := range slices.Sorted(maps.Keys(rules)) {
		t.Puts = append(t.Puts, Put{Key: l.keys.voted(rule, l.o.Observer)})
	}
	_, err := l.commit(ctx, t)
	if errors.Is(err, replication.ErrConflict) && l.unregistered(ctx) {
		l.forget()
		return fmt.Errorf("%w: %w", ErrLeaseLost, err)
	}
	if err != nil {
		if errors.Is(err, ErrLeaseLost) {
			lost()
		}
		return err
	}
	for _, op := range ops {
		delete(l.votes.unknown, op.key)
		if op.put != nil {
			l.votes.keys[op.key] = want[op.key].verdictOnly()
			continue
		}
		delete(l.votes.keys, op.key)
		delete(l.votes.vetoes, op.key)
	}
	return nil
}

// unregistered tells that this observer's key is gone, or another life's.
func (l *Ledger) unregistered(ctx context.Context) bool {
	key := l.keys.observer(l.o.Observer)
	v, err := l.o.KV.Get(ctx, key)
	return err == nil && v.At(key).Lease != l.current().id
}

// forgetAllVetoes is for a write refused because one of its leases is gone and
// nothing tells which: all are taken anew. What still stands under an old lease
// runs out with it.
func (p *published) forgetAllVetoes() {
	for _, id := range slices.Collect(maps.Values(p.leases)) {
		p.forgetLease(id)
	}
}

// keepVetoes keeps alive each lease under which a veto of this observer stands;
// one without a veto is left to run out.
func (l *Ledger) keepVetoes(ctx context.Context) error {
	used := map[int64]bool{}
	for key := range l.votes.keys {
		if id := l.votes.vetoes[key]; id != 0 {
			used[id] = true
		}
	}
	maps.DeleteFunc(l.votes.leases, func(_ time.Duration, id int64) bool { return !used[id] })
	for _, id := range slices.Sorted(maps.Keys(used)) {
		err := l.o.Leases.KeepAlive(ctx, id)
		if errors.Is(err, ErrLeaseLost) {
			l.votes.forgetLease(id)
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}
