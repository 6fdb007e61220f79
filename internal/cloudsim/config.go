package cloudsim

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/drwatch/drwatch/internal/replication"
)

// ConfigOptions shapes the configuration that WriteConfig writes. Zero
// intervals are left out, so that drwatch's defaults hold.
type ConfigOptions struct {
	PollInterval       time.Duration
	EvaluationInterval time.Duration
	ProbeInterval      time.Duration
	ProbeTimeout       time.Duration // default: 3s
	Mode               string        // global.mode; "" = drwatch's default
	RuleFiles          []string      // relative to the directory, or absolute
	Observer           string        // observer.name
	ObserverSite       string        // observer.site; it becomes a site without probes when the clouds have none of that name
	// AcceptSingleObserver is the reason under which a lone observer may go
	// beyond mode approve; "" = it may not.
	AcceptSingleObserver string
	// Peers are the peer URLs of all observers by name; nil = this one is alone.
	Peers map[string]string
	// Sites are further sites without probes, where other observers stand.
	Sites         []string
	LeaseTTL      time.Duration // coordination.lease_ttl
	ActionTimeout time.Duration // of each account
	NeverActs     bool          // action_credentials: none, as a witness has it
}

// The files that WriteConfig writes, below its directory.
const (
	configFile    = "drwatch.yml"
	accessKeyFile = "secrets/access-key"
	secretKeyFile = "secrets/secret-key"
)

// WriteConfig writes a configuration of drwatch for these clouds into the
// directory, with the key files it names, and gives its path. The Cloud must
// have been started: its ports stand in the file.
func (c *Cloud) WriteConfig(dir string, o ConfigOptions) (path string, err error) {
	text, err := yaml.Marshal(c.config(o))
	if err != nil {
		return "", fmt.Errorf("simulated clouds: configuration: %w", err)
	}
	key := c.o.Credentials[0]
	path = filepath.Join(dir, configFile)
	if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(accessKeyFile)), 0o700); err != nil {
		return "", fmt.Errorf("simulated clouds: directory of the configuration: %w", err)
	}
	for _, f := range []struct{ path, text string }{
		{filepath.Join(dir, accessKeyFile), key.AccessKey + "\n"},
		{filepath.Join(dir, secretKeyFile), key.SecretKey + "\n"},
		{path, "# Written for the simulated clouds; their ports change with each start.\n" + string(text)},
	} {
		if err := os.WriteFile(f.path, []byte(f.text), 0o600); err != nil {
			return "", fmt.Errorf("simulated clouds: configuration: %w", err)
		}
	}
	return path, nil
}

type configDoc struct {
	Global       map[string]string    `yaml:"global,omitempty"`
	Observer     map[string]string    `yaml:"observer,omitempty"`
	Coordination map[string]any       `yaml:"coordination,omitempty"`
	Sites        []configSite         `yaml:"sites"`
	Modules      map[string]configMod `yaml:"probe_modules"`
	Accounts     []configAccount      `yaml:"accounts"`
	RuleFiles    []string             `yaml:"rule_files,omitempty"`
}

type configSite struct {
	Name      string              `yaml:"name"`
	Locations []map[string]string `yaml:"locations,omitempty"`
	Probes    []configProbe       `yaml:"probes,omitempty"`
}

type configProbe struct {
	Name     string `yaml:"name"`
	Module   string `yaml:"module"`
	Target   string `yaml:"target"`
	Interval string `yaml:"interval,omitempty"`
}

type configMod struct {
	Prober  string `yaml:"prober"`
	Timeout string `yaml:"timeout"`
}

type configAccount struct {
	Name              string               `yaml:"name"`
	Provider          replication.Provider `yaml:"provider"`
	Region            string               `yaml:"region"`
	ProjectID         string               `yaml:"project_id,omitempty"`
	Endpoint          string               `yaml:"endpoint"`
	ActionRegion      string               `yaml:"action_region,omitempty"`
	ActionEndpoint    string               `yaml:"action_endpoint,omitempty"`
	Zones             map[string]string    `yaml:"zones,omitempty"`
	Groups            map[string][]string  `yaml:"groups,omitempty"`
	Credentials       map[string]string    `yaml:"credentials"`
	ActionCredentials string               `yaml:"action_credentials,omitempty"`
	ActionTimeout     string               `yaml:"action_timeout,omitempty"`
	PollInterval      string               `yaml:"poll_interval,omitempty"`
}

