package sdrs_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/provider/sdrs"
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

// Each documented status, and one that is not, before and after production has
// moved: what a plan from the source to the target shows.
func TestProcedureInEachStatus(t *testing.T) {
	var table strings.Builder
	for _, status := range []string{
		"protected", "available", "failed-over", "creating", "deleting", "starting", "stopping", "reversing", "failing-over", "reprotecting",
		"error", "error-deleting", "error-starting", "error-stopping", "error-reversing", "error-failing-over", "error-reprotecting", "resting",
	} {
		for _, station := range []string{"source", "target"} {
			c := newCloud(t)
			c.setGroup(t, object{"status": status, "priority_station": station})
			g, err := reader(t, c).Read(t.Context(), groupID)
			if err != nil {
				t.Fatal(err)
			}
			g.DrillList = []replication.Drill{}
			for _, a := range replication.Actions()[:6] { // clearing a drill does not look at the group
				p, err := sdrs.Procedure(a, g, incident(a, g))
				if err != nil || len(p.Steps) != 1 || p.Steps[0].Action != a || p.Steps[0].Call == "" {
					t.Fatalf("%s in %s: %+v, %v", a, status, p, err)
				}
				fmt.Fprintf(&table, "%s at %s, %s: %s\n", status, station, a, verdict(p.Steps[0]))
			}
		}
	}
	golden(t, table.String())
}

// incident moves from the source to the target, or stays where production is.
func incident(a replication.Action, g replication.Group) replication.Incident {
	plan := replication.Plan{Action: a, From: g.Active, To: g.Active}
	if a.Moves() {
		plan.From, plan.To = g.Source, g.Target
	}
	return replication.Incident{ID: "20260102t030405-0a1b2c3d", Plan: plan}
}

