package ebs_test

import (
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drwatch/drwatch/internal/provider/ebs"
	"github.com/drwatch/drwatch/internal/replication"
)

var update = flag.Bool("update", false, "write the golden files anew")

// verdict is one line on a step: what is in its way, and what the group shows
// of it.
func verdict(s replication.Step) string {
	text := "ready"
	var missing []string
	for _, c := range append(s.Ready, s.Waits...) {
		if c.Name == "" || c.Value == "" || c.Threshold == "" {
			missing = append(missing, "a condition that tells nothing")
		}
		if !c.OK {
			missing = append(missing, c.Name)
		}
	}
	if len(missing) > 0 {
		text = "not ready: " + strings.Join(missing, ", ")
	}
	if s.Done {
		text += "; done"
	}
	if s.Failed != "" {
		text += "; failed: " + s.Failed
	}
	return text
}

var (
	sideA, sideB = replication.Location{Region: "cn-a"}, replication.Location{Region: "cn-b"}
	lastRecover  = time.Unix(1767323041, 0)
)

// seen is the group in a status as it is read; forward replicates from A to B.
func seen(t *testing.T, status string, forward bool) replication.Group {
	t.Helper()
	direction := `"SourceRegionId":"cn-a","DestinationRegionId":"cn-b"`
	if !forward {
		direction = `"SourceRegionId":"cn-b","DestinationRegionId":"cn-a"`
	}
	answers := map[string]http.HandlerFunc{
		"DescribeDiskReplicaGroups": body(200, fmt.Sprintf(`{"ReplicaGroups":[{"ReplicaGroupId":"pg-1","Status":%q,"PairNumber":2,
			"LastRecoverPoint":%d,"PrimaryRegion":"cn-a","StandbyRegion":"cn-b",%s}]}`, status, lastRecover.Unix(), direction)),
		"DescribeDiskReplicaPairs": file(t, "pairs.json"),
	}
	g, err := newReader(t, newCloud(t, answers).settings()).Read(t.Context(), "pg-1")
	if err != nil {
		t.Fatal(err)
	}
	g.DrillList = []replication.Drill{}
	return g
}

// incident moves from A to B, or stays where production is. It was asked for a
// minute before the last recover point.
func incident(a replication.Action, g replication.Group) replication.Incident {
	plan := replication.Plan{Action: a, From: g.Active, To: g.Active, AskedAt: lastRecover.Add(-time.Minute)}
	if a.Moves() {
		plan.From, plan.To = sideA, sideB
	}
	return replication.Incident{ID: "20260102t030405-0a1b2c3d", Plan: plan}
}

func procedure(t *testing.T, a replication.Action, g replication.Group, inc replication.Incident) []replication.Step {
	t.Helper()
	p, err := ebs.Procedure(a, g, inc)
	if err != nil {
		t.Fatal(err)
	}
	return p.Steps
}

