package app

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/drwatch/drwatch/internal/api"
	"github.com/drwatch/drwatch/internal/collector"
	"github.com/drwatch/drwatch/internal/exposition"
	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/replication"
)

// Definitions are the metrics of the page, beside those of a collector.
func Definitions() []collector.Metric { return slices.Clone(definitions()) }

// NewPage is the page as the daemon makes it.
func NewPage(metrics ...[]collector.Metric) (*exposition.Page, error) {
	p, err := newPage(metrics...)
	return p.Page, err
}

// Caught runs f as a reload is run.
func Caught(log *slog.Logger, f func() error) error { return caught(log, f) }

// AccountOf is an account as the API tells it.
func AccountOf(a collector.Account, snap *collector.Snapshot) api.Account { return accountOf(a, snap) }

// Explained is a rule's decision on a group as the API tells it.
func Explained(s failover.State, r failover.RuleView, t failover.Target) api.Explanation {
	return explanation(s, r, t)
}

// LocalFreeze looks at what freezes an observer that was started with o.
func LocalFreeze(o Options) (look func() *replication.Freeze, err error) {
	f, err := newLocalFreeze(&o)
	if err != nil {
		return nil, err
	}
	return f.look, nil
}

// NotFrozen is what a person is told whose freeze the store did not take.
func NotFrozen(o Options, store error) (told, err error) {
	f, err := newLocalFreeze(&o)
	if err != nil {
		return nil, err
	}
	return f.instead(store), nil
}

// FrozenTold is what tells the log of freezes.
func FrozenTold(log *slog.Logger) func(now time.Time, all, local *replication.Freeze) {
	var t frozenTold
	return func(now time.Time, all, local *replication.Freeze) { t.tell(log, now, all, local) }
}

// ClockWatch is the comparison of the machine's clocks: what it gives is asked at
// each look.
func ClockWatch(now, wall func() time.Time, boot func() time.Duration) func() (sleeps, steps []time.Time) {
	return newClockWatch(now, wall, boot).look
}

// QuietSince refuses while a call of the incident may still arrive, by the clock of
// the provider that r reads.
func QuietSince(r groupReader, now time.Time, i replication.Incident) error {
	return quietSince(context.Background(), r, func() time.Time { return now }, (&App{}).quiet(), i)
}
