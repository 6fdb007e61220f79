package quorumtest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/drwatch/drwatch/internal/quorum/ledger"
)

// Errors of looking at what is past.
var (
	// ErrCompacted: what was at that revision is forgotten.
	ErrCompacted = errors.New("the revision has been compacted")
	// ErrFuture: there is no such revision yet.
	ErrFuture = errors.New("the revision is in the future")
)

// Event is one change of one key.
type Event struct {
	Deleted bool
	Item    ledger.Item // as it is from then on; of a deleted key only Key, and Mod: when
}

// put and remove change one key at the revision next, which settle then makes the
// present one if anything has changed.
func (d *db) put(it ledger.Item) {
	d.keys[it.Key] = it
	d.log = append(d.log, Event{Item: it})
}

func (d *db) remove(key string, next int64) {
	if _, there := d.keys[key]; there {
		delete(d.keys, key)
		d.log = append(d.log, Event{Deleted: true, Item: ledger.Item{Key: key, Mod: next}})
	}
}

func (d *db) settle(next int64) {
	if n := len(d.log); n == 0 || d.log[n-1].Item.Mod != next {
		return
	}
	d.revision = next
	for told := range d.watches {
		select {
		case told <- struct{}{}:
		default: // it has not looked since it was told
		}
	}
}

// since are the changes at that revision and after it.
func (d *db) since(rev int64) []Event {
	i, _ := slices.BinarySearchFunc(d.log, rev, func(e Event, rev int64) int { return int(e.Item.Mod - rev) })
	return d.log[i:]
}

// StartAt makes the empty store go on from a revision, as one does that has had other
// content before.
func (s *Store) StartAt(revision int64) {
	s.c.db.mu.Lock()
	defer s.c.db.mu.Unlock()
	s.c.db.revision = revision
}

// Client is an observer's way to the store, for what needs no ledger.
type Client interface {
	ledger.KV
	ledger.Leases
}

// Client is the one below this observer's ledger.
func (s *Store) Client() Client { return s.c }

// Past reads a span as it was at a revision. A member answers that by itself.
func (s *Store) Past(rev int64, span ledger.Span) (ledger.View, error) {
	d := s.c.db
	d.mu.Lock()
	defer d.mu.Unlock()
	d.expire()
	switch {
	case rev < d.compacted:
		return ledger.View{}, ErrCompacted
	case rev > d.revision:
		return ledger.View{}, ErrFuture
	}
	then := map[string]ledger.Item{}
	for _, e := range d.log {
		if e.Item.Mod > rev {
			break
		}
		then[e.Item.Key] = e.Item
		if e.Deleted {
			delete(then, e.Item.Key)
		}
	}
	v := (&db{revision: rev, keys: then}).scan(span)
	return v, nil
}

// Compact forgets what was before a revision.
func (s *Store) Compact(rev int64) error {
	d := s.c.db
	d.mu.Lock()
	defer d.mu.Unlock()
	d.expire()
	switch {
	case rev <= d.compacted:
		return ErrCompacted
	case rev > d.revision:
		return ErrFuture
	}
	d.compacted = rev
	return nil
}

// Watching is a watch on all keys under a prefix.
type Watching struct {
	db     *db
	prefix string
	next   int64
}

// Watching begins a watch at a revision, 0 for what comes from now on. It does not
// keep what it has to tell: one that is behind a compaction has lost it.
func (s *Store) Watching(prefix string, from int64) *Watching {
	d := s.c.db
	d.mu.Lock()
	defer d.mu.Unlock()
	d.expire()
	if from == 0 {
		from = d.revision + 1
	}
	return &Watching{db: d, prefix: prefix, next: from}
}

// Next is what has happened since it was asked last. With ErrCompacted the watch has
// ended.
func (w *Watching) Next() ([]Event, error) {
	w.db.mu.Lock()
	defer w.db.mu.Unlock()
	w.db.expire()
	if w.next < w.db.compacted {
		return nil, ErrCompacted
	}
	var out []Event
	for _, e := range w.db.since(w.next) {
		if strings.HasPrefix(e.Item.Key, w.prefix) {
			out = append(out, e)
		}
	}
	w.next = max(w.next, w.db.revision+1)
	return out, nil
}

// watchAgain is how long after a watch has ended a new one is begun.
const watchAgain = 500 * time.Millisecond

// Watch calls changed whenever something has changed that a decision could look at,
// as quorum.Store.Watch does, until ctx ends. What it tells comes the observer's
// way, as answer to "watch": one that is late is told late, and lost with an error,
// which ends the watch for a moment. The end of a lease is told when anybody has
// asked the store for something.
func (s *Store) Watch(ctx context.Context, changed func()) {
	for ctx.Err() == nil {
		if s.c.pass(ctx, "watch") == nil {
			s.watch(ctx, changed)
		}
		select {
		case <-ctx.Done():
		case <-time.After(watchAgain):
		}
	}
}

func (s *Store) watch(ctx context.Context, changed func()) {
	told := make(chan struct{}, 1)
	s.c.db.follow(told, true)
	defer s.c.db.follow(told, false)
	w := s.Watching(s.Root(), 0)
	changed() // what came before it is looked at once
	for {
		select {
		case <-ctx.Done():
			return
		case <-told:
		}
		if s.c.cut() != nil || s.c.answer(ctx, "watch") != nil {
			return
		}
		events, err := w.Next()
		if err != nil {
			return
		}
		if slices.ContainsFunc(events, func(e Event) bool { return ledger.Decisive(s.Root(), e.Item.Key) }) {
			changed()
		}
	}
}

func (d *db) follow(told chan struct{}, on bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if on {
		d.watches[told] = true
		return
	}
	delete(d.watches, told)
}

// cut is why nothing passes, nil when it does.
func (c *conn) cut() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.down
}
