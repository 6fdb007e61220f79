package dws_test

import (
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/provider/dws"
)

// noted collects what could not be read.
type noted struct {
	provider.NopMeter
	mu  sync.Mutex
	all []provider.Unread
}

func (n *noted) DecodeError(u provider.Unread) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = append(n.all, u)
}

// What cannot be read is told with the call and the item, or with which of its
// page the item is when its id is what cannot be read.
func TestWhereSomethingCouldNotBeRead(t *testing.T) {
	c := newCloud(t)
	var list map[string][]any
	decode(t, "list.json", &list)
	one, _ := list["disaster_recovery"][0].(object)
	one["status"] = []int{1}
	list["disaster_recovery"] = []any{7, object{"id": true}, object{"id": "../secret"}, one}
	c.set(listPath, text(t, list))
	var detail map[string]object
	decode(t, "detail.json", &detail)
	detail["disaster_recovery"]["dr_sync_period"] = "soon"
	standby, _ := detail["disaster_recovery"]["standby_cluster"].(object)
	standby["disk_used"] = object{}
	c.set(detailPath, text(t, detail))
	c.set(progressPath, `{"disaster_recovery_progress":{"recovery_point_object":[]}}`)

	n := &noted{}
	s := settings(c.URL)
	s.Meter = n
	r, err := dws.NewReader(s)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.List(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := map[provider.Unread]bool{}
	for _, u := range n.all {
		got[u] = true
	}
	want := map[provider.Unread]bool{
		{Call: "ListDisasterRecover", Field: "disaster_recovery", Item: "no. 1 of its page"}: true,
		{Call: "ListDisasterRecover", Field: "id", Item: "no. 2 of its page"}:                true,
		{Call: "ListDisasterRecover", Field: "id", Item: "no. 3 of its page"}:                true,
		{Call: "ListDisasterRecover", Field: "status", Item: drID}:                           true,
		{Call: "ShowDisasterDetail", Field: "dr_sync_period", Item: drID}:                    true,
		{Call: "ShowDisasterDetail", Field: "disk_used", Item: drID}:                         true,
		{Call: "ShowDisasterProgress", Field: "recovery_point_object", Item: drID}:           true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}
