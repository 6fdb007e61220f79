package cloudsim

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/drwatch/drwatch/internal/replication"
)

// DWSGroup seeds a disaster recovery relation between two DWS clusters.
type DWSGroup struct {
	ID, Name       string // ID default: generated
	Source, Target replication.Location
	AtTarget       bool          // production stands at Target
	Status         string        // default "running"
	SyncPeriod     time.Duration // dr_sync_period as told; default 20m
	SyncEvery      time.Duration // how often it really synchronises; default SyncPeriod
	Lag            time.Duration // since the last synchronisation, at the start
	DiskGB, UsedGB int           // default 1600 and 400
	Version        string        // of the cluster; default "8.2.1"; a failover wants 8.1.2
}

type dwsExtra struct {
	clusters       [2]string
	period         time.Duration
	diskGB, usedGB int
	version        string
	byLoss         bool // its status is abnormal because a site is lost
}

// AddDWS adds a disaster recovery relation and gives its id. It is of type
// "region" when its regions differ, else of type "az".
func (c *Cloud) AddDWS(s DWSGroup) (string, error) {
	now := c.enter()
	defer c.mu.Unlock()
	if s.SyncPeriod == 0 {
		s.SyncPeriod = 20 * time.Minute
	}
	if s.SyncEvery == 0 {
		s.SyncEvery = s.SyncPeriod
	}
	g, err := c.newGroup(replication.HuaweiDWS, spec{
		id: s.ID, name: s.Name, source: s.Source, target: s.Target, atTarget: s.AtTarget,
		status: or(s.Status, "running"), period: s.SyncEvery, lag: s.Lag,
	}, now)
	if err != nil {
		return "", err
	}
	g.dws = &dwsExtra{
		clusters: [2]string{c.uuid(c.ids), c.uuid(c.ids)}, period: s.SyncPeriod,
		diskGB: orNumber(s.DiskGB, 1600), usedGB: orNumber(s.UsedGB, 400), version: or(s.Version, "8.2.1"),
	}
	keys := []shelfKey{{provider: g.provider, region: g.source.Region}}
	if g.target.Region != g.source.Region {
		keys = append(keys, shelfKey{provider: g.provider, region: g.target.Region})
	}
	c.put(g, now, keys...)
	return g.id, nil
}

// dwsActions is the state machine of a relation ("DWS API reference: disaster
// recovery management"). A failover is accepted again after a failover and then
// swaps the roles back.
func (c *Cloud) dwsActions() map[string]transition {
	return map[string]transition{
		"failover": {
			operation: "SwitchFailoverDisaster", action: "failover", from: []string{"running", "abnormal", c.o.DWSAfterFailover},
			via: []string{"switchovering"}, to: c.o.DWSAfterFailover, failed: "abnormal", moves: true,
		},
		"switchover": {
			operation: "SwitchoverDisasterRecovery", action: "switchover", from: []string{"running"},
			via: []string{"switchovering"}, to: "running", failed: "abnormal", moves: true, syncs: true,
		},
		"recovery": {
			operation: "RestoreDisaster", action: "reprotect", from: []string{"abnormal", "stopped"},
			via: []string{"creating", "starting"}, to: "running", failed: "create_failed", syncs: true,
		},
		"start": {
			operation: "StartDisasterRecovery", action: "start", from: []string{"unstart", "start_failed", "stopped"},
			via: []string{"starting"}, to: "running", failed: "start_failed", syncs: true,
		},
		"pause": {
			operation: "PauseDisasterRecovery", action: "stop", from: []string{"running", "stop_failed"},
			via: []string{"stopping"}, to: "stopped", failed: "stop_failed",
		},
	}
}

func dwsError(code, format string, args ...any) answer {
	return answer{status: http.StatusBadRequest, value: object{"error_code": code, "error_msg": fmt.Sprintf(format, args...)}}
}

func dwsRoutes() []restRoute {
	const list, one = "/v2/{project}/disaster-recoveries", "/{project}/disaster-recovery/{group}"
	routes := []restRoute{
		{"GET", list, "", route{operation: "ListDisasterRecover", lists: "disaster_recovery", serve: dwsList}},
		{"GET", "/v2" + one, "", route{operation: "ShowDisasterDetail", serve: dwsShow}},
		{"GET", "/v1" + one + "/show-progress", "", route{operation: "ShowDisasterProgress", serve: dwsProgress}},
	}
	for key, t := range (&Cloud{}).dwsActions() {
		routes = append(routes, restRoute{"POST", "/v2" + one + "/" + key, "", route{operation: t.operation, action: t.action, serve: dwsAct(key)}})
	}
	return routes
}

func dwsAct(key string) func(c *Cloud, q *request, now time.Time) answer {
	return func(c *Cloud, q *request, now time.Time) answer {
		g, bad := q.dwsGroup()
		if bad != nil {
			return *bad
		}
		t := c.dwsActions()[key]
		if !t.allowed(g) {
			return dwsError("DWS.10104", "The disaster recovery %s is in state %s, which does not allow %s.", g.id, g.status, key)
		}
		if key == "failover" && !atLeast(g.dws.version, 8, 1, 2) {
			return dwsError("DWS.10105", "The cluster version %s does not support an exception switchover.", g.dws.version)
		}
		if active, _ := g.sites(); key == "switchover" && c.lost[active] {
			return dwsError("DWS.10106", "The production cluster of %s is not available; a planned switchover is not possible.", g.id)
		}
		c.begin(g, t, q, now)
		return ok(object{"disaster_recovery": object{"id": g.id}})
	}
}

func (q *request) dwsGroup() (*group, *answer) {
	g := q.ep.cloud.groups[q.group]
	if g == nil || !q.ep.sees(g) {
		a := dwsError("DWS.10101", "The disaster recovery %s does not exist.", q.group)
		return nil, &a
	}
	return g, nil
}

// atLeast compares a dotted version.
func atLeast(version string, want ...int) bool {
	var have []int
	for part := range strings.SplitSeq(version, ".") {
		n, err := strconv.Atoi(part)
		if err != nil {
			break
		}
		have = append(have, n)
	}
	return slices.Compare(have, want) >= 0
}

func dwsList(c *Cloud, q *request, now time.Time) answer {
	id, primary, standby := q.query.Get("id"), q.query.Get("primary_cluster_id"), q.query.Get("standby_cluster_id")
	views := []dwsListView{}
	for _, g := range c.shelf(shelfKey{provider: q.ep.Provider, region: q.ep.Region}).groups {
		v := c.dwsListOf(q.fault.seen(g), now)
		if equalOr(id, v.ID) && equalOr(primary, v.PrimaryID) && equalOr(standby, v.StandbyID) {
			views = append(views, v)
		}
	}
	return ok(object{"disaster_recovery": views})
}

func dwsShow(c *Cloud, q *request, now time.Time) answer {
	g, bad := q.dwsGroup()
	if bad != nil {
		return *bad
	}
	return ok(object{"disaster_recovery": c.dwsDetailOf(q.fault.seen(g), now)})
}

func dwsProgress(_ *Cloud, q *request, now time.Time) answer {
	g, bad := q.dwsGroup()
	if bad != nil {
		return *bad
	}
	return ok(object{"disaster_recovery_progress": dwsProgressOf(q.fault.seen(g), now)})
}
