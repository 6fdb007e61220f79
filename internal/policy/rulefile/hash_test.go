package rulefile_test

import (
	"strings"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/policy/rulefile"
)

const hashed = `
groups:
  - name: g
    rules:
      - failover: r
        targets: '{active_site="az-a", target_site="az-b", provider="huawei_sdrs"}'
        expr: drwatch_site_reachable{site="az-a"} == 0
        alert: '{alertname="SiteDown", severity="critical"}'
        for: 60s
        mode: auto
        quorum: {agree: 2, of: 3}
        hooks: {before: {http: {url: "http://127.0.0.1/x", secret_file: s}}}
        guards: {lag_under: 30s, lag_unknown: allow, mute_time_intervals: [{weekdays: ["monday:friday"], times: [{start_time: "02:00", end_time: "04:00"}]}]}
`

// rewritten is the same rule in other words: order of keys and matchers, space,
// units, file and group.
const rewritten = `
# a comment
groups:
- rules:
  - guards:
      mute_time_intervals:
      - times: [{end_time: "04:00", start_time: "02:00"}]
        weekdays: ['monday:friday']
      lag_unknown: allow
      lag_under: 30s
      cooldown: 60m
    quorum:
      of: 3
      agree: 2
      veto: any
    mode: auto
    hooks: {before: {timeout: 30s, http: {secret_file: s, url: "http://127.0.0.1/x"}}}
    for: 1m
    expr: |
      drwatch_site_reachable{ site = 'az-a' }
        == 0
    alert: "{severity='critical',alertname='SiteDown'}"
    targets: '{provider="huawei_sdrs",target_site="az-b",active_site="az-a"}'
    failover: r
  name: other
`

func siteData() []rulefile.SiteData {
	site := func(name string) rulefile.SiteData {
		return rulefile.SiteData{
			Name: name, ReachableWhen: "any", Locations: []string{"r/" + name, "r/x"},
			Probes: []rulefile.ProbeData{
				{Name: "vip", Module: "prober: http", Target: "http://" + name, Interval: 5 * time.Second},
				{Name: "db", Module: "prober: tcp", Target: name + ":5432", Interval: 5 * time.Second},
			},
		}
	}
	return []rulefile.SiteData{site("az-a"), site("az-b"), site("witness")}
}

func hash(t *testing.T, file, text, version string, sites []rulefile.SiteData) string {
	t.Helper()
	rules, ps := rulefile.Parse(file, []byte(text), known())
	if len(rules) != 1 {
		t.Fatalf("problems:\n%v", ps)
	}
	return rulefile.Hash(rules[0], version, sites)
}

func TestHashIsStable(t *testing.T) {
	want := hash(t, "/etc/a/r.yml", hashed, "1", siteData())
	if got := hash(t, "/opt/b/s.yml", rewritten, "1", siteData()); got != want {
		t.Error("the way a rule is written changes its hash")
	}
	sites := siteData()
	sites[0], sites[1] = sites[1], sites[0]
	sites[0].Probes[0], sites[0].Probes[1] = sites[0].Probes[1], sites[0].Probes[0]
	if got := hash(t, "r.yml", hashed, "1", sites); got != want {
		t.Error("the order of sites and probes changes the hash")
	}
	sites = siteData()
	sites[2].Probes[0].Target = "elsewhere"
	if got := hash(t, "r.yml", hashed, "1", sites); got != want {
		t.Error("a site that the rule does not name changes the hash")
	}
}

func TestHashTellsWhatMatters(t *testing.T) {
	base := hash(t, "r.yml", hashed, "1", siteData())
	if hash(t, "r.yml", hashed, "2", siteData()) == base {
		t.Error("the evaluator's version is not in the hash")
	}
	for old, changed := range map[string]string{
		"for: 60s":              "for: 61s",
		"mode: auto":            "mode: approve",
		"agree: 2":              "agree: 1",
		"lag_under: 30s":        "lag_under: 31s",
		`alertname="SiteDown"`:  `alertname="SiteUp"`,
		`, severity="critical"`: "",
		`provider="huawei_sdr`:  `provider!="huawei_sdr`,
		"== 0":                  "< 1",
		"monday:friday":         "friday",
		"127.0.0.1/x":           "127.0.0.1/y",
		"- name: g":             "- name: g\n    interval: 7s",
	} {
		if !strings.Contains(hashed, old) {
			t.Fatalf("%q is not in the rule", old)
		}
		text := strings.Replace(hashed, old, changed, 1)
		if strings.Contains(text, "!=") {
			text = strings.Replace(text, "mode: auto", "mode: approve", 1)
		}
		if hash(t, "r.yml", text, "1", siteData()) == base {
			t.Errorf("%q in place of %q is not in the hash", changed, old)
		}
	}
	for name, change := range map[string]func(*rulefile.SiteData){
		"module":         func(s *rulefile.SiteData) { s.Probes[0].Module = "x" },
		"target":         func(s *rulefile.SiteData) { s.Probes[1].Target = "x" },
		"interval":       func(s *rulefile.SiteData) { s.Probes[0].Interval++ },
		"reachable_when": func(s *rulefile.SiteData) { s.ReachableWhen = "all" },
		"location":       func(s *rulefile.SiteData) { s.Locations[0] = "x" },
	} {
		for i := range 2 {
			sites := siteData()
			change(&sites[i])
			if hash(t, "r.yml", hashed, "1", sites) == base {
				t.Errorf("the %s of site %s is not in the hash", name, sites[i].Name)
			}
		}
	}
}
