package quorumtest

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/drwatch/drwatch/internal/quorum/ledger"
)

type lease struct {
	ttl     time.Duration
	expires time.Time
}

// electionTimeout is how long a new leader among several members waits with the
// leases that it takes over, beyond their whole time.
const electionTimeout = time.Second

// grant rounds up to whole seconds, as etcd counts them.
func (d *db) grant(ttl time.Duration) (int64, time.Duration) {
	ttl = max(time.Second, (ttl + time.Second - 1).Truncate(time.Second))
	var id int64
	if len(d.nextIDs) > 0 {
		id, d.nextIDs = d.nextIDs[0], d.nextIDs[1:]
	} else {
		d.lastLease++
		id = d.lastLease
	}
	d.leases[id] = &lease{ttl: ttl, expires: d.now().Add(ttl)}
	return id, ttl
}

// keepAlive restarts a lease. One whose time is over is not kept, although it may
// still stand: etcd answers when it is gone.
func (d *db) keepAlive(id int64) bool {
	l, ok := d.leases[id]
	if !ok {
		return false
	}
	if !d.now().Before(l.expires) {
		d.end(id)
		return false
	}
	l.expires = d.now().Add(l.ttl)
	return true
}

// inOrder are all leases, the one that ends first before the others.
func (d *db) inOrder() []int64 {
	return slices.SortedFunc(maps.Keys(d.leases), func(a, b int64) int {
		return cmp.Or(d.leases[a].expires.Compare(d.leases[b].expires), cmp.Compare(a, b))
	})
}

// expire ends the leases whose time has come, oldest first.
func (d *db) expire() {
	if len(d.leases) == 0 {
		return
	}
	until := d.now().Add(-d.linger)
	due := false
	for _, l := range d.leases {
		due = due || !until.Before(l.expires)
	}
	if !due {
		return
	}
	for _, id := range d.inOrder() {
		if !until.Before(d.leases[id].expires) {
			d.end(id)
		}
	}
}

// end deletes a lease and its keys, in their order and at one revision of their own.
func (d *db) end(id int64) {
	if _, ok := d.leases[id]; !ok {
		return
	}
	delete(d.leases, id)
	var gone []string
	for k, it := range d.keys {
		if it.Lease == id {
			gone = append(gone, k)
		}
	}
	slices.Sort(gone)
	next := d.revision + 1
	for _, k := range gone {
		d.remove(k, next)
	}
	d.settle(next)
}

// Grant implements ledger.Leases.
func (c *conn) Grant(ctx context.Context, ttl time.Duration) (int64, time.Duration, error) {
	if err := c.pass(ctx, "grant"); err != nil {
		return 0, 0, err
	}
	c.db.mu.Lock()
	id, ttl := c.db.grant(ttl)
	c.db.mu.Unlock()
	return id, ttl, c.answer(ctx, "grant")
}

// KeepAlive implements ledger.Leases.
func (c *conn) KeepAlive(ctx context.Context, id int64) error {
	if err := c.pass(ctx, "keep alive"); err != nil {
		return err
	}
	c.db.mu.Lock()
	c.db.expire()
	ok := c.db.keepAlive(id)
	c.db.mu.Unlock()
	if err := c.answer(ctx, "keep alive"); err != nil {
		return err
	}
	if !ok {
		return ledger.ErrLeaseLost
	}
	return nil
}

// Revoke implements ledger.Leases.
func (c *conn) Revoke(ctx context.Context, id int64) error {
	if err := c.pass(ctx, "revoke"); err != nil {
		return err
	}
	c.db.mu.Lock()
	c.db.expire()
	c.db.end(id)
	c.db.mu.Unlock()
	return c.answer(ctx, "revoke")
}

// End is when a lease is over.
type End struct {
	Lease int64
	At    time.Time
}

// Ends are those of all leases, in the order in which they come.
func (s *Store) Ends() []End {
	s.c.db.mu.Lock()
	defer s.c.db.mu.Unlock()
	s.c.db.expire()
	var out []End
	for _, id := range s.c.db.inOrder() {
		out = append(out, End{Lease: id, At: s.c.db.leases[id].expires})
	}
	return out
}

// NextLeases are the numbers of the leases granted next, by any observer.
func (s *Store) NextLeases(ids ...int64) {
	s.c.db.mu.Lock()
	defer s.c.db.mu.Unlock()
	s.c.db.nextIDs = append(s.c.db.nextIDs, ids...)
}

// LeasesLinger makes each lease stand for d beyond its time. Real ones do: they are
// looked through twice a second, and ending one needs a majority. Who holds it can
// write under it but not keep it.
func (s *Store) LeasesLinger(d time.Duration) {
	s.c.db.mu.Lock()
	defer s.c.db.mu.Unlock()
	s.c.db.expire()
	s.c.db.linger = d
}

// Elect makes another member of the store lead the others, which gives each lease
// its whole time again: no member knows when a lease was kept alive last but the
// one that led.
func (s *Store) Elect() {
	s.c.db.mu.Lock()
	defer s.c.db.mu.Unlock()
	s.c.db.expire()
	for _, l := range s.c.db.leases {
		l.expires = s.c.db.now().Add(l.ttl + electionTimeout)
	}
}
