package cloudsim

import "time"

// syncClock tells when a group last completed a synchronisation: once every
// period while it replicates, and never while it does not.
type syncClock struct {
	last    time.Time // before since; zero = never
	since   time.Time // when replication started, or a completed synchronisation
	period  time.Duration
	running bool
}

// at is the last completed synchronisation as of now.
func (s syncClock) at(now time.Time) time.Time {
	if !s.running || s.period <= 0 {
		return s.last
	}
	if full := now.Sub(s.since).Truncate(s.period); full > 0 {
		return s.since.Add(full)
	}
	return s.last
}

// set starts or stops the clock at now; what was reached stays reached.
func (s *syncClock) set(running bool, now time.Time) {
	if running == s.running {
		return
	}
	s.last = s.at(now)
	s.since = now
	s.running = running
}

// complete records a full synchronisation at now.
func (s *syncClock) complete(now time.Time) {
	s.last, s.since = now, now
}
