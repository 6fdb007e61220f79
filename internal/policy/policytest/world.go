package policytest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"

	"github.com/drwatch/drwatch/internal/alerts"
	"github.com/drwatch/drwatch/internal/evidence"
	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/policy"
	"github.com/drwatch/drwatch/internal/policy/rulefile"
	"github.com/drwatch/drwatch/internal/quorum/quorumtest"
	"github.com/drwatch/drwatch/internal/replication"
	"github.com/drwatch/drwatch/internal/series"
)

const (
	// actionTimeout is an account's default bound on one call.
	actionTimeout = 5 * time.Second
	// trackEvery is how often a failover under way is looked at.
	trackEvery = 5 * time.Second
)

// world is one test under way: the observer under test, and all around it.
type world struct {
	t     *test
	file  *File
	clock time.Duration // into the test
	log   *slog.Logger

	loaded     []policy.Loaded
	history    *series.Store
	book       *alerts.Book
	evaluator  *policy.Evaluator
	controller *failover.Controller
	store      *quorumtest.Store
	others     []*other
	cloud      *cloud
	steps      *steps

	shown    map[*input]int       // samples shown so far
	heard    []int                // of each alert: deliveries so far
	answered map[*answerForm]bool // persons' answers given
	// incidentsNow are all incidents as the store has them.
	incidentsNow map[string]replication.IncidentRecord
	gaveUp       error // what cannot be played
}

func newWorld(f *File, t *test, engine *promql.Engine) (*world, error) {
	w := &world{t: t, file: f, log: slog.New(slog.DiscardHandler), shown: map[*input]int{}, heard: make([]int, len(t.Alerts)), answered: map[*answerForm]bool{}}
	elapsed := func() time.Duration { return w.clock }
	w.cloud = &cloud{t: t, now: elapsed, answers: slices.Clone(t.ProviderAnswers), effects: map[replication.GroupKey]effect{}}
	w.steps = newSteps(elapsed)
	w.history = series.New(series.Options{Retention: longest})
	w.book = alerts.New(alerts.Options{Series: w.history, Now: w.now, Logger: w.log})
	site := t.Observers[t.This]
	w.evaluator = policy.New(policy.Options{Store: w.history, Engine: engine, Observer: t.This, Site: site, Mode: t.Mode, Now: w.now, Logger: w.log})
	loaded := make([]policy.Loaded, len(f.rules))
	for i, r := range f.rules {
		loaded[i] = policy.Loaded{Rule: *r, Hash: rulefile.Hash(r, policy.Version, nil)}
	}
	if err := w.evaluator.SetRules(loaded); err != nil {
		return nil, fmt.Errorf("the rules cannot be evaluated: %w", err)
	}
	w.loaded = loaded
	w.book.Want(policy.WantedAlerts(loaded))
	w.store = quorumtest.New(w.now, t.This, site)
	for _, name := range slices.Sorted(maps.Keys(t.Observers)) {
		if name != t.This {
			w.others = append(w.others, &other{w: w, name: name, store: w.store.Join(w.now, name, t.Observers[name])})
		}
	}
	w.controller = failover.New(failover.Options{
		Observer: t.This, Site: site, Store: alone{w.store, t.This}, Session: w.store, Upkeep: w.store, Lates: w.store, Rules: w, Reader: w.cloud, Senders: w.cloud,
		ActionTimeout: func(string) time.Duration { return actionTimeout }, CanAct: func(string) bool { return true },
		Rehearses: func() bool { return t.Mode == replication.DryRun }, AcceptSingle: t.accept,
		LeaseTTL: quorumtest.LeaseTTL, TrackInterval: trackEvery, Now: w.now, Rand: func(int64) int64 { return 0 }, Logger: w.log,
		Go: w.steps.begin, Wait: w.steps.wait,
	})
	return w, nil
}

func (w *world) now() time.Time { return w.t.start.Add(w.clock) }

// alone is the store as the observer under test sees it: the others vote, and it
// is the one that leads.
type alone struct {
	*quorumtest.Store
	name string
}

// Read implements failover.Store.
func (a alone) Read(ctx context.Context) (replication.Cluster, error) {
	c, err := a.Store.Read(ctx)
	c.Observers = slices.Clone(c.Observers)
	for i := range c.Observers {
		c.Observers[i].MayLead = c.Observers[i].Name == a.name
	}
	return c, err
}

// maxRounds bounds the rounds of one moment: each that changes something is
// followed by another.
const maxRounds = 100

// moment plays everything that happens now, until nothing more does.
func (w *world) moment(ctx context.Context) {
	w.sample()
	w.deliver()
	for range maxRounds {
		for _, o := range w.others {
			w.fails(o.speak(ctx))
		}
		w.fails(w.controller.Round(ctx))
		ran := w.steps.run()
		news := w.look(ctx)
		w.answers(ctx)
		select {
		case <-w.controller.Wake():
		default:
			if !ran && !news {
				w.unanswered()
				return
			}
		}
	}
}

