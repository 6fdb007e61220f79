package console_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/drwatch/drwatch/internal/api"
	"github.com/drwatch/drwatch/internal/console"
	"github.com/drwatch/drwatch/internal/replication"
)

var update = flag.Bool("update", false, "write the golden files anew")

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

var long = strings.Repeat("a very long name ", 10)

func groups() []api.Group {
	return []api.Group{
		{Name: "db-1", Account: "hw", Group: "g1", State: replication.Replicating, ActiveSite: "az-a", TargetSite: "az-b", FailoverReady: true, ReadAt: now.Add(-3 * time.Second)},
		{Name: long, Account: long, Group: "g2", State: replication.FailedOver, ActiveSite: "az-b", LagSeconds: new(12.4), Latched: "failed over", ReadAt: now.Add(-time.Hour)},
	}
}

func incident() replication.Incident {
	return replication.Incident{
		ID: "20260102t030405-0a1b2c3d", Rule: "az-a-loss", RuleHash: strings.Repeat("ab", 16), Provider: replication.AliyunEBS, Group: "g1", Name: "db-1",
		Action: replication.Failover, Mode: replication.Auto, Phase: replication.Succeeded, RPOSeconds: new(4.0), RTOSeconds: new(65.4321),
		Trigger: replication.Trigger{Expr: `drwatch_site_reachable{site="az-a"} == 0`, Since: now}, Plan: replication.Plan{LostSite: "az-a", TargetSite: "az-b"},
		Guards: []replication.Condition{{Name: "quorum", Value: "2 of 3 sites say go", Threshold: "at least 2", OK: true}, {Name: "lag_under", Value: long, Threshold: "30s"}},
		Calls:  []replication.Call{{Operation: "failover", Attempt: 1, Outcome: replication.Accepted, Status: 200, RequestID: "r-1", StartedAt: now}},
	}
}

func plan() api.Plan {
	return api.Plan{
		Account: "ali", Provider: replication.AliyunEBS, Group: "pg-1", Name: "db-1", Action: replication.Switchover, Active: "az-a", To: "az-b",
		State: replication.Replicating, RawStatus: "normal", LagSeconds: new(12.4),
		Conditions: []replication.Condition{{Name: "not_frozen", Value: "not frozen", Threshold: "not frozen", OK: true}, {Name: "not_latched", Value: "latched by " + long, Threshold: "not latched"}},
		Steps: []api.PlanStep{
			{
				Action: replication.Failover, Call: "FailoverDiskReplicaGroup",
				Ready: []replication.Condition{{Name: "not_frozen", Value: "not frozen", Threshold: "not frozen", OK: true}, {Name: "status", Value: "normal", Threshold: "normal or stopped", OK: true}},
				Waits: []replication.Condition{{Name: "recovery_point", Value: "2026-01-02T03:03:52Z", Threshold: "later than 2026-01-02T03:04:05Z"}},
			},
			{Action: replication.Reprotect, Call: "ReprotectDiskReplicaGroup", Ready: []replication.Condition{{Name: "status", Value: "normal", Threshold: "failovered"}}},
			{Action: replication.Start, Call: "StartDiskReplicaGroup"},
		},
		Notes: []string{"Stop what writes.", "EBS has no planned failover: drwatch waits until the recover point is newer than your asking, and fails over then; what is written later is lost."},
	}
}

func reprotected(phase replication.Phase, why string) replication.Incident {
	return replication.Incident{
		ID: "i2", Rule: replication.PersonRule, Provider: replication.AliyunEBS, Group: "pg-1", Name: "db-1", Action: replication.Reprotect, Phase: phase, Error: why, Step: 1,
		Person: &replication.Person{Who: "ann", From: "127.0.0.1", Reason: "back to two sites", At: now},
		Plan:   replication.Plan{From: replication.Location{Region: "r1", Zone: "b"}, To: replication.Location{Region: "r1", Zone: "b"}, Steps: []replication.Action{replication.Reprotect, replication.Start}},
		Calls:  []replication.Call{{Operation: "reprotect", Attempt: 1, Outcome: replication.Accepted, Status: 200, RequestID: "r-2", StartedAt: now}},
	}
}

