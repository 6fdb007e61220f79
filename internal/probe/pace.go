package probe

import "time"

// remembered is how many rounds Pace.Rounds tells of.
const remembered = 5

// catchUp is how many rounds must be on time again after a gap (protocol §1).
const catchUp = 3

// Pace tells whether a probe's rounds come when they should: the observer's
// measure of its own health, whatever the probes find.
type Pace struct {
	ID       ID
	Interval time.Duration
	Last     time.Time     // start of the last round; of the loop, before its first round
	Gap      time.Duration // between the starts of the last two rounds
	Behind   int           // rounds that must still be on time until the loop counts as on time
	Rounds   []time.Time   // ends of the newest rounds with a result, oldest first, at most five
	Untried  int64         // rounds without a result: earlier tries still hang, or the process stood still
}

// Stalled tells whether the loop cannot vouch for its results at now: no round
// for over twice the interval, or fewer than three rounds on time since.
func (p Pace) Stalled(now time.Time) bool {
	return p.Behind > 0 || now.Sub(p.Last) > 2*p.Interval
}

// round notes that a round starts at now.
func (p *Pace) round(now time.Time) {
	p.Gap = now.Sub(p.Last)
	p.Last = now
	switch {
	case p.Gap > 2*p.Interval:
		p.Behind = catchUp
	case p.Behind > 0:
		p.Behind--
	}
}

// ended notes that the round under way gave a result.
func (p *Pace) ended(now time.Time) {
	p.Rounds = append(p.Rounds[max(0, len(p.Rounds)-remembered+1):len(p.Rounds):len(p.Rounds)], now)
}

// lost notes that the round under way gives no result.
func (p *Pace) lost() {
	p.Untried++
	p.Behind = catchUp
}
