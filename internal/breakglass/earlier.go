package breakglass

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/replication"
)

// known are the incidents of the group that this machine knows of.
func (f *Failover) known(key replication.GroupKey) []replication.Incident {
	var out []replication.Incident
	for _, i := range slices.Concat(f.o.Journal.Incidents(), f.o.Others) {
		if i.Key() == key {
			out = append(out, i)
		}
	}
	return out
}

// earlier settles what earlier runs and observers have left of the group. done
// tells that this run was spent on following an earlier call. An incident with an
// id is to be gone on with: its call did not happen, and may be sent once more.
func (f *Failover) earlier(ctx context.Context, g replication.Group) (again replication.Incident, done bool, err error) {
	if err := f.othersQuiet(g); err != nil {
		return again, false, refused(err)
	}
	at := slices.IndexFunc(f.o.Journal.Incidents(), func(i replication.Incident) bool { return i.Key() == g.Key && unsettled(i) })
	if at < 0 {
		return again, false, nil
	}
	inc := f.o.Journal.Incidents()[at]
	if f.o.Dry {
		return again, false, refused(fmt.Errorf("what became of %s is not settled; run it without --dry-run, which looks first", sentText(inc)))
	}
	p, err := f.o.Group.Track(ctx, inc.LastCall().JobID)
	if err != nil {
		return again, false, refused(fmt.Errorf("looking what became of %s: %w", sentText(inc), err))
	}
	if p.Group.Key != g.Key { // only the job was looked at
		p.Group = g
	}
	w := watch{unchanged: true}
	w.look(inc, p.Group)
	switch v, err := f.judge(inc, p, w); {
	case err != nil:
		return again, false, refused(err)
	case v.phase == replication.Succeeded:
		f.end(inc, v)
		return again, false, refused(fmt.Errorf("the provider already shows it: %s", v.why))
	case v.phase == replication.Failed:
		f.end(inc, v)
		return again, false, refused(fmt.Errorf("%s: %s; look at the group, and run it again to try once more", sentText(inc), v.why))
	case inc.Phase != replication.Ambiguous && inc.LastCall().Outcome == replication.Accepted:
		f.o.Person.Tell(sentText(inc) + " was accepted: nothing is sent, it is only followed")
		return again, true, f.follow(ctx, inc)
	}
	if err := f.mayRepeat(inc, p.Group, w); err != nil {
		return again, false, refused(err)
	}
	inc.Person = f.asked()
	return inc, false, nil
}

// unsettled tells that a call of the incident may have reached the provider and
// nothing has shown what became of it.
func unsettled(i replication.Incident) bool {
	return len(i.Calls) > 0 && (!i.Phase.Ended() || i.Phase == replication.Ambiguous)
}

func sentText(i replication.Incident) string {
	return fmt.Sprintf("the call of incident %s at %s", i.ID, i.LastCall().StartedAt.UTC().Format(time.RFC3339))
}

// unanswered counts the calls of which no answer came.
func unanswered(i replication.Incident) int {
	n := 0
	for _, call := range i.Calls {
		if call.Outcome == replication.Uncertain || call.Outcome == replication.OutcomeNone {
			n++
		}
	}
	return n
}

// mayRepeat says why a call of unknown outcome is not sent again; nil when it is
// proven not to have happened, as for a takeover of an incident: it can no longer
// arrive, by the provider's own clock, and the group is exactly as it was.
func (f *Failover) mayRepeat(inc replication.Incident, g replication.Group, w watch) error {
	call, quiet := inc.LastCall(), f.quietAt(inc)
	switch {
	case !g.ProviderTime.After(quiet):
		return fmt.Errorf("%s may have been sent, and may still arrive until %s by the provider's clock (which says %s). Look at the group in the provider's console; run it again after that",
			sentText(inc), quiet.UTC().Format(time.RFC3339), clock(g.ProviderTime))
	case underWay(g):
		return fmt.Errorf("%s may have been sent, and something is under way: the group is %s (%s). Run it again when that has ended", sentText(inc), g.State, g.RawStatus)
	case g.Key.Provider == replication.HuaweiDWS:
		return fmt.Errorf("%s may have been sent; for DWS a second call could swap the roles back, so drwatch sends none. %s", sentText(inc), byHand)
	case !w.unchanged:
		return fmt.Errorf("%s may have been sent; the group was %s at %s then and is %s at %s, which proves nothing. %s",
			sentText(inc), call.ExpectedStatus, call.ExpectedActive, g.RawStatus, g.Active, byHand)
	case unanswered(inc) > 1:
		return fmt.Errorf("two calls of incident %s may have been sent, and the provider shows no change. %s", inc.ID, byHand)
	}
	return nil
}

