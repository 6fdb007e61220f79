package replication

import (
	"fmt"
	"strings"
	"time"
)

// Provider names one of the four replication systems.
type Provider string

// The providers drwatch serves.
const (
	HuaweiSDRS Provider = "huawei_sdrs" // Storage Disaster Recovery Service, protection groups
	HuaweiEVS  Provider = "huawei_evs"  // Elastic Volume Service, replication consistency groups (deprecated by the vendor)
	HuaweiDWS  Provider = "huawei_dws"  // Data Warehouse Service, disaster recovery
	AliyunEBS  Provider = "aliyun_ebs"  // Elastic Block Storage, replication pair-consistent groups
)

// Providers lists all providers in their documented order.
func Providers() []Provider {
	return []Provider{HuaweiSDRS, HuaweiEVS, HuaweiDWS, AliyunEBS}
}

// Fences tells whether the provider itself keeps the lost side from writing
// when it fails over. Only SDRS documents that it stops production.
func (p Provider) Fences() bool { return p == HuaweiSDRS }

// Async tells whether the provider replicates with a lag and leaves the group
// latched after a failover, because a repeated or opposite call would be
// accepted (DWS swaps the roles back, EBS accepts a failover again).
func (p Provider) Async() bool { return p == HuaweiDWS || p == AliyunEBS }

// GroupKey identifies one replication group of one cloud, whichever account
// lists it. It is the unit of claims and latches.
type GroupKey struct {
	Provider Provider `json:"provider"`
	ID       string   `json:"id"`
}

// String is "provider/id"; ParseGroupKey reads it back.
func (k GroupKey) String() string { return string(k.Provider) + "/" + k.ID }

// ParseGroupKey reads what String wrote.
func ParseGroupKey(s string) (GroupKey, error) {
	p, id, ok := strings.Cut(s, "/")
	if !ok || p == "" || id == "" {
		return GroupKey{}, fmt.Errorf("group key %q: want PROVIDER/ID", s)
	}
	return GroupKey{Provider: Provider(p), ID: id}, nil
}

// Location is where the providers place something. An empty Zone means the
// whole region.
type Location struct {
	Region string `json:"region"`
	Zone   string `json:"zone,omitempty"`
}

// IsZero tells that the location is not known.
func (l Location) IsZero() bool { return l == Location{} }

// String is "region/zone", or the region alone.
func (l Location) String() string {
	if l.Zone == "" {
		return l.Region
	}
	return l.Region + "/" + l.Zone
}

// State is a group's state in drwatch's own words, the same over all providers.
type State string

// The states of a group (contract §6, dossier §10.2).
const (
	Replicating   State = "replicating"    // healthy
	Syncing       State = "syncing"        // first or repeated full copy under way
	ProtectionOff State = "protection_off" // exists, does not replicate
	Switching     State = "switching"      // a failover or switchover is under way
	FailedOver    State = "failed_over"    // production moved, replication stopped
	Reprotecting  State = "reprotecting"   // being protected again in the new direction
	Changing      State = "changing"       // another operation is under way
	Errored       State = "error"          // the provider reports an error
	Unknown       State = "unknown"        // none of the documented values: never acted on
)

// States lists all states in their documented order.
func States() []State {
	return []State{Replicating, Syncing, ProtectionOff, Switching, FailedOver, Reprotecting, Changing, Errored, Unknown}
}

// Group is one replication group as read from its provider at one moment.
// Pointers and zero times mean "not told by the provider", never zero.
type Group struct {
	Key     GroupKey
	Account string // the account that listed it
	Name    string
	Region  string // the region the account works in

	Source Location // production side as chosen at creation; never changes
	Target Location // disaster recovery side as chosen at creation
	Active Location // where production is now; zero when it cannot be decided

	RawStatus string // the provider's own status word(s)
	State     State
	Ready     []Condition // the provider's preconditions of a failover; all must hold (dossier §10.3)
	Fault     string      // the provider's hint of a fault (fault_level, StatusMessage), "" when none
	// FailoverFailed: the status is one that only a failed failover leaves behind.
	// Any other error may be the outage itself.
	FailoverFailed bool
	Baseline       string // DWS: cluster ids and roles, to tell a swap; "" elsewhere

	LastSync      time.Time      // last completed synchronisation, by the provider's clock
	Lag           *time.Duration // replication lag at ReadAt, only where the provider tells it
	RPOObjective  *time.Duration
	Progress      *float64       // 0..1 of the running synchronisation or operation
	Pairs         map[string]int // pairs by provider status; each pair counted once
	Instances     *int           // protected instances
	CapacityBytes *int64
	Drills        *int

	Clusters     []WarehouseCluster // DWS: production and standby
	BarrierTime  time.Time          // DWS: how far the standby has restored, by the provider's clock
	RecoveryTime *time.Duration     // DWS: the provider's own estimate of the RTO, a reference value only

	ReadAt       time.Time // when this observer read it
	ProviderTime time.Time // the Date header of that answer; zero when none came
	Side         Side      // which end told it; set by who asked both

	// DrillList are the group's drills, read only for an action that is about them;
	// nil otherwise.
	DrillList []Drill
}

