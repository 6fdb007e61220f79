package probe

import (
	"cmp"
	"slices"
	"time"
)

// When says how many of a site's probes must succeed for it to be reachable.
type When string

// The values of reachable_when.
const (
	Any      When = "any"      // one of them
	Majority When = "majority" // more than half
	All      When = "all"      // every one
)

// Sighting is the last that is known of one probe.
type Sighting struct {
	Spec   Spec
	Result Result // its At is zero when there is none yet
}

// Until is the last moment at which the result is fresh: two intervals after
// it was found, as every series of drwatch looks back twice its own interval.
func (s Sighting) Until() time.Time { return s.Result.At.Add(2 * s.Spec.Interval) }

// Fresh tells whether the result may be used as evidence at now. A result from
// the future is no evidence.
func (s Sighting) Fresh(now time.Time) bool {
	return !s.Result.At.IsZero() && !now.Before(s.Result.At) && !now.After(s.Until())
}

// Verdict is what fresh results say together. The zero Verdict is "not known".
type Verdict struct {
	Known     bool
	Reachable bool // only when Known
	// Until is the last moment at which the verdict stands without a newer
	// result, and Interval is that of the probe whose result then gets too old.
	Until    time.Time
	Interval time.Duration

	Successes, Failures, Unknown int // probes by what is fresh of them
}

// Judge is the verdict on a site from the last results of all its probes: it is
// reachable when as many as `when` wants have a fresh success, and unreachable
// when so many have a fresh failure that the others could not make it up.
// Anything between is not known, as is a site without probes. Taking a result
// away or letting it age can therefore only make a verdict unknown; it never
// turns one verdict into the other.
func Judge(when When, probes []Sighting, now time.Time) Verdict {
	need := 1
	switch when {
	case Any:
	case Majority:
		need = len(probes)/2 + 1
	case All:
		need = len(probes)
	}
	return judge(need, probes, now)
}

// Outlook is the verdict on the observer's own references: reachable means that
// it sees the world, unreachable that most references fail and the observer is
// the isolated one.
func Outlook(references []Sighting, now time.Time) Verdict {
	return judge(len(references)-len(references)/2, references, now)
}

// judge finds the verdict and how long it stands: it lets the fresh results age
// away, oldest first, until the verdict is another.
func judge(need int, probes []Sighting, now time.Time) Verdict {
	fresh := make([]Sighting, 0, len(probes))
	for _, p := range probes {
		if p.Fresh(now) {
			fresh = append(fresh, p)
		}
	}
	v := count(need, len(probes), fresh)
	if !v.Known {
		return v
	}
	slices.SortFunc(fresh, func(a, b Sighting) int {
		return cmp.Or(a.Until().Compare(b.Until()), cmp.Compare(a.Spec.Interval, b.Spec.Interval))
	})
	for i, p := range fresh {
		if left := count(need, len(probes), fresh[i+1:]); !left.Known || left.Reachable != v.Reachable {
			v.Until, v.Interval = p.Until(), p.Spec.Interval
			break
		}
	}
	return v
}

func count(need, all int, fresh []Sighting) Verdict {
	v := Verdict{Unknown: all - len(fresh)}
	for _, p := range fresh {
		if p.Result.Success {
			v.Successes++
		} else {
			v.Failures++
		}
	}
	switch {
	case all == 0:
	case v.Successes >= need:
		v.Known, v.Reachable = true, true
	case all-v.Failures < need:
		v.Known = true
	}
	return v
}
