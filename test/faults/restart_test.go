package faults_test

import (
	"context"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/app"
	"github.com/drwatch/drwatch/internal/cloudsim"
	"github.com/drwatch/drwatch/internal/replication"
)

// TestAnEndInTheMiddleIsResumed ends the daemon as SIGTERM does while a failover
// is at a certain step, and starts another on the same folder.
func TestAnEndInTheMiddleIsResumed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		at    string
		drain time.Duration
		lost  bool // the step in flight is not waited for
	}{
		{at: "claimed", drain: 20 * time.Second},
		{at: "first_byte", drain: 10 * time.Millisecond, lost: true},
		{at: "verifying", drain: 20 * time.Second},
	} {
		t.Run(tt.at, func(t *testing.T) {
			t.Parallel()
			lanes := lanesOf(tt.at, replication.Providers()...)
			c := newField(t, time.Second, lanes...)
			for _, l := range lanes { // the effect comes although nobody waits for it
				fault(t, c, cloudsim.Fault{Group: l.id, Operation: "failover", Before: 500 * time.Millisecond})
			}
			short := func(root doc) {
				root["coordination"].(doc)["lease_ttl"] = "7s"
				each(root, func(account doc) { account["action_timeout"] = "2s" })
			}
			h := newHome(t, c, setting{edit: short})
			reached, stop := context.WithCancel(t.Context())
			defer stop()
			d := h.run(t, func(o *app.Options) {
				o.DrainTimeout, o.SignatureLife, o.Settle = tt.drain, 3*time.Second, time.Second
				o.At = func(step string) {
					if step == tt.at {
						stop()
					}
				}
			})
			d.fit()
			lose(t, c, "az-a", cloudsim.Loss{})
			select {
			case <-reached.Done():
			case <-time.After(30 * time.Second):
				t.Fatalf("no incident came to the step %s", tt.at)
			}
			if err := d.kill(); (err != nil) != tt.lost {
				t.Errorf("the daemon ended with: %v", err)
			}
			d = h.run(t, func(o *app.Options) { o.SignatureLife, o.Settle = 3*time.Second, time.Second })
			d.failedOverOnce(c, lanes)
			for _, l := range lanes {
				list := d.incidents()[l.id]
				if n := calls(c, l.id); n != 1 {
					t.Errorf("%s: %d calls, want 1: %s", l.name, n, show(list))
				}
				if len(list) != 1 {
					t.Errorf("%s: %s", l.name, show(list))
				}
			}
		})
	}
}
