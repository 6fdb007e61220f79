package policy

// hold is the timer of one rule and target. Times are milliseconds on the
// store's clock, which is monotonic.
type hold struct {
	active   bool // the trigger is true, or bridged, since `since`
	since    int64
	bridging bool    // the last moment was bridged
	value    float64 // of the last true sample

	pausedAt int64 // the last moment that was known, while unknown ones follow
	paused   bool
	seen     int64 // the last moment that was known

	isFalse    bool // the trigger is known false since falseSince
	falseSince int64
	lastFalse  int64 // the last moment it was known false; 0: never
	isTrue     bool  // the last moment that was known, it was
	dark       int64 // nothing is known since; 0: something is
	blind      blind // since lastFalse
}

// step takes one moment into account. Moments come in order of time, except
// those of samples that came late: a late one that contradicts resets as well.
func (h *hold) step(t int64, is truth, v float64) {
	h.look(t, is)
	if is == truthUnknown {
		if !h.paused {
			h.paused, h.pausedAt = true, h.seen
		}
		h.isFalse = false
		return
	}
	switch is {
	case truthYes:
		h.resume(t)
		if !h.active {
			// Not before what is known already: a late sample must not jump
			// over a contradiction that came after it.
			h.active, h.since = true, max(t, h.seen)
		}
		h.bridging, h.value, h.isFalse = false, v, false
	case truthBridged:
		h.resume(t)
		h.bridging, h.isFalse = true, false
	default:
		h.reset()
		if is == truthNo {
			if !h.isFalse {
				h.isFalse, h.falseSince = true, t
			}
			h.lastFalse = max(h.lastFalse, t)
		} else {
			h.isFalse = false
		}
	}
	h.seen = max(h.seen, t)
}

// look keeps what was not seen of the trigger since it was last known false.
func (h *hold) look(t int64, is truth) {
	switch is {
	case truthYes:
		if h.dark != 0 {
			h.blind.ends(h.dark, t, !h.isTrue)
		}
		h.isTrue, h.dark = true, 0
	case truthNo:
		h.isTrue, h.dark, h.blind = false, 0, blind{}
	default:
		if h.dark == 0 {
			h.dark = t
		}
	}
}

// resume ends a stretch of unknown moments: the timer did not run meanwhile.
func (h *hold) resume(t int64) {
	if h.paused && h.active {
		h.since += max(t-h.pausedAt, 0)
	}
	h.paused = false
}

func (h *hold) reset() { h.active, h.bridging, h.paused = false, false, false }

// held is for how long the trigger has been true at t.
func (h *hold) held(t int64) int64 {
	if !h.active {
		return 0
	}
	return t - h.since
}
