package dws_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/provider/dws"
	"github.com/drwatch/drwatch/internal/replication"
)

var (
	zoneA   = replication.Location{Region: "cn-north-4", Zone: "cn-north-4a"}
	zoneB   = replication.Location{Region: "cn-north-4", Zone: "cn-north-4b"}
	nowhere = replication.Location{}
)

func read(t *testing.T, c *cloud) replication.Group {
	t.Helper()
	g, err := reader(t, c).Read(t.Context(), drID)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestListReadsTheVendorsSample(t *testing.T) {
	c := newCloud(t)
	got, err := reader(t, c).List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	capacity, lag, objective, recovery := int64(300<<30), 2*time.Minute, 20*time.Minute, time.Minute
	synced := time.Date(2026, 1, 2, 3, 50, 0, 0, time.UTC)
	gb := func(n float64) *int64 { bytes := int64(n * (1 << 30)); return &bytes }
	want := provider.Listing{Groups: []replication.Group{{
		Key:     replication.GroupKey{Provider: replication.HuaweiDWS, ID: drID},
		Account: "hw-warehouse", Name: "warehouse", Region: "cn-north-4",
		Source: zoneA, Target: zoneB, Active: zoneA,
		RawStatus: "running", State: replication.Replicating,
		Baseline: "primary=cluster-a:primary standby=cluster-b:standby",
		LastSync: synced, Lag: &lag, RPOObjective: &objective,
		CapacityBytes: &capacity, ReadAt: now,
		Clusters: []replication.WarehouseCluster{
			{Role: "primary", ID: "cluster-a", Name: "dws-a", Status: "waiting", Version: "8.1.3.310", CapacityBytes: gb(300), UsedBytes: gb(41.2), LastSuccess: synced},
			{Role: "standby", ID: "cluster-b", Name: "dws-b", Status: "waiting", Version: "8.1.3.310", CapacityBytes: gb(300), UsedBytes: gb(40.8), LastSuccess: synced},
		},
		BarrierTime: synced, RecoveryTime: &recovery,
	}}}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(replication.Group{}, "Ready", "ProviderTime")); diff != "" {
		t.Errorf("List (-want +got):\n%s", diff)
	}
	if g := got.Groups[0]; !g.FailoverReady() || g.ProviderTime.IsZero() {
		t.Errorf("ready %v, provider time %v", g.Ready, g.ProviderTime)
	}
	if diff := cmp.Diff([]string{"GET " + listPath, "GET " + detailPath, "GET " + progressPath}, c.asked()); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

func TestReadAsksForOne(t *testing.T) {
	c := newCloud(t)
	read(t, c)
	if diff := cmp.Diff([]string{"GET " + listPath + "?id=" + drID, "GET " + detailPath, "GET " + progressPath}, c.asked()); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

func TestStates(t *testing.T) {
	tests := []struct {
		status  any
		want    replication.State
		ready   bool
		swapped replication.State // the state with the roles the other way round
	}{
		{"running", replication.Replicating, true, replication.Replicating},
		{"abnormal", replication.Errored, true, replication.FailedOver},
		{"stopped", replication.ProtectionOff, false, replication.FailedOver},
		{"unstart", replication.ProtectionOff, false, replication.ProtectionOff},
		{"switchovering", replication.Switching, false, replication.Switching},
		{"starting", replication.Reprotecting, false, replication.Reprotecting},
		{"creating", replication.Changing, false, replication.Changing},
		{"stopping", replication.Changing, false, replication.Changing},
		{"deleting", replication.Changing, false, replication.Changing},
		{"create_failed", replication.Errored, false, replication.Errored},
		{"start_failed", replication.Errored, false, replication.Errored},
		{"stop_failed", replication.Errored, false, replication.Errored},
		{"RUNNING", replication.Unknown, false, replication.Unknown},
		{"odd", replication.Unknown, false, replication.Unknown},
		{nil, replication.Unknown, false, replication.Unknown},
		{[]int{1}, replication.Unknown, false, replication.Unknown},
	}
	for _, tt := range tests {
		c := newCloud(t)
		c.apply(t, status(tt.status))
		if g := read(t, c); g.State != tt.want || g.FailoverReady() != tt.ready {
			t.Errorf("%v: state %s, ready %v, want %s, %v", tt.status, g.State, g.Ready, tt.want, tt.ready)
		}
		c.apply(t, roles(status(tt.status), "standby", "primary"))
		g := read(t, c)
		if g.State != tt.swapped || g.Active != zoneB {
			t.Errorf("%v, roles swapped: state %s at %v, want %s", tt.status, g.State, g.Active, tt.swapped)
		}
		if g.State == replication.FailedOver && g.FailoverReady() {
			t.Errorf("%v, roles swapped: ready to be swapped back", tt.status)
		}
	}
}

// Wherever the vendor shows a swap, in the roles or in the ids, the active side
// is where the primary stands; without plain words it is nowhere.
func TestDirection(t *testing.T) {
	swapIDs := change{
		item:    object{"primary_cluster_id": "cluster-b", "standby_cluster_id": "cluster-a"},
		primary: object{"id": "cluster-b", "cluster_az": "cn-north-4b"}, standby: object{"id": "cluster-a", "cluster_az": "cn-north-4a"},
	}
	tests := []struct {
		name     string
		change   change
		active   replication.Location
		baseline string
	}{
		{"as made", change{}, zoneA, "primary=cluster-a:primary standby=cluster-b:standby"},
		{"roles swapped", roles(change{}, "standby", "primary"), zoneB, "primary=cluster-a:standby standby=cluster-b:primary"},
		{"ids swapped", swapIDs, zoneB, "primary=cluster-b:primary standby=cluster-a:standby"},
		{"other words", roles(change{}, "MASTER", "slave_cluster"), zoneA, "primary=cluster-a:MASTER standby=cluster-b:slave_cluster"},
		{"both primary", roles(change{}, "primary", "primary"), nowhere, "primary=cluster-a:primary standby=cluster-b:primary"},
		{"words nobody knows", roles(change{}, "1", "2"), nowhere, "primary=cluster-a:1 standby=cluster-b:2"},
		{"no roles", roles(change{}, nil, nil), nowhere, ""},
		{"no standby id", change{item: object{"standby_cluster_id": nil}, standby: object{"id": nil}}, zoneA, ""},
		{"no zones", change{primary: object{"cluster_az": nil}, standby: object{"cluster_az": nil}}, nowhere, "primary=cluster-a:primary standby=cluster-b:standby"},
		{"the same zone", change{standby: object{"cluster_az": "cn-north-4a"}}, nowhere, "primary=cluster-a:primary standby=cluster-b:standby"},
		{"zones without regions", change{item: object{"primary_cluster_region": nil, "standby_cluster_region": nil}, primary: object{"region": nil}, standby: object{"region": nil}}, zoneA, "primary=cluster-a:primary standby=cluster-b:standby"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newCloud(t)
			c.apply(t, tt.change)
			g := read(t, c)
			if g.Active != tt.active || g.Baseline != tt.baseline {
				t.Errorf("active %v, baseline %q, want %v, %q", g.Active, g.Baseline, tt.active, tt.baseline)
			}
			if !g.Active.IsZero() && g.Standby().IsZero() || g.Active.IsZero() && g.FailoverReady() {
				t.Errorf("active %v, standby %v, ready %v", g.Active, g.Standby(), g.Ready)
			}
		})
	}
}

func TestRegions(t *testing.T) {
	c := newCloud(t)
	c.apply(t, change{
		item: object{"dr_type": "region", "standby_cluster_region": "cn-east-3"}, detail: object{"dr_type": "region"},
		standby: object{"region": "cn-east-3", "cluster_az": "cn-east-3a"},
	})
	if g := read(t, c); g.Source != zoneA || g.Target != (replication.Location{Region: "cn-east-3", Zone: "cn-east-3a"}) || g.Active != zoneA {
		t.Errorf("source %v, target %v, active %v", g.Source, g.Target, g.Active)
	}
}

// List and detail read at two sides of a swap prove nothing.
func TestReadInTheMiddleOfASwap(t *testing.T) {
	c := newCloud(t)
	c.apply(t, change{item: object{"status": "switchovering"}, detail: object{"status": "abnormal"}, primary: object{"role": "standby"}, standby: object{"role": "primary"}})
	if g, err := reader(t, c).Read(t.Context(), drID); err == nil {
		t.Errorf("believed: %s at %v", g.State, g.Active)
	}
	l, err := reader(t, c).List(t.Context())
	if err != nil || len(l.Groups) != 1 || l.Groups[0].State != replication.Unknown || !l.Groups[0].Active.IsZero() || l.Groups[0].FailoverReady() {
		t.Errorf("list: %+v, %v", l, err)
	}
}

func TestLag(t *testing.T) {
	progress := func(figure string) string { return `{"disaster_recovery_progress":{` + figure + `}}` }
	tests := []struct {
		name     string
		last     any
		progress string
		want     time.Duration // negative: none
		bad      map[string]int
	}{
		{"the provider's figure", "2026-01-02 03:50:00", progress(`"recovery_point_object":120`), 2 * time.Minute, nil},
		{"as text", "2026-01-02 03:50:00", progress(`"recovery_point_object":"120"`), 2 * time.Minute, nil},
		{"zero is a figure", "2026-01-02 03:50:00", progress(`"recovery_point_object":0`), 0, nil},
		{"no figure", "2026-01-02 03:50:00", progress(`"recovery_point_object":null`), 10 * time.Minute, nil},
		{"no progress", "2026-01-02 03:50:00", `500 {}`, 10 * time.Minute, nil},
		{"progress is HTML", "2026-01-02 03:50:00", `<html>`, 10 * time.Minute, nil},
		{"ISO time", "2026-01-02T03:50:00Z", `{}`, 10 * time.Minute, nil},
		{"negative figure", "2026-01-02 03:50:00", progress(`"recovery_point_object":-1`), -1, map[string]int{"recovery_point_object": 1}},
		{"figure of a wrong type", "2026-01-02 03:50:00", progress(`"recovery_point_object":{}`), -1, map[string]int{"recovery_point_object": 1}},
		{"in the future", "2026-01-02 05:00:00", `{}`, -1, map[string]int{"clock": 1}},
		{"in the future, with a figure", "2026-01-02 05:00:00", progress(`"recovery_point_object":120`), 2 * time.Minute, map[string]int{"clock": 1}},
		{"time that is none", "yesterday", `{}`, -1, map[string]int{"last_disaster_time": 1}},
		{"never", nil, `{}`, -1, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newCloud(t)
			c.apply(t, change{item: object{"last_disaster_time": tt.last}})
			c.set(progressPath, tt.progress)
			l, err := reader(t, c).List(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			g := l.Groups[0]
			if (g.Lag == nil) != (tt.want < 0) || (g.Lag != nil && *g.Lag != tt.want) {
				t.Errorf("lag %v, want %v", g.Lag, tt.want)
			}
			if diff := cmp.Diff(tt.bad, l.Bad); diff != "" {
				t.Errorf("bad (-want +got):\n%s", diff)
			}
			if g.FailoverReady() == g.LastSync.IsZero() {
				t.Errorf("ready %v with last sync %v", g.Ready, g.LastSync)
			}
		})
	}
}

func TestTimeZoneOfTheAccount(t *testing.T) {
	c := newCloud(t)
	s := settings(c.URL)
	s.TimeZone = time.FixedZone("UTC+8", 8*3600)
	r, err := dws.NewReader(s)
	if err != nil {
		t.Fatal(err)
	}
	g, err := r.Read(t.Context(), drID)
	if want := time.Date(2026, 1, 1, 19, 50, 0, 0, time.UTC); err != nil || !g.LastSync.Equal(want) {
		t.Errorf("last sync %v (%v), want %v", g.LastSync, err, want)
	}
}

func TestObjective(t *testing.T) {
	for text, want := range map[any]time.Duration{"20m": 20 * time.Minute, "2H": 2 * time.Hour, "1d": 24 * time.Hour, "m": 0, "0m": 0, "3001m": 0, "5x": 0, "": 0, nil: 0} {
		c := newCloud(t)
		c.apply(t, change{detail: object{"dr_sync_period": text}})
		g := read(t, c)
		if (g.RPOObjective == nil) != (want == 0) || (g.RPOObjective != nil && *g.RPOObjective != want) {
			t.Errorf("%v: %v, want %v", text, g.RPOObjective, want)
		}
	}
	c := newCloud(t)
	s, own := settings(c.URL), time.Minute
	s.RPOObjective = &own
	r, err := dws.NewReader(s)
	if err != nil {
		t.Fatal(err)
	}
	if g, err := r.Read(t.Context(), drID); err != nil || *g.RPOObjective != own {
		t.Errorf("objective %v (%v), want the account's own", g.RPOObjective, err)
	}
}

func TestVersionsAndClusters(t *testing.T) {
	tests := []struct {
		name   string
		change change
		ready  bool
	}{
		{"8.1.2", change{standby: object{"datastore_version": "8.1.2"}}, true},
		{"8.2.0", change{standby: object{"datastore_version": "8.2.0"}}, true},
		{"9.1", change{standby: object{"datastore_version": "9.1"}}, true},
		{"not told", change{primary: object{"datastore_version": nil}, standby: object{"datastore_version": nil}}, true},
		{"8.1.1.300", change{standby: object{"datastore_version": "8.1.1.300"}}, false},
		{"old primary", change{primary: object{"datastore_version": "8.0.9"}}, false},
		{"8.1", change{standby: object{"datastore_version": "8.1"}}, false},
		{"words", change{standby: object{"datastore_version": "new"}}, false},
		{"wrong type", change{standby: object{"datastore_version": true}}, false},
		{"standby removed", change{standby: object{"status": "drDeleted"}}, false},
		{"no standby id", change{item: object{"standby_cluster_id": nil}, standby: object{"id": nil}}, false},
		{"one cluster twice", change{item: object{"standby_cluster_id": "cluster-a"}, standby: object{"id": "cluster-a"}}, false},
		{"production at fault", change{primary: object{"status": "abnormal"}}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newCloud(t)
			c.apply(t, tt.change)
			if g := read(t, c); g.FailoverReady() != tt.ready {
				t.Errorf("ready %v, want %v", g.Ready, tt.ready)
			}
		})
	}
}

