package cloudsim_test

import (
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/cloudsim"
	"github.com/drwatch/drwatch/internal/replication"
)

const evsGroups = "/v2/{p}/os-vendor-replication-consistency-groups"

func (l *lab) evsAct(id, verb string) reply {
	l.t.Helper()
	return l.post(cloudsim.EndpointEVS, evsGroups+"/"+id+"/action", `{"os-`+verb+`-replication-consistency-group":null}`+"\n")
}

func (l *lab) evsGroup(id string) map[string]any {
	l.t.Helper()
	for _, g := range l.get(cloudsim.EndpointEVS, evsGroups).list(l.t, "replication_consistency_groups") {
		if g["id"] == id {
			return g
		}
	}
	l.t.Fatalf("group %s is not listed", id)
	return nil
}

func TestEVSStateMachine(t *testing.T) {
	for _, tc := range []struct {
		verb, from, fromRepl, via, viaRepl, to, toRepl string
		active                                         replication.Location
		failovers                                      int
	}{
		{"failover", "available", "active", "failovering", "active-stopped", "failovered", "active-stopped", parisB, 1},
		{"failover", "error_failovering", "inactive", "failovering", "active-stopped", "failovered", "active-stopped", parisB, 1},
		{"reverse", "available", "active", "reversing", "active", "available", "active", parisB, 0},
		{"reprotect", "failovered", "active-stopped", "updating", "copying", "available", "active", parisA, 0},
		{"sync", "available", "inactive", "available", "copying", "available", "active", parisA, 0},
		{"stop", "available", "active", "updating", "active-stopped", "available", "active-stopped", parisA, 0},
	} {
		t.Run(tc.verb+" from "+tc.from, func(t *testing.T) {
			l := newLab(t, nil)
			id := must(t)(l.cloud.AddEVS(cloudsim.EVSGroup{Source: parisA, Target: parisB, Status: tc.from, ReplicationStatus: tc.fromRepl, Pairs: 1}))
			if r := l.want(l.evsAct(id, tc.verb), 200, ""); r.body != "" {
				t.Errorf("body %q, want none", r.body)
			}
			if g := l.evsGroup(id); g["status"] != tc.via || g["replication_status"] != tc.viaRepl {
				t.Errorf("on the way %v %v, want %s %s", g["status"], g["replication_status"], tc.via, tc.viaRepl)
			}
			l.want(l.evsAct(id, "failover"), 400, `"code":400`) // busy
			l.clock.move(10 * time.Second)
			if g := l.evsGroup(id); g["status"] != tc.to || g["replication_status"] != tc.toRepl || g["priority_station"] != tc.active.Zone {
				t.Errorf("at the end %v %v %v, want %s %s %s", g["status"], g["replication_status"], g["priority_station"], tc.to, tc.toRepl, tc.active.Zone)
			}
			l.wantFailovers(id, tc.failovers)
		})
	}
}

func TestEVSRefuses(t *testing.T) {
	l := newLab(t, nil)
	id := must(t)(l.cloud.AddEVS(cloudsim.EVSGroup{Source: parisA, Target: parisB, Status: "failovered", AtTarget: true, Pairs: 1}))
	l.want(l.evsAct(id, "failover"), 400, `{"badRequest":{"code":400`)
	l.want(l.evsAct(id, "reverse"), 400, "failovered")
	l.want(l.evsAct("none", "failover"), 404, `"itemNotFound"`)
	broken := must(t)(l.cloud.AddEVS(cloudsim.EVSGroup{Source: parisA, Target: parisB, Status: "error_reversing", ReplicationStatus: "active", Pairs: 1}))
	l.want(l.evsAct(broken, "reverse"), 400, "error_reversing")
	down := must(t)(l.cloud.AddEVS(cloudsim.EVSGroup{Source: parisA, Target: parisB, Pairs: 1}))
	if err := l.cloud.SetFaultLevel(down, "5"); err != nil {
		t.Fatal(err)
	}
	l.want(l.evsAct(down, "failover"), 400, "link")
	l.clock.move(time.Minute)
	l.wantFailovers(id, 0)
	l.wantFailovers(down, 0)
}

func TestEVSFields(t *testing.T) {
	l := newLab(t, nil)
	id := must(t)(l.cloud.AddEVS(cloudsim.EVSGroup{Source: parisA, Target: parisB, Pairs: 2, VolumeGB: 30, Misspelt: true}))
	l.want(l.get(cloudsim.EndpointEVS, evsGroups+"/"+id), 200, `"priority_staion":"eu-west-0a"`)
	if g := l.evsGroup(id); g["priority_station"] != "eu-west-0a" || len(g["replication_ids"].([]any)) != 2 || g["updated_at"] != "2026-01-01T03:04:05.000000" {
		t.Errorf("group %v", g)
	}
	pairs := l.get(cloudsim.EndpointEVS, "/v2/{p}/os-vendor-replications?replication_consistency_group_id="+id).list(t, "replications")
	if len(pairs) != 2 || pairs[0]["progress"] != "100" || pairs[0]["record_metadata"] != `{"multiattach":false,"bootable":false,"volume_size":30,"volume_type":"SSD"}` {
		t.Errorf("pairs %v", pairs)
	}
	l.want(l.get(cloudsim.EndpointEVS, "/v2/{p}/os-vendor-replications/"+pairs[0]["id"].(string)), 200, `"record_metadata":{`)
}
