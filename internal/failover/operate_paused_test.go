package failover_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/drwatch/drwatch/internal/replication"
)

// TestPausedInAPersonsPlan stops an observer at each step of each call of a plan
// past its lease; another goes on; then the first wakes. Each call arrives once.
func TestPausedInAPersonsPlan(t *testing.T) {
	for _, step := range []string{"claimed", "read", "intent", "first_byte", "sent", "outcome", "verifying", "step_done"} {
		for nth := 1; nth <= 3; nth++ {
			if step == "claimed" && nth > 1 {
				continue
			}
			t.Run(fmt.Sprintf("%s %d", step, nth), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { pausedInAPlan(t, step, nth) })
			})
		}
	}
}

func pausedInAPlan(t *testing.T, step string, nth int) {
	w, d := office(t, replication.AliyunEBS)
	hang, seen := make(chan struct{}), 0
	first := w.store.Join(time.Now, "obs-w", "witness")
	var stopLoop func()
	c, stop := w.observe(first, func(s string) {
		if s != step {
			return
		}
		if seen++; seen == nth {
			stopLoop()
			<-hang
		}
	})
	halted := make(chan struct{})
	stopLoop = func() { first.Suspend(time.Hour); first.Disconnect(errors.New("paused")); close(halted) }
	wait(5 * time.Second)
	go func() { _, _, _ = c.Act(context.Background(), asking(replication.Switchover)) }()
	wait(2 * time.Minute)
	<-halted
	before := len(d.calls())
	second := w.store.Join(time.Now, "obs-2", "witness")
	_, stopSecond := w.observe(second, nil)
	wait(25 * time.Minute)
	done := d.calls()
	close(hang)
	first.Heal()
	wait(2 * time.Minute)
	go stop()
	wait(2 * time.Minute)
	stopSecond()
	i, after := w.only(), d.calls()
	want := []string{"failover", "reprotect", "start"}
	if !slices.Equal(after, done) {
		t.Errorf("the observer that woke sent %v", after[len(done):])
	}
	unsent := i.Step == 0 && before == 0 && (step == "intent" || step == "first_byte")
	switch {
	case unsent:
		if i.Phase != replication.Failed || len(after) != 0 || w.record().Latch != nil {
			t.Errorf("%s (%s), calls %v: want it ended, with nothing sent", i.Phase, i.HeldBy+i.Error, after)
		}
	case i.Phase != replication.Succeeded || !slices.Equal(after, want):
		t.Errorf("%s (%s), calls %v, want %v\n%s", i.Phase, i.HeldBy+i.Error, after, want, w.events())
	}
}
