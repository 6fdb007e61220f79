package chaos_test

import (
	"bufio"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/drwatch/drwatch/internal/api"
	"github.com/drwatch/drwatch/internal/cloudsim"
	"github.com/drwatch/drwatch/internal/replication"
)

// metric is the value of a series that has no labels, as the observer exports it.
func (o *observer) metric(name string) (float64, bool) {
	resp, err := o.client().Get(o.current().url + "/metrics")
	if err != nil {
		return 0, false
	}
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if text, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			v, err := strconv.ParseFloat(text, 64)
			return v, err == nil
		}
	}
	return 0, false
}

// reports tells whether the series has that value.
func (o *observer) reports(name string, want float64) func() bool {
	return func() bool {
		v, ok := o.metric(name)
		return ok && v == want
	}
}

// diskFull: the exporter of that observer goes on and says so, it decides
// nothing, and goes on by itself when there is room. Between two crashes its
// member may be up for long enough to carry the vote: then two sites have agreed.
func diskFull(w *world) {
	o := w.observers[w.plan.disk]
	w.tell("the disk: %s", w.disk)
	w.disk.fill()
	took := w.eventually("its store is told to be down", 10*time.Second, o.reports("drwatch_store_up", 0))
	w.tell("drwatch_store_up is 0 after %.1fs", took.Seconds())
	w.lose(cloudsim.Loss{})
	acted := w.onlyWithVoteOf(o)
	if _, ok := o.metric("drwatch_store_up"); !ok {
		w.Errorf("%s exports nothing", o.name)
	}
	if !acted {
		w.restore()
	}
	w.disk.empty()
	took = w.eventually("it vouches for itself again", 60*time.Second, o.fit)
	w.tell("it vouches for itself %.1fs after there was room", took.Seconds())
	w.eventually("its store is up", 30*time.Second, o.reports("drwatch_store_up", 1))
	if acted {
		w.once(120 * time.Second)
		return
	}
	w.quiet()
	w.lose(cloudsim.Loss{})
	w.once(120 * time.Second)
}

// onlyWithVoteOf waits a while: without a go of the observer nothing is called, with
// one it is called once. It tells whether it was.
func (w *world) onlyWithVoteOf(o *observer) bool {
	w.Helper()
	<-time.After(hold + settle)
	calls := w.calls("")
	if len(calls) == 0 {
		w.untouched()
		return false
	}
	for _, i := range w.newest() {
		if !slices.ContainsFunc(i.Votes, func(v replication.Vote) bool { return v.Observer == o.name && v.Verdict == replication.Go }) {
			w.Errorf("%s was called without a vote of %s: %+v", i.Name, o.name, i.Votes)
		}
	}
	w.tell("%s vouched for itself between two crashes: %d calls", o.name, len(calls))
	return true
}

// quiet waits until all observers see the site, and no rule has any reason to act.
func (w *world) quiet() {
	w.Helper()
	g, _ := w.cloud.Group(w.ids[0])
	w.eventually("all observers see the site", 30*time.Second, func() bool {
		return !slices.ContainsFunc(w.names, func(n string) bool {
			o := w.observers[n]
			e, err := get[api.Explain](o, "explain?group="+g.Name)
			return err != nil || len(e.Rules) == 0 || e.Rules[0].State != "inactive" || !o.fit() || !o.sees(azA)
		})
	})
	<-time.After(hold + time.Second) // and for long enough to close the loss
}

// freezes is how often a freeze is tried from each observer.
const freezes = 5

// slow is how often a round comes by itself where nothing is configured.
func slow(_ string, root doc) {
	root["global"].(doc)["evaluation_interval"] = "5s"
}

// freezeFast: a freeze from any observer is known to all of them in a second, and
// so is its end. Where this machine is late for a third of the time it is not
// asked: then it is no clock.
func freezeFast(w *world) {
	for _, from := range w.names {
		var froze, thawed []time.Duration
		late := stalls()
		for range freezes {
			froze = append(froze, w.knownToAll(from, "freeze", true))
			thawed = append(thawed, w.knownToAll(from, "unfreeze", false))
		}
		stalled := late() / (2 * freezes)
		w.tell("from %s known to all: freeze %s, unfreeze %s; the machine was late by %.3fs each time", from, spread(froze), spread(thawed), stalled.Seconds())
		for _, took := range [][]time.Duration{froze, thawed} {
			if middle, limit := took[len(took)/2], time.Second+3*stalled; middle > limit { // spread has sorted them
				w.Errorf("from %s it takes %s, want at most %s", from, middle, limit)
			}
		}
	}
	w.lose(cloudsim.Loss{})
	w.once(120 * time.Second)
}

// knownToAll asks one observer, and gives how long it takes until all say so.
func (w *world) knownToAll(from, what string, frozen bool) time.Duration {
	w.Helper()
	began := time.Now()
	if err := w.observers[from].post(what, `{"reason":"a drill"}`); err != nil {
		w.Fatal(err)
	}
	var all sync.WaitGroup
	took := make([]time.Duration, len(w.names))
	for i, n := range w.names {
		all.Go(func() {
			for {
				s, err := get[api.Status](w.observers[n], "status")
				took[i] = time.Since(began)
				if err == nil && (s.Freeze != nil) == frozen || took[i] > 20*time.Second {
					return
				}
				<-time.After(10 * time.Millisecond)
			}
		})
	}
	all.Wait()
	return slices.Max(took)
}

// clockOf steps the wall clock of an observer while the hold time runs. Nothing
// comes of it: one failover, and on time.
func clockOf(name string, steps ...time.Duration) func(w *world) {
	return func(w *world) {
		late := stalls()
		w.lose(cloudsim.Loss{})
		for _, by := range steps {
			<-time.After(hold / time.Duration(len(steps)+1))
			w.observers[name].clock(by)
		}
		w.once(120 * time.Second)
		w.oneCallEach()
		claimed, called := w.took()
		stalled := late()
		w.tell("claimed %.2fs, called %.2fs after the loss; the machine was late by %.2fs", claimed.Seconds(), called.Seconds(), stalled.Seconds())
		if limit := hold + time.Second + 2*stalled; claimed < hold || claimed > limit {
			w.Errorf("claimed %s after the loss, want from %s to %s", claimed, hold, limit)
		}
	}
}

// stalls begins to add up by how much this machine is late, and returns what ends
// it and tells the sum.
func stalls() (sum func() time.Duration) {
	stop, late := make(chan struct{}), make(chan time.Duration)
	go func() {
		const step = 10 * time.Millisecond
		var all time.Duration
		for {
			began := time.Now()
			select {
			case <-stop:
				late <- all
				return
			case <-time.After(step):
				all += time.Since(began) - step
			}
		}
	}()
	return func() time.Duration { close(stop); return <-late }
}
