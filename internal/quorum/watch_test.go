package quorum_test

import (
	"context"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestWatchTellsWhatADecisionLooksAt: a freeze is told at once, a heartbeat is
// not, and a member that was killed is watched again when it is back.
func TestWatchTellsWhatADecisionLooksAt(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "etcd")
	s := openStore(t, dir)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	told := make(chan struct{}, 100)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.Watch(ctx, func() {
			select {
			case told <- struct{}{}:
			default:
			}
		})
	}()
	within := func(what string, d time.Duration) {
		t.Helper()
		select {
		case <-told:
		case <-time.After(d):
			t.Fatalf("%s was not told within %s", what, d)
		}
	}
	within("the beginning", 5*time.Second)
	if err := s.Renew(ctx); err != nil {
		t.Fatal(err)
	}
	select {
	case <-told:
		t.Error("a heartbeat was told")
	case <-time.After(300 * time.Millisecond):
	}
	if err := s.Freeze(ctx, "sre", "look"); err != nil {
		t.Fatal(err)
	}
	within("a freeze", time.Second)
	kill(t, theMember(t, dir), syscall.SIGKILL)
	within("the new member", 20*time.Second)
	for len(told) > 0 {
		<-told
	}
	if err := s.Unfreeze(ctx, "sre", "go on"); err != nil {
		t.Fatal(err)
	}
	within("the end of the freeze", time.Second)
	cancel()
	<-ended
}
