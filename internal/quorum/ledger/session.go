package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/drwatch/drwatch/internal/replication"
)

// lease is this observer's lease and what hangs on it.
type lease struct {
	id        int64 // 0: none
	ttl       time.Duration
	sent      stamp // when the keep-alive that was answered last was sent
	beat      int64
	rev       int64 // of this observer's key, 0 while there is none
	leaderRev int64 // create-revision of our leader key, 0 when we do not lead
}

// stamp is one moment on three clocks.
type stamp struct {
	at   time.Time // monotonic and wall
	boot time.Duration
}

func (l *Ledger) stamp() stamp { return stamp{at: l.o.Now(), boot: l.o.Boot()} }

// since is the longest time that any of the clocks saw pass: the monotonic one
// stands still while the machine sleeps, the wall clock can be set back.
func (l *Ledger) since(s stamp) time.Duration {
	now := l.stamp()
	return max(now.at.Sub(s.at), now.at.Round(0).Sub(s.at.Round(0)), now.boot-s.boot)
}

func (l *Ledger) current() lease {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lease
}

func (l *Ledger) setLease(change func(*lease)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(&l.lease)
}

// forget is called when the lease is gone, and with it the observer's key, its
// votes and its leadership.
func (l *Ledger) forget() {
	l.setLease(func(s *lease) { *s = lease{beat: s.beat} })
	l.votes.forgetPlain()
}

// Renew registers this observer under a lease, or moves its heartbeat and keeps the
// lease alive once. The evaluation loop calls it after each complete
// round; nothing calls it in the background, so an observer that stalls loses
// its votes and its leadership; so does one that cannot read what the store holds
// (ErrUnreadable). A lost lease is replaced by a new one.
func (l *Ledger) Renew(ctx context.Context) error {
	l.session.Lock()
	defer l.session.Unlock()
	if err := l.readable(ctx); err != nil {
		return fmt.Errorf("renewing the lease of observer %s: %w", l.o.Observer, err)
	}
	for fresh := false; ; {
		if l.current().id == 0 {
			if err := l.register(ctx); err != nil {
				return fmt.Errorf("renewing the lease of observer %s: %w", l.o.Observer, err)
			}
			fresh = true
		}
		err := l.keep(ctx, fresh)
		if !errors.Is(err, ErrLeaseLost) || fresh {
			return err
		}
		l.forget()
	}
}

// keep moves the heartbeat, and only then keeps the lease alive: an observer whose
// writes get no answer must not live on, and lead, by the lease alone. A fresh
// lease needs no keeping.
func (l *Ledger) keep(ctx context.Context, fresh bool) error {
	if err := l.keepVetoes(ctx); err != nil {
		return fmt.Errorf("renewing the vetoes of observer %s: %w", l.o.Observer, err)
	}
	if err := l.beat(ctx); err != nil || fresh {
		return err
	}
	sent := l.stamp()
	if err := l.o.Leases.KeepAlive(ctx, l.current().id); err != nil {
		return fmt.Errorf("renewing the lease of observer %s: %w", l.o.Observer, err)
	}
	l.setLease(func(s *lease) { s.sent = sent })
	return nil
}

// register takes a lease. What an earlier life of this observer left behind is
// removed first: its votes must not live on under the heartbeat of this one.
func (l *Ledger) register(ctx context.Context) error {
	v, err := l.o.KV.Get(ctx, l.keys.observer(l.o.Observer))
	if err != nil {
		return err
	}
	if old := v.At(l.keys.observer(l.o.Observer)).Lease; old != 0 {
		if err := l.o.Leases.Revoke(ctx, old); err != nil {
			return err
		}
	}
	sent := l.stamp()
	id, ttl, err := l.o.Leases.Grant(ctx, l.o.LeaseTTL)
	if err != nil {
		return err
	}
	l.setLease(func(s *lease) { s.id, s.ttl, s.sent = id, min(ttl, l.o.LeaseTTL), sent })
	return nil
}

func (l *Ledger) beat(ctx context.Context) error {
	l.setLease(func(s *lease) { s.beat++ })
	return l.show(ctx)
}

// show writes this observer's key, whose revision its votes compare.
func (l *Ledger) show(ctx context.Context) error {
	now := l.current()
	o := replication.Observer{Name: l.o.Observer, Site: l.o.Site, Version: l.o.Version, StartedAt: l.started.Round(0).UTC(), Beat: now.beat, MayLead: l.o.MayLead == nil || l.o.MayLead()}
	if l.o.Shows != nil {
		l.o.Shows(&o)
	}
	p, err := put(l.keys.observer(o.Name), o)
	if err != nil {
		return err
	}
	p.Lease = now.id
	own, err := l.registers()
	if err != nil {
		return err
	}
	rev, err := l.commitLeased(ctx, Txn{Op: "beat", What: "heartbeat of observer " + o.Name, Puts: append(own, p)})
	if err == nil {
		l.registered.Store(true)
		l.setLease(func(s *lease) { s.rev = rev })
	}
	return err
}

