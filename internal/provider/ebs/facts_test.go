package ebs_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/provider/ebs"
)

func slowFacts(t *testing.T, s provider.Settings) (provider.SlowFacts, error) {
	t.Helper()
	r, is := newReader(t, s).(provider.FactReader)
	if !is {
		t.Fatal("the Reader knows no slow facts")
	}
	return r.SlowFacts(t.Context())
}

// groupList is a page of groups with these ids.
func groupList(ids ...string) http.HandlerFunc {
	items := make([]string, 0, len(ids))
	for _, id := range ids {
		items = append(items, fmt.Sprintf(`{"ReplicaGroupId":%q,"Status":"normal"}`, id))
	}
	return body(200, `{"RequestId":"r","ReplicaGroups":[`+strings.Join(items, ",")+`]}`)
}

func pairList(items ...string) http.HandlerFunc {
	return body(200, `{"RequestId":"r","ReplicaPairs":[`+strings.Join(items, ",")+`]}`)
}

// drillLists answers for each group what is given, and an empty list for others.
func drillLists(byGroup map[string]string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		list, has := byGroup[r.URL.Query().Get("GroupId")]
		if !has {
			list = "[]"
		}
		fmt.Fprintf(w, `{"RequestId":"r","Drills":%s,"NextToken":""}`, list)
	}
}

func facts(groups, pairs, drills http.HandlerFunc) map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"DescribeDiskReplicaGroups": groups, "DescribeDiskReplicaPairs": pairs, "DescribeReplicaGroupDrills": drills,
	}
}

const noPairs = `{"RequestId":"r","ReplicaPairs":[]}`

