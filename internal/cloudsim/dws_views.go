package cloudsim

import (
	"fmt"
	"strconv"
	"time"

	"github.com/drwatch/drwatch/internal/replication"
)

// dwsTime is the time of DWS, in UTC without saying so; dwsKey names a backup.
const (
	dwsTime = "2006-01-02 15:04:05"
	dwsKey  = "20060102_150405"
)

// dwsListView is an item of the list: every field is text.
type dwsListView struct {
	ID               string  `json:"id"`
	Name             string  `json:"name"`
	Status           string  `json:"status"`
	Type             string  `json:"dr_type"`
	PrimaryID        string  `json:"primary_cluster_id"`
	PrimaryName      string  `json:"primary_cluster_name"`
	PrimaryRole      string  `json:"primary_cluster_role"`
	PrimaryStatus    string  `json:"primary_cluster_status"`
	PrimaryRegion    string  `json:"primary_cluster_region"`
	PrimaryProject   string  `json:"primary_cluster_project_id"`
	StandbyID        string  `json:"standby_cluster_id"`
	StandbyName      string  `json:"standby_cluster_name"`
	StandbyRole      string  `json:"standby_cluster_role"`
	StandbyStatus    string  `json:"standby_cluster_status"`
	StandbyRegion    string  `json:"standby_cluster_region"`
	StandbyProject   string  `json:"standby_cluster_project_id"`
	LastDisasterTime *string `json:"last_disaster_time"`
	StartTime        string  `json:"start_time"`
	CreateTime       string  `json:"create_time"`
}

// dwsCluster is one of the two clusters of a relation, as it is now.
type dwsCluster struct {
	id, name, role, status string
	at                     replication.Location
}

// dwsSlots are the clusters in the slots "primary" and "standby". The vendor
// does not say what a swap of roles does to them: the role strings are
// exchanged, or the clusters themselves when Options asks for that.
func (c *Cloud) dwsSlots(g *group) [2]dwsCluster {
	cluster := func(i int, at replication.Location, site string, production bool) dwsCluster {
		k := dwsCluster{id: g.dws.clusters[i], name: fmt.Sprintf("%s-cluster-%d", g.name, i), role: "standby", status: "waiting", at: at}
		if production {
			k.role = "primary"
		}
		switch {
		case c.lost[site]:
			k.status = "abnormal"
		case g.status == "stopped" || g.status == "unstart":
			k.status = "stopped"
		}
		return k
	}
	slots := [2]dwsCluster{cluster(0, g.source, g.sourceSite, !g.atTarget), cluster(1, g.target, g.targetSite, g.atTarget)}
	if c.o.DWSSwapsIDs && g.atTarget {
		slots[0], slots[1] = slots[1], slots[0]
	}
	return slots
}

func dwsType(g *group) string {
	if g.source.Region == g.target.Region {
		return "az"
	}
	return "region"
}

func (c *Cloud) dwsListOf(g *group, now time.Time) dwsListView {
	s := c.dwsSlots(g)
	v := dwsListView{
		ID: g.id, Name: g.name, Status: g.status, Type: dwsType(g),
		PrimaryID: s[0].id, PrimaryName: s[0].name, PrimaryRole: s[0].role, PrimaryStatus: s[0].status,
		PrimaryRegion: s[0].at.Region, PrimaryProject: c.o.ProjectID,
		StandbyID: s[1].id, StandbyName: s[1].name, StandbyRole: s[1].role, StandbyStatus: s[1].status,
		StandbyRegion: s[1].at.Region, StandbyProject: c.o.ProjectID,
		StartTime: g.created.UTC().Format(dwsTime), CreateTime: g.created.UTC().Format(dwsTime),
	}
	if last := g.clock.at(now); !last.IsZero() {
		v.LastDisasterTime = new(last.UTC().Format(dwsTime))
	}
	return v
}

