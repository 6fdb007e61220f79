package policy

import (
	"fmt"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/drwatch/drwatch/internal/alerts"
	"github.com/drwatch/drwatch/internal/policy/rulefile"
)

// parseAlert makes the matchers of a rule's `alert` a trigger over the alerts
// that this observer was sent.
func parseAlert(text string) (expr, error) {
	ms, err := alertMatchers(text)
	if err != nil {
		return expr{}, err
	}
	written := make([]string, len(ms))
	for i, m := range ms {
		written[i] = m.String()
	}
	told := "{" + strings.Join(written, ",") + "}"
	s := selector{matchers: ms, window: alerts.MaxAge}
	return expr{text: told + " == 1", told: told, selectors: []selector{s}}, nil
}

// alertMatchers are those of a rule's `alert`, and what makes them match the
// series of alerts only.
func alertMatchers(text string) ([]*labels.Matcher, error) {
	ms, err := parser.NewParser(parser.Options{}).ParseMetricSelector(text)
	if err != nil {
		return nil, fmt.Errorf("alert %q: %w", text, err)
	}
	for _, m := range ms {
		if m.Name == model.MetricNameLabel {
			return nil, fmt.Errorf("alert %q names a metric; an alert's name is its label %s: {%s=%q}", text, model.AlertNameLabel, model.AlertNameLabel, m.Value)
		}
	}
	return append(ms,
		labels.MustNewMatcher(labels.MatchEqual, model.MetricNameLabel, alerts.Metric),
		labels.MustNewMatcher(labels.MatchEqual, alerts.StateLabel, alerts.Firing)), nil
}

// finds tells whether a selector can find the series of a metric.
func finds(ms []*labels.Matcher, metric string) bool {
	for _, m := range ms {
		if m.Name == model.MetricNameLabel && !m.Matches(metric) {
			return false
		}
	}
	return true
}

// hearsay is a metric that a trigger reads and that tells what rules, and the
// votes of all observers, have come to. Over it an alert alone, or the go of one
// observer, would become the evidence of each. "" when there is none.
func hearsay(trigger expr) string {
	for _, s := range trigger.selectors {
		for _, metric := range []string{"drwatch_rule_active", "drwatch_rule_votes", "drwatch_guard_blocked", "drwatch_incidents_open"} {
			if finds(s.matchers, metric) {
				return metric
			}
		}
	}
	return ""
}

// WantedAlerts are the alerts that the rules ask for, as selectors of series. A
// rule that Check refuses asks for none.
func WantedAlerts(rules []Loaded) [][]*labels.Matcher {
	var out [][]*labels.Matcher
	for _, l := range rules {
		if l.Rule.Alert == "" {
			continue
		}
		if ms, err := alertMatchers(l.Rule.Alert); err == nil {
			out = append(out, ms)
		}
	}
	return out
}

// TriggerText is what a rule waits for, for people and records.
func TriggerText(r rulefile.Rule) string {
	switch {
	case r.Alert == "":
		return r.Expr
	case r.Expr == "":
		return "alert " + r.Alert
	}
	return r.Expr + " and alert " + r.Alert
}
