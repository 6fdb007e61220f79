package cloudsim

import (
	"maps"
	"slices"
	"time"
)

type ebsGroupView struct {
	ReplicaGroupID      string   `json:"ReplicaGroupId"`
	GroupName           string   `json:"GroupName"`
	Description         string   `json:"Description"`
	Status              string   `json:"Status"`
	RPO                 int64    `json:"RPO"`
	LastRecoverPoint    int64    `json:"LastRecoverPoint"`
	Site                string   `json:"Site"`
	PairNumber          int      `json:"PairNumber"`
	PairIDs             []string `json:"PairIds"`
	SourceRegionID      string   `json:"SourceRegionId"`
	SourceZoneID        string   `json:"SourceZoneId"`
	DestinationRegionID string   `json:"DestinationRegionId"`
	DestinationZoneID   string   `json:"DestinationZoneId"`
	PrimaryRegion       string   `json:"PrimaryRegion"`
	PrimaryZone         string   `json:"PrimaryZone"`
	StandbyRegion       string   `json:"StandbyRegion"`
	StandbyZone         string   `json:"StandbyZone"`
	Bandwidth           int64    `json:"Bandwidth"`
	EnableRTC           bool     `json:"EnableRtc"`
	ResourceGroupID     string   `json:"ResourceGroupId"`
	SourceCloudID       string   `json:"SourceCloudId"`
	DestinationCloudID  string   `json:"DestinationCloudId"`
	PrimaryUID          int64    `json:"PrimaryUid"`
	StandbyUID          int64    `json:"StandbyUid"`
	Tags                []ebsTag `json:"Tags"`
}

type ebsTag struct {
	TagKey   string `json:"TagKey"`
	TagValue string `json:"TagValue"`
}

// simulatedUID is the account that owns both ends.
const simulatedUID = 1234567890

func ebsGroupOf(g *group, site string, now time.Time) ebsGroupView {
	from, to := g.flow()
	v := ebsGroupView{
		ReplicaGroupID: g.id, GroupName: g.name, Description: g.description, Status: g.status,
		RPO: int64(g.ebs.rpo / time.Second), LastRecoverPoint: unix(g.clock.at(now)), Site: site,
		PairNumber: len(g.pairs), PairIDs: make([]string, 0, len(g.pairs)),
		SourceRegionID: from.Region, SourceZoneID: from.Zone, DestinationRegionID: to.Region, DestinationZoneID: to.Zone,
		PrimaryRegion: g.source.Region, PrimaryZone: g.source.Zone, StandbyRegion: g.target.Region, StandbyZone: g.target.Zone,
		ResourceGroupID: g.ebs.resource, PrimaryUID: simulatedUID, StandbyUID: simulatedUID, Tags: ebsTags(g),
	}
	for _, p := range g.pairs {
		v.PairIDs = append(v.PairIDs, p.id)
	}
	return v
}

func ebsTags(g *group) []ebsTag {
	tags := make([]ebsTag, 0, len(g.ebs.tags))
	for _, k := range slices.Sorted(maps.Keys(g.ebs.tags)) {
		tags = append(tags, ebsTag{k, g.ebs.tags[k]})
	}
	return tags
}

type ebsPairView struct {
	ReplicaPairID     string   `json:"ReplicaPairId"`
	PairName          string   `json:"PairName"`
	Description       string   `json:"Description"`
	Status            string   `json:"Status"`
	StatusMessage     string   `json:"StatusMessage"`
	SourceRegion      string   `json:"SourceRegion"`
	SourceZoneID      string   `json:"SourceZoneId"`
	SourceDiskID      string   `json:"SourceDiskId"`
	DestinationRegion string   `json:"DestinationRegion"`
	DestinationZoneID string   `json:"DestinationZoneId"`
	DestinationDiskID string   `json:"DestinationDiskId"`
	PrimaryRegion     string   `json:"PrimaryRegion"`
	PrimaryZone       string   `json:"PrimaryZone"`
	StandbyRegion     string   `json:"StandbyRegion"`
	StandbyZone       string   `json:"StandbyZone"`
	RPO               int64    `json:"RPO"`
	LastRecoverPoint  int64    `json:"LastRecoverPoint"`
	Bandwidth         int64    `json:"Bandwidth"`
	ReplicaGroupID    string   `json:"ReplicaGroupId"`
	ReplicaGroupName  string   `json:"ReplicaGroupName"`
	CreateTime        int64    `json:"CreateTime"`
	ExpiredTime       int64    `json:"ExpiredTime,omitempty"`
	ChargeType        string   `json:"ChargeType"`
	Site              string   `json:"Site"`
	ResourceGroupID   string   `json:"ResourceGroupId"`
	EnableRTC         bool     `json:"EnableRtc"`
	Tags              []ebsTag `json:"Tags"`
}

// ebsPairOf is one pair as the group it is in shows it.
func ebsPairOf(p *pair, g *group, site string, now time.Time) ebsPairView {
	from, to := g.flow()
	v := ebsPairView{
		ReplicaPairID: p.id, PairName: p.name, Status: g.status,
		SourceRegion: from.Region, SourceZoneID: from.Zone, SourceDiskID: p.disks[0],
		DestinationRegion: to.Region, DestinationZoneID: to.Zone, DestinationDiskID: p.disks[1],
		PrimaryRegion: g.source.Region, PrimaryZone: g.source.Zone, StandbyRegion: g.target.Region, StandbyZone: g.target.Zone,
		RPO: int64(g.ebs.rpo / time.Second), LastRecoverPoint: unix(g.clock.at(now)),
		ReplicaGroupID: g.id, ReplicaGroupName: g.name, CreateTime: unix(g.created),
		Site: site, ResourceGroupID: g.ebs.resource, Tags: ebsTags(g),
	}
	if g.ebs.reversed {
		v.SourceDiskID, v.DestinationDiskID = v.DestinationDiskID, v.SourceDiskID
	}
	charge := g.ebs.charge(slices.Index(g.pairs, p))
	v.ChargeType, v.ExpiredTime = charge.Type, unix(charge.Expires)
	if charge.Type != "PREPAY" {
		return v
	}
	v.Bandwidth = 10240
	if e := charge.Expires; !e.IsZero() && now.After(e) {
		v.StatusMessage, v.LastRecoverPoint = "PrePayOrderExpired", unix(g.clock.at(e))
	}
	return v
}

// ebsPercent is 100 for a group that replicates, and how far the first copy has
// come for one that starts.
func ebsPercent(g *group, now time.Time) int {
	switch {
	case g.running != nil:
		return g.running.percent(now)
	case g.wants:
		return 100
	}
	return 0
}

// unix is Unix seconds, 0 for never.
func unix(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}
