package provider

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// How a Pace yields, slows down and recovers.
const (
	// pollShare is the part of the rate that polls keep, as 1 in this many,
	// however much the calls that never wait have overdrawn: without polls no rule
	// could decide on the other groups.
	pollShare = 4
	// slowdown divides the rate at each refusal.
	slowdown = 2
	// The rate never falls below leastPart of what is configured, nor below
	// leastRate requests per second: a poll must still end within its timeout.
	leastPart = 0.1
	leastRate = 0.5
	// recovery is how long the rate would take from nothing to what is configured.
	// Alibaba Cloud refuses until the next full minute, which is about the way up
	// from one refusal.
	recovery = 2 * time.Minute
	// maxPause bounds what a Retry-After may ask for.
	maxPause = 3 * time.Minute
	// leastWait keeps rounding from turning a wait into a busy loop.
	leastWait = time.Millisecond
)

// Pace is the one token bucket of an account. All that calls the provider for
// the account shares it: actions and reads under a claim take their tokens at
// once, from tomorrow's if need be, and polls wait until there are tokens
// again. A refusal for the rate slows the polls down, never the others; the
// rate recovers by itself. A nil Pace bounds nothing. Safe for concurrent use.
type Pace struct {
	rps   float64
	burst float64
	now   func() time.Time

	mu       sync.Mutex
	at       time.Time // when tokens and rate were right
	tokens   float64   // negative when overdrawn
	rate     float64   // requests per second; below rps after a refusal
	slowed   time.Time // when the rate was lowered last
	lastPoll time.Time // when the last poll's call was let through
	pauses   map[string]time.Time
	waited   time.Duration
}

// NewPace is a full bucket: rps requests per second, above zero, and up to burst
// at once, at least one.
func NewPace(rps float64, burst int, now func() time.Time) *Pace {
	b := float64(max(burst, 1))
	return &Pace{rps: rps, burst: b, now: now, at: now(), tokens: b, rate: rps, pauses: map[string]time.Time{}}
}

// Take is asked by what never waits: it takes a token that may not be there yet.
func (p *Pace) Take() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.advance()
	p.take()
}

// Wait waits for the turn of a poll's call to that host. It ends at once with an
// error when the turn would come after the deadline of ctx.
func (p *Pace) Wait(ctx context.Context, host string) error {
	if p == nil {
		return nil
	}
	began := p.now()
	defer p.spent(began)
	for {
		wait, why := p.turn(began, host)
		if wait <= 0 {
			return nil
		}
		if deadline, ok := ctx.Deadline(); ok && deadline.Sub(p.now()) < wait {
			return fmt.Errorf("%s, which is longer than this poll may take: %w", why, context.DeadlineExceeded)
		}
		timer := time.NewTimer(max(wait, leastWait))
		select {
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("%s: %w", why, ctx.Err())
		case <-timer.C:
		}
	}
}

// Slow lowers the rate of the polls and spends what was saved up. sent is when
// the refused call was sent: of calls that were under way together only the
// first tells something new.
func (p *Pace) Slow(sent time.Time) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.advance()
	if sent.Before(p.slowed) {
		return
	}
	p.slowed = now
	p.rate = max(p.rate/slowdown, p.floor())
	p.tokens = min(p.tokens, 0)
}

// Pause keeps polls off one host for as long as it asked for, three minutes at
// most. The account's other endpoint is polled meanwhile.
func (p *Pace) Pause(host string, d time.Duration) {
	if p == nil || d <= 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	until := p.now().Add(min(d, maxPause))
	if until.After(p.pauses[host]) {
		p.pauses[host] = until
	}
}

// Rate is how many requests per second the polls may make now.
func (p *Pace) Rate() float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.advance()
	return p.rate
}

// Waited is how long polls have waited for their turns, all together.
func (p *Pace) Waited() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.waited
}

func (p *Pace) floor() float64 { return min(p.rps, max(p.rps*leastPart, leastRate)) }

// turn takes a token for a poll, or tells how long to wait before asking again,
// and why.
func (p *Pace) turn(began time.Time, host string) (time.Duration, string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.advance()
	if pause := p.pauses[host].Sub(now); pause > 0 {
		return pause, fmt.Sprintf("%s asked (Retry-After) for %s more without requests", host, pause.Round(time.Second))
	}
	last := began
	if p.lastPoll.After(last) {
		last = p.lastPoll
	}
	share := last.Add(seconds(pollShare / p.rate)).Sub(now)
	if p.tokens >= 1 || share <= 0 {
		p.take()
		p.lastPoll = now
		return 0, ""
	}
	wait := min(share, seconds((1-p.tokens)/p.rate))
	return max(wait, leastWait), fmt.Sprintf("%s more at %.3g requests per second", max(wait, leastWait).Round(time.Millisecond), p.rate)
}

// take spends a token. What is overdrawn is bounded: a storm of calls that never
// wait must not be paid for long after it. p.mu is held.
func (p *Pace) take() { p.tokens = max(p.tokens-1, -p.burst) }

// advance brings tokens and rate to now. Within the step the rate counts as the
// mean of its ends. p.mu is held.
func (p *Pace) advance() time.Time {
	now := p.now()
	if d := now.Sub(p.at).Seconds(); d > 0 {
		rate := min(p.rps, p.rate+p.rps*d/recovery.Seconds())
		p.tokens = min(p.burst, p.tokens+d*(p.rate+rate)/2)
		p.rate, p.at = rate, now
	}
	return now
}

func (p *Pace) spent(since time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waited += max(0, p.now().Sub(since))
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
