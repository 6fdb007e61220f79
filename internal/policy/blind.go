package policy

import "time"

// blind is what an observer did not see of a site, or of a trigger, since it last knew
// production to be good: stretches without samples, in which it may have been so for
// longer. A sample that is taken away must not make what is lost look smaller
// (invariant 6). Times are milliseconds on the store's clock.
type blind struct {
	// first is the first moment it was known to be bad, when samples were missing
	// between that and the last good one; 0: they were not.
	first int64
	// again and back are the last stretch between two bad ones: its beginning, and the
	// first moment behind it; 0: there was none.
	again, back int64
}

// ends takes in a stretch without samples, from and to; good: what came before it was.
func (b *blind) ends(from, to int64, good bool) {
	if good {
		b.first = to
		return
	}
	b.again, b.back = from, to
}

// copying is what the provider told of a group's synchronisations, and what that says
// of the stretches in which nobody looked.
type copying struct {
	last time.Time // the newest that was told
	// base is the newest that was told while production was known to be good, and
	// baseAt when.
	base   time.Time
	baseAt int64
	// sign is when one was told that was made after production had been known to be bad.
	sign int64
	// until is up to when production may have been good for that; 0: no sign came of it.
	until int64
}

// copySlack is by how much a synchronisation may be newer than it should without being
// a sign: providers round, and clocks differ.
const copySlack = 5 * time.Second

// look takes in the last synchronisation as it is told now; good is the last moment
// production was known to be good, bad that it is known not to be. A poll may tell late
// what was copied before production went: only what is more than there was to copy until
// then is a sign that it came back.
func (c *copying) look(last time.Time, now, good int64, bad bool) {
	if !last.After(c.last) {
		return
	}
	c.last = last
	if !bad {
		c.base, c.baseAt = last, now
	}
	if c.base.IsZero() {
		return
	}
	until := max(time.Duration(good-c.baseAt)*time.Millisecond, 0)
	if last.Sub(c.base) > until+copySlack {
		c.sign = now
	}
}

// goodUntil is up to when production may have been good, 0 when it was watched as it
// went. Where it was bad before nobody looked and bad after, that is believed, unless
// the provider has told since that something was copied: it may have come back and gone
// again. What was once so stays so, whatever is not seen later.
func (c *copying) goodUntil(b blind, good int64) int64 {
	if b.back != 0 && c.sign >= b.again {
		c.until = max(c.until, b.back)
	}
	if c.until > good {
		return max(b.first, c.until)
	}
	return b.first
}
