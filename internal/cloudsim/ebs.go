package cloudsim

import (
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/drwatch/drwatch/internal/replication"
)

// EBSGroup seeds a replication pair-consistent group of Alibaba Cloud EBS.
type EBSGroup struct {
	ID, Name, Description string // ID default: generated, pg-…
	Source, Target        replication.Location
	// AtTarget: it was failed over and protected again, so that it replicates
	// from Target to Source.
	AtTarget      bool
	Status        string // default "normal"
	Pairs         int
	RPO           time.Duration // as told; default 15m
	SyncEvery     time.Duration // how often it really replicates; default RPO
	Lag           time.Duration // since the last recover point, at the start
	NeverSynced   bool          // no recover point yet
	Attached      bool          // the disks at the old production side are attached after a failover
	Tags          map[string]string
	ResourceGroup string
	// Charges of the pairs, in their order; a pair beyond it is pay as you go.
	Charges []EBSCharge
}

// EBSCharge is how one replication pair is paid for.
type EBSCharge struct {
	Type string // PREPAY or POSTPAY; default POSTPAY
	// Expires is told as ExpiredTime; zero = not told. A prepaid pair that has
	// expired replicates no longer, and nothing but its StatusMessage and its
	// recover point shows it.
	Expires time.Time
}

type ebsExtra struct {
	attached bool
	// reversed: replication goes from target to source. Unlike atTarget it
	// changes with the reprotection, not with the failover.
	reversed   bool
	rpo        time.Duration
	tags       map[string]string
	resource   string
	charges    []EBSCharge
	drills     []*ebsDrill
	drillDisks int // that drills ever created
}

// charge is that of one of the group's pairs.
func (e *ebsExtra) charge(pair int) EBSCharge {
	var charge EBSCharge
	if pair < len(e.charges) {
		charge = e.charges[pair]
	}
	charge.Type = or(charge.Type, "POSTPAY")
	return charge
}

// The views of a group: from its production side, and from its standby side.
const (
	siteProduction = "production"
	siteBackup     = "backup"
)

// AddEBS adds a replica group and gives its id.
func (c *Cloud) AddEBS(s EBSGroup) (string, error) {
	now := c.enter()
	defer c.mu.Unlock()
	if s.RPO == 0 {
		s.RPO = 15 * time.Minute
	}
	if s.SyncEvery == 0 {
		s.SyncEvery = s.RPO
	}
	if s.ID == "" {
		s.ID = "pg-" + strings.ReplaceAll(c.uuid(c.ids), "-", "")[:16]
	}
	g, err := c.newGroup(replication.AliyunEBS, spec{
		id: s.ID, name: s.Name, description: s.Description, source: s.Source, target: s.Target, atTarget: s.AtTarget,
		status: or(s.Status, "normal"), pairs: s.Pairs, period: s.SyncEvery, lag: s.Lag,
	}, now)
	if err != nil {
		return "", err
	}
	for _, p := range g.pairs {
		p.id = "pair-" + strings.ReplaceAll(p.id, "-", "")[:16]
		p.disks = [2]string{"d-" + p.disks[0][:8], "d-" + p.disks[1][:8]}
	}
	if s.NeverSynced {
		g.clock.last = time.Time{}
	}
	g.ebs = &ebsExtra{attached: s.Attached, reversed: s.AtTarget && g.status != "failovered", rpo: s.RPO, tags: s.Tags, resource: or(s.ResourceGroup, "rg-default"), charges: s.Charges}
	c.put(g, now,
		shelfKey{g.provider, g.source.Region, siteProduction},
		shelfKey{g.provider, g.target.Region, siteBackup})
	return g.id, nil
}

// SetAttached tells whether the disks at the old production side of an EBS group
// are attached to a server, which refuses its reprotection.
func (c *Cloud) SetAttached(id string, attached bool) error {
	c.enter()
	defer c.mu.Unlock()
	g, err := c.find(id)
	if err != nil {
		return err
	}
	if g.ebs == nil {
		return fmt.Errorf("simulated clouds: group %q is of %s, only EBS knows attached disks", id, g.provider)
	}
	g.ebs.attached = attached
	return nil
}

// flow is where replication goes from and to.
func (g *group) flow() (from, to replication.Location) {
	if g.ebs.reversed {
		return g.target, g.source
	}
	return g.source, g.target
}

// ebsActions is the state machine of a replica group ("EBS API reference,
// 2021-07-30"). A failover is accepted again while failing over and after it,
// without doing anything.
func ebsActions() map[string]transition {
	return map[string]transition{
		"FailoverDiskReplicaGroup": {
			action: "failover",
			from:   []string{"manual_syncing", "syncing", "normal", "stopping", "stop_failed", "stopped", "failover_failed"},
			repeat: []string{"failovering", "failovered"},
			via:    []string{"failovering"}, to: "failovered", failed: "failover_failed", moves: true,
		},
		"ReprotectDiskReplicaGroup": {
			action: "reprotect", from: []string{"failovered"},
			via: []string{"reprotecting"}, to: "stopped", failed: "reprotect_failed",
		},
		"StartDiskReplicaGroup": {
			action: "start", from: []string{"created", "stopped"}, repeat: []string{"syncing", "normal"},
			via: []string{"initial_syncing", "syncing"}, to: "normal", failed: "stopped", syncs: true,
		},
		"StopDiskReplicaGroup": {
			action: "stop", from: []string{"manual_syncing", "syncing", "normal", "stop_failed"}, repeat: []string{"stopping", "stopped"},
			via: []string{"stopping"}, to: "stopped", failed: "stop_failed",
		},
	}
}

// ebsOneShot is a start with OneShot=true: one synchronisation, and stopped
// again.
func ebsOneShot() transition {
	return transition{
		action: "start", from: []string{"created", "manual_syncing", "stopped"},
		via: []string{"manual_syncing"}, to: "stopped", failed: "stopped", syncs: true,
	}
}

func ebsRoutes() map[string]route {
	routes := map[string]route{
		"DescribeDiskReplicaGroups":       {operation: "DescribeDiskReplicaGroups", lists: "ReplicaGroups", serve: ebsGroups},
		"DescribeDiskReplicaPairs":        {operation: "DescribeDiskReplicaPairs", lists: "ReplicaPairs", serve: ebsPairs},
		"DescribeDiskReplicaPairProgress": {operation: "DescribeDiskReplicaPairProgress", serve: ebsProgress},
	}
	for name, t := range ebsActions() {
		routes[name] = route{operation: name, action: t.action, serve: ebsOnce((*Cloud).ebsDo)}
	}
	maps.Copy(routes, ebsDrillRoutes())
	return routes
}
