package dws

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/provider/huawei"
	"github.com/drwatch/drwatch/internal/replication"
)

// cluster is one of the two clusters, by the field it stands in: after a swap
// the cluster in the field primary may have the role of the standby.
type cluster struct {
	id, role, status string
	title            string // the name that a person gave it
	region, zone     string
	version          string
	versionBroken    bool
	bytes, used      *int64
	lastSuccess      time.Time
	progress         *float64
}

// clusters joins what list and detail tell. What both tell must be the same.
// zone is that of times which name none.
func clusters(seen sight, zone *time.Location) (primary, standby cluster, err error) {
	primary, err = readCluster(seen, "primary_cluster", zone)
	standby, second := readCluster(seen, "standby_cluster", zone)
	if err == nil {
		err = second
	}
	return primary, standby, err
}

func readCluster(seen sight, field string, zone *time.Location) (cluster, error) {
	c := cluster{
		id: idOf(seen.item.Object, field+"_id"), role: seen.item.Text(field + "_role"), title: seen.item.Text(field + "_name"),
		status: seen.item.Text(field + "_status"), region: seen.item.Text(field + "_region"),
	}
	if seen.detail == nil {
		return c, nil
	}
	o, ok := seen.detail.Child(field)
	if !ok {
		return c, nil
	}
	id, role := idOf(o, "id"), o.Text("role")
	if differ(c.id, id) || differ(c.role, role) {
		return c, errSwapping
	}
	c.id, c.role = either(id, c.id), either(role, c.role)
	c.status, c.region = either(o.Text("status"), c.status), either(o.Text("region"), c.region)
	c.zone = o.Text("cluster_az")
	version, readable := o.Word("datastore_version")
	c.version, c.versionBroken = version, !readable
	c.title = either(o.Text("name"), c.title)
	c.bytes, c.used = gigabytes(o, "disk_capacity"), gigabytes(o, "disk_used")
	c.lastSuccess = timeOf(o, "last_success_time", zone)
	c.progress = percent(o.Text("progress"))
	return c, nil
}

func idOf(o huawei.Object, field string) string {
	id := o.Text(field)
	if id != "" && provider.ValidID(id) != nil {
		o.Note(field)
		return ""
	}
	return id
}

func differ(a, b string) bool { return a != "" && b != "" && a != b }

func either(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// percent reads "40" or "40%"; how the service writes it is not documented, so
// that anything else is no progress and no error.
func percent(text string) *float64 {
	n, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(text, "%")), 64)
	if err != nil || !(n >= 0 && n <= 100) {
		return nil
	}
	n /= 100
	return &n
}

// name is the cluster's id for a person.
func (c cluster) name() string {
	if c.id == "" {
		return "unknown"
	}
	return c.id
}

// location is where the cluster stands. It is zero without a detail, lest a
// place that is told only now and then look like a move, and for clusters of
// one region that do not tell their zones.
func (c cluster) location(seen sight, accountRegion string) replication.Location {
	region, betweenRegions := c.region, seen.item.Text("dr_type") == "region"
	if region == "" && !betweenRegions {
		region = accountRegion // both clusters stand in the region that is asked
	}
	if seen.detail == nil || region == "" || (c.zone == "" && !betweenRegions) {
		return replication.Location{}
	}
	return replication.Location{Region: region, Zone: c.zone}
}

// side is what a role means.
type side int

const (
	sideUnknown side = iota
	sidePrimary
	sideStandby
)

// sideOf reads a role. The vendor documents no values, so that only words which
// mean one thing plainly are understood.
func sideOf(role string) side {
	role = strings.ToLower(role)
	primary := strings.Contains(role, "primary") || strings.Contains(role, "master") || strings.Contains(role, "production")
	standby := strings.Contains(role, "standby") || strings.Contains(role, "slave") || strings.Contains(role, "secondary")
	switch {
	case primary && !standby:
		return sidePrimary
	case standby && !primary:
		return sideStandby
	}
	return sideUnknown
}

// swapped tells whether the roles are plainly the other way round than the
// fields they stand in.
func swapped(primary, standby cluster) bool {
	return sideOf(primary.role) == sideStandby && sideOf(standby.role) == sidePrimary
}

// activeOf is where the cluster stands that is primary now, zero unless the
// roles are plainly opposite and the two stand in different places.
func activeOf(primary, standby cluster, source, target replication.Location) replication.Location {
	if source.IsZero() || target.IsZero() || source == target {
		return replication.Location{}
	}
	switch {
	case swapped(primary, standby):
		return target
	case sideOf(primary.role) == sidePrimary && sideOf(standby.role) == sideStandby:
		return source
	}
	return replication.Location{}
}

// baseline is the clusters' ids and roles as one stable text, "" unless all
// four are known.
func baseline(primary, standby cluster) string {
	if primary.id == "" || standby.id == "" || primary.role == "" || standby.role == "" {
		return ""
	}
	return fmt.Sprintf("primary=%s:%s standby=%s:%s", primary.id, primary.role, standby.id, standby.role)
}
