package replication

import "time"

// Verdict is what an observer says about one rule and group. Silence is none
// of these and counts as unknown, never as Go.
type Verdict string

// The verdicts (protocol §1).
const (
	Go      Verdict = "go"      // the trigger was true for the whole `for`
	Pending Verdict = "pending" // true, not for long enough; or bridging missing samples
	Veto    Verdict = "veto"    // fresh evidence against
	Abstain Verdict = "abstain" // this observer is not fit to judge
)

// Vote is one observer's verdict on one rule and group.
type Vote struct {
	Observer   string    `json:"observer"`
	Site       string    `json:"site"`
	Rule       string    `json:"rule"`
	RuleHash   string    `json:"rule_hash"`
	Group      GroupKey  `json:"group"`
	Verdict    Verdict   `json:"vote"`
	Since      time.Time `json:"since"`                 // since when the verdict stands, by the voter's clock
	Value      float64   `json:"value"`                 // the trigger's sample
	Evidence   string    `json:"evidence,omitempty"`    // one line for a person
	Mode       Mode      `json:"mode"`                  // the voter's ceiling for this rule
	TargetDown bool      `json:"target_down,omitempty"` // the voter sees the site to fail over to as down
	Key        string    `json:"-"`                     // the store key it stands in
	Rev        int64     `json:"-"`                     // that key's mod-revision when read
	// For is the rule's hold time, told to the store by the voter: how long a
	// veto outlives a voter that dies. It is not read back.
	For time.Duration `json:"-"`
}

// Phase is where an incident stands (contract §8).
type Phase string

// The phases. The last five end the incident.
const (
	Open      Phase = "open"
	Held      Phase = "held"
	Executing Phase = "executing"
	Verifying Phase = "verifying"
	Succeeded Phase = "succeeded"
	Failed    Phase = "failed"
	Ambiguous Phase = "ambiguous" // it cannot be known whether the provider acted; locked for a person
	Aborted   Phase = "aborted"
	Simulated Phase = "simulated"
)

// Ended tells whether nothing more will be sent for the incident.
func (p Phase) Ended() bool {
	switch p {
	case Succeeded, Failed, Ambiguous, Aborted, Simulated:
		return true
	default:
		return false
	}
}

// Outcome is what is known of one mutating call (dossier §10.4, protocol §4).
type Outcome string

// The outcomes. An intent that has none yet is OutcomeNone.
const (
	OutcomeNone Outcome = ""
	Accepted    Outcome = "accepted"
	Rejected    Outcome = "rejected"  // the provider refused; nothing happened
	NotSent     Outcome = "not_sent"  // no byte left, or the lease was too short to send
	Throttled   Outcome = "throttled" // refused for its rate; nothing happened
	Uncertain   Outcome = "unknown"   // it may have happened
)

// Call is one mutating provider call, from its durable intent to its outcome.
// It holds no secret.
type Call struct {
	Operation string    `json:"operation"`
	Attempt   int       `json:"attempt"`
	Outcome   Outcome   `json:"outcome"` // "" while only the intent is known
	Status    int       `json:"status,omitempty"`
	RequestID string    `json:"request_id,omitempty"`
	JobID     string    `json:"job_id,omitempty"`
	Error     string    `json:"error,omitempty"`
	StartedAt time.Time `json:"started_at"` // when the intent was written
	EndedAt   time.Time `json:"ended_at,omitzero"`
	// ChangedAt is when the group was first seen otherwise than expected after a
	// call of unknown outcome.
	ChangedAt time.Time `json:"changed_at,omitzero"`
	// What the provider showed when the intent was written: the base line that
	// takeover compares with to tell whether the call happened.
	ExpectedStatus string         `json:"expected_status"`
	ExpectedActive Location       `json:"expected_active"`
	ExpectedPairs  map[string]int `json:"expected_pairs,omitempty"`
}

// Trigger is what opened an incident, at the observer that leads.
type Trigger struct {
	Expr  string    `json:"expr"`
	Value float64   `json:"value"`
	Since time.Time `json:"since"`
}

