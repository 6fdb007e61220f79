package credentials

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

const (
	// leastLead and leadShare say when keys are renewed: so long before their end,
	// or with that share of their life left, whichever is earlier; but never in
	// the first half of their life.
	leastLead = 5 * time.Minute
	leadShare = 5 // a fifth
	// unknownLife is how long keys are used whose end was not told.
	unknownLife = 5 * time.Minute
	// leastPause is kept between refreshes that bring nothing new, and between
	// those that a provider's refusal asks for.
	leastPause = time.Minute
	// firstBackOff doubles with each refresh that fails, up to maxBackOff.
	firstBackOff = time.Second
	maxBackOff   = 30 * time.Second
)

// Issuer gives out keys that live for a while.
type Issuer interface {
	// Issue asks for keys. It ends within the issuer's own timeout; its error holds
	// no secret.
	Issue(ctx context.Context) (Keys, error)
}

// Keeper holds the keys of an issuer and renews them early, one refresh at a
// time. While the old keys live nobody waits for new ones. Safe for concurrent
// use.
type Keeper struct {
	issuer Issuer
	now    func() time.Time
	log    *slog.Logger

	mu       sync.Mutex
	held     Keys
	since    time.Time     // when the held keys were first seen; zero before
	due      time.Time     // no refresh is begun before
	asked    time.Time     // when the last refresh began
	running  chan struct{} // closed when the refresh under way has ended; nil when none is
	failures int           // of refreshes in a row
	err      error         // of the last refresh; nil when it brought keys
}

// NewKeeper makes a Keeper. Nothing is asked before the first use.
func NewKeeper(i Issuer, now func() time.Time, log *slog.Logger) *Keeper {
	return &Keeper{issuer: i, now: now, log: log}
}

// Keys are the keys to use now. It waits for the issuer only while there are no
// keys that live.
func (k *Keeper) Keys() (Keys, error) {
	k.mu.Lock()
	if !k.now().Before(k.due) && k.running == nil {
		k.running = make(chan struct{})
		k.asked = k.now()
		go k.refresh(k.running)
	}
	running := k.running
	if !k.alive() && running != nil {
		k.mu.Unlock()
		<-running
		k.mu.Lock()
	}
	defer k.mu.Unlock()
	switch {
	case k.alive():
		return k.held, nil
	case k.err == nil: // they ended between being given and being asked for
		return Keys{}, errors.New("the keys given have expired at once")
	case k.held.AccessKey != "":
		return Keys{}, fmt.Errorf("the keys expired at %s and no new ones came: %w", k.held.Expires.UTC().Format(time.RFC3339), k.err)
	}
	return Keys{}, k.err
}

// alive tells whether the held keys can be used. k.mu is held.
func (k *Keeper) alive() bool {
	return k.held.AccessKey != "" && (k.held.Expires.IsZero() || k.now().Before(k.held.Expires))
}

// refresh asks the issuer and keeps what it gives.
func (k *Keeper) refresh(running chan struct{}) {
	keys, err := k.issuer.Issue(context.Background())
	k.mu.Lock()
	defer k.mu.Unlock()
	defer close(running)
	k.running = nil
	now := k.now()
	if err == nil && !keys.Expires.IsZero() && !now.Before(keys.Expires) {
		err = fmt.Errorf("the keys given expired at %s already: is this machine's clock right?", keys.Expires.UTC().Format(time.RFC3339))
	}
	if k.err = err; err != nil {
		k.failed(now)
		return
	}
	k.failures = 0
	if !keys.Same(k.held) {
		k.log.Info("new temporary keys are used", "expires", keys.Expires)
		k.since = now
	}
	k.held = keys
	k.due = dueAt(k.since, keys.Expires, now)
}

// failed puts the next refresh off. k.mu is held.
func (k *Keeper) failed(now time.Time) {
	pause := maxBackOff
	if k.failures < 5 {
		pause = firstBackOff << k.failures
	}
	k.failures++
	k.due = now.Add(min(pause, maxBackOff))
	k.log.Warn("temporary keys could not be renewed", "err", k.err, "old_keys_live", k.alive(), "next_try_in", k.due.Sub(now).String())
}

// dueAt is when keys that were first seen at since are renewed. An issuer may
// give the same keys until shortly before their end; it is not asked for them
// on each use.
func dueAt(since, expires, now time.Time) time.Time {
	if expires.IsZero() {
		return now.Add(unknownLife)
	}
	life := expires.Sub(since)
	due := expires.Add(-min(max(life/leadShare, leastLead), life/2))
	if due.After(now) {
		return due
	}
	return now.Add(min(leastPause, expires.Sub(now)/2))
}

// Refused tells that the provider did not take the keys, although they should
// live: the next use asks the issuer, unless that was done a moment ago.
func (k *Keeper) Refused(keys Keys) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !keys.Same(k.held) || k.err != nil {
		return
	}
	if earliest := k.asked.Add(leastPause); earliest.Before(k.due) {
		k.due = earliest
	}
}

// LastRead tells whether the last refresh brought keys. It is not told before the
// first has ended.
func (k *Keeper) LastRead() (ok, told bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.err == nil, k.err != nil || k.held.AccessKey != ""
}

// Expires is when the held keys end; zero when none are held or it was not told.
func (k *Keeper) Expires() time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.held.Expires
}
