// Package alerts is what this observer knows of the alerts that Alertmanager has
// sent to it. It writes them into the observer's own history as the series
// ALERTS, where rules read them as they read the samples of a probe: 1 while an
// alert fires, 0 once it is resolved, and nothing when it has not been repeated
// for MaxAge.
//
// It decides nothing. What a delivery means does not hang on how often it comes,
// nor on which of several Alertmanagers sends it, nor on the order in which they
// come: see alert.
package alerts

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/drwatch/drwatch/internal/series"
)

// Metric is the name of the series. Each alert has one, with the alert's labels
// and alertstate="firing", as in the Prometheus server that it comes from.
const Metric = "ALERTS"

// StateLabel and Firing are the label that Prometheus tells firing alerts from
// pending ones by.
const (
	StateLabel = "alertstate"
	Firing     = "firing"
)

// MaxAge is how long an alert counts as firing after it came last (protocol §1:
// alert_max_age).
const MaxAge = 10 * time.Minute

// Bounds on what is kept. Alerts that no rule asks for are not kept at all.
const (
	MaxAlerts     = 2000
	MaxLabelBytes = 16 << 10 // of the names and values of one alert
)

// refreshEvery is how often a firing alert that is repeated gets a sample: a
// thousand copies within a second are one.
const refreshEvery = time.Second

// resolvedFor is how long a resolved alert is known to be no longer firing; the
// history's retention ends it sooner.
const resolvedFor = 24 * time.Hour

// ErrNotTaken is in the error of Receive for alerts that could not be kept. All
// others of the same call were.
var ErrNotTaken = errors.New("alert not taken")

// Alert is one alert of one delivery.
type Alert struct {
	Labels   map[string]string
	Firing   bool // else it is resolved
	StartsAt time.Time
	EndsAt   time.Time // of a resolved one; Alertmanager gives none for a firing one
}

// Options of a Book. All are required.
type Options struct {
	Series *series.Store
	Now    func() time.Time // with a monotonic reading
	Logger *slog.Logger
}

// Book keeps the alerts. Safe for concurrent use.
type Book struct {
	o       Options
	changed chan struct{}

	mu     sync.Mutex
	wanted [][]*labels.Matcher
	alerts map[string]*alert
}

// New makes a Book that knows of no alert and wants none.
func New(o Options) *Book {
	return &Book{o: o, changed: make(chan struct{}, 1), alerts: map[string]*alert{}}
}

// Want says which alerts rules ask for: those that any of the selectors matches.
// What is asked for anew is known once it is sent again.
func (b *Book) Want(selectors [][]*labels.Matcher) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wanted = selectors
}

// Changed tells that an alert began to fire, or was resolved.
func (b *Book) Changed() <-chan struct{} { return b.changed }

// Receive takes one delivery into account. Its alerts count as this observer's
// own evidence from now on, by this observer's clock.
func (b *Book) Receive(delivery []Alert) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.o.Now()
	var heard []*alert
	var errs []error
	for _, a := range delivery {
		ls := seriesLabels(a.Labels)
		if !b.wants(ls) {
			continue
		}
		x, err := b.known(ls, now)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		x.hear(a, now)
		heard = append(heard, x)
	}
	// Only now: what one delivery says of an alert is one thing.
	for _, x := range heard {
		if x.show(b.o.Series, now) {
			b.told(x)
		}
	}
	if err := errors.Join(errs...); err != nil {
		b.o.Logger.Warn("alerts that rules ask for could not be kept", "count", len(errs), "err", errs[0])
		return err
	}
	return nil
}

// Summary is what is known of the alerts that a selector matches.
type Summary struct {
	Firing   int
	Resolved int
	Silent   int       // said to fire, and not repeated for MaxAge
	Heard    time.Time // when one of them came last; zero when none has
}

// Summary counts the alerts that all matchers match.
func (b *Book) Summary(ms []*labels.Matcher) Summary {
	b.mu.Lock()
	defer b.mu.Unlock()
	var s Summary
	now := b.o.Now()
	for _, x := range b.alerts {
		if !matches(ms, x.labels) {
			continue
		}
		s.Heard = later(s.Heard, x.touched)
		switch {
		case x.firing(now):
			s.Firing++
		case x.over():
			s.Resolved++
		default:
			s.Silent++
		}
	}
	return s
}

// told logs what changed and wakes who waits for it.
func (b *Book) told(x *alert) {
	state := "resolved"
	if x.shown == 1 {
		state = Firing
	}
	b.o.Logger.Info("alert", "state", state, "labels", x.labels.String(), "starts_at", x.starts, "ended_at", x.ended)
	select {
	case b.changed <- struct{}{}:
	default:
	}
}

func (b *Book) wants(ls labels.Labels) bool {
	for _, ms := range b.wanted {
		if matches(ms, ls) {
			return true
		}
	}
	return false
}

func matches(ms []*labels.Matcher, ls labels.Labels) bool {
	for _, m := range ms {
		if !m.Matches(ls.Get(m.Name)) {
			return false
		}
	}
	return true
}

// known is the alert with these labels, made when there is none yet.
func (b *Book) known(ls labels.Labels, now time.Time) (*alert, error) {
	key := ls.String()
	if x := b.alerts[key]; x != nil {
		return x, nil
	}
	if len(key) > MaxLabelBytes {
		return nil, fmt.Errorf("%w: the labels of alert %q have over %d bytes", ErrNotTaken, ls.Get(model.AlertNameLabel), MaxLabelBytes)
	}
	if len(b.alerts) >= MaxAlerts && !b.forgetOne(now) {
		return nil, fmt.Errorf("%w: %d alerts that rules ask for are firing already; narrow `alert` in the rules", ErrNotTaken, MaxAlerts)
	}
	x := &alert{labels: ls, source: "alert " + key, shown: never}
	b.alerts[key] = x
	return x, nil
}

// forgetOne makes room: of the alerts that do not fire, the one that was heard of
// longest ago goes.
func (b *Book) forgetOne(now time.Time) bool {
	oldest := ""
	for key, x := range b.alerts {
		if !x.firing(now) && (oldest == "" || x.touched.Before(b.alerts[oldest].touched)) {
			oldest = key
		}
	}
	delete(b.alerts, oldest)
	return oldest != ""
}

// seriesLabels is the labels of an alert's series. An empty value is an absent
// label, as everywhere in Prometheus.
func seriesLabels(of map[string]string) labels.Labels {
	b := labels.NewBuilder(labels.EmptyLabels())
	for name, value := range of {
		b.Set(name, value)
	}
	b.Set(model.MetricNameLabel, Metric)
	b.Set(StateLabel, Firing)
	return b.Labels()
}
