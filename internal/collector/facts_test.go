package collector_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drwatch/drwatch/internal/collector"
	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/replication"
)

// knowing is an account of the test's own that also knows what changes slowly.
type knowing struct {
	*reader
	facts   provider.SlowFacts
	fails   error
	asked   []time.Time
	explode bool
	forever bool // questions wait for the end of their context
	stuck   chan struct{}
}

func (k *knowing) SlowFacts(ctx context.Context) (provider.SlowFacts, error) {
	k.mu.Lock()
	k.asked = append(k.asked, time.Now())
	facts, fails, explode, forever, stuck := k.facts, k.fails, k.explode, k.forever, k.stuck
	k.mu.Unlock()
	switch {
	case explode:
		panic("a secret")
	case stuck != nil:
		<-stuck
	case forever:
		<-ctx.Done()
		return provider.SlowFacts{}, ctx.Err()
	}
	return facts, fails
}

func (k *knowing) set(f func(*knowing)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	f(k)
}

func (k *knowing) times() []time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	return append([]time.Time(nil), k.asked...)
}

// drills tells n drills of group g1, and all else as empty.
func drills(n int) provider.SlowFacts {
	return provider.SlowFacts{
		Quotas: []provider.Quota{{Resource: "replications", Used: float64(n)}},
		Drills: []provider.GroupCount{{GroupID: "g1", Kind: "available", Count: n}},
	}
}

func knower(groups ...replication.Group) *knowing {
	return &knowing{reader: &reader{groups: groups}, facts: drills(1)}
}

const (
	drillsOfG1 = `{__name__="drwatch_drills", account="hw", group="g1", status="available"}`
	quotaUsed  = `{__name__="drwatch_quota_used", account="hw", resource="replications"}`
	drillsRead = `{__name__="drwatch_account_facts_last_success_timestamp_seconds", account="hw", fact="drills"}`
)

// shown is the value of one series on /metrics now.
func shown(h *house, metric string, labels ...string) (float64, bool) {
	for _, s := range h.Snapshot().Samples(time.Now()) {
		if s.Metric == metric && cmp.Equal(s.Labels, labels) {
			return s.Value, true
		}
	}
	return 0, false
}

// TestDrillsThatAreNotAllRead keep the age of the last time that they were: what
// was read of some groups is shown, and when nothing was, what was known.
func TestDrillsThatAreNotAllRead(t *testing.T) {
	virtual(t, func(t *testing.T, h *house) {
		unread := provider.GroupCount{Kind: "not_read", Count: 7}
		some := append(drills(5).Drills, unread)
		k := knower(plainGroup("g1"))
		k.facts.Drills = some
		h.run(t, only(account("hw", k)))
		age := func() (time.Time, bool) {
			v, told := shown(h, "drwatch_account_facts_last_success_timestamp_seconds", "hw", "drills")
			return time.UnixMilli(int64(v * 1000)), told
		}
		want := func(what string, count float64, read time.Time) {
			t.Helper()
			v, _ := shown(h, "drwatch_drills", "hw", "g1", "available")
			if at, told := age(); v != count || told == read.IsZero() || told && !at.Equal(read) {
				t.Errorf("%s: %v drills read at %s, %t; want %v, %s", what, v, at, told, count, read)
			}
			if _, told := shown(h, "drwatch_drills", "hw", "", "not_read"); told {
				t.Errorf("%s: groups are counted as drills", what)
			}
			if at, told := shown(h, "drwatch_account_facts_last_success_timestamp_seconds", "hw", "quotas"); !told || time.Since(time.UnixMilli(int64(at*1000))) > 6*time.Minute {
				t.Errorf("%s: the quotas are as old", what)
			}
		}
		after(30 * time.Second)
		want("never read in full", 5, time.Time{})
		k.set(func(k *knowing) { k.facts = drills(2) })
		after(6 * time.Minute)
		read, _ := age()
		want("read in full", 2, read)
		k.set(func(k *knowing) { k.facts.Drills = []provider.GroupCount{unread} })
		after(6 * time.Minute)
		want("nothing could be read", 2, read)
		// Some could be read, and nothing else: between two polls, so that the version
		// changes for that alone.
		answer := make(chan struct{})
		k.set(func(k *knowing) {
			k.facts, k.fails, k.stuck = provider.SlowFacts{Drills: some}, errors.New("no more"), answer
		})
		asked := len(k.times())
		for len(k.times()) == asked {
			after(time.Second)
		}
		version := h.Snapshot().Version(state(t, h, "hw"))
		close(answer)
		after(time.Second)
		want("some could be read", 5, read)
		if h.Snapshot().Version(state(t, h, "hw")) == version {
			t.Error("other drills under the same version")
		}
		k.set(func(k *knowing) { k.facts, k.fails = drills(3), nil })
		after(6 * time.Minute)
		if at, _ := age(); !at.After(read) {
			t.Error("read in full again, and as old as before")
		}
	})
}

