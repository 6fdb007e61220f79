package quorum

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/drwatch/drwatch/internal/quorum/ledger"
)

const (
	// callTimeout bounds each call to the store.
	callTimeout = 5 * time.Second
	// pageSize is how many keys one answer carries at most.
	pageSize = 500
)

// client is ledger.KV and ledger.Leases over the member's etcd client. All its
// reads of the present are linearizable, clientv3's default; what was at a revision
// that such a read has told may come from the own member alone.
type client struct{ m *member }

var (
	_ ledger.KV     = client{}
	_ ledger.Leases = client{}
)

// call runs f with the member's present client and a deadline, and judges the
// answer's header.
func (c client) call(ctx context.Context, f func(context.Context, *clientv3.Client) (*etcdserverpb.ResponseHeader, error)) error {
	cli, err := c.m.client()
	if err != nil {
		return err
	}
	// A member that sees no leader refuses at once instead of keeping the call: then
	// it is certain that nothing was written, and another try is safe.
	ctx, cancel := context.WithTimeout(clientv3.WithRequireLeader(ctx), callTimeout)
	defer cancel()
	floor := c.m.seen.floor()
	h, err := f(ctx, cli)
	for again(err) && pause(ctx, readyEvery) {
		h, err = f(ctx, cli)
	}
	if err != nil {
		return c.m.explain(err)
	}
	return c.m.seen.note(h.ClusterId, h.Revision, floor)
}

