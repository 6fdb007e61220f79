package collector_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drwatch/drwatch/internal/collector"
	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/replication"
	"github.com/drwatch/drwatch/internal/series"
)

// diary is an account that takes its time, and notes when it was asked.
type diary struct {
	reader
	takes time.Duration
	began time.Time

	mu     sync.Mutex
	starts []time.Duration // since began
}

func (d *diary) List(ctx context.Context) (provider.Listing, error) {
	d.mu.Lock()
	d.starts = append(d.starts, time.Since(d.began))
	d.mu.Unlock()
	select {
	case <-ctx.Done():
	case <-time.After(d.takes):
	}
	return d.reader.List(ctx)
}

// tenMinutes polls five accounts for ten minutes, after the one that is given if
// it is not nil, and tells when each of the five was asked.
func tenMinutes(t *testing.T, first func() *reader) (starts [][]time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c, err := collector.New(collector.Options{
			Series: series.New(series.Options{}), Now: time.Now, Int64N: func(int64) int64 { return 0 }, Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		var accounts []collector.AccountSettings
		if first != nil {
			r := first()
			accounts = append(accounts, account("first", r))
			if r.hangs != nil {
				defer close(r.hangs)
			}
		}
		var diaries []*diary
		for i := range 5 {
			d := &diary{takes: time.Duration(i+1) * time.Second, began: time.Now()}
			d.groups = []replication.Group{plainGroup(fmt.Sprint("g", i))}
			diaries, accounts = append(diaries, d), append(accounts, account(fmt.Sprint("a", i), d))
		}
		if err := c.Update(collector.Settings{Accounts: accounts}); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithTimeout(t.Context(), 10*time.Minute-time.Second)
		defer stop()
		if err := c.Run(ctx); err != nil {
			t.Error(err)
		}
		for _, d := range diaries {
			starts = append(starts, d.starts)
		}
	})
	return starts
}

// An account that hangs, be its reader one that heeds its context or not, makes
// no other account's poll begin any later.
func TestHangingAccountMakesNoPollLater(t *testing.T) {
	alone := tenMinutes(t, nil)
	for i, starts := range alone {
		if len(starts) != 20 {
			t.Errorf("account a%d was asked %d times in ten minutes, want 20", i, len(starts))
		}
	}
	for what, first := range map[string]func() *reader{
		"hangs until its time is up": func() *reader { return &reader{waits: true} },
		"never returns":              func() *reader { return &reader{hangs: make(chan struct{})} },
	} {
		if diff := cmp.Diff(alone, tenMinutes(t, first)); diff != "" {
			t.Errorf("when five accounts were asked: without (-) and with (+) one that %s\n%s", what, diff)
		}
	}
}
