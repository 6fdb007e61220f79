package console_test

import (
	"bytes"
	"flag"
	"io"
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
	started := reprotected(replication.Succeeded, "")
	started.Action = replication.Start
	stopped := reprotected(replication.Succeeded, "")
	stopped.Action = replication.Stop
	drill := reprotected(replication.Failed, "the provider refused.")
	drill.Action, drill.Step = replication.StartDrill, 0
	rehearsed := drill
	rehearsed.Phase, rehearsed.Calls = replication.Succeeded, []replication.Call{{Operation: "drill", Outcome: replication.Accepted, JobID: "d-2"}}
	named := rehearsed
	named.Calls = []replication.Call{{Operation: "drill", Outcome: replication.Accepted, JobID: "job-1"}}
	cleared := rehearsed
	cleared.Action, cleared.Plan.Drill = replication.ClearDrill, "d-1"
	unsent := reprotected(replication.Aborted, "aborted by ann")
	unsent.Calls, unsent.Step = nil, 0
	refused := reprotected(replication.Failed, "the provider refused")
	refused.Step, refused.Calls = 0, []replication.Call{{Operation: "reprotect", Outcome: replication.Rejected}}
	copying := &api.Plan{State: replication.Syncing, RawStatus: "initial_syncing"}
	healthy := &api.Plan{State: replication.Replicating, RawStatus: "normal"}
	drills := &api.Plan{Drills: []api.Drill{{ID: "d-1", State: replication.DrillReady}, {ID: "d-2", State: replication.DrillReady}}}
	names := &api.Plan{Drills: []api.Drill{{ID: "d-1", Name: "drwatch-i1", Incident: "i1"}, {ID: "d-9", Name: "drwatch-i2", Incident: "i2", State: replication.DrillReady}}}
	const latched = " The group is latched until `drwatch ack i2 --reason …`."
	const unharmed = " Nothing was done to the group, and it is not latched."
	for _, tc := range []struct {
		i    replication.Incident
		now  *api.Plan
		want string
	}{
		{moved, nil, "succeeded: switchover of db-1, production is at r1/a"},
		{moved, copying, "succeeded: switchover of db-1, production is at r1/a; the copy to the other side is still under way (initial_syncing)"},
		{reprotected(replication.Succeeded, ""), copying, "succeeded: reprotect of db-1, it is protected again; the copy to the other side is still under way (initial_syncing)"},
		{started, healthy, "succeeded: start of protection of db-1, replication has begun; it is replicating (normal)"},
		{stopped, nil, "succeeded: stop of protection of db-1"},
		{rehearsed, drills, "succeeded: start of a drill of db-1, drill d-2 is ready"},
		{named, names, "succeeded: start of a drill of db-1, drill d-9 drwatch-i2 is ready"},
		{rehearsed, nil, "succeeded: start of a drill of db-1; `drwatch drill clear db-1 --dry-run` lists it"},
		{cleared, nil, "succeeded: clearing of a drill of db-1, drill d-1 is gone"},
		{reprotected(replication.Failed, "the job failed."), nil, "failed: reprotect of db-1: the job failed. Steps: 1 of 2 done." + latched},
		{reprotected(replication.Aborted, ""), nil, "aborted: reprotect of db-1: no reason is told. Steps: 1 of 2 done." + latched},
		{unsent, nil, "aborted: reprotect of db-1: aborted by ann. Steps: 0 of 2 done." + unharmed},
		{refused, nil, "failed: reprotect of db-1: the provider refused. Steps: 0 of 2 done." + unharmed},
		{drill, nil, "failed: start of a drill of db-1: the provider refused. Steps: 0 of 2 done."},
		{reprotected(replication.Ambiguous, "no answer"), nil, "ambiguous: reprotect of db-1: no answer. Steps: 1 of 2 done. It is not known whether the provider acted: look at the group there. Nothing more is sent." + latched},
	} {
		if got := console.Ending(tc.i, tc.now); got != tc.want {
			t.Errorf("got  %s\nwant %s", got, tc.want)
		}
	}
}

