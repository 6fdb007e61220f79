package quorum_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drwatch/drwatch/internal/quorum/ledger"
	"github.com/drwatch/drwatch/internal/quorum/quorumtest"
)

// done is one request of one of several clients at once, with its answer. began and
// ended are in the order in which things happened to all of them.
type done struct {
	who          int
	spans        []ledger.Span // of a read
	txn          *ledger.Txn   // of a write
	view         ledger.View
	res          ledger.Result
	err          error
	began, ended int64
}

func (d done) revision() int64 {
	if d.txn == nil {
		return d.view.Revision
	}
	return d.res.Revision
}

func (d done) String() string {
	if d.txn == nil {
		return fmt.Sprintf("client %d: read at revision %d", d.who, d.view.Revision)
	}
	return fmt.Sprintf("client %d: %s: %+v", d.who, d.txn.What, d.res)
}

// crowd is clients at once on one store.
type crowd struct {
	on     underTest
	prefix string
	clock  atomic.Int64
	mu     sync.Mutex
	all    []done
}

const (
	crowdWorkers  = 6
	crowdRequests = 40
)

func (c *crowd) work(ctx context.Context, who int, seed uint64) {
	r := rand.New(rand.NewPCG(seed, uint64(who)))
	g := generator{r: r}
	client := c.on.client(who % historyClients)
	var last ledger.View // what it read last, which its writes compare
	for n := range crowdRequests {
		d := done{who: who}
		if r.IntN(3) == 0 {
			for _, k := range g.some(1+r.IntN(2), prefixes()) {
				d.spans = append(d.spans, ledger.Under(c.prefix+k))
			}
			d.began = c.clock.Add(1)
			d.view, d.err = client.Scan(ctx, d.spans...)
			d.ended = c.clock.Add(1)
			if d.err == nil && slices.Contains(d.spans, ledger.Under(c.prefix)) {
				last = d.view
			}
		} else {
			t := (&lockstep{prefix: c.prefix}).txn(g.commit(), last)
			t.What = fmt.Sprintf("transaction %d of client %d", n, who)
			if len(t.Puts) == 0 && len(t.Deletes) > 0 { // so that it can be told from one that finds nothing to delete
				t.Puts = []ledger.Put{{Key: c.prefix + "deleted"}}
			}
			for i := range t.Puts {
				t.Puts[i].Value, t.Puts[i].Lease = fmt.Appendf(nil, "%d of %d", n, who), 0
			}
			d.txn = &t
			d.began = c.clock.Add(1)
			d.res, d.err = client.Commit(ctx, t)
			d.ended = c.clock.Add(1)
		}
		c.mu.Lock()
		c.all = append(c.all, d)
		c.mu.Unlock()
	}
}

// run lets all of them loose and is what happened, by a watch.
func (c *crowd) run(ctx context.Context, seed uint64) ([]quorumtest.Event, error) {
	w := c.on.watch(ctx, c.prefix, 0)
	var all sync.WaitGroup
	for who := range crowdWorkers {
		all.Go(func() { c.work(ctx, who, seed) })
	}
	all.Wait()
	return allOf(ctx, c.on, c.prefix, w)
}

// allOf is everything that a watch has to tell.
func allOf(ctx context.Context, on underTest, prefix string, w follower) ([]quorumtest.Event, error) {
	end := prefix + "~end"
	if _, err := on.client(0).Commit(ctx, ledger.Txn{Puts: []ledger.Put{{Key: end}}}); err != nil {
		return nil, err
	}
	events, err := w.upTo(1, false)
	for err == nil && events[len(events)-1].Item.Key != end {
		events, err = w.upTo(len(events)+1, false)
	}
	return events, err
}

// line is what stood at each revision, by what the watch told.
type line struct {
	events []quorumtest.Event
	first  int64
	states map[int64][]ledger.Item
}

func lineOf(events []quorumtest.Event, first int64) *line {
	l := &line{events: events, first: first, states: map[int64][]ledger.Item{}}
	items := map[string]ledger.Item{}
	for i, e := range events {
		items[e.Item.Key] = e.Item
		if e.Deleted {
			delete(items, e.Item.Key)
		}
		if i == len(events)-1 || events[i+1].Item.Mod != e.Item.Mod {
			l.states[e.Item.Mod] = sorted(items)
		}
	}
	return l
}

func sorted(items map[string]ledger.Item) []ledger.Item {
	var out []ledger.Item
	for _, it := range items {
		out = append(out, it)
	}
	slices.SortFunc(out, func(a, b ledger.Item) int { return strings.Compare(a.Key, b.Key) })
	return out
}

// at is what stood at a revision: other keys may have moved the store on.
func (l *line) at(rev int64) []ledger.Item {
	for ; rev >= l.first; rev-- {
		if s, ok := l.states[rev]; ok {
			return s
		}
	}
	return nil
}

