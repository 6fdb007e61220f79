package faults_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/drwatch/drwatch/internal/api"
	"github.com/drwatch/drwatch/internal/replication"
)

// eventually waits until ok says nothing more that is missing.
func eventually(t *testing.T, within time.Duration, what string, missing func() string) {
	t.Helper()
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	tick := time.NewTicker(400 * time.Millisecond)
	defer tick.Stop()
	for {
		why := missing()
		if why == "" {
			return
		}
		select {
		case <-deadline.C:
			t.Fatalf("waited %s for this: %s; at last: %s", within, what, why)
		case <-tick.C:
		}
	}
}

// fit waits until the daemon leads and could act: it is ready, vouches for
// itself for every rule, and remembers where each group is.
func (d *daemon) fit() {
	d.t.Helper()
	eventually(d.t, 90*time.Second, "the daemon is fit to act", func() string {
		s := d.status()
		switch {
		case !s.Ready:
			return strings.Join(s.NotReady, "; ")
		case !s.Leads || len(s.Fitness) == 0:
			return "it does not lead, or has not evaluated"
		}
		for _, f := range s.Fitness {
			if !f.OK {
				return f.String()
			}
		}
		for _, site := range s.Sites {
			if len(site.Probes) > 0 && (site.Reachable == nil || !*site.Reachable) {
				return "site " + site.Name + " is not known to be reachable"
			}
		}
		return ""
	})
}

func (d *daemon) status() api.Status {
	d.t.Helper()
	s, err := d.api.Status(context.WithoutCancel(d.t.Context()))
	if err != nil {
		d.t.Fatal(err)
	}
	return s
}

// groups are all groups by their provider's id.
func (d *daemon) groups() map[string]api.Group {
	d.t.Helper()
	list, err := d.api.Groups(context.WithoutCancel(d.t.Context()))
	if err != nil {
		d.t.Fatal(err)
	}
	out := map[string]api.Group{}
	for _, g := range list {
		out[g.Group] = g
	}
	return out
}

// incidents are the incidents of each group, newest first.
func (d *daemon) incidents() map[string][]replication.Incident {
	d.t.Helper()
	list, err := d.api.Incidents(context.WithoutCancel(d.t.Context()), 0)
	if err != nil {
		d.t.Fatal(err)
	}
	out := map[string][]replication.Incident{}
	for _, i := range list {
		out[i.Group] = append(out[i.Group], i)
	}
	return out
}

// target is what the rules see of a group.
func (d *daemon) targets() map[string]api.RuleTarget {
	d.t.Helper()
	rules, err := d.api.Rules(context.WithoutCancel(d.t.Context()))
	if err != nil {
		d.t.Fatal(err)
	}
	out := map[string]api.RuleTarget{}
	for _, r := range rules {
		for _, t := range r.Targets {
			out[t.Group] = t
		}
	}
	return out
}

// scrape reads /metrics.
func (d *daemon) scrape() scrape {
	d.t.Helper()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(d.get("/metrics")))
	if err != nil {
		d.t.Fatalf("/metrics cannot be parsed: %v", err)
	}
	return families
}

// scrape is one reading of /metrics.
type scrape map[string]*dto.MetricFamily

// sum adds up the series that have all the labels, given as name=value; for a
// histogram it counts the observations. It is -1 when there is none.
func (s scrape) sum(name string, labels ...string) float64 {
	sum, found := 0.0, false
	for _, m := range s[name].GetMetric() {
		if !has(m, labels) {
			continue
		}
		found = true
		sum += m.GetGauge().GetValue() + m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
	}
	if !found {
		return -1
	}
	return sum
}

func has(m *dto.Metric, labels []string) bool {
	for _, l := range labels {
		if !slices.ContainsFunc(m.GetLabel(), func(p *dto.LabelPair) bool { return p.GetName()+"="+p.GetValue() == l }) {
			return false
		}
	}
	return true
}

// show is an incident in one line.
func show(list []replication.Incident) string {
	if len(list) == 0 {
		return "no incident"
	}
	var out []string
	for _, i := range list {
		text := string(i.Phase)
		if i.HeldBy != "" {
			text += " by " + i.HeldBy
		}
		for _, c := range i.Calls {
			text += fmt.Sprintf(", call %d %s", c.Attempt, c.Outcome)
		}
		if i.Error != "" {
			text += " (" + i.Error + ")"
		}
		out = append(out, text)
	}
	return strings.Join(out, "; before it ")
}
