package app

import (
	"fmt"
	"time"

	"github.com/drwatch/drwatch/internal/collector"
	"github.com/drwatch/drwatch/internal/config"
	"github.com/drwatch/drwatch/internal/probe"
	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/provider/dws"
	"github.com/drwatch/drwatch/internal/provider/ebs"
	"github.com/drwatch/drwatch/internal/provider/evs"
	"github.com/drwatch/drwatch/internal/provider/sdrs"
	"github.com/drwatch/drwatch/internal/replication"
)

// account is one account with what reads it. What acts is built when a claim is
// held: only then are the action credentials loaded.
type account struct {
	config config.Account
	pace   *provider.Pace // of all that calls for it
	polls  readers        // wait for the pace
	acts   readers        // for single groups under a claim: never held back
	acting provider.Settings
	keys   keys
}

// readers read the same groups from the account's endpoint and from its action
// endpoint; other is nil when they are the same.
type readers struct{ own, other provider.Reader }

// clouds are all accounts by name. It is not changed after it was made.
type clouds struct {
	byName map[string]*account
	order  []*account
	keys   keyring
}

// newClouds makes the accounts of a configuration. What was read of their keys
// before is kept, and how fast they are asked; before is nil at the start.
func newClouds(c *config.Config, o *Options, meter func(account string) provider.Meter, before *clouds) (*clouds, error) {
	ring, err := newKeyring(c.Accounts, o, before)
	if err != nil {
		return nil, err
	}
	out := &clouds{byName: map[string]*account{}, keys: ring}
	for _, a := range c.Accounts {
		built, err := newAccount(a, o, meter(a.Name), out.keys.of(a), paceOf(a, o, before))
		if err != nil {
			return nil, fmt.Errorf("account %s: %w", a.Name, err)
		}
		out.byName[a.Name] = built
		out.order = append(out.order, built)
	}
	return out, nil
}

func newAccount(a config.Account, o *Options, meter provider.Meter, k keys, pace *provider.Pace) (*account, error) {
	read := settings(a, o, meter)
	read.Pace = pace
	signing(&read, k.read)
	out := &account{config: a, pace: pace, acting: read, keys: k}
	out.acting.Endpoint, out.acting.Region, out.acting.Timeout = a.ActionEndpoint, a.Region, a.ActionTimeout
	if a.Provider == replication.AliyunEBS {
		out.acting.Region = a.ActionRegion
	}
	signing(&out.acting, k.act)
	var err error
	if out.polls, err = newReaders(a, read, out.acting); err != nil {
		return nil, err
	}
	read.Urgent = true
	out.acts, err = newReaders(a, read, out.acting)
	return out, err
}

func newReaders(a config.Account, own, acting provider.Settings) (readers, error) {
	var r readers
	var err error
	if r.own, err = newReader(a.Provider, own); err != nil || a.ActionEndpoint == a.Endpoint {
		return r, err
	}
	own.Endpoint, own.Region = acting.Endpoint, acting.Region
	r.other, err = newReader(a.Provider, own)
	return r, err
}

func settings(a config.Account, o *Options, meter provider.Meter) provider.Settings {
	s := provider.Settings{
		Account: a.Name, Region: a.Region, ProjectID: a.ProjectID, Endpoint: a.Endpoint, PrimaryRegion: a.Region,
		Timeout: a.PollTimeout, TimeZone: a.TimeZone.Location, RPOObjective: a.RPOObjective,
		Now: o.Now, Meter: meter, UserAgent: "drwatch/" + o.Version, Wanted: a.Groups.Match,
	}
	if a.Zones != nil {
		s.PrimaryZone, s.SecondaryZone = a.Zones.Primary, a.Zones.Secondary
	}
	return s
}

func newReader(p replication.Provider, s provider.Settings) (provider.Reader, error) {
	switch p {
	case replication.HuaweiSDRS:
		return sdrs.NewReader(s)
	case replication.HuaweiEVS:
		return evs.NewReader(s)
	case replication.HuaweiDWS:
		return dws.NewReader(s)
	case replication.AliyunEBS:
		return ebs.NewReader(s)
	}
	return nil, fmt.Errorf("provider %q is not known", p)
}

func newActor(p replication.Provider, s provider.Settings) (provider.Actor, error) {
	switch p {
	case replication.HuaweiSDRS:
		return sdrs.NewActor(s)
	case replication.HuaweiEVS:
		return evs.NewActor(s)
	case replication.HuaweiDWS:
		return dws.NewActor(s)
	case replication.AliyunEBS:
		return ebs.NewActor(s)
	}
	return nil, fmt.Errorf("provider %q is not known", p)
}

// watched is what the collector is told to watch.
func watched(c *config.Config, cl *clouds) collector.Settings {
	var s collector.Settings
	for _, a := range cl.order {
		s.Accounts = append(s.Accounts, collector.AccountSettings{
			Name: a.config.Name, Provider: a.config.Provider, Reader: a.polls.own, Fallback: a.polls.other, Pace: a.pace,
			Acting: a.acts.own, ActingFallback: a.acts.other,
			PollInterval: a.config.PollInterval, PollTimeout: a.config.PollTimeout,
			Include: texts(a.config.Groups.Include), Exclude: texts(a.config.Groups.Exclude),
		})
	}
	for i, site := range c.ReplicationSites() {
		set := collector.SiteSettings{Site: site, When: probe.When(c.Sites[i].ReachableWhen)}
		for _, p := range c.Sites[i].Probes {
			set.Probes = append(set.Probes, probe.Spec{Site: site.Name, Name: p.Name, Module: c.ProbeModules[p.Module], Target: p.Target, Interval: p.Interval})
		}
		s.Sites = append(s.Sites, set)
	}
	for _, r := range c.Observer.References {
		s.References = append(s.References, probe.Spec{Name: r.Name, Module: c.ProbeModules[r.Module], Target: r.Target, Interval: referenceInterval(c)})
	}
	return s
}

func referenceInterval(c *config.Config) time.Duration { return c.Global.EvaluationInterval }

func texts(ps []config.Pattern) []string {
	out := make([]string, len(ps))
	for i, p := range ps {
		out[i] = p.String()
	}
	return out
}
