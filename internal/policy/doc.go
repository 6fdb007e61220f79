// Package policy makes votes: it evaluates failover rules with the Prometheus
// engine on this observer's own history, keeps their hold timers, and says for
// each rule and group what this observer thinks of it and why.
//
// What it may not do is guess. A missing sample, a sample that is not a number
// and a query that fails are unknown: never true, never a guard that holds,
// never a reason for a timer to go on. It knows no cloud, no other observer and
// no store but the series; what the votes lead to is decided elsewhere.
package policy
