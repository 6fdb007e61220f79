package dws_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drwatch/drwatch/internal/provider/dws"
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
var actions = []replication.Action{replication.Failover, replication.Switchover, replication.Start, replication.Stop}

// Each documented status, and one that is not, before and after the roles were
// swapped: what a plan from the primary to the standby cluster shows.
func TestProcedureInEachStatus(t *testing.T) {
	var table strings.Builder
	for _, s := range []string{
		"running", "unstart", "stopped", "creating", "starting", "stopping", "switchovering", "deleting",
		"create_failed", "start_failed", "stop_failed", "abnormal", "resting",
	} {
		for _, swapped := range []bool{false, true} {
			c, side, change := newCloud(t), "primary", roles(status(s), "primary", "standby")
			if swapped {
				side, change = "standby", roles(status(s), "standby", "primary")
			}
			c.apply(t, change)
			g, err := reader(t, c).Read(t.Context(), drID)
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range actions {
				p, err := dws.Procedure(a, g, incident(a, g))
				if err != nil || len(p.Steps) != 1 || p.Steps[0].Action != a || p.Steps[0].Call == "" {
					t.Fatalf("%s in %s: %+v, %v", a, s, p, err)
				}
				fmt.Fprintf(&table, "%s at %s, %s: %s\n", s, side, a, verdict(p.Steps[0]))
			}
		}
	}
	name := filepath.Join("testdata", "procedure.golden")
	if *update {
		if err := os.WriteFile(name, []byte(table.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(file(t, "procedure.golden"), table.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// incident moves from the primary to the standby cluster, or stays where
// production is.
func incident(a replication.Action, g replication.Group) replication.Incident {
	plan := replication.Plan{Action: a, From: g.Active, To: g.Active}
	if a.Moves() {
		plan.From, plan.To = g.Source, g.Target
	}
	return replication.Incident{ID: "20260102t030405-0a1b2c3d", Plan: plan}
}

func TestSwitchoverWantsBothClusters(t *testing.T) {
	for name, tt := range map[string]struct {
		change change
		missed string
	}{
		"production broken":   {change{primary: object{"status": "abnormal"}}, "clusters_healthy"},
		"standby broken":      {change{standby: object{"status": "stopped"}}, "clusters_healthy"},
		"standby deleted":     {change{standby: object{"status": "drDeleted"}}, "clusters_healthy, clusters_known"},
		"never synchronised":  {change{item: object{"last_disaster_time": nil}}, "full_sync_done"},
		"direction not known": {roles(change{}, "a", "b"), "production_at_from, active_side_known"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCloud(t)
			c.apply(t, tt.change)
			g, err := reader(t, c).Read(t.Context(), drID)
			if err != nil {
				t.Fatal(err)
			}
			p, err := dws.Procedure(replication.Switchover, g, incident(replication.Switchover, g))
			if err != nil || verdict(p.Steps[0]) != "not ready: "+tt.missed {
				t.Errorf("%s, %v, want %s", verdict(p.Steps[0]), err, tt.missed)
			}
		})
	}
}

// The vendor's recovery drops the data of one cluster: it is told of, and never
// called.
func TestProcedureOfWhatThereIsNot(t *testing.T) {
	for a, why := range map[replication.Action]string{
		replication.Reprotect: "recovery", replication.StartDrill: "no drills", replication.ClearDrill: "no drills", "reboot": "no action",
	} {
		if p, err := dws.Procedure(a, replication.Group{}, replication.Incident{}); !errors.Is(err, replication.ErrNoSuchAction) || !strings.Contains(err.Error(), why) || len(p.Steps) != 0 {
			t.Errorf("%s: %+v, %v", a, p, err)
		}
	}
	for _, a := range actions[:3] {
		p, err := dws.Procedure(a, replication.Group{RawStatus: "running"}, replication.Incident{})
		if err != nil || p.Steps[0].Done || !strings.HasPrefix(verdict(p.Steps[0]), "not ready") {
			t.Errorf("%s of a group that tells nothing: %s, %v", a, verdict(p.Steps[0]), err)
		}
	}
}

// drwatch does not start what may have been failed over, and says so before it
// is paused.
func TestStopOfSwappedRolesWarns(t *testing.T) {
	for _, swapped := range []bool{false, true} {
		c, change := newCloud(t), change{}
		if swapped {
			change = roles(change, "standby", "primary")
		}
		c.apply(t, change)
		g, err := reader(t, c).Read(t.Context(), drID)
		if err != nil {
			t.Fatal(err)
		}
		p, err := dws.Procedure(replication.Stop, g, incident(replication.Stop, g))
		if err != nil || strings.Contains(strings.Join(p.Notes, " "), "will not start it again") != swapped {
			t.Errorf("swapped %v: %q, %v", swapped, p.Notes, err)
		}
	}
}
