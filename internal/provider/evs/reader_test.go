package evs_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/provider/evs"
	"github.com/drwatch/drwatch/internal/replication"
)

var (
	zoneA = replication.Location{Region: "eu-west-0", Zone: "eu-west-0a"}
	zoneB = replication.Location{Region: "eu-west-0", Zone: "eu-west-0b"}
)

func TestListReadsTheVendorsSample(t *testing.T) {
	c := newCloud(t)
	got, err := reader(t, c).List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	capacity := int64(30 << 30)
	want := provider.Listing{Groups: []replication.Group{{
		Key:     replication.GroupKey{Provider: replication.HuaweiEVS, ID: groupID},
		Account: "hw-legacy", Name: "legacy", Region: "eu-west-0",
		Source: zoneA, Target: zoneB, Active: zoneA,
		RawStatus: "available/active", State: replication.Replicating,
		Pairs: map[string]int{"available": 2}, CapacityBytes: &capacity,
		ReadAt: now,
	}}}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(replication.Group{}, "Ready", "ProviderTime")); diff != "" {
		t.Errorf("List (-want +got):\n%s", diff)
	}
	if g := got.Groups[0]; !g.FailoverReady() || g.ProviderTime.IsZero() {
		t.Errorf("ready %v, provider time %v", g.Ready, g.ProviderTime)
	}
	if diff := cmp.Diff([]string{"GET " + groups + "?limit=1000", "GET " + pairs + "?limit=1000"}, c.asked()); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

func TestReadAsksForOneGroup(t *testing.T) {
	c := newCloud(t)
	if _, err := reader(t, c).Read(t.Context(), groupID); err != nil {
		t.Fatal(err)
	}
	want := []string{"GET " + groups + "/" + groupID, "GET " + pairs + "?limit=1000&replication_consistency_group_id=" + groupID}
	if diff := cmp.Diff(want, c.asked()); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

func TestStates(t *testing.T) {
	tests := []struct {
		status, repl string
		want         replication.State
		ready        bool
	}{
		{"available", "active", replication.Replicating, true},
		{"available", "copying", replication.Syncing, false},
		{"available", "inactive", replication.ProtectionOff, true},
		{"available", "active-stopped", replication.ProtectionOff, true},
		{"available", "error", replication.Errored, true},
		{"available", "", replication.Unknown, false},
		{"available", "null", replication.Unknown, false},
		{"available", "odd", replication.Unknown, false},
		{"failovering", "active", replication.Switching, false},
		{"reversing", "active", replication.Switching, false},
		{"failovered", "active-stopped", replication.FailedOver, false},
		{"failovered", "error", replication.FailedOver, false},
		{"updating", "copying", replication.Reprotecting, false},
		{"updating", "active", replication.Changing, false},
		{"creating", "inactive", replication.Changing, false},
		{"deleting", "active", replication.Changing, false},
		{"error", "active", replication.Errored, false},
		{"error_reversing", "active", replication.Errored, false},
		{"error_deleting", "active", replication.Errored, false},
		{"error_failovering", "active", replication.Errored, true},
		{"error-failovering", "active", replication.Unknown, false},
		{"", "active", replication.Unknown, false},
	}
	for _, tt := range tests {
		t.Run(tt.status+" "+tt.repl, func(t *testing.T) {
			c := newCloud(t)
			c.setGroup(t, object{"status": tt.status, "replication_status": tt.repl})
			g, err := reader(t, c).Read(t.Context(), groupID)
			if err != nil {
				t.Fatal(err)
			}
			if g.State != tt.want || g.FailoverReady() != tt.ready {
				t.Errorf("state %s, ready %v, want %s, %v", g.State, g.Ready, tt.want, tt.ready)
			}
		})
	}
}

func TestActiveSide(t *testing.T) {
	tests := []struct {
		name  string
		group object
		want  replication.Location
	}{
		{"primary", object{"priority_station": "eu-west-0a"}, zoneA},
		{"secondary", object{"priority_station": "eu-west-0b"}, zoneB},
		{"misspelt as in the vendor's sample", object{"priority_station": nil, "priority_staion": "eu-west-0b"}, zoneB},
		{"a zone nobody configured", object{"priority_station": "eu-west-0c"}, replication.Location{}},
		{"a side, which is SDRS's way", object{"priority_station": "source"}, replication.Location{}},
		{"not told", object{"priority_station": nil}, replication.Location{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newCloud(t)
			c.setGroup(t, tt.group)
			g, err := reader(t, c).Read(t.Context(), groupID)
			if err != nil || g.Active != tt.want || g.FailoverReady() == tt.want.IsZero() {
				t.Errorf("active %v, ready %v (%v), want %v", g.Active, g.Ready, err, tt.want)
			}
		})
	}
}

func TestFaultsAndPairs(t *testing.T) {
	tests := []struct {
		name        string
		group, pair object
		ready       bool
		fault       string
	}{
		{"5 on the group", object{"fault_level": 5}, nil, false, "not allowed"},
		{"5 on a pair", nil, object{"fault_level": "5"}, false, "not allowed"},
		{"2 on the group", object{"fault_level": "2"}, nil, true, "advised"},
		{"of a wrong type", object{"fault_level": true}, nil, false, ""},
		{"a pair that copies", nil, object{"replication_status": "copying"}, false, ""},
		{"a pair that names no group, but the group names it", nil, object{"replication_consistency_group_id": nil, "fault_level": "5"}, false, "not allowed"},
		{"a pair of a group that cannot be read", nil, object{"replication_consistency_group_id": true}, false, ""},
		{"a pair of another group", object{"replication_ids": []string{"rep-2"}}, object{"replication_consistency_group_id": "other", "fault_level": "5"}, true, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newCloud(t)
			c.setGroup(t, tt.group)
			c.setPairs(t, tt.pair)
			g, err := reader(t, c).Read(t.Context(), groupID)
			if err != nil {
				t.Fatal(err)
			}
			if g.FailoverReady() != tt.ready || (tt.fault == "") != (g.Fault == "") || !strings.Contains(g.Fault, tt.fault) {
				t.Errorf("ready %v, fault %q, want %v, %q", g.Ready, g.Fault, tt.ready, tt.fault)
			}
		})
	}
}