func (l *line) wrote(rev int64) (puts, dels []string) {
	for _, e := range l.events {
		switch {
		case e.Item.Mod != rev:
		case e.Deleted:
			dels = append(dels, e.Item.Key)
		default:
			puts = append(puts, e.Item.Key+"="+string(e.Item.Value))
		}
	}
	return puts, dels
}

// judge is everything in what the clients were told that no single line of
// transactions and reads, each at one moment between its beginning and its end, would
// have told them. The revisions are that line, so it need not be searched for.
func (c *crowd) judge(l *line) []string {
	var wrong []string
	say := func(d done, format string, args ...any) {
		wrong = append(wrong, d.String()+": "+fmt.Sprintf(format, args...))
	}
	owner := map[int64]done{}
	for _, d := range c.all {
		if d.err != nil {
			continue
		}
		if d.txn == nil {
			var want []ledger.Item
			for _, s := range d.spans {
				for _, it := range l.at(d.view.Revision) {
					if s.Has(it.Key) {
						want = append(want, it)
					}
				}
			}
			if diff := cmp.Diff(want, d.view.Items, alike()); diff != "" {
				say(d, "it was told something else than stood then:\n%s", diff)
			}
			continue
		}
		c.judgeWrite(l, d, owner, say)
	}
	c.judgeEvents(l, owner, &wrong)
	return append(wrong, c.judgeOrder(owner)...)
}

func (c *crowd) judgeWrite(l *line, d done, owner map[int64]done, say func(done, string, ...any)) {
	var failed, puts, dels []string
	before := d.res.Revision
	if d.res.OK && len(d.txn.Puts) > 0 {
		puts, dels = l.wrote(before)
		before--
		if other, taken := owner[d.res.Revision]; taken {
			say(d, "it has the revision of %s", other)
		}
		owner[d.res.Revision] = d
	}
	v := ledger.View{Items: l.at(before)}
	for _, cond := range d.txn.If {
		if !cond.Holds(v) && !slices.Contains(failed, cond.Name) {
			failed = append(failed, cond.Name)
		}
	}
	if diff := cmp.Diff(failed, d.res.Failed, alike()); diff != "" || d.res.OK != (len(failed) == 0) {
		say(d, "its compares came out otherwise than they had to (-want +got):\n%s", diff)
	}
	if !d.res.OK {
		return
	}
	var wantPuts, wantDels []string
	for _, p := range d.txn.Puts {
		wantPuts = append(wantPuts, p.Key+"="+string(p.Value))
	}
	for _, k := range d.txn.Deletes {
		if v.At(k).Mod != 0 && !slices.Contains(wantDels, k) {
			wantDels = append(wantDels, k)
		}
	}
	if diff := cmp.Diff([][]string{wantPuts, wantDels}, [][]string{puts, dels}, alike()); diff != "" {
		say(d, "it did something else (-want +got):\n%s", diff)
	}
}

// judgeEvents wants each change to be somebody's, or of a transaction without answer.
func (c *crowd) judgeEvents(l *line, owner map[int64]done, wrong *[]string) {
	if slices.ContainsFunc(c.all, func(d done) bool { return d.err != nil }) {
		return
	}
	for _, e := range l.events {
		if _, ok := owner[e.Item.Mod]; !ok && !strings.HasSuffix(e.Item.Key, "~end") {
			*wrong = append(*wrong, fmt.Sprintf("%s was changed at revision %d by nobody", e.Item.Key, e.Item.Mod))
		}
	}
}

// judgeOrder: what began after something had ended is behind it.
func (c *crowd) judgeOrder(owner map[int64]done) []string {
	var wrong []string
	for _, a := range c.all {
		for _, b := range c.all {
			if a.err != nil || b.err != nil || a.ended >= b.began {
				continue
			}
			w, wrote := owner[b.revision()]
			if b.revision() < a.revision() || b.revision() == a.revision() && wrote && w.began == b.began {
				wrong = append(wrong, fmt.Sprintf("%s had ended before %s began", a, b))
			}
		}
	}
	return wrong
}

// TestClientsAtOnce: six clients at once are told by etcd, and by the model, what one
// line of transactions and reads would tell them.
func TestClientsAtOnce(t *testing.T) {
	t.Parallel()
	r := &rounds{T: t, etcd: newOnEtcd(t)}
	requests, silent := 0, 0
	for n := range uint64(max(2, *historyCount/20)) {
		l := r.begin()
		for side, on := range []underTest{l.real, l.model} {
			c := &crowd{on: on, prefix: l.prefix}
			events, err := c.run(t.Context(), *firstSeed+n)
			if err != nil {
				t.Fatal(err)
			}
			for i, wrong := range c.judge(lineOf(events, l.base)) {
				if i < 5 {
					t.Errorf("seed %d, %s: %s", *firstSeed+n, []string{"etcd", "model"}[side], wrong)
				}
			}
			for _, d := range c.all {
				requests++
				if d.err != nil {
					silent++
				}
			}
		}
	}
	t.Logf("%d requests of clients at once, %d without an answer", requests, silent)
	if silent > requests/2 {
		t.Error("so few answers show nothing")
	}
}