func TestPlanSaysWhatBlocks(t *testing.T) {
	p := plan()
	p.Steps[0].Ready[1].OK = false
	p.Steps[1].Ready[0].OK = false // judged when its turn comes
	want := []string{"not_latched: latched by " + long + " (wants not latched)", "status: normal (wants normal or stopped)"}
	if diff := cmp.Diff(want, console.Blocking(p)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestEnding(t *testing.T) {
	moved := reprotected(replication.Succeeded, "")
	moved.Action, moved.Plan.To.Zone = replication.Switchover, "a"
	drill := reprotected(replication.Failed, "the provider refused.")
	drill.Action, drill.Step = replication.StartDrill, 0
	unsent := reprotected(replication.Aborted, "aborted by ann")
	unsent.Calls, unsent.Step = nil, 0
	const latched = " A group that was left half way is latched until `drwatch ack i2 --reason …`."
	for _, tc := range []struct {
		i    replication.Incident
		want string
	}{
		{moved, "succeeded: switchover of db-1, production is at r1/a"},
		{reprotected(replication.Succeeded, ""), "succeeded: reprotect of db-1"},
		{reprotected(replication.Failed, "the job failed."), "failed: reprotect of db-1: the job failed. Steps: 1 of 2 done." + latched},
		{reprotected(replication.Aborted, ""), "aborted: reprotect of db-1: no reason is told. Steps: 1 of 2 done." + latched},
		{unsent, "aborted: reprotect of db-1: aborted by ann. Steps: 0 of 2 done."},
		{drill, "failed: start of a drill of db-1: the provider refused. Steps: 0 of 2 done."},
		{reprotected(replication.Ambiguous, "no answer"), "ambiguous: reprotect of db-1: no answer. Steps: 1 of 2 done. It is not known whether the provider acted: look at the group there. Nothing more is sent." + latched},
	} {
		if got := console.Ending(tc.i); got != tc.want {
			t.Errorf("got  %s\nwant %s", got, tc.want)
		}
	}
}

// replays are one of each kind.
func replays() console.Replayed {
	return console.Replayed{Incident: "i1", Wrong: "journal of i1: entry 4 was altered", Decisions: []console.ReplayedDecision{
		{Seq: 1, Event: "claimed", Act: true, Mode: replication.Auto},
		{Seq: 2, Event: "held", Mode: replication.Approve, Differences: []string{`quorum: was ok "2 of 3", is NO "1 of 3"`}},
		{Seq: 3, Event: "held", Mode: replication.Approve, Missing: []string{"guards", "fitness"}},
		{Seq: 4, Event: "held", Wrong: "entry 4 of i1 holds no decision that this version can read"},
	}}
}

func TestTables(t *testing.T) {
	up := true
	for name, write := range map[string]func(*bytes.Buffer) error{
		"groups": func(b *bytes.Buffer) error { return console.Groups(b, groups(), now) },
		"status": func(b *bytes.Buffer) error {
			return console.Status(b, api.Status{
				Version: "1", Observer: "obs-w", Site: "witness", Mode: replication.Auto, Ready: true, Leads: true,
				Fitness: []replication.Condition{{Name: "references_reachable", Value: "2 of 2 unreachable", Threshold: "not most of them unreachable"}},
				Sites:   []api.Site{{Name: "az-a", Reachable: &up, Since: now.Add(-time.Minute), Probes: []api.Probe{{Name: "vip", Success: true}, {Name: "db"}}}, {Name: "witness"}},
				Accounts: []api.Account{
					{Name: "hw", Provider: replication.HuaweiSDRS, Up: true, Groups: 2, LastSuccess: now.Add(-3 * time.Second), ToldBy: replication.PrimarySide},
					{Name: "ali", Provider: replication.AliyunEBS, Up: true, Groups: 1, LastSuccess: now.Add(-3 * time.Second), ToldBy: replication.SecondarySide},
					{Name: "new", Provider: replication.HuaweiEVS, Error: "no answer within 20s"},
				},
			}, now)
		},
		"rules": func(b *bytes.Buffer) error {
			return console.Rules(b, []api.Rule{
				{Name: "az-a-loss", Mode: replication.Auto, Targets: []api.RuleTarget{{Name: "db-1", Mode: replication.Approve, State: "firing", Since: now.Add(-time.Minute), Blocking: []replication.Condition{{Name: "quorum"}, {Name: "cooldown"}}}}},
				{Name: "nothing", Mode: replication.DryRun},
				{Name: "broken", Mode: replication.DryRun, Error: long},
			}, now)
		},
		"incidents": func(b *bytes.Buffer) error {
			return console.Incidents(b, []replication.Incident{incident(), reprotected(replication.Succeeded, ""), reprotected(replication.Held, "next_step")})
		},
		"no incidents": func(b *bytes.Buffer) error { return console.Incidents(b, nil) },
		"incident": func(b *bytes.Buffer) error {
			return console.Incident(b, api.Incident{Incident: incident(), Journal: []replication.Entry{{Seq: 1, At: now, Observer: "obs-w", Event: "claimed", Text: "rule az-a-loss claims db-1"}}})
		},
		"incident of a person": func(b *bytes.Buffer) error {
			return console.Incident(b, api.Incident{Incident: reprotected(replication.Verifying, ""), Journal: []replication.Entry{{Seq: 1, At: now, Observer: "obs-w", Event: "claimed", Text: "ann asks for it"}}})
		},
		"plan": func(b *bytes.Buffer) error { return console.Plan(b, plan()) },
		"journal check": func(b *bytes.Buffer) error {
			return console.JournalCheck(b, api.JournalCheck{OK: true, Files: 2, Records: 12, Entries: 84, Stored: 1, StoredEntries: 5})
		},
		"journal check altered": func(b *bytes.Buffer) error {
			return console.JournalCheck(b, api.JournalCheck{Files: 1, Records: 1, Entries: 1, Notes: []string{"journal-000001.jsonl:1: the archive begins with record 7"}, Problems: []string{"journal-000001.jsonl:4: journal of i1: entry 2 was altered"}})
		},
		"replay": func(b *bytes.Buffer) error { return console.Replay(b, replays()) },
		"replay of a person": func(b *bytes.Buffer) error {
			return console.Replay(b, console.Replayed{Incident: "i1", Person: "ann@10.0.0.7", OK: true})
		},
		"replay of nothing": func(b *bytes.Buffer) error { return console.Replay(b, console.Replayed{Incident: "i1"}) },
		"plan of a drill": func(b *bytes.Buffer) error {
			return console.Plan(b, api.Plan{Account: "hw", Provider: replication.HuaweiSDRS, Group: "g1", Action: replication.StartDrill, Active: "az-a", To: "az-a", State: replication.Replicating, OK: true})
		},
		"explain": func(b *bytes.Buffer) error {
			return console.Explain(b, api.Explain{Group: groups()[0], Notes: []string{"nothing can be decided: the store is away"}, Rules: []api.Explanation{{
				Rule: "az-a-loss", Mode: replication.Auto, State: "pending", Since: now.Add(-2 * time.Second), Conditions: incident().Guards,
				Votes: []replication.Vote{{Observer: "obs-w", Site: "witness", Verdict: replication.Pending, Since: now, Evidence: "is 0"}}, Incident: "i1", HeldBy: "quorum",
			}}}, now)
		},
	} {
		t.Run(name, func(t *testing.T) {
			var got bytes.Buffer
			if err := write(&got); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join("testdata", strings.ReplaceAll(name, " ", "-")+".golden")
			if *update {
				if err := os.WriteFile(file, got.Bytes(), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for line := range strings.SplitSeq(got.String(), "\n") {
				if n := utf8.RuneCountInString(line); n > 110 && !strings.Contains(line, "trigger") && !strings.HasPrefix(line, "  NO") {
					t.Errorf("a line of %d characters: %s", n, line)
				}
			}
		})
	}
}
