package cli_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"
)

// TestAlertsFire: what must be told fires when it has lasted, and not before, as
// Prometheus itself judges the alerts of docs/metrics.md; without promtool only
// how long each waits is compared.
func TestAlertsFire(t *testing.T) {
	rows := []struct {
		alert, series string
		good, bad     int // values of the series
		after         time.Duration
		labels        string
	}{
		{"DrwatchFrozen", `drwatch_frozen{instance="a"}`, 0, 1, time.Hour, `instance: a`},
		{"DrwatchObserverLost", `drwatch_observers{state="lost"}`, 0, 1, 5 * time.Minute, `state: lost`},
		{"DrwatchObserverAbstains", `drwatch_observer_fit{condition="store"}`, 1, 0, 10 * time.Minute, `condition: store`},
		{"DrwatchNobodyLeads", `drwatch_leader{instance="a"}`, 1, 0, 2 * time.Minute, ``},
	}
	all := fencesOf("docs/metrics.md", read(t, filepath.Join(root, "docs/metrics.md")))
	at := slices.IndexFunc(all, func(f fence) bool { return f.info == "yaml" && strings.Contains(f.text, "alert:") })
	if at < 0 {
		t.Fatal("docs/metrics.md has no alerts")
	}
	var doc struct {
		Groups []struct {
			Rules []struct{ Alert, For string }
		}
	}
	if err := yaml.Unmarshal([]byte(all[at].text), &doc); err != nil {
		t.Fatal(err)
	}
	tests := "rule_files: [alerts.yml]\nevaluation_interval: 1m\ntests:\n"
	for _, r := range rows {
		found := false
		for _, a := range doc.Groups[0].Rules {
			if a.Alert != r.alert {
				continue
			}
			found = true
			if d, err := model.ParseDuration(a.For); err != nil || time.Duration(d) != r.after {
				t.Errorf("%s waits %q, want %s", r.alert, a.For, r.after)
			}
		}
		if !found {
			t.Errorf("docs/metrics.md has no alert %s", r.alert)
		}
		minutes := int(r.after.Minutes())
		fires := fmt.Sprintf("exp_alerts: [{exp_labels: {%s}}]", r.labels)
		tests += fmt.Sprintf("  - interval: 1m\n    input_series: [{series: '%s', values: '%dx9 %dx%d %dx9'}]\n    alert_rule_test:\n", r.series, r.good, r.bad, minutes+9, r.good)
		for _, look := range []struct {
			minute int
			want   string
		}{{9, "exp_alerts: []"}, {10 + minutes - 1, "exp_alerts: []"}, {10 + minutes, fires}, {10 + minutes + 12, "exp_alerts: []"}} {
			tests += fmt.Sprintf("      - {eval_time: %dm, alertname: %s, %s}\n", look.minute, r.alert, look.want)
		}
	}
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Log("there is no promtool here: only how long each alert waits was compared")
		return
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "alerts.yml"), all[at].text)
	write(t, filepath.Join(dir, "tests.yml"), tests)
	cmd := exec.Command(promtool, "test", "rules", "tests.yml")
	cmd.Dir = dir
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool: %v\n%s\n%s", err, said, tests)
	}
}
