package cloudsim

import "time"

// Time formats of SDRS; none of them names a zone, all are UTC.
const (
	sdrsTime     = "2006-01-02 15:04:05.0"
	sdrsPairTime = "2006-01-02T15:04:05.000000"
	sdrsMilli    = "2006-01-02 15:04:05.000" // of the RPO statistics
)

type sdrsGroupView struct {
	ID                     string  `json:"id"`
	Name                   string  `json:"name"`
	Description            string  `json:"description"`
	Status                 string  `json:"status"`
	Progress               int     `json:"progress"`
	SourceZone             string  `json:"source_availability_zone"`
	TargetZone             string  `json:"target_availability_zone"`
	DomainID               string  `json:"domain_id"`
	DomainName             string  `json:"domain_name"`
	PriorityStation        string  `json:"priority_station"`
	ProtectedStatus        *string `json:"protected_status"`
	ReplicationStatus      *string `json:"replication_status"`
	HealthStatus           *string `json:"health_status"`
	ProtectionType         *string `json:"protection_type"`
	ReplicationModel       *string `json:"replication_model"`
	ServerType             string  `json:"server_type"`
	DRType                 string  `json:"dr_type"`
	SourceVPC              string  `json:"source_vpc_id"`
	TargetVPC              string  `json:"target_vpc_id"`
	TestVPC                *string `json:"test_vpc_id"`
	ProtectedInstanceNum   int     `json:"protected_instance_num"`
	ReplicationNum         int     `json:"replication_num"`
	DisasterRecoveryDrills int     `json:"disaster_recovery_drill_num"`
	CreatedAt              string  `json:"created_at"`
	UpdatedAt              string  `json:"updated_at"`
}

func sdrsGroupOf(g *group, now time.Time) sdrsGroupView {
	v := sdrsGroupView{
		ID: g.id, Name: g.name, Description: g.description, Status: g.status, Progress: g.running.percent(now),
		SourceZone: g.source.Zone, TargetZone: g.target.Zone, DomainID: g.sdrs.domain, DomainName: "domain_001",
		PriorityStation: g.station(), ServerType: "ECS", DRType: "migration", SourceVPC: g.sdrs.vpc, TargetVPC: g.sdrs.vpc,
		ProtectedInstanceNum: len(g.sdrs.instances), ReplicationNum: len(g.pairs), DisasterRecoveryDrills: len(g.sdrs.drills),
		CreatedAt: g.created.UTC().Format(sdrsTime), UpdatedAt: g.updated.UTC().Format(sdrsTime),
	}
	if g.sdrs.older {
		v.ProtectedStatus, v.HealthStatus, v.ReplicationStatus = new("stopped"), new("normal"), new(g.repl)
		if g.wants {
			v.ProtectedStatus = new("started")
		}
		return v
	}
	v.ProtectionType = new("replication-pair")
	return v
}

// sdrsMemberStatus is the status of a group's pairs and instances: they go with
// the group, through the same words.
func sdrsMemberStatus(g *group) string { return g.status }

type sdrsPairView struct {
	ID                string           `json:"id"`
	Name              string           `json:"name"`
	Description       string           `json:"description"`
	ReplicationModel  string           `json:"replication_model"`
	Status            string           `json:"status"`
	Progress          int              `json:"progress"`
	ReplicationStatus string           `json:"replication_status"`
	VolumeIDs         string           `json:"volume_ids"`
	Attachment        []sdrsAttachment `json:"attachment"`
	PriorityStation   string           `json:"priority_station"`
	FaultLevel        string           `json:"fault_level"`
	ServerGroupID     string           `json:"server_group_id"`
	FailureDetail     *string          `json:"failure_detail"`
	RecordMetadata    volumeRecord     `json:"record_metadata"`
	CreatedAt         string           `json:"created_at"`
	UpdatedAt         string           `json:"updated_at"`
}

type sdrsAttachment struct {
	ProtectedInstance string `json:"protected_instance,omitempty"`
	Replication       string `json:"replication,omitempty"`
	Device            string `json:"device"`
}

// volumeRecord is record_metadata; sizes are in GB.
type volumeRecord struct {
	MultiAttach bool   `json:"multiattach"`
	Bootable    bool   `json:"bootable"`
	VolumeSize  int    `json:"volume_size"`
	VolumeType  string `json:"volume_type"`
}

