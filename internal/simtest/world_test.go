package simtest_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/drwatch/drwatch/internal/policy/rulefile"
	"github.com/drwatch/drwatch/internal/quorum/quorumtest"
	"github.com/drwatch/drwatch/internal/replication"
)

// world is one story: sites, clouds, a store and the observers on them, all on the
// virtual clock of one bubble.
type world struct {
	began     time.Time
	root      *quorumtest.Store // a hold on the store that no fault touches
	groups    map[replication.GroupKey]*group
	order     []*group
	observers []*observer
	faults    sync.WaitGroup
	rules     map[string]*rulefile.Rule // by the file they stand in
	heals     time.Duration
	off       string
	agree     int              // sites that must
	lags      []event          // in their order
	tokens    map[string]int64 // of each incident, the newest
	phases    map[string]replication.Phase
	modes     map[string]replication.Mode
	called    map[replication.GroupKey]time.Duration // when the last incident with a call ended
	intents   map[string]time.Duration               // when each incident's last intent was written

	robbed map[string]time.Duration // observers, when their lease was lost last in the store alone, under mu

	lost     atomic.Int64 // when az-a was, 0: it is not
	lostWays atomic.Bool  // with the ways to it
	person   atomic.Bool  // has said something that changes what is promised

	mu         sync.Mutex
	rng        map[string]*rand.Rand
	seed       uint64
	down       map[string]bool
	fell       map[string]time.Duration // when each site went down last
	cut        map[[2]string]int
	story      []string
	violations []string
	kinds      []string               // of each violation
	told       []string               // what the observers have told persons
	first      map[string]func(*life) // what is done to the first that comes to a step
	file       string                 // what all observers have, or are to have
	seen       map[string]bool        // the steps that somebody came to
	hits       []string               // what was done at which step
	serving    string                 // the member that leads the store, "" while there is none
	election   time.Duration          // until when there is none
}

func (w *world) now() time.Duration { return time.Since(w.began) }

// lostAt is when az-a was lost, 0 while it is not.
func (w *world) lostAt() time.Duration { return time.Duration(w.lost.Load()) }

// fileNow is the rule file that all observers have, or are to have.
func (w *world) fileNow() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.file
}

func (w *world) setFile(file string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.file = file
}

// chance is a source of its own for each name, so that what one of them draws does
// not move what another does.
func (w *world) chance(name string, n int64) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.rng[name]
	if r == nil {
		h := uint64(14695981039346656037)
		for _, b := range []byte(name) {
			h = (h ^ uint64(b)) * 1099511628211
		}
		r = rand.New(rand.NewPCG(w.seed, h))
		w.rng[name] = r
	}
	return r.Int64N(n)
}

func (w *world) between(name string, low, high time.Duration) time.Duration {
	return low + time.Duration(w.chance(name, int64(high-low)))
}

func (w *world) tell(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.story = append(w.story, fmt.Sprintf("%9.3fs  ", w.now().Seconds())+fmt.Sprintf(format, args...))
}

func (w *world) violated(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	w.tell("VIOLATION: %s", text)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.violations, w.kinds = append(w.violations, text), append(w.kinds, format)
}

func (w *world) up(site string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.down[site]
}

// cluster is what the store holds now.
func (w *world) cluster() replication.Cluster {
	c, err := w.root.Read(context.Background())
	if err != nil {
		w.violated("the store cannot be read: %v", err)
	}
	return c
}

// ear is the log of one observer's decisions: it takes down what a person is told
// of a failover that does not begin.
type ear struct {
	slog.Handler
	l *life
}

func (e ear) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

func (e ear) Handle(_ context.Context, r slog.Record) error {
	if !strings.HasPrefix(r.Message, "the trigger is true") {
		return nil
	}
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "group" {
			e.l.mu.Lock()
			defer e.l.mu.Unlock()
			e.l.told[a.Value.String()] = time.Now()
		}
		if a.Key == "why" {
			e.l.w.tell("%s tells a person: %s", e.l.name, a.Value)
			e.l.w.mu.Lock()
			defer e.l.w.mu.Unlock()
			e.l.w.told = append(e.l.w.told, a.Value.String())
		}
		return true
	})
	return nil
}

// come notes that somebody came to a step.
func (w *world) come(step string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if step != "" {
		w.seen[step] = true
	}
}

// hit notes that the event came about at its step.
func (w *world) hit(e event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hits = append(w.hits, e.what+" at "+e.step)
}

func (w *world) text() string { return strings.Join(w.story, "\n") }

// settled is how long after it is healed a world is looked at at least.
const settled = 30 * time.Second

// settle lets the story go on to its end, or to where nothing is left to happen.
func (w *world) settle(ends time.Duration) {
	if ends != 0 { // whoever says when has a reason
		<-time.After(time.Until(w.began.Add(ends)))
		return
	}
	for w.now() < overAt {
		<-time.After(min(5*time.Second, overAt-w.now()))
		if w.now() >= w.heals+settled && w.quiet() {
			return
		}
	}
}

// quiet tells that every incident has ended, and that there is none left to make.
func (w *world) quiet() bool {
	c := w.cluster()
	over := map[replication.GroupKey]bool{}
	for _, it := range c.Incidents {
		if !it.Phase.Ended() {
			return false
		}
		over[it.Key()] = over[it.Key()] || it.Phase == replication.Succeeded || it.Phase == replication.Failed || it.Phase == replication.Ambiguous
	}
	for _, g := range w.order {
		if w.lostAt() != 0 && !over[g.key] || g.switching() {
			return false
		}
	}
	return true
}
