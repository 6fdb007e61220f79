package quorum_test

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/drwatch/drwatch/internal/quorum"
	"github.com/drwatch/drwatch/internal/quorum/ledger"
	"github.com/drwatch/drwatch/internal/quorum/quorumtest"
)

// onEtcd is etcd with three of our clients: of one member its own and two of the kind
// that goes to somebody else's etcd, or of each of three members its own.
type onEtcd struct {
	stores   []*quorum.Store
	raw      *clientv3.Client
	patience time.Duration // with a watch that lacks something
}

func newOnEtcd(t *testing.T) *onEtcd {
	t.Helper()
	e := &onEtcd{patience: 30 * time.Second}
	if *memberCount == 1 {
		e.aloneWithClients(t)
	} else {
		e.threeMembers(t)
	}
	e.raw = client(t, e.stores[0])
	return e
}

func (e *onEtcd) aloneWithClients(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	own := openStore(t, filepath.Join(dir, "etcd"))
	e.stores = []*quorum.Store{own}
	for i := range historyClients - 1 {
		e.stores = append(e.stores, openStore(t, filepath.Join(dir, fmt.Sprint("client", i)), func(o *quorum.Options) {
			o.Etcd = &quorum.Etcd{Endpoints: []string{own.Status().ClientURL}}
		}))
	}
}

func (e *onEtcd) threeMembers(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	peers := map[string]string{}
	for who := range historyClients {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		peers[name(who)] = "http://" + l.Addr().String()
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for who := range historyClients {
		e.stores = append(e.stores, openRaw(t, filepath.Join(dir, name(who), "etcd"), func(o *quorum.Options) {
			o.Observer, o.Peers = name(who), &quorum.Peers{Members: peers}
		}))
	}
	for _, s := range e.stores {
		waitFor(t, "the members to join", func() bool { return s.Status().Joined })
	}
}

func (e *onEtcd) client(n int) quorumtest.Client { return quorum.Below(e.stores[n]) }

func (e *onEtcd) past(ctx context.Context, client int, rev int64, span ledger.Span, local bool) (ledger.View, error) {
	return quorum.PageAt(ctx, e.stores[client], rev, span, local)
}

func (e *onEtcd) compact(ctx context.Context, rev int64) error {
	_, err := e.raw.Compact(ctx, rev)
	for who := range e.stores { // every member has got so far
		if _, rerr := e.client(who).Get(ctx, "/history"); rerr != nil && err == nil {
			err = rerr
		}
	}
	return err
}

// watchOnEtcd is what one watch has told so far.
type watchOnEtcd struct {
	answers  clientv3.WatchChan
	patience time.Duration
	events   []quorumtest.Event
	err      error
}

func (e *onEtcd) watch(ctx context.Context, prefix string, from int64) follower {
	w := &watchOnEtcd{patience: e.patience}
	w.answers = e.raw.Watch(ctx, prefix, clientv3.WithPrefix(), clientv3.WithRev(from), clientv3.WithCreatedNotify())
	w.hear() // that it is begun
	return w
}

// hear takes one answer and tells whether one came.
func (w *watchOnEtcd) hear() bool {
	select {
	case a, open := <-w.answers:
		if !open {
			w.err = ledger.ErrUncertain
			return false
		}
		w.err = a.Err()
		for _, ev := range a.Events {
			out := quorumtest.Event{Deleted: ev.Type == clientv3.EventTypeDelete}
			out.Item = ledger.Item{Key: string(ev.Kv.Key), Value: ev.Kv.Value, Create: ev.Kv.CreateRevision, Mod: ev.Kv.ModRevision, Lease: ev.Kv.Lease}
			w.events = append(w.events, out)
		}
		return true
	case <-time.After(w.patience):
		w.err = ledger.ErrUncertain
		return false
	}
}

func (w *watchOnEtcd) upTo(n int, end bool) ([]quorumtest.Event, error) {
	for w.err == nil && (len(w.events) < n || end) {
		w.hear()
	}
	return w.events, w.err
}

// onModel is the model in the same form.
type onModel struct{ stores []*quorumtest.Store }

func (m *onModel) client(n int) quorumtest.Client { return m.stores[n].Client() }

func (m *onModel) past(_ context.Context, client int, rev int64, span ledger.Span, _ bool) (ledger.View, error) {
	return m.stores[client].Past(rev, span)
}

func (m *onModel) compact(_ context.Context, rev int64) error { return m.stores[0].Compact(rev) }

func (m *onModel) watch(_ context.Context, prefix string, from int64) follower {
	return &watchOnModel{w: m.stores[0].Watching(prefix, from)}
}

type watchOnModel struct {
	w      *quorumtest.Watching
	events []quorumtest.Event
	err    error
}

func (w *watchOnModel) upTo(int, bool) ([]quorumtest.Event, error) {
	if w.err == nil {
		var more []quorumtest.Event
		more, w.err = w.w.Next()
		w.events = append(w.events, more...)
	}
	return w.events, w.err
}
