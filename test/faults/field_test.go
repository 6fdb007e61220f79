package faults_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/cloudsim"
	"github.com/drwatch/drwatch/internal/replication"
)

// lane is one account with one group of its own, whose production is in az-a.
// Nothing that is done to a lane touches another.
type lane struct {
	name      string // of the account, and of its endpoint
	provider  replication.Provider
	endpoints []string
	id        string // of the group
	local     bool   // its endpoints stand in its sites, and go with them
}

func newLane(p replication.Provider, row string) *lane {
	short := strings.TrimPrefix(strings.TrimPrefix(string(p), "huawei_"), "aliyun_")
	name := short + "-" + strings.ReplaceAll(row, "_", "-")
	l := &lane{name: name, provider: p, endpoints: []string{name}}
	if p == replication.AliyunEBS {
		l.endpoints = append(l.endpoints, name+"-standby")
	}
	return l
}

// lanes is one lane a provider.
func lanesOf(row string, providers ...replication.Provider) []*lane {
	var out []*lane
	for _, p := range providers {
		out = append(out, newLane(p, row))
	}
	return out
}

// newLocalLane is a lane between two regions, each with an endpoint that goes
// with its site.
func newLocalLane(p replication.Provider, row string) *lane {
	l := newLane(p, row)
	l.local, l.endpoints = true, []string{l.name, l.name + "-standby"}
	return l
}

// places are where production is and where it would go.
func (l *lane) places() (from, to replication.Location) {
	if len(l.endpoints) == 2 {
		return replication.Location{Region: "cn-" + l.name, Zone: "z-1"}, replication.Location{Region: "cn-" + l.name + "-2", Zone: "z-2"}
	}
	region := "cn-" + l.name
	return replication.Location{Region: region, Zone: region + "a"}, replication.Location{Region: region, Zone: region + "b"}
}

// newField starts clouds with these lanes. Each operation takes as long as
// transition says.
func newField(t *testing.T, transition time.Duration, lanes ...*lane) *cloudsim.Cloud {
	t.Helper()
	return newFieldWith(t, cloudsim.Options{Transition: transition}, lanes...)
}

func newFieldWith(t *testing.T, o cloudsim.Options, lanes ...*lane) *cloudsim.Cloud {
	t.Helper()
	sites := []replication.Site{{Name: "az-a"}, {Name: "az-b"}}
	endpoints := o.Endpoints // besides those of the lanes
	for _, l := range lanes {
		from, to := l.places()
		sites[0].Locations = append(sites[0].Locations, from)
		sites[1].Locations = append(sites[1].Locations, to)
		for i, name := range l.endpoints {
			e := cloudsim.Endpoint{Name: name, Provider: l.provider, Region: []string{from.Region, to.Region}[i]}
			if l.local {
				e.Site = sites[i].Name
			}
			endpoints = append(endpoints, e)
		}
	}
	o.Now, o.Seed, o.Endpoints, o.Sites = time.Now, 1, endpoints, sites
	c, err := cloudsim.New(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range lanes {
		from, to := l.places()
		switch l.provider {
		case replication.HuaweiSDRS:
			l.id, err = c.AddSDRS(cloudsim.SDRSGroup{Name: l.name, Source: from, Target: to, Pairs: 2})
		case replication.HuaweiEVS:
			l.id, err = c.AddEVS(cloudsim.EVSGroup{Name: l.name, Source: from, Target: to, Pairs: 2})
		case replication.HuaweiDWS:
			l.id, err = c.AddDWS(cloudsim.DWSGroup{Name: l.name, Source: from, Target: to, SyncEvery: time.Second})
		default:
			l.id, err = c.AddEBS(cloudsim.EBSGroup{Name: l.name, Source: from, Target: to, Pairs: 2, SyncEvery: time.Second})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func lose(t *testing.T, c *cloudsim.Cloud, site string, how cloudsim.Loss) {
	t.Helper()
	if err := c.LoseSite(site, how); err != nil {
		t.Fatal(err)
	}
}

func fault(t *testing.T, c *cloudsim.Cloud, f cloudsim.Fault) string {
	t.Helper()
	id, err := c.AddFault(f)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// calls counts the failover calls that reached the cloud for a group.
func calls(c *cloudsim.Cloud, group string) int {
	n := 0
	for _, e := range c.Effects() {
		if e.Kind == cloudsim.Called && e.Group == group {
			n++
		}
	}
	return n
}

// ruling is how the rules of a test differ from the usual ones.
type ruling struct {
	hold     time.Duration                   // default 2s
	cooldown time.Duration                   // default 1h
	modes    map[replication.Provider]string // default auto
}

// rulesFor is one rule a provider on the loss of az-a, named after the provider.
func rulesFor(r ruling) string {
	const form = `  - failover: %s
    targets: '{provider="%s", active_site="az-a"}'
    site_unreachable: az-a
    for: %s
    mode: %s
    quorum: {agree: 1, of: 1}
    fence: %s
    guards: {%s, cooldown: %s, max_concurrent: 200, max_failures: 200}
`
	if r.hold == 0 {
		r.hold = 2 * time.Second
	}
	if r.cooldown == 0 {
		r.cooldown = time.Hour
	}
	seconds := func(d time.Duration) string { return strconv.Itoa(int(d.Milliseconds())) + "ms" }
	out := "groups:\n- name: az-a-is-lost\n  interval: 500ms\n  rules:\n"
	for _, p := range replication.Providers() {
		mode, fence, lag := r.modes[p], `{accept_split_brain: "simulated"}`, "lag_under: 5m"
		if mode == "" {
			mode = "auto"
		}
		if p.Fences() {
			fence = "provider"
		}
		if !p.Async() {
			lag += ", lag_unknown: allow"
		}
		out += fmt.Sprintf(form, p, p, seconds(r.hold), mode, fence, lag, seconds(r.cooldown))
	}
	return out
}
