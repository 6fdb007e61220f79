package ebs

import (
	"time"

	"github.com/drwatch/drwatch/internal/provider"
)

// Decode is what a Reader makes of one page of groups and one of pairs, without
// a network between. ok is false when one of them is no list.
func Decode(reader provider.Reader, readAt time.Time, groups, pairs []byte) (l provider.Listing, ok bool) {
	b := newBuilder(reader.(*Reader))
	items, ok := decodeAnswer(groups).list("ReplicaGroups")
	if !ok {
		return l, false
	}
	for _, raw := range items {
		b.addGroup(raw, moment{here: readAt})
	}
	if items, ok = decodeAnswer(pairs).list("ReplicaPairs"); !ok {
		return l, false
	}
	for _, raw := range items {
		b.addPair(raw, moment{here: readAt})
	}
	return b.listing(), true
}
