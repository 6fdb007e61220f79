package rulefile

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"text/template/parse"

	"github.com/prometheus/common/model"

	"github.com/drwatch/drwatch/internal/replication"
	"github.com/drwatch/drwatch/internal/strictyaml"
)

// checker checks and completes one rule. Values that could not be decoded are
// zero and are passed over: they are reported already.
type checker struct {
	*loader
	doc  *strictyaml.Document
	rule *Rule
	form ruleForm
	path []any // of the rule in the document
}

func (c *checker) all() {
	c.rule.pos = map[string]strictyaml.Pos{"": c.at()}
	for _, key := range []string{"failover", "targets", "hooks", "fence", "after", "alert", "action", "approvals"} {
		c.rule.pos[key] = c.at(key)
	}
	c.rule.Place = c.at().String()
	c.name()
	c.targets()
	c.trigger()
	c.timing()
	c.quorum()
	c.guards()
	c.fence()
	c.hook(c.form.Hooks.Before, "hooks", "before")
	c.hook(c.form.Hooks.After, "hooks", "after")
	c.annotations()
	c.dangers()
}

// at is the place of a key of the rule.
func (c *checker) at(keys ...any) strictyaml.Pos {
	return c.doc.Pos(append(slices.Clone(c.path), keys...)...)
}

func (c *checker) has(keys ...any) bool {
	return c.doc.Has(append(slices.Clone(c.path), keys...)...)
}

func (c *checker) errorf(at strictyaml.Pos, format string, args ...any) {
	c.problems.Errorf(at, "rule %q: %s", c.rule.Name, fmt.Sprintf(format, args...))
}

func (c *checker) warnf(at strictyaml.Pos, format string, args ...any) {
	c.problems.Warnf(at, "rule %q: %s", c.rule.Name, fmt.Sprintf(format, args...))
}

var nameForm = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,63}$`)

func (c *checker) name() {
	if c.rule.Name != "" && !nameForm.MatchString(c.rule.Name) {
		c.errorf(c.at("failover"), `a name is 1 to 63 letters, digits, "_" and "-"`)
	}
}

func (c *checker) trigger() {
	r := c.rule
	expr, site := c.has("expr"), c.has("site_unreachable")
	switch {
	case expr && site:
		c.errorf(c.at("site_unreachable"), "give either expr or site_unreachable, not both")
	case !expr && !site && !c.has("alert"):
		c.errorf(c.at(), "has no trigger: give expr, site_unreachable or alert")
	case !expr && !site && r.Mode == replication.Auto:
		c.errorf(c.at("alert"), "an alert is one source, however often it is sent: mode auto needs expr or site_unreachable too")
	}
	if r.SiteUnreachable != "" && !expr {
		r.Expr = "drwatch_site_reachable{site=" + strconv.Quote(r.SiteUnreachable) + "} == 0"
		c.probedSite(c.at("site_unreachable"), "site_unreachable", r.SiteUnreachable)
	}
	if expr {
		c.promql(r.Expr, "expr")
	}
	if r.Alert != "" {
		c.alert()
	}
	if r.Veto != "" {
		c.promql(r.Veto, "veto")
	}
}

// probedSite checks a site whose reachability a rule asks for.
func (c *checker) probedSite(at strictyaml.Pos, what, site string) {
	if c.known.NoConfig {
		return
	}
	s, ok := c.known.site(site)
	switch {
	case !ok:
		c.errorf(at, "%s: there is no site %q%s", what, site, strictyaml.Suggest(site, c.known.siteNames()))
	case !s.Probed:
		c.errorf(at, "%s: site %q has no probes, so that nothing tells whether it is reachable", what, site)
	}
}

func (c *checker) timing() {
	r := c.rule
	switch {
	case r.For == 0 && c.reported(c.at("for")):
	case r.For == 0 && r.Mode == replication.Auto:
		c.errorf(c.at("for"), "mode auto needs for above zero: one sample is no evidence of a loss")
	case r.For == 0:
		c.warnf(c.at("for"), "for is zero: one sample is taken for a loss")
	case r.For < r.Interval:
		c.warnf(c.at("for"), "for %s is shorter than the evaluation interval %s: one sample is taken for a loss",
			model.Duration(r.For), model.Duration(r.Interval))
	}
	if r.VetoWindow > 0 && r.Mode != replication.Auto {
		c.warnf(c.at("veto_window"), "veto_window has a meaning in mode auto only; in mode %s a person decides anyway", r.Mode)
	}
}

// reported tells whether a value could not be decoded, and is said to be wrong.
func (c *checker) reported(at strictyaml.Pos) bool {
	return slices.ContainsFunc(c.problems, func(p strictyaml.Problem) bool { return p.Pos() == at })
}

// hook checks a hook that is written at the given keys.
func (c *checker) hook(h *hookForm, keys ...any) {
	if h == nil {
		return
	}
	what := "a hook"
	if len(keys) == 1 {
		what = "a fence"
	}
	exec, http := c.has(append(slices.Clone(keys), "exec")...), c.has(append(slices.Clone(keys), "http")...)
	if exec == http {
		c.errorf(c.at(keys...), "%s is exactly one of exec: [COMMAND, ARGUMENT…] and http: {url: …}", what)
	}
	if len(h.Exec) > 0 && h.Exec[0] == "" {
		c.errorf(c.at(append(slices.Clone(keys), "exec")...), "%s needs the name of a command first in exec", what)
	}
	if h.HTTP == nil || h.HTTP.URL == "" {
		return
	}
	u, err := url.Parse(h.HTTP.URL)
	at := c.at(append(slices.Clone(keys), "http", "url")...)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		c.errorf(at, "expected a URL that starts with https:// or http:// and has a host")
	case u.User != nil:
		c.errorf(at, "a URL must not hold a user or password; give secret_file")
	}
}

var labelForm = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

// annotations checks the form of the templates; what they may call is known
// where they are expanded.
func (c *checker) annotations() {
	for key, text := range c.rule.Annotations {
		if !labelForm.MatchString(key) {
			c.errorf(c.at("annotations", key), "annotation %q: a name is letters, digits and \"_\", and begins with no digit", key)
		}
		t := parse.New(key)
		t.Mode = parse.SkipFuncCheck
		vars := "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}{{$value := .Value}}"
		if _, err := t.Parse(vars+text, "", "", map[string]*parse.Tree{}); err != nil {
			c.errorf(c.at("annotations", key), "annotation %q is not a template: %s", key, err)
		}
	}
}
