package failover_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/quorum/quorumtest"
	"github.com/drwatch/drwatch/internal/replication"
)

// cloud is one provider with one group. It notes every call that reaches it.
type cloud struct {
	mu      sync.Mutex
	group   replication.Group
	calls   int // requests whose first byte left
	effects int // failovers that happened
	answers []func(*cloud) failover.Sent
	down    bool
}

// The answers of a call, by what they do to the group.

func accepted(c *cloud) failover.Sent {
	c.apply()
	return failover.Sent{Outcome: replication.Accepted, Status: 200, JobID: "j1"}
}

func lostAfterEffect(c *cloud) failover.Sent {
	c.apply()
	return failover.Sent{Outcome: replication.Uncertain, Err: errors.New("connection reset")}
}

func lostBeforeEffect(*cloud) failover.Sent {
	return failover.Sent{Outcome: replication.Uncertain, Err: errors.New("connection reset")}
}

func refused(*cloud) failover.Sent {
	return failover.Sent{Outcome: replication.Rejected, Status: 400, Err: errors.New("SDRS.1002: not allowed in this state")}
}

// refusedForTheFirst: the effect of an earlier call has arrived after all, and
// the provider refuses this one for it.
func refusedForTheFirst(c *cloud) failover.Sent {
	c.apply()
	return refused(c)
}

func throttled(*cloud) failover.Sent {
	return failover.Sent{Outcome: replication.Throttled, Status: 429, Err: errors.New("APIGW.0308")}
}

func breaks(c *cloud) failover.Sent {
	c.group.State, c.group.RawStatus, c.group.FailoverFailed = replication.Errored, "error-failing-over", true
	return failover.Sent{Outcome: replication.Accepted, Status: 200, JobID: "j1"}
}

// apply is the effect: a second one swaps production back, as DWS would.
func (c *cloud) apply() {
	c.effects++
	c.group.Active = c.group.Standby()
	c.group.State, c.group.RawStatus = replication.FailedOver, "failed-over"
	c.group.Ready = []replication.Condition{{Name: "status_allows_failover", Value: "failed-over"}}
}

func (c *cloud) Read(context.Context, replication.GroupKey) (replication.Group, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down {
		return replication.Group{}, errors.New("no answer")
	}
	g := c.group
	g.ReadAt, g.ProviderTime = time.Now(), time.Now()
	return g, nil
}

func (c *cloud) Track(ctx context.Context, key replication.GroupKey, _ string) (failover.Progress, error) {
	g, err := c.Read(ctx, key)
	return failover.Progress{Group: g, Detail: g.RawStatus}, err
}

func (c *cloud) Sender(string) (failover.Sender, error) { return c, nil }

// Failover signs, asks, sends. A signature is dead after 15 minutes, whenever
// the request arrives.
func (c *cloud) Failover(_ context.Context, o failover.Order) failover.Sent {
	signed := time.Now()
	if err := o.BeforeFirstByte(); err != nil {
		return failover.Sent{Outcome: replication.NotSent, Err: err}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(signed) > 15*time.Minute {
		return failover.Sent{Outcome: replication.Rejected, Status: 401, Err: errors.New("the signature has expired")}
	}
	answer := accepted
	if c.calls < len(c.answers) {
		answer = c.answers[c.calls]
	}
	c.calls++
	return answer(c)
}

func (c *cloud) count() (calls, effects int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls, c.effects
}

// rules is one rule whose trigger is true from the start until quiet.
type rules struct {
	mu       sync.Mutex
	rule     failover.Rule
	cloud    *cloud
	observer string
	site     string
	verdict  replication.Verdict
	untrue   time.Time // since when the trigger is untrue
	lost     time.Time
	value    float64 // of the trigger
	hidden   bool    // no poll shows the group
	probed   bool    // something probes az-a
	// targetDown: this observer sees the other side down.
	targetDown bool
	hang       <-chan struct{} // an evaluation takes until it is closed; nil: no time
}

func (r *rules) hide(hidden bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hidden = hidden
}

func (r *rules) Evaluate(ctx context.Context) (failover.Evaluation, error) {
	r.mu.Lock()
	hang := r.hang
	r.mu.Unlock()
	if hang != nil {
		<-hang
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	g, err := r.cloud.Read(ctx, r.cloud.group.Key)
	if err != nil {
		g = r.cloud.group
		g.ReadAt = time.Now()
	}
	t := failover.Target{Group: g, ActiveSite: "az-a", TargetSite: "az-b", LastGood: r.lost, Since: r.lost, State: "firing", Value: r.value, ActionTimeout: time.Second}
	t.Vote = replication.Vote{Observer: r.observer, Site: r.site, Rule: r.rule.Name, RuleHash: r.rule.Hash, Group: g.Key, Verdict: r.verdict, Since: r.lost, Mode: r.rule.Mode, For: r.rule.For}
	if !r.untrue.IsZero() {
		t.State, t.UntrueFor = "", time.Since(r.untrue)
	}
	t.Vote.Value, t.Vote.TargetDown = r.value, r.targetDown
	if r.hidden {
		return failover.Evaluation{At: time.Now(), Rules: []failover.RuleView{{Rule: r.rule}}}, nil
	}
	if g.Active == azB { // the rule's targets say active_site="az-a"
		return failover.Evaluation{At: time.Now(), Rules: []failover.RuleView{{Rule: r.rule}}, Groups: []replication.Group{g}}, nil
	}
	return failover.Evaluation{
		At: time.Now(), AllPolled: true, Probed: map[string]bool{"az-a": r.probed},
		Rules: []failover.RuleView{{Rule: r.rule, Targets: []failover.Target{t}}}, Groups: []replication.Group{g},
	}, nil
}

func (r *rules) quiet() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.verdict, r.untrue = "", time.Now()
}

func (r *rules) says(v replication.Verdict) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.verdict = v
}

