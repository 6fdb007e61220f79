package cloudsim

import (
	"strconv"
	"time"
)

// evsTime is the time of EVS, in UTC without saying so.
const evsTime = "2006-01-02T15:04:05.000000"

type evsGroupView struct {
	ID                string   `json:"id"`
	Name              string   `json:"name"`
	Description       string   `json:"description"`
	Status            string   `json:"status"`
	ReplicationStatus string   `json:"replication_status"`
	Station           *string  `json:"priority_station,omitempty"`
	Misspelt          *string  `json:"priority_staion,omitempty"`
	ReplicationModel  string   `json:"replication_model"`
	ReplicationIDs    []string `json:"replication_ids"`
	FaultLevel        string   `json:"fault_level"`
	FailureDetail     *string  `json:"failure_detail"`
	CreatedAt         string   `json:"created_at"`
	UpdatedAt         *string  `json:"updated_at"`
}

func (c *Cloud) evsGroupOf(g *group) evsGroupView {
	v := evsGroupView{
		ID: g.id, Name: g.name, Description: g.description, Status: g.status, ReplicationStatus: g.repl,
		Station: new(g.active().Zone), ReplicationModel: "hypermetro", ReplicationIDs: make([]string, 0, len(g.pairs)),
		FaultLevel: c.faultLevelOf(g), CreatedAt: g.created.UTC().Format(evsTime), UpdatedAt: new(g.updated.UTC().Format(evsTime)),
	}
	for _, p := range g.pairs {
		v.ReplicationIDs = append(v.ReplicationIDs, p.id)
	}
	if g.status == "error_failovering" {
		v.FailureDetail = new("37100043")
	}
	return v
}

// evsPairStatus is the status of a group's pairs, which know fewer words.
func evsPairStatus(g *group) string {
	switch g.status {
	case "creating", "error", "deleting", "error_deleting":
		return g.status
	}
	return "available"
}

type evsPairView struct {
	ID                string  `json:"id"`
	Name              string  `json:"name"`
	Description       string  `json:"description"`
	Status            string  `json:"status"`
	GroupID           string  `json:"replication_consistency_group_id"`
	VolumeIDs         string  `json:"volume_ids"`
	Station           string  `json:"priority_station"`
	ReplicationModel  string  `json:"replication_model"`
	ReplicationStatus string  `json:"replication_status"`
	Progress          *string `json:"progress"`
	FailureDetail     *string `json:"failure_detail"`
	FaultLevel        string  `json:"fault_level"`
	RecordMetadata    any     `json:"record_metadata"` // volumeRecord, or that as text
	CreatedAt         string  `json:"created_at"`
	UpdatedAt         string  `json:"updated_at"`
}

func (c *Cloud) evsPairOf(q *request, p *pair, now time.Time) evsPairView {
	g := q.fault.seen(p.group)
	v := evsPairView{
		ID: p.id, Name: p.name, Status: evsPairStatus(g), GroupID: g.id, VolumeIDs: p.disks[0] + "," + p.disks[1],
		Station: g.active().Zone, ReplicationModel: "hypermetro", ReplicationStatus: g.repl, FaultLevel: c.faultLevelOf(g),
		RecordMetadata: volumeRecord{VolumeSize: p.sizeGB, VolumeType: "SSD"},
		CreatedAt:      g.created.UTC().Format(evsTime), UpdatedAt: g.updated.UTC().Format(evsTime),
	}
	switch {
	case g.repl == "copying":
		v.Progress = new(strconv.Itoa(g.running.percent(now)))
	case g.repl == "active":
		v.Progress = new("100")
	}
	return v
}
