package app

import (
	"errors"
	"log/slog"
	"reflect"
	"slices"
	"time"

	"github.com/drwatch/drwatch/internal/collector"
	"github.com/drwatch/drwatch/internal/config"
	"github.com/drwatch/drwatch/internal/policy"
	"github.com/drwatch/drwatch/internal/policy/rulefile"
	"github.com/drwatch/drwatch/internal/replication"
	"github.com/drwatch/drwatch/internal/strictyaml"
)

// loaded is a configuration with its rules, whole and checked.
type loaded struct {
	config   *config.Config
	rules    []policy.Loaded
	warnings strictyaml.Problems
}

// warn tells what was accepted and deserves a look.
func (l *loaded) warn(log *slog.Logger) {
	for _, w := range l.warnings {
		log.Warn("the configuration deserves a look", "at", w.Pos().String(), "warning", w.Message)
	}
}

// load reads and checks everything before anything is changed. Its error holds
// all problems found.
func (o *Options) load() (*loaded, error) {
	c, err := config.Load(o.ConfigFile)
	if err != nil {
		return nil, err
	}
	if o.Observer != "" {
		c.Observer.Name = o.Observer
	}
	if o.Site != "" {
		if !slices.ContainsFunc(c.Sites, func(s config.Site) bool { return s.Name == o.Site }) {
			return nil, errors.New("--observer.site " + o.Site + ": the configuration names no such site")
		}
		c.Observer.Site = o.Site
	}
	c.Global.Mode = replication.Lowest(c.Global.Mode, o.Mode)
	problems := append(strictyaml.Problems{}, c.Warnings()...)
	problems = append(problems, c.NotAvailable()...)
	problems = append(problems, c.CheckFiles()...)
	problems = append(problems, c.CheckCertificates(o.Now())...)
	problems = append(problems, tooSlow(c)...)
	paths, found := c.RuleFilePaths()
	problems = append(problems, found...)
	rules, found := rulefile.Load(paths, Known(c))
	problems = append(problems, found...)
	problems = append(problems, rulefile.NotAvailable(rules)...)
	problems = append(problems, unusable(rules)...)
	problems.Sort()
	if err := problems.Err(); err != nil {
		return nil, err
	}
	out := &loaded{config: c, warnings: problems.Warnings()}
	sites := siteData(c)
	for _, r := range rules {
		out.rules = append(out.rules, policy.Loaded{Rule: *r, Hash: rulefile.Hash(r, policy.Version, sites)})
	}
	return out, nil
}

// unusable are the rules that the evaluator refuses: expressions that could turn
// missing data into a yes.
func unusable(rules []*rulefile.Rule) strictyaml.Problems {
	var ps strictyaml.Problems
	for _, r := range rules {
		if err := policy.Check(*r); err != nil {
			ps.Errorf(r.Pos(), "%s", err)
		}
	}
	return ps
}

// Known is what the rules are checked against.
func Known(c *config.Config) rulefile.Known {
	k := rulefile.Known{
		Observers: c.Observers(), AcceptSingleObserver: c.Coordination.AcceptSingleObserver != "",
		Mode: c.Global.Mode, Interval: c.Global.EvaluationInterval,
	}
	for _, s := range c.Sites {
		k.Sites = append(k.Sites, rulefile.KnownSite{Name: s.Name, Probed: len(s.Probes) > 0})
	}
	for _, a := range c.Accounts {
		k.Accounts = append(k.Accounts, rulefile.KnownAccount{Name: a.Name, Provider: a.Provider, Region: a.Region, PollInterval: a.PollInterval})
	}
	if c.Observer.Site != "" {
		k.ObserverSites = []string{c.Observer.Site}
	}
	return k
}

// siteData is what decides how a site is judged, for the rule hash.
func siteData(c *config.Config) []rulefile.SiteData {
	var out []rulefile.SiteData
	for _, s := range c.Sites {
		d := rulefile.SiteData{Name: s.Name, ReachableWhen: s.ReachableWhen}
		for _, l := range s.Locations {
			d.Locations = append(d.Locations, replication.Location(l).String())
		}
		for _, p := range s.Probes {
			d.Probes = append(d.Probes, rulefile.ProbeData{Name: p.Name, Module: c.ModuleText(p.Module), Target: p.Target, Interval: p.Interval})
		}
		out = append(out, d)
	}
	return out
}

// historyNeeded is how much of its own samples this observer must keep: the
// longest range of any rule, and enough to look back over the slowest poll and
// over what is asked for more rarely still.
func (l *loaded) historyNeeded() time.Duration {
	need := 10 * time.Minute
	rules := make([]rulefile.Rule, len(l.rules))
	for i, r := range l.rules {
		rules[i] = r.Rule
	}
	need = max(need, policy.RequiredHistory(rules))
	for _, a := range l.config.Accounts {
		need = max(need, 3*a.PollInterval, 2*collector.FactsInterval(a.PollInterval))
	}
	return need
}

func (l *loaded) has(rule string) bool {
	return slices.ContainsFunc(l.rules, func(r policy.Loaded) bool { return r.Rule.Name == rule })
}

// fixed tells whether next can be swapped in without a restart; the error says
// what cannot.
func (l *loaded) fixed(next *loaded) error {
	a, b := l.config, next.config
	var errs []error
	same := func(ok bool, key string) {
		if !ok {
			errs = append(errs, errors.New(key+" changed: it takes a restart"))
		}
	}
	same(a.Observer.Name == b.Observer.Name, "observer.name")
	same(a.Observer.Site == b.Observer.Site, "observer.site")
	same(a.Coordination.Cluster == b.Coordination.Cluster, "coordination.cluster")
	same(a.Coordination.LeaseTTL == b.Coordination.LeaseTTL, "coordination.lease_ttl")
	same(a.Coordination.AcceptSingleObserver == b.Coordination.AcceptSingleObserver, "coordination.accept_single_observer")
	same(reflect.DeepEqual(a.Coordination.Embedded, b.Coordination.Embedded), "coordination.embedded")
	same(reflect.DeepEqual(a.Coordination.Etcd, b.Coordination.Etcd), "coordination.etcd")
	same(a.Global.Mode == b.Global.Mode, "global.mode")
	return errors.Join(errs...)
}