func TestOneBadItemLeavesTheOthers(t *testing.T) {
	c := newCloud(t)
	good := items(t, "groups.json", "replication_consistency_groups")[0]
	c.set(groups, text(t, object{"replication_consistency_groups": []any{nil, 7, object{"id": "odd", "status": object{}}, good}}))
	list := items(t, "replications.json", "replications")
	c.set(pairs, text(t, object{"replications": []any{"x", list[0], list[1]}}))
	got, err := reader(t, c).List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Groups) != 2 || got.Groups[0].State != replication.Unknown || !got.Groups[1].FailoverReady() {
		t.Errorf("groups %+v", got.Groups)
	}
	if diff := cmp.Diff(map[string]int{"replication_consistency_groups": 2, "status": 1, "replications": 1}, got.Bad); diff != "" {
		t.Errorf("bad (-want +got):\n%s", diff)
	}
}

func TestAnswersThatAreNoListing(t *testing.T) {
	for _, path := range []string{groups, pairs} {
		for name, body := range map[string]string{
			"{}": "{}", "empty": "", "HTML": "<html>", "null": `{"replication_consistency_groups":null,"replications":null}`,
			"error": `400 {"badRequest":{"message":"limit","code":400}}`,
		} {
			t.Run(path+" "+name, func(t *testing.T) {
				c := newCloud(t)
				c.set(path, body)
				if got, err := reader(t, c).List(t.Context()); err == nil {
					t.Errorf("believed: %+v", got)
				}
			})
		}
	}
	c := newCloud(t)
	c.set(groups, `{"replication_consistency_groups":[]}`)
	if got, err := reader(t, c).List(t.Context()); err != nil || len(got.Groups) != 0 {
		t.Errorf("an empty account: %+v, %v", got, err)
	}
}

func TestRepeatedMarkerEnds(t *testing.T) {
	full := make([]object, 1000)
	for i := range full {
		full[i] = object{"id": fmt.Sprintf("cg-%d", i)}
	}
	c := newCloud(t)
	c.set(groups, text(t, object{"replication_consistency_groups": full}))
	if _, err := reader(t, c).List(t.Context()); err == nil || !strings.Contains(err.Error(), "repeats a page") {
		t.Errorf("%v, want an error about the repeated page", err)
	}
	if asked := c.asked(); len(asked) != 2 || asked[1] != "GET "+groups+"?limit=1000&marker=cg-999" {
		t.Errorf("asked %q", asked)
	}
}

func TestReadAndTrackOfWhatIsNotThere(t *testing.T) {
	c := newCloud(t)
	c.set(groups+"/gone", `404 {"itemNotFound":{"message":"no such group","code":404}}`)
	if _, err := reader(t, c).Read(t.Context(), "gone"); !errors.Is(err, provider.ErrNotFound) {
		t.Errorf("%v, want not found", err)
	}
	if _, err := reader(t, c).Track(t.Context(), "gone", ""); !errors.Is(err, provider.ErrNotFound) {
		t.Errorf("%v, want not found", err)
	}
	before := len(c.asked())
	for _, id := range []string{"", "a/../b"} {
		if _, err := reader(t, c).Read(t.Context(), id); err == nil {
			t.Errorf("id %q was read", id)
		}
	}
	if len(c.asked()) != before {
		t.Error("an id that changes the path was sent")
	}
}

func TestTrack(t *testing.T) {
	c := newCloud(t)
	c.setGroup(t, object{"status": "failovered", "replication_status": "active-stopped", "priority_station": "eu-west-0b"})
	p, err := reader(t, c).Track(t.Context(), groupID, "")
	if err != nil || p.Job != provider.JobNone || p.Group.State != replication.FailedOver || p.Group.Active != zoneB || !strings.Contains(p.Detail, "failovered/active-stopped") {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestZonesAreNeeded(t *testing.T) {
	for _, zones := range [][2]string{{"", "b"}, {"a", ""}, {"a", "a"}} {
		s := settings("https://evs.example.com")
		s.PrimaryZone, s.SecondaryZone = zones[0], zones[1]
		if _, err := evs.NewReader(s); err == nil || !strings.Contains(err.Error(), "zones") {
			t.Errorf("%q: %v", zones, err)
		}
		if _, err := evs.NewActor(s); err == nil {
			t.Errorf("%q: an actor was built", zones)
		}
	}
}
