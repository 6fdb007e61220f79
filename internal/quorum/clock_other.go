//go:build !linux

package quorum

import "time"

// SinceBoot is the given clock: its monotonic part is all there is here, and
// the wall clock is looked at besides.
func SinceBoot(now func() time.Time) func() time.Duration {
	start := now()
	return func() time.Duration { return now().Sub(start) }
}
