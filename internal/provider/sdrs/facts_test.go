package sdrs_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/provider/sdrs"
)

// The paths of the four questions, in the order in which they are asked.
var factPaths = map[string]string{
	"quotas":     base + "/sdrs/quotas",
	"drills":     base + "/disaster-recovery-drills",
	"failures":   base + "/task-center/failure-jobs",
	"statistics": base + "/resource/rpo-statistics",
}

// factCloud is a cloud that tells the vendor's samples of what changes slowly.
func factCloud(tb testing.TB) *cloud {
	tb.Helper()
	c := newCloud(tb)
	var samples map[string]json.RawMessage
	if err := json.Unmarshal([]byte(file(tb, "facts.json")), &samples); err != nil {
		tb.Fatal(err)
	}
	for name, path := range factPaths {
		c.set(path, string(samples[name]))
	}
	return c
}

func factReader(tb testing.TB, s provider.Settings) provider.FactReader {
	tb.Helper()
	r, err := sdrs.NewReader(s)
	if err != nil {
		tb.Fatal(err)
	}
	facts, ok := r.(provider.FactReader)
	if !ok {
		tb.Fatal("the reader tells no slow facts")
	}
	return facts
}

// sampleFacts is what the samples tell.
func sampleFacts() provider.SlowFacts {
	ten, two := 10.0, 2
	return provider.SlowFacts{
		Quotas: []provider.Quota{{Resource: "server_groups", Limit: &ten, Used: 3}, {Resource: "replications", Used: 7}},
		Drills: []provider.GroupCount{{GroupID: groupID, Kind: "available", Count: 2}, {GroupID: groupID, Kind: "error-deleting", Count: 1}},
		FailedJobs: []provider.GroupCount{
			{Kind: "createFail", Count: 1}, {GroupID: groupID, Kind: "failoverFail", Count: 1}, {GroupID: groupID, Kind: "startFail", Count: 1},
		},
		Breaches: &two,
	}
}

func TestSlowFactsReadTheVendorsSamples(t *testing.T) {
	c := factCloud(t)
	got, err := factReader(t, settings(c.URL)).SlowFacts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sampleFacts(), got); diff != "" {
		t.Errorf("facts (-want +got):\n%s", diff)
	}
	want := []string{
		"GET " + factPaths["quotas"],
		"GET " + factPaths["drills"] + "?limit=500&offset=0",
		"GET " + factPaths["failures"] + "?limit=500&offset=0",
		"GET " + factPaths["statistics"] + "?limit=500&offset=0&resource_type=replication&start_time=2026-01-01%2004%3A00%3A00.000",
	}
	asked := c.asked()
	for i := range asked {
		asked[i] = strings.ReplaceAll(asked[i], "+", "%20")
	}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

