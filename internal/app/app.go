package app

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/drwatch/drwatch/internal/alerts"
	"github.com/drwatch/drwatch/internal/archive"
	"github.com/drwatch/drwatch/internal/collector"
	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/policy"
	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/quorum"
	"github.com/drwatch/drwatch/internal/replication"
	"github.com/drwatch/drwatch/internal/series"
)

// App is one daemon. It is made by New, runs once, and is closed by the end of
// Run.
type App struct {
	o       Options
	started time.Time

	current atomic.Pointer[loaded]
	clouds  atomic.Pointer[clouds]
	reloads reloads

	history    *series.Store
	collector  *collector.Collector
	alerts     *alerts.Book // that this observer was sent
	evaluator  *policy.Evaluator
	rules      *evaluating // what the controller asks
	store      *quorum.Store
	archive    *archive.Archive // of journals that have ended
	controller *failover.Controller
	metrics    *metrics
	table      *collector.Table // of what samples tells
	page       *page            // of /metrics; only keepRendered renders it
	fed        time.Time        // when the history got the samples last
	server     *server
	freeze     *localFreeze
	frozenTold frozenTold // of the loop alone

	reloading sync.Mutex
	closers   []closer
}

// closer undoes one step of New; they run in reverse.
type closer struct {
	name  string
	close func(ctx context.Context) error
}

// Run makes a daemon, runs it until ctx ends, and closes it.
func Run(ctx context.Context, o Options) error {
	a, err := New(o)
	if err != nil {
		return err
	}
	return a.Run(ctx)
}

// New builds all parts. Everything that can be wrong with the configuration is
// found before anything is started.
func New(o Options) (*App, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	l, err := o.load()
	if err != nil {
		return nil, fmt.Errorf("the configuration cannot be used, nothing was started:\n%w", err)
	}
	a := &App{o: o, started: o.Now()}
	if err := a.build(l); err != nil {
		return nil, errors.Join(err, a.close(context.Background()))
	}
	l.warn(o.Logger)
	return a, nil
}

// build makes the parts in the order in which they need each other. It is one
// straight line on purpose: each part is followed by what closes it.
func (a *App) build(l *loaded) error {
	o, c := &a.o, l.config
	a.current.Store(l)
	a.reloads.done(o.Now(), true)

	// What is most likely to be wrong comes before anything is written or started.
	var err error
	if a.server, err = listen(o); err != nil {
		return err
	}
	a.onClose("HTTP server", a.server.close)

	lock, err := lockFolder(o.StoragePath)
	if err != nil {
		return err
	}
	a.onClose("storage lock", func(context.Context) error { return lock.Close() })
	if a.freeze, err = newLocalFreeze(o); err != nil {
		return err
	}

	a.metrics = newMetrics()
	a.table, err = collector.NewTable(definitions())
	if err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	a.history = series.New(series.Options{Retention: l.historyNeeded(), Epoch: a.started})
	a.collector, err = collector.New(collector.Options{
		Series: a.history, Now: o.Now, Int64N: rand.Int64N, Logger: o.Logger.With("component", "collector"),
	})
	if err != nil {
		return fmt.Errorf("collector: %w", err)
	}
	a.alerts = a.newAlerts(l)
	if a.page, err = newPage(a.collector.Definitions(), definitions()); err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	cl, err := newClouds(c, o, a.meter, nil)
	if err != nil {
		return err
	}
	a.clouds.Store(cl)
	if err := a.collector.Update(watched(c, cl)); err != nil {
		return fmt.Errorf("collector: %w", err)
	}
	a.evaluator = policy.New(policy.Options{
		Store: a.history, Observer: c.Observer.Name, Site: c.Observer.Site, Mode: c.Global.Mode, Now: o.Now, Logger: o.Logger.With("component", "policy"),
	})
	if err := a.evaluator.SetRules(l.rules); err != nil {
		return fmt.Errorf("rules: %w", err)
	}
	for _, r := range l.rules {
		a.metrics.expect(r.Rule.Name, r.Rule.Action)
	}
	store := storeOptions(o, c)
	store.MayLead = func() bool {
		return a.mayLead() && a.freeze.look() == nil && a.controller.Available()
	}
	store.Shows = a.shows
	if a.store, err = quorum.Open(store); err != nil {
		return err
	}
	a.onClose("coordination store", func(context.Context) error { return a.store.Close() })
	a.archive = archive.New(archiveFolder(o.StoragePath))
	a.onClose("archive of journals", func(context.Context) error { return a.archive.Close() })

	a.rules = a.newEvaluating()
	a.controller = failover.New(a.controllerOptions(c.Observer.Name, c.Observer.Site))
	a.onClose("steps in flight", a.controller.Close)

	return a.server.handle(a)
}

func (a *App) controllerOptions(observer, site string) failover.Options {
	c := a.current.Load().config
	o := failover.Options{
		Observer: observer, Site: site, Store: a.store, Session: a.store, Upkeep: a.store,
		Rules:  a.rules,
		Reader: reading{a.collector}, Drills: reading{a.collector}, Handbook: handbook{}, Sites: probed{a},
		MayLead: a.mayLead, Rehearses: a.rehearses, LocalFreeze: a.freeze.look, Lates: a.store,
		ActionTimeout: sending{clouds: a.clouds.Load}.actionTimeout,
		CanAct:        sending{clouds: a.clouds.Load}.canAct, AcceptSingle: c.Coordination.AcceptSingleObserver != "", LeaseTTL: c.Coordination.LeaseTTL,
		TrackInterval: a.o.TrackInterval, SignatureLife: a.o.SignatureLife, Settle: a.o.Settle, Margin: a.o.Margin,
		Now: a.o.Now, Logger: a.o.Logger.With("component", "failover"), At: a.o.At,
		Told: func(f failover.Fact) { a.metrics.told(f); a.o.Told(f) },
	}
	// A daemon whose ceiling is dry run is not given anything that can send.
	if c.Global.Mode != replication.DryRun {
		o.Senders, o.Operators = sending{clouds: a.clouds.Load}, sending{clouds: a.clouds.Load}
	}
	return o
}

func (a *App) newEvaluating() *evaluating {
	return &evaluating{
		evaluator: a.evaluator, seen: a.collector.Snapshot, pace: a.collector.Pace, clouds: a.clouds.Load,
		mode: func() replication.Mode { return a.current.Load().config.Global.Mode },
		now:  a.o.Now, started: a.started, clocks: newClockWatch(a.o.Now, a.o.Now, quorum.SinceBoot(a.o.Now)), frozen: a.freeze.look, took: a.metrics.evaluated,
	}
}

func (a *App) meter(account string) provider.Meter { return a.collector.NewMeter(account) }

func (a *App) onClose(name string, f func(context.Context) error) {
	a.closers = append(a.closers, closer{name, f})
}

// close undoes what build did, newest first.
func (a *App) close(ctx context.Context) error {
	var errs []error
	for _, c := range slices.Backward(a.closers) {
		if err := c.close(ctx); err != nil {
			errs = append(errs, fmt.Errorf("closing %s: %w", c.name, err))
		}
	}
	a.closers = nil
	return errors.Join(errs...)
}

// registry gathers what /metrics shows besides the page: of this process, and of
// this moment.
func (a *App) registry() (*prometheus.Registry, error) {
	reg := prometheus.NewRegistry()
	var errs []error
	for _, c := range a.collectors() {
		errs = append(errs, reg.Register(c))
	}
	return reg, errors.Join(errs...)
}
