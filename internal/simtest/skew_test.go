package simtest_test

import (
	"testing"
	"time"
)

// skewed is by how much a clock may be wrong here: more than what may pass between
// an intent and its first byte, less than what a lag may be.
const skewed = 20 * time.Second

// TestStoriesOfWrongClocks: a tenth of the same stories, with clocks that each tell another
// time. What is promised is promised all the same: windows run on what passes, and
// what the provider's time decides is decided by the provider's clock.
func TestStoriesOfWrongClocks(t *testing.T) {
	playAll(t, max(*seeds/10, 1), func(seed uint64) plan {
		p := draw(seed)
		p.skew = skewed
		return p
	})
}