func TestSlowFacts(t *testing.T) {
	paged := func(w http.ResponseWriter, r *http.Request) {
		switch q := r.URL.Query(); {
		case q.Get("GroupId") == "pg-2" && q.Get("NextToken") == "":
			fmt.Fprint(w, `{"RequestId":"r","Drills":[{"DrillId":"d1","GroupId":"pg-2","Status":"executed"},{"DrillId":"d2","Status":"clearing"}],"NextToken":"t"}`)
		case q.Get("GroupId") == "pg-2":
			fmt.Fprint(w, `{"RequestId":"r","Drills":[{"DrillId":"d2","Status":"clearing"},{"DrillId":"d3","Status":"executed"},{"DrillId":"d4","Status":"resting"}],"NextToken":""}`)
		default:
			fmt.Fprint(w, `{"RequestId":"r","Drills":[]}`)
		}
	}
	c := newCloud(t, facts(groupList("pg-1", "pg-2"), pairList(
		`{"ReplicaPairId":"pair-1","ReplicaGroupId":"pg-1","ChargeType":"PREPAY","ExpiredTime":1769911200}`,
		`{"ReplicaPairId":"pair-2","ReplicaGroupId":"pg-1","ChargeType":"PREPAY","ExpiredTime":"1767000000"}`,
		`{"ReplicaPairId":"pair-2","ReplicaGroupId":"pg-1","ChargeType":"PREPAY","ExpiredTime":1767000000}`,
		`{"ReplicaPairId":"pair-3","ReplicaGroupId":"pg-1","ChargeType":"POSTPAY","ExpiredTime":1769911200}`,
		`{"ReplicaPairId":"pair-4","ReplicaGroupId":"pg-2"}`,
		`{"ReplicaPairId":"pair-5","ReplicaGroupId":"","ChargeType":"PREPAY","ExpiredTime":1769911200}`,
	), paged))
	got, err := slowFacts(t, c.settings())
	if err != nil {
		t.Fatal(err)
	}
	want := provider.SlowFacts{
		Expiries: []provider.Expiry{
			{GroupID: "pg-1", Pair: "pair-1", At: time.Date(2026, 2, 1, 2, 0, 0, 0, time.UTC)},
			{GroupID: "pg-1", Pair: "pair-2", At: time.Date(2025, 12, 29, 9, 20, 0, 0, time.UTC)},
		},
		Drills: []provider.GroupCount{
			{GroupID: "pg-2", Kind: "clearing", Count: 1}, {GroupID: "pg-2", Kind: "executed", Count: 2}, {GroupID: "pg-2", Kind: "resting", Count: 1},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("facts (-want +got):\n%s", diff)
	}
	drills := c.asked("DescribeReplicaGroupDrills")
	if len(drills) != 3 || len(c.seen) != 5 {
		t.Fatalf("%d calls for drills, %d in all; want 3 of 5", len(drills), len(c.seen))
	}
	for name, value := range map[string]string{
		"method": "POST /", "RegionId": "cn-beijing", "Version": "2021-07-30", "GroupId": "pg-1", "ReplicaGroupId": "", "MaxResults": "500", "Site": "",
	} {
		if got := drills[0].Get(name); got != value {
			t.Errorf("drills: %s = %q, want %q", name, got, value)
		}
	}
	if q := c.asked("DescribeDiskReplicaPairs")[0]; q.Get("Site") != "production" {
		t.Errorf("pairs asked %v", q)
	}
}

// One bad item is counted, and hides nothing.
func TestSlowFactsAreReadTolerantly(t *testing.T) {
	const goodPair = `{"ReplicaPairId":"pair-1","ReplicaGroupId":"pg-1","ChargeType":"PREPAY","ExpiredTime":1769911200}`
	const goodDrill = `{"DrillId":"d1","Status":"executed"}`
	bad := func(charge, expires string) string {
		return fmt.Sprintf(`{"ReplicaPairId":"pair-2","ReplicaGroupId":"pg-1","ChargeType":%s,"ExpiredTime":%s}`, charge, expires)
	}
	for name, tt := range map[string]struct {
		pair, drill string
		counted     map[string]int
		drills      []provider.GroupCount
	}{
		"an expiry of another kind":   {pair: bad(`"PREPAY"`, `"next year"`)},
		"an expiry in milliseconds":   {pair: bad(`"PREPAY"`, `1769911200000`)},
		"an expiry that is an object": {pair: bad(`"PREPAY"`, `{}`)},
		"no expiry":                   {pair: bad(`"PREPAY"`, `null`)},
		"an expiry of zero":           {pair: bad(`"PREPAY"`, `0`)},
		"a charge that is a number":   {pair: bad(`1`, `1769911200`)},
		"a pair that is none":         {pair: `"pair-2"`},
		"a pair with an odd id":       {pair: `{"ReplicaPairId":"a/b","ReplicaGroupId":"pg-1","ChargeType":"PREPAY","ExpiredTime":1769911200}`},
		"a drill that is none":        {drill: `7`, counted: map[string]int{"Drills": 1}},
		"a drill without an id":       {drill: `{"Status":"executed"}`, counted: map[string]int{"DrillId": 1}},
		"a drill with an odd status": {
			drill: `{"DrillId":"d2","Status":{}}`, counted: map[string]int{"Status": 1},
			drills: []provider.GroupCount{{GroupID: "pg-1", Kind: "unknown", Count: 1}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			pairs, drills := goodPair, goodDrill
			if tt.pair != "" {
				pairs = tt.pair + "," + goodPair
			}
			if tt.drill != "" {
				drills = tt.drill + "," + goodDrill
			}
			s := newCloud(t, facts(groupList("pg-1"), pairList(pairs), drillLists(map[string]string{"pg-1": "[" + drills + "]"}))).settings()
			m := &meter{}
			s.Meter = m
			got, err := slowFacts(t, s)
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Expiries) != 1 || got.Expiries[0].Pair != "pair-1" {
				t.Errorf("expiries %v, want the good one", got.Expiries)
			}
			want := append([]provider.GroupCount{{GroupID: "pg-1", Kind: "executed", Count: 1}}, tt.drills...)
			if diff := cmp.Diff(want, got.Drills); diff != "" {
				t.Errorf("drills (-want +got):\n%s", diff)
			}
			counted := map[string]int{}
			for what, n := range m.counts {
				if !strings.Contains(what, " ") { // "Operation code" is a request
					counted[what] = n
				}
			}
			if want := tt.counted; len(want)+len(counted) > 0 && !cmp.Equal(want, counted) {
				t.Errorf("counted %v, want %v", counted, want)
			}
		})
	}
}

