package quorumtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/drwatch/drwatch/internal/quorum/ledger"
)

// db is the store that all observers of a test share. Like etcd's, its first
// revision is 1, each transaction that changes something makes one revision, and
// so does the end of each lease that has keys.
type db struct {
	now func() time.Time

	mu        sync.Mutex
	revision  int64
	keys      map[string]ledger.Item
	leases    map[int64]*lease
	lastLease int64
	nextIDs   []int64       // of the leases granted next
	linger    time.Duration // how long a lease stands beyond its time
	seen      func(Applied)

	log       []Event // all changes, oldest first
	compacted int64   // what was before this revision is forgotten
	watches   map[chan struct{}]bool
}

// Applied is one transaction that was applied.
type Applied struct {
	Observer string // whose it was
	Txn      ledger.Txn
	Revision int64
	// Late: it arrived when whoever sent it had stopped waiting for it.
	Late bool
	// At is what stands under a key now, the zero Item when nothing does. Under are
	// all that begin with a prefix, sorted. Both only during the call.
	At    func(key string) ledger.Item
	Under func(prefix string) []ledger.Item
}

// Way is how the requests of one observer reach the store, and how the answers come
// back. op is the transaction's kind, or read, grant, keep alive, revoke. Both may
// wait; with an error the request does not arrive, or the answer does not.
type Way interface {
	Pass(ctx context.Context, op string) error
	Answer(ctx context.Context, op string) error
}

type open struct{}

func (open) Pass(ctx context.Context, _ string) error { return ctx.Err() }
func (open) Answer(context.Context, string) error     { return nil }

func newDB(now func() time.Time) *db {
	return &db{now: now, revision: 1, keys: map[string]ledger.Item{}, leases: map[int64]*lease{}, watches: map[chan struct{}]bool{}}
}

func (d *db) scan(spans ...ledger.Span) ledger.View {
	v := ledger.View{Revision: d.revision}
	for _, s := range spans {
		if key, ok := strings.CutSuffix(s.To, "\x00"); ok && key == s.From { // one key
			if it, ok := d.keys[key]; ok {
				v.Items = append(v.Items, it)
			}
			continue
		}
		from := len(v.Items)
		for k, it := range d.keys {
			if s.Has(k) {
				v.Items = append(v.Items, it)
			}
		}
		slices.SortFunc(v.Items[from:], func(a, b ledger.Item) int { return strings.Compare(a.Key, b.Key) })
	}
	return v
}

// compared is the view that a transaction's compares are judged on.
func (d *db) compared(cs []ledger.Compare) ledger.View {
	var spans []ledger.Span
	for _, c := range cs {
		if c.Kind == ledger.NoneNewer {
			spans = append(spans, ledger.Under(c.Key))
			continue
		}
		spans = append(spans, one(c.Key))
	}
	return d.scan(spans...)
}

func one(key string) ledger.Span { return ledger.Span{From: key, To: key + "\x00"} }

// commit does what etcd does with a transaction, in its order: what is wrong in
// itself is refused, then the compares are judged, and only a transaction whose
// compares hold needs its leases.
func (d *db) commit(t ledger.Txn) (ledger.Result, error) {
	d.expire()
	if err := check(t); err != nil {
		return ledger.Result{}, err
	}
	res := ledger.Result{OK: true}
	v := d.compared(t.If)
	for _, c := range t.If {
		if c.Holds(v) {
			continue
		}
		res.OK = false
		if !slices.Contains(res.Failed, c.Name) {
			res.Failed = append(res.Failed, c.Name)
		}
	}
	if res.OK {
		for _, p := range t.Puts {
			if _, ok := d.leases[p.Lease]; !ok && p.Lease != 0 {
				return ledger.Result{}, ledger.ErrLeaseLost
			}
		}
		d.apply(t)
	}
	res.Revision = d.revision
	return res, nil
}

const (
	// maxOps is how many operations one transaction has at most.
	maxOps = 128
	// maxBytes is about how large one request may be for the member, and maxSent for
	// the client, which then cannot tell that nothing was sent.
	maxBytes = 3 << 19
	maxSent  = 2 << 20
)

// check refuses what etcd refuses whatever it holds.
func check(t ledger.Txn) error {
	keys, size := []string{}, 0
	for _, c := range t.If {
		keys = append(keys, c.Key)
	}
	written := map[string]bool{}
	for _, p := range t.Puts {
		if written[p.Key] {
			return fmt.Errorf("key %s twice in one transaction", p.Key)
		}
		written[p.Key] = true
		keys, size = append(keys, p.Key), size+len(p.Value)
	}
	for _, k := range t.Deletes {
		if written[k] {
			return fmt.Errorf("key %s twice in one transaction", k)
		}
		keys = append(keys, k)
	}
	for _, k := range keys {
		size += len(k)
	}
	if size > maxSent {
		return fmt.Errorf("%w: over %d bytes in one request", ledger.ErrUncertain, maxSent)
	}
	if size > maxBytes {
		return fmt.Errorf("over %d bytes in one transaction", maxBytes)
	}
	return checkKeys(max(len(t.If), len(t.Puts)+len(t.Deletes)), keys)
}

