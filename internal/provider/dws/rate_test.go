package dws_test

import (
	"testing"

	"github.com/drwatch/drwatch/internal/provider/dws"
)

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
