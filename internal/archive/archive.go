package archive

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/drwatch/drwatch/internal/replication"
)

// maxFile is where a file ends and the next begins.
const maxFile = 4 << 20

// Archive is the folder of one observer's archive. Safe for concurrent use; one
// process writes it.
type Archive struct {
	dir string

	mu   sync.Mutex
	file *os.File // the newest, open for appending; nil until it is needed, and after an error
	size int64
	last replication.Mark
	any  bool // it has a record, or a beginning
}

// New is the archive in a folder. Nothing is read or written until it is used;
// the folder is made by the first Append.
func New(dir string) *Archive { return &Archive{dir: dir} }

// Last is the newest record that is whole. What a crash has left half-written
// after it is cut off first.
func (a *Archive) Last() (replication.Mark, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.open(); err != nil {
		return replication.Mark{}, err
	}
	return a.last, nil
}

// Append writes pieces that follow the last one, and returns when they are
// durable. After an error nothing of them counts.
func (a *Archive) Append(pieces ...replication.Piece) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.open(); err != nil {
		return err
	}
	if len(pieces) == 0 {
		return nil
	}
	first := pieces[0].Anchor
	if !a.any || first.Seq != a.last.Seq+1 || first.Prev != a.last.Hash {
		return fmt.Errorf("archiving record %d: the archive ends with record %d, which it does not go on from", first.Seq, a.last.Seq)
	}
	return a.write(pieces)
}

// Begin is Append for pieces that do not follow the last one: why says what lies
// between.
func (a *Archive) Begin(why string, at time.Time, pieces ...replication.Piece) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.open(); err != nil {
		return err
	}
	if len(pieces) == 0 {
		return nil
	}
	b := beginning{Seq: pieces[0].Anchor.Seq, Prev: pieces[0].Anchor.Prev, After: a.last, At: at.Round(0).UTC(), Why: why}
	var err error
	if b.Hash, err = b.sum(); err != nil {
		return err
	}
	raw, err := lines(header{Begin: &b}, nil)
	if err != nil {
		return fmt.Errorf("archiving record %d: %w", b.Seq, err)
	}
	if err := a.put(raw); err != nil {
		return err
	}
	a.any, a.last = true, replication.Mark{Seq: b.Seq - 1, Hash: b.Prev}
	return a.write(pieces)
}

// Empty tells whether the archive has never had a record.
func (a *Archive) Empty() (bool, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	err := a.open()
	return !a.any, err
}

// Close closes the file. The Archive can be used again.
func (a *Archive) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.close()
}

func (a *Archive) close() error {
	if a.file == nil {
		return nil
	}
	err := a.file.Close()
	a.file = nil
	return err
}

// write appends whole pieces and makes them durable.
func (a *Archive) write(pieces []replication.Piece) error {
	var raw []byte
	for _, p := range pieces {
		b, err := lines(header{Anchor: &p.Anchor}, p.Entries)
		if err != nil {
			return fmt.Errorf("archiving record %d of %s: %w", p.Anchor.Seq, p.Anchor.Chain, err)
		}
		raw = append(raw, b...)
	}
	if err := a.put(raw); err != nil {
		return err
	}
	last := pieces[len(pieces)-1].Anchor
	a.last = replication.Mark{Seq: last.Seq, Hash: last.Hash}
	return nil
}

// put appends bytes to the newest file and makes them durable. On an error the
// file is closed, so that it is recovered before it is used again.
func (a *Archive) put(raw []byte) error {
	if a.size > maxFile {
		if err := a.rotate(); err != nil {
			return err
		}
	}
	_, err := a.file.Write(raw)
	if err == nil {
		err = a.file.Sync()
	}
	if err != nil {
		return errors.Join(fmt.Errorf("archiving: %w", err), a.close())
	}
	a.size += int64(len(raw))
	return nil
}

const (
	prefix = "journal-"
	suffix = ".jsonl"
)

func fileName(n int) string { return fmt.Sprintf("%s%06d%s", prefix, n, suffix) }

