package replication

import (
	"errors"
	"time"
)

// Cluster is all that the coordination store holds, read linearizably at one
// revision. A decision is a pure function of it and of the observer's own
// evidence.
type Cluster struct {
	Revision  int64
	Leader    *Leader // nil when nobody leads
	Freeze    *Freeze // nil when not frozen
	Observers []Observer
	// Registered are the sites of all observers of the cluster, by name, alive or
	// not, until a person removes one: a quorum is counted over them.
	Registered map[string]string
	Votes      []Vote
	Groups     map[GroupKey]GroupRecord
	Incidents  map[string]IncidentRecord
	Losses     map[string]SiteLoss        // by site
	Slots      map[string]map[int]string  // rule → slot → incident
	Episodes   map[string]Episode         // by EpisodeKey
	Clock      time.Duration              // the cluster clock: time that passed with a leader
	Started    map[string][]time.Duration // rule → cluster-clock times of first intents in the last hour
	// Unknown is how many keys there are of each kind that this version does not
	// know: a newer observer's.
	Unknown map[string]int
}

// Leader is the present leader key.
type Leader struct {
	Observer  string
	Site      string
	CreateRev int64 // of the leader key: which election it was
}

// Observer is a running drwatch, alive by its lease.
type Observer struct {
	Name      string    `json:"name"`
	Site      string    `json:"site"`
	Version   string    `json:"version"`
	StartedAt time.Time `json:"started_at"`
	MayLead   bool      `json:"may_lead"` // it has credentials to act with
	Beat      int64     `json:"beat"`     // moves with every complete evaluation round
	// What the others should know of it: its ceiling, a hash over its rules, and
	// whether something beside it freezes it.
	Mode   Mode   `json:"mode,omitempty"`
	Rules  string `json:"rules,omitempty"`
	Frozen bool   `json:"frozen,omitempty"`
}

// Freeze is the kill switch, set.
type Freeze struct {
	Who    string    `json:"who"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
}

// GroupRecord is what the store keeps of one group. Rev is the mod-revision of
// the record, 0 when there is none yet.
type GroupRecord struct {
	OpenIncident string      `json:"open_incident,omitempty"`
	Latch        *Latch      `json:"latch,omitempty"`
	LastAction   *LastAction `json:"last_action,omitempty"`
	Baseline     string      `json:"baseline,omitempty"` // DWS: cluster ids and roles as first seen
	Active       Location    `json:"active,omitzero"`    // where production was last seen; a change counts as a failover
	Rev          int64       `json:"-"`
}

// Latch keeps a group from being acted on until a person acknowledges.
type Latch struct {
	Incident string    `json:"incident"`
	Why      string    `json:"why"`
	At       time.Time `json:"at"`
	// Rebase: the direction has changed, so that an acknowledgement also forgets
	// the baseline; it is taken down anew once all is well.
	Rebase bool `json:"rebase,omitempty"`
}

// LastAction is the last failover of the group, whoever made it. Clock is the
// cluster clock at its end, from which the cool-down runs.
type LastAction struct {
	Incident string        `json:"incident,omitempty"` // "" when it was seen by polling only
	Action   Action        `json:"action"`
	At       time.Time     `json:"at"`
	Clock    time.Duration `json:"clock"`
}

// Episode tells that a rule has had its say on a group: no new incident until
// `ack`, or until the trigger was untrue for one whole `for`.
type Episode struct {
	Rule     string   `json:"rule"`
	Group    GroupKey `json:"group"`
	Incident string   `json:"incident"`
	Phase    Phase    `json:"phase"`
}

// EpisodeKey is the key of an episode in Cluster.Episodes.
func EpisodeKey(rule string, g GroupKey) string { return rule + "\x00" + g.String() }

// SiteLoss is one loss of a site: made by the first claim for that active site.
type SiteLoss struct {
	Site     string         `json:"site"`
	Since    time.Time      `json:"since"`
	Clock    Duration       `json:"clock"`              // the cluster clock then
	Failures map[string]int `json:"failures,omitempty"` // rule → failed or ambiguous incidents
	// Tiers are the targets at the making of the loss, of each rule that another
	// comes after.
	Tiers map[string]Tier `json:"tiers,omitempty"`
	Rev   int64           `json:"-"`
}

// Tier is the targets that a rule had when a site was lost.
type Tier struct {
	Count  int      `json:"count"`
	Hash   string   `json:"hash"`             // over their keys, sorted
	Groups []string `json:"groups,omitempty"` // the keys, when they are few
	// Unsure are the keys of more, whose direction the provider did not tell then:
	// they are no targets if they turn out to stand elsewhere.
	Unsure []string `json:"unsure,omitempty"`
}

// IncidentRecord is an incident with what the store knows about its writer.
type IncidentRecord struct {
	Incident
	Rev    int64  // mod-revision of the incident
	Token  int64  // mod-revision of holder/<incident>: every later write compares it
	Holder Holder // who may write it
	Abort  *Abort // a person asked to stop it
}

// Holder is who holds an incident: an observer in one election.
type Holder struct {
	Observer  string `json:"observer"`
	LeaderRev int64  `json:"leader_rev"` // create-revision of the leader key it was elected with
}

// Abort is a person's wish to stop an incident that has sent nothing yet.
type Abort struct {
	Who    string    `json:"who"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
}

// ErrConflict is returned by the store's conditional writes when something they
// compare is not as it was read: read again and decide again.
var ErrConflict = errors.New("the coordination store changed since it was read")

// Claim is the one transaction that starts an incident (protocol §3). The store
// writes the incident, its holder, the group's record and the first journal
// entry only if nothing below has changed.
type Claim struct {
	Incident  Incident
	Entry     Entry
	Observer  string
	LeaderRev int64  // `leader` must have this create-revision
	Revision  int64  // of the snapshot: no vote key of the rule may be newer
	GroupRev  int64  // the group's record must be at this mod-revision (0: absent)
	Votes     []Vote // the counted votes: each key at its mod-revision
	LossRev   int64  // loss/<site> must be at this mod-revision (0: absent)
	Loss      SiteLoss
}

// Write is one conditional write of an incident under its token: the incident,
// one journal entry, and what goes with them.
type Write struct {
	Incident    Incident
	Entry       Entry
	Token       int64 // holder/<incident> must be at this mod-revision
	IncidentRev int64 // the incident must be at this mod-revision

	LeaderRev int64 // not 0: `leader` must have this create-revision
	Unfrozen  bool  // nothing may be frozen
	Unaborted bool  // no abort may be asked for
	Votes     *VoteGuard

	TakeSlot    bool         // slot/<rule>/<Incident.Slot> must be absent, and is written
	FreeSlot    bool         // that slot is given back
	LimitStarts bool         // conflicts with a start of the rule that is newer than Votes.Revision
	CountStart  bool         // the first intent: counted for max_per_hour
	Group       *GroupRecord // not nil: replaces the group's record, which must be at Group.Rev
	CountFailed bool         // adds one to the site loss's failures of the rule
	Episode     bool         // remembers that the rule has had its say on the group
}

// VoteGuard is what a write compares of the votes, as the claim did.
type VoteGuard struct {
	Revision int64
	Votes    []Vote
}
