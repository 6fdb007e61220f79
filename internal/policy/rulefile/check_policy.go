package rulefile

import (
	"slices"
	"strings"

	"github.com/prometheus/common/model"

	"github.com/drwatch/drwatch/internal/replication"
)

// quorum checks that as many sites as the rule asks for can agree. The active
// site of a group never says go: it is the one that is lost.
func (c *checker) quorum() {
	r := c.rule
	agree, at := r.agreeing(), c.at("quorum")
	if c.has("quorum", "agree") {
		at = c.at("quorum", "agree")
	}
	switch {
	case r.Of > 0 && agree > r.Of:
		c.errorf(at, "quorum: %d sites of %d can never agree", agree, r.Of)
		return
	case r.Of > 0 && agree == r.Of && c.lostSiteVotes():
		c.errorf(at, "quorum: %d of %d cannot be met without the active site, which is the one that is lost", agree, r.Of)
		return
	case r.Of > 1 && agree == r.Of:
		c.warnf(at, "quorum: %d of %d cannot be met once an observer stands in the lost site, or one observer is lost", agree, r.Of)
	}
	if c.known.NoConfig {
		return
	}
	sites := len(c.known.Sites)
	others := max(0, sites-1) // a group acted on is active in a configured site
	switch {
	case r.Of > sites:
		c.errorf(c.at("quorum", "of"), "quorum: of %d sites, but only %d are in the configuration", r.Of, sites)
	case agree > 1 && len(c.known.ObserverSites) == 0:
		c.errorf(at, "quorum: %d sites must agree, so observer.site is required in the configuration", agree)
	case agree > others:
		c.errorf(at, "quorum: %d cannot be met, the configuration has %d sites beside the active one", agree, others)
	case c.known.Observers > 0 && agree > c.known.Observers:
		c.warnf(at, "can never fire: %d sites must agree, and the cluster has %d observer(s)", agree, c.known.Observers)
	}
}

// activeSites are the sites that the targets allow as active, when they say.
func (c *checker) activeSites() []string {
	if !c.rule.restricts("active_site") {
		return nil
	}
	var out []string
	for _, s := range c.known.Sites {
		if c.rule.mayTarget("active_site", s.Name) {
			out = append(out, s.Name)
		}
	}
	return out
}

// lostSiteVotes tells whether an observer is known to stand in each site that
// can be the lost one.
func (c *checker) lostSiteVotes() bool {
	active := c.activeSites()
	for _, s := range active {
		if !slices.Contains(c.known.ObserverSites, s) {
			return false
		}
	}
	return len(active) > 0
}

func (c *checker) guards() {
	g := c.rule.Guards
	for i, e := range g.Expr {
		c.promql(e, "guards", "expr", i)
	}
	if c.known.NoConfig {
		return
	}
	for _, a := range c.known.Accounts {
		if c.rule.mayTarget("account", a.Name) && c.rule.mayTarget("provider", string(a.Provider)) &&
			g.DataAgeUnder > 0 && g.DataAgeUnder <= a.PollInterval {
			c.warnf(c.at("guards", "data_age_under"), "guards.data_age_under: %s is not longer than the poll interval %s of account %q: the guard will block most of the time",
				model.Duration(g.DataAgeUnder), model.Duration(a.PollInterval), a.Name)
			return
		}
	}
}

// fence checks that something keeps the lost side from writing.
func (c *checker) fence() {
	if c.rule.Fence.Kind == fenceHook {
		c.hook(&c.form.Fence.hook, "fence")
	}
	var open []string
	for _, p := range c.rule.providers() {
		if !p.Fences() {
			open = append(open, string(p))
		}
	}
	if len(open) == 0 || c.rule.Fence.Kind == fenceHook || c.rule.Fence.Kind == fenceAccept {
		return
	}
	if c.has("fence") && c.rule.Fence.Kind == "" {
		return // reported already
	}
	names := strings.Join(open, ", ")
	switch {
	case c.rule.Mode == replication.Auto:
		c.errorf(c.at("fence"), "%s may be targeted, and does not document that it stops the lost side: mode auto needs a fence hook or accept_split_brain: REASON", names)
	case c.rule.Fence.Kind == fenceProvider:
		c.warnf(c.at("fence"), "fence: provider, but %s may be targeted and does not document that it stops the lost side", names)
	}
}

// dangers warns of what is allowed and may hurt.
func (c *checker) dangers() {
	r, g := c.rule, c.rule.Guards
	single := r.agreeing() == 1 || r.agreeing() == 0 && c.known.Observers == 1
	if r.Mode == replication.Auto && single {
		c.warnf(c.at("quorum"), "mode auto with one site that agrees: that site's own trouble is taken for a loss")
	}
	if g.Cooldown == 0 {
		c.warnf(c.at("guards", "cooldown"), "no cooldown: a group may be failed over back and forth")
	}
	if replication.Lowest(r.Mode, replication.Auto) != replication.DryRun && g.LagUnder == nil {
		if async := c.providersThat(replication.Provider.Async); async != "" {
			c.warnf(c.at("guards"), "no guards.lag_under, and %s may be targeted and lags behind: a failover may lose any amount of data", async)
		}
	}
	if g.LagUnder != nil && g.LagUnknown == "block" && c.providersThat(replication.Provider.Async) == "" {
		c.warnf(c.at("guards", "lag_under"), "can never fire: guards.lag_under blocks where no lag is told, and %s tells none; add lag_unknown: allow",
			c.providersThat(func(p replication.Provider) bool { return !p.Async() }))
	}
	if r.SiteUnreachable != "" && !c.reported(c.at("site_unreachable")) && len(r.Targets) > 0 && !c.onlyActive(r.SiteUnreachable) {
		c.warnf(c.at("targets"), "targets do not say active_site=%q: groups whose production is elsewhere would be failed over when %s is lost",
			r.SiteUnreachable, r.SiteUnreachable)
	}
	c.capped()
}

// onlyActive tells whether the targets allow no active site but this one.
func (c *checker) onlyActive(site string) bool {
	for _, m := range c.rule.Targets {
		if m.Name == "active_site" && m.Value == site && !m.Matches("") && m.Matches(site) {
			return true
		}
	}
	return false
}

// capped warns when the rule cannot go as far as it says.
func (c *checker) capped() {
	r := c.rule
	if c.known.NoConfig || !r.Mode.Valid() {
		return
	}
	ceiling := c.known.Mode
	if ceiling.Valid() && ceiling != r.Mode && replication.Lowest(ceiling, r.Mode) == ceiling {
		c.warnf(c.at("mode"), "mode %s, but global.mode is %s: it acts as %s", r.Mode, ceiling, ceiling)
		return
	}
	if r.Mode == replication.Auto && c.known.Observers == 1 && !c.known.AcceptSingleObserver {
		c.warnf(c.at("mode"), "mode auto, but a single observer never goes beyond approve unless coordination.accept_single_observer gives a reason")
	}
}

func (c *checker) providersThat(hold func(replication.Provider) bool) string {
	var out []string
	for _, p := range c.rule.providers() {
		if hold(p) {
			out = append(out, string(p))
		}
	}
	return strings.Join(out, ", ")
}
