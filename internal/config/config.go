package config

import (
	"time"

	blackbox "github.com/prometheus/blackbox_exporter/config"
	promconfig "github.com/prometheus/common/config"
	"go.yaml.in/yaml/v3"

	"github.com/drwatch/drwatch/internal/replication"
	"github.com/drwatch/drwatch/internal/strictyaml"
)

// Config is a whole configuration file with its defaults. It is not changed
// after loading and safe for concurrent use.
type Config struct {
	Global       Global                     `yaml:"global"`
	Observer     Observer                   `yaml:"observer"`
	Coordination Coordination               `yaml:"coordination"`
	Sites        []Site                     `yaml:"sites"`
	ProbeModules map[string]blackbox.Module `yaml:"probe_modules"`
	Accounts     []Account                  `yaml:"accounts"`
	RuleFiles    []string                   `yaml:"rule_files"` // globs, as paths from the working directory
	Notify       Notify                     `yaml:"notify"`
	Access       []Access                   `yaml:"access"`

	doc      *strictyaml.Document
	warnings strictyaml.Problems
}

// Global is what holds for everything that does not say otherwise.
type Global struct {
	// EvaluationInterval is how often rules are evaluated. A vote is renewed with
	// each evaluation, so the lease must be a few times as long.
	EvaluationInterval time.Duration `yaml:"evaluation_interval" default:"5s" check:"positive"`
	// PollInterval is how often each account is listed.
	PollInterval time.Duration `yaml:"poll_interval" default:"30s" check:"positive"`
	// PollTimeout bounds one whole poll of an account.
	PollTimeout time.Duration `yaml:"poll_timeout" default:"20s" check:"positive"`
	// Mode is the ceiling for every rule.
	Mode replication.Mode `yaml:"mode" default:"dry_run" check:"oneof=dry_run|approve|auto"`
	// ExternalLabels are added to notifications and reports.
	ExternalLabels map[string]string `yaml:"external_labels"`
}

// Observer is who this process is and where it stands.
type Observer struct {
	Name string `yaml:"name"` // default: the host's name
	Site string `yaml:"site"` // "" when it stands in none
	// References are reachable as long as this observer is not the isolated one.
	References []Reference `yaml:"references"`
}

// Reference is something that answers unless this observer is cut off.
type Reference struct {
	Name   string `yaml:"name" check:"required"`
	Module string `yaml:"module" check:"required"`
	Target string `yaml:"target" check:"required"`

	Timeout time.Duration // of the module; the evaluation interval when it sets none
}

// Coordination is where votes, claims and the journal are kept.
type Coordination struct {
	// Cluster is the key prefix; the observers of one cluster share it.
	Cluster string `yaml:"cluster" default:"drwatch"`
	// LeaseTTL is how long an observer may be silent before its votes and its
	// leadership are gone. Whole seconds.
	LeaseTTL time.Duration `yaml:"lease_ttl" default:"15s" check:"positive"`
	// AcceptSingleObserver is the reason why a lone observer may go beyond mode
	// approve; "" = it may not.
	AcceptSingleObserver string   `yaml:"accept_single_observer"`
	Embedded             Embedded `yaml:"embedded"`
	Etcd                 *Etcd    `yaml:"etcd"` // nil: embedded
}

// Embedded is an etcd member inside the drwatch process.
type Embedded struct {
	// ClientURL is where the member listens for its own drwatch; port 0 takes any.
	ClientURL string `yaml:"client_url" default:"http://127.0.0.1:0"`
	// PeerURL is where the other members reach this one; "": as InitialCluster says.
	PeerURL        string            `yaml:"peer_url"`
	InitialCluster map[string]string `yaml:"initial_cluster"` // observer → peer URL
	PeerTLS        *TLSFiles         `yaml:"peer_tls"`
}

// Etcd is an etcd that somebody else runs.
type Etcd struct {
	Endpoints    []string  `yaml:"endpoints" check:"required,nonempty"`
	TLS          *TLSFiles `yaml:"tls"`
	Username     string    `yaml:"username"`
	PasswordFile string    `yaml:"password_file"`
}

// TLSFiles names a certificate with its key, and who signs the other side's.
type TLSFiles struct {
	CertFile string `yaml:"cert_file"`
	KeyFile  string `yaml:"key_file"`
	CAFile   string `yaml:"ca_file"`
}

// Site is a failure domain.
type Site struct {
	Name      string     `yaml:"name" check:"required"`
	Locations []Location `yaml:"locations"`
	// ReachableWhen is how many of the probes must succeed.
	ReachableWhen string  `yaml:"reachable_when" default:"any" check:"oneof=any|majority|all"`
	Probes        []Probe `yaml:"probes"`
}

// Location is a name that a provider gives a site. Without a zone it is the
// whole region.
type Location struct {
	Region string `yaml:"region" check:"required"`
	Zone   string `yaml:"zone"`
}

// Probe tells whether a site is reachable.
type Probe struct {
	Name     string        `yaml:"name" check:"required"`
	Module   string        `yaml:"module" check:"required"`
	Target   string        `yaml:"target" check:"required"`
	Interval time.Duration `yaml:"interval" default:"5s" check:"positive"`

	Timeout time.Duration // of the module; the interval when it sets none
}

// Notify is who is told.
type Notify struct {
	Alertmanagers []Alertmanager `yaml:"alertmanagers"`
	Webhooks      []Webhook      `yaml:"webhooks"`
}

// Alertmanager is sent incidents as alerts, API v2.
type Alertmanager struct {
	URL        string                      `yaml:"url" check:"required"`
	HTTPConfig promconfig.HTTPClientConfig `yaml:"http_config"`
}

// Webhook is sent incidents as JSON, with an HMAC-SHA256 over the body.
type Webhook struct {
	URL        string `yaml:"url" check:"required"`
	SecretFile string `yaml:"secret_file"`
}

// Access gives a role to whoever bears a token.
type Access struct {
	Name      string `yaml:"name" check:"required"`
	Role      string `yaml:"role" check:"required,oneof=viewer|alertmanager|operator"`
	TokenFile string `yaml:"token_file" check:"required"`
}

// String names the configuration and tells nothing of it: a probe module may
// hold a password.
func (c Config) String() string {
	if c.doc == nil {
		return "drwatch configuration"
	}
	return "drwatch configuration " + c.doc.Name()
}

// GoString is String.
func (c Config) GoString() string { return c.String() }

// Warnings are what loading found that is no mistake but dangerous.
func (c *Config) Warnings() strictyaml.Problems { return c.warnings }

// Observers is how many observers the cluster has, as far as the file tells: 1
// without a cluster, 0 when an external etcd hides it.
func (c *Config) Observers() int {
	if c.Coordination.Etcd != nil {
		return 0
	}
	return max(1, len(c.Coordination.Embedded.InitialCluster))
}

// ModuleText is a probe module in one canonical form, without secrets, for
// hashing what an observer probes with. It is "" when there is no such module.
func (c *Config) ModuleText(name string) string {
	m, ok := c.ProbeModules[name]
	if !ok {
		return ""
	}
	b, err := yaml.Marshal(m)
	if err != nil {
		return "unprintable: " + err.Error()
	}
	return string(b)
}

// ReplicationSites are the sites in the domain's words.
func (c *Config) ReplicationSites() []replication.Site {
	out := make([]replication.Site, len(c.Sites))
	for i, s := range c.Sites {
		out[i].Name = s.Name
		for _, l := range s.Locations {
			out[i].Locations = append(out[i].Locations, replication.Location(l))
		}
	}
	return out
}