// number is which file of the archive a name is of, 0 when it is none.
func number(name string) int {
	var n int
	if _, err := fmt.Sscanf(name, prefix+"%d"+suffix, &n); err != nil || fileName(n) != name {
		return 0
	}
	return n
}

// files are the archive's files, oldest first. None when there is no folder.
func files(dir string) ([]string, error) {
	all, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the archive: %w", err)
	}
	var out []string
	for _, f := range all {
		if number(f.Name()) > 0 {
			out = append(out, f.Name())
		}
	}
	slices.SortFunc(out, func(x, y string) int { return number(x) - number(y) })
	return out, nil
}

// open opens the newest file and recovers it.
func (a *Archive) open() error {
	if a.file != nil {
		return nil
	}
	if err := os.MkdirAll(a.dir, 0o700); err != nil {
		return fmt.Errorf("opening the archive: %w", err)
	}
	names, err := files(a.dir)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return a.create(1)
	}
	if err := a.recover(names); err != nil {
		return errors.Join(err, a.close())
	}
	return nil
}

// recover opens the newest file, cuts off what a crash has left half-written, and
// finds the last record. A newest file without one has it in the file before.
func (a *Archive) recover(names []string) error {
	newest := filepath.Join(a.dir, names[len(names)-1])
	f, err := os.OpenFile(newest, os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("opening the archive: %w", err)
	}
	a.file = f
	t, err := tailOf(f)
	if err != nil {
		return fmt.Errorf("opening the archive: %s: %w", newest, err)
	}
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return fmt.Errorf("opening the archive: %w", err)
	}
	if t.whole < size {
		if err := errors.Join(f.Truncate(t.whole), f.Sync()); err != nil {
			return fmt.Errorf("cutting off what was half-written in %s: %w", newest, err)
		}
	}
	a.size = t.whole
	for i := len(names) - 2; i >= 0 && !t.found; i-- {
		if t, err = tailOfFile(filepath.Join(a.dir, names[i])); err != nil {
			return fmt.Errorf("opening the archive: %w", err)
		}
	}
	a.last, a.any = t.last, t.found
	return nil
}

func (a *Archive) rotate() error {
	n := number(filepath.Base(a.file.Name()))
	if err := a.close(); err != nil {
		return fmt.Errorf("archiving: %w", err)
	}
	return a.create(n + 1)
}

// create makes file n, durably.
func (a *Archive) create(n int) error {
	f, err := os.OpenFile(filepath.Join(a.dir, fileName(n)), os.O_RDWR|os.O_APPEND|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("opening the archive: %w", err)
	}
	a.file, a.size = f, 0
	d, err := os.Open(a.dir)
	if err == nil {
		err = errors.Join(d.Sync(), d.Close())
	}
	if err != nil {
		return errors.Join(fmt.Errorf("opening the archive: %w", err), a.close())
	}
	return nil
}

// tail is the end of a file.
type tail struct {
	last  replication.Mark
	found bool
	whole int64 // up to where it is whole
}

func tailOfFile(path string) (tail, error) {
	f, err := os.Open(path)
	if err != nil {
		return tail{}, err
	}
	t, err := tailOf(f)
	return t, errors.Join(err, f.Close())
}

// tailOf finds the last record, and what of the end is half-written: a line
// without an end, or a record with too few entries. What is damaged elsewhere is
// left as it is; Verify finds it.
func tailOf(r io.Reader) (tail, error) {
	var t tail
	records := newRecordReader(r)
	cut := int64(-1)
	for {
		rec, err := records.read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return t, err
		}
		switch {
		case rec.short:
			if cut < 0 {
				cut = rec.from
			}
			continue
		case rec.stray == nil && rec.header.Anchor != nil:
			t.last, t.found = replication.Mark{Seq: rec.header.Anchor.Seq, Hash: rec.header.Anchor.Hash}, true
		case rec.stray == nil && rec.header.Begin != nil:
			t.last, t.found = replication.Mark{Seq: rec.header.Begin.Seq - 1, Hash: rec.header.Begin.Prev}, true
		}
		t.whole, cut = rec.end, -1
	}
	if cut >= 0 {
		t.whole = cut
	}
	return t, nil
}
