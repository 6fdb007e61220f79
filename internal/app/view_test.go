package app_test

import (
	"slices"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/api"
	"github.com/drwatch/drwatch/internal/app"
	"github.com/drwatch/drwatch/internal/collector"
	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/replication"
)

// An account that answers may still have something to tell of.
func TestWhatIsWrongWithAnAccount(t *testing.T) {
	keys := []replication.GroupKey{{Provider: replication.HuaweiDWS, ID: "a"}, {Provider: replication.HuaweiDWS, ID: "b"}}
	snap := &collector.Snapshot{Groups: map[replication.GroupKey]collector.Group{}}
	for i, key := range keys {
		snap.Groups[key] = collector.Group{Group: replication.Group{Key: key, Account: []string{"dws", "first"}[i]}}
	}
	good := time.Unix(1763624100, 0)
	for _, tc := range []struct {
		account collector.Account
		want    string
	}{
		{collector.Account{Up: true, LastSuccess: good}, ""},
		{collector.Account{Error: "no route", LastSuccess: good, Duplicates: keys}, "no route"},
		{collector.Account{Up: true, Fallback: true, Silent: "refused", LastSuccess: good}, "refused"},
		{collector.Account{Up: true, LastSuccess: good, Duplicates: keys[:1]}, "1 held by dws, listed there too"},
		{collector.Account{Up: true, LastSuccess: good, Duplicates: keys}, "2 held by dws, first, listed there too"},
	} {
		if got := app.AccountOf(tc.account, snap).Error; got != tc.want {
			t.Errorf("%+v: told %q, want %q", tc.account, got, tc.want)
		}
	}
}

// What would flip a decision is told with it, in its order.
func TestExplanationTellsTheNearestChange(t *testing.T) {
	r := failover.RuleView{Rule: failover.Rule{Name: "r", Agree: 2, VetoAny: true}}
	target := failover.Target{Group: replication.Group{Key: replication.GroupKey{Provider: replication.HuaweiSDRS, ID: "g1"}}}
	d := failover.Decide(failover.Snapshot{Rule: r.Rule, Target: target, Cluster: replication.Cluster{Freeze: &replication.Freeze{Who: "ann"}}})
	got := app.Explained(failover.State{Decisions: []failover.Decision{d}}, r, target).Nearest
	if len(got) != len(d.Blocking()) || len(got) != len(d.Nearest) {
		t.Fatalf("%d changes are told, the decision has %d and %d conditions that block", len(got), len(d.Nearest), len(d.Blocking()))
	}
	for i, n := range d.Nearest {
		if (got[i] != api.Change{Condition: n.Condition, Change: n.Text}) {
			t.Errorf("change %d is told as %+v, want %+v", i, got[i], n)
		}
	}
	if !slices.Contains(got, api.Change{Condition: "not_frozen", Change: "`drwatch unfreeze`"}) {
		t.Errorf("what lifts a freeze is not told: %+v", got)
	}
	if none := app.Explained(failover.State{}, r, target); none.Nearest == nil {
		t.Error("without a decision nearest is null, not an empty list")
	}
}