// Side is one of the two ends that an account's groups are read from.
type Side string

// The sides of an account: where it is listed, and where it acts.
const (
	PrimarySide   Side = "primary"
	SecondarySide Side = "secondary"
)

// WarehouseCluster is one of the two clusters of a DWS disaster recovery.
type WarehouseCluster struct {
	Role          string // "primary" or "standby", as chosen at creation
	ID            string
	Name          string
	Status        string
	Version       string
	CapacityBytes *int64
	UsedBytes     *int64
	LastSuccess   time.Time // its last backup or restore
}

// FailoverReady tells whether all of the provider's own preconditions hold.
// No conditions at all is "not ready": readiness is shown, never assumed.
func (g Group) FailoverReady() bool {
	for _, c := range g.Ready {
		if !c.OK {
			return false
		}
	}
	return len(g.Ready) > 0
}

// Standby is the side that is not active: where a failover moves production.
// It is zero when the active side cannot be decided.
func (g Group) Standby() Location {
	switch g.Active {
	case Location{}:
		return Location{}
	case g.Source:
		return g.Target
	case g.Target:
		return g.Source
	}
	return Location{}
}

// Condition is one thing that must hold, with what it was compared to. A
// condition that could not be evaluated has OK false and says so in Value.
type Condition struct {
	Name      string `json:"name"`
	Value     string `json:"value"`
	Threshold string `json:"threshold"`
	OK        bool   `json:"ok"`
}

// String is one line for a person.
func (c Condition) String() string {
	verdict := "holds"
	if !c.OK {
		verdict = "does not hold"
	}
	return fmt.Sprintf("%s %s: %s (wants %s)", c.Name, verdict, c.Value, c.Threshold)
}

// Site is a failure domain that probes watch and groups stand in.
type Site struct {
	Name      string
	Locations []Location
}

// SiteOf names the site a location belongs to, or "" when none does. A site's
// location without a zone covers its whole region; an exact zone wins over it.
func SiteOf(sites []Site, l Location) string {
	region := ""
	for _, s := range sites {
		for _, sl := range s.Locations {
			if sl.Region != l.Region {
				continue
			}
			if sl.Zone == l.Zone {
				return s.Name
			}
			if sl.Zone == "" && region == "" {
				region = s.Name
			}
		}
	}
	return region
}

// Action is what is done to a group.
type Action string

// The actions. A rule has failover alone; all others are a person's. Reprotect is
// never automatic: it can overwrite the only good copy.
const (
	Failover   Action = "failover"
	Switchover Action = "switchover"
	Reprotect  Action = "reprotect"
	Start      Action = "start" // of protection: replication begins or goes on
	Stop       Action = "stop"  // of protection
	StartDrill Action = "drill" // copies at the recovery side, billed until cleared
	ClearDrill Action = "clear_drill"
)

// Moves tells whether the action moves production to the other side.
func (a Action) Moves() bool { return a == Failover || a == Switchover }

// Actions lists all actions in their documented order.
func Actions() []Action {
	return []Action{Failover, Switchover, Reprotect, Start, Stop, StartDrill, ClearDrill}
}

// Mode is how far a rule may go; the effective mode is the lowest that applies.
type Mode string

// The modes, lowest first.
const (
	DryRun  Mode = "dry_run" // decides, records, calls nothing
	Approve Mode = "approve" // waits for a person before it acts
	Auto    Mode = "auto"    // acts
)

var modeRank = map[Mode]int{DryRun: 0, Approve: 1, Auto: 2}

// Valid tells whether m is one of the three modes.
func (m Mode) Valid() bool { _, ok := modeRank[m]; return ok }

// Lowest is the lowest of the modes; an unknown mode counts as DryRun.
func Lowest(m Mode, more ...Mode) Mode {
	for _, o := range more {
		if modeRank[o] < modeRank[m] {
			m = o
		}
	}
	if !m.Valid() {
		return DryRun
	}
	return m
}
