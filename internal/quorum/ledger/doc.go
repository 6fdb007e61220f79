// Package ledger holds the transactions of drwatch's protocol: what is read
// together, what each write compares, which keys it changes and how the journal
// is chained. It speaks to any store that has revisions, leases and
// multi-key transactions (KV); etcd is one, the model in quorumtest another, so
// that both run the very same protocol. It knows nothing of processes, networks
// or clouds, starts no goroutine, and decides nothing: whether to act is asked
// elsewhere.
package ledger
