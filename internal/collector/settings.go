package collector

import (
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/drwatch/drwatch/internal/probe"
	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/replication"
)

// Settings is what to watch.
type Settings struct {
	Accounts   []AccountSettings // in the order of precedence: of two that list one group the first keeps it
	Sites      []SiteSettings
	References []probe.Spec // their Site must be ""
}

// AccountSettings is one account to poll.
type AccountSettings struct {
	Name     string
	Provider replication.Provider
	Reader   provider.Reader
	// Fallback reads the same groups from the other endpoint, and is asked when
	// Reader does not answer. Nil when there is none.
	Fallback     provider.Reader
	Pace         *provider.Pace // of the account's requests, to tell of; nil when nothing bounds them
	PollInterval time.Duration
	PollTimeout  time.Duration // of each of the two readers
	// Acting reads single groups for whoever acts on them, and ActingFallback from
	// the other endpoint: the same groups, but not held back by the rate that
	// bounds the polls. Nil: Reader and Fallback serve for both.
	Acting         provider.Reader
	ActingFallback provider.Reader
	// Include and Exclude are regular expressions over the group's name, anchored
	// at both ends. A group is watched when any of Include matches, or there is
	// none, and none of Exclude does.
	Include []string
	Exclude []string
}

// SiteSettings is one site with the probes that watch it.
type SiteSettings struct {
	replication.Site
	When   probe.When   // "" is Any
	Probes []probe.Spec // their Site is the site's name
}

// specs is every probe there is.
func (s Settings) specs() []probe.Spec {
	all := append([]probe.Spec(nil), s.References...)
	for _, site := range s.Sites {
		all = append(all, site.Probes...)
	}
	return all
}

// sites is the sites as the groups' locations are resolved with.
func (s Settings) sites() []replication.Site {
	all := make([]replication.Site, 0, len(s.Sites))
	for _, site := range s.Sites {
		all = append(all, site.Site)
	}
	return all
}

// check finds every mistake at once, but those of the probes.
func (s Settings) check() error {
	var errs []error
	accounts, sites := map[string]bool{}, map[string]bool{}
	for _, a := range s.Accounts {
		if accounts[a.Name] {
			errs = append(errs, fmt.Errorf("account %s: the name is used twice; give each account its own", a.Name))
		}
		accounts[a.Name] = true
		errs = append(errs, a.check())
	}
	for _, site := range s.Sites {
		if sites[site.Name] {
			errs = append(errs, fmt.Errorf("site %s: the name is used twice; give each site its own", site.Name))
		}
		sites[site.Name] = true
		switch site.When {
		case "", probe.Any, probe.Majority, probe.All:
		default:
			errs = append(errs, fmt.Errorf("site %s: reachable_when %q; want any, majority or all", site.Name, site.When))
		}
		for _, p := range site.Probes {
			if p.Site != site.Name {
				errs = append(errs, fmt.Errorf("site %s: its probe %s says that it watches %q", site.Name, p.Name, p.Site))
			}
		}
	}
	for _, r := range s.References {
		if r.Site != "" {
			errs = append(errs, fmt.Errorf("reference %s: it says that it watches site %q", r.Name, r.Site))
		}
	}
	return errors.Join(errs...)
}

func (a AccountSettings) check() error {
	var errs []error
	if a.Reader == nil {
		errs = append(errs, fmt.Errorf("account %s: no reader", a.Name))
	}
	if a.PollInterval <= 0 || a.PollTimeout <= 0 {
		errs = append(errs, fmt.Errorf("account %s: poll interval %s and timeout %s; give both above zero", a.Name, a.PollInterval, a.PollTimeout))
	}
	_, err := newFilter(a.Include, a.Exclude)
	if err != nil {
		errs = append(errs, fmt.Errorf("account %s: %w", a.Name, err))
	}
	return errors.Join(errs...)
}

// filter decides by name which groups of an account are watched.
type filter struct{ include, exclude []*regexp.Regexp }

func newFilter(include, exclude []string) (filter, error) {
	in, err1 := anchored("include", include)
	ex, err2 := anchored("exclude", exclude)
	return filter{in, ex}, errors.Join(err1, err2)
}

func anchored(key string, texts []string) ([]*regexp.Regexp, error) {
	var all []*regexp.Regexp
	var errs []error
	for _, text := range texts {
		if _, err := regexp.Compile(text); err != nil { // alone, so that its brackets cannot meet ours
			errs = append(errs, fmt.Errorf("groups.%s %q is no regular expression: %w", key, text, err))
			continue
		}
		re, err := regexp.Compile("^(?s:" + text + ")$")
		if err != nil {
			errs = append(errs, fmt.Errorf("groups.%s %q cannot be anchored: %w", key, text, err))
			continue
		}
		all = append(all, re)
	}
	return all, errors.Join(errs...)
}

func (f filter) accepts(name string) bool {
	return (len(f.include) == 0 || matches(f.include, name)) && !matches(f.exclude, name)
}

func matches(res []*regexp.Regexp, name string) bool {
	for _, re := range res {
		if re.MatchString(name) {
			return true
		}
	}
	return false
}
