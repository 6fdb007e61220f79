package quorum_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drwatch/drwatch/internal/quorum/ledger"
)

// What is too large for one request is refused alike, and beyond what our client sends
// it is not known to either that nothing was written. The sizes keep away from the
// very border, which etcd draws by how it encodes a request.
func TestLargeRequestsAlike(t *testing.T) {
	t.Parallel()
	r := &rounds{T: t, etcd: newOnEtcd(t)}
	l := r.begin()
	for _, kib := range []int{500, 1450, 1600, 1950, 2200, 4000} {
		txn := ledger.Txn{If: []ledger.Compare{{Name: "x", Kind: ledger.ChangedAt, Key: l.prefix + "large"}}}
		for i := range 10 {
			txn.Puts = append(txn.Puts, ledger.Put{Key: l.prefix + fmt.Sprint(kib, "/", i), Value: make([]byte, kib<<10/10)})
		}
		try := func(on underTest) answer {
			res, err := on.client(0).Commit(t.Context(), txn)
			return answer{Err: kindOf(err), Result: ledger.Result{OK: res.OK, Failed: res.Failed}}
		}
		mod := try(l.model)
		etcd := try(l.real)
		for n := 1; n < tries && unanswered(etcd.Err, mod.Err); n++ {
			etcd = try(l.real)
		}
		if diff := cmp.Diff(mod, etcd, alike()); diff != "" {
			t.Errorf("%d KiB (-model +etcd):\n%s", kib, diff)
		}
	}
}
