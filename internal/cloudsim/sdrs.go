package cloudsim

import (
	"fmt"
	"slices"
	"time"

	"github.com/drwatch/drwatch/internal/replication"
)

// SDRSGroup seeds a protection group of Huawei SDRS: two zones of one region.
type SDRSGroup struct {
	ID, Name, Description string // ID default: generated
	Source, Target        replication.Location
	AtTarget              bool   // production stands at Target
	Status                string // default "protected"
	Pairs                 int    // replication pairs, each with a protected instance
	VolumeGB              int    // of each pair; default 40
	VolumeType            string // default "SAS"
	Drills                int
	// Older groups tell their health; newer ones answer null and leave it to
	// their pairs.
	Older bool
	// ServersRunning: the servers of the production side run, which refuses a
	// planned failover. StandbyRunning: those of the other side run, which
	// refuses reprotection.
	ServersRunning, StandbyRunning bool
}

type sdrsExtra struct {
	older                          bool
	volumeType                     string
	domain, vpc                    string
	serversRunning, standbyRunning bool
	instances                      []*instance
	drills                         []*drill
}

type instance struct {
	group   *group
	id      string
	name    string
	servers [2]string
	pair    *pair
}

type drill struct {
	group   *group
	id      string
	name    string
	vpc     string
	status  string
	created time.Time
	server  string
	running *operation
}

// AddSDRS adds a protection group and gives its id.
func (c *Cloud) AddSDRS(s SDRSGroup) (string, error) {
	now := c.enter()
	defer c.mu.Unlock()
	g, err := c.newGroup(replication.HuaweiSDRS, spec{
		id: s.ID, name: s.Name, description: s.Description, source: s.Source, target: s.Target, atTarget: s.AtTarget,
		status: or(s.Status, "protected"), pairs: s.Pairs, volumeGB: orNumber(s.VolumeGB, 40),
	}, now)
	if err != nil {
		return "", err
	}
	g.sdrs = &sdrsExtra{
		older: s.Older, volumeType: or(s.VolumeType, "SAS"), domain: c.uuid(c.ids), vpc: c.uuid(c.ids),
		serversRunning: s.ServersRunning, standbyRunning: s.StandbyRunning,
	}
	g.repl = map[string]string{"protected": "active", "failed-over": "active-stopped"}[g.status]
	if g.repl == "" {
		g.repl = "inactive"
	}
	key := shelfKey{provider: g.provider, region: g.source.Region}
	c.put(g, now, key)
	sh := c.shelf(key)
	for i, p := range g.pairs {
		g.sdrs.instances = append(g.sdrs.instances, &instance{
			group: g, id: c.uuid(c.ids), name: fmt.Sprintf("%s-server-%d", g.name, i),
			servers: [2]string{c.uuid(c.ids), c.uuid(c.ids)}, pair: p,
		})
	}
	sh.instances = append(sh.instances, g.sdrs.instances...)
	for i := range s.Drills {
		c.addDrill(g, fmt.Sprintf("%s-drill-%d", g.name, i), "available", now.Add(-7*24*time.Hour))
	}
	return g.id, nil
}

func (c *Cloud) addDrill(g *group, name, status string, now time.Time) *drill {
	d := &drill{group: g, id: c.uuid(c.ids), name: name, vpc: c.uuid(c.ids), status: status, created: now, server: c.uuid(c.ids)}
	g.sdrs.drills = append(g.sdrs.drills, d)
	sh := c.shelf(shelfKey{provider: g.provider, region: g.source.Region})
	sh.drills = append(sh.drills, d)
	return d
}

// SetServers tells which servers of an SDRS group run: those of the production
// side, and those of the other.
func (c *Cloud) SetServers(id string, production, standby bool) error {
	c.enter()
	defer c.mu.Unlock()
	g, err := c.find(id)
	if err != nil {
		return err
	}
	if g.sdrs == nil {
		return fmt.Errorf("simulated clouds: group %q is of %s, only SDRS knows servers", id, g.provider)
	}
	g.sdrs.serversRunning, g.sdrs.standbyRunning = production, standby
	return nil
}

// sdrsActions is the state machine of a protection group ("Storage Disaster
// Recovery Service API reference: protection groups").
func sdrsActions() map[string][]transition {
	failover := transition{
		operation: "StartFailoverProtectionGroup", action: "failover", from: []string{"protected", "error-failing-over", "error-reversing"},
		via: []string{"failing-over"}, viaRepl: "active-stopped", to: "failed-over", toRepl: "active-stopped", failed: "error-failing-over",
		moves: true, job: "failoverProtectionGroupNoCG", subJob: "failoverReplicationPairNoCG", failCode: "SDRS.1030",
	}
	reverse := transition{
		operation: "StartReverseProtectionGroup", action: "switchover", from: []string{"protected", "error-reversing"},
		via: []string{"reversing"}, viaRepl: "active", to: "protected", toRepl: "active", failed: "error-reversing",
		moves: true, job: "reverseProtectionGroupNoCG", subJob: "reverseReplicationPairNoCG", failCode: "SDRS.1029",
	}
	start := transition{
		operation: "StartProtectionGroup", action: "start", from: []string{"available", "error-starting"},
		via: []string{"starting"}, viaRepl: "copying", to: "protected", toRepl: "active", failed: "error-starting",
		job: "startProtectionGroupNoCG", subJob: "startProtectionGroupRepNoCG", failCode: "SDRS.1027",
	}
	reprotect := transition{
		operation: "StartProtectionGroup", action: "reprotect", from: []string{"failed-over", "error-reprotecting"},
		via: []string{"reprotecting"}, viaRepl: "copying", to: "protected", toRepl: "active", failed: "error-reprotecting",
		job: "reprotectProtectionGroupNoCG", subJob: "reprotectReplicationPairNoCG", failCode: "SDRS.1032",
	}
	stop := transition{
		operation: "StopProtectionGroup", action: "stop", from: []string{"protected", "error-stopping"},
		via: []string{"stopping"}, viaRepl: "inactive", to: "available", toRepl: "inactive", failed: "error-stopping",
		job: "stopProtectionGroupNoCG", subJob: "stopProtectionGroupRepNoCG", failCode: "SDRS.1028",
	}
	return map[string][]transition{
		"failover-server-group": {failover},
		"reverse-server-group":  {reverse},
		"start-server-group":    {start, reprotect},
		"stop-server-group":     {stop},
	}
}

// pick is the first of the transitions that the group's state allows.
func pick(ts []transition, g *group) (transition, bool) {
	i := slices.IndexFunc(ts, func(t transition) bool { return t.allowed(g) })
	if i < 0 {
		return transition{}, false
	}
	return ts[i], true
}

func or(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

func orNumber(n, fallback int) int {
	if n == 0 {
		return fallback
	}
	return n
}
