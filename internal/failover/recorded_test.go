package failover_test

import (
	"encoding/json"
	"fmt"
	"math/rand"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/quorum/ledger"
	"github.com/drwatch/drwatch/internal/replication"
)

// entryOf is a decision as the store keeps it and a reader finds it.
func entryOf(t *testing.T, s failover.Snapshot) replication.Entry {
	t.Helper()
	return keptEntry(t, failover.Record(s, failover.Decide(s)))
}

func keptEntry(t *testing.T, data map[string]any) replication.Entry {
	t.Helper()
	e, err := ledger.Chain("i1", 0, "", replication.Entry{At: t0, Event: "claimed", Data: data})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	if len(raw) > 16<<10 {
		t.Errorf("the entry has %d bytes", len(raw))
	}
	var read replication.Entry
	if err := json.Unmarshal(raw, &read); err != nil {
		t.Fatal(err)
	}
	if !failover.Recorded(read) {
		t.Fatalf("nothing to replay in %s", raw)
	}
	return read
}

func replayed(t *testing.T, e replication.Entry) failover.Replay {
	t.Helper()
	r, err := failover.ReplayEntry(e)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Each thing that a decision depends on is in the journal: whatever blocks, it
// blocks again.
func TestAReplayedDecisionIsTheSame(t *testing.T) {
	changes := map[string]func(*failover.Snapshot){
		"nothing": func(*failover.Snapshot) {}, "claimed": claimed,
		"another direction than claimed": func(s *failover.Snapshot) { claimed(s); s.Claim.Plan.To = azA },
		"a slot held":                    func(s *failover.Snapshot) { claimed(s); s.Claim.Slot = 1 },
		"slots used": func(s *failover.Snapshot) {
			claimed(s)
			s.Cluster.Slots = map[string]map[int]string{"r": {0: "i7", 1: "i8"}}
		},
		"claimed by another":           func(s *failover.Snapshot) { claimed(s); s.Claim.ID = "i9" },
		"a lower mode":                 func(s *failover.Snapshot) { claimed(s); s.Claim.Mode = replication.DryRun },
		"the moment of the loss":       func(s *failover.Snapshot) { claimed(s); s.Claim.Plan.Lost = t0.Add(-195 * time.Second) },
		"the moment of the loss there": func(s *failover.Snapshot) { claimed(s); s.Claim.Plan.LostThere = t0.Add(-time.Second) },
		"one site": func(s *failover.Snapshot) {
			s.Cluster.Observers, s.Rule.Agree, s.Rule.Of = s.Cluster.Observers[2:], 1, 0
		},
		"one site, accepted": func(s *failover.Snapshot) {
			s.Cluster.Observers, s.Rule.Agree, s.Rule.Of, s.AcceptSingle = s.Cluster.Observers[2:], 1, 0, true
		},
		"a voter that is not registered": func(s *failover.Snapshot) { s.Cluster.Observers = s.Cluster.Observers[1:2] },
		"the trigger is untrue": func(s *failover.Snapshot) {
			s.Target.UntrueFor, s.Cluster.Votes = 90*time.Second+1, nil
		},
		"unfit": func(s *failover.Snapshot) { s.Fitness[0].OK = false },
		"frozen": func(s *failover.Snapshot) {
			s.Cluster.Freeze = &replication.Freeze{Who: "alice", Reason: "stop", At: t0}
		},
		"latched": func(s *failover.Snapshot) {
			withRecord(s, replication.GroupRecord{Latch: &replication.Latch{Incident: "i0", Why: "look", At: t0}})
		},
		"an episode": func(s *failover.Snapshot) {
			s.Cluster.Episodes = map[string]replication.Episode{replication.EpisodeKey("r", key): {Incident: "i0", Phase: replication.Aborted}}
		},
		"per hour": func(s *failover.Snapshot) {
			s.Cluster.Clock, s.Cluster.Started = 9*time.Hour, map[string][]time.Duration{"r": {0, 8*time.Hour + 1, 8*time.Hour + 2}}
		},
		"failures": func(s *failover.Snapshot) {
			s.Cluster.Losses = map[string]replication.SiteLoss{"az-a": {Failures: map[string]int{"r": 3, "q": 9}}}
		},
		"no leader": func(s *failover.Snapshot) { s.Cluster.Leader = nil },
		"a lag": func(s *failover.Snapshot) {
			lag := 12345678901 * time.Nanosecond
			s.Target.Group.LastSync, s.Target.Group.Lag = time.Time{}, &lag
		},
		"the future": func(s *failover.Snapshot) {
			s.Target.Group.LastSync = t0.Add(3 * time.Second)
			s.Target.Group.ProviderTime = t0.Add(-time.Second)
		},
		"never read":                  func(s *failover.Snapshot) { s.Target.Group.ReadAt = time.Time{} },
		"no last good":                func(s *failover.Snapshot) { s.Target.LastGood = time.Time{} },
		"a clock that is behind":      func(s *failover.Snapshot) { s.Target.Skew = time.Minute },
		"a clock that is a bit ahead": func(s *failover.Snapshot) { s.Target.Skew = -time.Second },
		"nothing is known":            func(s *failover.Snapshot) { *s = failover.Snapshot{Now: t0, Rule: s.Rule} },
		"a warehouse": func(s *failover.Snapshot) {
			s.Target.Group.Key.Provider, s.Target.Group.Baseline = replication.HuaweiDWS, "a>b"
			s.Cluster.Groups = map[replication.GroupKey]replication.GroupRecord{s.Target.Group.Key: {Baseline: "b>a", Active: azB}}
		},
		"a clock of years, to the nanosecond": func(s *failover.Snapshot) {
			s.Cluster.Clock = 3*365*24*time.Hour + 3
			withRecord(s, replication.GroupRecord{LastAction: &replication.LastAction{Clock: s.Cluster.Clock - s.Rule.Cooldown + 1, At: t0}})
		},
		"times that are not UTC": func(s *failover.Snapshot) {
			s.Now = s.Now.In(time.FixedZone("", 8*3600))
			s.Target.Since = s.Target.Since.In(time.FixedZone("", 8*3600))
		},
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			s := allHolds()
			change(&s)
			if r := replayed(t, entryOf(t, s)); !r.Same() {
				t.Errorf("missing %q, differences:\n%s", r.Missing, strings.Join(r.Differences, "\n"))
			}
		})
	}
	for seed := range int64(500) {
		s := randomSnapshot(rand.New(rand.NewSource(seed)))
		if r := replayed(t, entryOf(t, s)); !r.Same() {
			t.Fatalf("seed %d: missing %q, differences %q", seed, r.Missing, r.Differences)
		}
	}
}

