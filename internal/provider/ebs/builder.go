package ebs

import (
	"encoding/json"

	"github.com/drwatch/drwatch/internal/provider"
)

// builder makes a Listing of the items of both lists. A page boundary that
// moves while it is read can tell an item twice: each id counts once.
type builder struct {
	r      *Reader
	bad    map[string]int
	groups []group
	known  map[string]bool   // group ids
	pairs  map[string][]pair // by group
	seen   map[string]bool   // pair ids
	lost   int               // pairs that could not be read
}

func newBuilder(r *Reader) *builder {
	return &builder{r: r, bad: map[string]int{}, known: map[string]bool{}, pairs: map[string][]pair{}, seen: map[string]bool{}}
}

// count notes the fields of an item that could not be read.
func (b *builder) count(call, idField string, raw json.RawMessage) func(field string) {
	tell := b.r.unread(call, idField, raw)
	return func(field string) {
		b.bad[field]++
		tell(field)
	}
}

func (b *builder) addGroup(raw json.RawMessage, at moment) {
	if g, ok := b.r.parseGroup(raw, at, b.count(describeGroups, "ReplicaGroupId", raw)); ok && !b.known[g.Key.ID] {
		b.known[g.Key.ID] = true
		b.groups = append(b.groups, g)
	}
}

func (b *builder) addPair(raw json.RawMessage, at moment) {
	p, err := parsePair(raw, at, b.count(describePairs, "ReplicaPairId", raw))
	switch {
	case err != nil:
		b.lost++
	case p.group != "" && !b.seen[p.id]:
		b.seen[p.id] = true
		b.pairs[p.group] = append(b.pairs[p.group], p)
	}
}

func (b *builder) listing() provider.Listing {
	l := provider.Listing{Bad: b.bad}
	for _, g := range b.groups {
		l.Groups = append(l.Groups, g.finish(b.pairs[g.Key.ID], b.lost))
	}
	return l
}
