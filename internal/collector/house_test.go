package collector_test

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/blackbox_exporter/config"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/drwatch/drwatch/internal/collector"
	"github.com/drwatch/drwatch/internal/probe"
	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/replication"
	"github.com/drwatch/drwatch/internal/series"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// house is a Collector with a reader, a prober and a series recorder of the
// test's own.
type house struct {
	*collector.Collector
	series *recorder
	log    *strings.Builder
	stop   func()

	mu    sync.Mutex
	down  map[string]bool // targets that fail
	mute  map[string]bool // targets whose prober never answers in time and does not return
	free  chan struct{}   // lets the muted ones go
	moves []collector.Move
}

func newHouse(t testing.TB) *house {
	t.Helper()
	h := &house{series: &recorder{now: map[string]map[string]float64{}}, log: &strings.Builder{}, down: map[string]bool{}, mute: map[string]bool{}, free: make(chan struct{})}
	c, err := collector.New(collector.Options{
		Series: h.series,
		Now:    time.Now,
		Int64N: func(int64) int64 { return 0 },
		Logger: slog.New(slog.NewTextHandler(&locked{w: h.log}, nil)),
		OnMove: func(m collector.Move) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.moves = append(h.moves, m)
		},
		Probers: probe.Probers{"fake": h.probe},
	})
	if err != nil {
		t.Fatal(err)
	}
	h.Collector = c
	return h
}

// run starts the collector with settings; stop ends it.
func (h *house) run(t testing.TB, s collector.Settings) {
	t.Helper()
	if err := h.Update(s); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := h.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	h.stop = func() { close(h.free); cancel(); <-ended }
}

// settle polls the accounts once, on real time, and ends the collector.
func (h *house) settle(t testing.TB, accounts ...collector.AccountSettings) {
	t.Helper()
	h.run(t, collector.Settings{Accounts: accounts, Sites: sites()})
	for !h.Ready() {
		<-h.Changed()
	}
	h.stop()
}

func (h *house) set(target string, down bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.down[target] = down
}

func (h *house) silence(target string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.mute[target] = true
}

func (h *house) seenMoves() []collector.Move {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.moves)
}

func (h *house) probe(_ context.Context, target string, _ config.Module, _ *prometheus.Registry, _ *slog.Logger) bool {
	h.mu.Lock()
	down, mute := h.down[target], h.mute[target]
	h.mu.Unlock()
	if mute {
		<-h.free
	}
	return !down
}

// locked is a writer for concurrent loggers.
type locked struct {
	mu sync.Mutex
	w  *strings.Builder
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// recorder keeps each source's newest set, as name{labels} → value.
type recorder struct {
	mu    sync.Mutex
	now   map[string]map[string]float64
	last  map[string]time.Time
	times []string // faults of time order
}

func (r *recorder) AppendSeq(source string, at time.Time, interval time.Duration, samples iter.Seq[series.Sample]) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.order(source, at)
	if interval <= 0 {
		r.times = append(r.times, fmt.Sprintf("%s: interval %s", source, interval))
	}
	set := map[string]float64{}
	for s := range samples {
		set[s.Labels.String()] = s.Value
	}
	r.now[source] = set
}

func (r *recorder) EndSource(source string, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.order(source, at)
	delete(r.now, source)
}

// order notes a set that the store would drop.
func (r *recorder) order(source string, at time.Time) {
	if r.last == nil {
		r.last = map[string]time.Time{}
	}
	if was := r.last[source]; at.UnixMilli() <= was.UnixMilli() && !was.IsZero() {
		r.times = append(r.times, fmt.Sprintf("%s: %s is not after %s", source, at, was))
	}
	r.last[source] = at
}

// value is the newest value of a series of any source, by its exact text.
func (r *recorder) value(text string) (float64, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, set := range r.now {
		if v, ok := set[text]; ok {
			return v, true
		}
	}
	return 0, false
}

// all is every series of every source.
func (r *recorder) all() map[string]float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := map[string]float64{}
	for _, set := range r.now {
		maps.Copy(all, set)
	}
	return all
}

// spoke is when the source was last heard of.
func (r *recorder) spoke(source string) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last[source]
}

func (r *recorder) faults() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.times)
}

// reader is an account of the test's own.
type reader struct {
	mu     sync.Mutex
	groups []replication.Group
	bad    map[string]int
	err    error
	panics bool
	hangs  chan struct{} // not nil: calls wait for it, whatever their context says
	waits  bool          // calls wait for the end of their context
	lists  int
}

