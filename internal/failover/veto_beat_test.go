package failover_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/quorum/quorumtest"
	"github.com/drwatch/drwatch/internal/replication"
)

// obs-3 sees the site alive in the round after its heartbeat had no answer, or after
// it was away for longer than its lease lives. The two others say go just before and
// just after that round: its veto stands in between.
func TestAVetoDoesNotWaitForTheNextRound(t *testing.T) {
	for name, trouble := range map[string]struct{ before, after func(*quorumtest.Store) error }{
		"none":                   {},
		"a heartbeat unanswered": {before: func(s *quorumtest.Store) error { s.LoseAnswer("beat"); return nil }},
		"a lease that ran out":   {after: func(s *quorumtest.Store) error { return s.LoseLease("obs-3") }},
	} {
		t.Run(name, func(t *testing.T) {
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
				happens := func(f func(*quorumtest.Store) error) {
					if f == nil {
						return
					}
					if err := f(three); err != nil {
						t.Fatal(err)
					}
				}
				wait(57*time.Second + 700*time.Millisecond) // 58.3
				happens(trouble.before)
				wait(1600 * time.Millisecond) // 59.9
				by["obs-2"].says(replication.Go)
				wait(400 * time.Millisecond) // 60.3
				happens(trouble.after)
				by["obs-3"].says(replication.Veto)
				wait(200 * time.Millisecond) // 60.5: obs-3 has had its round
				by["obs-1"].says(replication.Go)
				wait(20 * time.Second)
				if calls, _ := w.cloud.count(); calls != 0 {
					t.Error("failed over although obs-3 saw the site alive two seconds before")
				}
				stop()
			})
		})
	}
}
