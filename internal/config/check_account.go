package config

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/drwatch/drwatch/internal/replication"
)

func (c *checker) accounts() {
	seen := map[string][]any{}
	for i := range c.Accounts {
		a, p := &c.Accounts[i], at("accounts", i)
		c.id(a.Name, under(p, "name")...)
		c.unique(seen, a.Name, "account", under(p, "name")...)
		if slices.Contains(replication.Providers(), a.Provider) {
			c.provider(a, p)
		}
		c.endpoints(a, p)
		c.credentials(a, &a.Credentials, under(p, "credentials"))
		if !a.Action.None && !a.Action.wrong && c.doc.Has(under(p, "action_credentials")...) {
			c.credentials(a, &a.Action.Credentials, under(p, "action_credentials"))
		}
		c.actionTimeout(a.ActionTimeout, p)
		a.fill(c.Global)
	}
	c.overlaps()
}

// provider checks the keys that only some providers have.
func (c *checker) provider(a *Account, p []any) {
	if a.Provider == replication.AliyunEBS {
		c.onlyFor("huawei_*", a.ProjectID != "", under(p, "project_id"))
	} else {
		c.onlyFor("aliyun_ebs", a.ActionRegion != "", under(p, "action_region"))
		c.project(a, p)
	}
	if a.Provider != replication.HuaweiEVS {
		c.onlyFor("huawei_evs", a.Zones != nil, under(p, "zones"))
		return
	}
	if a.Zones == nil {
		c.errorf(p, `%s: "zones" is required for huawei_evs, because its groups do not name their other zone: {primary: …, secondary: …}`, dotted(p))
		return
	}
	c.id(a.Zones.Primary, under(p, "zones", "primary")...)
	c.id(a.Zones.Secondary, under(p, "zones", "secondary")...)
	if a.Zones.Primary == a.Zones.Secondary && a.Zones.Primary != "" {
		c.errorf(under(p, "zones"), "%s.zones: primary and secondary are both %q", dotted(p), a.Zones.Primary)
	}
}

func (c *checker) onlyFor(providers string, given bool, path []any) {
	if given {
		c.errorf(path, "%s: is only for %s, leave it out", dotted(path), providers)
	}
}

var projectForm = regexp.MustCompile(`^[0-9a-f]{32}$`)

func (c *checker) project(a *Account, p []any) {
	path := under(p, "project_id")
	switch {
	case !c.doc.Has(path...):
		c.errorf(p, "%s: %q is required for %s", dotted(p), "project_id", a.Provider)
	case !idForm.MatchString(a.ProjectID):
		c.id(a.ProjectID, path...)
	case !projectForm.MatchString(a.ProjectID):
		c.warnf(path, "%s: a project id of Huawei Cloud has 32 hexadecimal digits, got %q", dotted(path), a.ProjectID)
	}
}

// regionForm is the form of all region names of both vendors: cn-north-4,
// eu-west-0, cn-hangzhou-finance.
var regionForm = regexp.MustCompile(`^[a-z]{2,}-[a-z]+(-[a-z0-9]+)*$`)

func (c *checker) endpoints(a *Account, p []any) {
	c.region(a.Region, a.Endpoint, under(p, "region"))
	c.region(a.ActionRegion, a.ActionEndpoint, under(p, "action_region"))
	a.Endpoint = c.endpoint(a.Endpoint, under(p, "endpoint")...)
	a.ActionEndpoint = c.endpoint(a.ActionEndpoint, under(p, "action_endpoint")...)
}

// region refuses what can be no region when the endpoint is derived from it.
func (c *checker) region(region, endpoint string, path []any) {
	if endpoint != "" {
		c.id(region, path...)
		return
	}
	if region != "" && !regionForm.MatchString(region) {
		c.errorf(path, "%s: unknown region %q, expected one such as cn-north-4, or give the endpoint too", dotted(path), region)
	}
}

// actionTimeout checks that a call ends well before the lease it is sent under.
func (c *checker) actionTimeout(t time.Duration, p []any) {
	ttl := c.Coordination.LeaseTTL
	if 3*(t+margin) < 2*ttl {
		return
	}
	path := at("coordination", "lease_ttl")
	if c.doc.Has(under(p, "action_timeout")...) {
		path = under(p, "action_timeout")
	}
	c.errorf(path, "%s.action_timeout: %s plus %s must be under two thirds of coordination.lease_ttl %s: shorten the one or lengthen the other",
		dotted(p), model.Duration(t), model.Duration(margin), model.Duration(ttl))
}

