package failover_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/drwatch/drwatch/internal/replication"
)

// TestAMoveBySomebodyElseCountsAsAFailover: the cool-down runs from it, and where
// the provider would accept another at once the group waits for a person, as after
// a failover of ours.
func TestAMoveBySomebodyElseCountsAsAFailover(t *testing.T) {
	for provider, latched := range map[replication.Provider]bool{
		replication.HuaweiSDRS: false, replication.HuaweiEVS: false, replication.HuaweiDWS: true, replication.AliyunEBS: true,
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, provider, replication.Auto)
			w.rules.quiet()
			_, stop := w.observe(w.store, nil)
			wait(10 * time.Second)
			if rec := w.record(); rec.Active != azA || rec.Latch != nil || rec.LastAction != nil {
				t.Errorf("%s before: %+v", provider, rec)
			}
			w.cloud.mu.Lock()
			w.cloud.apply()
			w.cloud.mu.Unlock()
			wait(10 * time.Second)
			stop()
			if rec := w.record(); rec.Active != azB || rec.LastAction == nil || (rec.Latch != nil) != latched {
				t.Errorf("%s after: %+v; want it taken down, latched %v", provider, rec, latched)
			}
		})
	}
}
