package cloudsim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// sdrsError is a business error; nearly all of them are 400, also "not found".
func sdrsError(code, format string, args ...any) answer {
	return answer{status: http.StatusBadRequest, value: object{"badrequest": object{"message": fmt.Sprintf(format, args...), "code": code}}}
}

func (q *request) sdrsGroup(id string) (*group, *answer) {
	g := q.ep.cloud.groups[id]
	if g == nil || !q.ep.sees(g) {
		a := sdrsError("SDRS.1013", "The protection group %s does not exist.", id)
		return nil, &a
	}
	return g, nil
}

// sdrsAct carries out one action of a protection group and answers with a job.
func sdrsAct(key string) func(c *Cloud, q *request, now time.Time) answer {
	rows := sdrsActions()[key]
	failure := strings.TrimSuffix(key, "-server-group") + "Fail"
	return func(c *Cloud, q *request, now time.Time) answer {
		g, bad := q.sdrsGroup(q.group)
		if bad != nil {
			return *bad
		}
		t, ok := pick(rows, g)
		if !ok {
			return sdrsError("SDRS.1002", "The protection group %s is in state %s, which does not allow %s.", g.id, g.status, key)
		}
		if bad := c.sdrsRefuses(q, g, t); bad != nil {
			return *bad
		}
		op := c.begin(g, t, q, now)
		if t.action == "reprotect" {
			return ok200Job(c.newJob(g, op, "reprotectFail"))
		}
		return ok200Job(c.newJob(g, op, failure))
	}
}

func ok200Job(j *job) answer { return ok(object{"job_id": j.id}) }

// sdrsRefuses checks what must hold besides the state.
func (c *Cloud) sdrsRefuses(q *request, g *group, t transition) *answer {
	refuse := func(code, format string, args ...any) *answer {
		a := sdrsError(code, format, args...)
		return &a
	}
	switch {
	case len(g.pairs) == 0:
		return refuse("SDRS.1017", "The protection group %s has no replication pair.", g.id)
	case t.action == "failover" && c.faultLevelOf(g) == "5":
		return refuse("SDRS.1018", "The replication link of protection group %s is down; failover is not allowed.", g.id)
	case t.action == "reprotect" && g.sdrs.standbyRunning:
		return refuse("SDRS.1342", "The servers at the disaster recovery site of %s are not stopped.", g.id)
	case t.action != "switchover":
		return nil
	case g.sdrs.serversRunning:
		return refuse("SDRS.1319", "The servers at the production site of %s are not stopped.", g.id)
	}
	var body struct {
		Reverse struct {
			Station string `json:"priority_station"`
		} `json:"reverse-server-group"`
	}
	if json.Unmarshal(q.body, &body) != nil || (body.Reverse.Station != "source" && body.Reverse.Station != "target") {
		return refuse("SDRS.0206", "priority_station must be source or target.")
	}
	if body.Reverse.Station == g.station() {
		return refuse("SDRS.1019", "Production of %s is at %s already.", g.id, body.Reverse.Station)
	}
	return nil
}