func (r *reader) change(f func(*reader)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(r)
}

func (r *reader) calls() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lists
}

func (r *reader) answer(ctx context.Context) ([]replication.Group, error) {
	r.mu.Lock()
	groups, err, panics, hangs, waits := slices.Clone(r.groups), r.err, r.panics, r.hangs, r.waits
	r.mu.Unlock()
	switch {
	case panics:
		panic("a secret")
	case hangs != nil:
		<-hangs
	case waits:
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return groups, err
}

func (r *reader) List(ctx context.Context) (provider.Listing, error) {
	r.change(func(r *reader) { r.lists++ })
	groups, err := r.answer(ctx)
	return provider.Listing{Groups: groups, Bad: r.bad}, err
}

func (r *reader) Read(ctx context.Context, id string) (replication.Group, error) {
	groups, err := r.answer(ctx)
	if err != nil {
		return replication.Group{}, err
	}
	for _, g := range groups {
		if g.Key.ID == id {
			return g, nil
		}
	}
	return replication.Group{}, provider.ErrNotFound
}

func (r *reader) Track(ctx context.Context, id, jobID string) (provider.Progress, error) {
	g, err := r.Read(ctx, id)
	return provider.Progress{Group: g, Job: provider.JobRunning, Detail: "job " + jobID}, err
}

func account(name string, r provider.Reader) collector.AccountSettings {
	return collector.AccountSettings{Name: name, Provider: replication.HuaweiSDRS, Reader: r, PollInterval: 30 * time.Second, PollTimeout: 20 * time.Second}
}

var (
	azA = replication.Location{Region: "cn-north-4", Zone: "cn-north-4a"}
	azB = replication.Location{Region: "cn-north-4", Zone: "cn-north-4b"}
)

func spec(site, name string) probe.Spec {
	return probe.Spec{Site: site, Name: name, Target: site + "/" + name, Interval: 5 * time.Second, Module: config.Module{Prober: "fake", Timeout: 3 * time.Second}}
}

// sites is az-a with two probes, az-b with one, and a witness with none.
func sites() []collector.SiteSettings {
	return []collector.SiteSettings{
		{Site: replication.Site{Name: "az-a", Locations: []replication.Location{azA}}, When: probe.Any, Probes: []probe.Spec{spec("az-a", "vip"), spec("az-a", "db")}},
		{Site: replication.Site{Name: "az-b", Locations: []replication.Location{azB}}, Probes: []probe.Spec{spec("az-b", "vip")}},
		{Site: replication.Site{Name: "witness"}},
	}
}

func key(id string) replication.GroupKey {
	return replication.GroupKey{Provider: replication.HuaweiSDRS, ID: id}
}

// plainGroup tells only what every provider tells.
func plainGroup(id string) replication.Group {
	return replication.Group{
		Key: key(id), Name: "name of " + id, Region: "cn-north-4", Source: azA, Target: azB, Active: azA,
		RawStatus: "protected", State: replication.Replicating,
	}
}

// fullGroup tells everything.
func fullGroup(id string) replication.Group {
	g := plainGroup(id)
	lag, rpo, progress, instances, drills, capacity := 1500*time.Millisecond, 15*time.Minute, 0.25, 3, 1, int64(40)<<30
	g.Lag, g.RPOObjective, g.Progress, g.Instances, g.Drills, g.CapacityBytes = &lag, &rpo, &progress, &instances, &drills, &capacity
	g.LastSync = time.Date(2026, 3, 1, 12, 0, 0, 500e6, time.UTC)
	g.Pairs = map[string]int{"protected": 2, "error": 1}
	g.Fault, g.BarrierTime = "fault_level 2", time.Date(2026, 3, 1, 11, 59, 0, 0, time.UTC)
	recovery, used := 45*time.Second, int64(10)<<30
	g.RecoveryTime = &recovery
	g.Clusters = []replication.WarehouseCluster{
		{Role: "primary", ID: "c1", Status: "waiting", Version: "8.2.1", CapacityBytes: &capacity, UsedBytes: &used, LastSuccess: g.LastSync},
		{Role: "standby", ID: "c2"},
	}
	g.Ready = []replication.Condition{{Name: "status", Value: "protected", Threshold: "protected", OK: true}}
	return g
}
