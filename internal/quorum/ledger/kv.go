package ledger

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/drwatch/drwatch/internal/replication"
)

// Errors of a KV. Anything else that Commit returns means that nothing was
// written.
var (
	// ErrUncertain: no answer came, so the transaction may have been applied or
	// may still be. The ledger reads back before it says anything.
	ErrUncertain = errors.New("the coordination store did not answer")
	// ErrLeaseLost: the lease ran out or was revoked; its keys are gone.
	ErrLeaseLost = errors.New("the lease ran out")
	// ErrStoreReset: the store is not the one that this observer knew, or has
	// forgotten what it held. It counts as frozen until a person accepts it.
	ErrStoreReset = errors.New("frozen: the coordination store is not the one known here; look what happened to its data, then `drwatch unfreeze --store-was-reset`")
)

// Errors of a person's request that the ledger refuses.
var (
	// ErrRefused: the request does not fit what the store holds.
	ErrRefused = errors.New("refused")
	// ErrAlreadySent: an intent exists, so an abort comes too late.
	ErrAlreadySent = errors.New("already sent")
	// ErrNotFound: there is no such incident or nothing to release.
	ErrNotFound = errors.New("not found")
)

// Item is one key as stored. The zero Item stands for an absent key.
type Item struct {
	Key    string
	Value  []byte
	Create int64 // revision that created the key
	Mod    int64 // revision that changed it last
	Lease  int64 // 0: none
}

// View is what was read, all at one revision.
type View struct {
	Revision int64
	Items    []Item
}

// At is the item of a key, the zero Item when it is absent.
func (v View) At(key string) Item {
	for _, it := range v.Items {
		if it.Key == key {
			return it
		}
	}
	return Item{}
}

// Span is the half-open range of keys [From, To).
type Span struct{ From, To string }

// Under is the span of all keys that begin with prefix.
func Under(prefix string) Span { return Span{From: prefix, To: after(prefix)} }

// after is the first key behind all keys that begin with prefix.
func after(prefix string) string {
	return prefix[:len(prefix)-1] + string(prefix[len(prefix)-1]+1)
}

// Has tells whether the key lies in the span.
func (s Span) Has(key string) bool { return key >= s.From && key < s.To }

// KV is the store underneath. Every read is linearizable, every call has its
// own deadline. Safe for concurrent use.
type KV interface {
	// Get reads the named keys; absent ones are left out of the View.
	Get(ctx context.Context, keys ...string) (View, error)
	// Scan reads all keys in the spans, sorted within each, at one revision.
	Scan(ctx context.Context, spans ...Span) (View, error)
	// Commit applies the transaction if all its compares hold.
	Commit(ctx context.Context, t Txn) (Result, error)
}

// Leases grants what keys live under. Safe for concurrent use.
type Leases interface {
	// Grant makes a lease of at least ttl and returns the ttl granted.
	Grant(ctx context.Context, ttl time.Duration) (id int64, granted time.Duration, err error)
	// KeepAlive restarts a lease once; ErrLeaseLost when it is gone.
	KeepAlive(ctx context.Context, id int64) error
	// Revoke ends a lease and deletes its keys; a lease that is gone is no error.
	Revoke(ctx context.Context, id int64) error
}

// Txn is one transaction: if all of If hold, Puts and Deletes are done at one
// revision; else nothing is.
type Txn struct {
	Op      string // the kind of operation: claim, write, take over, …
	What    string // the operation in words, for errors
	If      []Compare
	Puts    []Put
	Deletes []string
	// Witness is the key of the put that proves, when read back, that this
	// transaction and no other was applied; "" when nothing does.
	Witness string
}

// Put is one key written, under a lease unless Lease is 0.
type Put struct {
	Key   string
	Value []byte
	Lease int64
}

// Result is the answer to a transaction.
type Result struct {
	OK       bool
	Revision int64    // of the store after it; the revision of all its writes when OK
	Failed   []string // names of the compares that did not hold
}

// Kind is what a Compare looks at.
type Kind int

// The kinds of compare.
const (
	CreatedAt Kind = iota // the key's create-revision is Rev (0: absent)
	ChangedAt             // the key's mod-revision is Rev (0: absent)
	NoneNewer             // no key under the prefix Key has a mod-revision above Rev
)

// Compare is one condition of a transaction. Name tells a person what changed
// when it does not hold.
type Compare struct {
	Name string
	Kind Kind
	Key  string
	Rev  int64
}

// Holds judges the compare on a view that has the compared keys.
func (c Compare) Holds(v View) bool {
	switch c.Kind {
	case CreatedAt:
		return v.At(c.Key).Create == c.Rev
	case ChangedAt:
		return v.At(c.Key).Mod == c.Rev
	case NoneNewer:
	}
	for _, it := range v.Items {
		if strings.HasPrefix(it.Key, c.Key) && it.Mod > c.Rev {
			return false
		}
	}
	return true
}

func absent(name, key string) Compare { return Compare{Name: name, Kind: CreatedAt, Key: key} }

// elected: the leader key is the one of that election.
func (k keys) elected(rev int64) Compare {
	return Compare{Name: "the leader", Kind: CreatedAt, Key: k.leader(), Rev: rev}
}

func unchanged(name, key string, rev int64) Compare {
	return Compare{Name: name, Kind: ChangedAt, Key: key, Rev: rev}
}

// Conflict tells which compares of a transaction did not hold. It is a
// replication.ErrConflict.
type Conflict struct {
	What    string
	Changed []string
}

// Error names the operation and what changed.
func (c *Conflict) Error() string {
	return c.What + ": " + replication.ErrConflict.Error() + ": " + strings.Join(c.Changed, "; ")
}

// Unwrap makes it a replication.ErrConflict.
func (c *Conflict) Unwrap() error { return replication.ErrConflict }