// again tells whether a call may be tried once more: nothing was written, and
// the members are about to agree on a leader.
func again(err error) bool {
	electing := errors.Is(err, rpctypes.ErrLeaderChanged) || errors.Is(err, rpctypes.ErrNoLeader)
	return electing && !errors.Is(err, ledger.ErrUncertain)
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

// Get implements ledger.KV.
func (c client) Get(ctx context.Context, keys ...string) (ledger.View, error) {
	ops := make([]clientv3.Op, len(keys))
	for i, k := range keys {
		ops[i] = clientv3.OpGet(k)
	}
	var v ledger.View
	err := c.call(ctx, func(ctx context.Context, cli *clientv3.Client) (*etcdserverpb.ResponseHeader, error) {
		r, err := cli.Txn(ctx).Then(ops...).Commit()
		if err != nil {
			return nil, err
		}
		v = ledger.View{Revision: r.Header.Revision}
		for _, resp := range r.Responses {
			v.Items = append(v.Items, items(resp.GetResponseRange().Kvs)...)
		}
		return r.Header, nil
	})
	c.readAnswered(ctx, err)
	return v, err
}

// readAnswered tells the member whether a read of what the majority holds got an
// answer, unless it was the caller who did not wait.
func (c client) readAnswered(ctx context.Context, err error) {
	if ctx.Err() == nil {
		c.m.answered("reads", &c.m.status.NoReads, err)
	}
}

// Scan implements ledger.KV: the first page fixes the revision of all others.
func (c client) Scan(ctx context.Context, spans ...ledger.Span) (ledger.View, error) {
	var v ledger.View
	for _, s := range spans {
		for more := true; more; {
			// What was at a revision does not change: once a majority has told which one is
			// the present, a member answers by itself, unless it has not got so far.
			page, next, err := c.page(ctx, s, v.Revision, v.Revision != 0)
			if errors.Is(err, rpctypes.ErrFutureRev) {
				page, next, err = c.page(ctx, s, v.Revision, false)
			}
			if err != nil {
				return ledger.View{}, err
			}
			v.Items = append(v.Items, page.Items...)
			v.Revision, more = page.Revision, next != ""
			s.From = next
		}
	}
	return v, nil
}

// page reads up to pageSize keys at a revision, 0 for the present one. next is
// where the following page begins, "" when there is none. local: the member answers
// without asking the others.
func (c client) page(ctx context.Context, s ledger.Span, rev int64, local bool) (v ledger.View, next string, err error) {
	options := []clientv3.OpOption{clientv3.WithRange(s.To), clientv3.WithLimit(pageSize), clientv3.WithRev(rev)}
	if local {
		options = append(options, clientv3.WithSerializable())
	}
	err = c.call(ctx, func(ctx context.Context, cli *clientv3.Client) (*etcdserverpb.ResponseHeader, error) {
		r, err := cli.Get(ctx, s.From, options...)
		if err != nil {
			return nil, err
		}
		v = ledger.View{Revision: rev, Items: items(r.Kvs)}
		if rev == 0 {
			v.Revision = r.Header.Revision
		}
		if r.More {
			next = v.Items[len(v.Items)-1].Key + "\x00"
		}
		return r.Header, nil
	})
	if !local {
		c.readAnswered(ctx, err)
	}
	return v, next, err
}

func items(kvs []*mvccpb.KeyValue) []ledger.Item {
	out := make([]ledger.Item, len(kvs))
	for i, kv := range kvs {
		out[i] = ledger.Item{Key: string(kv.Key), Value: kv.Value, Create: kv.CreateRevision, Mod: kv.ModRevision, Lease: kv.Lease}
	}
	return out
}

// Commit implements ledger.KV. When a compare does not hold, the same
// transaction reads what was compared, so that the names of the failed compares
// are those of one revision.
func (c client) Commit(ctx context.Context, t ledger.Txn) (ledger.Result, error) {
	ifs, els := compares(t.If)
	var then []clientv3.Op
	for _, p := range t.Puts {
		then = append(then, clientv3.OpPut(p.Key, string(p.Value), clientv3.WithLease(clientv3.LeaseID(p.Lease))))
	}
	for _, k := range t.Deletes {
		then = append(then, clientv3.OpDelete(k))
	}
	var res ledger.Result
	parent := ctx
	err := c.call(ctx, func(ctx context.Context, cli *clientv3.Client) (*etcdserverpb.ResponseHeader, error) {
		r, err := cli.Txn(ctx).If(ifs...).Then(then...).Else(els...).Commit()
		if err != nil {
			return nil, classify(err)
		}
		res = ledger.Result{OK: r.Succeeded, Revision: r.Header.Revision}
		if !r.Succeeded {
			res.Failed = failed(t.If, r.Responses)
		}
		return r.Header, nil
	})
	if parent.Err() == nil { // else it was the caller who did not wait
		c.m.answered("writes", &c.m.status.NoWrites, err)
	}
	return res, err
}

// compares are a transaction's compares, and the reads that tell which of them
// failed: the key, or one key that is newer than it may be.
func compares(cs []ledger.Compare) (ifs []clientv3.Cmp, els []clientv3.Op) {
	for _, c := range cs {
		switch c.Kind {
		case ledger.CreatedAt:
			ifs = append(ifs, clientv3.Compare(clientv3.CreateRevision(c.Key), "=", c.Rev))
			els = append(els, clientv3.OpGet(c.Key))
		case ledger.ChangedAt:
			ifs = append(ifs, clientv3.Compare(clientv3.ModRevision(c.Key), "=", c.Rev))
			els = append(els, clientv3.OpGet(c.Key))
		case ledger.NoneNewer:
			ifs = append(ifs, clientv3.Compare(clientv3.ModRevision(c.Key), "<", c.Rev+1).WithPrefix())
			els = append(els, clientv3.OpGet(c.Key, clientv3.WithPrefix(), clientv3.WithMinModRev(c.Rev+1), clientv3.WithLimit(1), clientv3.WithKeysOnly()))
		}
	}
	return ifs, els
}

func failed(cs []ledger.Compare, responses []*etcdserverpb.ResponseOp) []string {
	var names []string
	for i, c := range cs {
		v := ledger.View{Items: items(responses[i].GetResponseRange().Kvs)}
		if !c.Holds(v) && !slices.Contains(names, c.Name) {
			names = append(names, c.Name)
		}
	}
	return names
}

// Grant implements ledger.Leases.
func (c client) Grant(ctx context.Context, ttl time.Duration) (id int64, granted time.Duration, err error) {
	seconds := int64((ttl + time.Second - 1) / time.Second)
	err = c.call(ctx, func(ctx context.Context, cli *clientv3.Client) (*etcdserverpb.ResponseHeader, error) {
		r, err := cli.Grant(ctx, seconds)
		if err != nil {
			return nil, err
		}
		id, granted = int64(r.ID), time.Duration(r.TTL)*time.Second
		return identity(r.ResponseHeader), nil
	})
	return id, granted, err
}

// KeepAlive implements ledger.Leases.
func (c client) KeepAlive(ctx context.Context, id int64) error {
	return c.call(ctx, func(ctx context.Context, cli *clientv3.Client) (*etcdserverpb.ResponseHeader, error) {
		r, err := cli.KeepAliveOnce(ctx, clientv3.LeaseID(id))
		if err != nil {
			return nil, classify(err)
		}
		return identity(r.ResponseHeader), nil
	})
}

// Revoke implements ledger.Leases.
func (c client) Revoke(ctx context.Context, id int64) error {
	err := c.call(ctx, func(ctx context.Context, cli *clientv3.Client) (*etcdserverpb.ResponseHeader, error) {
		r, err := cli.Revoke(ctx, clientv3.LeaseID(id))
		if err != nil {
			return nil, classify(err)
		}
		return identity(r.Header), nil
	})
	if errors.Is(err, ledger.ErrLeaseLost) {
		return nil
	}
	return err
}

// identity is a header without its revision: answers about leases are filled
// before the store has caught up.
func identity(h *etcdserverpb.ResponseHeader) *etcdserverpb.ResponseHeader {
	return &etcdserverpb.ResponseHeader{ClusterId: h.ClusterId}
}

// classify tells a refusal, after which nothing was written, from silence, after
// which nobody knows. etcd's own time-outs are silence: the proposal may still
// be committed. An unknown error counts as silence.
func classify(err error) error {
	switch {
	case errors.Is(err, rpctypes.ErrLeaseNotFound):
		return fmt.Errorf("%w: %w", ledger.ErrLeaseLost, err)
	case errors.Is(err, rpctypes.ErrNoLeader), errors.Is(err, rpctypes.ErrTooManyOps), errors.Is(err, rpctypes.ErrRequestTooLarge),
		errors.Is(err, rpctypes.ErrDuplicateKey), errors.Is(err, rpctypes.ErrEmptyKey), errors.Is(err, rpctypes.ErrCorrupt):
		return err
	}
	return fmt.Errorf("%w: %w", ledger.ErrUncertain, err)
}

// errNoMajority is told while the store has no leader.
var errNoMajority = errors.New("the coordination store has no majority: too many of its members do not answer this one")

// explain adds what is known about the member to an error of a call.
func (m *member) explain(err error) error {
	switch {
	case errors.Is(err, rpctypes.ErrNoSpace):
		m.alarmed(etcdserverpb.AlarmType_NOSPACE.String())
		if m.o.Etcd != nil {
			return fmt.Errorf("the coordination store is out of space and takes no writes; it is not drwatch's own: make room in that etcd and disarm its alarm: %w", err)
		}
		return fmt.Errorf("the coordination store is out of space and takes no writes; drwatch makes room in it and lifts the alarm by itself: %w", err)
	case errors.Is(err, rpctypes.ErrNoLeader):
		m.majority(false)
		return fmt.Errorf("%w: %w", errNoMajority, err)
	case errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, ledger.ErrUncertain):
		return fmt.Errorf("%w within %s: %w", ledger.ErrUncertain, callTimeout, err)
	}
	if st := m.snapshot(); !st.Joined && st.LastError != "" {
		return fmt.Errorf("%w (%s)", err, strings.TrimSuffix(st.LastError, "."))
	}
	return err
}
