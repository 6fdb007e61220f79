package archive

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/drwatch/drwatch/internal/replication"
)

// ErrNotFound is returned for an incident that the archive does not have.
var ErrNotFound = errors.New("not in the archive")

// Incident reads an archived incident with its journal. What is damaged is left
// out: Verify tells.
func (a *Archive) Incident(id string) (replication.Incident, []replication.Entry, error) {
	return Incident(a.dir, id)
}

// Incident reads an incident from the archive in a folder, also while a daemon
// writes it.
func Incident(dir, id string) (replication.Incident, []replication.Entry, error) {
	var inc replication.Incident
	names, err := files(dir)
	if err != nil {
		return inc, nil, err
	}
	var entries []replication.Entry
	found := false
	for _, name := range slices.Backward(names) {
		of, err := journalIn(filepath.Join(dir, name), id)
		if err != nil {
			return inc, nil, fmt.Errorf("incident %s in the archive: %w", id, err)
		}
		if of.incident != nil && !found {
			inc, found = *of.incident, true
		}
		entries = append(of.entries, entries...)
		if of.first {
			break
		}
	}
	if !found {
		return inc, nil, fmt.Errorf("incident %s: %w", id, ErrNotFound)
	}
	// What was archived again after the store was begun anew is there twice.
	slices.SortStableFunc(entries, func(x, y replication.Entry) int { return x.Seq - y.Seq })
	return inc, slices.CompactFunc(entries, func(x, y replication.Entry) bool { return x.Seq == y.Seq }), nil
}

// inFile is what one file has of a journal.
type inFile struct {
	incident *replication.Incident // the newest, nil when it has none
	entries  []replication.Entry
	first    bool // among them the first
}

func journalIn(path, chain string) (inFile, error) {
	var out inFile
	quoted, err := json.Marshal(chain)
	if err != nil {
		return out, err
	}
	mark := append([]byte(`"chain":`), quoted...)
	err = scan(path, func(line []byte) bool { return bytes.Contains(line, mark) }, func(rec record) error {
		a := rec.header.Anchor
		if a == nil || a.Chain != chain {
			return nil
		}
		if inc, ok := incidentOf(*a); ok {
			out.incident = &inc
		}
		for _, line := range rec.entries {
			var e replication.Entry
			if json.Unmarshal(line.text, &e) == nil && e.Incident == chain {
				out.entries = append(out.entries, e)
			}
		}
		out.first = out.first || a.From == 1
		return nil
	})
	return out, err
}

func incidentOf(a replication.Anchor) (replication.Incident, bool) {
	var inc replication.Incident
	if len(a.Incident) == 0 || json.Unmarshal(a.Incident, &inc) != nil {
		return inc, false
	}
	return inc, inc.ID == a.Chain
}

// Incidents are the newest archived incidents, newest first, at most limit. What is
// held in memory is what is returned, however large the files are.
func (a *Archive) Incidents(limit int) ([]replication.Incident, error) {
	names, err := files(a.dir)
	if err != nil {
		return nil, err
	}
	var out []replication.Incident
	seen := map[string]bool{}
	for _, name := range slices.Backward(names) {
		for more := true; more && len(out) < limit; {
			var found []replication.Incident
			if found, more, err = newestIn(filepath.Join(a.dir, name), limit-len(out), seen); err != nil {
				return nil, fmt.Errorf("listing the archive: %w", err)
			}
			out = append(out, found...)
		}
	}
	return out, nil
}

// newestIn are the newest incidents of a file that are not among those seen, newest
// first, at most limit, and adds them to those. more: it has others, and those found
// are fewer than limit, for some are there twice or cannot be read.
func newestIn(path string, limit int, seen map[string]bool) (out []replication.Incident, more bool, err error) {
	var newest []*replication.Anchor // of those that were not seen
	err = scan(path, func(line []byte) bool { return bytes.Contains(line, []byte(`"incident":{`)) }, func(rec record) error {
		h := rec.header.Anchor
		if h == nil || len(h.Incident) == 0 || seen[h.Chain] {
			return nil
		}
		if newest = append(newest, h); len(newest) > limit {
			newest[0], more = nil, true
			newest = newest[1:]
		}
		return nil
	})
	for _, h := range slices.Backward(newest) {
		var inc replication.Incident
		if json.Unmarshal(h.Incident, &inc) == nil && !seen[h.Chain] {
			out = append(out, inc)
		}
		seen[h.Chain] = true
	}
	return out, more && len(out) < limit, err
}

// scan calls f with each record whose first line keep accepts and that could be
// read.
func scan(path string, keep func(line []byte) bool, f func(record) error) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	records := newRecordReader(file)
	records.keep = func(line []byte) bool { return isHeader(line) && keep(line) }
	for {
		rec, err := records.read()
		if errors.Is(err, io.EOF) {
			return file.Close()
		}
		if err == nil && rec.stray == nil {
			err = f(rec)
		}
		if err != nil {
			return errors.Join(err, file.Close())
		}
	}
}
