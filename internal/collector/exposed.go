package collector

import (
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/drwatch/drwatch/internal/replication"
)

// The samples of a snapshot come in two kinds. Those of an account's groups and
// of its facts are many and change with its polls alone, so they can be rendered
// once for many scrapes. The observer's own are few and depend on the moment.
// Neither has a metric of the other.

// Version tells of two looks at the groups of one account whether they can
// differ. Versions are compared with ==.
type Version struct {
	polled, facts time.Time
	generation    uint64
}

// GroupsVersion is another number in each snapshot whose Groups are not the very
// same as in the one before, of the same Collector.
func (s *Snapshot) GroupsVersion() uint64 { return s.merges }

// Version is that of what GroupSamples gives of the account.
func (s *Snapshot) Version(a Account) Version {
	return Version{polled: a.LastSuccess, facts: a.Facts.At, generation: s.generation}
}

// GroupSamples is every sample of the groups that the account holds and of its
// facts, always in the same order.
func (s *Snapshot) GroupSamples(a Account) iter.Seq[Sample] {
	return func(yield func(Sample) bool) {
		var held []replication.GroupKey
		for key := range s.Groups {
			if g := s.Groups[key]; g.Account == a.Name {
				held = append(held, key)
			}
		}
		slices.SortFunc(held, func(a, b replication.GroupKey) int { return strings.Compare(a.ID, b.ID) })
		for _, key := range held {
			g := s.Groups[key]
			for _, sample := range groupSamples(&g) {
				if !yield(sample) {
					return
				}
			}
		}
		for _, sample := range a.Facts.samples(a, s.Groups) {
			if !yield(sample) {
				return
			}
		}
	}
}

// ObserverSamples is every other sample of the snapshot, as it is at now: a
// result or verdict that got too old since has none.
func (s *Snapshot) ObserverSamples(now time.Time) []Sample {
	var out []Sample
	for _, a := range s.Accounts {
		out = append(out, a.samples()...)
	}
	for _, p := range s.Probes {
		if p.Fresh(now) {
			out = append(out, probeSamples(p)...)
		}
	}
	for _, site := range s.Sites {
		out = append(out, stillStanding(false, site.Name, site.Verdict, now)...)
	}
	return append(out, stillStanding(true, "", s.References, now)...)
}

// Definitions is every metric that a snapshot has samples of.
func (c *Collector) Definitions() []Metric { return slices.Clone(definitions) }

// ObserverMetrics renders for /metrics what ObserverSamples gives. It never
// calls a provider.
func (c *Collector) ObserverMetrics() prometheus.Collector {
	return c.table.Collector(func() []Sample { return c.Snapshot().ObserverSamples(c.o.Now()) })
}
