package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/drwatch/drwatch/internal/replication"
)

// deaf loses the first reads.
type deaf struct{ reads int }

func (w *deaf) Pass(_ context.Context, op string) error {
	if op != "read" || w.reads == 0 {
		return nil
	}
	w.reads--
	return errors.New("no route")
}

func (*deaf) Answer(context.Context, string) error { return nil }

// TestRefusedBeforeTheStoreIsAsked: what no store could make right is not tried.
func TestRefusedBeforeTheStoreIsAsked(t *testing.T) {
	claim := func(change func(*replication.Claim)) func(*desk) error {
		return func(d *desk) error {
			c := d.claim("i1", sdrs)
			change(&c)
			rec, err := d.Claim(d.Context(), c)
			if rec.ID != "" {
				d.Errorf("with the error comes %+v", rec)
			}
			return err
		}
	}
	write := func(change func(*replication.Write)) func(*desk) error {
		return func(d *desk) error {
			w := plain(d.claimed("i1", sdrs))
			change(&w)
			d.told.Reset()
			rec, err := d.Write(d.Context(), w)
			if rec.ID != "" {
				d.Errorf("with the error comes %+v", rec)
			}
			return err
		}
	}
	for _, tt := range []struct {
		name string
		ask  func(*desk) error
		want string
	}{
		{"no id", claim(func(c *replication.Claim) { c.Incident.ID = "" }), "is no incident id"},
		{"the persons' journal", claim(func(c *replication.Claim) { c.Incident.ID = replication.PersonsJournal }), "is no incident id"},
		{"no rule", claim(func(c *replication.Claim) { c.Incident.Rule = "" }), "names no rule or no group"},
		{"no provider", claim(func(c *replication.Claim) { c.Incident.Provider = "" }), "names no rule or no group"},
		{"no group", claim(func(c *replication.Claim) { c.Incident.Group = "" }), "names no rule or no group"},
		{"not elected", claim(func(c *replication.Claim) { c.LeaderRev = 0 }), "only an elected leader may claim"},
		{"no observer", claim(func(c *replication.Claim) { c.Observer = "" }), "only an elected leader may claim"},
		{"no snapshot", claim(func(c *replication.Claim) { c.Revision = 0 }), "names no snapshot"},
		{"a vote that was not read", claim(func(c *replication.Claim) { c.Votes[0].Key = "" }), "the vote of obs-a was not read from the store"},
		{"a vote of no revision", claim(func(c *replication.Claim) { c.Votes[0].Rev = 0 }), "the vote of obs-a was not read from the store"},
		{"an incident is open", func(d *desk) error {
			d.claimed("i0", sdrs)
			c := d.claim("i1", sdrs)
			d.told.Reset()
			_, err := d.Claim(d.Context(), c)
			return err
		}, "claiming huawei_sdrs/g/1 for rule r1: the coordination store changed since it was read: incident i0 is open on the group"},
		{"latched", func(d *desk) error {
			d.ok(d.PutGroup(d.Context(), sdrs, replication.GroupRecord{Latch: &replication.Latch{Why: "by hand"}}))
			c := d.claim("i1", sdrs)
			d.told.Reset()
			_, err := d.Claim(d.Context(), c)
			return err
		}, "claiming huawei_sdrs/g/1 for rule r1: the coordination store changed since it was read: the group is latched: by hand"},
		{"a group's record that is not there", claim(func(c *replication.Claim) { c.GroupRev = 99 }), "claiming huawei_sdrs/g/1 for rule r1: the coordination store changed since it was read: the record of the group"},
		{"a slot taken and given back", write(func(w *replication.Write) { w.TakeSlot, w.FreeSlot = true, true }), "taken and given back at once"},
		{"a slot taken and given back by a failure", write(func(w *replication.Write) { w.TakeSlot, w.FreeSlot, w.CountFailed = true, true, true }), "taken and given back at once"},
		{"an entry that no journal can hold", claim(func(c *replication.Claim) { c.Entry.Data = map[string]any{"rate": math.NaN()} }), "claiming huawei_sdrs/g/1 for rule r1: journal entry"},
		{"an entry that no journal can hold, later", write(func(w *replication.Write) { w.Entry.Data = map[string]any{"rate": math.NaN()} }), "writing incident i1 (noted): journal entry"},
		{"a claim whose read gets no answer", func(d *desk) error {
			c := d.claim("i1", sdrs)
			c.GroupRev = 99
			d.Through(&deaf{reads: 1})
			_, err := d.Claim(d.Context(), c)
			return err
		}, "claiming huawei_sdrs/g/1 for rule r1: no route"},
		{"a slot that is not named", write(func(w *replication.Write) { w.TakeSlot = true }), "no slot is named"},
		{"a higher mode", write(func(w *replication.Write) { w.Incident.Mode = "auto!" }), "cannot become"},
		{"an incident that is not there", write(func(w *replication.Write) { w.Incident.ID = "i9" }), "not found"},
		{"another token", write(func(w *replication.Write) { w.Token-- }), "writing incident i1 (noted): the coordination store changed since it was read: the holder of incident i1"},
		{"another revision", write(func(w *replication.Write) { w.IncidentRev-- }), "writing incident i1 (noted): the coordination store changed since it was read: incident i1"},
		{"a take-over by nobody", func(d *desk) error {
			rec := d.claimed("i1", sdrs)
			d.told.Reset()
			_, err := d.TakeOver(d.Context(), rec, replication.Leader{Observer: "obs-a"})
			return err
		}, "only an elected leader may take over"},
		{"a take-over of another revision", func(d *desk) error {
			rec := d.claimed("i1", sdrs)
			d.told.Reset()
			rec.Rev--
			_, err := d.TakeOver(d.Context(), rec, *d.now().Leader)
			return err
		}, "taking over incident i1: the coordination store changed since it was read: incident i1"},
		{"a take-over of another token", func(d *desk) error {
			rec := d.claimed("i1", sdrs)
			d.told.Reset()
			rec.Token--
			_, err := d.TakeOver(d.Context(), rec, *d.now().Leader)
			return err
		}, "taking over incident i1: the coordination store changed since it was read: incident i1"},
		{"a take-over of nothing", func(d *desk) error {
			_, err := d.TakeOver(d.Context(), replication.IncidentRecord{Incident: replication.Incident{ID: "i9"}}, *d.now().Leader)
			return err
		}, "not found"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDesk(t)
			d.ready()
			d.told.Reset()
			if err := tt.ask(d); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want that it says %q", err, tt.want)
			}
			if d.told.Len() > 0 {
				t.Errorf("it was written all the same:\n%s", &d.told)
			}
		})
	}
}

