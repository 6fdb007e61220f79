package failover_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/replication"
)

// TestOutcomesThatComeLate: an observer sends, pauses past its lease, and wakes
// with the answer. Whoever holds the incident by then reads it before it decides
// what became of the call.
func TestOutcomesThatComeLate(t *testing.T) {
	slow := func(c *cloud) failover.Sent { // taken, and to be seen only after an hour
		later(c, time.Hour, c.apply)
		return failover.Sent{Outcome: replication.Accepted, Status: 200, JobID: "j1"}
	}
	for name, tc := range map[string]struct {
		answer func(*cloud) failover.Sent
		paused time.Duration
		phase  replication.Phase
		calls  int
	}{
		"accepted: the wait for the proof goes on":     {slow, 10 * time.Minute, replication.Succeeded, 1},
		"accepted, told too late: it has an end":       {slow, 40 * time.Minute, replication.Ambiguous, 1},
		"refused: there is no need to wait":            {refused, 3 * time.Minute, replication.Failed, 1},
		"refused for the rate: it is sent once more":   {throttled, 3 * time.Minute, replication.Succeeded, 2},
		"no answer: nothing is told, nothing is known": {lostBeforeEffect, 3 * time.Minute, replication.Ambiguous, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, replication.HuaweiDWS, replication.Auto)
				w.closeWithin = 3 * time.Hour
				w.cloud.answers = []func(*cloud) failover.Sent{tc.answer}
				first, hang, gone := w.store.Join(time.Now, "obs-w", "witness"), make(chan struct{}), false
				_, stop := w.observe(first, func(step string) {
					if step == "sent" && !gone {
						gone = true
						first.Suspend(time.Hour)
						<-hang
					}
				})
				wait(15 * time.Second)
				go stop() // its loop ends, the step that hangs does not
				w.rules.mu.Lock()
				w.rules.observer = "obs-2"
				w.rules.mu.Unlock()
				_, stopSecond := w.observe(w.store.Join(time.Now, "obs-2", "witness"), nil)
				wait(tc.paused)
				close(hang)
				wait(2 * time.Hour)
				stopSecond()
				i := w.only()
				if calls, _ := w.cloud.count(); i.Phase != tc.phase || calls != tc.calls {
					t.Errorf("%s (%s), %d calls; want %s, %d\n%s", i.Phase, i.Error, calls, tc.phase, tc.calls, strings.Join(w.events(), " "))
				}
				late, err := w.store.Late(context.Background(), i.ID)
				if err != nil || len(late) != map[bool]int{true: 0, false: 1}[strings.HasPrefix(name, "no answer")] {
					t.Errorf("left late: %v, %v", late, err)
				}
			})
		})
	}
}
