package cloudsim

import (
	"time"

	"github.com/drwatch/drwatch/internal/replication"
)

// GroupState is the truth about one group, which no API call can delay or
// distort.
type GroupState struct {
	Provider    replication.Provider `json:"provider"`
	ID          string               `json:"id"`
	Name        string               `json:"name"`
	Status      string               `json:"status"` // the provider's word
	Source      replication.Location `json:"source"`
	Target      replication.Location `json:"target"`
	Active      replication.Location `json:"active"`      // where production is
	ActiveSite  string               `json:"active_site"` // "" when no site has that location
	Replicating bool                 `json:"replicating"`
	LastSync    time.Time            `json:"last_sync,omitzero"` // zero for synchronous replication
	Failovers   int                  `json:"effective_failovers"`
}

// Groups tells the truth about all groups, in the order in which they were
// added.
func (c *Cloud) Groups() []GroupState {
	now := c.enter()
	defer c.mu.Unlock()
	out := make([]GroupState, 0, len(c.order))
	for _, g := range c.order {
		out = append(out, c.stateOf(g, now))
	}
	return out
}

// Group tells the truth about one group; false when there is none of that id.
func (c *Cloud) Group(id string) (GroupState, bool) {
	now := c.enter()
	defer c.mu.Unlock()
	g := c.groups[id]
	if g == nil {
		return GroupState{}, false
	}
	return c.stateOf(g, now), true
}

func (c *Cloud) stateOf(g *group, now time.Time) GroupState {
	active, _ := g.sites()
	s := GroupState{
		Provider: g.provider, ID: g.id, Name: g.name, Status: g.status, Source: g.source, Target: g.target,
		Active: g.active(), ActiveSite: active, Replicating: g.clock.running, Failovers: c.log.failovers[g.id],
	}
	if g.provider.Async() {
		s.LastSync = g.clock.at(now)
	}
	return s
}
