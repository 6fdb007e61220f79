package ebs

import (
	"slices"

	"github.com/drwatch/drwatch/internal/replication"
)

// side is the end of the current replication direction where production is.
type side int

const (
	undecided     side = iota // the status does not tell
	atSource                  // replication runs, or ran, from production
	atDestination             // the destination took over
)

// statuses are the documented values of a group's Status (page
// DescribeDiskReplicaGroups) and what they mean.
var statuses = map[string]struct {
	state  replication.State
	active side
}{
	"normal":          {replication.Replicating, atSource},
	"syncing":         {replication.Replicating, atSource},
	"manual_syncing":  {replication.Replicating, atSource},
	"initial_syncing": {replication.Syncing, atSource},
	"created":         {replication.ProtectionOff, atSource},
	"stopped":         {replication.ProtectionOff, atSource},
	"creating":        {replication.Changing, atSource},
	"stopping":        {replication.Changing, atSource},
	// Until the failover is done the source is the serving side.
	"failovering": {replication.Switching, atSource},
	"failovered":  {replication.FailedOver, atDestination},
	// Source and destination are swapped at some moment of a reprotection, and
	// a group can be deleted before or after a failover: who serves is not told.
	"reprotecting":     {replication.Reprotecting, undecided},
	"reprotect_failed": {replication.Errored, undecided},
	"deleting":         {replication.Changing, undecided},
	"delete_failed":    {replication.Errored, undecided},
	"deleted":          {replication.Errored, undecided},
	"invalid":          {replication.Errored, atSource},
	"create_failed":    {replication.Errored, atSource},
	"stop_failed":      {replication.Errored, atSource},
	"failover_failed":  {replication.Errored, atSource},
}

// failoverStatuses are the statuses in which FailoverDiskReplicaGroup is
// allowed (its API page), without failovering and failovered: there the
// provider would accept a second failover.
var failoverStatuses = []string{
	"normal", "syncing", "manual_syncing", "stopping", "stop_failed", "stopped", "failover_failed",
}

// unready are the statuses of a pair whose copy cannot be relied upon: it never
// was complete, or the pair is no longer one.
var unready = []string{
	"creating", "created", "create_failed", "initial_syncing", "invalid", "deleting", "deleted", "delete_failed",
}

// pairUsable tells whether a pair in this status has a copy to fail over to. A
// status that is not documented has none.
func pairUsable(status string) bool {
	_, known := statuses[status]
	return known && !slices.Contains(unready, status)
}
