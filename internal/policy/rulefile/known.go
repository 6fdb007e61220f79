package rulefile

import (
	"time"

	"github.com/drwatch/drwatch/internal/replication"
)

// Known is what rules are checked against: plain data taken from the
// configuration. The zero value knows no site and no account, so that every
// rule on one is a mistake; NoConfig says that there is no configuration to
// check against.
type Known struct {
	// NoConfig: sites, accounts, observers and intervals are not known, and what
	// needs them is not checked.
	NoConfig bool
	Sites    []KnownSite
	Accounts []KnownAccount
	// ObserverSites are the sites in which observers are known to stand.
	ObserverSites []string
	// Observers is how many observers the cluster has, 0 when not known.
	Observers int
	// AcceptSingleObserver: a lone observer may go beyond mode approve.
	AcceptSingleObserver bool
	// Mode is the ceiling over all rules; "" means auto.
	Mode replication.Mode
	// Interval is the evaluation interval of groups that set none. 0 means 5s.
	Interval time.Duration
	// Metrics are the names of all metrics that expressions can use. Empty: not
	// checked.
	Metrics []string
}

// KnownSite is a site that rules may name.
type KnownSite struct {
	Name   string
	Probed bool // it has probes, so that drwatch_site_reachable tells of it
}

// KnownAccount is an account whose groups rules may target.
type KnownAccount struct {
	Name         string
	Provider     replication.Provider
	Region       string
	PollInterval time.Duration
}

const defaultInterval = 5 * time.Second

func (k Known) interval() time.Duration {
	if k.Interval > 0 {
		return k.Interval
	}
	return defaultInterval
}

func (k Known) siteNames() []string {
	out := make([]string, len(k.Sites))
	for i, s := range k.Sites {
		out[i] = s.Name
	}
	return out
}

func (k Known) site(name string) (KnownSite, bool) {
	for _, s := range k.Sites {
		if s.Name == name {
			return s, true
		}
	}
	return KnownSite{}, false
}
