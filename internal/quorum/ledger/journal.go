package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/drwatch/drwatch/internal/replication"
)

// Chain puts an entry behind the one whose hash is prev: it sets Incident, Seq,
// Prev and Hash. The entry is first brought into the form it has when read back
// from JSON, so that the hash can be computed again from what is stored.
func Chain(incident string, length int, prev string, e replication.Entry) (replication.Entry, error) {
	e.Incident, e.Seq, e.Prev, e.Hash = incident, length+1, prev, ""
	e.At = e.At.Round(0).UTC()
	e = fitEntry(e)
	b, err := json.Marshal(e)
	if err != nil {
		return e, fmt.Errorf("journal entry %q of %s: %w", e.Event, incident, err)
	}
	var stored replication.Entry
	if err := json.Unmarshal(b, &stored); err != nil {
		return e, fmt.Errorf("journal entry %q of %s: %w", e.Event, incident, err)
	}
	stored.Hash, err = hashOf(stored)
	return stored, err
}

// hashOf is SHA-256 over the entry's JSON without Hash. encoding/json writes
// struct fields in their order and map keys sorted, so equal entries hash alike.
func hashOf(e replication.Entry) (string, error) {
	e.Hash = ""
	b, err := json.Marshal(e)
	if err != nil {
		return "", fmt.Errorf("journal entry %d of %s: %w", e.Seq, e.Incident, err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

// VerifyJournal checks a whole journal: numbered from 1 without a gap, each
// entry with its own hash and the hash of the one before. The error names the
// first entry that is not as it was written.
func VerifyJournal(entries []replication.Entry) error {
	prev := ""
	for i, e := range entries {
		if err := VerifyNext(entries[0].Incident, i+1, prev, e); err != nil {
			return err
		}
		prev = e.Hash
	}
	return nil
}

// VerifyNext checks one entry: that it is number seq of that journal, follows
// the entry whose hash is prev, and is as it was written.
func VerifyNext(chain string, seq int, prev string, e replication.Entry) error {
	if e.Seq != seq {
		return fmt.Errorf("journal of %s: entry %d is missing: number %d stands in its place", e.Incident, seq, e.Seq)
	}
	if e.Incident != chain {
		return fmt.Errorf("journal of %s: entry %d belongs to %s", chain, e.Seq, e.Incident)
	}
	if e.Prev != prev {
		return fmt.Errorf("journal of %s: entry %d does not follow the one before it", e.Incident, e.Seq)
	}
	hash, err := hashOf(e)
	if err != nil {
		return err
	}
	if hash != e.Hash {
		return fmt.Errorf("journal of %s: entry %d was altered", e.Incident, e.Seq)
	}
	return nil
}

// VerifyHead checks a journal against the incident that it belongs to, which
// shows entries cut off at the end.
func VerifyHead(inc replication.Incident, entries []replication.Entry) error {
	if err := VerifyJournal(entries); err != nil {
		return err
	}
	if len(entries) != inc.Length {
		return fmt.Errorf("journal of %s: %d entries, the incident tells of %d", inc.ID, len(entries), inc.Length)
	}
	if len(entries) > 0 && entries[len(entries)-1].Hash != inc.Head {
		return fmt.Errorf("journal of %s: its last entry is not the one the incident names", inc.ID)
	}
	return nil
}

// chained appends an entry to the incident's journal: it fills what the caller
// left open and moves the incident's head.
func (l *Ledger) chained(inc replication.Incident, e replication.Entry) (replication.Incident, replication.Entry, error) {
	if e.At.IsZero() {
		e.At = l.o.Now()
	}
	if e.Observer == "" {
		e.Observer = l.o.Observer
	}
	if e.Phase == "" {
		e.Phase = inc.Phase
	}
	e, err := Chain(inc.ID, inc.Length, inc.Head, e)
	if err != nil {
		return inc, e, err
	}
	inc.Head, inc.Length = e.Hash, e.Seq
	return inc, e, nil
}

// personEntry is a journal entry about what a person did.
func personEntry(event, who, reason string, at time.Time) replication.Entry {
	return replication.Entry{
		At: at, Event: event, Text: fmt.Sprintf("%s by %s: %s", event, who, reason),
		Data: map[string]any{"who": who, "reason": reason},
	}
}
