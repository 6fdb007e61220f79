package policytest

import (
	"context"
	"fmt"
	"time"

	"github.com/drwatch/drwatch/internal/alerts"
	"github.com/drwatch/drwatch/internal/quorum/quorumtest"
	"github.com/drwatch/drwatch/internal/replication"
)

// other is an observer that says what the test says, and leads nothing.
type other struct {
	w     *world
	name  string
	store *quorumtest.Store
}

// speak publishes its votes of this moment, and keeps it alive.
func (o *other) speak(ctx context.Context) error {
	var votes []replication.Vote
	for _, v := range o.w.t.Votes {
		if v.Observer != o.name {
			continue
		}
		if vote, ok := o.vote(v); ok {
			votes = append(votes, vote)
		}
	}
	if err := o.store.PublishVotes(ctx, votes); err != nil {
		return fmt.Errorf("votes of %s: %w", o.name, err)
	}
	if err := o.store.Renew(ctx); err != nil {
		return fmt.Errorf("lease of %s: %w", o.name, err)
	}
	return nil
}

// vote is what it says of a rule and group now. Its rules are those under test.
func (o *other) vote(v voteForm) (replication.Vote, bool) {
	now := o.w.clock
	if now < v.From || v.Until != nil && now >= *v.Until {
		return replication.Vote{}, false
	}
	for _, l := range o.w.loaded {
		r := l.Rule
		if r.Name != v.Rule {
			continue
		}
		out := replication.Vote{
			Observer: o.name, Site: o.w.t.Observers[o.name], Rule: r.Name, RuleHash: l.Hash, Group: o.w.t.groups[v.Group],
			Verdict: v.Vote, Since: o.w.t.start.Add(v.From), Value: 1, Evidence: "as the test says", Mode: r.Mode, For: r.For,
		}
		if v.Vote == replication.Go && now < v.From+r.For {
			out.Verdict = replication.Pending
		} else if v.Vote == replication.Go {
			out.Since = out.Since.Add(r.For)
		}
		return out, true
	}
	return replication.Vote{}, false
}

// repeatEvery is how often Alertmanager repeats an alert that fires.
const repeatEvery = 4 * time.Minute

// deliver brings the alerts of this moment.
func (w *world) deliver() {
	for i, a := range w.t.Alerts {
		for next, ok := w.nextDelivery(i); ok && next <= w.clock; next, ok = w.nextDelivery(i) {
			w.heard[i]++
			alert := alerts.Alert{Labels: a.Labels, Firing: true, StartsAt: w.t.start.Add(a.From)}
			if a.Until != nil && next >= *a.Until {
				alert.Firing, alert.EndsAt = false, w.t.start.Add(*a.Until)
			}
			w.fails(w.book.Receive([]alerts.Alert{alert}))
		}
	}
}

// nextDelivery is when an alert comes next: again and again while it fires, and
// once when it is resolved.
func (w *world) nextDelivery(i int) (time.Duration, bool) {
	a := w.t.Alerts[i]
	next := a.From + time.Duration(w.heard[i])*repeatEvery
	if a.Until == nil || next < *a.Until {
		return next, true
	}
	return *a.Until, next-repeatEvery < *a.Until
}

// answers are given by persons once their time has come, to the incident that is
// open then.
func (w *world) answers(ctx context.Context) {
	for i := range w.t.Approvals {
		w.person(&w.t.Approvals[i], func(id string, a answerForm) error {
			return w.store.Approve(ctx, id, replication.Approval{Who: a.By, Reason: "as the test says", At: w.now()})
		})
	}
	for i := range w.t.Aborts {
		w.person(&w.t.Aborts[i], func(id string, a answerForm) error {
			return w.store.Abort(ctx, id, a.By, "as the test says")
		})
	}
}

func (w *world) person(a *answerForm, answer func(incident string, a answerForm) error) {
	if w.clock < a.At || w.answered[a] {
		return
	}
	for id, rec := range w.incidentsNow {
		if rec.Rule == a.Rule && rec.Group == a.Group && !rec.Phase.Ended() {
			w.answered[a] = true
			w.fails(answer(id, *a))
			w.controller.Nudge()
			return
		}
	}
}

// unanswered tells of the answers whose time has come while nothing asked for them.
func (w *world) unanswered() {
	for _, list := range [][]answerForm{w.t.Approvals, w.t.Aborts} {
		for i := range list {
			if a := &list[i]; w.clock >= a.At && !w.answered[a] {
				w.answered[a] = true
				w.fails(fmt.Errorf("%s answers rule %s on group %s, and no incident of them is open", a.By, a.Rule, a.Group))
			}
		}
	}
}
