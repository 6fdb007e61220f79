package ebs_test

import (
	"net/http"
	"strconv"
	"testing"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/provider/ebs"
)

// The forecast is what a poll really asks.
func TestPollCost(t *testing.T) {
	c := newCloud(t, good(t))
	if _, err := newReader(t, c.settings()).List(t.Context()); err != nil {
		t.Fatal(err)
	}
	cost := ebs.PollCost()
	if len(c.seen) != cost.Least || cost.PerGroup != 0 {
		t.Errorf("forecast %+v, asked %v", cost, c.seen)
	}
	for _, q := range c.seen {
		if q.Get("MaxResults") != strconv.Itoa(cost.Page) {
			t.Errorf("forecast pages of %d, asked %v", cost.Page, q)
		}
	}
}

// So is that of the slow facts, with one group more or less than the most that
// are asked one by one.
func TestFactsCost(t *testing.T) {
	cost := ebs.FactsCost()
	for _, n := range []int{3, cost.MostGroups, cost.MostGroups + 1} {
		ids := make([]string, 0, n)
		for i := range n {
			ids = append(ids, "pg-"+strconv.Itoa(i))
		}
		c := newCloud(t, facts(groupList(ids...), body(200, noPairs), drillLists(nil)))
		if _, err := slowFacts(t, c.settings()); err != nil {
			t.Fatal(err)
		}
		want := cost.Least
		if n <= cost.MostGroups {
			want += n * cost.PerGroup
		}
		if len(c.seen) != want {
			t.Errorf("forecast %+v, asked %d times for %d groups", cost, len(c.seen), n)
		}
	}
}

// Drills are asked for of the watched groups only.
func TestDrillsOfWatchedGroups(t *testing.T) {
	c := newCloud(t, facts(groupList("pg-1", "pg-2"), body(200, noPairs), drillLists(nil)))
	s := c.settings()
	s.Wanted = func(string) bool { return false }
	if _, err := slowFacts(t, s); err != nil {
		t.Fatal(err)
	}
	if n := len(c.asked("DescribeReplicaGroupDrills")); n != 0 {
		t.Errorf("asked %d times for the drills of groups that nobody watches", n)
	}
}

func TestRefusalsForTheRateSlowTheAccountDown(t *testing.T) {
	for answer, want := range map[string]float64{
		`{"RequestId":"r","Code":"Throttling.User","Message":"slow down"}`:          5,
		`{"RequestId":"r","Code":"Rejected.Throttling","Message":"slow down"}`:      5,
		`{"RequestId":"r","Code":"InvalidParameter.Whatever","Message":"mistaken"}`: 10,
	} {
		c := newCloud(t, map[string]http.HandlerFunc{"DescribeDiskReplicaGroups": body(400, answer)})
		s := c.settings()
		s.Pace = provider.NewPace(10, 20, s.Now)
		if _, err := newReader(t, s).List(t.Context()); err == nil {
			t.Error("no error")
		}
		if got := s.Pace.Rate(); got != want {
			t.Errorf("%s: %g requests per second are left of 10, want %g", answer, got, want)
		}
	}
}
