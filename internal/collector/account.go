package collector

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/replication"
)

// account is one account with its loop and its last good state. Its settings
// never change; Update makes a new one that inherits the rest.
type account struct {
	settings AccountSettings
	filter   filter
	polling  ends               // for whole lists
	acting   ends               // for single groups, on behalf of whoever acts
	facts    *ends              // for what changes slowly; nil when its reader knows none
	quiet    chan time.Duration // holds how long no poll will be due, after each good one
	cancel   context.CancelFunc // nil when its loop never ran

	// Under Collector.mu:
	polls  *distribution
	listed []replication.Group // of the last complete poll, before the filters
	state  Account
}

// The sources of an account's samples: its groups only speak when a poll was
// complete, its own health after each one.
func groupsSource(account string) string  { return "groups/" + account }
func accountSource(account string) string { return "account/" + account }

// replaceAccounts makes accounts of the settings, and starts their loops.
// c.mu is held.
func (c *Collector) replaceAccounts(settings []AccountSettings, now time.Time) error {
	old := map[string]*account{}
	for _, a := range c.accounts {
		old[a.settings.Name] = a
		if a.cancel != nil {
			a.cancel()
		}
	}
	c.accounts = nil
	for _, s := range settings {
		f, err := newFilter(s.Include, s.Exclude)
		if err != nil {
			return err // cannot be: the settings were checked
		}
		a := &account{
			settings: s, filter: f, polling: newEnds(s.Reader, s.Fallback, s.PollTimeout), polls: newDistribution(pollBounds),
			facts: factEnds(s), quiet: make(chan time.Duration, 1),
		}
		a.acting = a.polling
		if s.Acting != nil {
			a.acting = newEnds(s.Acting, s.ActingFallback, s.PollTimeout)
		}
		if was := old[s.Name]; was != nil && was.settings.Provider == s.Provider {
			a.polls, a.listed, a.state = was.polls, was.listed, was.state
			delete(old, s.Name)
		}
		a.state.Name, a.state.Provider, a.state.PollInterval = s.Name, s.Provider, s.PollInterval
		a.state.meter, a.state.pace = c.meter(s.Name), s.Pace
		c.accounts = append(c.accounts, a)
		c.start(a)
	}
	for name := range old {
		c.feed.end(groupsSource(name), now)
		c.feed.end(accountSource(name), now)
		c.feed.end(factsSource(name), now)
	}
	c.forget()
	return nil
}

// forget drops the meters and the whereabouts of accounts that left.
func (c *Collector) forget() {
	here := map[string]bool{}
	for _, a := range c.accounts {
		here[a.settings.Name] = true
	}
	for name := range c.meters {
		if !here[name] {
			delete(c.meters, name)
		}
	}
	for key, w := range c.known {
		if !here[w.account] {
			delete(c.known, key)
		}
	}
}

// start runs the account's loops if the collector runs. c.mu is held.
func (c *Collector) start(a *account) {
	if c.ctx == nil || c.over {
		return
	}
	ctx, cancel := context.WithCancel(c.ctx)
	a.cancel = cancel
	c.loops.Go(func() {
		defer cancel()
		c.polling(ctx, a)
	})
	if a.facts != nil {
		c.loops.Go(func() { c.readFacts(ctx, a) })
	}
}

// polling polls the account, the first time within a second, and then every
// interval less up to a tenth, so that accounts do not march in step. A poll
// never waits for another account, nor two of one account for each other.
func (c *Collector) polling(ctx context.Context, a *account) {
	interval := a.settings.PollInterval
	spread := interval / 10
	timer := time.NewTimer(c.jitter(min(spread, time.Second)))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		started := c.o.Now()
		good := c.poll(ctx, a, started)
		wait := max(spread, interval-c.jitter(spread)-c.o.Now().Sub(started))
		timer.Reset(wait)
		if good {
			a.rest(wait - spread) // a tenth is left for the request rate to recover
		}
	}
}

// rest tells for how long no poll will be due. An earlier word that nobody has
// taken is outdated.
func (a *account) rest(room time.Duration) {
	select {
	case <-a.quiet:
	default:
	}
	a.quiet <- room
}

// jitter is a random time below most.
func (c *Collector) jitter(most time.Duration) time.Duration {
	if most <= 0 {
		return 0
	}
	return time.Duration(c.o.Int64N(int64(most)))
}

// poll lists the account once and keeps what it found. It tells whether the poll
// was complete.
func (c *Collector) poll(ctx context.Context, a *account, started time.Time) bool {
	listing, silent, err := ask(ctx, c, a.polling, func(ctx context.Context, r provider.Reader) (provider.Listing, error) {
		return r.List(ctx)
	})
	c.mu.Lock()
	if ctx.Err() != nil || !slices.Contains(c.accounts, a) { // stopped or replaced meanwhile
		c.mu.Unlock()
		return false
	}
	now := c.o.Now()
	was := a.state
	a.polled(started, now, listing, silent, err)
	var moves []Move
	if err == nil {
		moves = c.merge(now)
		c.feedGroups(a, now)
	}
	c.publish(now)
	c.feed.append(accountSource(a.settings.Name), now, a.settings.PollInterval, a.state.samples())
	c.mu.Unlock()
	c.logPoll(was, silent, err)
	c.tell(moves)
	return err == nil
}

// polled notes the end of a poll. An error keeps the last good state.
func (a *account) polled(started, now time.Time, listing provider.Listing, silent, err error) {
	s := &a.state
	s.Tried, s.LastTry, s.Duration = true, now, now.Sub(started)
	a.polls.observe(s.Duration.Seconds())
	s.polls = a.polls.histogram()
	s.Up, s.Error, s.Silent = err == nil, "", ""
	if err != nil {
		s.Error = oneLine(err.Error())
		return
	}
	if silent != nil {
		s.Silent = oneLine(silent.Error())
	}
	s.LastSuccess, s.Fallback, s.Bad = now, silent != nil, listing.Bad
	a.listed = listing.Groups
}

// logPoll tells of a poll that failed, and of one that was answered otherwise
// than the one before it.
func (c *Collector) logPoll(was Account, silent, err error) {
	log := c.o.Logger.With("account", was.Name)
	switch {
	case err != nil:
		log.Warn("poll is not complete, the last good state stays", "err", oneLine(err.Error()))
	case silent != nil && !(was.Up && was.Fallback):
		log.Warn("account is told of by its secondary end, its endpoint does not answer", "err", oneLine(silent.Error()))
	case silent == nil && was.Fallback:
		log.Info("account is told of by its primary end again")
	case !was.Up:
		log.Info("account answers")
	}
	logUnread(log, was.meter.takeUnread())
}

// maxUnread bounds the lines of one poll on what could not be read.
const maxUnread = 5

// logUnread tells what could not be read since the last poll ended, whoever read
// it: once for each field of the answers to a call.
func logUnread(log *slog.Logger, all []*unread) {
	for _, u := range all[:min(len(all), maxUnread)] {
		log.Warn("part of an answer could not be read", "call", u.Call, "field", u.Field, "count", u.count, "items", strings.Join(u.items, ", "))
	}
	if more := len(all) - maxUnread; more > 0 {
		log.Warn("more fields could not be read, drwatch_provider_decode_errors_total counts them all", "fields", more)
	}
}
