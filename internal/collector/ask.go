package collector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/replication"
)

const (
	// maxOverdue bounds the calls to one endpoint that did not return although
	// their context had ended. With that many, it is not asked.
	maxOverdue = 3
	// linger is how long a call whose context has ended may take to say so in its
	// own words.
	linger = 250 * time.Millisecond
	// maxError bounds the text of an error in the snapshot, in bytes.
	maxError = 500
)

// endpoint is one way to an account's groups.
type endpoint struct {
	reader  provider.Reader
	overdue atomic.Int32
}

// ends are the ways to an account's groups: its own endpoint, and the other one.
type ends struct {
	main     *endpoint
	fallback *endpoint // nil when there is none
	timeout  time.Duration
}

func newEnds(main, fallback provider.Reader, timeout time.Duration) ends {
	e := ends{main: &endpoint{reader: main}, timeout: timeout}
	if fallback != nil {
		e.fallback = &endpoint{reader: fallback}
	}
	return e
}

// Read reads one group afresh, through the account that holds it: its reader
// first, its fallback when that does not answer. Group.Account names the
// account that may act on the group. The snapshot stays as it is. The error is
// provider.ErrNotFound when the endpoint that answered first, or no account,
// knows the group.
func (c *Collector) Read(ctx context.Context, key replication.GroupKey) (replication.Group, error) {
	a, err := c.holder(key)
	if err != nil {
		return replication.Group{}, err
	}
	g, silent, err := ask(ctx, c, a.acting, func(ctx context.Context, r provider.Reader) (replication.Group, error) {
		return r.Read(ctx, key.ID)
	})
	if err != nil {
		return replication.Group{}, fmt.Errorf("reading group %s through account %s: %w", key, a.settings.Name, err)
	}
	g.Account, g.Side = a.settings.Name, side(silent != nil)
	return g, nil
}

// Track looks at a failover under way, by the same ways as Read.
func (c *Collector) Track(ctx context.Context, key replication.GroupKey, jobID string) (provider.Progress, error) {
	a, err := c.holder(key)
	if err != nil {
		return provider.Progress{}, err
	}
	p, silent, err := ask(ctx, c, a.acting, func(ctx context.Context, r provider.Reader) (provider.Progress, error) {
		return r.Track(ctx, key.ID, jobID)
	})
	if err != nil {
		return provider.Progress{}, fmt.Errorf("tracking group %s through account %s: %w", key, a.settings.Name, err)
	}
	p.Group.Account, p.Group.Side = a.settings.Name, side(silent != nil)
	return p, nil
}

// Drills lists the drills of a group that are not cleaned up yet, by the same
// ways as Read. It is empty for a provider that has no drills.
func (c *Collector) Drills(ctx context.Context, key replication.GroupKey) ([]replication.Drill, error) {
	a, err := c.holder(key)
	if err != nil {
		return nil, err
	}
	drills, _, err := ask(ctx, c, a.acting, func(ctx context.Context, r provider.Reader) ([]replication.Drill, error) {
		if d, ok := r.(provider.DrillReader); ok {
			return d.Drills(ctx, key.ID)
		}
		return []replication.Drill{}, nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the drills of group %s through account %s: %w", key, a.settings.Name, err)
	}
	return drills, nil
}

// holder is the account that holds a group, or held it last.
func (c *Collector) holder(key replication.GroupKey) (*account, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	name := c.known[key].account
	for _, a := range c.accounts {
		if a.settings.Name == name {
			return a, nil
		}
	}
	return nil, fmt.Errorf("group %s: no account lists it: %w", key, provider.ErrNotFound)
}

// ask asks the account's own endpoint, and the other when that does not answer;
// that the provider does not know something is an answer. When the answer is the
// other's, silent is why the first has none.
func ask[T any](ctx context.Context, c *Collector, e ends, question func(context.Context, provider.Reader) (T, error)) (answer T, silent, err error) {
	timeout := e.timeout
	if deadline, ok := ctx.Deadline(); ok && e.fallback != nil {
		timeout = min(timeout, deadline.Sub(c.o.Now())/2) // leave the other its half
	}
	v, err := askOne(ctx, c.o.Logger, e.main, timeout, question)
	if err == nil || e.fallback == nil || errors.Is(err, provider.ErrNotFound) || ctx.Err() != nil {
		return v, nil, err
	}
	w, err2 := askOne(ctx, c.o.Logger, e.fallback, e.timeout, question)
	if err2 != nil {
		// The second only as text: that the other end does not know the group says
		// little while the first is silent.
		return v, nil, fmt.Errorf("%w; and from the other endpoint: %s", err, err2.Error())
	}
	return w, err, nil
}

// side names the end that has answered.
func side(other bool) replication.Side {
	if other {
		return replication.SecondarySide
	}
	return replication.PrimarySide
}

// askOne asks one endpoint. Neither a reader that hangs nor one that panics
// harms more than its own question.
func askOne[T any](ctx context.Context, log *slog.Logger, e *endpoint, timeout time.Duration, question func(context.Context, provider.Reader) (T, error)) (T, error) {
	var none T
	if n := e.overdue.Load(); n >= maxOverdue {
		return none, fmt.Errorf("not asked: %d earlier questions still hang", n)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	type answer struct {
		value T
		err   error
	}
	answers := make(chan answer, 1)
	go func() {
		var got answer
		defer func() { answers <- got }()
		defer func() {
			if v := recover(); v != nil {
				log.Error("reader panicked", "kind", fmt.Sprintf("%T", v), "stack", string(debug.Stack()))
				got = answer{err: fmt.Errorf("the reader panicked (%T)", v)}
			}
		}()
		got.value, got.err = question(ctx, e.reader)
	}()
	select {
	case got := <-answers:
		return got.value, got.err
	case <-ctx.Done():
	}
	select {
	case got := <-answers:
		return got.value, got.err
	case <-time.After(linger):
	}
	e.overdue.Add(1)
	go func() { <-answers; e.overdue.Add(-1) }()
	return none, fmt.Errorf("no answer within %s: %w", timeout, context.Cause(ctx))
}

// oneLine makes a bounded line of valid text.
func oneLine(s string) string {
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "?")), " ")
	if len(s) > maxError {
		s = strings.ToValidUTF8(s[:maxError-len("…")], "") + "…"
	}
	return s
}
