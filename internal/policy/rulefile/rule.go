// Package rulefile is a rule file: its form, strict reading with every mistake
// at its line and column, defaults, and the checks that need nothing but the
// file and the names of sites and accounts. It evaluates nothing.
package rulefile

import (
	"time"

	"github.com/prometheus/alertmanager/timeinterval"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/drwatch/drwatch/internal/replication"
	"github.com/drwatch/drwatch/internal/strictyaml"
)

// Rule is one failover rule, defaults filled in, everything compiled that can
// be. It is not changed after loading.
type Rule struct {
	Name     string
	Group    string        // name of the rule group it stands in
	Interval time.Duration // of the rule group, or the global default
	Place    string        // file:line:column, for messages

	Targets         []*labels.Matcher // over drwatch_group_info
	TargetsText     string
	SiteUnreachable string // "" when only Expr is given
	Expr            string // PromQL of the trigger; site_unreachable is expanded into it
	Alert           string // alert matchers, "" when none
	For             time.Duration
	KeepFiringFor   time.Duration
	Veto            string // PromQL, "" when none
	Mode            replication.Mode
	Action          replication.Action

	Agree            int  // sites that must agree; 0 = majority of Of
	Of               int  // 0 = the sites registered in the cluster
	VetoAny          bool // quorum.veto: any (true) | none
	Fence            Fence
	Guards           Guards
	Hooks            Hooks
	VetoWindow       time.Duration
	ExecutionTimeout time.Duration
	ApprovalTimeout  time.Duration
	Approvals        int
	After            []string
	Annotations      map[string]string

	pos map[string]strictyaml.Pos // of the rule ("") and of its keys, for messages
}

// Fence says how the lost side is kept from writing.
type Fence struct {
	Kind   string // "provider", "hook" or "accept_split_brain"; "" when the rule says nothing
	Reason string // of accept_split_brain
	Hook   *Hook
}

// Guards are the conditions that must hold at the moment of acting. Pointers:
// nil means the rule sets no limit.
type Guards struct {
	LagUnder      *time.Duration
	LagUnknown    string // "allow" | "block"
	DataAgeUnder  time.Duration
	Cooldown      time.Duration
	MaxConcurrent int
	MaxPerHour    int // 0 = no limit
	MaxFailures   int
	Active        []timeinterval.TimeInterval
	Mute          []timeinterval.TimeInterval
	Expr          []string
}

// Hooks run before and after the call.
type Hooks struct{ Before, After *Hook }

// Hook is a program or an HTTP call.
type Hook struct {
	Exec       []string
	URL        string
	SecretFile string
	Timeout    time.Duration
	Idempotent bool
}

// Pos is where the rule begins in its file, for messages.
func (r *Rule) Pos() strictyaml.Pos { return r.pos["failover"] }
