package dws_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/provider/dws"
	"github.com/drwatch/drwatch/internal/replication"
)

// listed is the one group of the cloud's list, and what could not be read.
func listed(t *testing.T, c *cloud) (replication.Group, map[string]int) {
	t.Helper()
	l, err := reader(t, c).List(t.Context())
	if err != nil || len(l.Groups) != 1 {
		t.Fatalf("%+v, %v", l, err)
	}
	return l.Groups[0], l.Bad
}

// What the service has no figure for is not told, and neither an error nor
// zero; what cannot be read is counted.
func TestFiguresOfTheClusters(t *testing.T) {
	gb := func(n float64) *int64 { bytes := int64(n * (1 << 30)); return &bytes }
	for name, tt := range map[string]struct {
		value any
		want  *int64
		bad   int
	}{
		"text": {"41.5", gb(41.5), 0}, "number": {41.5, gb(41.5), 0}, "with its unit": {"41.5 GB", gb(41.5), 0}, "none used": {"0", gb(0), 0},
		"not told": {"N/A", nil, 0}, "not told either": {"n/a", nil, 0}, "empty": {"", nil, 0}, "absent": {nil, nil, 0},
		"another unit": {"2TB", nil, 1}, "negative": {"-1", nil, 1}, "no number": {"NaN", nil, 1}, "too much": {"1e300", nil, 1}, "a list": {[]int{1}, nil, 1},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCloud(t)
			c.apply(t, change{standby: object{"disk_used": tt.value}})
			g, bad := listed(t, c)
			if diff := cmp.Diff(tt.want, g.Clusters[1].UsedBytes); diff != "" || bad["disk_used"] != tt.bad {
				t.Errorf("%d counted, used (-want +got):\n%s", bad["disk_used"], diff)
			}
			if g.Clusters[0].UsedBytes == nil || g.Clusters[1].CapacityBytes == nil {
				t.Errorf("its neighbours went with it: %+v", g.Clusters)
			}
		})
	}
}

func TestTimesOfTheClusters(t *testing.T) {
	c := newCloud(t)
	c.apply(t, change{primary: object{"last_success_time": "N/A", "datastore_version": nil}, standby: object{"last_success_time": "soon", "status": "N/A"}})
	g, bad := listed(t, c)
	primary, standby := g.Clusters[0], g.Clusters[1]
	if !primary.LastSuccess.IsZero() || primary.Version != "" || !standby.LastSuccess.IsZero() || standby.Status != "" || bad["last_success_time"] != 1 {
		t.Errorf("%+v, counted %v", g.Clusters, bad)
	}
}

// A detail that could not be read leaves what the list tells of the clusters.
func TestClustersOfTheListAlone(t *testing.T) {
	c := newCloud(t)
	c.set(detailPath, `500 {"error_code":"DWS.0001","error_msg":"m"}`)
	g, _ := listed(t, c)
	want := []replication.WarehouseCluster{{Role: "primary", ID: "cluster-a", Name: "dws-a", Status: "waiting"}, {Role: "standby", ID: "cluster-b", Name: "dws-b", Status: "waiting"}}
	if diff := cmp.Diff(want, g.Clusters); diff != "" {
		t.Errorf("clusters (-want +got):\n%s", diff)
	}
}

// While list and detail contradict each other, neither is told.
func TestNoClustersInTheMiddleOfASwap(t *testing.T) {
	c := newCloud(t)
	c.apply(t, change{primary: object{"role": "standby"}})
	if g, _ := listed(t, c); g.State != replication.Unknown || g.Clusters != nil {
		t.Errorf("%s, %+v", g.State, g.Clusters)
	}
}

func TestProgressFigures(t *testing.T) {
	at, minute := time.Date(2026, 1, 2, 3, 50, 0, 0, time.UTC), time.Minute
	for name, tt := range map[string]struct {
		barrier, recovery string
		at                time.Time
		took              *time.Duration
		bad               map[string]int
	}{
		"numbers":      {`"2026-01-02 03:50:00"`, `60`, at, &minute, nil},
		"texts":        {`"2026-01-02T03:50:00Z"`, `"60"`, at, &minute, nil},
		"not told":     {`"N/A"`, `"N/A"`, time.Time{}, nil, nil},
		"null":         {`null`, `null`, time.Time{}, nil, nil},
		"empty":        {`""`, `""`, time.Time{}, nil, nil},
		"not readable": {`"later"`, `-1`, time.Time{}, nil, map[string]int{"latest_barrier_time": 1, "recovery_time_object": 1}},
		"other types":  {`{}`, `[]`, time.Time{}, nil, map[string]int{"latest_barrier_time": 1, "recovery_time_object": 1}},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCloud(t)
			c.set(progressPath, `{"disaster_recovery_progress":{"latest_barrier_time":`+tt.barrier+`,"recovery_time_object":`+tt.recovery+`}}`)
			g, bad := listed(t, c)
			if diff := cmp.Diff(tt.took, g.RecoveryTime); diff != "" || !g.BarrierTime.Equal(tt.at) {
				t.Errorf("barrier %s, recovery time (-want +got):\n%s", g.BarrierTime, diff)
			}
			if diff := cmp.Diff(tt.bad, bad); diff != "" {
				t.Errorf("counted (-want +got):\n%s", diff)
			}
		})
	}
}

// The time zone of the account holds for all times that name none.
func TestBarrierInTheAccountsZone(t *testing.T) {
	c := newCloud(t)
	s := settings(c.URL)
	s.TimeZone = time.FixedZone("CST", 8*3600)
	g, err := readWith(t, s)
	if err != nil || !g.BarrierTime.Equal(time.Date(2026, 1, 1, 19, 50, 0, 0, time.UTC)) || !g.Clusters[0].LastSuccess.Equal(g.BarrierTime) {
		t.Errorf("%s, %+v, %v", g.BarrierTime, g.Clusters, err)
	}
}

func readWith(t *testing.T, s provider.Settings) (replication.Group, error) {
	t.Helper()
	r, err := dws.NewReader(s)
	if err != nil {
		t.Fatal(err)
	}
	return r.Read(t.Context(), drID)
}