// An altered recording, or another way to decide, is told condition by condition.
func TestAReplayTellsWhatDiffers(t *testing.T) {
	s := allHolds()
	d := failover.Decide(s)
	s.Cluster.Freeze = &replication.Freeze{Who: "alice", Reason: "stop"}
	s.Target.Guards = nil
	s.Cluster.Votes = s.Cluster.Votes[:1]
	r := replayed(t, keptEntry(t, failover.Record(s, d)))
	want := []string{
		`act: was true, is false`,
		`counted votes: was [obs-b obs-w], is [obs-b]`,
		`quorum: was ok "2 of 3 sites say go (az-b, witness)" (wants "at least 2"), is NO "1 of 3 sites say go (az-b)" (wants "at least 2")`,
		`not_frozen: was ok "not frozen" (wants "not frozen"), is NO "frozen by alice: stop" (wants "not frozen")`,
		`expr: was ok "1 sample" (wants "at least one sample"), is not among the conditions`,
	}
	if got := strings.Join(r.Differences, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("differences:\n%s", got)
	}
	if r.Same() || !r.Act || r.Mode != replication.Auto {
		t.Errorf("%+v", r)
	}
}

// What does not fit is cut first, which changes nothing, and then left out by name.
func TestALargeDecisionIsRecordedAsFarAsItFits(t *testing.T) {
	for _, tc := range []struct {
		name    string
		guards  int
		text    int
		missing string
	}{
		{"long texts are cut", 8, 4000, ""},
		{"many guards are left out", 200, 100, "guards"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := allHolds()
			s.Cluster.Freeze = &replication.Freeze{Who: "alice", Reason: strings.Repeat("é", 1000)}
			for i := range tc.guards {
				s.Target.Guards = append(s.Target.Guards, replication.Condition{Name: fmt.Sprint("expr_", i), Value: strings.Repeat("é", tc.text), Threshold: "x", OK: i != 3})
			}
			r := replayed(t, entryOf(t, s))
			if got := strings.Join(r.Missing, ", "); !strings.HasPrefix(got, tc.missing) || (got == "") != (tc.missing == "") {
				t.Errorf("missing %q, want %q", got, tc.missing)
			}
			if tc.missing == "" && !r.Same() {
				t.Errorf("differences %q", r.Differences)
			}
		})
	}
}

// Each decision of an incident is in its journal: the claim's, what held it, the
// intent's, and the end of a rehearsal.
func TestEachDecisionCanBeReplayed(t *testing.T) {
	for mode, want := range map[replication.Mode][]string{
		replication.Auto: {"claimed", "intent"}, replication.Approve: {"claimed", "held"}, replication.DryRun: {"claimed", "simulated"},
	} {
		t.Run(string(mode), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, replication.HuaweiSDRS, mode)
				_, stop := w.observe(w.store, nil)
				wait(time.Minute)
				stop()
				entries, err := w.store.Journal(t.Context(), w.only().ID)
				if err != nil {
					t.Fatal(err)
				}
				var held []string
				for _, e := range entries {
					if !failover.Recorded(e) {
						continue
					}
					held = append(held, e.Event)
					if r := replayed(t, e); !r.Same() || !r.Act || r.Mode != mode {
						t.Errorf("%s: act %v in mode %s, missing %q, differences %q", e.Event, r.Act, r.Mode, r.Missing, r.Differences)
					}
				}
				if strings.Join(held, " ") != strings.Join(want, " ") {
					t.Errorf("decisions in %v, want %v", held, want)
				}
			})
		})
	}
}
