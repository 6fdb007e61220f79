// Package quorumtest is the coordination store in memory, for tests of what
// stands on it: the same protocol code as the real one, over a model of etcd's
// keys, revisions and leases. It starts no goroutine and takes its time from the
// given clock, so it runs under testing/synctest; faults are injected by name.
package quorumtest
