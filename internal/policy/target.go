package policy

import (
	"github.com/prometheus/prometheus/model/labels"

	"github.com/drwatch/drwatch/internal/replication"
)

// Target is one replication group with its sites resolved. A site is "" when no
// site of the configuration names the location.
type Target struct {
	Group      *replication.Group // shared with other rounds: nobody changes it
	SourceSite string
	TargetSite string
	ActiveSite string
	Labels     labels.Labels // of drwatch_group_info, without the metric's name
}

// NewTarget is g with its sites and the labels of drwatch_group_info (contract
// §6). An empty site or status is an absent label, as everywhere in Prometheus.
// It keeps g.
func NewTarget(g *replication.Group, source, target, active string) Target {
	b := labels.NewScratchBuilder(9)
	add := func(name, v string) { // in the order of the names
		if v != "" {
			b.Add(name, v)
		}
	}
	add("account", g.Account)
	add("active_site", active)
	add("group", g.Key.ID)
	add("name", g.Name)
	add("provider", string(g.Key.Provider))
	add("raw_status", g.RawStatus)
	add("region", g.Region)
	add("source_site", source)
	add("target_site", target)
	return Target{Group: g, SourceSite: source, TargetSite: target, ActiveSite: active, Labels: b.Labels()}
}

// infoLabel tells whether a label is one of drwatch_group_info's, which every
// target has. One that is empty counts as different from any value, so that
// evidence about one site does not apply to a group whose site is not known.
func infoLabel(name string) bool {
	switch name {
	case "account", "group", "provider", "name", "region", "source_site", "target_site", "active_site", "raw_status":
		return true
	}
	return false
}

// Standby is the site a failover would move production to: the one that is not
// active. "" when the active one is not known.
func (t Target) Standby() string {
	switch t.ActiveSite {
	case "":
		return ""
	case t.SourceSite:
		return t.TargetSite
	case t.TargetSite:
		return t.SourceSite
	}
	return ""
}

func (t Target) matches(ms []*labels.Matcher) bool {
	for _, m := range ms {
		if !m.Matches(t.Labels.Get(m.Name)) {
			return false
		}
	}
	return true
}

// key tells targets apart. A group listed by two accounts is one group to the
// claim, but its evidence is kept for each listing.
type key struct {
	account string
	group   replication.GroupKey
}

func (t Target) key() key { return key{t.Group.Account, t.Group.Key} }
