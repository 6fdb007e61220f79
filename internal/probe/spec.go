package probe

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/blackbox_exporter/config"
)

// Spec is one probe: what to try, how, and how often.
type Spec struct {
	Site     string        // "" for a reference of the observer itself
	Name     string        // unique within the site
	Module   config.Module // blackbox_exporter's module, its defaults filled in
	Target   string        // as the module's prober takes it: URL, host:port, host
	Interval time.Duration
}

// ID identifies a probe among all of an observer.
type ID struct{ Site, Name string }

// ID is the identity of the probe over reloads.
func (s Spec) ID() ID { return ID{Site: s.Site, Name: s.Name} }

// String is "SITE/NAME", or "reference NAME".
func (id ID) String() string {
	if id.Site == "" {
		return "reference " + id.Name
	}
	return id.Site + "/" + id.Name
}

// Timeout is how long one try may take: the module's timeout, and never longer
// than the interval.
func (s Spec) Timeout() time.Duration {
	if s.Module.Timeout <= 0 {
		return s.Interval
	}
	return min(s.Module.Timeout, s.Interval)
}

// Result is what one try found.
type Result struct {
	Site     string
	Probe    string
	Success  bool
	Duration time.Duration
	At       time.Time // when the try ended
	Detail   string    // one line for a person: the prober's last complaint; "" on success
}

// check finds every mistake in the specs at once.
func check(specs []Spec, probers Probers) error {
	var errs []error
	seen := make(map[ID]bool, len(specs))
	for _, s := range specs {
		if seen[s.ID()] {
			errs = append(errs, fmt.Errorf("probe %s: the name is used twice; give each probe of a site its own", s.ID()))
		}
		seen[s.ID()] = true
		if s.Interval <= 0 {
			errs = append(errs, fmt.Errorf("probe %s: interval %s; give one above zero", s.ID(), s.Interval))
		}
		if s.Target == "" {
			errs = append(errs, fmt.Errorf("probe %s: no target", s.ID()))
		}
		if probers[s.Module.Prober] == nil {
			errs = append(errs, fmt.Errorf("probe %s: its module names the prober %q, which does not exist", s.ID(), s.Module.Prober))
		}
	}
	return errors.Join(errs...)
}
