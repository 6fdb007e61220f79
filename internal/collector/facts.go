package collector

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/drwatch/drwatch/internal/provider"
)

// Facts is what changes slowly of one account, as it was last read.
type Facts struct {
	provider.SlowFacts
	// At is when they were last asked for; zero before the first time.
	At time.Time
	// Read is when each part that is told was last read in full, by its name.
	Read map[string]time.Time
	// Error is that of the last reading; "" when it was complete, and before the
	// first.
	Error string
}

// The names of the parts of the facts.
const (
	quotaFacts    = "quotas"
	expiryFacts   = "expiries"
	drillFacts    = "drills"
	failureFacts  = "failed_jobs"
	breachedFacts = "rpo_breaches"
)

// FactsInterval is how often an account is asked for what changes slowly when
// its groups are polled at the interval that is given.
func FactsInterval(poll time.Duration) time.Duration { return max(10*poll, time.Minute) }

// leastRoom is how long a reading of facts may take at least, however soon the
// next poll is due.
const leastRoom = time.Second

// factsSource is the source of the samples of an account's facts.
func factsSource(account string) string { return "facts/" + account }

// factEnds are the ways to the account's facts, nil when its reader knows none.
// They are not those of the polls: a reading that hangs is not held against a
// poll.
func factEnds(s AccountSettings) *ends {
	if _, ok := s.Reader.(provider.FactReader); !ok {
		return nil
	}
	fallback := s.Fallback
	if _, ok := fallback.(provider.FactReader); !ok {
		fallback = nil
	}
	e := newEnds(s.Reader, fallback, 0) // each reading has its own timeout
	return &e
}

// readFacts asks the account for its facts after its first good poll, and then
// every interval less up to a tenth, again after the first good poll. Between
// two polls it takes nothing from them: what is still asked when the next is due
// is cut off, so that the two never share the account's request rate for long.
func (c *Collector) readFacts(ctx context.Context, a *account) {
	every := FactsInterval(a.settings.PollInterval)
	var due time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case room := <-a.quiet:
			now := c.o.Now()
			if now.Before(due) {
				continue
			}
			due = now.Add(every - c.jitter(every/10))
			c.askFacts(ctx, a, max(room, leastRoom), every)
		}
	}
}

// askFacts reads the facts once. What could not be read stays as it was, with
// its age.
func (c *Collector) askFacts(ctx context.Context, a *account, timeout, every time.Duration) {
	e := *a.facts
	e.timeout = timeout
	within, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	got, _, err := ask(within, c, e, func(ctx context.Context, r provider.Reader) (provider.SlowFacts, error) {
		facts, _ := r.(provider.FactReader) // as factEnds has seen
		return facts.SlowFacts(ctx)
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	if ctx.Err() != nil || !slices.Contains(c.accounts, a) { // stopped or replaced meanwhile
		return
	}
	now, name := c.o.Now(), a.settings.Name
	got = each(got)
	a.state.Facts = a.state.Facts.after(got, err, now)
	c.publish(now)
	if fresh := (Facts{}).after(got, err, now); len(fresh.Read) > 0 {
		c.feed.append(factsSource(name), now, every, fresh.samples(a.state, c.groups))
	}
	if err != nil {
		c.o.Logger.Warn("what changes slowly could not all be read, what was read before stays", "account", name, "err", a.state.Facts.Error)
	}
}

// after is the facts once got was read with err.
func (f Facts) after(got provider.SlowFacts, err error, now time.Time) Facts {
	next := Facts{SlowFacts: f.SlowFacts, At: now, Read: map[string]time.Time{}}
	maps.Copy(next.Read, f.Read)
	if err != nil {
		next.Error = oneLine(err.Error())
	}
	part := func(name string, told bool) bool {
		switch {
		case told:
			next.Read[name] = now
		case err == nil:
			delete(next.Read, name)
		}
		return told || err == nil
	}
	if part(quotaFacts, got.Quotas != nil) {
		next.Quotas = got.Quotas
	}
	if part(expiryFacts, got.Expiries != nil) {
		next.Expiries = got.Expiries
	}
	switch read, unread := ofGroups(got.Drills); {
	case unread && read: // those of some groups; the age stays that of all of them
		next.Drills = got.Drills
	case unread:
	case part(drillFacts, got.Drills != nil):
		next.Drills = got.Drills
	}
	if part(failureFacts, got.FailedJobs != nil) {
		next.FailedJobs = got.FailedJobs
	}
	if part(breachedFacts, got.Breaches != nil) {
		next.Breaches = got.Breaches
	}
	return next
}

// ofGroups tells whether there are drills of any group, and whether those of some
// groups could not be read: an entry of no group says so.
func ofGroups(drills []provider.GroupCount) (read, unread bool) {
	for _, d := range drills {
		read, unread = read || d.GroupID != "", unread || d.GroupID == ""
	}
	return read, unread
}

// each tells each thing once: two samples of one series would take the whole of
// /metrics away. Counts add up, of two quotas the first stands, of two expiries
// the earlier.
func each(f provider.SlowFacts) provider.SlowFacts {
	f.Quotas = unique(f.Quotas, func(q provider.Quota) string { return q.Resource }, func(provider.Quota, provider.Quota) bool { return false })
	f.Expiries = unique(f.Expiries, func(e provider.Expiry) [2]string { return [2]string{e.GroupID, e.Pair} },
		func(was, is provider.Expiry) bool { return is.At.Before(was.At) })
	f.Drills, f.FailedJobs = sums(f.Drills), sums(f.FailedJobs)
	return f
}

// unique keeps one of each key: the first, or a later one that is better.
func unique[T any, K comparable](all []T, key func(T) K, better func(was, is T) bool) []T {
	if all == nil {
		return nil
	}
	at, kept := map[K]int{}, make([]T, 0, len(all))
	for _, x := range all {
		i, twice := at[key(x)]
		switch {
		case !twice:
			at[key(x)] = len(kept)
			kept = append(kept, x)
		case better(kept[i], x):
			kept[i] = x
		}
	}
	return kept
}

func sums(all []provider.GroupCount) []provider.GroupCount {
	total := map[[2]string]int{}
	key := func(c provider.GroupCount) [2]string { return [2]string{c.GroupID, c.Kind} }
	for _, c := range all {
		total[key(c)] += c.Count
	}
	kept := unique(all, key, func(provider.GroupCount, provider.GroupCount) bool { return false })
	for i := range kept {
		kept[i].Count = total[key(kept[i])]
	}
	return kept
}
