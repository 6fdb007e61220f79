package evs_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drwatch/drwatch/internal/provider/evs"
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

// actions are those that the service has.
var actions = []replication.Action{replication.Failover, replication.Switchover, replication.Reprotect, replication.Start, replication.Stop}

// Each documented status, and one that is not, before and after production has
// moved: what a plan from the primary to the secondary zone shows.
func TestProcedureInEachStatus(t *testing.T) {
	var table strings.Builder
	for _, status := range []string{
		"available/active", "available/copying", "available/inactive", "available/active-stopped", "available/error", "available/resting",
		"creating/inactive", "deleting/inactive", "updating/copying", "updating/active", "reversing/active", "failovering/active-stopped",
		"failovered/active-stopped", "error/error", "error_reversing/active", "error_failovering/active", "error_deleting/inactive", "resting/active",
	} {
		for _, zone := range []string{"eu-west-0a", "eu-west-0b"} {
			c := newCloud(t)
			first, second, _ := strings.Cut(status, "/")
			c.setGroup(t, object{"status": first, "replication_status": second, "priority_station": zone})
			g, err := reader(t, c).Read(t.Context(), groupID)
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range actions {
				p, err := evs.Procedure(a, g, incident(a, g))
				if err != nil || len(p.Steps) != 1 || p.Steps[0].Action != a || p.Steps[0].Call == "" {
					t.Fatalf("%s in %s: %+v, %v", a, status, p, err)
				}
				fmt.Fprintf(&table, "%s at %s, %s: %s\n", status, zone, a, verdict(p.Steps[0]))
			}
		}
	}
	golden(t, table.String())
}

// incident moves from the primary to the secondary zone, or stays where
// production is.
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

func TestProcedureWantsTheLinkAndTheSide(t *testing.T) {
	for missed, change := range map[string]object{
		"fault_level":                           {"fault_level": "5"},
		"production_at_from, active_side_known": {"priority_station": "elsewhere"},
	} {
		c := newCloud(t)
		c.setGroup(t, change)
		g, err := reader(t, c).Read(t.Context(), groupID)
		if err != nil {
			t.Fatal(err)
		}
		p, err := evs.Procedure(replication.Switchover, g, incident(replication.Switchover, g))
		if err != nil || verdict(p.Steps[0]) != "not ready: "+missed {
			t.Errorf("%s, %v, want %s", verdict(p.Steps[0]), err, missed)
		}
	}
}

func TestProcedureOfWhatThereIsNot(t *testing.T) {
	for _, a := range []replication.Action{replication.StartDrill, replication.ClearDrill, "reboot"} {
		if p, err := evs.Procedure(a, replication.Group{}, replication.Incident{}); !errors.Is(err, replication.ErrNoSuchAction) || len(p.Steps) != 0 {
			t.Errorf("%s: %+v, %v", a, p, err)
		}
	}
	for _, a := range actions[:4] {
		p, err := evs.Procedure(a, replication.Group{RawStatus: "available/active"}, replication.Incident{})
		if err != nil || p.Steps[0].Done || !strings.HasPrefix(verdict(p.Steps[0]), "not ready") {
			t.Errorf("%s of a group that tells nothing: %s, %v", a, verdict(p.Steps[0]), err)
		}
	}
}
