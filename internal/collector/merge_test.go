package collector_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drwatch/drwatch/internal/collector"
	"github.com/drwatch/drwatch/internal/replication"
)

// held is the groups of the snapshot as id → account.
func held(h *house) map[string]string {
	all := map[string]string{}
	for k, g := range h.Snapshot().Groups {
		all[k.ID] = g.Account
	}
	return all
}

func TestTwoAccountsOneGroup(t *testing.T) {
	virtual(t, func(t *testing.T, h *house) {
		first := &reader{groups: []replication.Group{plainGroup("g1"), plainGroup("shared")}}
		second := &reader{groups: []replication.Group{plainGroup("shared"), plainGroup("g2")}}
		h.run(t, only(account("first", first), account("second", second)))
		after(5 * time.Minute)
		want := map[string]string{"g1": "first", "shared": "first", "g2": "second"}
		if diff := cmp.Diff(want, held(h)); diff != "" {
			t.Errorf("groups by account (-want +got):\n%s", diff)
		}
		if a := state(t, h, "second"); len(a.Duplicates) != 1 || a.Duplicates[0] != key("shared") || a.Groups != 1 {
			t.Errorf("account %+v, want the shared group told as a duplicate", a)
		}
		if n := strings.Count(h.log.String(), "lists the same groups"); n != 1 {
			t.Errorf("warned %d times, want once", n)
		}
		if _, ok := h.series.value(`{__name__="drwatch_group_failover_ready", account="second", group="shared"}`); ok {
			t.Error("the second account feeds the shared group too")
		}
		// The first loses it: the second has it.
		first.change(func(r *reader) { r.groups = r.groups[:1] })
		after(time.Minute)
		if got := held(h)["shared"]; got != "second" {
			t.Errorf("held by %q, want the second", got)
		}
	})
}

func TestVanishedGroupTakesItsSeriesAlong(t *testing.T) {
	virtual(t, func(t *testing.T, h *house) {
		r := &reader{groups: []replication.Group{plainGroup("g1"), plainGroup("g2")}}
		h.run(t, only(account("hw", r)))
		after(time.Second)
		series := `{__name__="drwatch_group_failover_ready", account="hw", group="g2"}`
		if _, ok := h.series.value(series); !ok {
			t.Fatalf("no %s in %v", series, slices.Sorted(maps.Keys(h.series.all())))
		}
		r.change(func(r *reader) { r.groups = r.groups[:1] })
		after(30 * time.Second)
		if _, ok := h.series.value(series); ok {
			t.Error("the set of the next poll still has the vanished group")
		}
		if len(held(h)) != 1 {
			t.Errorf("groups %v", held(h))
		}
	})
}

func TestFilters(t *testing.T) {
	for _, c := range []struct {
		name             string
		include, exclude []string
		want             []string
	}{
		{"none", nil, nil, []string{"1", "2", "3"}},
		{"anchored at both ends", []string{"prod"}, nil, nil},
		{"any of several", []string{"prod-.*", "test"}, nil, []string{"1", "2", "3"}},
		{"exclude wins", []string{".*"}, []string{".*-db"}, []string{"1", "3"}},
		{"alternatives stay inside the anchors", []string{"prod-web|tes"}, nil, []string{"1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			virtual(t, func(t *testing.T, h *house) {
				names := map[string]string{"1": "prod-web", "2": "prod-db", "3": "test"}
				r := &reader{}
				for id, name := range names {
					g := plainGroup(id)
					g.Name = name
					r.groups = append(r.groups, g)
				}
				a := account("hw", r)
				a.Include, a.Exclude = c.include, c.exclude
				h.run(t, only(a))
				after(time.Second)
				if got := slices.Sorted(maps.Keys(held(h))); !slices.Equal(got, c.want) {
					t.Errorf("watches %v, want %v", got, c.want)
				}
			})
		})
	}
}

func TestMoves(t *testing.T) {
	virtual(t, func(t *testing.T, h *house) {
		r := &reader{groups: []replication.Group{plainGroup("g1")}}
		active := func(l replication.Location) {
			g := plainGroup("g1")
			g.Active = l
			r.change(func(r *reader) { r.groups = []replication.Group{g} })
		}
		h.run(t, only(account("hw", r)))
		after(time.Second)
		active(replication.Location{}) // cannot be decided for a while
		after(30 * time.Second)
		r.change(func(r *reader) { r.groups = nil }) // not even listed
		after(30 * time.Second)
		if m := h.seenMoves(); len(m) != 0 {
			t.Fatalf("moves %+v, want none yet", m)
		}
		active(azB)
		after(30 * time.Second)
		m := h.seenMoves()
		if len(m) != 1 || m[0].Key != key("g1") || m[0].From != azA || m[0].To != azB || m[0].Account != "hw" {
			t.Fatalf("moves %+v, want one from az-a to az-b", m)
		}
		after(5 * time.Minute)
		if m := h.seenMoves(); len(m) != 1 {
			t.Errorf("told %d times", len(m))
		}
	})
}

