package dws

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/provider/huawei"
	"github.com/drwatch/drwatch/internal/replication"
)

// described is what is told of the two clusters, by the role that each was
// given at creation.
func described(primary, standby cluster) []replication.WarehouseCluster {
	var out []replication.WarehouseCluster
	for _, c := range []struct {
		role string
		cluster
	}{{"primary", primary}, {"standby", standby}} {
		w := replication.WarehouseCluster{
			Role: c.role, ID: c.id, Name: c.title, Status: told(c.status), Version: told(c.version),
			CapacityBytes: c.bytes, UsedBytes: c.used, LastSuccess: c.lastSuccess,
		}
		if w.ID != "" || w.Name != "" || w.Status != "" {
			out = append(out, w)
		}
	}
	return out
}

// told is a text of the service, "" for its word for nothing.
func told(text string) string {
	if strings.EqualFold(text, "N/A") {
		return ""
	}
	return text
}

// timeOf is a time of the service, zero when there is none or it cannot be read.
// The zone is the account's: no vendor page names it.
func timeOf(o huawei.Object, field string, zone *time.Location) time.Time {
	text := told(o.Text(field))
	if text == "" {
		return time.Time{}
	}
	at, ok := provider.ParseTime(text, zone)
	if !ok {
		o.Note(field)
		return time.Time{}
	}
	return at
}

// longest: a figure beyond ten years is no time of a replication.
const longest = 10 * 365 * 24 * time.Hour

// secondsOf is a field that holds seconds, nil when it is not told or cannot be
// read.
func secondsOf(o huawei.Object, field string) *time.Duration {
	if told(o.Text(field)) == "" {
		return nil
	}
	seconds, ok := o.Number(field)
	if !ok {
		return nil
	}
	if seconds < 0 || seconds > longest.Seconds() {
		o.Note(field)
		return nil
	}
	d := time.Duration(seconds * float64(time.Second))
	return &d
}

// bytesPerGB: the service's GB are 2³⁰ bytes.
const bytesPerGB = 1 << 30

// gigabytes is a size, nil when it is not told or cannot be read. The service
// writes sizes as text, and says nothing of a unit: a bare number is GB, and so
// is one that says so.
func gigabytes(o huawei.Object, field string) *int64 {
	text := told(o.Text(field))
	if text == "" {
		return nil
	}
	number := strings.TrimSpace(strings.TrimSuffix(strings.ToUpper(text), "GB"))
	gb, err := strconv.ParseFloat(number, 64)
	if err != nil || !(gb >= 0 && gb <= math.MaxInt32) {
		o.Note(field)
		return nil
	}
	bytes := int64(gb * bytesPerGB)
	return &bytes
}
