package probe_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/probe"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// sightings makes one sighting per letter: s a fresh success, f a fresh failure,
// S and F the same but stale, u one without any result.
func sightings(kinds string) []probe.Sighting {
	var all []probe.Sighting
	for i, k := range kinds {
		s := probe.Sighting{Spec: probe.Spec{Site: "a", Name: fmt.Sprint(i), Interval: 5 * time.Second}}
		switch k {
		case 's', 'f':
			s.Result.At = noon.Add(-10 * time.Second) // just still fresh
		case 'S', 'F':
			s.Result.At = noon.Add(-10*time.Second - 1)
		}
		s.Result.Success = k == 's' || k == 'S'
		all = append(all, s)
	}
	return all
}

func word(v probe.Verdict) string {
	switch {
	case !v.Known:
		return "unknown"
	case v.Reachable:
		return "1"
	}
	return "0"
}

func TestJudge(t *testing.T) {
	for _, c := range []struct{ kinds, any, majority, all string }{
		{"", "unknown", "unknown", "unknown"},
		{"s", "1", "1", "1"},
		{"f", "0", "0", "0"},
		{"u", "unknown", "unknown", "unknown"},
		{"S", "unknown", "unknown", "unknown"},
		{"F", "unknown", "unknown", "unknown"},
		{"ss", "1", "1", "1"},
		{"sf", "1", "0", "0"},
		{"ff", "0", "0", "0"},
		{"su", "1", "unknown", "unknown"},
		{"fu", "unknown", "0", "0"},
		{"fF", "unknown", "0", "0"},
		{"fS", "unknown", "0", "0"},
		{"sS", "1", "unknown", "unknown"},
		{"uu", "unknown", "unknown", "unknown"},
		{"sss", "1", "1", "1"},
		{"ssf", "1", "1", "0"},
		{"sff", "1", "0", "0"},
		{"fff", "0", "0", "0"},
		{"ssu", "1", "1", "unknown"},
		{"sfu", "1", "unknown", "0"},
		{"ffu", "unknown", "0", "0"},
		{"suu", "1", "unknown", "unknown"},
		{"fuu", "unknown", "unknown", "0"},
		{"ssff", "1", "0", "0"},
		{"sssf", "1", "1", "0"},
		{"ssfu", "1", "unknown", "0"},
	} {
		for when, want := range map[probe.When]string{probe.Any: c.any, probe.Majority: c.majority, probe.All: c.all} {
			if got := word(probe.Judge(when, sightings(c.kinds), noon)); got != want {
				t.Errorf("%s of %q: got %s, want %s", when, c.kinds, got, want)
			}
		}
	}
}

func TestOutlook(t *testing.T) {
	for kinds, want := range map[string]string{
		"": "unknown", "s": "1", "f": "0", "u": "unknown", "sf": "1", "ff": "0", "fu": "unknown", "su": "1",
		"ssf": "1", "sff": "0", "ffu": "0", "sfu": "unknown", "ssff": "1", "sfff": "0", "FFF": "unknown",
	} {
		if got := word(probe.Outlook(sightings(kinds), noon)); got != want {
			t.Errorf("outlook of %q: got %s, want %s", kinds, got, want)
		}
	}
}

// Taking a result away, or letting it age, never turns one verdict into the
// other: it can only make it unknown.
func TestJudgeNeverFlipsByMissingData(t *testing.T) {
	letters := "sfu"
	for n := range 81 { // every combination of four probes
		kinds := ""
		for i, rest := 0, n; i < 4; i, rest = i+1, rest/3 {
			kinds += string(letters[rest%3])
		}
		for _, when := range []probe.When{probe.Any, probe.Majority, probe.All} {
			before := word(probe.Judge(when, sightings(kinds), noon))
			for i := range kinds {
				less := kinds[:i] + "u" + kinds[i+1:]
				if after := word(probe.Judge(when, sightings(less), noon)); after != before && after != "unknown" {
					t.Errorf("%s of %q is %s, but of %q it is %s", when, kinds, before, less, after)
				}
			}
		}
	}
}

func TestJudgeTellsHowLongItStands(t *testing.T) {
	fast := probe.Sighting{Spec: probe.Spec{Name: "fast", Interval: 5 * time.Second}, Result: probe.Result{At: noon}}
	slow := probe.Sighting{Spec: probe.Spec{Name: "slow", Interval: time.Minute}, Result: probe.Result{At: noon.Add(-30 * time.Second)}}
	success := func(s probe.Sighting) probe.Sighting { s.Result.Success = true; return s }
	for _, c := range []struct {
		name   string
		when   probe.When
		probes []probe.Sighting
		until  time.Time
		every  time.Duration
	}{
		{"any, both fail: until the first is too old", probe.Any, []probe.Sighting{slow, fast}, noon.Add(10 * time.Second), 5 * time.Second},
		{"any, both succeed: until the last is too old", probe.Any, []probe.Sighting{success(slow), success(fast)}, noon.Add(90 * time.Second), time.Minute},
		{"any, the slow one succeeds", probe.Any, []probe.Sighting{success(slow), fast}, noon.Add(90 * time.Second), time.Minute},
		{"all, the slow one fails", probe.All, []probe.Sighting{slow, success(fast)}, noon.Add(90 * time.Second), time.Minute},
	} {
		v := probe.Judge(c.when, c.probes, noon)
		if !v.Until.Equal(c.until) || v.Interval != c.every {
			t.Errorf("%s: until %s by the probe of %s, want %s, %s", c.name, v.Until, v.Interval, c.until, c.every)
		}
		if !probe.Judge(c.when, c.probes, v.Until).Known {
			t.Errorf("%s: not known at its own Until", c.name)
		}
		if got := probe.Judge(c.when, c.probes, v.Until.Add(1)); got.Known && got.Reachable == v.Reachable {
			t.Errorf("%s: still the same after its Until", c.name)
		}
	}
}

func TestFutureResultIsNoEvidence(t *testing.T) {
	s := sightings("f")
	s[0].Result.At = noon.Add(time.Nanosecond)
	if got := word(probe.Judge(probe.Any, s, noon)); got != "unknown" {
		t.Errorf("a result from the future gave %s", got)
	}
}