func TestGroupOutsideAllSites(t *testing.T) {
	virtual(t, func(t *testing.T, h *house) {
		g := plainGroup("g1")
		g.Target = replication.Location{Region: "mars"}
		g.Active = replication.Location{}
		h.run(t, only(account("hw", &reader{groups: []replication.Group{g}})))
		after(time.Second)
		got := h.Snapshot().Groups[key("g1")]
		if got.SourceSite != "az-a" || got.TargetSite != "" || got.ActiveSite != "" || got.StandbySite != "" {
			t.Errorf("%+v", got)
		}
	})
}

func TestUpdateOfAccounts(t *testing.T) {
	virtual(t, func(t *testing.T, h *house) {
		stays := &reader{groups: []replication.Group{plainGroup("g1")}}
		h.run(t, only(account("stays", stays), account("goes", &reader{groups: []replication.Group{plainGroup("g2")}})))
		h.NewMeter("stays").Throttled("List")
		h.NewMeter("goes").Throttled("List")
		after(time.Second)
		good := state(t, h, "stays").LastSuccess

		broken := &reader{waits: true}
		after(time.Second)
		renamed := sites()
		renamed[0].Name = "site-one"
		renamed[0].Probes = nil
		settings := collector.Settings{Accounts: []collector.AccountSettings{account("new", &reader{}), account("stays", broken)}, Sites: renamed}
		if err := h.Update(settings); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[string]string{"g1": "stays"}, held(h)); diff != "" {
			t.Errorf("right after the update (-want +got):\n%s", diff)
		}
		if g := h.Snapshot().Groups[key("g1")]; g.SourceSite != "site-one" {
			t.Errorf("source site %q, want the new name at once", g.SourceSite)
		}
		after(25 * time.Second)
		a := state(t, h, "stays")
		if a.Up || !a.LastSuccess.Equal(good) || len(held(h)) != 1 {
			t.Errorf("account %+v, want its last good state kept by a reader that does not answer", a)
		}
		if !h.Ready() {
			t.Error("a reload took readiness away")
		}
		all := h.series.all()
		for _, s := range []string{
			`{__name__="drwatch_account_up", account="goes", provider="huawei_sdrs"}`,
			`{__name__="drwatch_group_failover_ready", account="goes", group="g2"}`,
			`{__name__="drwatch_provider_throttled_total", account="goes", operation="List"}`,
			`{__name__="drwatch_site_reachable", site="az-a"}`,
			`{__name__="drwatch_probe_success", probe="vip", site="az-a"}`,
		} {
			if _, ok := all[s]; ok {
				t.Errorf("%s is still fed", s)
			}
		}
		if v := all[`{__name__="drwatch_provider_throttled_total", account="stays", operation="List"}`]; v != 1 {
			t.Errorf("throttled is %v, want the count from before the update", v)
		}
		if n := stays.calls(); n != 1 {
			t.Errorf("the replaced reader was asked %d times, want once", n)
		}
	})
}

func TestUpdateRefusesMistakesWhole(t *testing.T) {
	virtual(t, func(t *testing.T, h *house) {
		h.run(t, only(account("hw", &reader{groups: []replication.Group{plainGroup("g1")}})))
		after(time.Second)
		bad := only(account("hw", &reader{}), account("hw", nil))
		bad.Accounts[0].Include, bad.Accounts[0].PollInterval = []string{"a)|(b"}, 0
		bad.Sites[0].When = "sometimes"
		bad.Sites[1].Probes[0].Module.Prober = "smoke signal"
		err := h.Update(bad)
		if err == nil {
			t.Fatal("taken over")
		}
		for _, want := range []string{`groups.include "a)|(b"`, "account hw: no reader", "account hw: the name is used twice", "poll interval 0s", `reachable_when "sometimes"`, `prober "smoke signal"`} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q is not told in:\n%s", want, err)
			}
		}
		after(time.Minute)
		if a := state(t, h, "hw"); !a.Up || len(held(h)) != 1 {
			t.Errorf("account %+v, want it as before", a)
		}
	})
}

// What a replaced reader answers late is not taken for the new one's.
func TestLateAnswerOfAReplacedReader(t *testing.T) {
	virtual(t, func(t *testing.T, h *house) {
		old := &reader{groups: []replication.Group{plainGroup("old")}, err: errors.New("too late"), hangs: make(chan struct{})}
		h.run(t, only(account("hw", old)))
		after(time.Second)
		if err := h.Update(only(account("hw", &reader{groups: []replication.Group{plainGroup("new")}}))); err != nil {
			t.Fatal(err)
		}
		after(100 * time.Millisecond) // the new reader has answered
		close(old.hangs)
		after(time.Second)
		if diff := cmp.Diff(map[string]string{"new": "hw"}, held(h)); diff != "" {
			t.Errorf("groups (-want +got):\n%s", diff)
		}
		if v, ok := h.series.value(`{__name__="drwatch_account_up", account="hw", provider="huawei_sdrs"}`); !ok || v != 1 {
			t.Errorf("up is %v, %t, want the new reader's 1", v, ok)
		}
	})
}
