package cloudsim

import (
	"slices"
	"time"
)

type ebsDrillView struct {
	DrillID       string             `json:"DrillId"`
	GroupID       string             `json:"GroupId"`
	RecoverPoint  int64              `json:"RecoverPoint"`
	StartAt       int64              `json:"StartAt"`
	Status        string             `json:"Status"`
	StatusMessage string             `json:"StatusMessage"`
	PairsInfo     []ebsDrillPairView `json:"PairsInfo"`
}

type ebsDrillPairView struct {
	PairID          string `json:"PairId"`
	DrillDiskID     string `json:"DrillDiskId"`
	DrillDiskStatus string `json:"DrillDiskStatus"`
}

// ebsDrills lists the drills of one group, in either of its regions. There is no
// list over all groups.
func ebsDrills(c *Cloud, q *request, _ time.Time) answer {
	if bad := q.checkRegion(); bad != nil {
		return *bad
	}
	g, bad := c.ebsDrillGroup(q)
	if bad != nil {
		return *bad
	}
	id := q.param("DrillId")
	list := visible(g.ebs.drills, id != "", func(d *ebsDrill) bool { return d.id == id })
	return ebsList(q, list, "Drills", func(d *ebsDrill) ebsDrillView { return ebsDrillOf(g, d) })
}

func ebsDrillOf(g *group, d *ebsDrill) ebsDrillView {
	disk := map[string]string{
		"executing": "creating", "executed": "created", "execute_failed": "error", "clearing": "deleting", "clear_failed": "error",
	}[d.status]
	v := ebsDrillView{
		DrillID: d.id, GroupID: g.id, RecoverPoint: unix(d.recover), StartAt: unix(d.began),
		Status: d.status, StatusMessage: d.message, PairsInfo: make([]ebsDrillPairView, 0, len(d.disks)),
	}
	for i, p := range d.pairs {
		v.PairsInfo = append(v.PairsInfo, ebsDrillPairView{PairID: p.id, DrillDiskID: d.disks[i], DrillDiskStatus: disk})
	}
	return v
}

func (e *ebsExtra) drill(id string) *ebsDrill {
	if i := slices.IndexFunc(e.drills, func(d *ebsDrill) bool { return d.id == id }); i >= 0 {
		return e.drills[i]
	}
	return nil
}

func (e *ebsExtra) dropDrill(d *ebsDrill) {
	e.drills = slices.DeleteFunc(e.drills, func(x *ebsDrill) bool { return x == d })
}