func checkKeys(ops int, keys []string) error {
	if ops > maxOps {
		return fmt.Errorf("over %d operations in one transaction", maxOps)
	}
	if slices.Contains(keys, "") {
		return errors.New("a key without a name")
	}
	return nil
}

// apply does the puts and then the deletes, all at one revision.
func (d *db) apply(t ledger.Txn) {
	next := d.revision + 1
	for _, p := range t.Puts {
		it := ledger.Item{Key: p.Key, Value: slices.Clone(p.Value), Create: next, Mod: next, Lease: p.Lease}
		if old, ok := d.keys[p.Key]; ok {
			it.Create = old.Create
		}
		d.put(it)
	}
	for _, k := range t.Deletes {
		d.remove(k, next)
	}
	d.settle(next)
}

func (d *db) applied(observer string, t ledger.Txn) Applied {
	return Applied{
		Observer: observer, Txn: t, Revision: d.revision,
		At:    func(key string) ledger.Item { return d.keys[key] },
		Under: func(prefix string) []ledger.Item { return d.scan(ledger.Under(prefix)).Items },
	}
}

// conn is one observer's way to the db, where its faults happen. It is a
// ledger.KV and ledger.Leases.
type conn struct {
	db       *db
	observer string
	way      Way
	late     bool // what passes arrives late

	mu     sync.Mutex
	down   error // not nil: nothing passes
	faults []fault
}

// fault is what happens to the next transaction of one kind.
type fault struct {
	op       string   // "" any write of an incident
	err      error    // returned
	applied  bool     // but applied
	conflict []string // not applied, these compares failed
	down     bool     // and nothing passes after it
	before   func()   // called first; the transaction goes on
}

var errDown = errors.New("the coordination store is not reachable")

func (f fault) hits(op string) bool {
	if f.op != "" {
		return f.op == op
	}
	return op == "claim" || op == "write" || op == "take over"
}

// take removes and returns the first fault that hits op.
func (c *conn) take(op string) (fault, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, f := range c.faults {
		if f.hits(op) {
			c.faults = slices.Delete(c.faults, i, i+1)
			return f, true
		}
	}
	return fault{}, false
}

func (c *conn) pass(ctx context.Context, op string) error {
	c.mu.Lock()
	down, way := c.down, c.way
	c.mu.Unlock()
	if down != nil {
		return down
	}
	return way.Pass(ctx, op)
}

func (c *conn) answer(ctx context.Context, op string) error {
	c.mu.Lock()
	way := c.way
	c.mu.Unlock()
	return way.Answer(ctx, op)
}

// Commit implements ledger.KV.
func (c *conn) Commit(ctx context.Context, t ledger.Txn) (ledger.Result, error) {
	if err := c.pass(ctx, t.Op); err != nil {
		return ledger.Result{}, c.later(err, t)
	}
	f, hit := c.take(t.Op)
	if f.before != nil {
		f.before()
		f, hit = fault{}, false
	}
	if f.conflict != nil {
		return ledger.Result{Failed: f.conflict}, nil
	}
	if hit && !f.applied {
		return ledger.Result{}, f.err
	}
	c.db.mu.Lock()
	res, err := c.db.commit(t)
	if err == nil && res.OK && c.db.seen != nil {
		a := c.db.applied(c.observer, t)
		a.Late = c.late
		c.db.seen(a)
	}
	c.db.mu.Unlock()
	if lost := c.answer(ctx, t.Op); lost != nil && err == nil {
		return ledger.Result{}, lost
	}
	if !hit {
		return res, err
	}
	if f.down {
		c.setDown(errDown)
	}
	return ledger.Result{}, f.err
}

// Get implements ledger.KV.
func (c *conn) Get(ctx context.Context, keys ...string) (ledger.View, error) {
	if err := checkKeys(len(keys), keys); err != nil {
		return ledger.View{}, err
	}
	spans := make([]ledger.Span, len(keys))
	for i, k := range keys {
		spans[i] = one(k)
	}
	return c.Scan(ctx, spans...)
}

// Scan implements ledger.KV.
func (c *conn) Scan(ctx context.Context, spans ...ledger.Span) (ledger.View, error) {
	if err := c.pass(ctx, "read"); err != nil {
		return ledger.View{}, err
	}
	c.db.mu.Lock()
	c.db.expire()
	v := c.db.scan(spans...)
	c.db.mu.Unlock()
	return v, c.answer(ctx, "read")
}

func (c *conn) setDown(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down = err
}
