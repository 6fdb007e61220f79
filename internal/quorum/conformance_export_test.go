package quorum

import (
	"context"
	"errors"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"github.com/drwatch/drwatch/internal/quorum/ledger"
)

// Below is a store's way to etcd, as its ledger has it.
func Below(s *Store) interface {
	ledger.KV
	ledger.Leases
} {
	return client{s.member}
}

// PageAt reads up to a page of what was at a revision, as a scan does with its later
// pages. local: the member answers without asking the others, if it has got so far.
func PageAt(ctx context.Context, s *Store, rev int64, span ledger.Span, local bool) (ledger.View, error) {
	v, _, err := client{s.member}.page(ctx, span, rev, local)
	if local && errors.Is(err, rpctypes.ErrFutureRev) {
		v, _, err = client{s.member}.page(ctx, span, rev, false)
	}
	return v, err
}
