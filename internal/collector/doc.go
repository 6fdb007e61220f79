// Package collector keeps what this observer sees: it polls the accounts,
// runs the probes, holds the newest state as one immutable snapshot, feeds the
// same samples to the series store and to /metrics, and reads single groups
// afresh for whoever acts on them.
//
// It knows no vendor, no rule and no vote. A poll that failed never replaces
// the last good state, and data that is missing gives no sample: silence is
// never turned into a verdict.
package collector
