package policytest

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// steps runs the steps of incidents one at a time, so that a test comes to the
// same every time: each goes on until it waits for the virtual clock, or ends.
type steps struct {
	now     func() time.Duration
	queue   []func()
	waiting []*waiter
	paused  chan struct{} // whoever runs waits now, or has ended
	closing bool
}

type waiter struct {
	ctx    context.Context
	due    time.Duration
	resume chan error
}

func newSteps(now func() time.Duration) *steps {
	return &steps{now: now, paused: make(chan struct{})}
}

// begin implements failover.Options.Go.
func (s *steps) begin(f func()) { s.queue = append(s.queue, f) }

// wait implements failover.Options.Wait. Only the goroutine that runs calls it.
func (s *steps) wait(ctx context.Context, d time.Duration) error {
	if s.closing {
		return context.Canceled
	}
	w := &waiter{ctx: ctx, due: s.now() + d, resume: make(chan error)}
	s.waiting = append(s.waiting, w)
	s.paused <- struct{}{}
	return <-w.resume
}

// run lets everything go on that can at this moment, and tells whether anything
// did.
func (s *steps) run() bool {
	ran := false
	for {
		switch w := s.ready(); {
		case len(s.queue) > 0:
			f := s.queue[0]
			s.queue = s.queue[1:]
			go func() {
				defer func() { s.paused <- struct{}{} }()
				f()
			}()
		case w != nil && s.closing:
			w.resume <- context.Canceled
		case w != nil:
			w.resume <- w.ctx.Err()
		default:
			return ran
		}
		<-s.paused
		ran = true
	}
}

// ready takes the waiter whose time came first, nil when there is none.
func (s *steps) ready() *waiter {
	if len(s.queue) > 0 {
		return nil
	}
	slices.SortStableFunc(s.waiting, func(a, b *waiter) int { return cmp.Compare(a.due, b.due) })
	for i, w := range s.waiting {
		if w.due <= s.now() || w.ctx.Err() != nil || s.closing {
			s.waiting = slices.Delete(s.waiting, i, i+1)
			return w
		}
	}
	return nil
}

// next is when something that waits goes on.
func (s *steps) next() (time.Duration, bool) {
	if len(s.waiting) == 0 {
		return 0, false
	}
	first := slices.MinFunc(s.waiting, func(a, b *waiter) int { return cmp.Compare(a.due, b.due) })
	return first.due, true
}

// end lets everything end.
func (s *steps) end() {
	s.closing = true
	s.run()
}
