package quorum

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/drwatch/drwatch/internal/quorum/ledger"
	"github.com/drwatch/drwatch/internal/replication"
)

// Errors that callers tell apart; replication.ErrConflict is the other.
var (
	ErrStoreReset  = ledger.ErrStoreReset
	ErrUncertain   = ledger.ErrUncertain
	ErrLeaseLost   = ledger.ErrLeaseLost
	ErrAlreadySent = ledger.ErrAlreadySent
	ErrRefused     = ledger.ErrRefused
	ErrNotFound    = ledger.ErrNotFound
	ErrUnreadable  = ledger.ErrUnreadable
	// ErrNotJoined: the member is not running or not ready. Nothing was sent.
	ErrNotJoined = errors.New("the coordination store is not running")
)

// Store is this observer's hold on the coordination store. All methods are safe
// for concurrent use and have a deadline of their own.
type Store struct {
	*ledger.Ledger
	member *member

	mu   sync.Mutex
	told map[string]bool // kinds of keys that were told as not known
}

// Open starts the member in the background and returns at once. Until it has
// joined, calls fail with ErrNotJoined. The errors of Open are those of the
// options.
func Open(o Options) (*Store, error) {
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("coordination store: %w", err)
	}
	if err := o.absolute(); err != nil {
		return nil, fmt.Errorf("coordination store: %w", err)
	}
	seen, err := openSeen(o.Dir + ".seen.json")
	if err != nil {
		return nil, fmt.Errorf("coordination store: %w", err)
	}
	m := newMember(o, seen)
	s := &Store{member: m, told: map[string]bool{}, Ledger: ledger.New(ledger.Options{
		KV: client{m}, Leases: client{m}, Cluster: o.Cluster, Observer: o.Observer, Site: o.Site, Version: o.Version,
		LeaseTTL: o.LeaseTTL, MayLead: o.MayLead, Shows: o.Shows, Now: o.Now, Boot: SinceBoot(o.Now),
	})}
	m.start()
	return s, nil
}

// closeTimeout bounds how long Close waits for the store to take the lease back.
const closeTimeout = 2 * time.Second

// Close gives the lease back, so that another observer need not wait for it to
// run out, and ends the member. It returns when the child is gone.
func (s *Store) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	err := s.Leave(ctx)
	s.member.close()
	if errors.Is(err, ErrNotJoined) {
		return nil
	}
	return err
}

// Status tells how the member is. It never blocks.
func (s *Store) Status() Status { return s.member.snapshot() }

// Read is ledger.Ledger.Read; it also logs each kind of key that this version does
// not know, once.
func (s *Store) Read(ctx context.Context) (replication.Cluster, error) {
	c, err := s.Ledger.Read(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, kind := range slices.Sorted(maps.Keys(c.Unknown)) {
		if !s.told[kind] {
			s.told[kind] = true
			s.member.o.Logger.Warn("the coordination store has keys that this version of drwatch does not know, and passes over", "kind", kind, "keys", c.Unknown[kind])
		}
	}
	return c, err
}

// Renew is ledger.Ledger.Renew; it also makes the highest revision seen durable
// outside the store.
func (s *Store) Renew(ctx context.Context) error {
	if err := s.Ledger.Renew(ctx); err != nil {
		return err
	}
	s.member.keepSeen()
	return nil
}

// Claim is ledger.Ledger.Claim; what it wrote is remembered outside the store
// before it returns.
func (s *Store) Claim(ctx context.Context, c replication.Claim) (replication.IncidentRecord, error) {
	rec, err := s.Ledger.Claim(ctx, c)
	if err == nil {
		s.member.keepSeen()
	}
	return rec, err
}

// Write is ledger.Ledger.Write; what it wrote is remembered outside the store
// before it returns.
func (s *Store) Write(ctx context.Context, w replication.Write) (replication.IncidentRecord, error) {
	rec, err := s.Ledger.Write(ctx, w)
	if err == nil {
		s.member.keepSeen()
	}
	return rec, err
}

// AcceptReset takes the store as it is now for the right one: its identity and
// revision become the known ones, and a member with an empty directory may
// start. Only a person may ask for it, after looking what happened to the data.
func (s *Store) AcceptReset(ctx context.Context) error { return s.member.acceptReset(ctx) }

// VerifyJournal checks a whole journal: numbering, hashes, chain.
func VerifyJournal(entries []replication.Entry) error { return ledger.VerifyJournal(entries) }

// VerifyHead checks a journal against its incident, which also shows entries cut
// off at the end.
func VerifyHead(inc replication.Incident, entries []replication.Entry) error {
	return ledger.VerifyHead(inc, entries)
}