func TestFactsAreAskedMoreRarelyThanGroups(t *testing.T) {
	virtual(t, func(t *testing.T, h *house) {
		k := knower(plainGroup("g1"))
		k.err = errors.New("down")
		h.run(t, only(account("hw", k)))
		began := time.Now()
		after(time.Minute)
		if n := len(k.times()); n != 0 {
			t.Errorf("asked %d times before a poll was complete", n)
		}
		k.change(func(r *reader) { r.err = nil })
		after(30 * time.Second)
		if n := len(k.times()); n != 1 {
			t.Fatalf("asked %d times after the first complete poll, want once", n)
		}
		if v, ok := shown(h, "drwatch_drills", "hw", "g1", "available"); !ok || v != 1 {
			t.Errorf("drills are %v, %t, want 1", v, ok)
		}
		if v, ok := h.series.value(drillsOfG1); !ok || v != 1 {
			t.Errorf("drills are %v, %t in the series, want 1", v, ok)
		}
		k.set(func(k *knowing) { k.facts = drills(3) })
		after(5*time.Minute - time.Second)
		if v, _ := h.series.value(drillsOfG1); len(k.times()) != 1 || v != 1 {
			t.Errorf("asked %d times within the interval", len(k.times()))
		}
		after(time.Minute)
		if v, _ := h.series.value(drillsOfG1); len(k.times()) != 2 || v != 3 {
			t.Errorf("asked %d times, drills are %v", len(k.times()), v)
		}
		if n, polls := len(k.times()), k.calls(); n != 2 || polls < 14 {
			t.Errorf("%d questions and %d polls in %s", n, polls, time.Since(began))
		}
		for _, at := range k.times() {
			if d := at.Sub(began) % (30 * time.Second); d != 0 {
				t.Errorf("asked %s after a poll was due, want right after one", d)
			}
		}
	})
}

func TestLeastIntervalOfFacts(t *testing.T) {
	for poll, want := range map[time.Duration]time.Duration{time.Second: time.Minute, 6 * time.Second: time.Minute, 30 * time.Second: 5 * time.Minute, time.Hour: 10 * time.Hour} {
		if got := collector.FactsInterval(poll); got != want {
			t.Errorf("every %s at a poll each %s, want %s", got, poll, want)
		}
	}
}

