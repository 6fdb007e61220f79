package policytest

import (
	"errors"
	"math"
	"regexp"
	"strconv"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/drwatch/drwatch/internal/replication"
)

// The series that tell of groups and sites.
const (
	groupInfo     = "drwatch_group_info"
	groupState    = "drwatch_group_state"
	groupReady    = "drwatch_group_failover_ready"
	groupLag      = "drwatch_group_replication_lag_seconds"
	groupLastSync = "drwatch_group_last_sync_timestamp_seconds"
	siteReachable = "drwatch_site_reachable"
)

// maxSamples bounds one series: the notation makes a few letters into any number.
const maxSamples = 100_000

// times finds how often a value is repeated.
var times = regexp.MustCompile(`x\s*([0-9]+)`)

// input is one series of a test.
type input struct {
	labels labels.Labels
	values []parser.SequenceValue
	every  time.Duration
}

func (in *input) name() string { return in.labels.Get(model.MetricNameLabel) }

func (in *input) is(metric, account, group string) bool {
	return in.name() == metric && in.labels.Get("account") == account && in.labels.Get("group") == group
}

// input reads one series in promtool's notation.
func (l *loader) input(t *test, form seriesForm, path []any) *input {
	if form.Series == "" || form.Values == "" {
		return nil
	}
	if _, err := l.parser.ParseMetric(form.Series); err != nil {
		l.notation(err, 0, under(path, "series"))
		return nil
	}
	total := 0
	for _, m := range times.FindAllStringSubmatch(form.Values, -1) {
		n, err := strconv.Atoi(m[1])
		if total += min(n, maxSamples+1); err != nil || total > maxSamples {
			l.errorf(under(path, "values"), "values: a series has at most %d samples", maxSamples)
			return nil
		}
	}
	ls, values, err := l.parser.ParseSeriesDesc(form.Series + " " + form.Values)
	if err != nil {
		l.notation(err, len(form.Series)+1, under(path, "values"))
		return nil
	}
	for _, v := range values {
		if v.Histogram != nil {
			l.errorf(under(path, "values"), "values: expected numbers, got a histogram")
			return nil
		}
	}
	for _, other := range t.inputs {
		if labels.Equal(other.labels, ls) {
			l.errorf(under(path, "series"), "series: %s is given twice", ls)
		}
	}
	return &input{labels: ls, values: values, every: t.Interval}
}

// notation reports what the Prometheus parser says, at its place.
func (l *loader) notation(err error, before int, path []any) {
	var list parser.ParseErrors
	if !errors.As(err, &list) || len(list) == 0 {
		l.errorf(path, "%s: %s", path[len(path)-1], err)
		return
	}
	at := l.doc.Inside(int(list[0].PositionRange.Start)-before, path...)
	l.problems.Errorf(at, "%s: not in the notation of promtool: %s", path[len(path)-1], list[0].Err)
}

// inputs looks at what the series say of groups.
func (l *loader) inputs(t *test, path []any) {
	for i, s := range t.InputSeries {
		ls, err := l.parser.ParseMetric(s.Series)
		if err != nil || ls.Get(model.MetricNameLabel) != groupInfo {
			continue
		}
		at := under(path, "input_series", i, "series")
		key := replication.GroupKey{Provider: replication.Provider(ls.Get("provider")), ID: ls.Get("group")}
		for _, name := range []string{"account", "group", "provider"} {
			if ls.Get(name) == "" {
				l.errorf(at, "series: %s needs the label %s", groupInfo, name)
			}
		}
		if key.Provider != "" {
			var names []string
			for _, p := range replication.Providers() {
				names = append(names, string(p))
			}
			l.known(string(key.Provider), names, "provider", at)
		}
		if had, ok := t.groups[key.ID]; ok && had != key {
			l.errorf(at, "series: group %q is one of %s already; in a test each has an id of its own", key.ID, had.Provider)
		}
		if key.ID != "" {
			t.groups[key.ID] = key
		}
	}
}

// newest is the series' newest sample at a moment of the test, and when it was.
// There is none after a stale, and once two intervals have passed.
func (in *input) newest(at time.Duration) (v float64, when time.Duration, ok bool) {
	now := int(at / in.every)
	for i := min(now, len(in.values)-1); i >= 0 && i >= now-2; i-- {
		when = time.Duration(i) * in.every
		switch x := in.values[i]; {
		case x.Omitted:
			continue
		case value.IsStaleNaN(x.Value) || at-when > 2*in.every:
			return math.NaN(), 0, false
		default:
			return x.Value, when, true
		}
	}
	return math.NaN(), 0, false
}
