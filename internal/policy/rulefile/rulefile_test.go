package rulefile_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drwatch/drwatch/internal/policy/rulefile"
	"github.com/drwatch/drwatch/internal/replication"
)

var update = flag.Bool("update", false, "write the golden files")

// known is what the example configuration tells.
func known() rulefile.Known {
	return rulefile.Known{
		Sites: []rulefile.KnownSite{
			{Name: "az-a", Probed: true},
			{Name: "az-b", Probed: true},
			{Name: "shanghai", Probed: true},
			{Name: "beijing", Probed: true},
			{Name: "witness"},
		},
		Accounts: []rulefile.KnownAccount{
			{Name: "hw-compute", Provider: replication.HuaweiSDRS, Region: "cn-north-4", PollInterval: 30 * time.Second},
			{Name: "hw-warehouse", Provider: replication.HuaweiDWS, Region: "cn-north-4", PollInterval: 30 * time.Second},
			{Name: "ali-disks", Provider: replication.AliyunEBS, Region: "cn-beijing", PollInterval: 30 * time.Second},
		},
		ObserverSites: []string{"witness"},
		Observers:     3,
		Mode:          replication.Auto,
		Interval:      5 * time.Second,
		Metrics:       []string{"drwatch_site_reachable", "drwatch_probe_success", "drwatch_group_info", "drwatch_group_state"},
	}
}

const example = "testdata/rules.example.yml"

func TestExampleLoadsAsItStands(t *testing.T) {
	for name, k := range map[string]rulefile.Known{"with a configuration": known(), "without": {NoConfig: true}} {
		t.Run(name, func(t *testing.T) {
			rules, ps := rulefile.Load([]string{example}, k)
			if len(ps) != 0 {
				t.Errorf("problems:\n%v", ps)
			}
			if len(rules) != 4 {
				t.Fatalf("got %d rules, want 4", len(rules))
			}
		})
	}
}

func TestExampleValues(t *testing.T) {
	rules, _ := rulefile.Load([]string{example}, known())
	r := rules[0]
	if r.Name != "az-a-databases" || r.Group != "az-a-loss" || r.Interval != 5*time.Second || r.Place != example+":6:9" {
		t.Errorf("got %q %q %s %s", r.Name, r.Group, r.Interval, r.Place)
	}
	if want := `drwatch_site_reachable{site="az-a"} == 0`; r.Expr != want {
		t.Errorf("expr %q, want %q", r.Expr, want)
	}
	if r.For != 3*time.Minute || r.KeepFiringFor != 30*time.Second || r.Mode != replication.Auto || r.Agree != 2 || r.Of != 3 || !r.VetoAny {
		t.Errorf("got %+v", r)
	}
	if r.Fence.Kind != "provider" || r.Hooks.Before.SecretFile != "testdata/secrets/hook" || r.Hooks.After.Timeout != 2*time.Minute {
		t.Errorf("fence %+v hooks %+v %+v", r.Fence, r.Hooks.Before, r.Hooks.After)
	}
	lag := 30 * time.Second
	want := rulefile.Guards{
		LagUnder: &lag, LagUnknown: "allow", DataAgeUnder: 2 * time.Minute, Cooldown: time.Hour,
		MaxConcurrent: 20, MaxPerHour: 100, MaxFailures: 3, Expr: []string{`drwatch_site_reachable{site="az-b"} == 1`},
	}
	if d := cmp.Diff(want, r.Guards); d != "" {
		t.Errorf("guards: -want +got:\n%s", d)
	}
	if len(rules[3].Guards.Mute) != 1 || rules[3].Guards.Mute[0].Times[0].StartMinute != 120 {
		t.Errorf("mute_time_intervals %+v", rules[3].Guards.Mute)
	}
	if rules[2].Fence.Kind != "accept_split_brain" || rules[2].Fence.Reason == "" {
		t.Errorf("fence %+v", rules[2].Fence)
	}
}

func TestDefaults(t *testing.T) {
	rules, ps := rulefile.Parse("r.yml", []byte(`
groups:
  - name: g
    rules:
      - failover: r
        targets: '{active_site="az-a"}'
        site_unreachable: az-a
        for: 1m
`), known())
	if len(ps) != 0 || len(rules) != 1 {
		t.Fatalf("problems:\n%v", ps)
	}
	r := rules[0]
	wantGuards := rulefile.Guards{LagUnknown: "block", DataAgeUnder: 2 * time.Minute, Cooldown: time.Hour, MaxConcurrent: 20, MaxFailures: 3, Expr: nil}
	if d := cmp.Diff(wantGuards, r.Guards); d != "" {
		t.Errorf("guards: -want +got:\n%s", d)
	}
	if r.Mode != replication.DryRun || r.Action != replication.Failover || !r.VetoAny || r.Agree != 0 || r.Of != 0 ||
		r.ExecutionTimeout != 10*time.Minute || r.ApprovalTimeout != time.Hour || r.Approvals != 1 || r.VetoWindow != 0 ||
		r.KeepFiringFor != 0 || r.Interval != 5*time.Second || r.Fence.Kind != "" {
		t.Errorf("got %+v", r)
	}
}

func TestNotAvailable(t *testing.T) {
	rules, _ := rulefile.Load([]string{example}, known())
	got := rulefile.NotAvailable(rules).Error()
	want := `testdata/rules.example.yml:28:11: rule "az-a-databases": hooks is not available in this version
testdata/rules.example.yml:68:16: rule "warehouse-by-alert": a fence hook is not available in this version`
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	rules, ps := rulefile.Parse("r.yml", []byte(`
groups: [{name: g, rules: [{failover: r, targets: '{active_site="az-a"}', site_unreachable: az-a, for: 1m, action: switchover, approvals: 2}]}]
`), known())
	if got := rulefile.NotAvailable(rules); len(got) != 2 {
		t.Errorf("got %v, of %v", got, ps)
	}
}

// TestBadFiles reads each *.bad.yml and compares everything that is said about
// it. Messages are what users see; a change of one shows here.
func TestBadFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/*.bad.yml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no bad files: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			k := known()
			if strings.Contains(file, "single") {
				k.Observers, k.ObserverSites, k.Mode = 1, nil, replication.Auto
			}
			if strings.Contains(file, "capped") {
				k.Mode = replication.DryRun
			}
			rules, ps := rulefile.Load([]string{file}, k)
			if len(ps) == 0 {
				t.Fatal("nothing is said about it")
			}
			if ps.HasErrors() != (rules == nil) {
				t.Errorf("errors %v, but %d rules", ps.HasErrors(), len(rules))
			}
			golden(t, strings.TrimSuffix(file, ".bad.yml")+".golden", ps.Error()+"\n")
		})
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

func TestNamesAreUniqueOverFiles(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a.yml"), filepath.Join(dir, "b.yml")
	for file, name := range map[string]string{a: "same", b: "same"} {
		text := `groups: [{name: g, rules: [{failover: ` + name + `, targets: '{active_site="az-a", name="` + filepath.Base(file) + `"}', site_unreachable: az-a, for: 1m}]}]`
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	rules, ps := rulefile.Load([]string{a, b, filepath.Join(dir, "gone.yml")}, known())
	got := strings.ReplaceAll(ps.Error(), dir, "DIR")
	want := `DIR/b.yml:1:39: rule "same" exists already, at DIR/a.yml:1:39
DIR/gone.yml: cannot be read: no such file or directory`
	if d := cmp.Diff(want, got); d != "" || rules != nil {
		t.Errorf("%d rules, -want +got:\n%s", len(rules), d)
	}
}
