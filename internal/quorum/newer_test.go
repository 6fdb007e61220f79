package quorum_test

import (
	"encoding/json"
	"errors"
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"github.com/drwatch/drwatch/internal/quorum"
	"github.com/drwatch/drwatch/internal/quorum/ledger"
	"github.com/drwatch/drwatch/internal/quorum/quorumtest"
	"github.com/drwatch/drwatch/internal/replication"
)

// newer is what a newer observer puts into the model.
func (p *play) newer(key, value string) {
	p.Helper()
	p.ok(p.coordinator.(*quorumtest.Store).Raw("/drwatch/test/"+key, value))
}

// modelPlay is a play on the model in which the first group is claimed.
func modelPlay(t *testing.T) (*play, replication.IncidentRecord) {
	t.Helper()
	c := newClock()
	p := &play{T: t, clock: c, coordinator: quorumtest.New(c.now, "obs-a", "az-b")}
	return p, p.claimed()
}

// What a newer observer writes beside what this version knows neither blinds it
// nor changes what the rest means.
func TestWhatANewerObserverWritesIsPassedOver(t *testing.T) {
	p, _ := modelPlay(t)
	before := p.read()
	for key, value := range map[string]string{
		"budget/r1/0001":             `{"left":3}`,
		"observer2/obs-b":            "\x00\x01 not even JSON",
		"vote/r1/00/obs-b":           "v2;compact;go",
		"vote/r1/01/obs-b":           `{"s":"az-c","v":{"huawei_sdrs/g/1":{"v":"go","x":["2","s"],"h":"h1"}}}`,
		"vote/r1/02/obs-b":           `{"s":"az-c","v":{"huawei_sdrs/g/2":{"v":"leaning","x":"1","h":"h1"}}}`,
		"vote/r1/03/obs-b/veto/ab12": `{"s":"az-c","v":{"huawei_sdrs/g/3":{"v":7}}}`,
		"registered/obs-b":           `{"site":"az-c","region":"eu"}`,
	} {
		p.newer(key, value)
	}
	after := p.read()
	if len(after.Incidents) != 1 || len(after.Groups) != len(before.Groups) || after.Registered["obs-b"] != "az-c" {
		t.Errorf("the cluster is read as %+v", after)
	}
	got := map[string]replication.Verdict{}
	for _, v := range after.Votes {
		if v.Observer == "obs-b" {
			got[v.Group.ID] = v.Verdict
		}
	}
	if want := (map[string]replication.Verdict{"g/1": replication.Abstain, "g/2": replication.Abstain, "g/3": replication.Veto}); !maps.Equal(got, want) {
		t.Errorf("the votes are %v, want %v: what cannot be read is no go, and a veto stays one", got, want)
	}
	if want := (map[string]int{"budget": 1, "observer2": 1, "vote": 1}); !maps.Equal(after.Unknown, want) {
		t.Errorf("unknown are %v, want %v", after.Unknown, want)
	}
	p.ok(p.Renew(t.Context()))
}

// An unreadable freeze freezes.
func TestAnUnreadableFreezeFreezes(t *testing.T) {
	p, _ := modelPlay(t)
	p.newer("freeze", "?")
	if f := p.read().Freeze; f == nil || !strings.Contains(f.Reason, "cannot be read") {
		t.Errorf("the freeze is %+v", f)
	}
	p.ok(p.Unfreeze(t.Context(), "alice", "looked at it"))
	if f := p.read().Freeze; f != nil {
		t.Errorf("the freeze is still %+v", f)
	}
}

// What could mean something else than it seems keeps this observer out: it reads
// nothing, does not renew its lease, publishes no vote, does not lead, and says
// why. When it is over it is back by itself.
func TestAStoreThatCannotBeReadKeepsTheObserverOut(t *testing.T) {
	incident := func(change func(map[string]any)) func(*play) (string, string) {
		return func(p *play) (string, string) {
			b, err := json.Marshal(p.read().Incidents["i1"].Incident)
			p.ok(err)
			var inc map[string]any
			p.ok(json.Unmarshal(b, &inc))
			change(inc)
			b, err = json.Marshal(inc)
			p.ok(err)
			return "incident/i1", string(b)
		}
	}
	key := func(key, value string) func(*play) (string, string) {
		return func(*play) (string, string) { return key, value }
	}
	for _, row := range []struct {
		name, says string
		written    func(*play) (key, value string)
	}{
		{"a newer format", "its records have format 2, this version reads up to 1: upgrade this observer", key("format", "2")},
		{"a format that is no number", "upgrade this observer", key("format", `{"format":2}`)},
		{"a phase", `its phase "paused" is not known`, incident(func(m map[string]any) { m["phase"] = "paused" })},
		{"a mode", `its mode "semi" is not known`, incident(func(m map[string]any) { m["mode"] = "semi" })},
		{"a veto", "a veto", key("vote/r1/00/obs-b/veto/ab12", "v2;veto")},
		{"another kind of vote", "vote/r1/00/obs-b/objection/ab12", key("vote/r1/00/obs-b/objection/ab12", "{}")},
		{"a known kind in another shape", "freeze/eu", key("freeze/eu", "{}")},
		{"a group", "group/huawei_sdrs/x", key("group/huawei_sdrs/x", `{"latch":"yes"}`)},
	} {
		t.Run(row.name, func(t *testing.T) {
			p, _ := modelPlay(t)
			s := p.coordinator.(*quorumtest.Store)
			key, value := row.written(p)
			good := s.RawAt("/drwatch/test/" + key)
			p.newer(key, value)
			_, err := p.Read(t.Context())
			refuses := func(what string, err error) {
				t.Helper()
				if !errors.Is(err, ledger.ErrUnreadable) || !containsText(err, row.says) {
					t.Errorf("%s: got %v, want it to say %q", what, err, row.says)
				}
			}
			refuses("reading", err)
			refuses("renewing", p.Renew(t.Context()))
			refuses("publishing", p.PublishVotes(t.Context(), []replication.Vote{vote(group1, replication.Go)}))
			late := s.Join(p.clock.now, "obs-b", "az-c")
			refuses("publishing in a new life", late.PublishVotes(t.Context(), []replication.Vote{vote(group1, replication.Go)}))
			refuses("renewing in a new life", late.Renew(t.Context()))
			p.clock.advance(quorumtest.LeaseTTL + 1)
			if left := p.LeaseLeft(); left != 0 {
				t.Errorf("%s of the lease are left", left)
			}
			for _, k := range s.Keys() {
				if strings.Contains(k, "/leader") || strings.Contains(k, "/observer/") {
					t.Errorf("%s is there: an observer that cannot read looks alive", k)
				}
			}
			if good == "" {
				p.ok(s.RawDelete("/drwatch/test/" + key))
			} else {
				p.newer(key, good)
			}
			p.lead()
		})
	}
}