// TestTroubleInATransactionIsTold: without the store nothing is returned, and what
// was tried is said.
func TestTroubleInATransactionIsTold(t *testing.T) {
	away := errors.New("no route")
	for _, tt := range []struct {
		name, want string
		ask        func(*desk) (replication.IncidentRecord, error)
	}{
		{"a claim on what is known", "claiming huawei_sdrs/g/1 for rule r1: no route", func(d *desk) (replication.IncidentRecord, error) {
			c := d.claim("i1", sdrs)
			d.Disconnect(away)
			return d.Claim(d.Context(), c)
		}},
		{"a claim on what must be read", "claiming huawei_sdrs/g/1 for rule r1: no route", func(d *desk) (replication.IncidentRecord, error) {
			c := d.claim("i1", sdrs)
			c.GroupRev = 99
			d.Disconnect(away)
			return d.Claim(d.Context(), c)
		}},
		{"a write", "writing incident i1 (noted): reading incident i1: no route", func(d *desk) (replication.IncidentRecord, error) {
			w := plain(d.claimed("i1", sdrs))
			d.Disconnect(away)
			return d.Write(d.Context(), w)
		}},
		{"a write that is not applied", "writing incident i1 (noted): no route", func(d *desk) (replication.IncidentRecord, error) {
			w := plain(d.claimed("i1", sdrs))
			d.FailNext("write", away)
			return d.Write(d.Context(), w)
		}},
		{"a take-over", "taking over incident i1: reading incident i1: no route", func(d *desk) (replication.IncidentRecord, error) {
			rec, leader := d.claimed("i1", sdrs), *d.now().Leader
			d.Disconnect(away)
			return d.TakeOver(d.Context(), rec, leader)
		}},
		{"a take-over that is not applied", "taking over incident i1: no route", func(d *desk) (replication.IncidentRecord, error) {
			rec := d.claimed("i1", sdrs)
			d.FailNext("take over", away)
			return d.TakeOver(d.Context(), rec, *d.now().Leader)
		}},
		{"a clock that cannot be read", "writing incident i1 (intent): the cluster clock", func(d *desk) (replication.IncidentRecord, error) {
			w := d.intent(d.claimed("i1", sdrs))
			d.ok(d.Raw("/drwatch/test/clock", "noon"))
			return d.Write(d.Context(), w)
		}},
		{"a loss that cannot be read", "writing incident i1 (failed): key /drwatch/test/loss/az-a", func(d *desk) (replication.IncidentRecord, error) {
			w := d.ended(d.claimed("i1", sdrs))
			d.ok(d.Raw("/drwatch/test/loss/az-a", "az-a"))
			return d.Write(d.Context(), w)
		}},
		{"a group's record that cannot be read", "claiming huawei_sdrs/g/1 for rule r1: key /drwatch/test/group/huawei_sdrs/g%2F1", func(d *desk) (replication.IncidentRecord, error) {
			c := d.claim("i1", sdrs)
			d.ok(d.Raw("/drwatch/test/group/huawei_sdrs/g%2F1", "latched"))
			c.GroupRev = 99
			return d.Claim(d.Context(), c)
		}},
		{"an incident too large to be kept", "does not fit into a record", func(d *desk) (replication.IncidentRecord, error) {
			c := d.claim("i1", sdrs)
			c.Incident.Guards = make([]replication.Condition, 2000)
			return d.Claim(d.Context(), c)
		}},
		{"an incident that has grown too large", "does not fit into a record", func(d *desk) (replication.IncidentRecord, error) {
			w := plain(d.claimed("i1", sdrs))
			w.Incident.Guards = make([]replication.Condition, 2000)
			return d.Write(d.Context(), w)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDesk(t)
			d.ready()
			rec, err := tt.ask(d)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want that it says %q", err, tt.want)
			}
			if rec.ID != "" || rec.Rev != 0 {
				t.Errorf("with the error comes %+v", rec)
			}
		})
	}
}

