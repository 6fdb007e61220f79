package quorumtest

import (
	"maps"
	"slices"

	"github.com/drwatch/drwatch/internal/quorum/ledger"
)

// Raw writes a key as any other client of the store could. A lease that the key
// stands under is kept.
func (s *Store) Raw(key, value string) error {
	s.c.db.mu.Lock()
	defer s.c.db.mu.Unlock()
	lease := s.c.db.keys[key].Lease
	_, err := s.c.db.commit(ledger.Txn{Puts: []ledger.Put{{Key: key, Value: []byte(value), Lease: lease}}})
	return err
}

// RawDelete deletes a key as any other client of the store could.
func (s *Store) RawDelete(key string) error {
	s.c.db.mu.Lock()
	defer s.c.db.mu.Unlock()
	_, err := s.c.db.commit(ledger.Txn{Deletes: []string{key}})
	return err
}

// RawAt is what stands under a key, "" when nothing does.
func (s *Store) RawAt(key string) string {
	s.c.db.mu.Lock()
	defer s.c.db.mu.Unlock()
	s.c.db.expire()
	return string(s.c.db.keys[key].Value)
}

// Keys are all keys that there are, sorted.
func (s *Store) Keys() []string {
	s.c.db.mu.Lock()
	defer s.c.db.mu.Unlock()
	s.c.db.expire()
	return slices.Sorted(maps.Keys(s.c.db.keys))
}
