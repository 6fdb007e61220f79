package failover_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/replication"
)

// TestAStartIsNotLeftByAClockThatIsAhead: one call of SDRS protects and protects
// again. Whoever takes over the wait for its proof by a wall clock that is ahead
// leaves it no sooner than the provider's clock says that it can no longer arrive,
// and not while nobody tells that.
func TestAStartIsNotLeftByAClockThatIsAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, d := office(t, replication.AliyunEBS)
		d.group.State, d.group.RawStatus = replication.ProtectionOff, "stopped"
		d.answers = []func(replication.Action) failover.Sent{func(replication.Action) failover.Sent {
			return failover.Sent{Outcome: replication.Uncertain, Err: errors.New("reset")}
		}}
		c, stop := w.observe(w.store, nil)
		wait(5 * time.Second)
		if _, _, err := c.Act(context.Background(), asking(replication.Start)); err != nil {
			t.Fatal(err)
		}
		wait(5 * time.Second)
		stop()
		_, stop = w.controller(func(o *failover.Options) { o.Now = func() time.Time { return time.Now().Add(3 * time.Hour) } })
		wait(time.Minute)
		early := w.only().Phase
		d.locked(func() { d.down = true })
		wait(20 * time.Minute)
		unread := w.only().Phase
		d.locked(func() { d.down = false })
		wait(time.Minute)
		stop()
		if early != replication.Verifying || unread != replication.Verifying || !w.only().Phase.Ended() {
			t.Errorf("it is %q a minute after the call, %q while the provider does not answer, %q after that; want verifying, verifying, and ended", early, unread, w.only().Phase)
		}
	})
}
