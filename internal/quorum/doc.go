// Package quorum is the coordination store on etcd: one embedded member as a
// supervised child process of the same binary, and the protocol's transactions
// (package ledger) over a client of it. It knows how to start, watch and end the
// child, how to tell "refused" from "no answer", and whether the store is still
// the one that it knew. What is read and compared is ledger's, whether to act is
// failover's.
//
// A full disk, a corrupt log or a crash of etcd ends the child and never the
// parent: calls then fail fast with a sentence that says why, and the child is
// started again with back-off.
package quorum
