package collector

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/drwatch/drwatch/internal/replication"
)

// merge makes the groups of all accounts' last good states: filtered, each
// once, with their sites. It tells which active sides changed. c.mu is held.
func (c *Collector) merge(now time.Time) []Move {
	groups := make(map[replication.GroupKey]Group, len(c.groups))
	var moves []Move
	for _, a := range c.accounts {
		var twice []replication.GroupKey
		a.state.Groups = 0
		for _, g := range a.listed {
			if !a.filter.accepts(g.Name) {
				continue
			}
			g.Account, g.Side = a.settings.Name, side(a.state.Fallback)
			if other, ok := groups[g.Key]; ok {
				if other.Account != g.Account {
					twice = append(twice, g.Key)
				}
				continue
			}
			a.state.Groups++
			groups[g.Key] = c.placed(g)
			if m, moved := c.follow(g, now); moved {
				moves = append(moves, m)
			}
		}
		c.warnTwice(a, twice)
		a.state.Duplicates = twice
	}
	maps.DeleteFunc(c.known, func(_ replication.GroupKey, w whereabouts) bool { return now.Sub(w.seen) > remembered })
	c.groups = groups
	c.merges++
	return moves
}

// placed is the group with its sites.
func (c *Collector) placed(g replication.Group) Group {
	site := func(l replication.Location) string {
		if l.IsZero() {
			return ""
		}
		return replication.SiteOf(c.sites, l)
	}
	return Group{Group: g, SourceSite: site(g.Source), TargetSite: site(g.Target), ActiveSite: site(g.Active), StandbySite: site(g.Standby())}
}

// follow remembers where the group is active, and tells when that is another
// place than the last that was known.
func (c *Collector) follow(g replication.Group, now time.Time) (Move, bool) {
	was := c.known[g.Key]
	is := whereabouts{account: g.Account, active: g.Active, seen: now}
	if g.Active.IsZero() {
		is.active = was.active
	}
	c.known[g.Key] = is
	if was.account != "" && was.account != is.account {
		c.generation++
	}
	if was.active.IsZero() || is.active == was.active {
		return Move{}, false
	}
	return Move{Key: g.Key, Account: g.Account, From: was.active, To: is.active, At: now}, true
}

// warnTwice tells of groups that an earlier account lists too, once.
func (c *Collector) warnTwice(a *account, twice []replication.GroupKey) {
	var fresh []string
	for _, key := range twice {
		if !slices.Contains(a.state.Duplicates, key) {
			fresh = append(fresh, key.String())
		}
	}
	if len(fresh) == 0 {
		return
	}
	shown := fresh[:min(len(fresh), 10)]
	c.o.Logger.Warn("an account before this one lists the same groups and keeps them; exclude them from one of the two",
		"account", a.settings.Name, "count", len(fresh), "groups", strings.Join(shown, " "))
}

// feedGroups appends the series of the groups that the account holds.
func (c *Collector) feedGroups(a *account, now time.Time) {
	parts := func(yield func([]Sample) bool) {
		for _, g := range a.listed {
			if held, ok := c.groups[g.Key]; ok && held.Account == a.settings.Name && !yield(groupSamples(&held)) {
				return
			}
		}
	}
	c.feed.appendParts(groupsSource(a.settings.Name), now, a.settings.PollInterval, parts)
}
