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

// DecodeFacts is what SlowFacts makes of one page of pairs and one of drills.
// ok is false when one of them is no list.
func DecodeFacts(pairs, drills []byte) (expiries []provider.Expiry, statuses []string, ok bool) {
	items, ok := decodeAnswer(pairs).list("ReplicaPairs")
	if !ok {
		return nil, nil, false
	}
	for _, raw := range items {
		if e, ok := parseExpiry(raw); ok {
			expiries = append(expiries, e)
		}
	}
	if items, ok = decodeAnswer(drills).list("Drills"); !ok {
		return nil, nil, false
	}
	for _, raw := range items {
		if _, status, ok := parseDrill(raw, func(string) {}); ok {
			statuses = append(statuses, status)
		}
	}
	return expiries, statuses, true
}

// EndpointOf is where the Actor's calls go, as the SDK is told.
func EndpointOf(a provider.Actor) (scheme, domain string) {
	c := a.(*Actor).c
	return c.scheme, c.domain
}

// EndpointOfAssumer is EndpointOf for an Assumer.
func EndpointOfAssumer(a *Assumer) (scheme, domain string) { return a.client.scheme, a.client.domain }
