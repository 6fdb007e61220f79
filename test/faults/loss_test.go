package faults_test

import (
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/cloudsim"
	"github.com/drwatch/drwatch/internal/replication"
)

// TestTheOtherEndTellsAndActs loses a site together with the cloud's API that
// stands in it: read from the other end, each group is failed over once.
func TestTheOtherEndTellsAndActs(t *testing.T) {
	t.Parallel()
	for _, how := range []cloudsim.Loss{{API: true}, {API: true, Hang: true}} {
		name := map[bool]string{false: "refuses", true: "hangs"}[how.Hang]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lanes := []*lane{newLocalLane(replication.AliyunEBS, name), newLocalLane(replication.HuaweiDWS, name)}
			lanes = append(lanes, lanesOf(name, replication.HuaweiSDRS, replication.HuaweiEVS)...)
			c := newField(t, time.Second, lanes...)
			d := start(t, c, setting{})
			lose(t, c, "az-a", how)
			d.failedOverOnce(c, lanes)
			for _, l := range lanes {
				if n := calls(c, l.id); n != 1 {
					t.Errorf("%s: %d calls, want 1", l.name, n)
				}
			}
			for _, a := range d.status().Accounts {
				if !a.Up || a.Groups != 1 {
					t.Errorf("account %s: up %t with %d groups while its other end answers (%s)", a.Name, a.Up, a.Groups, a.Error)
				}
			}
		})
	}
}

// TestWhichEndTold takes an account's own endpoint away and gives it back: its
// groups are read on from the other one, and the sample says so. An account with
// one endpoint keeps what it was told last.
func TestWhichEndTold(t *testing.T) {
	t.Parallel()
	two := []*lane{newLocalLane(replication.AliyunEBS, "told"), newLocalLane(replication.HuaweiDWS, "told")}
	one := newLane(replication.HuaweiSDRS, "told")
	c := newField(t, time.Second, append(two, one)...)
	d := start(t, c, setting{mode: "dry_run"})
	two[1].name = two[1].endpoints[1] // as the simulated clouds name the account
	told := func(by replication.Side) {
		t.Helper()
		eventually(t, 60*time.Second, "the groups are told by the "+string(by)+" end", func() string {
			s := d.scrape()
			for _, l := range two {
				for _, side := range []replication.Side{replication.PrimarySide, replication.SecondarySide} {
					want := 0.0
					if side == by {
						want = 1
					}
					if got := s.sum("drwatch_account_told_by", "account="+l.name, "side="+string(side)); got != want {
						return l.name
					}
				}
			}
			return ""
		})
		since := time.Now()
		d.polled(two, 2)
		s := d.scrape()
		for _, l := range two {
			if up := s.sum("drwatch_account_up", "account="+l.name); up != 1 {
				t.Errorf("%s: up is %g", l.name, up)
			}
		}
		for _, g := range d.groups() {
			switch {
			case g.Account == one.name:
				if g.ToldBy != replication.PrimarySide {
					t.Errorf("%s is told by %q, and has no other end", g.Name, g.ToldBy)
				}
			case g.ToldBy != by || !g.ReadAt.After(since):
				t.Errorf("%s was told by %q at %s, want by %q after %s", g.Name, g.ToldBy, g.ReadAt, by, since)
			}
		}
		for _, a := range d.status().Accounts {
			if a.Name != one.name && a.ToldBy != by {
				t.Errorf("account %s is told by %q, want %q", a.Name, a.ToldBy, by)
			}
		}
	}
	told(replication.PrimarySide)
	for _, l := range append(two, one) {
		fault(t, c, cloudsim.Fault{Endpoint: l.endpoints[0], Answer: cloudsim.Unavailable})
	}
	told(replication.SecondarySide)
	c.ClearFaults()
	told(replication.PrimarySide)
}
