package quorum_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"github.com/drwatch/drwatch/internal/quorum/ledger"
	"github.com/drwatch/drwatch/internal/quorum/quorumtest"
)

// answer is what a store said to one step, whole: revisions and leases are the same
// numbers on both.
type answer struct {
	Err    string // its kind
	View   ledger.View
	Result ledger.Result
	Lease  int64
	TTL    time.Duration
	Events [][]quorumtest.Event // of each watch
}

// kindOf is how a caller tells an error from others.
func kindOf(err error) string {
	for kind, is := range map[string][]error{
		"lease lost": {ledger.ErrLeaseLost}, "uncertain": {ledger.ErrUncertain},
		"compacted": {rpctypes.ErrCompacted, quorumtest.ErrCompacted}, "future": {rpctypes.ErrFutureRev, quorumtest.ErrFuture},
	} {
		for _, e := range is {
			if errors.Is(err, e) {
				return kind
			}
		}
	}
	if err != nil {
		return "refused"
	}
	return ""
}

// underTest is a store that histories are run on.
type underTest interface {
	client(n int) quorumtest.Client
	past(ctx context.Context, client int, rev int64, span ledger.Span, local bool) (ledger.View, error)
	compact(ctx context.Context, rev int64) error
	watch(ctx context.Context, prefix string, from int64) follower
}

// follower is a watch. upTo waits until it has told as many events as that, and has
// ended if it is to, and is all that it has told and the error that it ended with.
type follower interface {
	upTo(n int, end bool) ([]quorumtest.Event, error)
}

// lockstep runs one history on both stores.
type lockstep struct {
	real, model underTest
	store       *quorumtest.Store // the model
	clock       *clock
	prefix      string
	base        int64 // the revision that the history begins at
	leases      map[int]int64
	watches     [2][]follower
	since       map[int]time.Time // when a lease was granted, by the real clock
	compared    int               // answers
	well        map[string]int    // how often a ledger's call went well, or not
}

// disagreement is the first step to which the answers differ.
type disagreement struct {
	step      int
	op        string
	etcd, mod any
	// unanswered: etcd did not answer in time, as on a machine with other work, which
	// says nothing about the model.
	unanswered bool
}

func (d *disagreement) String() string {
	return fmt.Sprintf("step %d, %s: the answers differ (-model +etcd):\n%s", d.step, d.op, cmp.Diff(d.mod, d.etcd, alike()))
}

// alike: nothing and an empty list are the same, and so is NaN and NaN.
func alike() cmp.Option { return cmp.Options{cmpopts.EquateEmpty(), cmpopts.EquateNaNs()} }

func unanswered(etcd, mod string) bool {
	return strings.Contains(etcd, "uncertain") && !strings.Contains(mod, "uncertain")
}

// play runs the history and ends with what stands and what was watched.
func (l *lockstep) play(ctx context.Context, steps []step) *disagreement {
	for i, s := range steps {
		for _, s := range l.broken(s) {
			if d := l.both(ctx, s); d != nil {
				d.step = i
				return d
			}
		}
	}
	for _, s := range []step{{do: "commit", puts: []write{{key: "~end"}}}, {do: "told"}, {do: "scan", keys: []string{""}}} {
		if d := l.both(ctx, s); d != nil {
			d.step = len(steps)
			return d
		}
	}
	return nil
}

// broken is a step as what it takes: time that passes ends the leases one by one, and
// before a compaction all watches have told what there was.
func (l *lockstep) broken(s step) []step {
	switch s.do {
	case "pass":
		until := l.clock.now().Add(s.ttl)
		var out []step
		for _, e := range l.store.Ends() {
			if !e.At.After(until) {
				out = append(out, step{do: "end", ended: e})
			}
		}
		return append(out, step{do: "end", ended: quorumtest.End{At: until}}, step{do: "scan", keys: []string{""}})
	case "compact":
		return []step{{do: "commit", puts: []write{{key: "~before"}}}, {do: "told"}, s}
	}
	return []step{s}
}

// both does one step on etcd and then on the model.
func (l *lockstep) both(ctx context.Context, s step) *disagreement {
	do := l.meant(ctx, s)
	began := time.Now()
	etcd := do(l.real, 0)
	if etcd.Lease != 0 {
		l.store.NextLeases(etcd.Lease)
	}
	mod := do(l.model, 1)
	l.compared++
	if s.do == "grant" {
		l.leases[s.lease], l.since[s.lease] = etcd.Lease, began
	}
	if !cmp.Equal(mod, etcd, alike()) {
		return &disagreement{op: s.String(), etcd: etcd, mod: mod, unanswered: unanswered(etcd.Err, mod.Err)}
	}
	return nil
}

