package ebs_test

import (
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drwatch/drwatch/internal/provider"
)

// noted collects what could not be read.
type noted struct {
	provider.NopMeter
	mu  sync.Mutex
	all map[provider.Unread]int
}

func (n *noted) DecodeError(u provider.Unread) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all[u]++
}

// What cannot be read is told with the call, and with the item where that has a
// usable id.
func TestWhereSomethingCouldNotBeRead(t *testing.T) {
	c := newCloud(t, facts(
		body(200, `{"ReplicaGroups":[7,{"ReplicaGroupId":"../secret"},{"ReplicaGroupId":"pg-1","Status":[1]}]}`),
		body(200, `{"ReplicaPairs":[{"ReplicaPairId":"pair-1","ReplicaGroupId":"pg-1","LastRecoverPoint":"soon"}]}`),
		drillLists(map[string]string{"pg-1": `[{"DrillId":"d-1","GroupId":"pg-2"}]`}),
	))
	n := &noted{all: map[provider.Unread]int{}}
	s := c.settings()
	s.Meter = n
	if _, err := newReader(t, s).List(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := slowFacts(t, s); err != nil {
		t.Fatal(err)
	}
	want := map[provider.Unread]int{
		{Call: "DescribeDiskReplicaGroups", Field: "ReplicaGroups"}:                   1,
		{Call: "DescribeDiskReplicaGroups", Field: "ReplicaGroupId"}:                  1,
		{Call: "DescribeDiskReplicaGroups", Field: "Status", Item: "pg-1"}:            1,
		{Call: "DescribeDiskReplicaPairs", Field: "LastRecoverPoint", Item: "pair-1"}: 1,
		{Call: "DescribeReplicaGroupDrills", Field: "GroupId", Item: "d-1"}:           1,
	}
	if diff := cmp.Diff(want, n.all); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}