// One question that fails hides no other, and the error says which it was.
func TestSlowFactsThatFailHideNoOthers(t *testing.T) {
	without := map[string]func(*provider.SlowFacts){
		"quotas":     func(f *provider.SlowFacts) { f.Quotas = nil },
		"drills":     func(f *provider.SlowFacts) { f.Drills = nil },
		"failures":   func(f *provider.SlowFacts) { f.FailedJobs = nil },
		"statistics": func(f *provider.SlowFacts) { f.Breaches = nil },
	}
	operation := map[string]string{"quotas": "ShowQuota", "drills": "ListDisasterRecoveryDrills", "failures": "ListFailureJobs", "statistics": "ListRpoStatistics"}
	for _, body := range []string{
		`403 {"error_code":"SDRS.0403","error_msg":"no permission"}`, `500 {"error_code":"SDRS.0013","error_msg":"m"}`, `<html>`, `{}`, `null`, ``,
	} {
		for part, change := range without {
			t.Run(part+" "+body, func(t *testing.T) {
				c := factCloud(t)
				c.set(factPaths[part], body)
				got, err := factReader(t, settings(c.URL)).SlowFacts(t.Context())
				if err == nil || !strings.Contains(err.Error(), operation[part]) {
					t.Errorf("%v, want an error of %s", err, operation[part])
				}
				want := sampleFacts()
				change(&want)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("facts (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// A region without one of the lists tells nothing of it, and that is no error.
func TestSlowFactsThatTheRegionDoesNotHave(t *testing.T) {
	c := factCloud(t)
	c.set(factPaths["statistics"], `404 {"error_code":"APIGW.0101","error_msg":"The API does not exist"}`)
	got, err := factReader(t, settings(c.URL)).SlowFacts(t.Context())
	if err != nil || got.Breaches != nil || len(got.Drills) != 2 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestSlowFactsStopWhenThrottled(t *testing.T) {
	c := factCloud(t)
	c.set(factPaths["drills"], `429 {"error_code":"APIGW.0308","error_msg":"too many"}`)
	got, err := factReader(t, settings(c.URL)).SlowFacts(t.Context())
	if err == nil || got.Quotas == nil || got.FailedJobs != nil || got.Breaches != nil {
		t.Errorf("%+v, %v, want the quotas and an error", got, err)
	}
	if n := len(c.asked()); n != 2 {
		t.Errorf("%d calls, want none after the one that was throttled", n)
	}
}

// Empty lists are told: nothing is there. A statistic without a point tells
// nothing.
func TestEmptySlowFacts(t *testing.T) {
	c := factCloud(t)
	c.set(factPaths["quotas"], `{"quotas":{"resources":[]}}`)
	c.set(factPaths["drills"], `{"disaster_recovery_drills":[],"count":0}`)
	c.set(factPaths["failures"], `{"failure_jobs":[],"count":0}`)
	c.set(factPaths["statistics"], `{"resource_rpo_statistics":[],"count":0}`)
	got, err := factReader(t, settings(c.URL)).SlowFacts(t.Context())
	want := provider.SlowFacts{Quotas: []provider.Quota{}, Drills: []provider.GroupCount{}, FailedJobs: []provider.GroupCount{}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v, facts (-want +got):\n%s", err, diff)
	}
}

// fields counts the fields that could not be read.
type fields struct {
	provider.NopMeter
	mu  sync.Mutex
	bad map[string]int
}

func (f *fields) DecodeError(u provider.Unread) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.bad[u.Field]++
}

// What cannot be read is counted and left out, never taken for zero or for
// unlimited; its neighbours stay.
func TestSlowFactsAreReadTolerantly(t *testing.T) {
	c := factCloud(t)
	c.set(factPaths["quotas"], `{"quotas":{"resources":[7,{"used":1,"quota":2},{"type":"a","used":1},{"type":"b","quota":1},{"type":"c","used":1,"quota":"many"},
		{"type":"d","used":1,"quota":-2},{"type":"e","used":-1,"quota":5},{"type":"f","used":1,"quota":0}]}}`)
	c.set(factPaths["drills"], `{"disaster_recovery_drills":["x",{"id":"d1","status":"available"},{"id":"d2","server_group_id":[1]},{"id":"d3","server_group_id":"g"},{"id":"d3","server_group_id":"g"}]}`)
	c.set(factPaths["failures"], `{"failure_jobs":[{"job_id":"a/b","resource_id":"g","failure_status":"stopFail"},{"job_id":"j","resource_id":"g","resource_type":"Protection-Group"}]}`)
	c.set(factPaths["statistics"], `{"resource_rpo_statistics":[{"id":"1","point_time":"2026-01-02 03:30","resource_num":1},{"id":"2","point_time":"yesterday","resource_num":7},
		{"id":"3","point_time":"2026-01-02 03:45","resource_num":3,"resource_type":"other"}]}`)
	s := settings(c.URL)
	meter := &fields{bad: map[string]int{}}
	s.Meter = meter
	got, err := factReader(t, s).SlowFacts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	zero, one := 0.0, 1
	want := provider.SlowFacts{
		Quotas:     []provider.Quota{{Resource: "f", Limit: &zero, Used: 1}},
		Drills:     []provider.GroupCount{{GroupID: "g", Kind: "unknown", Count: 1}},
		FailedJobs: []provider.GroupCount{{GroupID: "g", Kind: "stopFail", Count: 1}, {GroupID: "g", Kind: "unknown", Count: 1}},
		Breaches:   &one,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("facts (-want +got):\n%s", diff)
	}
	bad := map[string]int{"resources": 1, "type": 1, "quota": 2, "used": 1, "disaster_recovery_drills": 1, "server_group_id": 2, "job_id": 1, "point_time": 1}
	if diff := cmp.Diff(bad, meter.bad); diff != "" {
		t.Errorf("counted (-want +got):\n%s", diff)
	}
}

// The newest point is that of now only when it is recent, and its number is not
// replaced by an older one.
func TestNewestPointOfTheStatistics(t *testing.T) {
	five := 5
	for name, tt := range map[string]struct {
		points string
		want   *int
	}{
		"in any order":     {`{"point_time":"2026-01-02 01:00","resource_num":1},{"point_time":"2026-01-02 03:00","resource_num":5},{"point_time":"2026-01-02 02:00","resource_num":9}`, &five},
		"of another time":  {`{"point_time":"2025-11-02 01:00","resource_num":5}`, nil},
		"ahead, by a zone": {`{"point_time":"2026-01-02 12:00","resource_num":5}`, &five},
		"no number":        {`{"point_time":"2026-01-02 03:00","resource_num":"n"},{"point_time":"2026-01-02 02:00","resource_num":5}`, nil},
	} {
		c := factCloud(t)
		c.set(factPaths["statistics"], `{"resource_rpo_statistics":[`+tt.points+`]}`)
		got, err := factReader(t, settings(c.URL)).SlowFacts(t.Context())
		if diff := cmp.Diff(tt.want, got.Breaches); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}

// The statistics are asked for in the account's time zone, as their times have
// none.
func TestStatisticsInTheAccountsZone(t *testing.T) {
	c := factCloud(t)
	s := settings(c.URL)
	s.TimeZone = time.FixedZone("CST", 8*3600)
	if _, err := factReader(t, s).SlowFacts(t.Context()); err != nil {
		t.Fatal(err)
	}
	if asked := c.asked(); !strings.Contains(asked[len(asked)-1], "2026-01-01") || !strings.Contains(asked[len(asked)-1], "12%3A00") {
		t.Errorf("asked %s, want from 12:00 of the day before", asked[len(asked)-1])
	}
	// 46 hours ago where the clock shows UTC, and 54 there.
	c.set(factPaths["statistics"], `{"resource_rpo_statistics":[{"point_time":"2025-12-31 06:00","resource_num":5}]}`)
	for zone, known := range map[*time.Location]bool{time.UTC: true, s.TimeZone: false} {
		s.TimeZone = zone
		if got, err := factReader(t, s).SlowFacts(t.Context()); err != nil || (got.Breaches != nil) != known {
			t.Errorf("%s: %v, %v, want a figure that is of now: %t", zone, got.Breaches, err, known)
		}
	}
}

// A full page is followed by the question for the next.
func TestSlowFactsArePaged(t *testing.T) {
	c := factCloud(t)
	var drills []object
	for i := range 500 {
		drills = append(drills, object{"id": fmt.Sprintf("d%d", i), "server_group_id": "g", "status": "available"})
	}
	c.set(factPaths["drills"], text(t, object{"disaster_recovery_drills": drills}))
	got, err := factReader(t, settings(c.URL)).SlowFacts(t.Context())
	// The cloud of this test repeats its page: that is found out, not counted on.
	if err == nil || !strings.Contains(err.Error(), "repeats a page") || got.Drills != nil {
		t.Errorf("%v, %v", got.Drills, err)
	}
	if asked := strings.Join(c.asked(), "\n"); !strings.Contains(asked, factPaths["drills"]+"?limit=500&offset=500") {
		t.Errorf("the second page was not asked for:\n%s", asked)
	}
}
