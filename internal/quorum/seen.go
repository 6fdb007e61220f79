package quorum

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/drwatch/drwatch/internal/quorum/ledger"
)

// seen is what this observer remembers of the store outside of it: which
// cluster it is and the highest revision it has shown. A store that lost its
// data, or was put back from a copy, shows by it. Safe for concurrent use.
type seen struct {
	path string

	mu     sync.Mutex
	known  memory
	stored memory
	broken string // not "": why the store is not the one known

	writing sync.Mutex
}

// memory is the file's content.
type memory struct {
	ClusterID uint64 `json:"cluster_id,string"`
	Revision  int64  `json:"revision"`
}

func openSeen(path string) (*seen, error) {
	s := &seen{path: path}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(b, &s.known); err != nil || s.known.ClusterID == 0 {
		s.broken = fmt.Sprintf("%s, which tells the known store, cannot be read", path)
	}
	s.stored = s.known
	return s, nil
}

// exists tells whether a store is known.
func (s *seen) exists() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known.ClusterID != 0 || s.broken != ""
}

// floor is the revision that any read which begins now must reach.
func (s *seen) floor() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known.Revision
}

// err is not nil when the store is not the one known.
func (s *seen) err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken == "" {
		return nil
	}
	return fmt.Errorf("%w (%s)", ledger.ErrStoreReset, s.broken)
}

// breaks marks the store as not the one known, until reset is called.
func (s *seen) breaks(why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken == "" {
		s.broken = why
	}
}

// note judges an answer of the store: it comes from the known cluster and its
// revision, if it has one, is not below floor, which was taken before the
// question was sent.
func (s *seen) note(cluster uint64, revision, floor int64) error {
	s.mu.Lock()
	switch {
	case s.broken != "":
	case s.known.ClusterID != 0 && cluster != s.known.ClusterID:
		s.broken = fmt.Sprintf("its cluster id is %x, known is %x", cluster, s.known.ClusterID)
	case revision != 0 && revision < floor:
		s.broken = fmt.Sprintf("it is at revision %d, known is %d", revision, floor)
	default:
		s.known.ClusterID = cluster
		s.known.Revision = max(s.known.Revision, revision)
	}
	s.mu.Unlock()
	return s.err()
}

// reset forgets the known store; the next answer tells the new one.
func (s *seen) reset() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := os.Remove(s.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known, s.stored, s.broken = memory{}, memory{}, ""
	return nil
}

// save makes what is known durable: written beside, synced, renamed, and the
// directory synced.
func (s *seen) save() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.Lock()
	m, same := s.known, s.known == s.stored || s.broken != ""
	s.mu.Unlock()
	if same || m.ClusterID == 0 {
		return nil
	}
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if err := replaceFile(s.path, append(b, '\n')); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known.ClusterID == m.ClusterID {
		s.stored = m
	}
	return nil
}

func replaceFile(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // the error that matters is the one before
		return err
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
