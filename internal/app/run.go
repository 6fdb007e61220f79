package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/drwatch/drwatch/internal/config"
	"github.com/drwatch/drwatch/internal/policy"
)

// Run runs the daemon until ctx ends, then stops in order: nothing new is
// decided, the step in flight ends, the store and the server are closed. Call it
// once.
func (a *App) Run(ctx context.Context) error {
	a.server.start()
	var wg sync.WaitGroup
	watching, stopWatching := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWatching()
	failed := make(chan error, 2)
	wg.Go(func() {
		if err := a.collector.Run(watching); err != nil && watching.Err() == nil {
			failed <- fmt.Errorf("collector: %w", err)
		}
	})
	wg.Go(func() { a.reloadOnRequest(ctx) })
	wg.Go(func() { a.keepRendered(watching) })
	wg.Go(func() { a.store.Watch(watching, a.controller.Nudge) })
	archived := make(chan struct{})
	go func() { a.keepArchive(watching, a.newKeeper()); close(archived) }()
	loop, stopLoop := context.WithCancel(ctx)
	defer stopLoop()
	wg.Go(func() { a.loop(loop) })
	a.o.Logger.Info("drwatch runs", "addresses", a.server.addresses(), "observer", a.current.Load().config.Observer.Name, "mode", a.current.Load().config.Global.Mode)
	a.o.Listening(a.server.addresses())

	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	case err = <-a.server.failed:
	}
	a.o.Logger.Info("stopping: nothing new is decided, steps in flight end first", "within", a.o.DrainTimeout)
	stopLoop()
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.o.DrainTimeout)
	defer cancel()
	err = errors.Join(err, a.controller.Close(drain))
	stopWatching()
	<-archived
	err = errors.Join(err, a.close(drain))
	wg.Wait()
	return err
}

// loop runs a round whenever something happened that a rule could look at, a
// hold timer is up, or the interval passed; never more often than every
// leastPause, so that a storm of events cannot starve the rest.
func (a *App) loop(ctx context.Context) {
	const leastPause = 20 * time.Millisecond
	for ctx.Err() == nil {
		began := a.o.Now()
		if err := a.controller.Round(ctx); err != nil && ctx.Err() == nil {
			a.reportRound(err)
		} else {
			a.metrics.roundDone()
		}
		state := a.controller.State()
		a.frozenTold.tell(a.o.Logger, a.o.Now(), state.Cluster.Freeze, state.LocalFreeze)
		a.feed()
		pause := max(a.untilDue(began), leastPause)
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-a.collector.Changed():
			wait(ctx, leastPause)
		case <-a.controller.Wake():
			wait(ctx, leastPause)
		case <-a.alerts.Changed():
			wait(ctx, leastPause)
		}
		timer.Stop()
	}
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// untilDue is how long nothing needs to be evaluated, and never longer than the
// lease allows: the round renews it.
func (a *App) untilDue(began time.Time) time.Duration {
	c := a.current.Load().config
	longest := min(c.Global.EvaluationInterval, c.Coordination.LeaseTTL/4)
	next, ok := a.evaluator.NextDue(a.o.Now())
	if !ok {
		return longest
	}
	return min(longest-a.o.Now().Sub(began), next.Sub(a.o.Now()))
}

// reportRound logs a round that decided nothing, once for each new reason.
func (a *App) reportRound(err error) {
	if a.metrics.roundFailed(err.Error(), a.o.Now()) {
		level := slog.LevelWarn
		if a.o.Now().Sub(a.started) < startingUp {
			level = slog.LevelInfo
		}
		a.o.Logger.Log(context.Background(), level, "nothing can be decided", "err", err)
	}
}

// startingUp is how long a store that has not been joined is nothing to warn of.
const startingUp = 10 * time.Second

// reloadOnRequest reloads at each request until ctx ends.
func (a *App) reloadOnRequest(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.o.Reload:
			_ = a.Reload(ctx) // it has told the log
		}
	}
}

