package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/drwatch/drwatch/internal/api"
	"github.com/drwatch/drwatch/internal/client"
	"github.com/drwatch/drwatch/internal/cloudsim"
	"github.com/drwatch/drwatch/internal/replication"
)

// eventually waits for a condition, and tells whether it came.
func (w *world) eventually(ctx context.Context, within time.Duration, ok func(context.Context) bool) bool {
	end := time.Now().Add(within)
	for !ok(ctx) {
		if time.Now().After(end) || !pause(ctx, 250*time.Millisecond) {
			return false
		}
	}
	return true
}

// witness is the observer that is never killed.
func (w *world) witness() *client.Client { return w.daemons[len(w.daemons)-1].api }

// leader is who leads, nil when nobody does within a minute.
func (w *world) leader(ctx context.Context) (found *daemon) {
	w.eventually(ctx, time.Minute, func(ctx context.Context) bool {
		for _, d := range w.daemons {
			if !d.runs() {
				continue
			}
			if s, err := d.api.Status(ctx); err == nil && s.Leads {
				found = d
			}
		}
		return found != nil
	})
	return found
}

func (w *world) ready(ctx context.Context) bool { return w.notReady(ctx) == "" }

// settled: all observers vouch for themselves, every group could be failed over, and
// that is also so: a poll may be older than what was last done to the group.
func (w *world) settled(ctx context.Context) bool {
	for _, id := range w.ids {
		if g, _ := w.cloud.Group(id); !g.Replicating {
			return false
		}
	}
	return w.ready(ctx)
}

// notReady is what keeps the observers from acting, "" for nothing.
func (w *world) notReady(ctx context.Context) string {
	var b strings.Builder
	for _, d := range w.daemons {
		s, err := d.api.Status(ctx)
		if err != nil || !s.Ready || s.Leader == "" || s.Freeze != nil {
			fmt.Fprintf(&b, "%s: ready %v %v, leader %q, frozen %v, %v. ", d.name, s.Ready, s.NotReady, s.Leader, s.Freeze != nil, err)
		}
		for _, f := range s.Fitness {
			if !f.OK {
				fmt.Fprintf(&b, "%s: %s. ", d.name, f)
			}
		}
	}
	return b.String() + w.unsettled(ctx)
}

// unsettled is which groups could not be failed over now, and why.
func (w *world) unsettled(ctx context.Context) string {
	groups, err := w.witness().Groups(ctx)
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	seen := 0
	for _, g := range groups {
		if strings.HasPrefix(g.Name, passing) {
			continue
		}
		seen++
		if !g.FailoverReady || g.OpenIncident != "" || g.Latched != "" || g.State != replication.Replicating {
			fmt.Fprintf(&b, "%s: %s, ready %v, incident %q, latched %q. ", g.Name, g.State, g.FailoverReady, g.OpenIncident, g.Latched)
		}
	}
	if seen != len(w.ids) {
		fmt.Fprintf(&b, "%d groups are shown, want %d", seen, len(w.ids))
	}
	return b.String()
}

// reset does what people do after a loss: the groups are protected again where they
// are now. Those of EBS and DWS go back: rules move the former in one direction only,
// and a warehouse whose roles are swapped tells its loss and a failover that has been
// by the same word.
func (w *world) reset(ctx context.Context, ids []string) {
	var all sync.WaitGroup
	for _, id := range ids {
		g, _ := w.cloud.Group(id)
		all.Go(func() {
			if err := w.resetOne(ctx, g); err != nil && ctx.Err() == nil {
				w.wrong("%s could not be brought back: %v", g.Name, err)
			}
		})
	}
	all.Wait()
}

func (w *world) resetOne(ctx context.Context, g cloudsim.GroupState) error {
	last, err := w.ended(ctx, g.ID)
	if err != nil {
		return err
	}
	if last.Phase != replication.Succeeded {
		return fmt.Errorf("incident %s is %s: %s", last.ID, last.Phase, last.Error)
	}
	if g.Provider == replication.HuaweiDWS { // reprotecting drops the data: people do it at the provider
		if err := w.cloud.SetStatus(g.ID, "running"); err != nil {
			return err
		}
	}
	w.eventually(ctx, soon, func(ctx context.Context) bool {
		now, err := w.group(ctx, g.ID)
		if err != nil || now.Latched == "" {
			return err == nil
		}
		return w.witness().Answer(ctx, "ack", last.ID, api.Reason{Reason: "the soak has looked", Who: "soak"}) == nil
	})
	switch g.Provider {
	case replication.HuaweiDWS:
		return w.act(ctx, g.ID, replication.Switchover)
	case replication.AliyunEBS:
		if err := w.act(ctx, g.ID, replication.Reprotect); err != nil {
			return err
		}
		w.mu.Lock()
		w.expected[g.ID]++ // the cloud counts what follows as one
		w.mu.Unlock()
		return w.act(ctx, g.ID, replication.Switchover)
	default:
		return w.act(ctx, g.ID, replication.Reprotect)
	}
}

func (w *world) group(ctx context.Context, id string) (api.Group, error) {
	groups, err := w.witness().Groups(ctx)
	for _, g := range groups {
		if g.Group == id {
			return g, err
		}
	}
	return api.Group{}, errors.Join(err, fmt.Errorf("group %s is not shown", id))
}

// ended waits until the newest incident of the group has ended.
func (w *world) ended(ctx context.Context, id string) (last replication.Incident, err error) {
	ok := w.eventually(ctx, soon, func(ctx context.Context) bool {
		var all []replication.Incident
		if all, err = w.witness().Incidents(ctx, 100); err != nil {
			return false
		}
		for _, i := range all {
			if i.Group == id {
				last = i
				return i.Phase.Ended()
			}
		}
		return false
	})
	if !ok && err == nil {
		err = fmt.Errorf("its incident %s has not ended in %s: %s %s", last.ID, soon, last.Phase, last.HeldBy)
	}
	return last, err
}

// act asks for an action as a person does, again while it is refused, and follows it.
func (w *world) act(ctx context.Context, id string, action replication.Action) error {
	var refused error
	var asked api.Asked
	began := w.eventually(ctx, soon, func(ctx context.Context) bool {
		d := w.leader(ctx) // the others refuse
		if d == nil {
			return false
		}
		asked, refused = d.api.Act(ctx, api.Ask{Group: id, Action: action, Reason: "the soak goes on", Who: "soak"})
		return refused == nil
	})
	if !began {
		return fmt.Errorf("%s: %w", action, refused)
	}
	w.did("actions of persons")
	var last api.Incident
	ended := w.eventually(ctx, soon, func(ctx context.Context) bool {
		now, err := w.witness().Incident(ctx, asked.Incident.ID)
		if err == nil {
			last = now
		}
		return last.Phase.Ended()
	})
	if !ended || last.Phase != replication.Succeeded {
		return fmt.Errorf("%s: incident %s is %q after %s: %s %s", action, asked.Incident.ID, last.Phase, soon, last.HeldBy, last.Error)
	}
	return nil
}
