package archive

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/drwatch/drwatch/internal/quorum/ledger"
	"github.com/drwatch/drwatch/internal/replication"
)

// Report is what a check of an archive found.
type Report struct {
	Files   int
	Records int
	Entries int
	Last    replication.Mark
	// Notes are what is no fault: where the archive begins, and where it does not go
	// on from the record before.
	Notes []string
	// Problems are what was altered or is missing, each with its file and line.
	Problems []string
}

// maxProblems is how many problems are told in full.
const maxProblems = 20

// Verify checks the archive in a folder: every line as it was written, every
// entry and every record chained to the one before. The error is one of reading,
// not of what was read.
func Verify(dir string) (Report, error) {
	v := verifier{journals: map[string]replication.Mark{}}
	names, err := files(dir)
	if err != nil {
		return v.Report, err
	}
	for i, name := range names {
		if want := fileName(i + 1 + v.skipped); name != want {
			v.skipped = number(name) - i - 1
			v.problem(want, 0, errors.New("the file is missing"))
		}
		if err := v.file(dir, name, i == len(names)-1); err != nil {
			return v.Report, fmt.Errorf("checking the archive: %w", err)
		}
	}
	v.Files = len(names)
	if extra := v.found - maxProblems; extra > 0 {
		v.Problems = append(v.Problems, fmt.Sprintf("and %d more", extra))
	}
	return v.Report, nil
}

type verifier struct {
	Report
	begun    bool
	broken   bool // the last problem is about what the next record goes on from
	skipped  int
	found    int
	journals map[string]replication.Mark // how far each journal is archived: Seq counts its entries
}

func (v *verifier) problem(file string, line int, err error) {
	if v.found++; v.found > maxProblems {
		return
	}
	where := file
	if line > 0 {
		where = fmt.Sprintf("%s:%d", file, line)
	}
	v.Problems = append(v.Problems, where+": "+err.Error())
}

func (v *verifier) file(dir, name string, newest bool) error {
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	records := newRecordReader(f)
	for {
		rec, err := records.read()
		if errors.Is(err, io.EOF) {
			return f.Close()
		}
		if err != nil {
			return errors.Join(err, f.Close())
		}
		v.record(name, rec, newest)
	}
}

func (v *verifier) record(file string, rec record, newest bool) {
	h := rec.header
	switch {
	case errors.Is(rec.stray, errNoRecord) && v.broken: // it is one of those whose first line is damaged
	case rec.stray != nil:
		err := rec.stray
		if errors.Is(err, errNoEnd) && newest {
			err = fmt.Errorf("%w: drwatch was ended while it wrote it; its next start cuts it off and writes it again", err)
		}
		v.problem(file, rec.line, err)
		v.broken = true
	case h.Begin != nil && h.Anchor == nil && h.Entries == 0:
		v.begin(file, rec.line, *h.Begin)
	case h.Anchor != nil && h.Begin == nil:
		v.anchor(file, rec)
	default:
		v.problem(file, rec.line, errNotOurs)
	}
}

func (v *verifier) begin(file string, line int, b beginning) {
	if sum, err := b.sum(); err != nil || sum != b.Hash {
		v.problem(file, line, errors.New("the line was altered"))
	}
	if b.After != v.Last && !v.broken {
		v.problem(file, line, fmt.Errorf("record %d is missing before it", b.After.Seq))
	}
	switch {
	case b.After.Seq == 0 && b.Seq > 1:
		v.Notes = append(v.Notes, fmt.Sprintf("%s:%d: the archive begins with record %d: the earlier ones left the store before this observer joined; other observers have them", file, line, b.Seq))
	case b.After.Seq > 0:
		v.Notes = append(v.Notes, fmt.Sprintf("%s:%d: record %d does not go on from record %d: %s", file, line, b.Seq, b.After.Seq, b.Why))
		clear(v.journals)
	}
	v.begun, v.broken = true, false
	v.Last = replication.Mark{Seq: b.Seq - 1, Hash: b.Prev}
}

func (v *verifier) anchor(file string, rec record) {
	a := *rec.header.Anchor
	v.Records++
	if hash, err := ledger.HashAnchor(a); err != nil || hash != a.Hash {
		v.problem(file, rec.line, fmt.Errorf("record %d, %s, was altered", a.Seq, a.Chain))
	}
	switch {
	case v.broken:
	case !v.begun:
		v.problem(file, rec.line, fmt.Errorf("the beginning is missing: the archive begins with record %d", a.Seq))
	case a.Seq > v.Last.Seq+1:
		v.problem(file, rec.line, fmt.Errorf("record %d is missing: record %d stands in its place", v.Last.Seq+1, a.Seq))
	case a.Seq != v.Last.Seq+1, a.Prev != v.Last.Hash:
		v.problem(file, rec.line, fmt.Errorf("record %d does not follow record %d", a.Seq, v.Last.Seq))
	}
	v.begun, v.broken = true, false
	v.Last = replication.Mark{Seq: a.Seq, Hash: a.Hash}
	v.journal(file, rec, a)
}

// journal checks a record's entries.
func (v *verifier) journal(file string, rec record, a replication.Anchor) {
	if had, ok := v.journals[a.Chain]; ok && (int64(a.From) != had.Seq+1 || a.Base != had.Hash) {
		v.problem(file, rec.line, fmt.Errorf("journal of %s: record %d does not go on from its entry %d", a.Chain, a.Seq, had.Seq))
	}
	v.journals[a.Chain] = replication.Mark{Seq: int64(a.To), Hash: a.Head}
	prev, last := a.Base, rec.line
	for i, line := range rec.entries {
		var e replication.Entry
		v.Entries++
		last = line.n
		err := decode(line.text, &e)
		if err == nil {
			err = ledger.VerifyNext(a.Chain, a.From+i, prev, e)
		} else {
			err = fmt.Errorf("journal of %s: entry %d was altered: %w", a.Chain, a.From+i, err)
		}
		if err != nil {
			v.problem(file, line.n, err)
			return
		}
		prev = e.Hash
	}
	switch {
	case rec.header.Entries != a.To-a.From+1:
		v.problem(file, rec.line, fmt.Errorf("journal of %s: record %d has %d entries, entries %d to %d are wanted", a.Chain, a.Seq, rec.header.Entries, a.From, a.To))
	case rec.short:
		v.problem(file, last+1, fmt.Errorf("journal of %s: entry %d is missing: record %d has %d of %d entries", a.Chain, a.From+len(rec.entries), a.Seq, len(rec.entries), rec.header.Entries))
	case prev != a.Head:
		v.problem(file, last, fmt.Errorf("journal of %s: its entry %d is not the one that its record names", a.Chain, a.To))
	}
	if inc, ok := incidentOf(a); len(a.Incident) > 0 && (!ok || !json.Valid(a.Incident) || inc.Length != a.To || inc.Head != a.Head) {
		v.problem(file, rec.line, fmt.Errorf("record %d: its incident is not that of the journal of %s", a.Seq, a.Chain))
	}
}
