package cloudsim

import (
	"fmt"
	"slices"
	"time"

	"github.com/drwatch/drwatch/internal/replication"
)

// group is one replication group of any provider: what they have in common,
// and the few things that only one of them has.
type group struct {
	provider    replication.Provider
	id          string
	name        string
	description string
	source      replication.Location // as chosen at creation
	target      replication.Location
	sourceSite  string
	targetSite  string
	atTarget    bool   // production stands at target
	status      string // the provider's word
	repl        string // replication_status (SDRS pairs, EVS)
	faultLevel  string // set by hand; "" = follows from the sites
	wants       bool   // its state is one that replicates
	running     *operation
	clock       syncClock
	pairs       []*pair
	created     time.Time
	updated     time.Time
	index       int // position on its shelf

	sdrs *sdrsExtra
	evs  *evsExtra
	dws  *dwsExtra
	ebs  *ebsExtra
}

// pair is one replicated disk pair.
type pair struct {
	group  *group
	id     string
	name   string
	disks  [2]string // at source, at target
	sizeGB int
	index  int
}

func (g *group) active() replication.Location {
	if g.atTarget {
		return g.target
	}
	return g.source
}

func (g *group) sites() (active, standby string) {
	if g.atTarget {
		return g.targetSite, g.sourceSite
	}
	return g.sourceSite, g.targetSite
}

// station is SDRS's word for where production is.
func (g *group) station() string {
	if g.atTarget {
		return "target"
	}
	return "source"
}

// shelfKey names one list that a client can page through.
type shelfKey struct {
	provider replication.Provider
	region   string
	site     string // EBS only: production or backup
}

// shelf holds what one list shows, in its order, so that a page without
// filters is a slice of it.
type shelf struct {
	groups    []*group
	pairs     []*pair
	instances []*instance
	drills    []*drill
}

func (c *Cloud) shelf(k shelfKey) *shelf {
	s := c.shelves[k]
	if s == nil {
		s = &shelf{}
		c.shelves[k] = s
	}
	return s
}

// spec is the part of a seeded group that all providers share.
type spec struct {
	id, name, description string
	source, target        replication.Location
	atTarget              bool
	status                string
	pairs                 int
	volumeGB              int
	period                time.Duration
	lag                   time.Duration
}

func (c *Cloud) newGroup(p replication.Provider, s spec, now time.Time) (*group, error) {
	if s.id == "" {
		s.id = c.uuid(c.ids)
	}
	if c.groups[s.id] != nil {
		return nil, fmt.Errorf("simulated clouds: two groups have the id %q", s.id)
	}
	if s.source == s.target || s.source.Region == "" || s.target.Region == "" {
		return nil, fmt.Errorf("simulated clouds: group %q wants two different locations, has %q and %q", s.id, s.source, s.target)
	}
	g := &group{
		provider: p, id: s.id, name: s.name, description: s.description,
		source: s.source, target: s.target, atTarget: s.atTarget, status: s.status,
		sourceSite: replication.SiteOf(c.o.Sites, s.source),
		targetSite: replication.SiteOf(c.o.Sites, s.target),
		created:    now.Add(-30 * 24 * time.Hour), updated: now.Add(-24 * time.Hour),
	}
	if !c.served(g) {
		return nil, fmt.Errorf("simulated clouds: group %q: no %s endpoint serves %s or %s", s.id, p, s.source.Region, s.target.Region)
	}
	last := now.Add(-s.lag)
	g.clock = syncClock{last: last, since: last, period: s.period}
	for i := range s.pairs {
		g.pairs = append(g.pairs, &pair{
			group: g, id: c.uuid(c.ids), name: fmt.Sprintf("%s-pair-%d", s.name, i),
			disks: [2]string{c.uuid(c.ids), c.uuid(c.ids)}, sizeGB: s.volumeGB,
		})
	}
	return g, nil
}

func (c *Cloud) served(g *group) bool {
	for _, e := range c.endpoints {
		if e.sees(g) {
			return true
		}
	}
	return false
}

// put makes a seeded group visible on the named shelves.
func (c *Cloud) put(g *group, now time.Time, keys ...shelfKey) {
	c.groups[g.id] = g
	c.order = append(c.order, g)
	for _, k := range keys {
		s := c.shelf(k)
		g.index = len(s.groups)
		s.groups = append(s.groups, g)
		for _, p := range g.pairs {
			p.index = len(s.pairs)
			s.pairs = append(s.pairs, p)
		}
	}
	g.wants = replicates(g)
	c.feelSites(g, now)
	if g.clock.running && !g.clock.last.IsZero() {
		g.clock.since = g.clock.last // it has been replicating before anybody looked
	}
}

// replicates tells whether the group's status is one that replicates.
func replicates(g *group) bool {
	switch g.provider {
	case replication.HuaweiSDRS:
		return g.status == "protected"
	case replication.HuaweiEVS:
		return g.status == "available" && g.repl == "active"
	case replication.HuaweiDWS:
		return g.status == "running"
	default:
		return slices.Contains([]string{"normal", "syncing", "manual_syncing"}, g.status)
	}
}

// SetStatus puts the group into a state by hand and forgets its running
// operation. The status need not be one that the vendor documents.
func (c *Cloud) SetStatus(id, status string) error {
	now := c.enter()
	defer c.mu.Unlock()
	g, err := c.find(id)
	if err != nil {
		return err
	}
	g.status, g.running, g.updated = status, nil, now
	g.wants = replicates(g)
	c.feelSites(g, now)
	return nil
}

// SetFaultLevel makes an SDRS or EVS group tell the fault level "0", "2"
// (production disk lost) or "5" (link down, failover forbidden); "" lets it
// follow the sites again.
func (c *Cloud) SetFaultLevel(id, level string) error {
	c.enter()
	defer c.mu.Unlock()
	g, err := c.find(id)
	if err != nil {
		return err
	}
	g.faultLevel = level
	return nil
}