// TestNothingIsCutInAPipe: what a script or a log gets is whole.
func TestNothingIsCutInAPipe(t *testing.T) {
	for name, write := range map[string]func(io.Writer) error{
		"groups":   func(w io.Writer) error { return console.Groups(w, groups(), now) },
		"incident": func(w io.Writer) error { return console.Incident(w, api.Incident{Incident: incident()}) },
		"rules": func(w io.Writer) error {
			return console.Rules(w, []api.Rule{{Name: "broken", Mode: replication.DryRun, Error: long}}, now)
		},
		"plan": func(w io.Writer) error { return console.Plan(w, plan()) },
	} {
		var got bytes.Buffer
		if err := write(&got); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(got.String(), strings.TrimSpace(long)); n != 1 && name != "groups" || n == 0 || strings.Contains(got.String(), "…\n") {
			t.Errorf("%s: the long text is there %d times:\n%s", name, n, got.String())
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
	for name, write := range map[string]func(io.Writer) error{
		"groups": func(b io.Writer) error { return console.Groups(b, groups(), now) },
		"status": func(b io.Writer) error {
			return console.Status(b, api.Status{
				Version: "1", Observer: "obs-w", Site: "witness", Mode: replication.Auto, Ready: true, Leads: true,
				Fitness: []replication.Condition{{Name: "references_reachable", Value: "2 of 2 unreachable", Threshold: "not most of them unreachable"}},
				Sites:   []api.Site{{Name: "az-a", Reachable: &up, Since: now.Add(-time.Minute), Probes: []api.Probe{{Name: "vip", Success: true}, {Name: "db"}}}, {Name: "az-b", Reachable: new(bool)}, {Name: "witness"}},
				Accounts: []api.Account{
					{Name: "hw", Provider: replication.HuaweiSDRS, Up: true, Groups: 2, LastSuccess: now.Add(-3 * time.Second), ToldBy: replication.PrimarySide},
					{Name: "ali", Provider: replication.AliyunEBS, Up: true, Groups: 1, LastSuccess: now.Add(-3 * time.Second), ToldBy: replication.SecondarySide},
					{Name: "new", Provider: replication.HuaweiEVS, Error: "no answer within 20s"},
				},
				OpenIncidents: []api.OpenIncidents{{Phase: replication.Held, HeldBy: "approval", Count: 5}, {Phase: replication.Verifying, Count: 1}},
				LatchedGroups: 2, LocalFreeze: &replication.Freeze{Who: "the file /data/FREEZE", Reason: "there since 2026-01-02T03:00:00Z"},
			}, now)
		},
		"rules": func(b io.Writer) error {
			return console.Rules(b, []api.Rule{
				{Name: "az-a-loss", Mode: replication.Auto, Targets: []api.RuleTarget{{Name: "db-1", Mode: replication.Approve, State: "firing", Since: now.Add(-time.Minute), Blocking: []replication.Condition{{Name: "quorum"}, {Name: "cooldown"}}}}},
				{Name: "nothing", Mode: replication.DryRun},
				{Name: "broken", Mode: replication.DryRun, Error: long},
			}, now)
		},
		"incidents": func(b io.Writer) error {
			return console.Incidents(b, []replication.Incident{incident(), reprotected(replication.Succeeded, ""), reprotected(replication.Held, "next_step")})
		},
		"no incidents": func(b io.Writer) error { return console.Incidents(b, nil) },
		"incident": func(b io.Writer) error {
			return console.Incident(b, api.Incident{Incident: incident(), Journal: []replication.Entry{{Seq: 1, At: now, Observer: "obs-w", Event: "claimed", Text: "rule az-a-loss claims db-1"}}})
		},
		"incident of a person": func(b io.Writer) error {
			return console.Incident(b, api.Incident{Incident: reprotected(replication.Verifying, ""), Journal: []replication.Entry{{Seq: 1, At: now, Observer: "obs-w", Event: "claimed", Text: "ann asks for it"}}})
		},
		"plan": func(b io.Writer) error { return console.Plan(b, plan()) },
		"plan of many drills": func(b io.Writer) error {
			return console.Plan(b, api.Plan{
				Account: "hw", Provider: replication.HuaweiSDRS, Group: "g1", Action: replication.ClearDrill, Active: "az-a", To: "az-a", State: replication.Replicating,
				Drills: []api.Drill{{ID: "d-1", Name: "by-hand", Status: "available"}, {ID: "d-2", Name: "drwatch-i1", Status: "error-creating", Incident: "i1"}},
			})
		},
		"incident that waits": func(b io.Writer) error {
			i := incident()
			i.Phase, i.HeldBy, i.OpenedAt, i.OpenedClock, i.ApprovalClock = replication.Held, "approval", now, replication.Duration(time.Hour), replication.Duration(time.Hour+5*time.Second)
			i.Plan.ApprovalTimeout = replication.Duration(30 * time.Minute)
			return console.Incident(b, api.Incident{Incident: i})
		},
		"explain without rules": func(b io.Writer) error {
			g := groups()[0]
			g.FailoverReady, g.Conditions = false, []replication.Condition{{Name: "status_allows_failover", Value: "normal", Threshold: "normal", OK: true}, {Name: "not_reversed", Value: "b to a", Threshold: "a to b"}}
			return console.Explain(b, api.Explain{Group: g, Notes: []string{"no rule's targets match this group now"}}, now)
		},
		"explain a yes": func(b io.Writer) error {
			return console.Explain(b, api.Explain{Group: groups()[0], Rules: []api.Explanation{{
				Rule: "az-a-loss", Mode: replication.Auto, State: "firing", Since: now.Add(-2 * time.Minute), Act: true, Conditions: incident().Guards[:1],
				Nearest: []api.Change{{Condition: "quorum", Change: "1 site less that says go"}, {Condition: "no_veto", Change: "a veto of any observer"}},
			}}}, now)
		},
		"journal check": func(b io.Writer) error {
			return console.JournalCheck(b, api.JournalCheck{OK: true, Files: 2, Records: 12, Entries: 84, Stored: 1, StoredEntries: 5})
		},
		"journal check altered": func(b io.Writer) error {
			return console.JournalCheck(b, api.JournalCheck{Files: 1, Records: 1, Entries: 1, Notes: []string{"journal-000001.jsonl:1: the archive begins with record 7"}, Problems: []string{"journal-000001.jsonl:4: journal of i1: entry 2 was altered"}})
		},
		"replay": func(b io.Writer) error { return console.Replay(b, replays()) },
		"replay of a person": func(b io.Writer) error {
			return console.Replay(b, console.Replayed{Incident: "i1", Person: "ann@10.0.0.7", OK: true})
		},
		"replay of nothing": func(b io.Writer) error { return console.Replay(b, console.Replayed{Incident: "i1"}) },
		"plan of a drill": func(b io.Writer) error {
			return console.Plan(b, api.Plan{Account: "hw", Provider: replication.HuaweiSDRS, Group: "g1", Action: replication.StartDrill, Active: "az-a", To: "az-a", State: replication.Replicating, OK: true})
		},
		"explain": func(b io.Writer) error {
			return console.Explain(b, api.Explain{Group: groups()[0], Notes: []string{"nothing can be decided: the store is away"}, Rules: []api.Explanation{{
				Rule: "az-a-loss", Mode: replication.Auto, State: "pending", Since: now.Add(-2 * time.Second), Conditions: incident().Guards,
				Nearest: []api.Change{{Condition: "lag_under", Change: "the loss must be 12.4s smaller"}, {Condition: "not_frozen", Change: "`drwatch unfreeze`"}},
				Votes: []replication.Vote{
					{Observer: "obs-w", Site: "witness", Verdict: replication.Veto, Since: now, Evidence: "is 1"},
					{Observer: "obs-w", Site: "witness", Verdict: replication.Pending, Since: now, Evidence: "is 0"},
				}, Incident: "i1", HeldBy: "quorum",
			}}}, now)
		},
	} {
		t.Run(name, func(t *testing.T) {
			var got bytes.Buffer
			if err := write(console.Screen{Writer: &got}); err != nil {
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
				if n := utf8.RuneCountInString(line); n > 110 && !strings.Contains(line, "trigger") && !strings.HasSuffix(line, long) && !strings.HasPrefix(line, "  NO") {
					t.Errorf("a line of %d characters: %s", n, line)
				}
			}
		})
	}
}
