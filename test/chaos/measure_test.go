package chaos_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/api"
	"github.com/drwatch/drwatch/internal/cloudsim"
	"github.com/drwatch/drwatch/internal/replication"
)

// losses is how often each figure is taken, and beside tells that Redis Sentinel
// is to take turns with us.
var (
	losses = flag.Int("chaos.losses", 15, "how often a measurement loses the site")
	beside = flag.Bool("chaos.measure", false, "measure how long decisions take, in turn with Redis Sentinel")
)

// TestHowLongDecisionsTake loses the site again and again, with a group of its
// own each time, and tells how long beyond the hold time a claim and its call
// took. It is a measurement: it fails only when something is not failed over.
func TestHowLongDecisionsTake(t *testing.T) {
	if !*long && !*beside {
		return // main tells that it is left out
	}
	if *beside {
		needRedis(t)
	}
	for _, every := range []time.Duration{100 * time.Millisecond, 500 * time.Millisecond} {
		t.Run("probes every "+every.String(), func(t *testing.T) { measure(t, every) })
	}
}

// spans are how long beyond the hold time something took, over many losses.
type spans map[string][]time.Duration

func (s spans) add(name string, d time.Duration) { s[name] = append(s[name], d) }

// of is the middle and the worst of one.
func (s spans) of(name string) string { return name + " " + spread(s[name]) }

func (s spans) middle(name string) float64 {
	ds := slices.Sorted(slices.Values(s[name]))
	return ds[len(ds)/2].Seconds()
}

func measure(t *testing.T, every time.Duration) {
	w := newWorld(t, plan{groups: one, probes: every})
	w.begin()
	took := spans{}
	for n := range *losses {
		if n > 0 {
			w.anew(n)
		}
		<-time.After(rand.N(every)) // a site dies at any moment
		w.lose(cloudsim.Loss{})
		w.eventually("the group is failed over", 60*time.Second, w.moved)
		w.measured(n, took)
		w.count(1)
		w.restore()
		if *beside {
			t.Run(fmt.Sprintf("sentinel %d", n), func(t *testing.T) { measureSentinel(t, took) })
		}
	}
	w.tell("%d losses each, the process killed and connections refused, beyond the hold time of %s, probes every %s: %s; %s; from when the last vote that was needed stood: %s; %s",
		*losses, hold, every, took.of("claim"), took.of("call"), took.of("claim by votes"), took.of("call by votes"))
	if *beside {
		w.tell("Redis Sentinel in turn with it, down-after %s: %s; %s; ours/theirs by p50: claim/authorised %.2f, call/writable %.2f", hold, took.of("authorised"), took.of("writable"),
			took.middle("claim")/took.middle("authorised"), took.middle("call")/took.middle("writable"))
	}
}

// late is from when on a loss is told with all that is known of it.
const late = 350 * time.Millisecond

// measured takes down how long the loss took. When each observer began to say go
// tells what one that was late waited for.
func (w *world) measured(n int, took spans) {
	w.Helper()
	claimed, called := w.took()
	agreed := w.agreed()
	took.add("claim", claimed-hold)
	took.add("call", called-hold)
	took.add("claim by votes", w.lost.Add(claimed).Sub(agreed))
	took.add("call by votes", w.lost.Add(called).Sub(agreed))
	if claimed-hold < late && called-hold < 2*late {
		return
	}
	w.tell("loss %d was late: claim %s, call %s beyond the hold time", n, claimed-hold, called-hold)
	for _, v := range w.newest()[w.ids[0]].Votes {
		w.tell("  %s says %s since %s after the hold time", v.Observer, v.Verdict, v.Since.Sub(w.lost)-hold)
	}
	for _, name := range w.names {
		for _, line := range w.observers[name].loggedSince(w.lost) {
			w.tell("  %s %s", name, line)
		}
	}
}

// loggedSince is what the observer has logged from a moment on, each line with its
// time after it.
func (o *observer) loggedSince(from time.Time) []string {
	b, err := os.ReadFile(o.log)
	if err != nil {
		return []string{err.Error()}
	}
	var out []string
	for line := range strings.Lines(string(b)) {
		stamp, rest, _ := strings.Cut(strings.TrimPrefix(line, "time="), " ")
		if at, err := time.Parse(time.RFC3339Nano, stamp); err == nil && at.After(from) {
			out = append(out, at.Sub(from).String()+" "+strings.TrimSpace(rest))
		}
	}
	return out
}

func measureSentinel(t *testing.T, took spans) {
	s := newSentinels(t)
	<-time.After(rand.N(time.Second)) // of its pings
	authorised, writable := s.lose()
	took.add("authorised", authorised-hold)
	took.add("writable", writable-hold)
}

// anew waits until the site is back for all, and adds a group that stands there.
func (w *world) anew(n int) {
	w.Helper()
	id := w.addSDRS(fmt.Sprintf("more-%d", n))
	w.ids = []string{id}
	g, _ := w.cloud.Group(id)
	w.eventually("all observers see the site and the new group", 60*time.Second, func() bool {
		for _, name := range w.names {
			o := w.observers[name]
			e, err := get[api.Explain](o, "explain?group="+g.Name)
			if err != nil || len(e.Rules) == 0 || e.Rules[0].State != "inactive" || !o.fit() || !o.sees(azA) {
				return false
			}
		}
		return true
	})
	<-time.After(hold + time.Second) // and for long enough to close the loss
}

func (o *observer) sees(site string) bool {
	s, err := get[api.Status](o, "status")
	return err == nil && slices.ContainsFunc(s.Sites, func(s api.Site) bool { return s.Name == site && s.Reachable != nil && *s.Reachable })
}

// agreed is when the last of the votes that were counted became a go.
func (w *world) agreed() time.Time {
	var last time.Time
	for _, v := range w.newest()[w.ids[0]].Votes {
		if v.Verdict == replication.Go && v.Since.After(last) {
			last = v.Since
		}
	}
	return last
}

// spread is the middle and the worst.
func spread(ds []time.Duration) string {
	slices.Sort(ds)
	return fmt.Sprintf("p50 %.3fs max %.3fs", ds[len(ds)/2].Seconds(), ds[len(ds)-1].Seconds())
}
