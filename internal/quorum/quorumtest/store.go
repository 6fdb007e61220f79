package quorumtest

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/drwatch/drwatch/internal/quorum/ledger"
	"github.com/drwatch/drwatch/internal/replication"
)

// LeaseTTL is the time to live of the model's leases.
const LeaseTTL = 15 * time.Second

// Store is one observer's hold on the model. It has the methods of quorum.Store
// and the faults below. Safe for concurrent use.
type Store struct {
	*ledger.Ledger
	c     *conn
	slept atomic.Int64
}

// New makes an empty store and an observer's hold on it.
func New(now func() time.Time, observer, site string) *Store {
	return hold(newDB(now), now, observer, site)
}

// Join is another observer's hold on the same store, or a later life of the
// same observer. Its clock may differ from that of the store.
func (s *Store) Join(now func() time.Time, observer, site string) *Store {
	return hold(s.c.db, now, observer, site)
}

func hold(d *db, now func() time.Time, observer, site string) *Store {
	s, boot := &Store{c: &conn{db: d, observer: observer, way: open{}}}, now()
	s.Ledger = ledger.New(ledger.Options{
		KV: s.c, Leases: s.c, Cluster: "test", Observer: observer, Site: site, Version: "test", LeaseTTL: LeaseTTL,
		Now: now, Boot: func() time.Duration { return now().Sub(boot) + time.Duration(s.slept.Load()) },
	})
	return s
}

// Through makes this observer's requests go that way.
func (s *Store) Through(w Way) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.c.way = w
}

// Watched calls f after each transaction of any observer that was applied, before
// anything else is.
func (s *Store) Watched(f func(Applied)) {
	s.c.db.mu.Lock()
	defer s.c.db.mu.Unlock()
	s.c.db.seen = f
}

// FailNext makes the next transaction of that kind fail with err and not be
// applied. Kinds are claim, write, take over, beat, lead, vote, freeze,
// unfreeze, aborting, approving, ack, group, episode, loss, tick; "" is the next
// of the first three.
func (s *Store) FailNext(op string, err error) { s.inject(fault{op: op, err: err}) }

// LoseAnswer makes the next transaction of that kind be applied without an
// answer. The store reads back and finds it.
func (s *Store) LoseAnswer(op string) {
	s.inject(fault{op: op, err: fmt.Errorf("%w within 5s", ledger.ErrUncertain), applied: true})
}

// LoseAnswerAndConnection is LoseAnswer with the connection lost as well: the
// caller gets an error although the transaction was applied. Heal ends it.
func (s *Store) LoseAnswerAndConnection(op string) {
	s.inject(fault{op: op, err: fmt.Errorf("%w within 5s", ledger.ErrUncertain), applied: true, down: true})
}

// ConflictNext makes the next transaction of that kind meet a conflict.
func (s *Store) ConflictNext(op string, changed ...string) {
	s.inject(fault{op: op, conflict: changed})
}

// BeforeNext calls f just before the next transaction of that kind is applied,
// after all that the store read for it: what f does is what the transaction
// must notice.
func (s *Store) BeforeNext(op string, f func()) { s.inject(fault{op: op, before: f}) }

// Disconnect makes every call of this observer fail with err until Heal.
func (s *Store) Disconnect(err error) { s.c.setDown(err) }

// Heal ends what Disconnect and LoseAnswerAndConnection began.
func (s *Store) Heal() { s.c.setDown(nil) }

// Suspend makes this observer's machine have slept for d: only its boot clock
// has seen it.
func (s *Store) Suspend(d time.Duration) { s.slept.Add(int64(d)) }

// LoseLease ends the lease of an observer in the store; the observer learns of
// it at its next call.
func (s *Store) LoseLease(observer string) error {
	cl, err := s.leaseOf(observer)
	if err != nil {
		return err
	}
	s.c.db.mu.Lock()
	defer s.c.db.mu.Unlock()
	s.c.db.end(cl)
	return nil
}

func (s *Store) leaseOf(observer string) (int64, error) {
	s.c.db.mu.Lock()
	defer s.c.db.mu.Unlock()
	it, ok := s.c.db.keys["/drwatch/test/observer/"+observer]
	if !ok {
		return 0, fmt.Errorf("observer %s holds no lease", observer)
	}
	return it.Lease, nil
}

// ResetStore empties the store behind all observers; this one notices it and
// gets ledger.ErrStoreReset from every call until AcceptReset.
func (s *Store) ResetStore() {
	s.c.db.mu.Lock()
	s.c.db.revision, s.c.db.log, s.c.db.compacted = 1, nil, 0
	clear(s.c.db.keys)
	clear(s.c.db.leases)
	s.c.db.mu.Unlock()
	s.c.setDown(ledger.ErrStoreReset)
}

// AcceptReset takes the store as it is now.
func (s *Store) AcceptReset(context.Context) error {
	s.Heal()
	return nil
}

// Close gives the observer's lease back.
func (s *Store) Close() error { return s.Leave(context.Background()) }

func (s *Store) inject(f fault) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.c.faults = append(s.c.faults, f)
}

// VerifyJournal is the store's own check of a journal.
func VerifyJournal(entries []replication.Entry) error { return ledger.VerifyJournal(entries) }
