package breakglass

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/drwatch/drwatch/internal/api"
	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/replication"
)

// ErrRefused is returned when nothing was sent by this run. The error's text
// says why, and what to do.
var ErrRefused = errors.New("nothing was sent")

// ErrNotProven is returned when a call may have left and the provider has not
// shown yet what became of it.
var ErrNotProven = errors.New("not proven")

// ErrFailed is returned when the provider shows that the call came to nothing.
var ErrFailed = errors.New("the failover has failed")

// Group reads the one group, afresh at each call, from whichever end of its
// account answers.
type Group interface {
	Read(ctx context.Context) (replication.Group, error)
	Track(ctx context.Context, jobID string) (failover.Progress, error)
}

// Person is whoever sits at the command line.
type Person interface {
	// Show shows the plan.
	Show(p api.Plan) error
	// Ask wants the group's name typed; anything else is an error.
	Ask(ctx context.Context, name string) error
	// Tell says one line.
	Tell(line string)
}

// Options are what a Failover is made of. All are required but At and Dry.
type Options struct {
	Group    Group
	Person   Person
	Handbook failover.Handbook
	// Operator is what sends, with the action credentials loaded; the error says
	// why this account cannot act from here.
	Operator func() (failover.Operator, error)
	// Stopped says what forbids the break-glass as such: a local freeze, a store
	// that answers. It is asked before the plan and before the intent.
	Stopped func(ctx context.Context) error
	// Frozen is the part of it that is asked once more before the first byte; it
	// must not wait for anybody.
	Frozen func() error
	// Endpoint is where a call that moves production to a place goes.
	Endpoint func(to replication.Location) string
	// Notes are what the person should know besides.
	Notes []string
	// Others are incidents that are known of the store: the daemon's, or archived.
	Others []replication.Incident
	// Unseen is when an observer may have made a call that is not among them.
	Unseen Unseen

	Journal *Journal
	Asked   replication.Person
	// ActionTimeout bounds the call, and how late after its intent it may begin.
	ActionTimeout time.Duration
	TrackInterval time.Duration
	SignatureLife time.Duration // a signed request is dead after it
	Settle        time.Duration // and what it has done shows after this
	Now           func() time.Time
	Dry           bool              // only show the plan
	At            func(step string) // called at named steps; nil is allowed
}

// Unseen is a time before which an observer may have made a call that nothing here
// knows of. The zero one says nothing.
type Unseen struct {
	Before time.Time // by the clock of the machine that was asked
	Why    string    // a clause for the person
}

// Failover is one run of the break-glass for one group.
type Failover struct{ o Options }

// New is a Failover. Nothing is read or written before Run.
func New(o Options) *Failover {
	if o.At == nil {
		o.At = func(string) {}
	}
	return &Failover{o}
}

// Run shows the plan, asks, sends at most one call, and follows it to its proof.
// It returns nil once the provider shows production at the other side.
func (f *Failover) Run(ctx context.Context) error {
	if err := f.o.Stopped(ctx); err != nil {
		return refused(err)
	}
	g, err := f.o.Group.Read(ctx)
	if err != nil {
		return refused(fmt.Errorf("reading the group at the provider: %w", err))
	}
	inc, following, err := f.earlier(ctx, g)
	if err != nil || following {
		return err
	}
	if inc.ID == "" {
		inc = f.newIncident(g)
	}
	p, err := f.propose(g, inc)
	if err != nil {
		return refused(err)
	}
	if err := f.o.Person.Show(p.shown); err != nil {
		return refused(err)
	}
	if err := p.blocking(); err != nil || f.o.Dry {
		return err
	}
	if err := f.o.Person.Ask(ctx, p.name()); err != nil {
		return refused(err)
	}
	f.o.At("typed")
	again, err := f.lookAgain(ctx, p, inc)
	if err != nil {
		return err
	}
	return f.send(ctx, again, inc)
}

// lookAgain is everything once more after the answer: minutes may have passed.
func (f *Failover) lookAgain(ctx context.Context, p plan, inc replication.Incident) (plan, error) {
	if err := f.o.Stopped(ctx); err != nil {
		return plan{}, refused(err)
	}
	g, err := f.o.Group.Read(ctx)
	if err != nil {
		return plan{}, refused(fmt.Errorf("reading the group at the provider again: %w", err))
	}
	f.o.At("read")
	again, err := f.propose(g, inc)
	if err != nil {
		return plan{}, refused(err)
	}
	if change := changed(p.group, g); change != "" {
		return plan{}, refused(fmt.Errorf("the group is not as it was in the plan any more: %s; run it again", change))
	}
	return again, again.blocking()
}