func golden(t *testing.T, got string) {
	t.Helper()
	name := filepath.Join("testdata", "procedure.golden")
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(file(t, "procedure.golden"), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestProcedureWantsWhatAFailoverWants(t *testing.T) {
	for _, tt := range []struct {
		name   string
		group  object
		pair   object
		action replication.Action
		missed string
	}{
		{"link down", nil, object{"fault_level": "5"}, replication.Switchover, "fault_level"},
		{"full copy under way", nil, object{"replication_status": "copying"}, replication.Switchover, "full_sync_done"},
		{"disk deleted", nil, object{"status": "invalid"}, replication.Switchover, "disks_present"},
		{"disk deleted", object{"status": "failed-over", "priority_station": "target"}, object{"status": "invalid"}, replication.Reprotect, "disks_present"},
		{"disk deleted", object{"status": "available"}, object{"status": "invalid"}, replication.Start, "disks_present"},
		{"no side", object{"priority_station": "null"}, nil, replication.Switchover, "production_at_from, active_side_known"},
		{"full copy under way", nil, object{"replication_status": "copying"}, replication.StartDrill, "full_sync_done"},
	} {
		t.Run(tt.name+" "+string(tt.action), func(t *testing.T) {
			c := newCloud(t)
			c.setGroup(t, tt.group)
			c.setPairs(t, tt.pair)
			g, err := reader(t, c).Read(t.Context(), groupID)
			if err != nil {
				t.Fatal(err)
			}
			g.DrillList = []replication.Drill{}
			p, err := sdrs.Procedure(tt.action, g, incident(tt.action, g))
			if err != nil {
				t.Fatal(err)
			}
			if got := verdict(p.Steps[0]); got != "not ready: "+tt.missed {
				t.Errorf("%s, want %s", got, tt.missed)
			}
		})
	}
}

// A group of which nothing was evaluated is ready for nothing.
func TestProcedureOfNothing(t *testing.T) {
	for _, a := range replication.Actions() {
		p, err := sdrs.Procedure(a, replication.Group{RawStatus: "protected"}, replication.Incident{})
		if err != nil {
			t.Fatal(err)
		}
		s := p.Steps[0]
		if s.Done || s.Failed != "" || a != replication.Stop && !strings.HasPrefix(verdict(s), "not ready") {
			t.Errorf("%s: %s", a, verdict(s))
		}
	}
	if _, err := sdrs.Procedure("reboot", replication.Group{}, replication.Incident{}); !errors.Is(err, replication.ErrNoSuchAction) {
		t.Errorf("an unknown action: %v", err)
	}
}

func TestDrillSteps(t *testing.T) {
	mine := provider.DrillName("20260102t030405-0a1b2c3d")
	drill := func(id, name string, state replication.DrillState) replication.Drill {
		return replication.Drill{ID: id, Name: name, Status: "raw-" + string(state), State: state}
	}
	for _, tt := range []struct {
		name    string
		action  replication.Action
		drills  []replication.Drill
		verdict string
	}{
		{"not read", replication.StartDrill, nil, "not ready: drills_settled"},
		{"none", replication.StartDrill, []replication.Drill{}, "ready"},
		{"an old one", replication.StartDrill, []replication.Drill{drill("old", "x", replication.DrillReady)}, "ready"},
		{"an old one of our name", replication.StartDrill, []replication.Drill{drill("old", mine, replication.DrillReady)}, "ready"},
		{"somebody else's", replication.StartDrill, []replication.Drill{drill("new", "x", replication.DrillReady)}, "ready"},
		{"ours starts", replication.StartDrill, []replication.Drill{drill("new", mine, replication.DrillStarting)}, "not ready: drills_settled"},
		{"ours is of no known state", replication.StartDrill, []replication.Drill{drill("new", mine, replication.DrillUnknown)}, "not ready: drills_settled"},
		{"ours is ready", replication.StartDrill, []replication.Drill{drill("old", "x", replication.DrillReady), drill("new", mine, replication.DrillReady)}, "ready; done"},
		{"ours failed", replication.StartDrill, []replication.Drill{drill("new", mine, replication.DrillFailed)}, "ready; failed: drill new is raw-failed: what it has made is billed until it is cleared"},
		{"not read", replication.ClearDrill, nil, "not ready: drill_of_group, drill_settled"},
		{"gone", replication.ClearDrill, []replication.Drill{}, "not ready: drill_of_group, drill_settled; done"},
		{"others are left", replication.ClearDrill, []replication.Drill{drill("new", "x", replication.DrillReady)}, "not ready: drill_of_group, drill_settled; done"},
		{"it is there", replication.ClearDrill, []replication.Drill{drill("old", "x", replication.DrillReady)}, "ready"},
		{"it failed to start", replication.ClearDrill, []replication.Drill{drill("old", "x", replication.DrillFailed)}, "ready"},
		{"it could not be cleared", replication.ClearDrill, []replication.Drill{{ID: "old", Status: "error-deleting", State: replication.DrillFailed}}, "ready; failed: the provider shows error-deleting"},
		{"it is being cleared", replication.ClearDrill, []replication.Drill{drill("old", "x", replication.DrillClearing)}, "not ready: drill_settled"},
		{"it is being started", replication.ClearDrill, []replication.Drill{drill("old", "x", replication.DrillStarting)}, "not ready: drill_settled"},
	} {
		t.Run(string(tt.action)+" "+tt.name, func(t *testing.T) {
			g, err := reader(t, newCloud(t)).Read(t.Context(), groupID)
			if err != nil {
				t.Fatal(err)
			}
			g.DrillList = tt.drills
			inc := incident(tt.action, g)
			inc.Plan.KnownDrills, inc.Plan.Drill = []string{"old"}, "old"
			p, err := sdrs.Procedure(tt.action, g, inc)
			if err != nil {
				t.Fatal(err)
			}
			if got := verdict(p.Steps[0]); got != tt.verdict {
				t.Errorf("%s, want %s", got, tt.verdict)
			}
		})
	}
}
