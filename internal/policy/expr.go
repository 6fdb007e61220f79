package policy

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/drwatch/drwatch/internal/alerts"
	"github.com/drwatch/drwatch/internal/policy/rulefile"
)

// expr is a checked PromQL expression and what it reads.
type expr struct {
	text      string
	selectors []selector
	// told, of an alert: what asks whether anything is known of it, be it firing
	// or resolved. "" for any other expression.
	told string
	last *remembered // nil: it is asked each time
}

// selector is one vector selector of an expression: what it reads, and how far
// back.
type selector struct {
	matchers []*labels.Matcher
	offset   time.Duration // its own and that of the subqueries around it
	window   time.Duration // its range and those of the subqueries around it
}

// use says what an expression is for: what is asked of it differs.
type use int

const (
	asEvidence use = iota // a trigger or a guard: must rest on samples
	asVeto                // may also speak up because samples are missing
)

// parse checks that the expression is one that drwatch can rest a decision on.
func parse(text string, u use) (expr, error) {
	e := expr{text: text}
	root, err := parser.NewParser(parser.Options{}).ParseExpr(text)
	if err != nil {
		return e, fmt.Errorf("expression %q: %w", text, err)
	}
	if root.Type() != parser.ValueTypeVector {
		return e, fmt.Errorf("expression %q gives a %s; write one that gives an instant vector, such as a comparison of a metric", text, parser.DocumentedType(root.Type()))
	}
	var problems []error
	refuse := func(format string, args ...any) {
		problems = append(problems, fmt.Errorf("expression %q: "+format, append([]any{text}, args...)...))
	}
	var window time.Duration
	parser.Inspect(root, func(n parser.Node, path []parser.Node) error {
		switch n := n.(type) {
		case *parser.Call:
			if u == asEvidence && (n.Func.Name == "absent" || n.Func.Name == "absent_over_time") {
				refuse("%s() is true when samples are missing, and missing samples never count as evidence; compare a metric instead", n.Func.Name)
			}
		case *parser.MatrixSelector:
			window = n.Range
		case *parser.SubqueryExpr:
			refuseTime(refuse, n.Timestamp != nil || n.StartOrEnd != 0, n.OriginalOffset)
			if steps := stepsOf(n, path); steps > maxSteps {
				refuse("the subquery %s would be evaluated %d times, at most %d are allowed; take a shorter range or a longer step", n.String(), steps, maxSteps)
			}
		case *parser.VectorSelector:
			refuseTime(refuse, n.Timestamp != nil || n.StartOrEnd != 0, n.OriginalOffset)
			if finds(n.LabelMatchers, alerts.Metric) {
				refuse("it reads %s, and an alert is evidence of one source; name it in the rule's `alert`", alerts.Metric)
			}
			s := newSelector(n, window, path)
			if back := atMost(max(s.offset, 0), s.window); s.offset > maxHistory || s.window > maxHistory || back > maxHistory {
				refuse("it looks back over %s, at most %s are kept", model.Duration(back), model.Duration(maxHistory))
			}
			e.selectors = append(e.selectors, s)
			window = 0
		}
		return nil
	})
	if timeless(root) {
		e.last = &remembered{}
	}
	if len(e.selectors) == 0 {
		refuse("it reads no metric; name one")
	}
	return e, errors.Join(problems...)
}

func refuseTime(refuse func(string, ...any), pinned bool, offset time.Duration) {
	if pinned {
		refuse("the @ modifier pins an evaluation to one moment; leave it out")
	}
	if offset < 0 {
		refuse("a negative offset reads the future; leave it out")
	}
}

func newSelector(n *parser.VectorSelector, window time.Duration, path []parser.Node) selector {
	s := selector{matchers: n.LabelMatchers, offset: n.OriginalOffset, window: window}
	for _, p := range path {
		if sub, ok := p.(*parser.SubqueryExpr); ok {
			s.offset = atMost(s.offset, sub.OriginalOffset)
			s.window = atMost(s.window, sub.Range)
		}
	}
	return s
}

// Bounds on what an expression may ask: the history is in memory, and the engine takes
// memory for all steps of a subquery before it looks at its own bounds.
const (
	maxHistory = 366 * 24 * time.Hour
	maxSteps   = 100_000
)

// stepsOf is how often the inside of a subquery is evaluated: over its own range and
// those of the subqueries around it.
func stepsOf(n *parser.SubqueryExpr, path []parser.Node) time.Duration {
	step, over := n.Step, n.Range
	if step <= 0 {
		step = subqueryStep
	}
	for _, p := range path {
		if around, ok := p.(*parser.SubqueryExpr); ok {
			over = atMost(over, around.Range)
		}
	}
	return over / step
}

// atMost is the sum of two durations, or the longest there is.
func atMost(a, b time.Duration) time.Duration {
	if a > 0 && b > math.MaxInt64-a {
		return math.MaxInt64
	}
	return a + b
}

// program is a rule with its expressions parsed.
type program struct {
	triggers []expr // all must hold
	vetoes   []expr // any speaks against
	guards   []expr
}

func compile(r rulefile.Rule) (program, error) {
	var p program
	var problems []error
	take := func(dst *[]expr, text string, u use) {
		e, err := parse(text, u)
		if err != nil {
			problems = append(problems, fmt.Errorf("rule %s: %w", r.Name, err))
		}
		*dst = append(*dst, e)
	}
	if r.Expr != "" {
		take(&p.triggers, r.Expr, asEvidence)
		if name := hearsay(p.triggers[0]); name != "" {
			problems = append(problems, fmt.Errorf("rule %s: expression %q reads %s: what rules and other observers say is no evidence of an observer's own; name what they judge by", r.Name, r.Expr, name))
		}
	}
	if r.Alert != "" {
		a, err := parseAlert(r.Alert)
		if err != nil {
			problems = append(problems, fmt.Errorf("rule %s: %w", r.Name, err))
		}
		p.triggers = append(p.triggers, a)
	}
	if len(p.triggers) == 0 {
		problems = append(problems, fmt.Errorf("rule %s has no trigger: give it expr, site_unreachable or alert", r.Name))
	}
	if r.VetoAny && r.Veto != "" {
		take(&p.vetoes, r.Veto, asVeto)
	}
	if r.VetoAny && r.SiteUnreachable != "" {
		take(&p.vetoes, fmt.Sprintf("%s{site=%q} == 1", siteReachable, r.SiteUnreachable), asVeto)
	}
	for _, g := range r.Guards.Expr {
		take(&p.guards, g, asEvidence)
	}
	return p, errors.Join(problems...)
}

// Check tells why a rule cannot be evaluated: an expression that does not parse,
// gives no vector, reads no metric, or rests on missing samples. Nil when it
// can. All problems at once.
func Check(r rulefile.Rule) error {
	_, err := compile(r)
	return err
}

// RequiredHistory is how far back the rules look: the longest range with its
// offset, plus as long as a lost sample is remembered, which is the rule's `for`
// or `keep_firing_for`. The store needs that much, and twice the slowest
// interval. A rule that Check refuses counts for nothing.
func RequiredHistory(rules []rulefile.Rule) time.Duration {
	var need time.Duration
	for _, r := range rules {
		p, err := compile(r)
		if err != nil {
			continue
		}
		for _, list := range [][]expr{p.triggers, p.vetoes, p.guards} {
			for _, e := range list {
				for _, s := range e.selectors {
					need = max(need, atMost(s.offset+s.window, max(r.For, r.KeepFiringFor)))
				}
			}
		}
	}
	return need
}