// A format that is raised between the look at the store and the claim is noticed,
// and so is one raised before an election.
func TestARaisedFormatIsNoticedByTheTransaction(t *testing.T) {
	c := newClock()
	s := quorumtest.New(c.now, "obs-a", "az-b")
	p := &play{T: t, clock: c, coordinator: s}
	claim := p.claim()
	s.BeforeNext("claim", func() { p.newer("format", "2") })
	_, err := p.Claim(t.Context(), claim)
	wantConflict(t, err, "the format of the store")
	p.ok(p.Resign(t.Context()))
	if _, leads, err := p.Lead(t.Context()); leads || !errors.Is(err, ledger.ErrUnreadable) {
		t.Errorf("leads %v, %v", leads, err)
	}
	p.newer("format", "1")
	s.BeforeNext("lead", func() { p.newer("format", "2") })
	if _, leads, err := p.Lead(t.Context()); leads || !errors.Is(err, ledger.ErrUnreadable) {
		t.Errorf("leads %v, %v", leads, err)
	}
}

// What a newer observer has put into a record outlives each kind of write by this
// version, also inside the objects of it.
func TestFieldsOfANewerVersionAreKept(t *testing.T) {
	p, rec := modelPlay(t)
	s := p.coordinator.(*quorumtest.Store)
	const at = "/drwatch/test/"
	add := func(key, field, value string) {
		t.Helper()
		p.newer(key, strings.Replace(s.RawAt(at+key), "{", `{"`+field+`":`+value+`,`, 1))
	}
	kept := func(after, key string, want ...string) {
		t.Helper()
		for _, w := range want {
			if got := s.RawAt(at + key); !strings.Contains(got, w) {
				t.Errorf("after %s, %s has lost %s: %s", after, key, w, got)
			}
		}
	}
	const inc, group, loss = "incident/i1", "group/huawei_sdrs/g%2F1", "loss/az-a"
	p.newer(inc, strings.Replace(s.RawAt(at+inc), `"plan":{`, `"plan":{"wave":{"n":3},`, 1))
	add(inc, "quarantine", `"yes"`)
	add(group, "region", `"eu"`)
	add(loss, "declared_by", `"alice"`)
	all := func(after string) {
		t.Helper()
		kept(after, inc, `"quarantine":"yes"`, `"wave":{"n":3}`)
		kept(after, group, `"region":"eu"`)
		kept(after, loss, `"declared_by":"alice"`)
	}
	p.ok(p.Approve(t.Context(), rec.ID, replication.Approval{Who: "alice"}))
	all("an approval")
	p.ok(p.Resign(t.Context()))
	rec, err := p.TakeOver(t.Context(), p.read().Incidents["i1"], p.lead())
	p.ok(err)
	all("a take-over")
	rec, err = p.Write(t.Context(), p.intent(rec))
	p.ok(err)
	all("an intent")
	w := p.ended(rec, replication.Failed)
	w.CountFailed, w.Group.Latch = true, &replication.Latch{Incident: rec.ID, Why: "it failed"}
	_, err = p.Write(t.Context(), w)
	p.ok(err)
	all("the end")
	p.ok(p.Ack(t.Context(), group1, rec.ID, "alice", "seen"))
	all("an ack")
	g := p.read().Groups[group1]
	g.Baseline = "b"
	p.ok(p.PutGroup(t.Context(), group1, g))
	all("a new base line")
	c := claimOf(p.read(), "i2", group1)
	_, err = p.Claim(t.Context(), c)
	p.ok(err)
	all("the next claim")
	if strings.Contains(s.RawAt(at+group), `"latch"`) {
		t.Errorf("what this version took away came back: %s", s.RawAt(at+group))
	}
	p.ok(quorum.VerifyHead(p.read().Incidents["i1"].Incident, must(p.Journal(t.Context(), "i1"))))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// It is told once in the log what kinds of keys are passed over.
func TestUnknownKeysAreToldOnce(t *testing.T) {
	t.Parallel()
	said := &logs{}
	s := openStore(t, filepath.Join(t.TempDir(), "etcd"), func(o *quorum.Options) { o.Logger = textLogger(said) })
	cli := client(t, s)
	for _, k := range []string{"budget/1", "budget/2", "wave"} {
		if _, err := cli.Put(t.Context(), "/drwatch/test/"+k, "?"); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		if _, err := s.Read(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for kind, keys := range map[string]string{"budget": "2", "wave": "1"} {
		if n := strings.Count(said.String(), "kind="+kind+" keys="+keys); n != 1 {
			t.Errorf("%s was told %d times:\n%s", kind, n, said)
		}
	}
}
