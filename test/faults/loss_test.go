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