// look reads the store, and tells whether an incident has changed since it was
// looked at last.
func (w *world) look(ctx context.Context) bool {
	now, err := w.store.Read(ctx)
	if err != nil {
		w.fails(err)
		return false
	}
	before := w.incidentsNow
	w.incidentsNow = now.Incidents
	return !maps.EqualFunc(before, now.Incidents, func(a, b replication.IncidentRecord) bool { return a.Rev == b.Rev && a.Token == b.Token })
}

func (w *world) fails(err error) {
	if err != nil && w.gaveUp == nil {
		w.gaveUp = err
	}
}

// close ends what is under way.
func (w *world) close(ctx context.Context) error {
	w.steps.end()
	return errors.Join(w.gaveUp, w.controller.Close(ctx))
}

// sample shows the samples up to now.
func (w *world) sample() {
	for n, in := range w.t.inputs {
		for i := w.shown[in]; i < len(in.values) && time.Duration(i)*in.every <= w.clock; i++ {
			w.shown[in] = i + 1
			if v := in.values[i]; !v.Omitted {
				at := w.t.start.Add(time.Duration(i) * in.every)
				w.history.Append(fmt.Sprintf("series %d", n), at, in.every, w.cloud.samples(in, v.Value))
			}
		}
	}
}

// Evaluate implements failover.Rules, on what the observer sees now.
func (w *world) Evaluate(ctx context.Context) (failover.Evaluation, error) {
	all := w.cloud.groups()
	groups, targets := make([]replication.Group, len(all)), make([]policy.Target, len(all))
	for i, s := range all {
		groups[i] = s.group
		targets[i] = policy.NewTarget(&groups[i], s.source, s.target, s.active)
	}
	fit, probed := w.fitness()
	got := w.evaluator.Evaluate(ctx, policy.Round{At: w.now(), Targets: targets, Fitness: fit})
	out := failover.Evaluation{At: w.now(), SiteUp: got.SiteUp, Groups: groups, AllPolled: w.allPolled(fit), Probed: probed}
	as := evidence.Observer{Mode: w.t.Mode, ActionTimeout: func(string) time.Duration { return actionTimeout }, Told: w.evaluator.Told}
	for _, r := range got.Rules {
		out.Rules = append(out.Rules, as.View(r))
	}
	return out, nil
}

func (w *world) allPolled(fit policy.Fitness) bool {
	return !slices.ContainsFunc(fit.Snapshots, func(s policy.Snapshot) bool { return s.ReadAt.IsZero() })
}

// fitness is what the observer knows of itself, as far as series tell it: how
// fresh its polls are, and whether every site is down at once.
func (w *world) fitness() (policy.Fitness, map[string]bool) {
	f, probed, polled := policy.Fitness{Started: w.t.start}, map[string]bool{}, map[string]time.Time{}
	for _, in := range w.t.inputs {
		v, when, ok := in.newest(w.clock)
		switch in.name() {
		case siteReachable:
			site := in.labels.Get("site")
			if site == "" || len(in.values) == 0 {
				continue
			}
			probed[site] = true
			f.Sites = append(f.Sites, policy.SiteView{Site: site, Known: ok, Up: ok && v == 1})
		case groupInfo:
			account := in.labels.Get("account")
			if at := w.t.start.Add(when); ok && at.After(polled[account]) {
				polled[account] = at
			} else if _, had := polled[account]; !had {
				polled[account] = time.Time{}
			}
		}
	}
	for _, account := range slices.Sorted(maps.Keys(polled)) {
		f.Snapshots = append(f.Snapshots, policy.Snapshot{Account: account, ReadAt: polled[account], Age: max(3*w.t.Interval, time.Minute)})
	}
	return f, probed
}

// samples are what an input series shows: after a call, groups show what became
// of it.
func (c *cloud) samples(in *input, v float64) []series.Sample {
	e, ok := c.effects[c.t.groups[in.labels.Get("group")]]
	if !ok || in.labels.Get("group") == "" || c.now() < e.from || e.ends == endsUnchanged {
		return []series.Sample{{Labels: in.labels, Value: v}}
	}
	switch in.name() {
	case groupState:
		return nil // told with the group
	case groupReady:
		return []series.Sample{{Labels: in.labels, Value: 0}}
	case groupInfo:
		s := c.group(in.labels, c.now())
		info := labels.NewBuilder(in.labels).Set("active_site", s.active).Set("raw_status", s.group.RawStatus).Labels()
		state := labels.FromStrings("__name__", groupState, "account", s.group.Account, "group", s.group.Key.ID, "state", string(s.group.State))
		return []series.Sample{{Labels: info, Value: v}, {Labels: state, Value: 1}}
	}
	return []series.Sample{{Labels: in.labels, Value: v}}
}
