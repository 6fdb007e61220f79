package huawei

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/drwatch/drwatch/internal/replication"
)

// Pair is one replication pair of disks. SDRS and EVS tell the same of it, but
// name its group differently.
type Pair struct {
	ID                string
	Group             string // id of its group, "" when it is in none
	Status            string
	ReplicationStatus string
	Progress          *float64 // 0..1
	Bytes             *int64   // size of its disks
	Fault             string   // fault_level; "" when not told
	FaultBroken       bool     // fault_level is there and cannot be read
}

// bytesPerGB: the vendor's GB of a disk is 2³⁰ bytes.
const bytesPerGB = 1 << 30

// ReadPair reads one pair. ok is false when it cannot be told which group it
// belongs to.
func ReadPair(o Item, groupField string) (p Pair, ok bool) {
	p = Pair{
		ID:                o.ID,
		Status:            o.Text("status"),
		ReplicationStatus: o.Text("replication_status"),
		Progress:          o.Ratio("progress"),
	}
	fault, readable := o.Word("fault_level")
	p.Fault, p.FaultBroken = fault, !readable
	if metadata, told := o.Child("record_metadata"); told {
		p.Bytes = metadata.Gigabytes("volume_size")
	}
	p.Group, ok = o.Word(groupField)
	return p, ok
}

// Gigabytes is a field that holds GB, as bytes, or nil.
func (o Object) Gigabytes(field string) *int64 {
	gb, ok := o.Number(field)
	if !ok {
		return nil
	}
	if gb < 0 || gb > math.MaxInt32 {
		o.Note(field)
		return nil
	}
	bytes := int64(gb * bytesPerGB)
	return &bytes
}

// Pairs are the pairs of one group.
type Pairs struct {
	List []Pair
	// Unread tells that a pair which may be one of this group could not be
	// read: what the others say is then not all there is to say.
	Unread bool
}

// ByStatus counts the pairs by the provider's status, each in exactly one; a
// pair without a status is "unknown".
func (ps Pairs) ByStatus() map[string]int {
	counts := map[string]int{}
	for _, p := range ps.List {
		status := p.Status
		if status == "" {
			status = "unknown"
		}
		counts[status]++
	}
	return counts
}

// Any tells whether one of the pairs has one of the statuses.
func (ps Pairs) Any(statuses ...string) bool {
	for _, p := range ps.List {
		if slices.Contains(statuses, p.Status) {
			return true
		}
	}
	return false
}

// Copying counts the pairs whose first or repeated full copy is under way.
func (ps Pairs) Copying() int {
	n := 0
	for _, p := range ps.List {
		if p.ReplicationStatus == "copying" {
			n++
		}
	}
	return n
}

// CopyProgress is that of the copying pair that is least far, or nil: a group
// is in sync when its last pair is.
func (ps Pairs) CopyProgress() *float64 {
	var least *float64
	for _, p := range ps.List {
		if p.ReplicationStatus == "copying" && p.Progress != nil && (least == nil || *p.Progress < *least) {
			least = p.Progress
		}
	}
	return least
}

// Bytes is the size of all pairs, or nil when one of them does not tell its
// own, or all together are more than can be: a part of the sum is not the sum.
func (ps Pairs) Bytes() *int64 {
	if len(ps.List) == 0 || ps.Unread {
		return nil
	}
	var sum int64
	for _, p := range ps.List {
		if p.Bytes == nil || *p.Bytes > math.MaxInt64-sum {
			return nil
		}
		sum += *p.Bytes
	}
	return &sum
}

// The documented fault levels of a pair or group: none; production lost its
// disks and a failover is advised; the replication link is down and a failover
// is not allowed.
const (
	faultNone     = "0"
	faultDisks    = "2"
	faultLinkDown = "5"
)

// FaultHint is the worst of the fault levels in words, "" when there is none.
func FaultHint(levels []string) string {
	worst := ""
	for _, l := range levels {
		if severity(l) > severity(worst) {
			worst = l
		}
	}
	switch worst {
	case "", faultNone:
		return ""
	case faultDisks:
		return "fault_level 2: production lost its disks, failover is advised"
	case faultLinkDown:
		return "fault_level 5: the replication link is down, failover is not allowed"
	}
	return "fault_level " + strconv.Quote(worst) + ": not documented"
}

// severity orders the levels by what they forbid: link down is worst, then
// whatever nobody documented, then lost disks.
func severity(level string) int {
	switch level {
	case "", faultNone:
		return 0
	case faultDisks:
		return 1
	case faultLinkDown:
		return 3
	}
	return 2
}

// FaultCondition tells whether the fault levels allow a failover: all of them
// must be readable, and one of the levels documented to allow it. A level that
// is not told claims no fault.
func FaultCondition(levels []string, broken bool) replication.Condition {
	c := replication.Condition{Name: "fault_level", Value: "0", Threshold: "0 or 2 on every pair, 5 forbids it", OK: true}
	if hint := FaultHint(levels); hint != "" {
		c.Value = hint
	}
	for _, l := range levels {
		c.OK = c.OK && severity(l) <= severity(faultDisks)
	}
	if broken {
		c.OK, c.Value = false, "a fault level could not be read"
	}
	return c
}

// FaultLevels are the levels of all pairs; broken when one could not be read.
func (ps Pairs) FaultLevels() (levels []string, broken bool) {
	broken = ps.Unread
	for _, p := range ps.List {
		levels = append(levels, p.Fault)
		broken = broken || p.FaultBroken
	}
	return levels, broken
}

// PairsCondition tells whether the group has anything to fail over.
func (ps Pairs) PairsCondition() replication.Condition {
	return replication.Condition{Name: "has_pairs", Value: strconv.Itoa(len(ps.List)), Threshold: "at least 1 replication pair", OK: len(ps.List) > 0}
}

// SyncCondition tells whether every pair has its full copy: failing over in the
// middle of one would bring up disks that are half of two moments. groupStatus
// is the replication_status of the group, "" when it tells none.
func (ps Pairs) SyncCondition(groupStatus string) replication.Condition {
	n := ps.Copying()
	c := replication.Condition{Name: "full_sync_done", Value: fmt.Sprintf("%d pairs copying", n), Threshold: "nothing is copying", OK: n == 0}
	if groupStatus == "copying" {
		c.Value, c.OK = "the group is copying", false
	}
	return c
}

// StatusCondition tells whether the group's status allows a failover.
func StatusCondition(status string, allowed ...string) replication.Condition {
	c := replication.Condition{Name: "status_allows_failover", Value: status}
	for i, a := range allowed {
		if i > 0 {
			c.Threshold += " or "
		}
		c.Threshold += a
		c.OK = c.OK || status == a
	}
	if status == "" {
		c.Value = "not told"
	}
	return c
}

// SideCondition tells whether it is known where production is now.
func SideCondition(active replication.Location, raw string) replication.Condition {
	c := replication.Condition{Name: "active_side_known", Value: active.String(), Threshold: "one of the two sides", OK: !active.IsZero()}
	if !c.OK {
		c.Value = "cannot be decided from " + strconv.Quote(raw)
	}
	return c
}