// commitLeased commits what stands under the lease and notices its loss.
func (l *Ledger) commitLeased(ctx context.Context, t Txn) (int64, error) {
	rev, err := l.commit(ctx, t)
	if errors.Is(err, ErrLeaseLost) {
		l.forget()
	}
	return rev, err
}

// LeaseLeft is how long this observer's lease lives at least: its time to live
// minus the longest time that the monotonic clock, the boot clock or the wall
// clock saw since the last answered keep-alive was sent. 0 when it is lost.
func (l *Ledger) LeaseLeft() time.Duration {
	s := l.current()
	if s.id == 0 {
		return 0
	}
	return max(0, s.ttl-l.since(s.sent))
}

// LeaseLeftIn is LeaseLeft while this observer leads by the election with that
// create-revision, and 0 otherwise: a step that was started under an earlier
// election must not borrow the lease of a later one.
func (l *Ledger) LeaseLeftIn(leaderRev int64) time.Duration {
	s := l.current()
	if leaderRev == 0 || s.leaderRev != leaderRev {
		return 0
	}
	return max(0, s.ttl-l.since(s.sent))
}

// Lead creates the leader key under this observer's lease if there is none, and
// tells who leads; true when this observer does.
func (l *Ledger) Lead(ctx context.Context) (replication.Leader, bool, error) {
	l.session.Lock()
	defer l.session.Unlock()
	id := l.current().id
	if id == 0 {
		return replication.Leader{}, false, fmt.Errorf("leading: observer %s has no lease: %w", l.o.Observer, ErrLeaseLost)
	}
	var lead replication.Leader
	var mine bool
	err := retried(func() (err error) {
		lead, mine, err = l.tryLead(ctx, id)
		return err
	})
	l.setLease(func(s *lease) {
		switch {
		case s.id != id:
			s.leaderRev = 0
		case err != nil: // no answer: the leader key lives on under the lease
		case mine:
			s.leaderRev = lead.CreateRev
		default:
			s.leaderRev = 0
		}
	})
	return lead, mine, err
}

func (l *Ledger) tryLead(ctx context.Context, id int64) (replication.Leader, bool, error) {
	v, err := l.o.KV.Get(ctx, l.keys.leader(), l.keys.format())
	if err == nil {
		err = checkFormat(v.At(l.keys.format()))
	}
	if err != nil {
		return replication.Leader{}, false, fmt.Errorf("asking who leads: %w", err)
	}
	if it := v.At(l.keys.leader()); it.Mod != 0 {
		lead, err := decodeLeader(it)
		return lead, err == nil && it.Lease == id, err
	}
	lead := replication.Leader{Observer: l.o.Observer, Site: l.o.Site}
	value, err := json.Marshal(lead)
	if err != nil {
		return lead, false, err
	}
	lead.CreateRev, err = l.commitLeased(ctx, Txn{
		Op: "lead", What: "leading",
		If:   []Compare{absent("the leader", l.keys.leader()), unchanged("the format of the store", l.keys.format(), v.At(l.keys.format()).Mod)},
		Puts: []Put{{Key: l.keys.leader(), Value: value, Lease: id}},
	})
	return lead, err == nil, err
}

// Resign gives the leadership up, if this observer has it. It goes by the store
// and not by what this observer remembers: a leader key that was written without
// an answer, or that an earlier try did not delete, would else live as long as
// the lease, with nobody using it.
func (l *Ledger) Resign(ctx context.Context) error {
	l.session.Lock()
	defer l.session.Unlock()
	id := l.current().id
	if id == 0 {
		return nil
	}
	v, err := l.o.KV.Get(ctx, l.keys.leader())
	if err != nil {
		return fmt.Errorf("resigning: %w", err)
	}
	if it := v.At(l.keys.leader()); it.Mod != 0 && it.Lease == id {
		_, err = l.commit(ctx, Txn{
			Op: "resign", What: "resigning", If: []Compare{l.keys.elected(it.Create)},
			Deletes: []string{l.keys.leader()},
		})
		if err != nil && !errors.Is(err, replication.ErrConflict) {
			return err
		}
	}
	l.setLease(func(s *lease) { s.leaderRev = 0 })
	return nil
}

// Leave revokes this observer's lease: its key, its votes and its leadership go
// at once instead of after the lease. Its vetoes stay for their own time.
func (l *Ledger) Leave(ctx context.Context) error {
	l.session.Lock()
	defer l.session.Unlock()
	id := l.current().id
	if id == 0 {
		return nil
	}
	l.forget()
	if err := l.o.Leases.Revoke(ctx, id); err != nil {
		return fmt.Errorf("revoking the lease of observer %s: %w", l.o.Observer, err)
	}
	return nil
}