// What fails stays as it was, and its age tells.
func TestFailedFactsKeepTheLastGoodOnes(t *testing.T) {
	virtual(t, func(t *testing.T, h *house) {
		k := knower(plainGroup("g1"))
		h.run(t, only(account("hw", k)))
		after(time.Second)
		read, _ := shown(h, "drwatch_account_facts_last_success_timestamp_seconds", "hw", "drills")
		if want := float64(time.Now().Add(-time.Second).UnixMilli()) / 1000; read != want {
			t.Errorf("read at %v, want %v", read, want)
		}
		fed := h.series.spoke("facts/hw")
		k.set(func(k *knowing) { k.fails, k.facts = errors.New("HTTP 403:\nno"), provider.SlowFacts{} })
		after(6 * time.Minute)
		if n := len(k.times()); n != 2 {
			t.Fatalf("asked %d times, want 2", n)
		}
		facts := state(t, h, "hw").Facts
		if diff := cmp.Diff(drills(1), facts.SlowFacts); diff != "" || facts.Error != "HTTP 403: no" {
			t.Errorf("error %q, facts (-want +got):\n%s", facts.Error, diff)
		}
		if again, ok := shown(h, "drwatch_account_facts_last_success_timestamp_seconds", "hw", "drills"); !ok || again != read {
			t.Errorf("age %v, %t, want that of what is shown", again, ok)
		}
		if at := h.series.spoke("facts/hw"); !at.Equal(fed) {
			t.Errorf("old facts were fed as new at %s", at)
		}
		if a := state(t, h, "hw"); !a.Up || a.Error != "" || k.calls() != 13 {
			t.Errorf("account %+v after %d polls: its polls are not concerned", a, k.calls())
		}
		// Of two parts the one that was read is taken, also with an error.
		k.set(func(k *knowing) { k.facts = provider.SlowFacts{Drills: []provider.GroupCount{}} })
		after(5 * time.Minute)
		if v, ok := shown(h, "drwatch_drills", "hw", "g1", "available"); ok {
			t.Errorf("drills are %v, and there are none", v)
		}
		if v, ok := shown(h, "drwatch_quota_used", "hw", "replications"); !ok || v != 1 {
			t.Errorf("quota %v, %t, want the old one", v, ok)
		}
		if newer, _ := shown(h, "drwatch_account_facts_last_success_timestamp_seconds", "hw", "drills"); newer <= read {
			t.Errorf("drills read at %v, want newer than %v", newer, read)
		}
		if old, _ := shown(h, "drwatch_account_facts_last_success_timestamp_seconds", "hw", "quotas"); old != read {
			t.Errorf("quotas read at %v, want %v", old, read)
		}
		if _, ok := h.series.value(quotaUsed); ok {
			t.Error("the old quota was fed as new")
		}
		if _, ok := h.series.value(drillsRead); !ok {
			t.Error("what was read is not in the series")
		}
		// Without an error, what is not told any more goes.
		k.set(func(k *knowing) { k.fails = nil })
		after(5 * time.Minute)
		if v, ok := shown(h, "drwatch_quota_used", "hw", "replications"); ok {
			t.Errorf("quota %v, and it is not told", v)
		}
		if facts := state(t, h, "hw").Facts; facts.Error != "" || len(facts.Read) != 1 {
			t.Errorf("%+v", facts)
		}
	})
}

// Facts that hang, panic or never end are cut off before the next poll is due,
// and no poll is late or fails for them.
func TestFactsNeverDelayPolls(t *testing.T) {
	for name, change := range map[string]func(*knowing){
		"hang":  func(k *knowing) { k.stuck = make(chan struct{}) },
		"panic": func(k *knowing) { k.explode = true },
		"wait":  func(k *knowing) { k.forever = true },
	} {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(t *testing.T, h *house) {
				k := knower(plainGroup("g1"))
				change(k)
				h.run(t, only(account("hw", k)))
				after(27*time.Second + time.Millisecond) // up to a tenth before the next poll, and to say so
				if name == "wait" {
					if facts := state(t, h, "hw").Facts; !strings.Contains(facts.Error, "deadline") {
						t.Errorf("%q: not cut off before the next poll", facts.Error)
					}
				}
				after(time.Second)
				if facts := state(t, h, "hw").Facts; facts.Error == "" || len(facts.Read) != 0 {
					t.Errorf("%+v", facts)
				}
				after(time.Hour)
				if a := state(t, h, "hw"); !a.Up || a.Error != "" || k.calls() != 121 {
					t.Errorf("account %+v after %d polls, want 121", a, k.calls())
				}
				if k.stuck != nil {
					if n := len(k.times()); n != 3 {
						t.Errorf("%d questions pile up, want 3", n)
					}
					close(k.stuck)
				}
				h.stop()
				h.stop = nil
				if strings.Contains(state(t, h, "hw").Facts.Error+h.log.String(), "a secret") {
					t.Error("the panic's value was told")
				}
			})
		})
	}
}

