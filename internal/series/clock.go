package series

import "time"

// clock turns moments into the milliseconds that PromQL counts in. With an
// epoch that carries a monotonic reading the milliseconds are monotonic too: a
// step of the wall clock neither tears a hole into a series nor shortens a hold
// timer. What PromQL's time() returns is then the wall clock at the epoch plus
// the monotonic time since.
type clock struct{ epoch time.Time }

func (c clock) milli(t time.Time) int64 {
	if c.epoch.IsZero() {
		return t.UnixMilli()
	}
	return c.epoch.UnixMilli() + t.Sub(c.epoch).Milliseconds()
}

func (c clock) time(ms int64) time.Time {
	if c.epoch.IsZero() {
		return time.UnixMilli(ms).UTC()
	}
	return c.epoch.Add(time.Duration(ms-c.epoch.UnixMilli()) * time.Millisecond).UTC()
}

// Milli is t in milliseconds on the store's clock, which is what the engine, the
// querier and all int64 times of this package count in.
func (s *Store) Milli(t time.Time) int64 { return s.clock.milli(t) }

// Time is the moment of ms on the store's clock, in UTC. With an epoch that carries
// a monotonic reading it has one too, so that what lies between it and now is not
// moved by a step of the wall clock.
func (s *Store) Time(ms int64) time.Time { return s.clock.time(ms) }
