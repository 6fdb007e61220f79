package app

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/collectors/version"

	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/replication"
)

// metrics are what this process counts itself; what the store and the rules
// show is read from the last round instead (samples).
type metrics struct {
	incidents   *prometheus.CounterVec
	duration    *prometheus.HistogramVec
	evaluations *prometheus.HistogramVec
	failures    *prometheus.CounterVec

	archived      prometheus.Counter
	archiveErrors prometheus.Counter
	unarchived    prometheus.Gauge

	mu     sync.Mutex
	reason string    // why the last round decided nothing, "" when it did
	saidAt time.Time // when that was logged last
}

func newMetrics() *metrics {
	return &metrics{
		incidents: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "drwatch_incidents_total", Help: "Incidents that ended while this observer led.",
		}, []string{"rule", "action", "outcome"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "drwatch_failover_duration_seconds", Help: "Stages of failovers that succeeded: detect (trigger true to claim), decide (claim to intent), invoke (the call), complete (call to proof).",
			Buckets: []float64{.1, .25, .5, 1, 2.5, 5, 10, 30, 60, 180, 300, 600, 1800, 3600}, Unit: "seconds",
		}, []string{"stage"}),
		evaluations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "drwatch_rule_evaluation_duration_seconds", Help: "Time one evaluation of a rule took.",
			Buckets: []float64{.0005, .001, .005, .01, .05, .1, .5, 1, 5}, Unit: "seconds",
		}, []string{"rule"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "drwatch_rule_evaluation_failures_total", Help: "Evaluations of a rule that failed: its trigger was unknown.",
		}, []string{"rule"}),
		archived: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "drwatch_journal_archived_total", Help: "Records of ended journals that this observer has archived, durably.",
		}),
		archiveErrors: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "drwatch_journal_archive_errors_total", Help: "Attempts to write or read the archive of journals that failed, as on a full disk.",
		}),
		unarchived: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "drwatch_journal_unarchived_records", Help: "Records of ended journals that this observer has still to archive.",
		}),
	}
}

func (m *metrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{
		m.incidents, m.duration, m.evaluations, m.failures, m.archived, m.archiveErrors, m.unarchived, version.NewCollector("drwatch"),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	}
}

// expect makes the counters of a rule exist before its first incident, so that
// an increase over it is seen.
func (m *metrics) expect(rule string, action replication.Action) {
	for _, p := range []replication.Phase{replication.Succeeded, replication.Failed, replication.Ambiguous, replication.Aborted, replication.Simulated} {
		m.incidents.WithLabelValues(rule, string(action), string(p))
	}
	m.failures.WithLabelValues(rule)
}

// told counts an incident that ends.
func (m *metrics) told(f failover.Fact) {
	i := f.Incident
	if !i.Phase.Ended() {
		return
	}
	m.incidents.WithLabelValues(i.Rule, string(i.Action), string(i.Phase)).Inc()
	call := i.LastCall()
	if i.Phase != replication.Succeeded || call == nil {
		return
	}
	stage := func(name string, from, to time.Time) {
		if !from.IsZero() && !to.Before(from) {
			m.duration.WithLabelValues(name).Observe(to.Sub(from).Seconds())
		}
	}
	stage("detect", i.Trigger.Since, i.OpenedAt)
	stage("decide", i.OpenedAt, i.ExecutedAt)
	stage("invoke", call.StartedAt, call.EndedAt)
	stage("complete", call.EndedAt, i.VerifiedAt)
}

func (m *metrics) evaluated(rule string, took time.Duration, failed bool) {
	m.evaluations.WithLabelValues(rule).Observe(took.Seconds())
	c := m.failures.WithLabelValues(rule)
	if failed {
		c.Inc()
	}
}

// forget drops the series of rules that are no more.
func (m *metrics) forget(rule string) {
	m.evaluations.DeleteLabelValues(rule)
	m.failures.DeleteLabelValues(rule)
}

// roundFailed notes why nothing was decided; true when that is news, or has been
// said long ago.
func (m *metrics) roundFailed(why string, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	tell := m.reason != why || now.Sub(m.saidAt) >= time.Minute
	m.reason = why
	if tell {
		m.saidAt = now
	}
	return tell
}

func (m *metrics) roundDone() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reason = ""
}

// reloads is how the last reload went.
type reloads struct {
	mu   sync.Mutex
	ok   bool
	good time.Time
}

func (r *reloads) done(at time.Time, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ok = ok
	if ok {
		r.good = at
	}
}

func (r *reloads) state() (ok bool, good time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ok, r.good
}

func unix(t time.Time) float64 { return float64(t.UnixNano()) / float64(time.Second) }

func boolean(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
