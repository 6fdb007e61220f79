package quorum

import (
	"time"

	"golang.org/x/sys/unix"
)

// SinceBoot is CLOCK_BOOTTIME, which goes on while the machine sleeps. Where the
// kernel refuses it, the given clock stands in.
func SinceBoot(now func() time.Time) func() time.Duration {
	start := now()
	return func() time.Duration {
		var ts unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
			return now().Sub(start)
		}
		return time.Duration(ts.Nano())
	}
}
