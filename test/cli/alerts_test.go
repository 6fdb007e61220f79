package cli_test

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"
)

// TestAlertsInPages: the alerts worth having are PromQL over series that
// docs/metrics.md tells of, and promtool takes them, where there is one.
func TestAlertsInPages(t *testing.T) {
	page := read(t, filepath.Join(root, "docs/metrics.md"))
	all := fencesOf("docs/metrics.md", page)
	at := slices.IndexFunc(all, func(f fence) bool { return f.info == "yaml" && strings.Contains(f.text, "alert:") })
	if at < 0 {
		t.Fatal("docs/metrics.md has no alerts")
	}
	var doc struct {
		Groups []struct {
			Rules []struct{ Alert, Expr string }
		}
	}
	if err := yaml.Unmarshal([]byte(all[at].text), &doc); err != nil {
		t.Fatal(err)
	}
	series := regexp.MustCompile(`\bdrwatch_\w+`)
	alerts := 0
	for _, g := range doc.Groups {
		for _, r := range g.Rules {
			alerts++
			if _, err := parser.NewParser(parser.Options{}).ParseExpr(r.Expr); err != nil {
				t.Errorf("%s: %v", r.Alert, err)
			}
			for _, name := range series.FindAllString(r.Expr, -1) {
				if !strings.Contains(page, "| `"+name+"` |") {
					t.Errorf("%s asks for %s, which docs/metrics.md does not know", r.Alert, name)
				}
			}
		}
	}
	if alerts < 15 {
		t.Errorf("only %d alerts", alerts)
	}
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		return
	}
	file := filepath.Join(t.TempDir(), "alerts.yml")
	write(t, file, all[at].text)
	if said, err := exec.Command(promtool, "check", "rules", file).CombinedOutput(); err != nil {
		t.Errorf("promtool: %v\n%s", err, said)
	}
}
