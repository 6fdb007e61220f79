package config

import (
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/drwatch/drwatch/internal/strictyaml"
)

// checker checks what a configuration means and completes it. Values that could
// not be decoded are zero and are passed over: they are reported already.
type checker struct {
	*Config
	problems strictyaml.Problems
}

func (c *checker) all() {
	c.global()
	c.observer()
	c.coordination()
	c.sites()
	c.locations()
	c.modules()
	c.accounts()
	c.ruleFiles()
	c.notify()
	c.access()
}

// errorf reports a mistake at the value a path leads to.
func (c *checker) errorf(path []any, format string, args ...any) {
	c.problems.Errorf(c.doc.Pos(path...), format, args...)
}

func (c *checker) warnf(path []any, format string, args ...any) {
	c.problems.Warnf(c.doc.Pos(path...), format, args...)
}

// at is a path in the document.
func at(path ...any) []any { return path }

// under is a path below another.
func under(base []any, path ...any) []any { return append(slices.Clone(base), path...) }

// dotted is a path as a person writes it: accounts[0].name.
func dotted(path []any) string {
	var b strings.Builder
	for _, p := range path {
		switch p := p.(type) {
		case int:
			fmt.Fprintf(&b, "[%d]", p)
		case string:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(p)
		}
	}
	return b.String()
}

var idForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$`)

// id checks a name that ends up in URLs, store keys and labels.
func (c *checker) id(s string, path ...any) {
	if s != "" && !idForm.MatchString(s) {
		c.errorf(path, `%s: expected letters, digits, "_", "." and "-", at most 128, got %q`, dotted(path), s)
	}
}

// unique reports a name that an earlier element of the same list has.
func (c *checker) unique(seen map[string][]any, name, what string, path ...any) {
	if name == "" {
		return
	}
	if first, ok := seen[name]; ok {
		c.errorf(path, "%s: %s %q exists already, in line %d", dotted(path), what, name, c.doc.Pos(first...).Line)
		return
	}
	seen[name] = path
}

func (c *checker) global() {
	g := &c.Global
	if g.PollTimeout > g.PollInterval {
		if c.doc.Has("global", "poll_timeout") {
			c.errorf(at("global", "poll_timeout"), "global.poll_timeout: %s is longer than poll_interval %s",
				model.Duration(g.PollTimeout), model.Duration(g.PollInterval))
		}
		g.PollTimeout = g.PollInterval
	}
	for _, name := range slices.Sorted(maps.Keys(g.ExternalLabels)) {
		if !model.LegacyValidation.IsValidLabelName(name) || strings.HasPrefix(name, "__") {
			c.errorf(at("global", "external_labels", name), "global.external_labels: %q is not a label name", name)
		}
	}
}

func (c *checker) observer() {
	o := &c.Observer
	c.id(o.Name, "observer", "name")
	if o.Site != "" {
		c.siteExists(o.Site, "observer", "site")
	}
	seen := map[string][]any{}
	for i := range o.References {
		r, p := &o.References[i], at("observer", "references", i)
		c.id(r.Name, under(p, "name")...)
		c.unique(seen, r.Name, "reference", under(p, "name")...)
		c.moduleExists(r.Module, under(p, "module")...)
		r.Timeout = c.probeTimeout(r.Module, c.Global.EvaluationInterval)
	}
}

func (c *checker) siteExists(site string, path ...any) {
	var names []string
	for _, s := range c.Sites {
		names = append(names, s.Name)
	}
	if !slices.Contains(names, site) {
		c.errorf(path, "%s: no site %q in sites%s", dotted(path), site, strictyaml.Suggest(site, names))
	}
}

func (c *checker) moduleExists(module string, path ...any) {
	if _, ok := c.ProbeModules[module]; !ok && module != "" {
		names := slices.Sorted(maps.Keys(c.ProbeModules))
		c.errorf(path, "%s: no module %q in probe_modules%s", dotted(path), module, strictyaml.Suggest(module, names))
	}
}

func (c *checker) ruleFiles() {
	for i, pattern := range c.RuleFiles {
		if _, err := filepath.Match(pattern, ""); err != nil {
			c.errorf(at("rule_files", i), "rule_files[%d]: expected a path or a glob such as rules/*.yml, got %q", i, pattern)
		}
	}
}

func (c *checker) notify() {
	for i, a := range c.Notify.Alertmanagers {
		c.url(a.URL, "notify", "alertmanagers", i, "url")
	}
	for i, w := range c.Notify.Webhooks {
		c.url(w.URL, "notify", "webhooks", i, "url")
	}
}

func (c *checker) access() {
	seen := map[string][]any{}
	for i, a := range c.Access {
		c.id(a.Name, "access", i, "name")
		c.unique(seen, a.Name, "access", "access", i, "name")
	}
}

// margin is what must be left of a lease beside the action's own time-out.
const margin = 2 * time.Second
