package cloudsim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/drwatch/drwatch/internal/replication"
)

// EVSGroup seeds a replication consistency group of Huawei EVS.
type EVSGroup struct {
	ID, Name, Description string // ID default: generated
	Source, Target        replication.Location
	AtTarget              bool   // production stands at Target
	Status                string // default "available"
	ReplicationStatus     string // default: what fits Status
	Pairs                 int
	VolumeGB              int // of each pair; default 100
	// Misspelt details name the primary zone in the key priority_staion, as the
	// vendor's sample does.
	Misspelt bool
}

type evsExtra struct {
	misspelt bool
}

// AddEVS adds a replication consistency group and gives its id.
func (c *Cloud) AddEVS(s EVSGroup) (string, error) {
	now := c.enter()
	defer c.mu.Unlock()
	g, err := c.newGroup(replication.HuaweiEVS, spec{
		id: s.ID, name: s.Name, description: s.Description, source: s.Source, target: s.Target, atTarget: s.AtTarget,
		status: or(s.Status, "available"), pairs: s.Pairs, volumeGB: orNumber(s.VolumeGB, 100),
	}, now)
	if err != nil {
		return "", err
	}
	g.evs = &evsExtra{misspelt: s.Misspelt}
	g.repl = s.ReplicationStatus
	if g.repl == "" {
		g.repl = or(map[string]string{"available": "active", "failovered": "active-stopped", "error": "error"}[g.status], "inactive")
	}
	c.put(g, now, shelfKey{provider: g.provider, region: g.source.Region})
	return g.id, nil
}

// evsActions is the state machine of a consistency group ("EVS API reference:
// replication consistency groups, deprecated").
func evsActions() map[string]transition {
	syncing := []string{"inactive", "active-stopped", "error"}
	return map[string]transition{
		"os-failover-replication-consistency-group": {
			operation: "FailoverReplicationConsistencyGroup", action: "failover", from: []string{"available", "error_failovering"},
			via: []string{"failovering"}, viaRepl: "active-stopped", to: "failovered", toRepl: "active-stopped", failed: "error_failovering", moves: true,
		},
		"os-reverse-replication-consistency-group": {
			operation: "ReverseReplicationConsistencyGroup", action: "switchover", from: []string{"available"}, fromRepl: []string{"active"},
			via: []string{"reversing"}, viaRepl: "active", to: "available", toRepl: "active", failed: "error_reversing", moves: true,
		},
		"os-reprotect-replication-consistency-group": {
			operation: "ReprotectReplicationConsistencyGroup", action: "reprotect", from: []string{"failovered"},
			via: []string{"updating", "available"}, viaRepl: "copying", to: "available", toRepl: "active", failed: "error",
		},
		"os-sync-replication-consistency-group": {
			operation: "SyncReplicationConsistencyGroup", action: "start", from: []string{"available"}, fromRepl: syncing,
			via: []string{"available"}, viaRepl: "copying", to: "available", toRepl: "active", failed: "error",
		},
		"os-stop-replication-consistency-group": {
			operation: "StopReplicationConsistencyGroup", action: "stop", from: []string{"available"}, fromRepl: []string{"active", "copying"},
			via: []string{"updating"}, viaRepl: "active-stopped", to: "available", toRepl: "active-stopped", failed: "error",
		},
	}
}

// evsError is an error in OpenStack's form: the kind names it, the code is a
// number.
func evsError(status int, kind, format string, args ...any) answer {
	return answer{status: status, value: object{kind: object{"message": fmt.Sprintf(format, args...), "code": status}}}
}

func evsAct(key string) func(c *Cloud, q *request, now time.Time) answer {
	t := evsActions()[key]
	return func(c *Cloud, q *request, now time.Time) answer {
		g, bad := q.evsGroup(q.group)
		if bad != nil {
			return *bad
		}
		if !t.allowed(g) || (g.running != nil && t.action != "stop") {
			return evsError(http.StatusBadRequest, "badRequest",
				"Invalid replication consistency group %s: status %s, replication_status %s do not allow %s.", g.id, g.status, g.repl, key)
		}
		if t.action == "failover" && c.faultLevelOf(g) == "5" {
			return evsError(http.StatusBadRequest, "badRequest", "The replication link of consistency group %s is down, failover is not allowed.", g.id)
		}
		c.begin(g, t, q, now)
		return answer{status: http.StatusOK}
	}
}

func (q *request) evsGroup(id string) (*group, *answer) {
	g := q.ep.cloud.groups[id]
	if g == nil || !q.ep.sees(g) {
		a := evsError(http.StatusNotFound, "itemNotFound", "Replication consistency group %s could not be found.", id)
		return nil, &a
	}
	return g, nil
}

