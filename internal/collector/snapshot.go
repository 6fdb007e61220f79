package collector

import (
	"time"

	"github.com/drwatch/drwatch/internal/probe"
	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/replication"
)

// Snapshot is all that this observer sees at one moment. It is never changed
// after it was published: readers must not change it either.
type Snapshot struct {
	At       time.Time
	Groups   map[replication.GroupKey]Group
	Accounts []Account // in the order of the configuration
	Sites    []Site    // in the order of the configuration
	Probes   []probe.Sighting
	// References is the verdict on this observer's own references: not reachable
	// means that this observer is the isolated one. Not known when it has none.
	References probe.Verdict
	// ReferenceCount is how many references there are.
	ReferenceCount int

	merges     uint64 // of Groups
	generation uint64 // of the settings, and of which account holds which group
}

// Group is a group with the sites it stands in; a site is "" when none names
// the location.
type Group struct {
	replication.Group
	SourceSite  string
	TargetSite  string
	ActiveSite  string
	StandbySite string
}

// Account is what is known of the polls of one account.
type Account struct {
	Name         string
	Provider     replication.Provider
	PollInterval time.Duration
	Tried        bool          // at least one poll has ended
	Up           bool          // the last poll was complete
	LastTry      time.Time     // when the last poll ended; zero before the first
	LastSuccess  time.Time     // when the last complete poll ended; zero when there was none
	Duration     time.Duration // of the last poll
	Error        string        // of the last poll; "" when it was complete
	Fallback     bool          // the last complete poll was answered by the other endpoint
	Silent       string        // why its own endpoint had no answer to the last poll, when the other had
	Groups       int           // groups of the last complete poll, after the filters
	Bad          map[string]int
	Duplicates   []replication.GroupKey // groups that an earlier account lists too: they are kept there
	Facts        Facts                  // what changes slowly; zero before it was first read

	polls *Histogram
	meter *meter         // goes on counting
	pace  *provider.Pace // tells how it is now; nil when nothing bounds the requests
}

// ToldBy is the end that answered the last complete poll; "" when there was none.
func (a Account) ToldBy() replication.Side {
	if a.LastSuccess.IsZero() {
		return ""
	}
	return side(a.Fallback)
}

// Age is how old the account's data is at now; false when there was no complete
// poll yet.
func (a Account) Age(now time.Time) (time.Duration, bool) {
	return now.Sub(a.LastSuccess), !a.LastSuccess.IsZero()
}

// Site is the verdict on one site.
type Site struct {
	Name    string
	Probes  int // 0: nothing watches it, and its verdict is never known
	Verdict probe.Verdict
	Since   time.Time // since when the verdict is as it is, be it "not known"
}

// Account finds an account by its name.
func (s *Snapshot) Account(name string) (Account, bool) {
	for _, a := range s.Accounts {
		if a.Name == name {
			return a, true
		}
	}
	return Account{}, false
}

// Site finds a site by its name.
func (s *Snapshot) Site(name string) (Site, bool) {
	for _, site := range s.Sites {
		if site.Name == name {
			return site, true
		}
	}
	return Site{}, false
}

// Move is a change of a group's active side, seen between two polls. Whoever
// made it, it counts as a failover.
type Move struct {
	Key     replication.GroupKey
	Account string
	From    replication.Location
	To      replication.Location
	At      time.Time // when it was seen
}