func TestOneBadItemLeavesTheOthers(t *testing.T) {
	for name, detail := range map[string]string{
		"refused": `500 {"error_code":"DWS.0001","error_msg":"internal"}`, "HTML": "<html>", "of another": `{"disaster_recovery":{"id":"x"}}`, "none": "{}",
	} {
		t.Run(name, func(t *testing.T) {
			c := newCloud(t)
			var list map[string][]any
			decode(t, "list.json", &list)
			odd := maps.Clone(list["disaster_recovery"][0].(object))
			maps.Copy(odd, object{"id": "odd", "dr_type": "region", "standby_cluster_region": "cn-east-3"})
			list["disaster_recovery"] = slices.Insert(list["disaster_recovery"], 0, any(7), any(object{"id": true}), any(odd), any(object{"id": "old", "status": "deleted"}))
			c.set(listPath, text(t, list))
			c.set(strings.Replace(detailPath, drID, "odd", 1), detail)
			l, err := reader(t, c).List(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if len(l.Groups) != 2 || l.Groups[0].FailoverReady() || !l.Groups[0].Active.IsZero() || !l.Groups[1].FailoverReady() {
				t.Errorf("groups %+v", l.Groups)
			}
			if diff := cmp.Diff(map[string]int{"disaster_recovery": 1, "id": 1, "detail": 1}, l.Bad); diff != "" {
				t.Errorf("bad (-want +got):\n%s", diff)
			}
		})
	}
}

// What is about all items is no word about one.
func TestListEndsWhenItIsThrottledOrGone(t *testing.T) {
	c := newCloud(t)
	c.set(detailPath, `429 {"error_code":"APIGW.0308","error_msg":"too many"}`)
	if l, err := reader(t, c).List(t.Context()); err == nil {
		t.Errorf("believed: %+v", l)
	}
	c.set(detailPath, `400 {"error_code":"DWS.10101","error_msg":"not found"}`)
	if l, err := reader(t, c).List(t.Context()); err != nil || len(l.Groups) != 0 || len(l.Bad) != 0 {
		t.Errorf("deleted since it was listed: %+v, %v", l, err)
	}
}

func TestAnswersThatAreNoListing(t *testing.T) {
	for name, body := range map[string]string{
		"{}": "{}", "empty": "", "HTML": "<html>", "null": `{"disaster_recovery":null}`, "object": `{"disaster_recovery":{}}`, "error": `400 {"error_code":"DWS.0001","error_msg":"m"}`,
	} {
		t.Run(name, func(t *testing.T) {
			c := newCloud(t)
			c.set(listPath, body)
			if got, err := reader(t, c).List(t.Context()); err == nil {
				t.Errorf("believed: %+v", got)
			}
			if _, err := reader(t, c).Read(t.Context(), drID); err == nil || errors.Is(err, provider.ErrNotFound) {
				t.Errorf("read: %v, want an error that is not `not found`", err)
			}
		})
	}
	c := newCloud(t)
	c.set(listPath, `{"disaster_recovery":[]}`)
	if got, err := reader(t, c).List(t.Context()); err != nil || len(got.Groups) != 0 {
		t.Errorf("an empty account: %+v, %v", got, err)
	}
	if _, err := reader(t, c).Read(t.Context(), drID); !errors.Is(err, provider.ErrNotFound) {
		t.Errorf("%v, want not found", err)
	}
	before := len(c.asked())
	for _, id := range []string{"", "a/../b", "a b", "x?y"} {
		if _, err := reader(t, c).Read(t.Context(), id); err == nil {
			t.Errorf("id %q was read", id)
		}
	}
	if len(c.asked()) != before {
		t.Error("an id that changes the path was sent")
	}
	c.apply(t, status("deleted"))
	if _, err := reader(t, c).Track(t.Context(), drID, ""); !errors.Is(err, provider.ErrNotFound) {
		t.Errorf("deleted: %v, want not found", err)
	}
}

func TestTrack(t *testing.T) {
	c := newCloud(t)
	ch := status("switchovering")
	ch.primary = object{"status": "abnormal"}
	c.apply(t, ch)
	p, err := reader(t, c).Track(t.Context(), drID, "")
	if err != nil || p.Job != provider.JobNone || p.Group.State != replication.Switching || p.Group.Progress == nil || *p.Group.Progress != 0.4 {
		t.Errorf("%+v, %v", p, err)
	}
	for _, want := range []string{"switchovering", "40 %", "primary cluster abnormal"} {
		if !strings.Contains(p.Detail, want) {
			t.Errorf("detail %q without %q", p.Detail, want)
		}
	}
}
