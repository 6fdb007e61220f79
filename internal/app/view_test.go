package app_test

import (
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/app"
	"github.com/drwatch/drwatch/internal/collector"
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
