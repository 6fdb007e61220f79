package provider_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/replication"
)

var (
	north, south = replication.Location{Region: "r", Zone: "north"}, replication.Location{Region: "r", Zone: "south"}
	elsewhere    = replication.Location{Region: "r", Zone: "elsewhere"}
)

func TestAMoveIsACompareAndSet(t *testing.T) {
	for _, tt := range []struct {
		active, from, to replication.Location
		ok               bool
	}{
		{north, north, south, true},
		{south, south, north, true},
		{south, north, south, false}, // it has moved
		{north, north, elsewhere, false},
		{north, elsewhere, south, false},
		{north, north, north, false},
		{replication.Location{}, north, south, false},
		{replication.Location{}, replication.Location{}, replication.Location{}, false},
		{north, replication.Location{}, south, false},
		{north, north, replication.Location{}, false},
	} {
		g := replication.Group{Source: north, Target: south, Active: tt.active}
		if c := provider.AtFrom(g, replication.Plan{From: tt.from, To: tt.to}); c.OK != tt.ok || c.Value == "" || c.Threshold == "" {
			t.Errorf("production at %q, from %q to %q: %+v", tt.active, tt.from, tt.to, c)
		}
	}
}

func TestMoved(t *testing.T) {
	moving := map[replication.State]bool{replication.Switching: true, replication.Changing: true, replication.Unknown: true}
	for _, state := range replication.States() {
		g := replication.Group{Source: north, Target: south, Active: south, State: state}
		if got := provider.Moved(g, south); got != !moving[state] {
			t.Errorf("%s at the target: moved is %v", state, got)
		}
		if provider.Moved(g, north) {
			t.Errorf("%s at the target: moved to the source", state)
		}
		protects := state == replication.Replicating || state == replication.Syncing
		if got := provider.Protects(g, south); got != protects || provider.Protects(g, north) {
			t.Errorf("%s at the target: protects is %v", state, got)
		}
		if g.Active = (replication.Location{}); provider.Moved(g, g.Active) {
			t.Errorf("%s: production is nowhere, as wanted", state)
		}
	}
}

// A condition that nobody evaluated does not hold.
func TestPickOfWhatIsMissing(t *testing.T) {
	all := []replication.Condition{{Name: "a", OK: true}, {Name: "b"}}
	got := provider.Pick(all, "b", "c", "a")
	want := []replication.Condition{{Name: "b"}, {Name: "c", Value: "not evaluated", Threshold: "evaluated"}, {Name: "a", OK: true}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestStatusAllows(t *testing.T) {
	for status, ok := range map[string]bool{"protected": true, "available": true, "PROTECTED": false, "": false} {
		c := provider.StatusAllows(replication.Stop, status, "available", "protected")
		if c.OK != ok || c.Name != "status_allows_stop" || c.Value == "" || c.Threshold != "available or protected" {
			t.Errorf("%q: %+v", status, c)
		}
	}
}