// Each documented status, and one that is not, in both directions: what a plan
// from A to B shows.
func TestProcedureInEachStatus(t *testing.T) {
	var table strings.Builder
	for _, status := range []string{
		"normal", "syncing", "manual_syncing", "initial_syncing", "created", "stopped", "creating", "stopping", "failovering", "reprotecting",
		"deleting", "failovered", "invalid", "create_failed", "stop_failed", "failover_failed", "reprotect_failed", "delete_failed", "deleted", "resting",
	} {
		for _, forward := range []bool{true, false} {
			g := seen(t, status, forward)
			for _, a := range replication.Actions()[:6] { // clearing a drill does not look at the group
				for _, s := range procedure(t, a, g, incident(a, g)) {
					if s.Call == "" {
						t.Errorf("%s: %s has no call", a, s.Action)
					}
					fmt.Fprintf(&table, "%s %s, %s/%s: %s\n", status, map[bool]string{true: "A to B", false: "B to A"}[forward], a, s.Action, verdict(s))
				}
			}
		}
	}
	name := filepath.Join("testdata", "procedure.golden")
	if *update {
		if err := os.WriteFile(name, []byte(table.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(read(t, "procedure.golden"), table.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What a crash can leave in the middle of a switchover: every step that is
// behind shows done, none that lies ahead does.
func TestSwitchoverIsTakenUpWhereItWas(t *testing.T) {
	for _, tt := range []struct {
		status  string
		forward bool
		done    int // steps
		blocked bool
	}{
		{"normal", true, 0, false},
		{"failovering", true, 0, true},
		{"failovered", true, 1, false},
		{"stopped", false, 2, false},
		{"initial_syncing", false, 3, true},
		{"syncing", false, 3, true},
		{"normal", false, 3, true},
		// Production never moved, or a failover was taken back.
		{"stopped", true, 0, false},
		{"initial_syncing", true, 0, true},
		{"failover_failed", true, 0, false},
		// Production is at A after all: it was moved there.
		{"failovered", false, 0, true},
	} {
		t.Run(fmt.Sprint(tt.status, " forward ", tt.forward), func(t *testing.T) {
			g := seen(t, tt.status, tt.forward)
			steps := procedure(t, replication.Switchover, g, incident(replication.Switchover, g))
			for i, s := range steps {
				if s.Done != (i < tt.done) {
					t.Errorf("%s shows done %v", s.Action, s.Done)
				}
			}
			next := steps[min(tt.done, len(steps)-1)]
			if blocked := strings.HasPrefix(verdict(next), "not ready"); blocked != tt.blocked {
				t.Errorf("%s is next: %s", next.Action, verdict(next))
			}
		})
	}
}

func TestSwitchoverWaitsForTheRecoverPoint(t *testing.T) {
	for _, tt := range []struct {
		name   string
		asked  time.Time
		status string
		want   string
	}{
		{"asked a second before it", lastRecover.Add(-time.Second), "normal", "ready"},
		{"asked in the same second", lastRecover, "normal", "not ready: recover_point"},
		{"asked after it", lastRecover.Add(time.Minute), "syncing", "not ready: recover_point"},
		{"it is not known when", time.Time{}, "normal", "not ready: recover_point"},
		{"nothing replicates", lastRecover.Add(time.Minute), "stopped", "not ready: status_allows_failover, recover_point"},
		{"it replicated, and was stopped", lastRecover.Add(-time.Minute), "stopped", "ready"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := seen(t, tt.status, true)
			inc := incident(replication.Switchover, g)
			inc.Plan.AskedAt = tt.asked
			s := procedure(t, replication.Switchover, g, inc)[0]
			if got := verdict(s); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
			if len(s.Waits) != 1 {
				t.Errorf("waits for %v", s.Waits)
			}
			inc.Plan.Action = replication.Failover
			if waits := procedure(t, replication.Failover, g, inc)[0].Waits; len(waits) != 0 {
				t.Errorf("a failover waits for %v", waits)
			}
		})
	}
}

// A rule's failover is only ever away from where production was at first; a
// person's goes back too.
func TestFailoverBackIsAPersonsAlone(t *testing.T) {
	g := seen(t, "normal", false)
	inc := incident(replication.Failover, g)
	inc.Plan.From, inc.Plan.To = sideB, sideA
	if g.FailoverReady() {
		t.Error("a rule may fail a reversed group over")
	}
	if got := verdict(procedure(t, replication.Failover, g, inc)[0]); got != "ready" {
		t.Errorf("a person's failover: %s", got)
	}
}

func TestPairsThatHaveNoCopyKeepProductionWhereItIs(t *testing.T) {
	g := seen(t, "normal", true)
	for i, c := range g.Ready {
		if c.Name == "pairs_synced" {
			g.Ready[i].OK = false
		}
	}
	for _, a := range []replication.Action{replication.Failover, replication.Switchover, replication.StartDrill} {
		if got := verdict(procedure(t, a, g, incident(a, g))[0]); got != "not ready: pairs_synced" {
			t.Errorf("%s: %s", a, got)
		}
	}
}

func TestDrillSteps(t *testing.T) {
	drill := func(id string, state replication.DrillState) replication.Drill {
		return replication.Drill{ID: id, Status: "raw-" + string(state), State: state}
	}
	for _, tt := range []struct {
		name    string
		action  replication.Action
		answer  string // the drill that the call was answered with
		drills  []replication.Drill
		verdict string
	}{
		{"not read", replication.StartDrill, "", nil, "not ready: drills_settled"},
		{"an old one", replication.StartDrill, "", []replication.Drill{drill("old", replication.DrillReady)}, "ready"},
		{"a new one starts", replication.StartDrill, "new", []replication.Drill{drill("new", replication.DrillStarting)}, "not ready: drills_settled"},
		{"ours is ready", replication.StartDrill, "new", []replication.Drill{drill("old", replication.DrillReady), drill("new", replication.DrillReady)}, "ready; done"},
		{"somebody else's is ready", replication.StartDrill, "mine", []replication.Drill{drill("new", replication.DrillReady)}, "ready"},
		{"one is ready, the answer was lost", replication.StartDrill, "", []replication.Drill{drill("new", replication.DrillReady)}, "ready; done"},
		{"ours failed", replication.StartDrill, "new", []replication.Drill{drill("new", replication.DrillFailed)}, "ready; failed: drill new is raw-failed: what it has made is billed until it is cleared"},
		{"not read", replication.ClearDrill, "", nil, "not ready: drill_of_group, drill_settled"},
		{"gone", replication.ClearDrill, "", []replication.Drill{}, "not ready: drill_of_group, drill_settled; done"},
		{"it is there", replication.ClearDrill, "", []replication.Drill{drill("old", replication.DrillReady)}, "ready"},
		{"it could not be cleared", replication.ClearDrill, "", []replication.Drill{{ID: "old", Status: "clear_failed", State: replication.DrillFailed}}, "ready; failed: the provider shows clear_failed"},
		{"it is being cleared", replication.ClearDrill, "", []replication.Drill{drill("old", replication.DrillClearing)}, "not ready: drill_settled"},
	} {
		t.Run(string(tt.action)+" "+tt.name, func(t *testing.T) {
			g := seen(t, "normal", true)
			g.DrillList = tt.drills
			inc := incident(tt.action, g)
			inc.Plan.KnownDrills, inc.Plan.Drill = []string{"old"}, "old"
			inc.Calls = []replication.Call{{JobID: tt.answer}}
			if got := verdict(procedure(t, tt.action, g, inc)[0]); got != tt.verdict {
				t.Errorf("%s, want %s", got, tt.verdict)
			}
		})
	}
}

// A group that tells nothing is ready for nothing but being stopped.
func TestProcedureOfNothing(t *testing.T) {
	for _, a := range replication.Actions() {
		for _, s := range procedure(t, a, replication.Group{RawStatus: "normal"}, replication.Incident{}) {
			if s.Done || s.Failed != "" || a != replication.Stop && !strings.HasPrefix(verdict(s), "not ready") {
				t.Errorf("%s/%s: %s", a, s.Action, verdict(s))
			}
		}
	}
	if _, err := ebs.Procedure("reboot", replication.Group{}, replication.Incident{}); !errors.Is(err, replication.ErrNoSuchAction) {
		t.Errorf("an unknown action: %v", err)
	}
}