const byHand = "Look at the group in the provider's console, and fail it over there if it still stands where it was."

// quietAt is when the incident's last call can no longer do anything.
func (f *Failover) quietAt(i replication.Incident) time.Time {
	return i.LastCall().StartedAt.Add(f.o.SignatureLife + f.o.Settle)
}

// othersQuiet: no call that an observer has made, or meant to, may still be on
// its way.
func (f *Failover) othersQuiet(g replication.Group) error {
	for _, i := range f.o.Others {
		if i.Key() != g.Key || !mayHaveLeft(i) {
			continue
		}
		switch {
		case !g.ProviderTime.After(f.quietAt(i)):
			return fmt.Errorf("a drwatch has made or meant %s for this group (%s): it may still arrive until %s by the provider's clock (which says %s); run it again after that",
				sentText(i), i.Action, f.quietAt(i).UTC().Format(time.RFC3339), clock(g.ProviderTime))
		case g.Key.Provider == replication.HuaweiDWS && !i.Phase.Ended():
			return fmt.Errorf("a drwatch has made or meant %s for this group, and its outcome is not known; for DWS a second call could swap the roles back. %s", sentText(i), byHand)
		}
	}
	return nil
}

// mayHaveLeft tells that something of the incident may still be on its way: a call
// without an answer, or one that was accepted and not proven yet.
func mayHaveLeft(i replication.Incident) bool {
	accepted := slices.ContainsFunc(i.Calls, func(c replication.Call) bool { return c.Outcome == replication.Accepted })
	return unanswered(i) > 0 || accepted && !i.Phase.Ended()
}

func clock(t time.Time) string {
	if t.IsZero() {
		return "nothing"
	}
	return t.UTC().Format(time.RFC3339)
}

func underWay(g replication.Group) bool {
	switch g.State {
	case replication.Switching, replication.Changing, replication.Reprotecting, replication.Unknown:
		return true
	default:
		return false
	}
}

// watch is what the looks at the group since the call have shown.
type watch struct {
	looks     int
	unchanged bool // each showed the group exactly as in the intent
}

func (w *watch) look(inc replication.Incident, g replication.Group) {
	w.looks++
	call := inc.LastCall()
	w.unchanged = w.unchanged && status(g) == call.ExpectedStatus && g.Active == call.ExpectedActive
}

// verdict is what one look proves; without a phase it proves nothing yet.
type verdict struct {
	phase replication.Phase
	why   string
}

// judge tells what the provider's state proves of the call.
func (f *Failover) judge(inc replication.Incident, p failover.Progress, w watch) (verdict, error) {
	step, _, err := f.step(p.Group, inc)
	if err != nil {
		return verdict{}, err
	}
	call := inc.LastCall()
	switch {
	case step.Done:
		return verdict{replication.Succeeded, fmt.Sprintf("production of %s is at %s (%s)", inc.Name, p.Group.Active, p.Group.RawStatus)}, nil
	case p.JobFailed:
		return verdict{replication.Failed, "the provider's job failed: " + p.Detail}, nil
	case step.Failed != "" && (!w.unchanged || status(p.Group) != call.ExpectedStatus):
		return verdict{replication.Failed, step.Failed}, nil
	case (call.Outcome == replication.Rejected || call.Outcome == replication.NotSent || call.Outcome == replication.Throttled) && w.looks >= 2 && !underWay(p.Group):
		return verdict{replication.Failed, "the second call did nothing, and nothing shows the first: " + call.Error}, nil
	}
	return verdict{}, nil
}
