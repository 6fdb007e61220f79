// Package providertest holds what is true of any account that was read, whatever
// its provider answered: for fuzz targets, whose input has no expected output. It
// knows the domain's words and no vendor.
package providertest

import (
	"slices"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/replication"
)

// Listing demands what holds of every answer of Reader.List.
func Listing(tb testing.TB, l provider.Listing, err error) {
	tb.Helper()
	if err != nil && len(l.Groups) > 0 {
		tb.Errorf("an incomplete poll has %d groups (%v)", len(l.Groups), err)
	}
	seen := map[string]bool{}
	for _, g := range l.Groups {
		if seen[g.Key.ID] {
			tb.Errorf("group %q is there twice", g.Key.ID)
		}
		seen[g.Key.ID] = true
		Group(tb, g)
	}
	for field, n := range l.Bad {
		if n <= 0 || field == "" || len(field) > 40 {
			tb.Errorf("field %q could not be read %d times: names are ours, not the answer's", field, n)
		}
	}
}

// Group demands what holds of every group that was read: nothing in it is a
// number that cannot be, and a group of which something is not known is not
// ready for a failover.
func Group(tb testing.TB, g replication.Group) {
	tb.Helper()
	if err := provider.ValidID(g.Key.ID); err != nil || g.Account == "" || g.Region == "" || g.ReadAt.IsZero() {
		tb.Errorf("group %q of account %q in %q, read at %v: %v", g.Key.ID, g.Account, g.Region, g.ReadAt, err)
	}
	if !slices.Contains(replication.States(), g.State) {
		tb.Errorf("state %q", g.State)
	}
	if !g.Active.IsZero() && (g.Source == g.Target || g.Active != g.Source && g.Active != g.Target) {
		tb.Errorf("production at %s, between %s and %s", g.Active, g.Source, g.Target)
	}
	if g.FailoverReady() {
		ready(tb, g)
	}
	for _, c := range g.Ready {
		if c.Name == "" || c.Threshold == "" {
			tb.Errorf("condition without name or threshold: %+v", c)
		}
	}
	figures(tb, g)
	times(tb, g)
}

func ready(tb testing.TB, g replication.Group) {
	tb.Helper()
	switch {
	case g.State == replication.Unknown, g.State == replication.FailedOver, g.State == replication.Switching:
		tb.Errorf("ready for a failover in state %s (%q)", g.State, g.RawStatus)
	case g.Active.IsZero() || g.Standby().IsZero():
		tb.Errorf("ready for a failover, from %q to %q", g.Active, g.Standby())
	case g.Key.Provider.Async() && g.LastSync.IsZero():
		tb.Error("ready for a failover without a copy that is known to be whole")
	case g.Key.Provider != replication.HuaweiDWS && len(g.Pairs) == 0:
		tb.Error("ready for a failover without a pair")
	}
}

func figures(tb testing.TB, g replication.Group) {
	tb.Helper()
	if g.Progress != nil && !(*g.Progress >= 0 && *g.Progress <= 1) {
		tb.Errorf("progress %v", *g.Progress)
	}
	for name, n := range map[string]*int64{"capacity": g.CapacityBytes} {
		bytes(tb, name, n)
	}
	for _, c := range g.Clusters {
		bytes(tb, "capacity of "+c.Role, c.CapacityBytes)
		bytes(tb, "use of "+c.Role, c.UsedBytes)
	}
	for name, n := range map[string]*int{"instances": g.Instances, "drills": g.Drills} {
		if n != nil && *n < 0 {
			tb.Errorf("%s: %d", name, *n)
		}
	}
	for status, n := range g.Pairs {
		if status == "" || n <= 0 {
			tb.Errorf("%d pairs in status %q", n, status)
		}
	}
}

func bytes(tb testing.TB, what string, n *int64) {
	tb.Helper()
	if n != nil && *n < 0 {
		tb.Errorf("%s: %d bytes", what, *n)
	}
}

func times(tb testing.TB, g replication.Group) {
	tb.Helper()
	for name, d := range map[string]*time.Duration{"lag": g.Lag, "RPO objective": g.RPOObjective, "recovery time": g.RecoveryTime} {
		if d != nil && *d < 0 {
			tb.Errorf("%s: %s", name, *d)
		}
	}
	all := map[string]time.Time{"last synchronisation": g.LastSync, "barrier": g.BarrierTime}
	for _, c := range g.Clusters {
		all["last success of "+c.Role] = c.LastSuccess
	}
	for name, at := range all {
		if !at.IsZero() && (at.Year() < 2000 || at.Year() >= 2200) {
			tb.Errorf("%s at %s", name, at)
		}
	}
}
