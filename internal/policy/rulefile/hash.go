package rulefile

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// SiteData is what an observer knows of a site that decides how it judges it.
type SiteData struct {
	Name          string
	ReachableWhen string
	Locations     []string // "region/zone"
	Probes        []ProbeData
}

// ProbeData is one probe of a site.
type ProbeData struct {
	Name     string
	Module   string // the definition in one canonical form, not its name
	Target   string
	Interval time.Duration
}

// Hash identifies how an observer judges a rule: the rule, its interval, the
// sites it names with their probes and modules, and the evaluator's version.
// Votes under different hashes never add up. It does not depend on how the rule
// is written down: not on the order of keys or matchers, nor on space in
// expressions, nor on the file or its folder. sites are all that are
// configured; those that the rule does not name do not count.
func Hash(r *Rule, evaluatorVersion string, sites []SiteData) string {
	p := parser.NewParser(parser.Options{})
	plain := *r
	plain.Group, plain.Place, plain.TargetsText, plain.pos = "", "", "", nil
	plain.Targets = nil
	plain.Expr, plain.Veto = canonical(p, r.Expr), canonical(p, r.Veto)
	plain.Guards.Expr = make([]string, len(r.Guards.Expr))
	for i, e := range r.Guards.Expr {
		plain.Guards.Expr[i] = canonical(p, e)
	}
	if ms, err := p.ParseMetricSelector(r.Alert); err == nil {
		plain.Alert = matchersKey(ms)
	}
	plain.Fence.Hook = withoutPath(r.Fence.Hook)
	plain.Hooks = Hooks{withoutPath(r.Hooks.Before), withoutPath(r.Hooks.After)}
	plain.After = slices.Sorted(slices.Values(r.After))
	b, err := json.Marshal(struct {
		Evaluator string
		Rule      Rule
		Targets   string
		Sites     []SiteData
	}{evaluatorVersion, plain, matchersKey(r.Targets), named(p, r, sites)})
	if err != nil {
		panic(fmt.Sprintf("hash of rule %q: %v", r.Name, err)) // plain data always encodes
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

// withoutPath drops where the secret lies, which differs by host.
func withoutPath(h *Hook) *Hook {
	if h == nil {
		return nil
	}
	out := *h
	out.SecretFile = ""
	return &out
}

// canonical is an expression as the Prometheus parser prints it.
func canonical(p parser.Parser, text string) string {
	if text == "" {
		return ""
	}
	expr, err := p.ParseExpr(text)
	if err != nil {
		return strings.TrimSpace(text)
	}
	return expr.String()
}

// named are the sites a rule names, in its targets or in an expression over
// sites, sorted.
func named(p parser.Parser, r *Rule, sites []SiteData) []SiteData {
	selectors := siteMatchers(r.Targets)
	for _, text := range append([]string{r.Expr, r.Veto}, r.Guards.Expr...) {
		expr, err := p.ParseExpr(text)
		if err != nil {
			continue
		}
		parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
			if v, ok := n.(*parser.VectorSelector); ok && aboutSites(v.Name) {
				selectors = append(selectors, onSite(v.LabelMatchers))
			}
			return nil
		})
	}
	var out []SiteData
	for _, s := range sites {
		if slices.ContainsFunc(selectors, func(ms []*labels.Matcher) bool { return matchAll(ms, s.Name) }) {
			out = append(out, sortedSite(s))
		}
	}
	slices.SortFunc(out, func(a, b SiteData) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// aboutSites tells whether a metric is made by the probes of sites. A selector
// without a name may be.
func aboutSites(metric string) bool {
	return metric == "" || strings.HasPrefix(metric, "drwatch_site_") || strings.HasPrefix(metric, "drwatch_probe_")
}

// onSite are the matchers on the site, or one that matches every site.
func onSite(ms []*labels.Matcher) []*labels.Matcher {
	var out []*labels.Matcher
	for _, m := range ms {
		if m.Name == "site" {
			out = append(out, m)
		}
	}
	if len(out) == 0 {
		out = append(out, labels.MustNewMatcher(labels.MatchNotEqual, "site", ""))
	}
	return out
}

// siteMatchers are the positive matchers of targets on a site, each by itself:
// a rule names the active site and the target site. An exclusion names nothing
// that the rule judges.
func siteMatchers(ms []*labels.Matcher) [][]*labels.Matcher {
	var out [][]*labels.Matcher
	for _, m := range ms {
		if strings.HasSuffix(m.Name, "_site") && !m.Matches("") {
			out = append(out, []*labels.Matcher{m})
		}
	}
	return out
}

func matchAll(ms []*labels.Matcher, site string) bool {
	for _, m := range ms {
		if !m.Matches(site) {
			return false
		}
	}
	return true
}

func sortedSite(s SiteData) SiteData {
	s.Locations = slices.Sorted(slices.Values(s.Locations))
	s.Probes = slices.SortedFunc(slices.Values(s.Probes), func(a, b ProbeData) int { return strings.Compare(a.Name, b.Name) })
	return s
}
