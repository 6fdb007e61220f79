package failover

import "github.com/drwatch/drwatch/internal/replication"

// frozenHere is what stops this observer, and it alone; nil when nothing does.
func (c *Controller) frozenHere() *replication.Freeze {
	if c.o.LocalFreeze == nil {
		return nil
	}
	return c.o.LocalFreeze()
}

// asSeenHere is what the store held, for a decision that is made here: for this
// observer its own freeze is as good as one for all. The journal then holds it
// with the decision.
func (c *Controller) asSeenHere(cluster replication.Cluster) replication.Cluster {
	if cluster.Freeze == nil {
		cluster.Freeze = c.frozenHere()
	}
	return cluster
}
