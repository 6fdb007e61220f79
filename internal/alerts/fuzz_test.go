package alerts_test

import (
	"fmt"
	"math"
	"testing"
	"time"
)

// FuzzDeliveries: what is known of alerts does not hang on how often a delivery comes,
// and nothing fires that nobody has said to fire.
func FuzzDeliveries(f *testing.F) {
	f.Add([]byte{0, 0, 10, 0, 1, 1, 10, 40})
	f.Add([]byte{0, 0, 10, 0, 200, 0, 10, 0, 200, 0, 10, 0, 1, 1, 5, 20, 1, 0, 10, 0})
	f.Add([]byte{0, 2, 255, 255, 0, 3, 255, 0, 9, 4, 0, 0, 9, 5, 0, 255})
	f.Fuzz(func(t *testing.T, script []byte) {
		if len(script) > 400 {
			return
		}
		once, often := newDesk(t), newDesk(t)
		var after time.Duration
		said := map[string]bool{}
		for ; len(script) >= 4; script = script[4:] {
			after += time.Duration(script[0]) * 5 * time.Second
			name := fmt.Sprintf("Down%d", script[1]/2%3)
			since, until := moment(script[2]), moment(script[3])
			a := resolved(name, since, until)
			if script[1]%2 == 0 {
				a, said[name] = firing(name, since), true
			}
			once.at(after).receive(a)
			often.at(after).receive(a, a)
			often.at(after).receive(a)
			for _, name := range []string{"Down0", "Down1", "Down2"} {
				one, many := once.say(name, after+time.Second), often.say(name, after+time.Second)
				if one != many {
					t.Fatalf("%s after %s: %q when each delivery comes once, %q when it comes three times", name, after, one, many)
				}
				if one == "1" && !said[name] {
					t.Fatalf("%s fires, and nobody has said so", name)
				}
			}
		}
	})
}

// moment is a time of whoever raises the alert, at the ends of what a time can be as well.
func moment(b byte) time.Duration {
	switch b {
	case 255:
		return math.MaxInt64
	case 254:
		return math.MinInt64
	}
	return time.Duration(b) * 10 * time.Second
}
