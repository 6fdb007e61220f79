package policy

import (
	"math"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/drwatch/drwatch/internal/series"
)

// siteWatch follows drwatch_site_reachable over all samples, for longer than the
// store keeps them.
type siteWatch map[string]*site

type site struct {
	seen    int64 // newest sample taken in
	last    float64
	upSince int64 // reachable without a break since; 0: not known to be
	lastUp  int64 // newest sample that said so; 0: none
	hole    int64 // samples are missing since; 0: they are not
	blind   blind
}

// update takes in the samples up to at.
func (w siteWatch) update(store *series.Store, at int64) {
	name := labels.MustNewMatcher(labels.MatchEqual, model.MetricNameLabel, siteReachable)
	for _, s := range store.Select(0, at, name) {
		name := s.Labels.Get("site")
		if name == "" {
			continue
		}
		x := w[name]
		if x == nil {
			x = &site{}
			w[name] = x
		}
		for _, p := range s.Points {
			if p.T > x.seen {
				x.take(p)
			}
		}
	}
}

// take looks at one sample, or at the marker of a hole. A marker at the end of a
// series may still be taken back by a sample at that very time, so it does not
// count as seen.
func (x *site) take(p series.Point) {
	if math.IsNaN(p.V) {
		x.upSince = 0
		if x.hole == 0 {
			x.hole = p.T
		}
		return
	}
	hole, was := x.hole, x.last
	x.seen, x.last, x.hole = p.T, p.V, 0
	if p.V != 1 {
		x.upSince = 0
		if hole != 0 {
			x.blind.ends(hole, p.T, was == 1)
		}
		return
	}
	x.lastUp, x.blind = p.T, blind{}
	if x.upSince == 0 {
		x.upSince = p.T
	}
}

func (w siteWatch) up(at int64) map[string]time.Duration {
	out := make(map[string]time.Duration, len(w))
	for name, x := range w {
		out[name] = 0
		if x.upSince != 0 {
			out[name] = time.Duration(at-x.upSince) * time.Millisecond
		}
	}
	return out
}

// down is the sites whose newest sample says that they are not reachable. A
// sample that went missing keeps its word for `keep` milliseconds.
func (w siteWatch) down(at, keep int64) map[string]bool {
	out := map[string]bool{}
	for name, x := range w {
		out[name] = x.seen != 0 && x.last == 0 && (x.hole == 0 || at-x.hole < keep)
	}
	return out
}
