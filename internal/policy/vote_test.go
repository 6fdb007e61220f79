package policy_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/alertmanager/timeinterval"

	"github.com/drwatch/drwatch/internal/policy"
	"github.com/drwatch/drwatch/internal/policy/rulefile"
	"github.com/drwatch/drwatch/internal/replication"
	"github.com/drwatch/drwatch/internal/series"
)

func now(r *rulefile.Rule) { r.For = 0 }

func TestWhichTargetsASampleAppliesTo(t *testing.T) {
	lag := func(v float64, kv ...string) series.Sample {
		return sample(v, append([]string{"__name__", "lag"}, kv...)...)
	}
	for _, c := range []struct {
		name string
		set  []series.Sample
		want string // the groups with a go
	}{
		{"shares no label", []series.Sample{lag(1, "instance", "i")}, "g1 g2 g3"},
		{"its group", []series.Sample{lag(1, "group", "g2")}, "g2"},
		{"its group and account", []series.Sample{lag(1, "group", "g2", "account", "hw")}, "g2"},
		{"the same group id of another account", []series.Sample{lag(1, "group", "g2", "account", "other")}, ""},
		{"a label of the group differs", []series.Sample{lag(1, "group", "g2", "name", "x")}, ""},
		{"a label that is not of the group's", []series.Sample{lag(1, "group", "g2", "job", "x")}, "g2"},
		{"a name of several", []series.Sample{lag(1, "active_site", "az-a")}, "g1 g2"},
		{"not a number", []series.Sample{lag(math.NaN(), "group", "g1")}, ""},
		{"one is not a number, another is", []series.Sample{lag(math.NaN(), "group", "g1"), lag(3, "name", "db-1")}, "g1"},
		{"zero is a value", []series.Sample{lag(0, "group", "g1")}, "g1"},
		{"nobody", []series.Sample{lag(1, "group", "g9")}, ""},
		{"nothing", nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, "witness", exprRule(`lag`, now))
			w.targets = []policy.Target{
				group("g1", "db-1", "az-a", "az-b", "az-a"), group("g2", "db-2", "az-a", "az-b", "az-a"),
				group("g3", "db-3", "az-a", "az-b", "az-b"), group("g4", "dr-4", "", "", ""),
			}
			w.put(0, "s", c.set...)
			var got []string
			for _, r := range w.round(1).Rules[0].Targets {
				if r.Vote.Verdict == replication.Go {
					got = append(got, r.Target.Group.Key.ID)
				}
			}
			if d := cmp.Diff(c.want, strings.Join(got, " ")); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestTargetsOfARule(t *testing.T) {
	w := newWorld(t, "witness", siteRule(func(r *rulefile.Rule) { r.Targets = matchers(`{active_site="az-a", name!~"dr-.*"}`) }))
	w.targets = []policy.Target{
		group("g1", "db-1", "az-a", "az-b", "az-a"), group("g2", "dr-2", "az-a", "az-b", "az-a"), group("g3", "db-3", "az-a", "az-b", "az-b"),
	}
	if got := w.round(0).Rules[0].Targets; len(got) != 1 || got[0].Target.Group.Name != "db-1" {
		t.Errorf("targets %v, want db-1 alone", got)
	}
}

func TestVeto(t *testing.T) {
	rule := exprRule(`lag > 10`, now, func(r *rulefile.Rule) { r.Veto = `fine == 1` })
	setup := func(change ...func(*rulefile.Rule)) *world {
		for _, c := range change {
			c(&rule)
		}
		w := newWorld(t, "witness", rule)
		w.put(0, "lag", sample(20, "__name__", "lag"))
		return w
	}
	w := setup()
	w.want(1, replication.Go)
	w.put(2, "v", sample(1, "__name__", "fine", "group", "g1"))
	if got := w.want(3, replication.Veto); !strings.Contains(got.Vote.Evidence, "fine") || !got.Vote.Since.Equal(at(3)) {
		t.Errorf("veto %+v: want its evidence and since when", got.Vote)
	}
	w.put(4, "v", sample(1, "__name__", "fine", "group", "other"))
	w.want(5, replication.Go)

	w = setup(func(r *rulefile.Rule) { r.For = 10 * time.Second })
	w.put(1, "v", sample(1, "__name__", "fine"))
	w.want(2, replication.Veto)
	w.put(3, "v") // the contrary evidence goes missing: it keeps its word for one `for`
	w.put(4, "lag", sample(20, "__name__", "lag"))
	w.want(5, replication.Veto)
	w.fit.Started = at(4)
	w.want(6, replication.Pending) // an unfit observer has fresh vetoes only
	w.fit.Started = time.Time{}
	w.put(9, "lag", sample(20, "__name__", "lag"))
	w.want(12, replication.Veto)
	w.put(13, "lag", sample(20, "__name__", "lag"))
	w.want(14, replication.Go)

	w = setup(func(r *rulefile.Rule) { r.For, r.Veto = 0, `fine` })
	w.put(1, "v", sample(math.NaN(), "__name__", "fine"))
	w.want(2, replication.Veto) // any sample speaks against, whatever its value

	w = setup(func(r *rulefile.Rule) { r.Veto = `a * on(k) group_left b` })
	w.put(1, "v", sets(true)...)
	if got := w.want(2, replication.Abstain); !strings.Contains(got.Vote.Evidence, "the veto is not known") {
		t.Errorf("evidence %q", got.Vote.Evidence)
	}

	w = setup(func(r *rulefile.Rule) { r.Veto, r.VetoAny = `fine == 1`, false })
	w.put(1, "v", sample(1, "__name__", "fine"))
	w.want(2, replication.Go) // quorum.veto: none
}

func TestVetoOfASiteRuleIsBuiltIn(t *testing.T) {
	w := newWorld(t, "az-a", siteRule(now))
	w.site(0, "az-a", 1)
	w.want(1, replication.Veto) // also from within the active site
	w.site(5, "az-a", 0)
	w.want(6, replication.Abstain) // but no go from there
}

func TestActiveSiteMustBeKnownAndElsewhere(t *testing.T) {
	w := newWorld(t, "az-b", siteRule(now))
	w.targets = []policy.Target{
		group("g1", "db-1", "az-a", "az-b", "az-a"), group("g2", "db-2", "az-a", "az-b", "az-b"), group("g3", "db-3", "az-a", "az-b", ""),
	}
	w.site(0, "az-a", 0)
	got := w.round(1).Rules[0].Targets
	for i, want := range []replication.Verdict{replication.Go, replication.Abstain, replication.Abstain} {
		if got[i].Vote.Verdict != want {
			t.Errorf("target %d: %q (%s), want %q", i, got[i].Vote.Verdict, got[i].Vote.Evidence, want)
		}
	}
	if got[0].State != policy.StateFiring || got[0].Vote.Mode != replication.Auto || got[0].Vote.RuleHash == "" || got[0].Vote.Site != "az-b" {
		t.Errorf("vote %+v", got[0])
	}
	w.eval.SetMode(replication.DryRun)
	if got := w.first(2).Vote.Mode; got != replication.DryRun {
		t.Errorf("the ceiling is dry_run, the vote's mode is %s", got)
	}
}

func TestTargetDown(t *testing.T) {
	w := newWorld(t, "witness", siteRule(func(r *rulefile.Rule) { r.For = 10 * time.Second }))
	w.targets = append(w.targets, group("g2", "db-2", "az-a", "az-b", "az-b"), group("g3", "db-3", "az-a", "az-b", ""))
	w.site(0, "az-a", 0)
	down := func(sec float64) [3]bool {
		r := w.round(sec).Rules[0].Targets
		return [3]bool{r[0].Vote.TargetDown, r[1].Vote.TargetDown, r[2].Vote.TargetDown}
	}
	if got := down(1); got != [3]bool{false, true, false} {
		t.Errorf("target down %v, want only the group that would move to az-a", got)
	}
	w.site(5, "az-b", 0)
	w.site(5, "az-a", 0)
	if got := down(6); !got[0] {
		t.Error("az-b is down, and nobody says so")
	}
	if got := down(24); !got[0] { // silent since 15: believed for one `for`
		t.Error("a lost sample made the target site well")
	}
	if got := down(26); got[0] {
		t.Error("an old sample counts for ever")
	}
	w.site(30, "az-b", 0)
	w.site(35, "az-b", 1)
	ev := w.round(41)
	if ev.Rules[0].Targets[0].Vote.TargetDown || ev.SiteUp["az-b"] != 6*time.Second || ev.SiteUp["az-a"] != 0 {
		t.Errorf("az-b is up for 6 s: %v", ev.SiteUp)
	}
	if ev := w.round(46); ev.SiteUp["az-b"] != 0 {
		t.Errorf("az-b is silent: up for %v, want 0", ev.SiteUp["az-b"])
	}
}

func TestGuards(t *testing.T) {
	rule := siteRule(now, func(r *rulefile.Rule) {
		r.Guards.Expr = []string{`drwatch_site_reachable{site="az-b"} == 1`, `max(load) < 5`, `a * on(k) group_left b`}
	})
	w := newWorld(t, "witness", rule)
	guards := func(sec float64) string {
		var out []string
		for _, c := range w.want(sec, w.first(sec).Vote.Verdict).Guards {
			out = append(out, c.Name+"="+map[bool]string{true: "ok", false: "no"}[c.OK]+" "+c.Value)
		}
		return strings.Join(out, "\n")
	}
	w.site(0, "az-b", 1)
	w.put(0, "l1", sample(9, "__name__", "load", "n", "1"))
	w.put(0, "l2", sample(2, "__name__", "load", "n", "2"))
	w.put(0, "j", sets(false)...)
	if d := cmp.Diff("expr_1=ok 1\nexpr_2=no no sample applies\nexpr_3=ok 1", guards(1)); d != "" {
		t.Error(d)
	}
	// The high load falls silent: the guard must not hold for that.
	w.put(9, "l2", sample(2, "__name__", "load", "n", "2"))
	w.put(9, "j", sets(true)...)
	got := guards(11)
	if !strings.HasPrefix(got, "expr_1=no no sample applies\nexpr_2=no holds only because samples are missing\nexpr_3=no cannot be evaluated: ") {
		t.Error(got)
	}
	w.put(12, "l1", sample(3, "__name__", "load", "n", "1"))
	if got := guards(13); !strings.Contains(got, "expr_2=ok 3") {
		t.Error(got)
	}
	w.put(14, "l1", sample(math.NaN(), "__name__", "load", "n", "1"))
	w.put(14, "l2", sample(math.NaN(), "__name__", "load", "n", "2"))
	if got := guards(15); !strings.Contains(got, "expr_2=no no sample applies") {
		t.Error(got)
	}
}

func TestTimeIntervals(t *testing.T) {
	night := []timeinterval.TimeInterval{{Times: []timeinterval.TimeRange{{StartMinute: 2 * 60, EndMinute: 4 * 60}}}}
	w := newWorld(t, "witness", siteRule(func(r *rulefile.Rule) { r.Guards.Active, r.Guards.Mute = night, night }))
	for sec, want := range map[float64][2]bool{0: {true, false}, 2 * 3600: {false, true}} {
		g := w.first(sec).Guards
		if len(g) != 2 || g[0].Name != "active_time_intervals" || g[0].OK != want[0] || g[1].Name != "mute_time_intervals" || g[1].OK != want[1] {
			t.Errorf("at %v: %+v, want %v", sec, g, want)
		}
	}
}

// A trigger that is true only because a sample went missing is not true.
func TestSilenceIsNoEvidence(t *testing.T) {
	for _, expr := range []string{
		`sum(drwatch_probe_success{site="az-a"}) == 0`,
		`drwatch_probe_success == 0 unless on(site) drwatch_probe_success{probe="db"} == 1`,
	} {
		w := newWorld(t, "witness", exprRule(expr, now))
		probe := func(sec float64, name string, v float64) {
			w.put(sec, name, sample(v, "__name__", "drwatch_probe_success", "site", "az-a", "probe", name))
		}
		probe(0, "vip", 0)
		probe(0, "db", 1)
		w.want(1, none)
		probe(5, "vip", 0)
		probe(10, "vip", 0)
		w.want(12, none) // db is silent since 10
		probe(15, "vip", 0)
		w.want(16, none)
		probe(17, "db", 0)
		w.want(18, replication.Go)
	}
}

func TestUntrueFor(t *testing.T) {
	w := newWorld(t, "witness", siteRule())
	w.site(0, "az-a", 0)
	w.want(1, replication.Pending)
	for i := 1; i < 5; i++ {
		w.site(float64(5*i), "az-a", 1)
		if got := w.want(float64(5*i)+1, replication.Veto).UntrueFor; got != time.Duration(5*i-4)*time.Second {
			t.Errorf("at %d: known false for %v", 5*i+1, got)
		}
	}
	if got := w.first(31).UntrueFor; got != 0 {
		t.Errorf("silent, yet known false for %v", got)
	}
}