// Approval is a person's yes.
type Approval struct {
	Who    string    `json:"who"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
	Clock  Duration  `json:"clock"` // the cluster clock then; an approval ages on it
}

// Plan is what an incident will do, fixed at the claim.
type Plan struct {
	Action     Action   `json:"action"`
	From       Location `json:"from"`
	To         Location `json:"to"`
	LostSite   string   `json:"lost_site"`
	TargetSite string   `json:"target_site"`
	RawStatus  string   `json:"raw_status"` // of the group at the claim

	// What the rule says of the execution, stored so that an incident under way
	// keeps it whatever the rules say later.
	Fence            string    `json:"fence"`
	VetoWindow       Duration  `json:"veto_window"`
	ExecutionTimeout Duration  `json:"execution_timeout"`
	ApprovalTimeout  Duration  `json:"approval_timeout"`
	Approvals        int       `json:"approvals"`
	MaxConcurrent    int       `json:"max_concurrent"`
	For              Duration  `json:"for"`
	LastSync         time.Time `json:"last_sync,omitzero"`  // known at the claim, for the RPO
	Lost             time.Time `json:"lost"`                // when production was last known good: the lag is judged there
	LostThere        time.Time `json:"lost_there,omitzero"` // the same moment by the provider's clock
	ActionTimeout    Duration  `json:"action_timeout"`

	// Steps are the calls of a person's action, in order; none in a rule's incident.
	Steps []Action `json:"steps,omitempty"`
	// Drill is the drill to clear, and KnownDrills those there were at the claim:
	// one more is the one asked for.
	Drill       string   `json:"drill,omitempty"`
	KnownDrills []string `json:"known_drills,omitempty"`
	// AskedAt is when the person asked, by the provider's clock: what is to be
	// waited for is newer.
	AskedAt time.Time `json:"asked_at,omitzero"`
}

// Incident is one durable episode of one rule for one group, from the quorum to
// its end. It is stored as JSON and shown as JSON by the API; contract §8 fixes
// the names.
type Incident struct {
	ID            string      `json:"id"`
	Rule          string      `json:"rule"`
	RuleHash      string      `json:"rule_hash"`
	Account       string      `json:"account"`
	Provider      Provider    `json:"provider"`
	Group         string      `json:"group"`
	Name          string      `json:"name"`
	Action        Action      `json:"action"`
	Mode          Mode        `json:"mode"`
	Phase         Phase       `json:"phase"`
	HeldBy        string      `json:"held_by,omitempty"`
	OpenedAt      time.Time   `json:"opened_at"`
	OpenedClock   Duration    `json:"opened_clock"`         // the cluster clock at the claim; windows of a person run on it
	ExecutedAt    time.Time   `json:"executed_at,omitzero"` // the first intent
	VerifiedAt    time.Time   `json:"verified_at,omitzero"`
	ExecutedClock Duration    `json:"executed_clock"`          // the cluster clock at the first intent; execution_timeout runs on it
	ApprovalClock Duration    `json:"approval_clock,omitzero"` // the cluster clock when it first waited for a person
	EndedAt       time.Time   `json:"ended_at,omitzero"`
	RPOSeconds    *float64    `json:"rpo_seconds"` // null when the provider tells none
	RTOSeconds    *float64    `json:"rto_seconds"` // trigger true → verified
	Trigger       Trigger     `json:"trigger"`
	Votes         []Vote      `json:"votes"`
	Guards        []Condition `json:"guards"`
	Calls         []Call      `json:"calls"`
	Approvals     []Approval  `json:"approvals"`
	Error         string      `json:"error,omitempty"`
	Plan          Plan        `json:"plan"`
	Person        *Person     `json:"person,omitempty"` // who asked for it; null when a rule did
	Step          int         `json:"step"`             // how many of the plan's steps are done
	Slot          int         `json:"slot"`             // the concurrency slot it holds, -1 when none
	Head          string      `json:"journal_head,omitempty"`
	Length        int         `json:"journal_length"`
}

// Key is the group the incident is about.
func (i Incident) Key() GroupKey { return GroupKey{Provider: i.Provider, ID: i.Group} }

// Counted tells that it is among the starts that max_per_hour counts.
func (i Incident) Counted() bool { return !i.ExecutedAt.IsZero() }

// LastCall is the newest call, or nil.
func (i *Incident) LastCall() *Call {
	if len(i.Calls) == 0 {
		return nil
	}
	return &i.Calls[len(i.Calls)-1]
}

// Duration is a time.Duration that is written to JSON as seconds.
type Duration time.Duration

// Entry is one line of an incident's journal. The store fills Seq, Prev and
// Hash: Hash is SHA-256 over the entry without Hash, Prev the one before, so
// that an altered or missing entry shows.
type Entry struct {
	Incident string         `json:"incident"`
	Seq      int            `json:"seq"`
	At       time.Time      `json:"at"`
	Observer string         `json:"observer"`
	Event    string         `json:"event"` // claimed, held, intent, outcome, verified, ended, …
	Phase    Phase          `json:"phase"`
	Text     string         `json:"text"`
	Data     map[string]any `json:"data,omitempty"`
	Prev     string         `json:"prev"`
	Hash     string         `json:"hash"`
}