// world is one cloud, one store and the observers on them, on a virtual clock.
type world struct {
	t     *testing.T
	cloud *cloud
	store *quorumtest.Store
	rules *rules
	facts []failover.Fact
	mu    sync.Mutex
	log   *slog.Logger

	desk        *desk // for persons; nil: none
	noOperators bool
	closeWithin time.Duration // default one minute
	every       time.Duration // between rounds, default 2 s; long stories take longer ones
}

func (w *world) round() time.Duration {
	if w.every == 0 {
		return 2 * time.Second
	}
	return w.every
}

func newWorld(t *testing.T, provider replication.Provider, mode replication.Mode) *world {
	k := replication.GroupKey{Provider: provider, ID: "g1"}
	c := &cloud{group: replication.Group{
		Key: k, Account: "acc", Name: "db-1", Source: azA, Target: azB, Active: azA, RawStatus: "protected", State: replication.Replicating,
		Baseline: map[bool]string{true: "a primary, b standby"}[provider == replication.HuaweiDWS],
		Ready:    []replication.Condition{{Name: "status_allows_failover", Value: "protected", OK: true}},
		LastSync: time.Now().Add(-4 * time.Second),
	}}
	rule := failover.Rule{
		Name: "r", Hash: "h", Mode: mode, Action: replication.Failover, For: 10 * time.Second, SiteUnreachable: "az-a", Agree: 1, Of: 1, VetoAny: true,
		Fence: "accept_split_brain: test", LagUnder: 30 * time.Second, DataAgeUnder: 2 * time.Minute, Cooldown: time.Hour,
		MaxConcurrent: 20, MaxFailures: 3, ExecutionTimeout: 10 * time.Minute, ApprovalTimeout: time.Hour, Approvals: 1,
	}
	store := quorumtest.New(time.Now, "obs-w", "witness")
	theMade.watch(t, store)
	return &world{
		t: t, cloud: c, store: store, log: discard,
		rules: &rules{rule: rule, cloud: c, observer: "obs-w", site: "witness", verdict: replication.Go, lost: time.Now()},
	}
}

// observe runs an observer until the test ends or stop is called. at may end
// or pause it at a named step.
func (w *world) observe(store *quorumtest.Store, at func(step string)) (c *failover.Controller, stop func()) {
	return w.observeOn(store, store, at)
}

// observeOn reads and writes incidents through another store than the one that
// the session is with.
func (w *world) observeOn(incidents failover.Store, store *quorumtest.Store, at func(step string)) (c *failover.Controller, stop func()) {
	o := failover.Options{
		Observer: "obs-w", Site: "witness", Store: incidents, Session: store, Upkeep: store, Lates: store, Rules: w.rules, Reader: w.cloud, Senders: w.cloud,
		CanAct: func(string) bool { return true }, AcceptSingle: true, LeaseTTL: quorumtest.LeaseTTL, TrackInterval: time.Second,
		Now: time.Now, Logger: w.log, At: at,
		Told: func(f failover.Fact) { w.mu.Lock(); defer w.mu.Unlock(); w.facts = append(w.facts, f) },
	}
	if w.rules.rule.Mode == replication.DryRun {
		o.Senders = nil
	}
	if w.desk != nil {
		o.Handbook, o.Drills, o.Operators, o.Sites = w.desk, w.desk, w.desk, w.desk
	}
	if w.noOperators {
		o.Operators = nil
	}
	c = failover.New(o)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(w.round())
		defer tick.Stop()
		for ctx.Err() == nil {
			_ = c.Round(ctx) // an error is what State shows
			select {
			case <-ctx.Done():
			case <-tick.C:
			case <-c.Wake():
			}
		}
	}()
	return c, func() {
		cancel()
		<-done
		closing, end := context.WithTimeout(context.Background(), max(w.closeWithin, time.Minute))
		defer end()
		if err := c.Close(closing); err != nil {
			w.t.Errorf("close: %v", err)
		}
	}
}

// events are the journal's, in order, of the only incident.
func (w *world) events() []string {
	w.t.Helper()
	cluster, err := w.store.Read(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	var out []string
	for id := range cluster.Incidents {
		entries, err := w.store.Journal(context.Background(), id)
		if err != nil {
			w.t.Fatal(err)
		}
		if err := quorumtest.VerifyJournal(entries); err != nil {
			w.t.Errorf("the journal's chain: %v", err)
		}
		for _, e := range entries {
			out = append(out, e.Event)
		}
	}
	return out
}

func (w *world) incidents() []replication.IncidentRecord {
	w.t.Helper()
	cluster, err := w.store.Read(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	var out []replication.IncidentRecord
	for _, rec := range cluster.Incidents {
		out = append(out, rec)
	}
	slices.SortFunc(out, func(a, b replication.IncidentRecord) int { return a.OpenedAt.Compare(b.OpenedAt) })
	return out
}

// only is the one incident there is.
func (w *world) only() replication.IncidentRecord {
	w.t.Helper()
	all := w.incidents()
	if len(all) != 1 {
		w.t.Fatalf("%d incidents, want one", len(all))
	}
	return all[0]
}

// clock is the cluster clock.
func (w *world) clock() time.Duration {
	w.t.Helper()
	cluster, err := w.store.Read(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	return cluster.Clock
}

func (w *world) record() replication.GroupRecord {
	w.t.Helper()
	cluster, err := w.store.Read(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	return cluster.Groups[w.cloud.group.Key]
}

var discard = slog.New(slog.DiscardHandler)

func wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}
