package failover

import (
	"time"

	"github.com/drwatch/drwatch/internal/replication"
)

// Rule is what a decision needs of a failover rule: plain data, all defaults
// filled in. In a journal its durations are nanoseconds.
type Rule struct {
	Name   string             `json:"name"`
	Hash   string             `json:"hash"`           // observers with different hashes never add up
	Expr   string             `json:"expr,omitempty"` // the trigger, for the record
	Mode   replication.Mode   `json:"mode"`
	Action replication.Action `json:"action"`
	For    time.Duration      `json:"for,omitempty"`

	After []string // rules whose targets come first in a site loss

	// SiteUnreachable is the site the trigger is about, "" when it is a free
	// expression.
	SiteUnreachable string `json:"site_unreachable,omitempty"`

	Agree   int  `json:"agree,omitempty"`    // sites that must hold go; 0: a majority of Of
	Of      int  `json:"of,omitempty"`       // 0: the sites registered in the cluster
	VetoAny bool `json:"veto_any,omitempty"` // a live veto blocks

	// Fence is "provider", "accept_split_brain: REASON", or "" when the rule says
	// nothing.
	Fence string `json:"fence,omitempty"`

	LagUnder        time.Duration `json:"lag_under,omitempty"` // 0: no limit
	LagUnknownAllow bool          `json:"lag_unknown_allow,omitempty"`
	DataAgeUnder    time.Duration `json:"data_age_under,omitempty"`
	Cooldown        time.Duration `json:"cooldown,omitempty"`
	MaxConcurrent   int           `json:"max_concurrent,omitempty"`
	MaxPerHour      int           `json:"max_per_hour,omitempty"` // 0: no limit
	MaxFailures     int           `json:"max_failures,omitempty"`

	VetoWindow       time.Duration `json:"veto_window,omitempty"`
	ExecutionTimeout time.Duration `json:"execution_timeout,omitempty"`
	ApprovalTimeout  time.Duration `json:"approval_timeout,omitempty"`
	Approvals        int           `json:"approvals,omitempty"`
}

// quorum is how many sites must agree, of how many.
func (r Rule) quorum(registered int) (agree, of int) {
	of = r.Of
	if of == 0 {
		of = registered
	}
	agree = r.Agree
	if agree == 0 {
		agree = of/2 + 1
	}
	return agree, of
}

// Target is one group under one rule as this observer sees it in one round.
type Target struct {
	Group      replication.Group
	SourceSite string
	TargetSite string // the site production would move to now
	ActiveSite string

	// Vote is this observer's own; its Verdict is "" when the trigger is not
	// true and nothing speaks against it either.
	Vote  replication.Vote
	State string    // "pending", "firing" or ""
	Since time.Time // since when the trigger is true
	Value float64

	// LastGood is the last moment the trigger was known to be false here: what
	// the group's lag is judged at. Zero when it never was.
	LastGood time.Time
	// Unwatched: nobody looked here for a while, as the trigger became true or since, and
	// LastGood is when somebody looked again: production may have been good until then.
	// Another observer may know better.
	Unwatched bool
	// Skew is by how much the provider's clock was ahead of the one that LastGood is
	// told by, when the group was read; less than zero when it was behind.
	Skew time.Duration
	// UntrueFor is how long the trigger has been known false without a break.
	UntrueFor time.Duration
	// Guards are the rule's own expressions and time intervals, evaluated.
	Guards []replication.Condition
	// GuardsUnknown names those of them that cannot be judged here: no fresh sample.
	GuardsUnknown []string
	// ActionTimeout is the account's bound on one mutating call.
	ActionTimeout time.Duration
}

// RuleView is one rule with its targets in one round.
type RuleView struct {
	Rule Rule
	Err  string // the trigger could not be evaluated: unknown
	// Fitness is whether this observer can vouch for itself, for this rule's `for`
	// (protocol §1).
	Fitness []replication.Condition
	Targets []Target
}

// Evaluation is what this observer's rules say in one round.
type Evaluation struct {
	At    time.Time
	Rules []RuleView
	// AllPolled: every account has been read since the start, so that no group is
	// missing among the targets.
	AllPolled bool
	// Groups are all groups this observer sees, targets of a rule or not.
	Groups []replication.Group
	// Probed are the sites that something probes.
	Probed map[string]bool
	// SiteUp tells for each site since how long it has been reachable without a
	// break, 0 when it is not known to be reachable.
	SiteUp map[string]time.Duration
}