func TestDrillsOfWhichGroups(t *testing.T) {
	var many []string
	for i := range 201 {
		many = append(many, fmt.Sprintf("pg-%d", i))
	}
	drill := drillLists(map[string]string{"pg-0": `[{"DrillId":"d1","Status":"executed"}]`})
	one := provider.GroupCount{GroupID: "pg-0", Kind: "executed", Count: 1}
	refuse := func(group string, status int, code string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("GroupId") == group {
				body(status, fmt.Sprintf(`{"RequestId":"r","Code":%q,"Message":"no"}`, code))(w, r)
				return
			}
			drill(w, r)
		}
	}
	gone := body(200, `{"RequestId":"r","ReplicaGroups":[{"ReplicaGroupId":"pg-0","Status":"normal"},{"ReplicaGroupId":"pg-1","Status":"deleted"},
		{"ReplicaGroupId":"pg/2","Status":"normal"},{"ReplicaGroupId":"pg-0","Status":"normal"},null]}`)
	for name, tt := range map[string]struct {
		groups, drills http.HandlerFunc
		want           []provider.GroupCount
		calls          int
	}{
		"none":                        {groupList(), drill, []provider.GroupCount{}, 0},
		"without any":                 {groupList("pg-7"), drill, []provider.GroupCount{}, 1},
		"two hundred":                 {groupList(many[:200]...), drill, []provider.GroupCount{one}, 200},
		"too many":                    {groupList(many...), drill, []provider.GroupCount{{Kind: ebs.DrillsNotRead, Count: 201}}, 0},
		"only those that exist, once": {gone, drill, []provider.GroupCount{one}, 1},
		"one that vanishes meanwhile": {groupList("pg-0", "pg-1"), refuse("pg-1", 404, "NoSuchResource"), []provider.GroupCount{one}, 2},
		"one that is not permitted":   {groupList("pg-1", "pg-0"), refuse("pg-1", 403, "Forbidden.RAM"), []provider.GroupCount{one, {Kind: ebs.DrillsNotRead, Count: 1}}, 2},
		"a region without drills":     {groupList("pg-0"), refuse("pg-0", 404, "InvalidAction.NotFound"), []provider.GroupCount{{Kind: ebs.DrillsNotRead, Count: 1}}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCloud(t, facts(tt.groups, body(200, noPairs), tt.drills))
			s := c.settings()
			m := &meter{}
			s.Meter = m
			got, err := slowFacts(t, s)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got.Drills); diff != "" {
				t.Errorf("drills (-want +got):\n%s", diff)
			}
			if got.Expiries == nil {
				t.Error("no expiries were read as if they were not told")
			}
			if n := len(c.asked("DescribeReplicaGroupDrills")); n != tt.calls {
				t.Errorf("%d calls for drills, want %d", n, tt.calls)
			}
			for what := range m.counts {
				if !strings.Contains(what, " ") {
					t.Errorf("a decode error was counted: %s", what)
				}
			}
		})
	}
}

