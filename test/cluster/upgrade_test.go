package cluster_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/quorum"
	"github.com/drwatch/drwatch/internal/replication"
)

// claimer makes one incident after the other by one observer, and remembers what
// it was told to be there.
type claimer struct {
	*quorum.Store
	*testing.T
	made    []string
	longest time.Duration // from one claim to the next
	failed  int
}

// claim opens an incident on a group that nobody knows and ends it.
func (c *claimer) claim(n int) error {
	cl, err := c.Read(c.Context())
	if err != nil {
		return err
	}
	id := fmt.Sprintf("i%d", n)
	rec, err := c.Store.Claim(c.Context(), replication.Claim{
		Incident: replication.Incident{
			ID: id, Rule: "r1", RuleHash: "h1", Provider: replication.HuaweiEVS, Group: id, Mode: replication.Auto,
			Phase: replication.Open, Slot: -1, Plan: replication.Plan{LostSite: "az-a", MaxConcurrent: 2},
		},
		Entry: replication.Entry{Event: "claimed"}, Observer: cl.Leader.Observer, LeaderRev: cl.Leader.CreateRev,
		Revision: cl.Revision, LossRev: cl.Losses["az-a"].Rev, Loss: replication.SiteLoss{Site: "az-a"},
	})
	if err != nil {
		return err
	}
	c.made = append(c.made, id)
	rec.Incident.Phase = replication.Aborted
	_, err = c.Write(c.Context(), replication.Write{Incident: rec.Incident, Entry: replication.Entry{Event: "aborted"}, Token: rec.Token, IncidentRev: rec.Rev})
	return err
}

// until claims until halt is closed.
func (c *claimer) until(halt <-chan struct{}) {
	last := time.Now()
	for n := 0; ; n++ {
		select {
		case <-halt:
			return
		default:
		}
		if err := c.claim(n); err != nil {
			c.failed++
			c.Logf("claim %d: %v", n, err)
			continue
		}
		c.longest, last = max(c.longest, time.Since(last)), time.Now()
	}
}

// One observer after the other is stopped and started again, as for an upgrade,
// while incidents are claimed: nothing that was acknowledged is lost, and there
// is no long pause.
func TestRollingRestart(t *testing.T) {
	t.Parallel()
	c := newTrio(t, true)
	c.openAll()
	a := &claimer{Store: c.stores["obs-a"], T: t}
	c.live("obs-a")
	if _, leads, err := a.Lead(t.Context()); err != nil || !leads {
		t.Fatalf("obs-a does not lead: %v", err)
	}
	halt, halted := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(halted)
		a.until(halt)
	}()
	for _, n := range []string{"obs-b", "obs-w"} {
		c.close(n)
		c.open(n)
		c.joins(n)
	}
	close(halt)
	<-halted
	t.Logf("%d claims, %d failed, the longest pause was %s", len(a.made), a.failed, a.longest)
	if len(a.made) < 10 || a.failed > 2 || a.longest > 8*time.Second {
		t.Errorf("%d claims, %d failed, the longest pause was %s", len(a.made), a.failed, a.longest)
	}
	for _, n := range c.names {
		cl, err := c.stores[n].Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range a.made {
			if rec, ok := cl.Incidents[id]; !ok || !rec.Phase.Ended() {
				t.Errorf("%s: incident %s was acknowledged and is %+v", n, id, rec.Incident)
			}
		}
	}
}