func (c *Cloud) config(o ConfigOptions) configDoc {
	doc := configDoc{
		Global:    withoutEmpty(map[string]string{"evaluation_interval": promDuration(o.EvaluationInterval), "poll_interval": promDuration(o.PollInterval), "mode": o.Mode}),
		Observer:  withoutEmpty(map[string]string{"name": o.Observer, "site": o.ObserverSite}),
		Modules:   map[string]configMod{"http_2xx": {Prober: "http", Timeout: or(promDuration(o.ProbeTimeout), "3s")}},
		RuleFiles: o.RuleFiles,
		Accounts:  c.configAccounts(o),
	}
	doc.Coordination = coordination(o)
	without := append([]string{o.ObserverSite}, o.Sites...)
	for _, s := range c.o.Sites {
		site := configSite{Name: s.Name, Probes: []configProbe{{Name: "health", Module: "http_2xx", Target: c.HealthURL(s.Name), Interval: promDuration(o.ProbeInterval)}}}
		for _, l := range s.Locations {
			site.Locations = append(site.Locations, withoutEmpty(map[string]string{"region": l.Region, "zone": l.Zone}))
		}
		doc.Sites = append(doc.Sites, site)
	}
	for _, name := range without {
		if name != "" && !slices.ContainsFunc(doc.Sites, func(s configSite) bool { return s.Name == name }) {
			doc.Sites = append(doc.Sites, configSite{Name: name})
		}
	}
	return doc
}

func coordination(o ConfigOptions) map[string]any {
	out := map[string]any{}
	for key, text := range map[string]string{"accept_single_observer": o.AcceptSingleObserver, "lease_ttl": promDuration(o.LeaseTTL)} {
		if text != "" {
			out[key] = text
		}
	}
	if len(o.Peers) > 0 {
		out["embedded"] = map[string]any{"initial_cluster": o.Peers}
	}
	return out
}

// configAccounts is an account for each endpoint that is the source of groups,
// and for each further one that they fail over to.
func (c *Cloud) configAccounts(o ConfigOptions) []configAccount {
	var out []configAccount
	groups := c.Groups()
	for _, e := range c.o.Endpoints {
		byTarget := map[string][]GroupState{}
		for _, g := range groups {
			if g.Provider == e.Provider && g.Source.Region == e.Region {
				byTarget[g.Target.Region] = append(byTarget[g.Target.Region], g)
			}
		}
		for _, to := range c.o.Endpoints {
			here := byTarget[to.Region]
			if to.Provider != e.Provider || len(here) == 0 {
				continue
			}
			a := c.configAccount(e, to, here, o)
			if len(byTarget) > 1 {
				a.Groups = map[string][]string{"include": exactNames(here)}
			}
			out = append(out, a)
		}
	}
	return out
}

func (c *Cloud) configAccount(e, to Endpoint, groups []GroupState, o ConfigOptions) configAccount {
	a := configAccount{
		Name: e.Name, Provider: e.Provider, Region: e.Region, Endpoint: c.URL(e.Name),
		Credentials:  map[string]string{"access_key_file": accessKeyFile, "secret_key_file": secretKeyFile},
		PollInterval: promDuration(o.PollInterval), ActionTimeout: promDuration(o.ActionTimeout),
	}
	if o.NeverActs {
		a.ActionCredentials = "none"
	}
	if e.Provider != replication.AliyunEBS {
		a.ProjectID = c.o.ProjectID
	}
	if to.Name != e.Name {
		a.ActionEndpoint = c.URL(to.Name)
		if e.Provider == replication.AliyunEBS {
			a.ActionRegion = to.Region
		} else {
			a.Name = to.Name
		}
	}
	if e.Provider == replication.HuaweiEVS {
		a.Zones = map[string]string{"primary": groups[0].Source.Zone, "secondary": groups[0].Target.Zone}
	}
	return a
}

// exactNames are the groups' names as regular expressions.
func exactNames(groups []GroupState) []string {
	out := make([]string, 0, len(groups))
	for _, g := range groups {
		out = append(out, regexp.QuoteMeta(g.Name))
	}
	return out
}

func withoutEmpty(m map[string]string) map[string]string {
	for k, v := range m {
		if v == "" {
			delete(m, k)
		}
	}
	return m
}

// promDuration writes a duration as Prometheus reads it, "" for none.
func promDuration(d time.Duration) string {
	switch {
	case d == 0:
		return ""
	case d%time.Second == 0:
		return strconv.Itoa(int(d/time.Second)) + "s"
	}
	return strconv.Itoa(int(d/time.Millisecond)) + "ms"
}
