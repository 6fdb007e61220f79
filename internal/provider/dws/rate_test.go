package dws_test

import (
	"testing"

	"github.com/drwatch/drwatch/internal/provider/dws"
)

// A group that is not watched costs nothing beyond the list that it stands in.
func TestOnlyWhatIsWatchedIsAskedOneByOne(t *testing.T) {
	for _, tc := range []struct {
		wanted string
		groups int
	}{{"warehouse", 1}, {"lake", 0}} {
		c := newCloud(t)
		s := settings(c.URL)
		s.Wanted = func(name string) bool { return name == tc.wanted }
		r, err := dws.NewReader(s)
		if err != nil {
			t.Fatal(err)
		}
		l, err := r.List(t.Context())
		if err != nil || len(l.Groups) != tc.groups {
			t.Fatalf("%s: %d groups, %v, want %d", tc.wanted, len(l.Groups), err, tc.groups)
		}
		if cost := dws.PollCost(); len(c.requests) != cost.Least+cost.PerGroup*tc.groups {
			t.Errorf("%s: forecast %+v, asked %q", tc.wanted, cost, c.requests)
		}
		if _, err := r.Read(t.Context(), drID); err != nil {
			t.Errorf("%s: reading one group: %v", tc.wanted, err)
		}
	}
}

// The forecast is what a poll really asks.
func TestPollCost(t *testing.T) {
	c := newCloud(t)
	l, err := reader(t, c).List(t.Context())
	if err != nil || len(l.Groups) == 0 {
		t.Fatalf("%d groups, %v", len(l.Groups), err)
	}
	if cost := dws.PollCost(); len(c.requests) != cost.Least+cost.PerGroup*len(l.Groups) || cost.Page != 0 {
		t.Errorf("forecast %+v, asked %q for %d groups", cost, c.requests, len(l.Groups))
	}
}
