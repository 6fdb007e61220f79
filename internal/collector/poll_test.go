package collector_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/drwatch/drwatch/internal/collector"
	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/replication"
)

// virtual runs a test of a house on virtual time and checks its series' order.
func virtual(t *testing.T, f func(t *testing.T, h *house)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		f(t, h)
		if h.stop != nil {
			h.stop()
		}
		for _, fault := range h.series.faults() {
			t.Errorf("the series store would drop a set: %s", fault)
		}
	})
}

// after waits that long, and until all that is due is done.
func after(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func only(accounts ...collector.AccountSettings) collector.Settings {
	return collector.Settings{Accounts: accounts, Sites: sites()}
}

func state(t *testing.T, h *house, account string) collector.Account {
	t.Helper()
	a, ok := h.Snapshot().Account(account)
	if !ok {
		t.Fatalf("account %s is not in the snapshot", account)
	}
	return a
}

func TestPollFillsTheSnapshot(t *testing.T) {
	virtual(t, func(t *testing.T, h *house) {
		r := &reader{groups: []replication.Group{plainGroup("g1")}, bad: map[string]int{"progress": 2}}
		if h.Ready() {
			t.Error("ready before anything is configured")
		}
		h.run(t, only(account("hw", r)))
		after(time.Millisecond)
		if !h.Ready() {
			t.Error("not ready after the first poll")
		}
		g, ok := h.Snapshot().Groups[key("g1")]
		if !ok || g.Account != "hw" || g.SourceSite != "az-a" || g.TargetSite != "az-b" || g.ActiveSite != "az-a" || g.StandbySite != "az-b" {
			t.Errorf("group %+v", g)
		}
		a := state(t, h, "hw")
		if !a.Tried || !a.Up || a.Error != "" || a.Groups != 1 || a.Bad["progress"] != 2 || a.LastSuccess.IsZero() {
			t.Errorf("account %+v", a)
		}
		after(65 * time.Second)
		if n := r.calls(); n != 3 {
			t.Errorf("%d polls in 65s at 30s, want 3", n)
		}
	})
}

func TestFailedPollKeepsTheLastGoodState(t *testing.T) {
	virtual(t, func(t *testing.T, h *house) {
		r := &reader{groups: []replication.Group{plainGroup("g1"), plainGroup("g2")}}
		h.run(t, only(account("hw", r)))
		after(time.Second)
		good := state(t, h, "hw").LastSuccess
		// Partial: an error together with some groups.
		r.change(func(r *reader) { r.groups, r.err = r.groups[:1], errors.New("page 2:\nHTTP 502") })
		after(5 * time.Minute)
		s := h.Snapshot()
		if len(s.Groups) != 2 {
			t.Errorf("%d groups, want the 2 of the last complete poll", len(s.Groups))
		}
		a := state(t, h, "hw")
		if age, ok := a.Age(time.Now()); a.Up || a.Error != "page 2: HTTP 502" || !a.LastSuccess.Equal(good) || !ok || age != 5*time.Minute+time.Second {
			t.Errorf("account %+v of age %s, want it down, and the age of its data growing", a, age)
		}
		if v, ok := h.series.value(`{__name__="drwatch_account_up", account="hw", provider="huawei_sdrs"}`); !ok || v != 0 {
			t.Errorf("up is %v, %t in the series, want 0", v, ok)
		}
		r.change(func(r *reader) { r.err = nil })
		after(30 * time.Second)
		if a := state(t, h, "hw"); !a.Up || a.Error != "" || len(h.Snapshot().Groups) != 1 {
			t.Errorf("account %+v, want it up again with 1 group", a)
		}
	})
}

func TestFailedPollGivesNoSampleOfItsGroups(t *testing.T) {
	virtual(t, func(t *testing.T, h *house) {
		r := &reader{groups: []replication.Group{plainGroup("g1")}}
		h.run(t, only(account("hw", r)))
		after(time.Second)
		was := h.series.spoke("groups/hw")
		r.change(func(r *reader) { r.err = errors.New("down") })
		after(2 * time.Minute)
		if is := h.series.spoke("groups/hw"); !is.Equal(was) {
			t.Errorf("groups were fed at %s although no poll was complete since %s", is, was)
		}
	})
}

func TestHangingReaderDelaysNobody(t *testing.T) {
	virtual(t, func(t *testing.T, h *house) {
		stuck := &reader{hangs: make(chan struct{}), groups: []replication.Group{plainGroup("g2")}}
		fine := &reader{groups: []replication.Group{plainGroup("g1")}}
		h.run(t, only(account("stuck", stuck), account("fine", fine)))
		after(time.Second)
		if h.Ready() {
			t.Error("ready although an account's first poll has not ended")
		}
		if len(h.Snapshot().Groups) != 1 {
			t.Error("the other account's groups are not there")
		}
		after(20 * time.Second)
		if a := state(t, h, "stuck"); a.Up || !strings.Contains(a.Error, "no answer within 20s") {
			t.Errorf("account %+v", a)
		}
		if !h.Ready() {
			t.Error("not ready although each account was tried")
		}
		after(5 * time.Minute)
		if n := stuck.calls(); n != 3 {
			t.Errorf("%d calls pile up on a reader that never returns, want 3", n)
		}
		if a := state(t, h, "stuck"); !strings.Contains(a.Error, "3 earlier questions still hang") {
			t.Errorf("account %+v", a)
		}
		if n := fine.calls(); n != 11 {
			t.Errorf("%d polls of the other account in 5m21s, want 11", n)
		}
		close(stuck.hangs)
		after(30 * time.Second)
		if a := state(t, h, "stuck"); !a.Up || len(h.Snapshot().Groups) != 2 {
			t.Errorf("account %+v, want it up after its reader came back", a)
		}
	})
}

func TestPanicOfAReaderIsAnError(t *testing.T) {
	virtual(t, func(t *testing.T, h *house) {
		r := &reader{groups: []replication.Group{plainGroup("g1")}}
		h.run(t, only(account("hw", r)))
		after(time.Second)
		r.change(func(r *reader) { r.panics = true })
		after(30 * time.Second)
		if a := state(t, h, "hw"); a.Up || a.Error != "the reader panicked (string)" || len(h.Snapshot().Groups) != 1 {
			t.Errorf("account %+v", a)
		}
		if log := h.log.String(); strings.Contains(log, "a secret") {
			t.Errorf("the panic's value is in the log: %s", log)
		}
	})
}

func TestFallbackAnswersWhenTheReaderDoesNot(t *testing.T) {
	virtual(t, func(t *testing.T, h *house) {
		first, other := &reader{groups: []replication.Group{plainGroup("g1")}}, &reader{groups: []replication.Group{plainGroup("g1")}}
		a := account("ali", first)
		a.Fallback = other
		h.run(t, only(a))
		after(time.Second)
		if s := state(t, h, "ali"); s.Fallback || other.calls() != 0 || h.Snapshot().Groups[key("g1")].Side != "primary" {
			t.Errorf("account %+v: the fallback was asked without need", s)
		}
		first.change(func(r *reader) { r.waits = true })
		after(time.Minute)
		s := state(t, h, "ali")
		if !s.Up || !s.Fallback || h.Snapshot().Groups[key("g1")].Side != "secondary" {
			t.Errorf("account %+v, want it up by its fallback", s)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		g, err := h.Read(ctx, key("g1"))
		if err != nil || g.Side != "secondary" || g.Account != "ali" {
			t.Errorf("read %+v, %v, want the secondary's answer within 10s", g, err)
		}
		other.change(func(r *reader) { r.err = errors.New("no route") })
		after(time.Minute)
		if s := state(t, h, "ali"); s.Up || !strings.Contains(s.Error, "context deadline exceeded; and from the other endpoint: no route") {
			t.Errorf("account %+v, want both errors told", s)
		}
	})
}

func TestReadAndTrack(t *testing.T) {
	virtual(t, func(t *testing.T, h *house) {
		first, other := &reader{groups: []replication.Group{plainGroup("g1")}}, &reader{}
		a := account("hw", first)
		a.Fallback = other
		h.run(t, only(a))
		after(time.Second)
		fresh := plainGroup("g1")
		fresh.RawStatus = "failed-over"
		first.change(func(r *reader) { r.groups = []replication.Group{fresh} })
		if g, err := h.Read(t.Context(), key("g1")); err != nil || g.RawStatus != "failed-over" || g.Account != "hw" {
			t.Errorf("read %+v, %v", g, err)
		}
		if p, err := h.Track(t.Context(), key("g1"), "j1"); err != nil || p.Detail != "job j1" || p.Group.Account != "hw" {
			t.Errorf("track %+v, %v", p, err)
		}
		first.change(func(r *reader) { r.groups = nil })
		if _, err := h.Read(t.Context(), key("g1")); !errors.Is(err, provider.ErrNotFound) {
			t.Errorf("%v, want ErrNotFound: the reader answered", err)
		}
		// Silence of the first is not undone by the other not knowing the group.
		first.change(func(r *reader) { r.err = errors.New("connection refused") })
		if _, err := h.Read(t.Context(), key("g1")); err == nil || errors.Is(err, provider.ErrNotFound) {
			t.Errorf("%v, want an error that is not ErrNotFound", err)
		}
		if _, err := h.Read(t.Context(), key("never seen")); !errors.Is(err, provider.ErrNotFound) {
			t.Errorf("%v, want ErrNotFound", err)
		}
	})
}

func TestReadOfAVanishedGroupGoesToItsLastAccount(t *testing.T) {
	virtual(t, func(t *testing.T, h *house) {
		r := &reader{groups: []replication.Group{plainGroup("g1")}}
		h.run(t, only(account("other", &reader{}), account("hw", r)))
		after(time.Second)
		r.change(func(r *reader) { r.groups = nil })
		after(30 * time.Second)
		r.change(func(r *reader) { r.groups = []replication.Group{plainGroup("g1")} })
		if g, err := h.Read(t.Context(), key("g1")); err != nil || g.Account != "hw" {
			t.Errorf("read %+v, %v", g, err)
		}
	})
}
