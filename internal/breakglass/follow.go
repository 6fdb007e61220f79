package breakglass

import (
	"context"
	"fmt"
	"time"

	"github.com/drwatch/drwatch/internal/replication"
)

// sayAgain is how often it is said that a proof is still missing.
const sayAgain = 30 * time.Second

// follow looks at the provider until it proves what became of the call.
func (f *Failover) follow(ctx context.Context, inc replication.Incident) error {
	f.o.At("following")
	every := time.NewTicker(f.o.TrackInterval)
	defer every.Stop()
	w, said, told := watch{unchanged: true}, "", f.o.Now()
	for {
		line, v, err := f.look(ctx, inc, &w)
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("%w: no longer followed; it goes on at the provider. Look there, or run the same command again: it looks first", ErrNotProven)
		case err != nil:
			line = err.Error()
		case v.phase != "":
			return f.ended(inc, v)
		}
		if line != said || f.o.Now().Sub(told) >= sayAgain {
			said, told = line, f.o.Now()
			f.o.Person.Tell("waiting for the provider's proof: " + line)
		}
		select {
		case <-ctx.Done():
		case <-every.C:
		}
	}
}

// look looks once. The line is for the person.
func (f *Failover) look(ctx context.Context, inc replication.Incident, w *watch) (line string, v verdict, err error) {
	p, err := f.o.Group.Track(ctx, inc.LastCall().JobID)
	if err != nil {
		return "", v, fmt.Errorf("the provider could not be read: %w", err)
	}
	line = p.Detail
	if p.Group.Key != inc.Key() { // only the job was looked at
		return line, v, nil
	}
	w.look(inc, p.Group)
	line = fmt.Sprintf("%s (%s), production at %s", p.Group.State, p.Group.RawStatus, place(p.Group.Active)) + why(p.Detail)
	v, err = f.judge(inc, p, *w)
	if err != nil || v.phase != "" || unanswered(inc) == 0 {
		return line, v, err
	}
	return line, f.unproven(inc, p.Group, *w), nil
}

// unproven ends the wait for the proof of a call without an answer, once it can
// no longer arrive.
func (f *Failover) unproven(inc replication.Incident, g replication.Group, w watch) verdict {
	if w.looks < 2 || !g.ProviderTime.After(f.quietAt(inc)) || underWay(g) {
		return verdict{}
	}
	if err := f.mayRepeat(inc, g, w); err != nil {
		return verdict{replication.Ambiguous, err.Error()}
	}
	return verdict{replication.Verifying, "the call did not happen: it can no longer arrive, and every look showed the group as it was before. Run it again to send it once more"}
}

// ended writes the end and says it.
func (f *Failover) ended(inc replication.Incident, v verdict) error {
	f.end(inc, v)
	if v.phase == replication.Succeeded {
		f.o.Person.Tell("succeeded: " + v.why)
		return nil
	}
	if v.phase == replication.Failed {
		return fmt.Errorf("%w: %s", ErrFailed, v.why)
	}
	return fmt.Errorf("%w: %s", ErrNotProven, v.why)
}

func (f *Failover) end(inc replication.Incident, v verdict) {
	now := f.o.Now().UTC()
	if inc.Phase = v.phase; v.phase != replication.Verifying {
		inc.EndedAt = now
	}
	if v.phase == replication.Succeeded {
		inc.VerifiedAt, inc.Error = now, ""
		took := now.Sub(inc.Trigger.Since).Round(time.Millisecond).Seconds()
		inc.RTOSeconds = &took
	} else {
		inc.Error = v.why
	}
	f.note(inc, string(v.phase), v.why)
	f.o.At("ended")
}
