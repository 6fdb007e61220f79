package quorum_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/drwatch/drwatch/internal/quorum/ledger"
	"github.com/drwatch/drwatch/internal/quorum/quorumtest"
)

// step is one operation of a random history. Keys are without the history's prefix.
// Revisions and leases are named by what they are to the store at that moment, so
// that a history from which steps are taken away still means something.
type step struct {
	do     string
	client int
	keys   []string // get: the keys; scan: prefixes
	ifs    []condition
	puts   []write
	dels   []string
	lease  int           // the number of a grant; 0: none
	ttl    time.Duration // grant: how long; pass: how much time passes
	back   int64         // how far behind the present revision
	ended  quorumtest.End
	local  bool
}

// condition is a compare. at says which revision it names: "" that of the key now
// (for newer: that of the store), "absent" 0; off is added.
type condition struct {
	name string
	kind ledger.Kind
	key  string
	at   string
	off  int64
}

type write struct {
	key   string
	value string
	lease int
}

const historyClients = 3

// longTTL is so long that no lease ends on etcd before it is made to, however long
// the histories take. Virtual time passes in pieces of hours.
const longTTL = 10 * time.Hour

// keyNames are few, so that operations meet; some are prefixes of others.
func keyNames() []string { return []string{"a", "b/1", "b/2", "b/1/x", "c", "c1"} }

func prefixes() []string { return []string{"", "a", "b/", "b/1", "c", "none/"} }

// randomHistory is one that the seed alone determines.
func randomHistory(seed uint64) []step {
	r := rand.New(rand.NewPCG(seed, 5))
	g := generator{r: r}
	var steps []step
	for range 10 + r.IntN(30) {
		next := g.step()
		next.client = r.IntN(historyClients)
		steps = append(steps, next)
	}
	if seed%8 == 0 { // which chance alone brings about once in a hundred histories
		steps = append(steps, step{do: "compact"}, step{do: "watch", back: 3})
	}
	return steps
}

type generator struct {
	r      *rand.Rand
	grants int
	values int
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

func (g *generator) step() step {
	switch n := g.r.IntN(100); {
	case n < 40:
		return g.commit()
	case n < 50:
		return step{do: "scan", keys: g.some(1+g.r.IntN(3), prefixes())}
	case n < 56:
		return step{do: "get", keys: g.some(1+g.r.IntN(3), keyNames())}
	case n < 65:
		return step{do: "past", keys: []string{pick(g.r, prefixes())}, back: int64(g.r.IntN(9)) - 1, local: g.r.IntN(2) == 0}
	case n < 74:
		g.grants++
		return step{do: "grant", lease: g.grants, ttl: longTTL + time.Duration(g.r.IntN(4000))*time.Millisecond}
	case n < 79:
		return step{do: "keep alive", lease: g.leaseEver()}
	case n < 84:
		return step{do: "revoke", lease: g.leaseEver()}
	case n < 88:
		return step{do: "pass", ttl: time.Duration(g.r.IntN(5)) * longTTL / 4}
	case n < 92:
		return step{do: "watch", back: int64(g.r.IntN(8)) - 3}
	case n < 95:
		return step{do: "compact", back: int64(g.r.IntN(7)) - 1}
	}
	return g.wrong()
}

func (g *generator) some(n int, from []string) []string {
	var out []string
	for range n {
		out = append(out, pick(g.r, from))
	}
	return out
}

// leaseEver is a lease that was granted, or rarely one that was not.
func (g *generator) leaseEver() int { return 1 + g.r.IntN(g.grants+1) }

func (g *generator) value() string {
	g.values++
	if g.values%7 == 0 {
		return ""
	}
	return fmt.Sprint("v", g.values)
}

func (g *generator) commit() step {
	s := step{do: "commit"}
	for range g.r.IntN(4) {
		s.ifs = append(s.ifs, g.condition())
	}
	names := keyNames()
	g.r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	puts := g.r.IntN(4)
	for _, k := range names[:puts] {
		w := write{key: k, value: g.value()}
		if g.grants > 0 && g.r.IntN(3) > 0 {
			w.lease = g.leaseEver()
		}
		s.puts = append(s.puts, w)
	}
	for range g.r.IntN(3) {
		s.dels = append(s.dels, pick(g.r, names[puts:]))
	}
	if len(s.ifs)+len(s.puts)+len(s.dels) == 0 {
		// A member answers a transaction of nothing without asking the others, by a
		// revision that may be past. The ledger makes none.
		s.ifs = append(s.ifs, g.condition())
	}
	return s
}

// condition holds more often than not: a transaction that is refused shows less.
func (g *generator) condition() condition {
	c := condition{name: pick(g.r, []string{"x", "y", "z"}), kind: ledger.Kind(g.r.IntN(3)), key: pick(g.r, keyNames())}
	if g.r.IntN(4) == 0 {
		c.off = int64(g.r.IntN(3)) - 1
	}
	if c.kind == ledger.NoneNewer {
		c.key = pick(g.r, prefixes())
		c.off = -int64(g.r.IntN(4))
	} else if g.r.IntN(5) == 0 {
		c.at, c.off = "absent", 0
	}
	return c
}

// wrong is a request that is refused for itself.
func (g *generator) wrong() step {
	s := g.commit()
	switch g.r.IntN(5) {
	case 0: // twice
		s.puts = append(s.puts, write{key: "a", value: "1"}, write{key: "a", value: "2"})
	case 1: // written and deleted
		s.puts, s.dels = append(slices.DeleteFunc(s.puts, func(w write) bool { return w.key == "c" }), write{key: "c"}), append(s.dels, "c")
	case 2: // about as many operations as there may be
		s.puts = nil
		for i := range 127 + g.r.IntN(3) - len(s.dels) {
			s.puts = append(s.puts, write{key: fmt.Sprint("many/", i)})
		}
	case 3: // as many compares
		for len(s.ifs) < 127+g.r.IntN(3) {
			s.ifs = append(s.ifs, g.condition())
		}
	case 4: // as many reads
		return step{do: "get", keys: g.some(127+g.r.IntN(3), keyNames())}
	}
	return s
}

func (s step) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "client %d: %s", s.client, s.do)
	if len(s.keys) > 0 {
		fmt.Fprintf(&b, " %q", s.keys)
	}
	if s.lease != 0 {
		fmt.Fprintf(&b, " lease %d", s.lease)
	}
	if s.ended.Lease != 0 {
		fmt.Fprintf(&b, " lease %x", s.ended.Lease)
	}
	if s.ttl != 0 {
		fmt.Fprintf(&b, " %s", s.ttl)
	}
	if s.do == "past" || s.do == "watch" || s.do == "compact" {
		fmt.Fprintf(&b, " %d revisions back", s.back)
	}
	for _, c := range s.ifs {
		fmt.Fprintf(&b, " if(%s)", c)
	}
	for _, w := range s.puts {
		fmt.Fprintf(&b, " put(%s=%q lease %d)", w.key, w.value, w.lease)
	}
	for _, k := range s.dels {
		fmt.Fprintf(&b, " delete(%s)", k)
	}
	return b.String()
}

func (c condition) String() string {
	kind := [...]string{"created at", "changed at", "none newer than"}[c.kind]
	at := "now"
	if c.at != "" {
		at = c.at
	}
	return fmt.Sprintf("%s: %s %s %s%+d", c.name, c.key, kind, at, c.off)
}
