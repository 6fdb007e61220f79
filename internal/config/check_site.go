package config

import (
	"maps"
	"slices"
	"strings"

	"github.com/prometheus/common/model"

	"github.com/drwatch/drwatch/internal/strictyaml"
)

func (c *checker) sites() {
	seen := map[string][]any{}
	for i := range c.Sites {
		s, p := &c.Sites[i], at("sites", i)
		c.id(s.Name, under(p, "name")...)
		c.unique(seen, s.Name, "site", under(p, "name")...)
		probes := map[string][]any{}
		for j := range s.Probes {
			c.probe(&s.Probes[j], probes, under(p, "probes", j))
		}
	}
}

func (c *checker) probe(p *Probe, seen map[string][]any, path []any) {
	c.id(p.Name, under(path, "name")...)
	c.unique(seen, p.Name, "probe", under(path, "name")...)
	c.moduleExists(p.Module, under(path, "module")...)
	p.Timeout = c.probeTimeout(p.Module, p.Interval)
	if p.Timeout > p.Interval {
		c.errorf(under(path, "interval"), "%s: %s is shorter than the timeout %s of module %q",
			dotted(under(path, "interval")), model.Duration(p.Interval), model.Duration(p.Timeout), p.Module)
	}
}

// locations checks that no location belongs to two sites: its groups would
// stand in one of them by chance.
func (c *checker) locations() {
	type owner struct {
		site string
		path []any
	}
	seen := map[Location]owner{}
	for i, s := range c.Sites {
		for j, l := range s.Locations {
			path := at("sites", i, "locations", j)
			c.id(l.Region, under(path, "region")...)
			c.id(l.Zone, under(path, "zone")...)
			if first, ok := seen[l]; ok {
				c.errorf(path, "%s: region %q zone %q is a location of site %q already, in line %d",
					dotted(path), l.Region, l.Zone, first.site, c.doc.Pos(first.path...).Line)
				continue
			}
			seen[l] = owner{s.Name, path}
		}
	}
}

// probers are the kinds of probe that blackbox_exporter has.
var probers = []string{"http", "tcp", "icmp", "dns", "grpc", "unix"}

func (c *checker) modules() {
	for _, name := range slices.Sorted(maps.Keys(c.ProbeModules)) {
		m, p := c.ProbeModules[name], at("probe_modules", name)
		c.id(name, p...)
		switch {
		case m.Prober == "":
			if !c.broken(p) {
				c.errorf(p, "probe_modules.%s: %q is required, one of %s", name, "prober", strings.Join(probers, ", "))
			}
		case !slices.Contains(probers, m.Prober):
			c.errorf(under(p, "prober"), "probe_modules.%s.prober: expected one of %s, got %q%s",
				name, strings.Join(probers, ", "), m.Prober, strictyaml.Suggest(m.Prober, probers))
		}
		if m.Timeout < 0 {
			c.errorf(under(p, "timeout"), "probe_modules.%s.timeout: must not be negative, got %s", name, m.Timeout)
		}
	}
}

// broken tells whether the file gives a module a prober that decoding lost,
// because something else in the module is wrong.
func (c *checker) broken(module []any) bool {
	return c.doc.Has(under(module, "prober")...)
}
