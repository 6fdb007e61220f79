package chaos_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/api"
	"github.com/drwatch/drwatch/internal/cloudsim"
	"github.com/drwatch/drwatch/internal/replication"
)

// losses is how often each figure is taken.
const losses = 15

// TestHowLongDecisionsTake loses the site again and again, with a group of its
// own each time, and tells how long beyond the hold time a claim and its call
// took. It is a measurement: it fails only when something is not failed over.
func TestHowLongDecisionsTake(t *testing.T) {
	if !*long {
		return // main tells that it is left out
	}
	for _, every := range []time.Duration{500 * time.Millisecond, 100 * time.Millisecond} {
		t.Run("probes every "+every.String(), func(t *testing.T) { measure(t, every) })
	}
}

func measure(t *testing.T, every time.Duration) {
	w := newWorld(t, plan{groups: one, probes: every})
	w.begin()
	var claims, calls, decided, sent []time.Duration
	for n := range losses {
		if n > 0 {
			w.anew(n)
		}
		<-time.After(rand.N(every)) // a site dies at any moment
		w.lose(cloudsim.Loss{})
		w.eventually("the group is failed over", 60*time.Second, w.moved)
		claimed, called := w.took()
		claims, calls = append(claims, claimed-hold), append(calls, called-hold)
		agreed := w.agreed()
		decided = append(decided, w.lost.Add(claimed).Sub(agreed))
		sent = append(sent, w.lost.Add(called).Sub(agreed))
		w.count(1)
		w.restore()
	}
	w.tell("%d losses, beyond the hold time of %s, from the loss: claim %s, call %s; from when the last vote that was needed stood: claim %s, call %s",
		losses, hold, spread(claims), spread(calls), spread(decided), spread(sent))
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
