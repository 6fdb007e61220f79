package sdrs

import (
	"context"
	"fmt"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/provider/huawei"
	"github.com/drwatch/drwatch/internal/replication"
)

var _ provider.DrillReader = (*reader)(nil)

// Drills lists the drills of one group. Unlike everywhere else an item that
// cannot be read is an error: a drill that is overlooked is billed on, or taken
// for another.
func (r *reader) Drills(ctx context.Context, groupID string) ([]replication.Drill, error) {
	if err := provider.ValidID(groupID); err != nil {
		return nil, fmt.Errorf("drills of protection group: %w", err)
	}
	drills, err := r.drillsOf(ctx, groupID)
	if err != nil {
		return nil, fmt.Errorf("drills of protection group %s: %w", groupID, err)
	}
	return drills, nil
}

func (r *reader) drillsOf(ctx context.Context, groupID string) ([]replication.Drill, error) {
	problems := huawei.NewProblems(r.client.Settings().Meter)
	listed, _, err := r.pages(ctx, problems, list{operation: "ListDisasterRecoveryDrills", path: drillsPath, field: "disaster_recovery_drills"}, huawei.Query{ServerGroup: groupID})
	if err != nil {
		return nil, err
	}
	drills := []replication.Drill{}
	for _, item := range listed.Items {
		group, readable := item.Word("server_group_id")
		name, named := item.Word("name")
		status, told := item.Word("status")
		if item.ID == "" || group == "" || !readable || !named || !told {
			return nil, fmt.Errorf("%w: a drill without an id, a group, a name or a status", huawei.ErrUnreadable)
		}
		if group == groupID { // a region that does not know the filter lists all
			drills = append(drills, replication.Drill{ID: item.ID, Name: name, Status: status, State: drillState(status)})
		}
	}
	if listed.Lost > 0 {
		return nil, fmt.Errorf("%w: %d drills are no objects", huawei.ErrUnreadable, listed.Lost)
	}
	return drills, nil
}

// drillState is the service's table of a drill's states.
func drillState(status string) replication.DrillState {
	switch status {
	case "creating":
		return replication.DrillStarting
	case "available":
		return replication.DrillReady
	case "deleting":
		return replication.DrillClearing
	case "error", "error-deleting":
		return replication.DrillFailed
	}
	return replication.DrillUnknown
}