// send writes the intent, sends the one call, writes the outcome, and follows.
func (f *Failover) send(ctx context.Context, p plan, inc replication.Incident) error {
	operator, err := f.o.Operator()
	if err != nil {
		return refused(err)
	}
	now := f.o.Now()
	inc.Phase, inc.ExecutedAt, inc.Guards, inc.RPOSeconds = replication.Executing, now.UTC(), p.shown.Conditions, p.loss()
	inc.Calls = append(append([]replication.Call(nil), inc.Calls...), replication.Call{
		Operation: string(replication.Failover), Attempt: len(inc.Calls) + 1, StartedAt: now.UTC(),
		ExpectedStatus: status(p.group), ExpectedActive: p.group.Active,
	})
	text := fmt.Sprintf("%s asks for failover of %s (%s) from %s to %s without the store: will call %s (%s): %s",
		inc.Person.Who, inc.Name, inc.Key(), inc.Plan.From, inc.Plan.To, p.call, p.group.RawStatus, inc.Person.Reason)
	inc, err = f.o.Journal.Write(inc, f.entry("intent", text))
	if err != nil {
		return refused(fmt.Errorf("the intent could not be written, and without it nothing is sent: %w.\n%s", err, elsewhere))
	}
	f.o.At("intent")
	// A call that has begun is not cut: Ctrl-C would make its outcome unknown.
	sent := operator.Operate(context.WithoutCancel(ctx), replication.Failover, failover.Operation{
		Order: failover.Order{Group: inc.Key(), Incident: inc.ID, BeforeFirstByte: func() error {
			err := f.mayBegin(ctx, now)
			f.o.At("first_byte")
			return err
		}},
		Group: p.group, To: inc.Plan.To,
	})
	f.o.At("sent")
	return f.outcome(ctx, inc, sent)
}

// mayBegin is asked with the connection up, before the first byte. A machine that
// was suspended meanwhile shows by its wall clock.
func (f *Failover) mayBegin(ctx context.Context, intent time.Time) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("interrupted before the first byte: %w", err)
	}
	now := f.o.Now()
	late := max(now.Sub(intent), now.Round(0).Sub(intent.Round(0)))
	if late > f.o.ActionTimeout {
		return fmt.Errorf("%s have passed since the group was read: too long to send", late.Round(time.Millisecond))
	}
	return f.o.Frozen()
}

// outcome writes what is known of the call and goes on as that asks for.
func (f *Failover) outcome(ctx context.Context, inc replication.Incident, sent failover.Sent) error {
	call := inc.LastCall()
	call.Outcome, call.Status, call.RequestID, call.JobID, call.EndedAt = sent.Outcome, sent.Status, sent.RequestID, sent.JobID, f.o.Now().UTC()
	if sent.Err != nil {
		call.Error = sent.Err.Error()
	}
	switch call.Outcome {
	case replication.Rejected, replication.NotSent, replication.Throttled:
		if unanswered(inc) > 0 { // an earlier call may be why: the group will tell
			inc.Phase = replication.Verifying
			break
		}
		inc.Phase, inc.EndedAt, inc.Error = replication.Failed, f.o.Now().UTC(), call.Error
	case replication.Accepted:
		inc.Phase = replication.Verifying
	default:
		call.Outcome, inc.Phase = replication.Uncertain, replication.Verifying
	}
	text := fmt.Sprintf("the call: %s, HTTP status %d, request id %q, job %q", call.Outcome, call.Status, call.RequestID, call.JobID)
	inc = f.note(inc, "outcome", text+why(call.Error))
	f.o.At("outcome")
	f.o.Person.Tell(text + why(call.Error))
	switch {
	case inc.Phase == replication.Verifying:
		return f.follow(ctx, inc)
	case call.Outcome == replication.Throttled:
		return fmt.Errorf("%w: the provider refused for the rate of requests, nothing has happened; run it again in a minute", ErrFailed)
	case call.Outcome == replication.NotSent:
		return fmt.Errorf("%w: no byte of the call has left, nothing has happened: %s; run it again", ErrRefused, call.Error)
	}
	return fmt.Errorf("%w: the provider refused, nothing has happened: %s", ErrFailed, call.Error)
}

// note writes what came after the intent. Its loss is told and stops nothing: an
// intent without an outcome counts as a call that may have left.
func (f *Failover) note(inc replication.Incident, event, text string) replication.Incident {
	written, err := f.o.Journal.Write(inc, f.entry(event, text))
	if err != nil {
		f.o.Person.Tell(fmt.Sprintf("could not be written to the journal: %s (%s); the next run will take the call for one that may have left", err, text))
		return inc
	}
	return written
}

func (f *Failover) entry(event, text string) replication.Entry {
	return replication.Entry{At: f.o.Now(), Event: event, Text: text}
}

const elsewhere = "--storage.path may name another folder that exists and can be written, also on another disk. " +
	"A FREEZE file and earlier intents in the present one are not looked at then: look at them yourself."

func refused(err error) error {
	if errors.Is(err, ErrRefused) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrRefused, err)
}

func why(text string) string {
	if text == "" {
		return ""
	}
	return ": " + text
}
