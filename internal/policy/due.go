package policy

import "time"

// Due names the rules whose interval has passed since they were last evaluated.
func (e *Evaluator) Due(at time.Time) []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := []string{}
	for _, r := range e.rules {
		if r.last.IsZero() || at.Sub(r.last) >= r.rule.Interval {
			out = append(out, r.rule.Name)
		}
	}
	return out
}

// NextDue is when something is to be evaluated next: an interval passes, or a
// hold timer is up. False when there are no rules. A moment that has passed
// already is due now.
func (e *Evaluator) NextDue(at time.Time) (time.Time, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.store.Milli(at)
	var next time.Time
	sooner := func(t time.Time) {
		if next.IsZero() || t.Before(next) {
			next = t
		}
	}
	for _, r := range e.rules {
		if r.last.IsZero() {
			return at, true
		}
		sooner(r.last.Add(r.rule.Interval))
		last := e.store.Milli(r.last)
		for _, g := range r.groups {
			// One that was up when the rule was last evaluated has been told.
			if up := g.hold.since + r.rule.For.Milliseconds(); g.hold.active && up > last {
				sooner(at.Add(time.Duration(up-now) * time.Millisecond))
			}
		}
	}
	return next, len(e.rules) > 0
}
