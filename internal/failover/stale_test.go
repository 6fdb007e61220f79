package failover_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/quorum/quorumtest"
	"github.com/drwatch/drwatch/internal/replication"
)

// slow answers one read, when told, much later with what it was then.
type slow struct {
	*quorumtest.Store
	next atomic.Bool
}

func (s *slow) Read(ctx context.Context) (replication.Cluster, error) {
	cluster, err := s.Store.Read(ctx)
	if s.next.CompareAndSwap(true, false) {
		<-time.After(6 * time.Second)
	}
	return cluster, err
}

// TestARoundThatReadBeforeTheOutcome: between a round's read and what it does,
// the incident's own steps have gone on and ended. The round must neither take
// the call for lost, nor drive an incident that waits or has ended.
func TestARoundThatReadBeforeTheOutcome(t *testing.T) {
	tests := []struct {
		name   string
		answer func(*cloud) failover.Sent
		calls  int
		phase  replication.Phase
		events string
	}{
		{"a call refused for its rate is tried again", throttled, 2, replication.Succeeded, "claimed intent outcome intent outcome succeeded"},
		{"a refused call stays failed", refused, 1, replication.Failed, "claimed intent outcome"},
		{"a failover that is proven stays so", accepted, 1, replication.Succeeded, "claimed intent outcome succeeded"},
		{"a call that broke off stays as it was found", breaks, 1, replication.Failed, "claimed intent outcome failed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, replication.HuaweiEVS, replication.Auto)
				w.cloud.answers = []func(*cloud) failover.Sent{tt.answer}
				store := &slow{Store: w.store}
				var log bytes.Buffer
				w.log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
				sent := 0
				_, stop := w.observeOn(store, w.store, func(step string) {
					if step != "sent" {
						return
					}
					if sent++; sent == 1 {
						store.next.Store(true) // the next read is a round's
						wait(3 * time.Second)
					}
				})
				wait(50 * time.Second) // less than after what a blocked trigger is told
				stop()
				i := w.only()
				calls, _ := w.cloud.count()
				if i.Phase != tt.phase || calls != tt.calls {
					t.Errorf("%s after %d calls, want %s after %d", i.Phase, calls, tt.phase, tt.calls)
				}
				if log.Len() > 0 {
					t.Errorf("a person is told of trouble that there is not:\n%s", &log)
				}
				if got := strings.Join(w.events(), " "); got != tt.events {
					t.Errorf("journal: %s\nwant:    %s", got, tt.events)
				}
			})
		})
	}
}
