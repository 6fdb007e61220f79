package app_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/app"
	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/replication"
	"github.com/drwatch/drwatch/internal/web"
)

// told is a provider that tells one time, or does not answer.
type told struct {
	at  time.Time
	err error
}

func (t told) Read(context.Context, replication.GroupKey) (replication.Group, error) {
	return replication.Group{ProviderTime: t.at}, t.err
}

// TestQuietByTheProvidersClock: ack, and the end of a wait for a proof, are taken
// when a call without a certain answer can no longer arrive by the provider's clock,
// whatever that of the observer says which a person asks.
func TestQuietByTheProvidersClock(t *testing.T) {
	called := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	after := func(d time.Duration) time.Time { return called.Add(d) }
	gone := errors.Join(errors.New("group x"), provider.ErrNotFound)
	for _, c := range []struct {
		name     string
		phase    replication.Phase
		outcome  replication.Outcome
		provider told
		here     time.Duration // this machine's clock, since the call
		want     string        // "" = taken
	}{
		{"a minute after it", replication.Ambiguous, replication.Uncertain, told{at: after(time.Minute)}, time.Minute, "until 2026-01-02T03:17:00Z by the provider's clock (which says 2026-01-02T03:01:00Z)"},
		{"a minute after it, here it is 20 minutes later", replication.Ambiguous, replication.Uncertain, told{at: after(time.Minute)}, 21 * time.Minute, "may still arrive"},
		{"to the second", replication.Ambiguous, replication.Uncertain, told{at: after(17 * time.Minute)}, 17 * time.Minute, "may still arrive"},
		{"after it", replication.Ambiguous, replication.Uncertain, told{at: after(18 * time.Minute)}, 18 * time.Minute, ""},
		{"after it, here it is 20 minutes earlier", replication.Ambiguous, replication.Uncertain, told{at: after(18 * time.Minute)}, -2 * time.Minute, ""},
		{"an intent without an outcome", replication.Ambiguous, replication.OutcomeNone, told{at: after(time.Minute)}, time.Hour, "may still arrive"},
		{"accepted, and not proven", replication.Verifying, replication.Accepted, told{at: after(time.Minute)}, time.Hour, "may still arrive"},
		{"the provider does not answer", replication.Ambiguous, replication.Uncertain, told{err: errors.New("no route")}, time.Hour, "that clock could not be read: no route"},
		{"its answer has no time", replication.Ambiguous, replication.Uncertain, told{}, time.Hour, "does not tell the time"},
		{"the group is not known any more", replication.Ambiguous, replication.Uncertain, told{err: gone}, time.Hour, "could not be read"},
		{"the group is not known any more, a day later", replication.Ambiguous, replication.Uncertain, told{err: gone}, 25 * time.Hour, ""},
		{"a certain answer, and nobody answers now", replication.Failed, replication.Rejected, told{err: errors.New("no route")}, time.Second, ""},
		{"accepted and proven", replication.Succeeded, replication.Accepted, told{err: errors.New("no route")}, time.Second, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			inc := replication.Incident{Phase: c.phase, Calls: []replication.Call{{Outcome: c.outcome, StartedAt: called}}}
			err := app.QuietSince(c.provider, after(c.here), inc)
			switch {
			case c.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case c.want != "" && (!errors.Is(err, web.ErrRefused) || !strings.Contains(err.Error(), c.want)):
				t.Errorf("%v; want it refused with %q", err, c.want)
			}
		})
	}
}

// TestTheLastCallCounts: of two calls the later one is waited for.
func TestTheLastCallCounts(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	inc := replication.Incident{Phase: replication.Ambiguous, Calls: []replication.Call{
		{Outcome: replication.Uncertain, StartedAt: now.Add(-time.Minute)},
		{Outcome: replication.Uncertain, StartedAt: now.Add(-30 * time.Minute)},
	}}
	if err := app.QuietSince(told{at: now}, now, inc); !errors.Is(err, web.ErrRefused) {
		t.Errorf("%v; want it refused", err)
	}
}
