package failover

import (
	"context"
	"errors"

	"github.com/drwatch/drwatch/internal/replication"
)

// debt is what this process knows of a call and could not write: the store was away.
type debt struct {
	rec  replication.IncidentRecord // its last call is the one
	sent Sent
}

func (c *Controller) owe(rec replication.IncidentRecord, call replication.Call, sent Sent) {
	rec.Calls = []replication.Call{call}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.owed[rec.ID] = debt{rec: rec, sent: sent}
}

// owes is what is known here of the incident's last call.
func (c *Controller) owes(rec replication.IncidentRecord) (Sent, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d, ok := c.owed[rec.ID]
	call := rec.LastCall()
	if !ok || call == nil || d.rec.Token != rec.Token || call.Attempt != d.rec.LastCall().Attempt || !call.StartedAt.Equal(d.rec.LastCall().StartedAt) {
		return Sent{}, false
	}
	return d.sent, true
}

// payDebts tells whoever has taken an incident over what became of its call.
func (c *Controller) payDebts(ctx context.Context, cluster replication.Cluster) {
	c.mu.Lock()
	all := make([]debt, 0, len(c.owed))
	for _, d := range c.owed {
		all = append(all, d)
	}
	c.mu.Unlock()
	for _, d := range all {
		now, there := cluster.Incidents[d.rec.ID]
		switch {
		case !there || now.Phase.Ended():
		case now.Token == d.rec.Token:
			continue // told by resume
		default:
			if err := c.leaveLate(ctx, d.rec, d.sent); err != nil && !errors.Is(err, replication.ErrConflict) {
				continue
			}
		}
		c.mu.Lock()
		delete(c.owed, d.rec.ID)
		c.mu.Unlock()
	}
}
