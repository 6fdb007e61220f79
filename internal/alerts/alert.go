package alerts

import (
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/drwatch/drwatch/internal/series"
)

// never is what is shown of an alert of which there is no sample yet.
const never = -1

// alert is what is known of one alert. Alertmanagers say four things of it:
// whether it fires, since when, until when, and they say it again and again. The
// newest begin (starts) and the newest end (ended) are kept, whoever told them:
// the alert fires when it began after it last ended. Both are times of whoever
// raised the alert and are compared with each other alone, never with this
// observer's clock. So copies, late ones, and any order of deliveries come to the
// same.
//
// When it was heard of is this observer's own time, and monotonic.
type alert struct {
	labels labels.Labels
	source string // in the history

	starts time.Time
	ended  time.Time
	heard  time.Time // when it was last heard to fire
	// renewed: it was resolved in between, and nobody told us.
	renewed bool

	// An alert that is said to have ended may be said to fire on since before. One
	// who says so once has sent something old. One who goes on to say so for a
	// whole MaxAge means it: an Alertmanager resolves by itself what Prometheus
	// could not send it for some minutes, and then has it back as it was.
	insisting run
	again     bool

	touched time.Time // when anything of it came last
	shown   int       // 1, 0, or never
	shownAt time.Time
}

// run is a stretch of deliveries without a gap of MaxAge.
type run struct{ since, last time.Time }

// hear takes one delivery into account.
func (x *alert) hear(a Alert, now time.Time) {
	x.touched = now
	if !a.Firing {
		x.end(later(a.StartsAt, a.EndsAt))
		return
	}
	switch {
	case !a.EndsAt.IsZero() && !a.EndsAt.After(now):
		return // it says itself that it is over
	case a.StartsAt.After(x.ended):
		x.renewed = x.renewed || !x.starts.IsZero() && a.StartsAt.After(x.starts)
		x.starts = later(x.starts, a.StartsAt)
	case !x.insists(now):
		return
	}
	x.heard = now
}

// end takes an end into account, unless it is an old one.
func (x *alert) end(at time.Time) {
	if at.After(x.ended) {
		x.ended, x.again, x.insisting = at, false, run{}
	}
}

// insists tells whether an alert that has ended is said to fire on for so long
// now that it is no copy that came late.
func (x *alert) insists(now time.Time) bool {
	if x.insisting.last.IsZero() || now.Sub(x.insisting.last) >= MaxAge {
		x.insisting.since, x.again = now, false
	}
	x.insisting.last = now
	x.again = x.again || now.Sub(x.insisting.since) >= MaxAge
	return x.again
}

// over tells that the alert has ended, as far as is known.
func (x *alert) over() bool { return !x.ended.IsZero() && !x.starts.After(x.ended) && !x.again }

func (x *alert) firing(now time.Time) bool {
	return !x.over() && !x.heard.IsZero() && now.Sub(x.heard) < MaxAge
}

// show writes into the history what has changed; true when that is news and not
// a repetition.
func (x *alert) show(store *series.Store, now time.Time) bool {
	was := x.shown == 1 && now.Sub(x.shownAt) < MaxAge
	switch {
	case x.over() && x.shown != 0:
		x.put(store, now, 0, resolvedFor)
		return true
	case !x.firing(now):
		return false
	case was && x.renewed:
		x.put(store, now, 0, resolvedFor)
	case was && now.Sub(x.shownAt) < refreshEvery:
		return false
	}
	news := !was || x.renewed
	x.renewed = false
	x.put(store, now, 1, MaxAge)
	return news
}

// put writes a sample that counts for so long. Each has a moment of its own, so
// that none is lost.
func (x *alert) put(store *series.Store, at time.Time, v int, counts time.Duration) {
	if next := x.shownAt.Add(time.Millisecond); !x.shownAt.IsZero() && at.Before(next) {
		at = next
	}
	x.shown, x.shownAt = v, at
	store.Append(x.source, at, counts/2, []series.Sample{{Labels: x.labels, Value: float64(v)}})
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