// Reload loads configuration and rules again and swaps them in, whole or not at
// all. Hold timers of unchanged rules go on, incidents are not touched. However
// it ends, whoever asked for it: the log tells, and the daemon goes on.
func (a *App) Reload(context.Context) error {
	a.reloading.Lock()
	defer a.reloading.Unlock()
	err := a.reload()
	a.reloads.done(a.o.Now(), err == nil)
	if err != nil {
		a.o.Logger.Error("reload refused", "err", err)
		return err
	}
	a.o.Logger.Info("configuration reloaded", "rules", len(a.current.Load().rules), "accounts", len(a.current.Load().config.Accounts))
	return nil
}

func (a *App) reload() error {
	var next *loaded
	var cl *clouds
	err := caught(a.o.Logger, func() (err error) {
		next, cl, err = a.loadNext()
		return err
	})
	if err != nil {
		return err
	}
	if err := caught(a.o.Logger, func() error { return a.swap(next, cl) }); err != nil {
		return err
	}
	next.warn(a.o.Logger)
	return nil
}

// loadNext loads and checks what a reload brings, and changes nothing.
func (a *App) loadNext() (*loaded, *clouds, error) {
	next, err := a.o.load()
	if err != nil {
		return nil, nil, err
	}
	if err := errors.Join(a.current.Load().fixed(next), a.stillNeeded(next)); err != nil {
		return nil, nil, err
	}
	cl, err := newClouds(next.config, &a.o, a.meter, a.clouds.Load())
	return next, cl, err
}

// swap puts in what was loaded. The rules were checked then, so only the
// collector can still refuse, and it changes nothing then.
func (a *App) swap(next *loaded, cl *clouds) error {
	old := a.current.Load()
	if err := a.collector.Update(watched(next.config, cl)); err != nil {
		return fmt.Errorf("collector: %w", err)
	}
	if err := a.evaluator.SetRules(next.rules); err != nil {
		return fmt.Errorf("rules: %w", err)
	}
	a.history.SetRetention(next.historyNeeded())
	a.alerts.Want(policy.WantedAlerts(next.rules))
	a.clouds.Store(cl)
	a.current.Store(next)
	for _, r := range next.rules {
		a.metrics.expect(r.Rule.Name, r.Rule.Action)
	}
	for _, r := range old.rules {
		if !next.has(r.Rule.Name) {
			a.metrics.forget(r.Rule.Name)
		}
	}
	return nil
}

// caught makes an error of a panic: a mistake of ours in reading a file must not
// take away the daemon that watches by the file before it. What the panic said
// may hold a value of the file, so only where it happened is told, in the log.
func caught(log *slog.Logger, f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			log.Error("panicked", "kind", fmt.Sprintf("%T", v), "stack", string(debug.Stack()))
			err = fmt.Errorf("drwatch itself made a mistake (%T); the log has its place: please report it", v)
		}
	}()
	return f()
}

// stillNeeded refuses to drop an account while an incident of it is under way:
// nothing could be read or proven any more.
func (a *App) stillNeeded(next *loaded) error {
	var errs []error
	for _, rec := range a.controller.State().Cluster.Incidents {
		stays := slices.ContainsFunc(next.config.Accounts, func(acc config.Account) bool { return acc.Name == rec.Account && acc.Provider == rec.Provider })
		if !rec.Phase.Ended() && !stays {
			errs = append(errs, fmt.Errorf("account %s: incident %s of group %s is under way; keep the account until that has ended", rec.Account, rec.ID, rec.Name))
		}
	}
	return errors.Join(errs...)
}

// lockFolder makes the folder and holds it for this process alone: two daemons
// on one store would each think that the other's writes are their own.
func lockFolder(path string) (*os.File, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("--storage.path %s: %w", path, err)
	}
	f, err := os.OpenFile(filepath.Join(path, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("--storage.path %s: %w", path, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("--storage.path %s: another drwatch uses it; give each its own", path), f.Close())
	}
	return f, nil
}

// folderInUse tells whether a daemon holds the folder.
func folderInUse(path string) bool {
	f, err := os.Open(filepath.Join(path, "lock"))
	if err != nil {
		return false // no daemon has ever used it
	}
	defer f.Close()
	return errors.Is(syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB), syscall.EWOULDBLOCK)
}