func (l *lockstep) id(slot int) int64 {
	if id, ok := l.leases[slot]; ok || slot == 0 {
		return id
	}
	return 1<<50 + int64(slot) // nobody granted it
}

// now is what the model holds before the step.
func (l *lockstep) now(ctx context.Context) ledger.View {
	v, err := l.model.client(0).Scan(ctx, ledger.Under(l.prefix))
	if err != nil {
		panic(err) // nothing stands between the test and its model
	}
	return v
}

// meant is the step in terms of the stores as they are now, the same for both.
func (l *lockstep) meant(ctx context.Context, s step) func(on underTest, side int) answer {
	now := l.now(ctx)
	rev := max(l.base, now.Revision-s.back)
	switch s.do {
	case "commit":
		t := l.txn(s, now)
		return func(on underTest, _ int) (a answer) {
			res, err := on.client(s.client).Commit(ctx, t)
			return answer{Err: kindOf(err), Result: res}
		}
	case "get", "scan", "past":
		return l.read(ctx, s, rev)
	case "watch":
		if s.back < 0 && s.back > -3 {
			rev = 0 // from now on
		}
		return func(on underTest, side int) answer {
			l.watches[side] = append(l.watches[side], on.watch(ctx, l.prefix, rev))
			return answer{}
		}
	case "told":
		return l.toldBy()
	case "compact":
		return func(on underTest, _ int) answer { return answer{Err: kindOf(on.compact(ctx, rev))} }
	}
	return l.leased(ctx, s)
}

func (l *lockstep) txn(s step, now ledger.View) ledger.Txn {
	t := ledger.Txn{Op: "test", What: s.String()}
	for _, c := range s.ifs {
		out := ledger.Compare{Name: c.name, Kind: c.kind, Key: l.prefix + c.key, Rev: c.off}
		it := now.At(out.Key)
		switch {
		case c.at != "":
		case c.kind == ledger.CreatedAt:
			out.Rev += it.Create
		case c.kind == ledger.ChangedAt:
			out.Rev += it.Mod
		case c.kind == ledger.NoneNewer:
			out.Rev = max(0, out.Rev+now.Revision)
		}
		t.If = append(t.If, out)
	}
	for _, w := range s.puts {
		t.Puts = append(t.Puts, ledger.Put{Key: l.prefix + w.key, Value: []byte(w.value), Lease: l.id(w.lease)})
	}
	for _, k := range s.dels {
		t.Deletes = append(t.Deletes, l.prefix+k)
	}
	return t
}

func (l *lockstep) read(ctx context.Context, s step, rev int64) func(underTest, int) answer {
	var names []string
	var spans []ledger.Span
	for _, k := range s.keys {
		names, spans = append(names, l.prefix+k), append(spans, ledger.Under(l.prefix+k))
	}
	return func(on underTest, _ int) answer {
		var v ledger.View
		var err error
		switch s.do {
		case "get":
			v, err = on.client(s.client).Get(ctx, names...)
		case "scan":
			v, err = on.client(s.client).Scan(ctx, spans...)
		default:
			v, err = on.past(ctx, s.client, rev, spans[0], s.local)
		}
		return answer{Err: kindOf(err), View: v}
	}
}

// toldBy is what all watches have told, of etcd as much as of the model.
func (l *lockstep) toldBy() func(underTest, int) answer {
	var counts []int
	var ends []bool
	for _, w := range l.watches[1] {
		events, err := w.upTo(0, false)
		counts, ends = append(counts, len(events)), append(ends, err != nil)
	}
	return func(_ underTest, side int) (a answer) {
		for i, w := range l.watches[side] {
			events, err := w.upTo(counts[i], ends[i])
			a.Err += fmt.Sprintf("watch %d: %s; ", i, kindOf(err))
			a.Events = append(a.Events, events)
		}
		return a
	}
}

func (l *lockstep) leased(ctx context.Context, s step) func(underTest, int) answer {
	id := l.id(s.lease)
	return func(on underTest, side int) (a answer) {
		c := on.client(s.client)
		var err error
		switch {
		case s.do == "grant":
			a.Lease, a.TTL, err = c.Grant(ctx, s.ttl)
		case s.do == "silence":
			err = l.silence(ctx, s, on, side)
		case s.do == "keep alive":
			err = c.KeepAlive(ctx, id)
		case s.do == "revoke":
			err = c.Revoke(ctx, id)
		case side == 0: // its time is over: etcd ends it when the model does
			if s.ended.Lease != 0 {
				err = c.Revoke(ctx, s.ended.Lease)
			}
		default:
			l.clock.advance(max(0, s.ended.At.Sub(l.clock.now())))
			l.store.Ends()
		}
		a.Err = kindOf(err)
		return a
	}
}
