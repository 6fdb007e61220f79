package sdrs_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/drwatch/drwatch/internal/provider/sdrs"
)

// The forecast is what a poll really asks.
func TestPollCost(t *testing.T) {
	c := newCloud(t)
	if _, err := reader(t, c).List(t.Context()); err != nil {
		t.Fatal(err)
	}
	cost := sdrs.PollCost()
	if len(c.requests) != cost.Least || cost.PerGroup != 0 {
		t.Errorf("forecast %+v, asked %q", cost, c.requests)
	}
	for _, r := range c.requests {
		if !strings.Contains(r, "limit="+strconv.Itoa(cost.Page)) {
			t.Errorf("forecast pages of %d, asked %s", cost.Page, r)
		}
	}
}

// So is that of the slow facts.
func TestFactsCost(t *testing.T) {
	c := factCloud(t)
	if _, err := factReader(t, settings(c.URL)).SlowFacts(t.Context()); err != nil {
		t.Fatal(err)
	}
	cost := sdrs.FactsCost()
	if len(c.requests) != cost.Least || cost.PerGroup != 0 {
		t.Errorf("forecast %+v, asked %q", cost, c.requests)
	}
	for _, r := range c.requests {
		if !strings.Contains(r, "limit="+strconv.Itoa(cost.Page)) && !strings.Contains(r, "quotas") {
			t.Errorf("forecast pages of %d, asked %s", cost.Page, r)
		}
	}
}
