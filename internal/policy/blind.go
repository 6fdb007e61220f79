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

// until is up to when production may have been good, 0 when it was watched as it went.
// Where it was bad before nobody looked and bad after, that is believed, unless the
// provider has told since, at copied, that something was copied: it may have come
// back and gone again.
func (b *blind) until(copied int64) int64 {
	if b.back != 0 && copied >= b.again {
		return b.back
	}
	return b.first
}

// copying is when the provider told a later synchronisation of a group than before.
type copying struct {
	last time.Time // the newest that was told
	at   int64     // when it was first told here; 0: none was told before it
}

func (c *copying) look(last time.Time, ms int64) {
	if !last.After(c.last) {
		return
	}
	if !c.last.IsZero() {
		c.at = ms
	}
	c.last = last
}