type dwsDetailView struct {
	ID         string         `json:"id"`
	Name       string         `json:"name"`
	Type       string         `json:"dr_type"`
	Status     string         `json:"status"`
	SyncPeriod string         `json:"dr_sync_period"`
	StartTime  string         `json:"start_time"`
	CreateTime string         `json:"create_time"`
	Primary    dwsClusterView `json:"primary_cluster"`
	Standby    dwsClusterView `json:"standby_cluster"`
}

type dwsClusterView struct {
	ID               string `json:"id"`
	Name             string `json:"name"`
	Zone             string `json:"cluster_az"`
	Role             string `json:"role"`
	Region           string `json:"region"`
	Status           string `json:"status"`
	Progress         string `json:"progress"`
	LastSuccessTime  string `json:"last_success_time"`
	Bucket           string `json:"obs_bucket_name"`
	DatastoreVersion string `json:"datastore_version"`
	DatastoreType    string `json:"datastore_type"`
	DiskCapacity     string `json:"disk_capacity"`
	DiskUsed         string `json:"disk_used"`
}

func (c *Cloud) dwsDetailOf(g *group, now time.Time) dwsDetailView {
	at := g.created.UTC().Format(dwsTime)
	slots := c.dwsSlots(g)
	view := func(k dwsCluster) dwsClusterView {
		return dwsClusterView{
			ID: k.id, Name: k.name, Zone: k.at.Zone, Role: k.role, Region: k.at.Region, Status: k.status,
			Progress: strconv.Itoa(g.running.percent(now)) + "%", LastSuccessTime: g.clock.at(now).UTC().Format(dwsTime),
			Bucket: "dws-dr-" + k.at.Region, DatastoreVersion: g.dws.version, DatastoreType: "dws",
			DiskCapacity: strconv.Itoa(g.dws.diskGB), DiskUsed: strconv.Itoa(g.dws.usedGB),
		}
	}
	return dwsDetailView{
		ID: g.id, Name: g.name, Type: dwsType(g), Status: g.status, SyncPeriod: dwsPeriod(g.dws.period),
		StartTime: at, CreateTime: at, Primary: view(slots[0]), Standby: view(slots[1]),
	}
}

// dwsPeriod writes a period as the vendor does: minutes m, hours H, days d. A
// period under a minute, which only a simulation has, counts as one.
func dwsPeriod(d time.Duration) string {
	switch {
	case d >= 24*time.Hour && d%(24*time.Hour) == 0:
		return strconv.Itoa(int(d/(24*time.Hour))) + "d"
	case d >= time.Hour && d%time.Hour == 0:
		return strconv.Itoa(int(d/time.Hour)) + "H"
	}
	return strconv.Itoa(max(1, int(d/time.Minute))) + "m"
}

type dwsProgressView struct {
	Primary      dwsProgressPart `json:"primary_cluster"`
	Standby      dwsProgressPart `json:"standby_cluster"`
	Barrier      string          `json:"latest_barrier_time"`
	LastRecovery int64           `json:"last_recovery_spend"`
	RPO          int64           `json:"recovery_point_object"`
	RTO          int64           `json:"recovery_time_object"`
}

type dwsProgressPart struct {
	Key       string `json:"key"`
	Action    string `json:"action_type"`
	Unrestore string `json:"unrestore_keys"`
	Start     string `json:"action_start_time"`
	End       string `json:"action_end_time"`
}

func dwsProgressOf(g *group, now time.Time) dwsProgressView {
	last := g.clock.at(now).UTC()
	part := func(action string) dwsProgressPart {
		return dwsProgressPart{
			Key: last.Format(dwsKey), Action: action, Unrestore: "N/A",
			Start: last.Add(-30 * time.Second).Format(dwsTime), End: last.Format(dwsTime),
		}
	}
	return dwsProgressView{
		Primary: part("Backup"), Standby: part("Restore"), Barrier: last.Format(dwsTime),
		LastRecovery: 30, RPO: int64(now.Sub(last) / time.Second), RTO: 45,
	}
}