// TestOnlyTheCountOfFailuresIsTriedAgain: other incidents of the loss may fail at
// the same time, which is no reason to decide again; anything else is.
func TestOnlyTheCountOfFailuresIsTriedAgain(t *testing.T) {
	const count = "the count of failures in the site loss"
	for _, tt := range []struct {
		times   int
		changed []string
		written bool
	}{
		{1, []string{count}, true},
		{7, []string{count}, true},
		{8, []string{count}, false},
		{1, []string{"the leader"}, false},
		{1, []string{count, "the leader"}, false},
		{1, []string{"the leader", count}, false},
		{1, nil, false},
	} {
		t.Run(fmt.Sprint(tt.times, tt.changed), func(t *testing.T) {
			d := newDesk(t)
			d.ready()
			w := d.ended(d.claimed("i1", sdrs))
			for range tt.times {
				d.ConflictNext("write", tt.changed...)
			}
			_, err := d.Write(d.Context(), w)
			if tt.written != (err == nil) || err != nil && !errors.Is(err, replication.ErrConflict) {
				t.Errorf("got %v, want written %t", err, tt.written)
			}
		})
	}
}

// TestAClaimAsksNothingMore: what the claim was decided on is known, and its readers
// may be far from each other.
func TestAClaimAsksNothingMore(t *testing.T) {
	d := newDesk(t)
	d.ready()
	d.ok(d.PutGroup(d.Context(), sdrs, replication.GroupRecord{Baseline: "a>b"}))
	c := d.claim("i1", sdrs)
	d.Through(&deaf{reads: 1})
	_, err := d.Claim(d.Context(), c)
	d.ok(err)
}