// What could not be read whole is nil, so that what was read before stays, and
// takes nothing else with it.
func TestSlowFactsThatFail(t *testing.T) {
	expiring := pairList(`{"ReplicaPairId":"pair-1","ReplicaGroupId":"pg-1","ChargeType":"PREPAY","ExpiredTime":1769911200}`)
	drills, groups := drillLists(map[string]string{"pg-2": `[{"DrillId":"d1","Status":"executed"}]`}), groupList("pg-2", "pg-1")
	// The drills of the first group are read, those of the second are not.
	second := func(h http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("GroupId") == "pg-2" {
				drills(w, r)
				return
			}
			h(w, r)
		}
	}
	throttled := body(400, `{"RequestId":"r","Code":"Throttling.User","Message":"slow down"}`)
	for name, tt := range map[string]struct {
		answers          map[string]http.HandlerFunc
		expiries, drills int // -1: not read
	}{
		"no groups":             {facts(body(200, `{}`), expiring, drills), -1, -1},
		"groups not permitted":  {facts(body(403, `{"RequestId":"r","Code":"Forbidden","Message":"no"}`), expiring, drills), -1, -1},
		"no pairs":              {facts(groups, body(200, `{}`), drills), -1, 1},
		"no drills":             {facts(groups, expiring, second(body(200, `{"RequestId":"r"}`))), 1, -1},
		"drills that loop":      {facts(groups, expiring, second(body(200, `{"RequestId":"r","Drills":[],"NextToken":"t"}`))), 1, -1},
		"throttled":             {facts(groups, expiring, second(throttled)), 1, -1},
		"an error with 500":     {facts(groups, expiring, second(body(500, `{"RequestId":"r","Code":"InternalError","Message":"no"}`))), 1, -1},
		"a wrong key":           {facts(groups, expiring, second(body(404, `{"RequestId":"r","Code":"InvalidAccessKeyId.NotFound","Message":"no"}`))), 1, -1},
		"the SDK panics":        {facts(groups, expiring, second(body(403, `{"RequestId":7,"Code":403}`))), 1, -1},
		"neither pairs, drills": {facts(groups, throttled, throttled), -1, -1},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := slowFacts(t, newCloud(t, tt.answers).settings())
			if err == nil {
				t.Fatalf("SlowFacts = %+v without an error", got)
			}
			secretsIn(t, err.Error())
			if (got.Expiries == nil) != (tt.expiries < 0) || len(got.Expiries) != max(tt.expiries, 0) {
				t.Errorf("expiries %v, want %d", got.Expiries, tt.expiries)
			}
			if (got.Drills == nil) != (tt.drills < 0) || len(got.Drills) != max(tt.drills, 0) {
				t.Errorf("drills %v, want %d", got.Drills, tt.drills)
			}
		})
	}
}

func TestDrillsEndWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c := newCloud(t, facts(groupList("pg-1", "pg-2", "pg-3"), body(200, noPairs), func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("GroupId") == "pg-2" {
			cancel()
		}
		fmt.Fprint(w, `{"RequestId":"r","Drills":[]}`)
	}))
	got, err := newReader(t, c.settings()).(provider.FactReader).SlowFacts(ctx)
	if !errors.Is(err, context.Canceled) || got.Expiries == nil || got.Drills != nil {
		t.Errorf("SlowFacts = %+v, %v", got, err)
	}
	if n := len(c.asked("DescribeReplicaGroupDrills")); n != 2 {
		t.Errorf("%d calls, want 2: none after the end", n)
	}
}

// A region that does not know the filter lists the drills of all groups.
func TestDrillsOfOtherGroupsAreNotCounted(t *testing.T) {
	c := newCloud(t, map[string]http.HandlerFunc{
		"DescribeDiskReplicaGroups": body(200, `{"ReplicaGroups":[{"ReplicaGroupId":"pg-1"},{"ReplicaGroupId":"pg-2"}]}`),
		"DescribeDiskReplicaPairs":  body(200, `{"ReplicaPairs":[]}`),
		"DescribeReplicaGroupDrills": body(200, `{"Drills":[{"DrillId":"d1","GroupId":"pg-1","Status":"executed"},
			{"DrillId":"d2","GroupId":"pg-2","Status":"executed"},{"DrillId":"d3","GroupId":"pg-2","Status":"executed"}]}`),
	})
	m := &meter{}
	s := c.settings()
	s.Meter = m
	facts, err := newReader(t, s).(provider.FactReader).SlowFacts(t.Context())
	want := []provider.GroupCount{{GroupID: "pg-1", Kind: "executed", Count: 1}, {GroupID: "pg-2", Kind: "executed", Count: 2}}
	if diff := cmp.Diff(want, facts.Drills); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if m.counts["GroupId"] != 3 {
		t.Errorf("counted %v", m.counts)
	}
}
