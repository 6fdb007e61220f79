package breakglass

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/drwatch/drwatch/internal/archive"
	"github.com/drwatch/drwatch/internal/quorum/ledger"
	"github.com/drwatch/drwatch/internal/replication"
)

// Journal is what runs of the break-glass on this machine have written: an
// archive of its own, of the same lines and hashes as the archive of ended
// incidents. It is not safe for concurrent use; its lock keeps other processes
// out.
type Journal struct {
	dir       string
	observer  string
	lock      *os.File // nil: only to be read
	archive   *archive.Archive
	incidents []replication.Incident // newest first
	now       func() time.Time
}

const lockFile = "lock"

// OpenJournal opens the journal in a folder, makes it where there is none, and
// keeps every other process out until Close. The folder it stands in must exist.
// What is damaged is refused: an intent could be missing.
func OpenJournal(dir, observer string, now func() time.Time) (*Journal, error) {
	j := &Journal{dir: dir, observer: observer, archive: archive.New(dir), now: now}
	if err := j.takeLock(); err != nil {
		return nil, err
	}
	if err := j.load(); err != nil {
		return nil, errors.Join(err, j.Close())
	}
	return j, nil
}

// ReadJournal reads the journal in a folder and takes no lock; nothing can be
// written to it.
func ReadJournal(dir string) (*Journal, error) {
	j := &Journal{dir: dir, archive: archive.New(dir)}
	var err error
	j.incidents, err = j.archive.Incidents(math.MaxInt)
	return j, err
}

// Close lets others in.
func (j *Journal) Close() error {
	err := j.archive.Close()
	if j.lock != nil {
		err = errors.Join(err, j.lock.Close())
	}
	return err
}

// Incidents are those of all runs, newest first.
func (j *Journal) Incidents() []replication.Incident { return j.incidents }

// takeLock makes the folder, durably, and locks it. The kernel lets go of the
// lock when the process ends, however it ends.
func (j *Journal) takeLock() error {
	if err := os.Mkdir(j.dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("making the local journal: %w.\n%s", err, elsewhere)
	}
	if err := syncFolder(filepath.Dir(j.dir)); err != nil {
		return fmt.Errorf("making the local journal: %w.\n%s", err, elsewhere)
	}
	lock, err := os.OpenFile(filepath.Join(j.dir, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("locking the local journal: %w.\n%s", err, elsewhere)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		err = fmt.Errorf("locking the local journal %s: %w", j.dir, err)
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = fmt.Errorf("another --without-store runs on %s: let it end first", j.dir)
		}
		return errors.Join(err, lock.Close())
	}
	j.lock = lock
	return nil
}

func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// load cuts off what a crash has left half-written, checks every line, and reads
// the incidents. A line that is not whole was never durable: no call followed it.
func (j *Journal) load() error {
	if _, err := j.archive.Last(); err != nil {
		return fmt.Errorf("opening the local journal: %w.\n%s", err, elsewhere)
	}
	r, err := archive.Verify(j.dir)
	if err != nil {
		return fmt.Errorf("reading the local journal: %w.\n%s", err, elsewhere)
	}
	if len(r.Problems) > 0 {
		return fmt.Errorf("the local journal %s is damaged, so that the intent of a call could be missing: %s.\n"+
			"Look at the group in the provider's console. %s", j.dir, r.Problems[0], elsewhere)
	}
	if j.incidents, err = j.archive.Incidents(math.MaxInt); err != nil {
		return fmt.Errorf("reading the local journal: %w", err)
	}
	return nil
}

// Write puts an entry behind the incident's others and returns the incident with
// it, once both are on the disk.
func (j *Journal) Write(inc replication.Incident, e replication.Entry) (replication.Incident, error) {
	if j.lock == nil {
		return inc, errors.New("the journal was opened to be read")
	}
	was := inc
	e.Observer, e.Phase = j.observer, inc.Phase
	e, err := ledger.Chain(inc.ID, inc.Length, inc.Head, e)
	if err != nil {
		return was, err
	}
	inc.Head, inc.Length = e.Hash, e.Seq
	piece, err := j.piece(inc, e)
	if err != nil {
		return was, err
	}
	empty, err := j.archive.Empty()
	switch {
	case err != nil:
	case empty:
		err = j.archive.Begin("the first run without the store", j.now(), piece)
	default:
		err = j.archive.Append(piece)
	}
	if err != nil {
		return was, err
	}
	j.incidents = append([]replication.Incident{inc}, slices.DeleteFunc(slices.Clone(j.incidents), func(i replication.Incident) bool { return i.ID == inc.ID })...)
	return inc, nil
}

// piece is an entry in the order of the archive.
func (j *Journal) piece(inc replication.Incident, e replication.Entry) (replication.Piece, error) {
	raw, err := json.Marshal(inc)
	if err != nil {
		return replication.Piece{}, fmt.Errorf("incident %s: %w", inc.ID, err)
	}
	last, err := j.archive.Last()
	if err != nil {
		return replication.Piece{}, err
	}
	a := replication.Anchor{
		Seq: last.Seq + 1, Chain: inc.ID, From: e.Seq, To: e.Seq, Base: e.Prev, Head: e.Hash, At: e.At.Round(0).UTC(), Incident: raw, Prev: last.Hash,
	}
	if a.Hash, err = ledger.HashAnchor(a); err != nil {
		return replication.Piece{}, err
	}
	return replication.Piece{Anchor: a, Entries: []replication.Entry{e}}, nil
}