// overlaps finds accounts that list the same groups, and those that may both act
// on one. A filter that could not be read is reported already, and what it would
// let through is not known.
func (c *checker) overlaps() {
	in := map[string][]int{} // where groups are listed → accounts so far
	for i, a := range c.Accounts {
		home, other := homes(a)
		if a.Groups.broken() || home == "" {
			continue
		}
		earlier := slices.Clone(in[home])
		if other != home {
			earlier = append(earlier, in[other]...)
		}
		in[home] = append(in[home], i)
		for _, j := range earlier {
			if b := c.Accounts[j]; sameGroups(a, b) && mayOverlap(a.Groups, b.Groups) {
				c.overlap(j, i)
			}
		}
	}
}

// overlap reports two accounts of which the first may take groups from the other.
func (c *checker) overlap(first, second int) {
	b, a := c.Accounts[first], c.Accounts[second]
	path, line := at("accounts", second), c.doc.Pos("accounts", first).Line
	surely := a.Provider == replication.AliyunEBS || a.Endpoint == b.Endpoint && a.Region == b.Region
	switch {
	case a.CanAct() && b.CanAct() && surely && a.Groups.equal(b.Groups):
		c.errorf(path, "accounts %q (line %d) and %q may both act on the same group: make their groups.include and exclude disjoint, or give one of them action_credentials: none",
			b.Name, line, a.Name)
	case a.CanAct() && b.CanAct():
		c.warnf(path, "accounts %q (line %d) and %q may both act on the same group: make their groups.include and exclude disjoint, or give one of them action_credentials: none",
			b.Name, line, a.Name)
	case a.CanAct():
		c.warnf(path, "accounts %q (line %d) and %q may list the same group: %q comes first, keeps it, and never acts on it: make their groups.include and exclude disjoint, or put %q first",
			b.Name, line, a.Name, b.Name, a.Name)
	default:
		c.warnf(path, "accounts %q (line %d) and %q may list the same group: %q comes first and keeps it, %q shows it no more: make their groups.include and exclude disjoint",
			b.Name, line, a.Name, b.Name, a.Name)
	}
}

// homes are where an account's groups are listed, and where those of the same
// pair of regions are: accounts of other homes have no group in common. A
// project of Huawei Cloud is one, by whatever endpoint it is asked; "" when that
// is not known.
func homes(a Account) (home, other string) {
	if a.Provider == replication.AliyunEBS {
		return string(a.Provider) + " " + a.Region, string(a.Provider) + " " + a.ActionRegion
	}
	if a.ProjectID == "" {
		return "", ""
	}
	home = string(a.Provider) + " " + a.ProjectID
	return home, home
}

// sameGroups tells whether two accounts of the same homes list the same cloud's
// groups: of one project or, for EBS, the same end or the two ends of the same
// pair of regions.
func sameGroups(a, b Account) bool {
	if a.Provider != replication.AliyunEBS {
		return true
	}
	same := a.Endpoint == b.Endpoint && a.Region == b.Region
	mirrored := a.Region != b.Region && a.Region == b.ActionRegion && b.Region == a.ActionRegion
	return same || mirrored
}

// mayOverlap tells whether a name could pass both filters. Only lists of plain
// names, and a list that the other excludes word for word, are surely disjoint.
func mayOverlap(a, b Filter) bool {
	if excludedBy(a, b) || excludedBy(b, a) {
		return false
	}
	namesA, okA := names(a.Include)
	namesB, okB := names(b.Include)
	switch {
	case okA:
		return slices.ContainsFunc(namesA, func(n string) bool { return a.Match(n) && b.Match(n) })
	case okB:
		return slices.ContainsFunc(namesB, func(n string) bool { return a.Match(n) && b.Match(n) })
	}
	return true
}

func excludedBy(a, b Filter) bool {
	for _, in := range a.Include {
		if !slices.ContainsFunc(b.Exclude, func(ex Pattern) bool { return ex.text == in.text }) {
			return false
		}
	}
	return true
}

// names are the patterns as plain names, when all of them are.
func names(ps []Pattern) ([]string, bool) {
	out := make([]string, len(ps))
	for i, p := range ps {
		out[i] = p.text
		if strings.ContainsAny(p.text, `\.+*?()|[]{}^$`) {
			return nil, false
		}
	}
	return out, true
}
