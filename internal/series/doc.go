// Package series is the last minutes of drwatch's own samples, in memory, as a
// Prometheus storage.Queryable for the PromQL engine.
//
// It knows when a sample stopped being true: each series is fresh for twice the
// interval of its own source and stale after that, whatever the engine's
// look-back is, and it is stale at once when its source ends or leaves it out.
// It knows no rule, no group and no clock: every time is given by the caller.
package series
