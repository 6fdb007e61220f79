package quorum_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drwatch/drwatch/internal/quorum/ledger"
	"github.com/drwatch/drwatch/internal/quorum/quorumtest"
	"github.com/drwatch/drwatch/internal/replication"
)

// call is one operation of an observer's ledger. What it is done to is named by
// numbers, which mean something on whatever the store holds then.
type call struct {
	do      string
	who     int
	a, b, c int
	fresh   bool // the observer reads first; else it acts on what it read last
}

func (c call) String() string {
	return fmt.Sprintf("observer %d: %s (%d, %d, %d, fresh %v)", c.who, c.do, c.a, c.b, c.c, c.fresh)
}

// often are the calls, each as often as it is made in comparison with the others.
func often() []string {
	var out []string
	for w := range strings.SplitSeq(`renew 14, lead 12, read 6, votes 12, claim 16, intent 12, outcome 8, note 3, end 14, take over 6,
		freeze 1, unfreeze 4, abort 2, approve 3, give up 1, ack 6, put group 2, end episode 3, close loss 5, tick 4, put late 3, late 1,
		anchor 6, archive 8, collect 7, journal 2, persons' journal 1, person's note 1, unregister 2, resign 2, leave 1, crash 1, pass 3, lease left 1`, ",") {
		w = strings.TrimSpace(w)
		at := strings.LastIndexByte(w, ' ')
		n, err := strconv.Atoi(w[at+1:])
		if err != nil {
			panic(err)
		}
		out = append(out, slices.Repeat([]string{w[:at]}, n)...)
	}
	return out
}

func randomCalls(seed uint64) []call {
	r, names := rand.New(rand.NewPCG(seed, 6)), often()
	calls := []call{{do: "renew"}, {do: "lead", fresh: true}, {do: "votes", b: 36, c: 5}}
	for range 25 + r.IntN(70) {
		c := call{do: pick(r, names), a: r.IntN(60), b: r.IntN(60), c: r.IntN(60), fresh: r.IntN(6) > 0}
		c.who = max(0, r.IntN(2*historyClients)-historyClients) // the first does most
		calls = append(calls, c)
	}
	return calls
}

// observers are those of one history, each with a ledger on both stores.
type observers struct {
	l       *lockstep
	cluster string
	ways    [2][historyClients]*noting
	ledgers [2][historyClients]*ledger.Ledger
	read    [historyClients]replication.Cluster
}

// noting is a way to a store that notes the leases granted.
type noting struct {
	quorumtest.Client
	granted []int64
}

func (n *noting) Grant(ctx context.Context, ttl time.Duration) (int64, time.Duration, error) {
	id, granted, err := n.Client.Grant(ctx, ttl)
	if err == nil {
		n.granted = append(n.granted, id)
	}
	return id, granted, err
}

func newObservers(l *lockstep) *observers {
	o := &observers{l: l, cluster: "c" + strings.Trim(l.prefix[len("/history/"):], "/")}
	for who := range historyClients {
		for side, store := range []underTest{l.real, l.model} {
			o.ways[side][who] = &noting{Client: store.client(who)}
		}
		o.live(who)
	}
	return o
}

// live begins a life of an observer's process.
func (o *observers) live(who int) {
	boot := o.l.clock.now()
	for side, way := range o.ways {
		o.ledgers[side][who] = ledger.New(ledger.Options{
			KV: way[who], Leases: way[who], Cluster: o.cluster, Observer: name(who), Site: fmt.Sprint("az-", who), Version: "test", LeaseTTL: longTTL,
			Now: o.l.clock.now, Boot: func() time.Duration { return o.l.clock.now().Sub(boot) },
		})
	}
	o.read[who] = replication.Cluster{}
}

func name(who int) string { return fmt.Sprint("obs-", who) }

// said is what a call came to.
type said struct {
	Value any
	Err   string
}

// wordsOf is an error as its reader sees it; that of a store's own has other words on
// each.
func wordsOf(err error) string {
	var c *ledger.Conflict
	switch kind := kindOf(err); {
	case kind == "" || kind == "lease lost" || kind == "uncertain":
		return kind
	case errors.As(err, &c):
		return "conflict: " + strings.Join(c.Changed, "; ")
	}
	return err.Error()
}

// play makes the calls on both stores.
func (o *observers) play(ctx context.Context, calls []call) *disagreement {
	for i, c := range calls {
		if d := o.both(ctx, c); d != nil {
			d.step = i
			return d
		}
	}
	return o.content(ctx, len(calls))
}

// content compares all that stands in the end, to the last byte.
func (o *observers) content(ctx context.Context, n int) *disagreement {
	all := ledger.Under(o.ledgers[0][0].Root())
	var got [2]said
	for side, store := range []underTest{o.l.real, o.l.model} {
		v, err := store.client(0).Scan(ctx, all)
		got[side] = said{Value: v, Err: wordsOf(err)}
	}
	return o.judge(call{do: "the content"}, got, n)
}

func (o *observers) both(ctx context.Context, c call) *disagreement {
	switch c.do {
	case "pass":
		for _, s := range o.l.broken(step{do: "pass", ttl: time.Duration(c.a) * longTTL / 40}) {
			if d := o.l.both(ctx, s); d != nil {
				return d
			}
		}
		return nil
	case "crash":
		o.live(c.who)
		return nil
	}
	if c.fresh {
		if d := o.both(ctx, call{do: "read", who: c.who}); d != nil {
			return d
		}
	}
	do := o.meant(ctx, c)
	var got [2]said
	for side := range o.ledgers {
		v, err := do(o.ledgers[side][c.who])
		got[side] = said{Value: v, Err: wordsOf(err)}
		if way := o.ways[side][c.who]; side == 0 {
			o.l.store.NextLeases(way.granted...)
			way.granted = nil
		}
		if read, ok := v.(replication.Cluster); ok && side == 1 {
			o.read[c.who] = read
		}
	}
	if o.l.well[c.do]++; got[1].Err != "" {
		o.l.well[c.do]--
		o.l.well["no "+c.do]++
	}
	return o.judge(c, got, 0)
}

func (o *observers) judge(c call, got [2]said, n int) *disagreement {
	o.l.compared++
	if cmp.Equal(got[1], got[0], alike()) {
		return nil
	}
	return &disagreement{step: n, op: c.String(), etcd: got[0], mod: got[1], unanswered: unanswered(got[0].Err, got[1].Err)}
}

// TestLedgerHistories makes the same random calls of three observers' ledgers on the
// model and on etcd: results, and all that stands in the end, must be the same.
func TestLedgerHistories(t *testing.T) {
	t.Parallel()
	count, well := max(1, *historyCount/4), map[string]int{}
	runHistories(t, count, randomCalls, func(ctx context.Context, l *lockstep, calls []call) *disagreement {
		l.well = well
		return newObservers(l).play(ctx, calls)
	})
	t.Logf("went well, and did not: %v", well)
	for _, do := range []string{"claim", "intent", "outcome", "end", "take over", "anchor", "collect"} {
		if well[do] == 0 && count >= 10 {
			t.Errorf("%s has never gone well: that shows little", do)
		}
	}
}
