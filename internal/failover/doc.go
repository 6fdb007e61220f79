// Package failover decides and acts. The decision is a pure function of one
// snapshot (Decide): no I/O, no clock, no goroutine; it returns every condition
// with its value, its threshold and its verdict, so "why" and "why not" need no
// second code path. The Controller takes snapshots, claims incidents in the
// coordination store, and drives each incident to its end: intent, call,
// outcome, proof by the provider. It speaks to the store, the rules and the
// clouds through the small interfaces of ports.go and knows none of them.
package failover
