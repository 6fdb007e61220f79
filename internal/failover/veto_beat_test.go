package failover_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/quorum/quorumtest"
	"github.com/drwatch/drwatch/internal/replication"
)

// One answer to a heartbeat of obs-3 is lost. In its next round it sees the site
// alive. Two seconds later the two others say go.
func TestAVetoBehindALostHeartbeat(t *testing.T) {
	for _, lose := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, replication.HuaweiSDRS, replication.Auto)
			w.rules.rule.Agree, w.rules.rule.Of = 2, 3
			by := map[string]*rules{}
			var three *quorumtest.Store
			_, stop := w.trio(func(name string, o *failover.Options) {
				r := w.votesAs(name, o.Site)
				r.verdict = replication.Pending
				by[name], o.Rules = r, r
				if name == "obs-3" {
					three = o.Session.(*quorumtest.Store)
				}
			}) // rounds: obs-1 at 0.0, 2.0, …; obs-2 at 0.2, 2.2, …; obs-3 at 0.4, 2.4, …; now is 0.6
			wait(57*time.Second + 700*time.Millisecond) // 58.3
			if lose {
				three.LoseAnswer("beat")
			}
			wait(1600 * time.Millisecond) // 59.9
			by["obs-2"].says(replication.Go)
			wait(400 * time.Millisecond) // 60.3
			by["obs-3"].says(replication.Veto)
			wait(200 * time.Millisecond) // 60.5: obs-3 has had its round
			by["obs-1"].says(replication.Go)
			wait(20 * time.Second)
			calls, _ := w.cloud.count()
			if calls != 0 {
				t.Errorf("failed over although obs-3 saw the site alive two seconds before")
			}
			stop()
		})
	}
}

// obs-3 was away for longer than its lease lives. When it is back it sees the site alive.
func TestAVetoBehindALostLease(t *testing.T) {
	for _, lose := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, replication.HuaweiSDRS, replication.Auto)
			w.rules.rule.Agree, w.rules.rule.Of = 2, 3
			by := map[string]*rules{}
			var three *quorumtest.Store
			_, stop := w.trio(func(name string, o *failover.Options) {
				r := w.votesAs(name, o.Site)
				r.verdict = replication.Pending
				by[name], o.Rules = r, r
				if name == "obs-3" {
					three = o.Session.(*quorumtest.Store)
				}
			})
			wait(59*time.Second + 300*time.Millisecond) // 59.9
			by["obs-2"].says(replication.Go)
			wait(400 * time.Millisecond) // 60.3
			if lose {
				if err := three.LoseLease("obs-3"); err != nil {
					t.Fatal(err)
				}
			}
			by["obs-3"].says(replication.Veto)
			wait(200 * time.Millisecond) // 60.5
			by["obs-1"].says(replication.Go)
			wait(20 * time.Second)
			calls, _ := w.cloud.count()
			if calls != 0 {
				t.Errorf("failed over although obs-3 saw the site alive two seconds before")
			}
			stop()
		})
	}
}
