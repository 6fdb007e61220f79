package ledger

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/drwatch/drwatch/internal/replication"
)

// Options are what a Ledger stands on. All are required.
type Options struct {
	KV       KV
	Leases   Leases
	Cluster  string // prefix of all keys
	Observer string
	Site     string
	Version  string
	LeaseTTL time.Duration
	MayLead  func() bool // shown to the other observers; nil: it may
	// Shows fills in what else the others should know; nil: nothing.
	Shows func(*replication.Observer)
	Now   func() time.Time
	// Boot is the time since the machine's boot including suspend
	// (CLOCK_BOOTTIME); only differences of it are used.
	Boot func() time.Duration
}

// Ledger is one observer's hold on the coordination store. Safe for concurrent
// use; the methods of the session (Renew, Lead, Resign, PublishVotes) wait for
// each other.
type Ledger struct {
	o    Options
	keys keys

	session sync.Mutex // held over the session's calls to the store
	votes   published

	registered atomic.Bool // this life has made itself known to the cluster
	wasRead    atomic.Bool // the last answer to Read could be read
	memo       atomic.Pointer[map[string]remembered]

	mu      sync.Mutex // guards lease and ticked; never held over a call
	lease   lease
	ticked  ticked
	started time.Time
}

// New makes a Ledger. Nothing is read or written until it is used.
func New(o Options) *Ledger {
	return &Ledger{o: o, keys: newKeys(o.Cluster), started: o.Now(), votes: newPublished()}
}

// readBackFor bounds how long the ledger tries to learn whether a write without
// an answer was applied; readBackEvery is the pause between the tries.
const (
	readBackFor   = 5 * time.Second
	readBackEvery = 100 * time.Millisecond
)

// commit applies a transaction and returns its revision. A *Conflict when a
// compare does not hold. When no answer came, the store is asked linearizably
// whether the transaction was applied.
func (l *Ledger) commit(ctx context.Context, t Txn) (int64, error) {
	res, err := l.o.KV.Commit(ctx, t)
	if errors.Is(err, ErrUncertain) && t.Witness != "" {
		return l.readBack(ctx, t, err)
	}
	if err != nil {
		return 0, fmt.Errorf("%s: %w", t.What, err)
	}
	if !res.OK {
		return 0, &Conflict{What: t.What, Changed: res.Failed}
	}
	return res.Revision, nil
}

// readBack looks for the transaction's witness. Not finding it is no proof that
// the transaction will never be applied, so the error stays ErrUncertain; a
// second try with the same compares is safe, because at most one of them holds.
func (l *Ledger) readBack(ctx context.Context, t Txn, cause error) (int64, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readBackFor)
	defer cancel()
	want := t.witness()
	for {
		v, err := l.o.KV.Get(ctx, t.Witness)
		if err == nil {
			if it := v.At(t.Witness); it.Mod != 0 && bytes.Equal(it.Value, want) {
				return it.Mod, nil
			}
			return 0, fmt.Errorf("%s: not applied so far, as read back after: %w", t.What, cause)
		}
		if !pause(ctx, readBackEvery) {
			return 0, fmt.Errorf("%s: not known whether it was applied, reading back failed too (%w), after: %w", t.What, err, cause)
		}
	}
}

func (t Txn) witness() []byte {
	for _, p := range t.Puts {
		if p.Key == t.Witness {
			return p.Value
		}
	}
	return nil
}

// pause waits for d and tells whether ctx still lives.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// conflictTries is how often an operation that reads by itself what it compares
// starts anew when somebody else was faster.
const conflictTries = 8

// retried runs an operation until it meets no conflict.
func retried(try func() error) error {
	var err error
	for range conflictTries {
		var c *Conflict
		if err = try(); !errors.As(err, &c) {
			return err
		}
	}
	return err
}

// put is a JSON value under a key.
func put(key string, v any) (Put, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return Put{}, fmt.Errorf("key %s: %w", key, err)
	}
	return Put{Key: key, Value: b}, nil
}

// puts collects JSON values and the first error.
type puts struct {
	list []Put
	err  error
}

func (p *puts) add(key string, v any) {
	one, err := put(key, v)
	if err != nil && p.err == nil {
		p.err = err
	}
	p.list = append(p.list, one)
}

// addKept adds a record that replaces one, with what a newer version has put there.
func addKept[T any](p *puts, before Item, record T) {
	one, err := put(before.Key, record)
	if err == nil {
		one.Value, err = keeping[T](before.Value, one.Value)
	}
	if err != nil && p.err == nil {
		p.err = fmt.Errorf("key %s: %w", before.Key, err)
	}
	p.list = append(p.list, one)
}