// The series of facts go with their group, and with their account.
func TestFactsVanishWithTheirGroupAndAccount(t *testing.T) {
	virtual(t, func(t *testing.T, h *house) {
		k := knower(plainGroup("g1"), plainGroup("g2"))
		a := account("hw", k)
		h.run(t, only(a))
		after(time.Second)
		k.change(func(r *reader) { r.groups = r.groups[1:] })
		after(30 * time.Second)
		if v, ok := shown(h, "drwatch_drills", "hw", "g1", "available"); ok {
			t.Errorf("drills are %v of a group that is gone", v)
		}
		if _, ok := shown(h, "drwatch_quota_used", "hw", "replications"); !ok {
			t.Error("the quota went with the group")
		}
		a.PollInterval = 20 * time.Second
		if err := h.Update(only(a)); err != nil {
			t.Fatal(err)
		}
		if _, ok := shown(h, "drwatch_quota_used", "hw", "replications"); !ok {
			t.Error("an account that stays loses its facts with a reload")
		}
		if err := h.Update(only(account("other", &reader{}))); err != nil {
			t.Fatal(err)
		}
		for _, s := range h.Snapshot().Samples(time.Now()) {
			if strings.HasPrefix(s.Metric, "drwatch_quota") || strings.HasPrefix(s.Metric, "drwatch_account_facts") {
				t.Errorf("%s %v after its account left", s.Metric, s.Labels)
			}
		}
		if _, ok := h.series.value(quotaUsed); ok {
			t.Error("the series go on after the account left")
		}
	})
}

// An account shows the facts of a group only where it holds the group: not of
// one that its filters leave out.
func TestFactsOfGroupsThatAreNotWatched(t *testing.T) {
	virtual(t, func(t *testing.T, h *house) {
		a := account("hw", knower(plainGroup("g1")))
		a.Exclude = []string{".*"}
		h.run(t, only(a))
		after(time.Second)
		if v, ok := shown(h, "drwatch_drills", "hw", "g1", "available"); ok {
			t.Errorf("drills are %v of a group that is left out", v)
		}
	})
}

// A provider that tells one thing twice does not take /metrics away.
func TestFactsThatAreToldTwice(t *testing.T) {
	virtual(t, func(t *testing.T, h *house) {
		k := knower(plainGroup("g1"))
		early := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
		k.facts.Quotas = append(k.facts.Quotas, provider.Quota{Resource: "replications", Used: 9})
		k.facts.Drills = append(k.facts.Drills, provider.GroupCount{GroupID: "g1", Kind: "available", Count: 2})
		k.facts.Expiries = []provider.Expiry{{GroupID: "g1", Pair: "p", At: early.Add(time.Hour)}, {GroupID: "g1", Pair: "p", At: early}}
		h.run(t, only(account("hw", k)))
		after(time.Second)
		if _, err := registry(t, h).Gather(); err != nil {
			t.Fatal(err)
		}
		used, _ := shown(h, "drwatch_quota_used", "hw", "replications")
		n, _ := shown(h, "drwatch_drills", "hw", "g1", "available")
		at, _ := shown(h, "drwatch_pair_expiry_timestamp_seconds", "hw", "g1", "p")
		if used != 1 || n != 3 || at != float64(early.Unix()) {
			t.Errorf("used %v, drills %v, expiry %v", used, n, at)
		}
	})
}

// The other endpoint is asked for facts when the account's own does not answer,
// if it knows any.
func TestFactsFromTheOtherEndpoint(t *testing.T) {
	virtual(t, func(t *testing.T, h *house) {
		k, other := knower(plainGroup("g1")), knower(plainGroup("g1"))
		k.fails, k.facts, other.facts = errors.New("no route"), provider.SlowFacts{}, drills(7)
		a := account("hw", k)
		a.Fallback = other
		h.run(t, only(a))
		after(time.Second)
		if v, ok := shown(h, "drwatch_drills", "hw", "g1", "available"); !ok || v != 7 {
			t.Errorf("drills are %v, %t, want the other's", v, ok)
		}
		a.Fallback = &reader{}
		if err := h.Update(only(a)); err != nil {
			t.Fatal(err)
		}
		after(2 * time.Second)
		if facts := state(t, h, "hw").Facts; facts.Error != "no route" {
			t.Errorf("%+v", facts)
		}
	})
}
