package rulefile

import (
	"errors"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/drwatch/drwatch/internal/strictyaml"
)

// targetLabels are the labels of drwatch_group_info.
var targetLabels = []string{
	"account", "group", "provider", "name", "region", "source_site", "target_site", "active_site", "raw_status",
}

const groupInfo = "drwatch_group_info"

// targets parses the matchers and refuses labels that groups do not have: a
// matcher on one would match nothing, or everything.
func (c *checker) targets() {
	if c.rule.TargetsText == "" {
		return
	}
	at, before := c.at("targets"), len(c.problems)
	for _, m := range c.selector(c.rule.TargetsText, "targets") {
		switch {
		case m.Name == model.MetricNameLabel && m.Type == labels.MatchEqual && m.Value == groupInfo:
			continue
		case m.Name == model.MetricNameLabel:
			c.errorf(at, "targets are matchers over %s, expected no other metric name", groupInfo)
			continue
		case !slices.Contains(targetLabels, m.Name):
			hint := strictyaml.Suggest(m.Name, targetLabels)
			if hint == "" {
				hint = ", expected one of " + strings.Join(targetLabels, ", ")
			}
			c.errorf(at, "targets: %s has no label %q%s", groupInfo, m.Name, hint)
			continue
		}
		c.rule.Targets = append(c.rule.Targets, m)
		c.matchesSomething(m)
	}
	if len(c.rule.Targets) == 0 && len(c.problems) == before {
		c.errorf(at, `targets match every group there is: name some, for example {active_site="az-a"}`)
	}
}

// alert checks the matchers over alerts. They must name some: an observer that
// took any alert for evidence would act on one about its own disk.
func (c *checker) alert() {
	before, names := len(c.problems), false
	for _, m := range c.selector(c.rule.Alert, "alert") {
		if m.Name == model.MetricNameLabel {
			c.errorf(c.at("alert"), "alert: an alert's name is its label alertname: {alertname=%q}", m.Value)
		}
		names = names || !m.Matches("")
	}
	if !names && len(c.problems) == before {
		c.errorf(c.at("alert"), `alert matches every alert there is: name some, for example {alertname="SiteDown"}`)
	}
}

// selector parses matchers such as {a="b"}.
func (c *checker) selector(text, key string) []*labels.Matcher {
	ms, err := c.parser.ParseMetricSelector(text)
	if err != nil {
		c.syntax(err, "matchers", key)
		return nil
	}
	return ms
}

// promql checks an expression: its form, and that what it asks for exists.
func (c *checker) promql(text string, keys ...any) {
	expr, err := c.parser.ParseExpr(text)
	if err != nil {
		c.syntax(err, "PromQL", keys...)
		return
	}
	what := keys[0].(string)
	if len(keys) > 1 {
		what = "guards.expr"
	}
	if expr.Type() != parser.ValueTypeVector {
		c.errorf(c.at(keys...), "%s: expected an expression that gives an instant vector, got a %s", what, expr.Type())
	}
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		if v, ok := n.(*parser.VectorSelector); ok {
			c.series(v, what, keys)
		}
		return nil
	})
}

// series checks one selector of an expression: its metric, and the site that it
// asks about. A misspelt site in a veto would never veto.
func (c *checker) series(v *parser.VectorSelector, what string, keys []any) {
	at := c.inside(int(v.PosRange.Start), keys)
	if v.Name != "" && len(c.known.Metrics) > 0 && !slices.Contains(c.known.Metrics, v.Name) {
		c.warnf(at, "%s: drwatch has no metric %q%s: it never has a sample, and no sample is never true", what, v.Name,
			strictyaml.Suggest(v.Name, c.known.Metrics))
	}
	if v.Name != "drwatch_site_reachable" && v.Name != "drwatch_probe_success" {
		return
	}
	for _, m := range v.LabelMatchers {
		if m.Name == "site" && m.Type == labels.MatchEqual {
			c.probedSite(at, what, m.Value)
		}
	}
}

// syntax reports what the Prometheus parser says, at its place in the file.
func (c *checker) syntax(err error, language string, keys ...any) {
	var list parser.ParseErrors
	if !errors.As(err, &list) || len(list) == 0 {
		c.errorf(c.at(keys...), "%s is not valid %s: %s", keys[0], language, err)
		return
	}
	first := list[0]
	c.errorf(c.inside(int(first.PositionRange.Start), keys), "%s is not valid %s: %s", keys[0], language, first.Err)
}

func (c *checker) inside(offset int, keys []any) strictyaml.Pos {
	return c.doc.Inside(offset, append(slices.Clone(c.path), keys...)...)
}

// matchesSomething warns of a matcher that nothing in the configuration can
// satisfy.
func (c *checker) matchesSomething(m *labels.Matcher) {
	if c.known.NoConfig {
		return
	}
	have := c.values(m.Name)
	if have == nil || slices.ContainsFunc(have, m.Matches) {
		return
	}
	hint := ""
	if m.Type == labels.MatchEqual {
		hint = strictyaml.Suggest(m.Value, have)
	}
	c.warnf(c.at("targets"), "targets match nothing: no %s in the configuration is %s%s", m.Name, m, hint)
}

// values are all values a label can have by the configuration, nil when the
// configuration does not tell.
func (c *checker) values(label string) []string {
	out := []string{}
	switch label {
	case "account":
		for _, a := range c.known.Accounts {
			out = append(out, a.Name)
		}
	case "provider":
		for _, a := range c.known.Accounts {
			out = append(out, string(a.Provider))
		}
	case "active_site", "source_site", "target_site":
		out = append(out, c.known.siteNames()...)
	default:
		return nil
	}
	return out
}
