package replication

import (
	"encoding/json"
	"time"
)

// PersonsJournal is the journal of what persons did to the whole store. No
// incident is called so.
const PersonsJournal = "operator"

// Anchor fixes one piece of a journal in the order that all observers' archives
// have: an ended incident, what was added to one later, or some of what persons
// did. Seq counts from 1 without a gap; Hash is SHA-256 over the anchor without
// it, and Prev that of the anchor before, so that the anchors are a chain of
// their own. Head stands for all entries up to To.
type Anchor struct {
	Seq   int64         `json:"seq"`
	Chain string        `json:"chain"` // the incident's id, or PersonsJournal
	From  int           `json:"from"`  // number of the piece's first entry
	To    int           `json:"to"`    // and of its last; From-1 when it has none
	Base  string        `json:"base"`  // hash of the entry before From
	Head  string        `json:"head"`  // hash of entry To
	At    time.Time     `json:"at"`
	Clock time.Duration `json:"clock"` // the cluster clock then, in nanoseconds
	// Incident is the incident as it was then, byte for byte; none in the persons'
	// journal.
	Incident json.RawMessage `json:"incident,omitempty"`
	// Late are the outcomes that came after their token had moved on, by token.
	Late map[string]json.RawMessage `json:"late,omitempty"`
	Prev string                     `json:"prev"`
	Hash string                     `json:"hash"`
}

// Piece is an anchor with its entries, oldest first.
type Piece struct {
	Anchor  Anchor
	Entries []Entry
}

// Mark is one place in the order of anchors.
type Mark struct {
	Seq  int64  `json:"seq"` // 0: before the first
	Hash string `json:"hash"`
}

// Unarchived is what the store has for an observer's archive.
type Unarchived struct {
	Head   Mark    // the newest anchor
	First  int64   // the oldest that the store still has
	Mine   Mark    // how far this observer's archive is, as it has told
	Pieces []Piece // in order
}
