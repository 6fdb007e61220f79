// Package policytest runs the unit tests of failover rules: a file that says what
// one observer sees, what the others say, what persons answer and what the
// provider does, and what must come of it when. It puts the real parts of an
// observer together (policy, evidence, failover, the protocol of the store) on a
// virtual clock, with the store in memory; nothing is sent anywhere and no time
// passes. It knows no flags and prints nothing by itself.
package policytest
