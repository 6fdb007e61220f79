package chaos_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/drwatch/drwatch/internal/api"
	"github.com/drwatch/drwatch/internal/cloudsim"
	"github.com/drwatch/drwatch/internal/replication"
)

// incidents are all of them, newest first, as any observer tells them.
func (w *world) incidents() []replication.Incident {
	o := w.some()
	if o == nil {
		return nil
	}
	out, _ := get[[]replication.Incident](o, "incidents?limit=1000")
	return out
}

// newest is the last incident of each group.
func (w *world) newest() map[string]replication.Incident {
	out := map[string]replication.Incident{}
	for _, i := range w.incidents() {
		if _, seen := out[i.Group]; !seen {
			out[i.Group] = i
		}
	}
	return out
}

// moved tells whether every group has moved and been proven, by any observer's
// words.
func (w *world) moved() bool {
	newest := w.newest()
	for _, id := range w.ids {
		if newest[id].Phase != replication.Succeeded {
			return false
		}
	}
	return true
}

// once waits until every group was failed over and shown to be, and judges: once
// each. It gives the longest RTO.
func (w *world) once(within time.Duration) {
	w.Helper()
	took := w.eventually("every group is failed over", within, w.moved)
	w.count(1)
	longest := 0.0
	for _, i := range w.newest() {
		if i.RTOSeconds == nil {
			w.Errorf("%s: no RTO is told", i.Name)
			continue
		}
		longest = max(longest, *i.RTOSeconds)
	}
	w.tell("all moved %.1fs after that was awaited; longest RTO %.1fs", took.Seconds(), longest)
}

// count judges that each group was really failed over that often.
func (w *world) count(want int) {
	w.Helper()
	newest := w.newest()
	for _, id := range w.ids {
		g, _ := w.cloud.Group(id)
		i := newest[id]
		if n := w.cloud.EffectiveFailovers(id); n != want {
			w.Errorf("%s (%s): %d effective failovers, want %d; incident %q %s %s %s, %d calls", g.Name, g.Provider, n, want, i.ID, i.Phase, i.HeldBy, i.Error, len(i.Calls))
		}
	}
}

// never waits a while and judges that nothing was called or moved.
func (w *world) never() {
	w.Helper()
	limit := time.NewTimer(hold + settle)
	defer limit.Stop()
	<-limit.C
	w.untouched()
}

func (w *world) untouched() {
	w.Helper()
	w.count(0)
	if calls := w.calls(""); len(calls) > 0 {
		w.Errorf("%d mutating calls were sent, want none: %+v", len(calls), calls)
	}
}

// calls are the mutating calls that the clouds were sent for the group, "" for all.
func (w *world) calls(group string) []cloudsim.Effect {
	return slices.DeleteFunc(w.cloud.Effects(), func(e cloudsim.Effect) bool {
		return e.Kind != cloudsim.Called || group != "" && e.Group != group
	})
}

// tells waits until the observer explains the group with one of the texts.
func (w *world) tells(o *observer, within time.Duration, texts ...string) {
	w.Helper()
	g, _ := w.cloud.Group(w.ids[0])
	w.eventually(fmt.Sprintf("%s explains %s with one of %q", o.name, g.Name, texts), within, func() bool {
		said := o.explain(g.Name)
		return slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(said, text) })
	})
}

// explain is what the observer says of the group, in one text.
func (o *observer) explain(group string) string {
	e, err := get[api.Explain](o, "explain?group="+group)
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	for _, r := range e.Rules {
		fmt.Fprintf(&b, "%s %s act %v %s\n", r.Rule, r.State, r.Act, r.HeldBy)
		for _, c := range r.Conditions {
			if !c.OK {
				fmt.Fprintf(&b, "  %s\n", c)
			}
		}
		for _, v := range r.Votes {
			fmt.Fprintf(&b, "  vote of %s at %s: %s (%s)\n", v.Observer, v.Site, v.Verdict, v.Evidence)
		}
	}
	for _, n := range e.Notes {
		fmt.Fprintf(&b, "  note: %s\n", n)
	}
	return b.String()
}

// told is what each observer says now, for a failure.
func (w *world) told() string {
	var b strings.Builder
	for _, n := range w.names {
		o := w.observers[n]
		if !o.alive() || stopped(o.current().cmd.Process.Pid) {
			fmt.Fprintf(&b, "%s is dead or stopped\n", n)
			continue
		}
		s, err := get[api.Status](o, "status")
		fmt.Fprintf(&b, "%s: ready %v %v, leads %v, leader %q, store %+v, unfit:", n, s.Ready, s.NotReady, s.Leads, s.Leader, s.Store)
		for _, f := range s.Fitness {
			if !f.OK {
				fmt.Fprintf(&b, " %s", f)
			}
		}
		fmt.Fprintf(&b, " %v\n", err)
		for _, id := range w.ids[:min(4, len(w.ids))] {
			g, _ := w.cloud.Group(id)
			fmt.Fprintf(&b, "%s of %s: %s", n, g.Name, o.explain(g.Name))
		}
	}
	for _, i := range w.incidents() {
		fmt.Fprintf(&b, "incident %s %s: %s %s %s, %d calls, holder of rule %s\n", i.ID, i.Name, i.Phase, i.HeldBy, i.Error, len(i.Calls), i.Rule)
	}
	for _, e := range w.cloud.Effects() {
		fmt.Fprintf(&b, "effect %s %s %s %s %s\n", e.At.Format("05.000"), e.Kind, e.Group, e.Action, e.Verdict)
	}
	return b.String()
}

// tell prints a figure, in the test's log and for who only sees the output.
func (w *world) tell(format string, args ...any) {
	w.Helper()
	fmt.Printf("chaos: %s: %s\n", w.Name(), fmt.Sprintf(format, args...))
}
