package ebs

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/replication"
)

var _ provider.DrillReader = (*Reader)(nil)

// Drills lists the drills of one group, which both of its regions know. Unlike
// everywhere else an item that cannot be read is an error: a drill that is
// overlooked is billed on, or taken for another.
func (r *Reader) Drills(ctx context.Context, groupID string) ([]replication.Drill, error) {
	if err := provider.ValidID(groupID); err != nil {
		return nil, fmt.Errorf("drills: %w", err)
	}
	drills, seen, unread := []replication.Drill{}, map[string]bool{}, 0
	err := r.pages(ctx, describeDrills, "Drills", map[string]string{"GroupId": groupID}, func(raw json.RawMessage, _ moment) {
		d, ok := r.readDrill(raw, groupID)
		switch {
		case !ok:
			unread++
		case !seen[d.ID]:
			seen[d.ID] = true
			drills = append(drills, d)
		}
	})
	if err == nil && unread > 0 {
		err = fmt.Errorf("%d of them could not be read", unread)
	}
	if err != nil {
		return nil, fmt.Errorf("drills of group %s in %s: %w", groupID, r.c.s.Region, err)
	}
	return drills, nil
}

// readDrill reads one item of Drills whole, or not at all.
func (r *Reader) readDrill(raw json.RawMessage, groupID string) (replication.Drill, bool) {
	whole, tell := true, r.unread(describeDrills, "DrillId", raw)
	bad := func(field string) {
		whole = false
		tell(field)
	}
	id, status, ok := parseDrill(raw, bad)
	if it, isObject := decodeItem(raw, func(string) {}); isObject {
		if group := it.text("GroupId"); group != "" && group != groupID {
			bad("GroupId")
		}
	}
	if ok && provider.ValidID(id) != nil {
		bad("DrillId")
	}
	return replication.Drill{ID: id, Status: status, State: drillState(status)}, ok && whole
}

// drillState is the vendor's table of a drill's Status.
func drillState(status string) replication.DrillState {
	switch status {
	case "executing":
		return replication.DrillStarting
	case "executed":
		return replication.DrillReady
	case "clearing":
		return replication.DrillClearing
	case "execute_failed", "clear_failed":
		return replication.DrillFailed
	}
	return replication.DrillUnknown
}
