package failover

import "github.com/drwatch/drwatch/internal/replication"

// voteMemo is the votes of one read of the store by what they are on, so that ten
// thousand groups do not look through those of all others.
type voteMemo struct {
	first *replication.Vote // of all: which read it was
	count int
	on    map[targetKey][]replication.Vote
}

// votesOn are the votes on a target: no decision on it looks at others.
func (c *Controller) votesOn(t targetKey, cluster replication.Cluster) []replication.Vote {
	if len(cluster.Votes) == 0 {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if m := &c.votes; m.first != &cluster.Votes[0] || m.count != len(cluster.Votes) {
		*m = voteMemo{first: &cluster.Votes[0], count: len(cluster.Votes), on: map[targetKey][]replication.Vote{}}
		for _, v := range cluster.Votes {
			k := targetKey{v.Rule, v.Group}
			m.on[k] = append(m.on[k], v)
		}
	}
	return c.votes.on[t]
}
