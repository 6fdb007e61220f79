package archive

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/drwatch/drwatch/internal/replication"
)

// A file is a sequence of records. A record is one line that says what it is,
// and as many lines with entries as that one tells.
type header struct {
	Anchor  *replication.Anchor `json:"anchor,omitempty"`
	Begin   *beginning          `json:"begin,omitempty"`
	Entries int                 `json:"entries"`
}

// beginning stands where the archive does not go on from the record before it:
// at its very first one, after records that left the store before this observer
// could archive them, and when the store was begun anew.
type beginning struct {
	Seq   int64            `json:"seq"`   // of the record that follows
	Prev  string           `json:"prev"`  // what that one goes on from
	After replication.Mark `json:"after"` // the record before, zero at the very first
	At    time.Time        `json:"at"`
	Why   string           `json:"why"`
	Hash  string           `json:"hash"` // SHA-256 over all this without the hash
}

func (b beginning) sum() (string, error) {
	b.Hash = ""
	raw, err := json.Marshal(b)
	if err != nil {
		return "", fmt.Errorf("beginning at record %d: %w", b.Seq, err)
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:]), nil
}

// lines are the bytes of a record.
func lines(h header, entries []replication.Entry) ([]byte, error) {
	h.Entries = len(entries)
	var out bytes.Buffer
	add := func(v any) error {
		b, err := json.Marshal(v)
		out.Write(b)
		out.WriteByte('\n')
		return err
	}
	err := add(h)
	for _, e := range entries {
		err = errors.Join(err, add(e))
	}
	return out.Bytes(), err
}

// startsRecord are what the first line of a record begins with, and no other.
var startsRecord = [...]string{`{"anchor":`, `{"begin":`}

func isHeader(line []byte) bool {
	for _, s := range startsRecord {
		if bytes.HasPrefix(line, []byte(s)) {
			return true
		}
	}
	return false
}

// maxLine is far over what the store's records may take.
const maxLine = 256 << 10

// rawLine is a line as it lies in a file, without its end.
type rawLine struct {
	text []byte // cut when it is too long to be one of ours
	n    int    // its number, from 1
	from int64  // where it begins
	end  int64  // where the next begins
	torn bool   // the file ends within it
}

// lineReader reads a file line by line. One line can be put back.
type lineReader struct {
	r    *bufio.Reader
	last rawLine
	back bool
}

// read returns the next line, or io.EOF.
func (l *lineReader) read() (rawLine, error) {
	if l.back {
		l.back = false
		return l.last, nil
	}
	next := rawLine{n: l.last.n + 1, from: l.last.end, end: l.last.end}
	for {
		part, err := l.r.ReadSlice('\n')
		next.end += int64(len(part))
		if room := maxLine + 2 - len(next.text); room > 0 {
			next.text = append(next.text, part[:min(room, len(part))]...)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		next.torn = errors.Is(err, io.EOF) && next.end > next.from
		if err != nil && !next.torn {
			return rawLine{}, err
		}
		next.text = bytes.TrimSuffix(next.text, []byte("\n"))
		l.last = next
		return next, nil
	}
}

// unread makes the next read return the last line again.
func (l *lineReader) unread() { l.back = true }

// record is one record as it lies in a file. Of a damaged one the rest may be
// missing.
type record struct {
	header  header
	entries []rawLine
	line    int   // of the header
	from    int64 // where it begins
	end     int64 // where the next begins
	stray   error // why the line is none that begins a record
	short   bool  // the file ends, or another record begins, before its last entry
}

// recordReader reads records, whatever the file holds.
type recordReader struct {
	lines lineReader
	// keep tells which records are wanted; nil: all, and what belongs to none.
	keep func(header []byte) bool
}

func newRecordReader(r io.Reader) *recordReader {
	return &recordReader{lines: lineReader{r: bufio.NewReaderSize(r, 64<<10)}}
}

// read is the next record, or io.EOF.
func (r *recordReader) read() (record, error) {
	for {
		line, err := r.lines.read()
		if err != nil {
			return record{}, err
		}
		if r.keep != nil && (!isHeader(line.text) || !r.keep(line.text)) {
			continue
		}
		rec := record{line: line.n, from: line.from, end: line.end}
		switch {
		case line.torn:
			rec.stray, rec.short = errNoEnd, true
			return rec, nil
		case !isHeader(line.text):
			rec.stray = errNoRecord
			return rec, nil
		}
		if rec.stray = decode(line.text, &rec.header); rec.stray == nil {
			err = r.entriesOf(&rec)
		}
		return rec, err
	}
}

func (r *recordReader) entriesOf(rec *record) error {
	for len(rec.entries) < rec.header.Entries {
		line, err := r.lines.read()
		if errors.Is(err, io.EOF) {
			rec.short = true
			return nil
		}
		if err != nil {
			return err
		}
		if line.torn || isHeader(line.text) {
			r.lines.unread()
			rec.short = true
			return nil
		}
		rec.entries, rec.end = append(rec.entries, line), line.end
	}
	return nil
}

var (
	errNoEnd      = errors.New("the line has no end")
	errNoRecord   = errors.New("the line belongs to no record")
	errNotOurs    = errors.New("the line is not as drwatch writes it")
	errUnreadable = errors.New("the line cannot be read")
)

// decode reads a line strictly: it must be, byte for byte, what writing the value
// again gives.
func decode(line []byte, into any) error {
	if len(line) > maxLine {
		return fmt.Errorf("%w: it is longer than %d bytes", errUnreadable, maxLine)
	}
	if err := json.Unmarshal(line, into); err != nil {
		return fmt.Errorf("%w: %w", errUnreadable, err)
	}
	again, err := json.Marshal(into)
	if err != nil {
		return fmt.Errorf("%w: %w", errUnreadable, err)
	}
	if !bytes.Equal(again, line) {
		return errNotOurs
	}
	return nil
}
