package failover

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/drwatch/drwatch/internal/replication"
)

// Change would flip the verdict of one condition.
type Change struct {
	Condition string
	Text      string // for a person: what would have to be, with numbers
}

// judged is a condition with the change that would flip its verdict. It is made
// where the verdict is, so that the two cannot tell different things.
type judged struct {
	replication.Condition
	// flip is the change in words: what one that does not hold wants, or how little
	// is left of one that holds; "" for one that holds with nothing to measure.
	flip string
	// far is the size of the change, as a share of the threshold; what is only yes
	// or no counts as a whole.
	far float64
}

// wants is a yes-or-no condition with what it needs where it does not hold. The
// need is put into words only then: most conditions hold, in each round.
func wants(c replication.Condition, need func() string) judged {
	if c.OK {
		return judged{Condition: c}
	}
	return judged{Condition: c, flip: need(), far: 1}
}

// always is a need that is the same for all.
func always(need string) func() string { return func() string { return need } }

// asShown adds conditions that others have judged: what they want is their
// threshold.
func asShown(all []judged, who string, cs []replication.Condition) []judged {
	for _, c := range cs {
		all = append(all, wants(c, func() string { return who + " must show " + c.Threshold }))
	}
	return all
}

// nearest are the changes that would flip a decision, the smallest first. A no
// needs all of them, one for each condition that blocks; of a yes each alone would
// make a no.
func nearest(all []judged, act bool) []Change {
	near := make([]*judged, 0, 8)
	for i := range all {
		if c := &all[i]; c.OK == act && c.flip != "" {
			near = append(near, c)
		}
	}
	slices.SortStableFunc(near, func(x, y *judged) int { return cmp.Compare(x.far, y.far) })
	out := make([]Change, len(near))
	for i, c := range near {
		out[i] = Change{Condition: c.Name, Text: c.flip}
	}
	return out
}

// share is a part of a limit; of no limit everything is a whole.
func share[N int | time.Duration](part, limit N) float64 {
	if limit <= 0 {
		return 1
	}
	return float64(part) / float64(limit)
}

// count is a number with its noun, of which one is the singular.
func count(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + more
}

// exact is a duration for a person that is never shown as none: it is rounded up
// to the millisecond.
func exact(d time.Duration) string {
	if r := d.Truncate(time.Millisecond); r < d {
		d = r + time.Millisecond
	}
	if d >= time.Minute { // seconds keeps no more than whole ones there
		d = (d + time.Second - 1).Truncate(time.Second)
	}
	return seconds(d)
}

func and(names []string) string {
	if n := len(names); n > 1 {
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
	return strings.Join(names, "")
}