func (c *Cloud) sdrsPairOf(q *request, p *pair, now time.Time) sdrsPairView {
	g := q.fault.seen(p.group)
	v := sdrsPairView{
		ID: p.id, Name: p.name, ReplicationModel: "hypermetro", Status: sdrsMemberStatus(g), Progress: g.running.percent(now),
		ReplicationStatus: g.repl, VolumeIDs: p.disks[0] + "," + p.disks[1], PriorityStation: g.station(),
		FaultLevel: c.faultLevelOf(g), ServerGroupID: g.id, Attachment: []sdrsAttachment{},
		RecordMetadata: volumeRecord{Bootable: true, VolumeSize: p.sizeGB, VolumeType: g.sdrs.volumeType},
		CreatedAt:      g.created.UTC().Format(sdrsPairTime), UpdatedAt: g.updated.UTC().Format(sdrsPairTime),
	}
	for _, i := range g.sdrs.instances {
		if i.pair == p {
			v.Attachment = append(v.Attachment, sdrsAttachment{ProtectedInstance: i.id, Device: "/dev/vda"})
		}
	}
	return v
}

type sdrsInstanceView struct {
	ID              string            `json:"id"`
	Name            string            `json:"name"`
	Description     string            `json:"description"`
	Status          string            `json:"status"`
	Progress        int               `json:"progress"`
	SourceServer    string            `json:"source_server"`
	TargetServer    string            `json:"target_server"`
	ServerGroupID   string            `json:"server_group_id"`
	PriorityStation string            `json:"priority_station"`
	Attachment      []sdrsAttachment  `json:"attachment"`
	Tags            []object          `json:"tags"`
	Metadata        map[string]string `json:"metadata"`
	CreatedAt       string            `json:"created_at"`
	UpdatedAt       string            `json:"updated_at"`
}

func sdrsInstanceOf(i *instance, g *group, now time.Time) sdrsInstanceView {
	return sdrsInstanceView{
		ID: i.id, Name: i.name, Status: sdrsMemberStatus(g), Progress: g.running.percent(now),
		SourceServer: i.servers[0], TargetServer: i.servers[1], ServerGroupID: g.id, PriorityStation: g.station(),
		Attachment: []sdrsAttachment{{Replication: i.pair.id, Device: "/dev/vda"}}, Tags: []object{},
		Metadata:  map[string]string{"__system__frozen": "false"},
		CreatedAt: g.created.UTC().Format(sdrsTime), UpdatedAt: g.updated.UTC().Format(sdrsTime),
	}
}

type sdrsDrillView struct {
	ID            string   `json:"id"`
	Name          string   `json:"name"`
	Status        string   `json:"status"`
	DrillVPC      string   `json:"drill_vpc_id"`
	ServerGroupID string   `json:"server_group_id"`
	CreatedAt     string   `json:"created_at"`
	UpdatedAt     string   `json:"updated_at"`
	Servers       []object `json:"drill_servers"`
}

func sdrsDrillOf(d *drill) sdrsDrillView {
	at := d.created.UTC().Format(sdrsTime)
	v := sdrsDrillView{ID: d.id, Name: d.name, Status: d.status, DrillVPC: d.vpc, ServerGroupID: d.group.id, CreatedAt: at, UpdatedAt: at, Servers: []object{}}
	if len(d.group.sdrs.instances) > 0 {
		v.Servers = append(v.Servers, object{"protected_instance": d.group.sdrs.instances[0].id, "drill_server_id": d.server})
	}
	return v
}

type sdrsFailureView struct {
	JobType       string `json:"job_type"`
	JobID         string `json:"job_id"`
	JobStatus     string `json:"job_status"`
	FailureStatus string `json:"failure_status"`
	ResourceID    string `json:"resource_id"`
	ResourceName  string `json:"resource_name"`
	ResourceType  string `json:"resource_type"`
	BeginTime     string `json:"begin_time"`
	ErrorCode     string `json:"error_code"`
	FailReason    string `json:"fail_reason"`
}

func sdrsFailureOf(j *job) sdrsFailureView {
	return sdrsFailureView{
		JobType: j.kind, JobID: j.id, JobStatus: "FAIL", FailureStatus: j.failure, ResourceID: j.group.id,
		ResourceName: j.group.name, ResourceType: "server_groups", BeginTime: jobTime(j.began), ErrorCode: j.failCode, FailReason: j.reason(),
	}
}
