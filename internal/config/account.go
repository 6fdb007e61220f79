package config

import (
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/drwatch/drwatch/internal/replication"
	"github.com/drwatch/drwatch/internal/strictyaml"
)

// Account is one credential, one provider and one project or region: what is
// listed in one go.
type Account struct {
	Name      string               `yaml:"name" check:"required"`
	Provider  replication.Provider `yaml:"provider" check:"required,oneof=huawei_sdrs|huawei_evs|huawei_dws|aliyun_ebs"`
	Region    string               `yaml:"region" check:"required"`
	ProjectID string               `yaml:"project_id"` // huawei_* only
	// Endpoint and ActionEndpoint are full URLs: scheme, host, no path. Default:
	// from provider and region.
	Endpoint       string `yaml:"endpoint"`
	ActionEndpoint string `yaml:"action_endpoint"`
	// ActionRegion is where aliyun_ebs is told to fail over: the secondary.
	// Default: the region.
	ActionRegion string            `yaml:"action_region"`
	Zones        *Zones            `yaml:"zones"` // huawei_evs only
	Credentials  Credentials       `yaml:"credentials" check:"required"`
	Action       ActionCredentials `yaml:"action_credentials"`
	Groups       Filter            `yaml:"groups"`
	// RPOObjective replaces what the provider states; nil leaves that.
	RPOObjective *time.Duration `yaml:"rpo_objective" check:"positive"`
	RateLimit    RateLimit      `yaml:"rate_limit"`
	// ActionTimeout bounds the one call of a failover. With 2 s added it must be
	// under two thirds of the lease, or a leader could still be sending when the
	// next one takes over.
	ActionTimeout time.Duration `yaml:"action_timeout" default:"5s" check:"positive"`
	PollInterval  time.Duration `yaml:"poll_interval" check:"positive"` // default: global.poll_interval
	TimeZone      TimeZone      `yaml:"time_zone" default:"UTC"`        // of provider times that carry none

	PollTimeout time.Duration // global.poll_timeout, at most the poll interval
}

// Zones are the two ends of the EVS groups of an account, which do not name
// their other zone themselves.
type Zones struct {
	Primary   string `yaml:"primary" check:"required"`
	Secondary string `yaml:"secondary" check:"required"`
}

// RateLimit bounds the reads of an account.
type RateLimit struct {
	RequestsPerSecond float64 `yaml:"requests_per_second" default:"10" check:"positive"`
	Burst             int     `yaml:"burst" default:"20" check:"positive"`
}

// Filter chooses groups by name.
type Filter struct {
	Include []Pattern `yaml:"include" default:"['.*']" check:"nonempty"`
	Exclude []Pattern `yaml:"exclude"`
}

// Match tells whether a group of this name is watched.
func (f Filter) Match(name string) bool {
	return anyMatch(f.Include, name) && !anyMatch(f.Exclude, name)
}

func (f Filter) equal(o Filter) bool {
	same := func(a, b Pattern) bool { return a.text == b.text }
	return slices.EqualFunc(f.Include, o.Include, same) && slices.EqualFunc(f.Exclude, o.Exclude, same)
}

// broken tells that a pattern could not be read: which groups are meant is not
// known.
func (f Filter) broken() bool {
	lost := func(p Pattern) bool { return p.re == nil }
	return slices.ContainsFunc(f.Include, lost) || slices.ContainsFunc(f.Exclude, lost)
}

func anyMatch(ps []Pattern, name string) bool {
	for _, p := range ps {
		if p.re != nil && p.re.MatchString(name) {
			return true
		}
	}
	return false
}

// Pattern is an anchored regular expression. The zero value is what could not be
// read; it matches nothing.
type Pattern struct {
	text string
	re   *regexp.Regexp
}

// String is the expression as written.
func (p Pattern) String() string { return p.text }

// UnmarshalText compiles the expression, anchored at both ends.
func (p *Pattern) UnmarshalText(b []byte) error {
	if _, err := regexp.Compile(string(b)); err != nil {
		return fmt.Errorf("expected a regular expression (RE2), got %q: %w", b, err)
	}
	re, err := regexp.Compile("^(?s:" + string(b) + ")$")
	if err != nil {
		return fmt.Errorf("expected a regular expression (RE2), got %q: %w", b, err)
	}
	p.text, p.re = string(b), re
	return nil
}

// TimeZone is a time zone by its IANA name.
type TimeZone struct{ *time.Location }

// UnmarshalText looks the zone up. "Local" is refused: it differs by host.
func (z *TimeZone) UnmarshalText(b []byte) error {
	name := string(b)
	if name == "" || name == "Local" {
		return fmt.Errorf("expected a time zone such as UTC or Asia/Shanghai, got %q", name)
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return fmt.Errorf("unknown time zone %q, expected one such as UTC or Asia/Shanghai", name)
	}
	z.Location = loc
	return nil
}

// ActionCredentials are the credentials of the calls that change something, or
// the word `none`: then this observer watches and votes, and never leads.
type ActionCredentials struct {
	None bool
	Credentials

	wrong bool // reported already
}

// DecodeYAML reads `none` or credentials.
func (a *ActionCredentials) DecodeYAML(v *strictyaml.Value) {
	word, ok := v.Text()
	switch {
	case ok && word == "none":
		a.None = true
	case ok:
		a.wrong = true
		v.Errorf("expected credentials, or the word none, got %q%s", word, strictyaml.Suggest(word, []string{"none"}))
	default:
		v.Decode(&a.Credentials)
	}
}

// CanAct tells whether this observer has credentials to act with.
func (a Account) CanAct() bool { return !a.Action.None }

// RateLimitPos is where the rate limit of an account stands, or the account when
// it has none of its own.
func (c *Config) RateLimitPos(account int) strictyaml.Pos {
	return c.doc.Pos("accounts", account, "rate_limit")
}