func evsRoutes() []restRoute {
	const groups = "/v2/{project}/os-vendor-replication-consistency-groups"
	const pairs = "/v2/{project}/os-vendor-replications"
	routes := []restRoute{
		{"GET", groups, "", route{operation: "ListReplicationConsistencyGroups", lists: "replication_consistency_groups", serve: evsListGroups}},
		{"GET", groups + "/{group}", "", route{operation: "ShowReplicationConsistencyGroup", serve: evsShowGroup}},
		{"GET", pairs, "", route{operation: "ListReplications", lists: "replications", serve: evsListPairs}},
		{"GET", pairs + "/{id}", "", route{operation: "ShowReplication", serve: evsShowPair}},
	}
	for key, t := range evsActions() {
		routes = append(routes, restRoute{"POST", groups + "/{group}/action", key, route{operation: t.operation, action: t.action, serve: evsAct(key)}})
	}
	return routes
}

// evsPage cuts the list by marker or offset, and by limit. position gives the
// place of a marker in the unfiltered list.
func evsPage[T, V any](q *request, all []T, id func(T) string, keep func(T) bool, name string, view func(T) V) answer {
	limit, good := q.number("limit", 1000)
	offset, good2 := q.number("offset", 0)
	if !good || !good2 || limit < 1 || limit > 1000 || offset < 0 {
		return evsError(http.StatusBadRequest, "badRequest", "limit must be between 1 and 1000 and offset not negative.")
	}
	if marker := q.query.Get("marker"); marker != "" {
		at := slices.IndexFunc(all, func(x T) bool { return id(x) == marker })
		if at < 0 {
			return evsError(http.StatusBadRequest, "badRequest", "marker [%s] not found", marker)
		}
		all = all[at+1:]
	}
	views := make([]V, 0, min(limit, len(all)))
	for _, x := range all {
		switch {
		case !keep(x):
		case offset > 0:
			offset--
		case len(views) == limit:
			return ok(object{name: views})
		default:
			views = append(views, view(x))
		}
	}
	return ok(object{name: views})
}

func evsListGroups(c *Cloud, q *request, _ time.Time) answer {
	name, status, station, volume := q.query.Get("name"), q.query.Get("status"), q.query.Get("priority_station"), q.query.Get("volume_id")
	keep := func(g *group) bool {
		return equalOr(name, g.name) && equalOr(status, g.status) && equalOr(station, g.active().Zone) && (volume == "" || g.hasDisk(volume))
	}
	return evsPage(q, q.evsShelf().groups, func(g *group) string { return g.id }, keep, "replication_consistency_groups",
		func(g *group) evsGroupView { return c.evsGroupOf(q.fault.seen(g)) })
}

func evsShowGroup(c *Cloud, q *request, _ time.Time) answer {
	g, bad := q.evsGroup(q.group)
	if bad != nil {
		return *bad
	}
	v := c.evsGroupOf(q.fault.seen(g))
	if g.evs.misspelt {
		v.Misspelt, v.Station = v.Station, nil
	}
	return ok(object{"replication_consistency_group": v})
}

func evsListPairs(c *Cloud, q *request, now time.Time) answer {
	name, status, station, in := q.query.Get("name"), q.query.Get("status"), q.query.Get("priority_station"), q.query.Get("replication_consistency_group_id")
	disks := idList(q.query.Get("volume_ids"))
	if v := q.query.Get("volume_id"); v != "" {
		disks = append(disks, v)
	}
	keep := func(p *pair) bool {
		return equalOr(name, p.name) && equalOr(status, evsPairStatus(p.group)) && equalOr(station, p.group.active().Zone) &&
			equalOr(in, p.group.id) && (oneOf(disks, p.disks[0]) || oneOf(disks, p.disks[1]))
	}
	return evsPage(q, q.evsShelf().pairs, func(p *pair) string { return p.id }, keep, "replications", func(p *pair) evsPairView {
		v := c.evsPairOf(q, p, now)
		packed, err := json.Marshal(v.RecordMetadata)
		if err == nil {
			v.RecordMetadata = string(packed) // lists carry the record as a document in a string
		}
		return v
	})
}

func evsShowPair(c *Cloud, q *request, now time.Time) answer {
	for _, p := range q.evsShelf().pairs {
		if p.id == q.path["id"] {
			return ok(object{"replication": c.evsPairOf(q, p, now)})
		}
	}
	return evsError(http.StatusNotFound, "itemNotFound", "Replication %s could not be found.", q.path["id"])
}

func (q *request) evsShelf() *shelf {
	return q.ep.cloud.shelf(shelfKey{provider: q.ep.Provider, region: q.ep.Region})
}

func (g *group) hasDisk(id string) bool {
	return slices.ContainsFunc(g.pairs, func(p *pair) bool { return p.disks[0] == id || p.disks[1] == id })
}
