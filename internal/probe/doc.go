// Package probe tells whether a site is reachable from here. It runs the
// probers of blackbox_exporter on their intervals, keeps nothing but its own
// pace, and judges a site by the fresh results of its probes. It knows no
// cloud, no group and no rule; who asks holds the results.
//
// A result is said only of a try that was really made and that this process was
// awake to see: a probe that could not be tried, or whose deadline passed while
// the process stood still, gives no result at all. Missing data is unknown,
// never "unreachable".
package probe
