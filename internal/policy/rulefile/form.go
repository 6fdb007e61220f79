package rulefile

import (
	"time"

	"github.com/prometheus/alertmanager/timeinterval"

	"github.com/drwatch/drwatch/internal/replication"
	"github.com/drwatch/drwatch/internal/strictyaml"
)

// The form of a rule file as it is written. It is compiled into a Rule.

type fileForm struct {
	Groups []groupForm `yaml:"groups" check:"required,nonempty"`
}

type groupForm struct {
	Name     string        `yaml:"name" check:"required"`
	Interval time.Duration `yaml:"interval" check:"positive"` // default: global.evaluation_interval
	Rules    []ruleForm    `yaml:"rules" check:"required,nonempty"`
}

type ruleForm struct {
	Failover         string             `yaml:"failover" check:"required"`
	Targets          string             `yaml:"targets" check:"required"`
	SiteUnreachable  string             `yaml:"site_unreachable"`
	Expr             string             `yaml:"expr"`
	Alert            string             `yaml:"alert"`
	For              time.Duration      `yaml:"for" default:"0s"`
	KeepFiringFor    time.Duration      `yaml:"keep_firing_for" default:"0s"`
	Veto             string             `yaml:"veto"`
	Mode             replication.Mode   `yaml:"mode" default:"dry_run" check:"oneof=dry_run|approve|auto"`
	Action           replication.Action `yaml:"action" default:"failover" check:"oneof=failover|switchover"`
	Quorum           quorumForm         `yaml:"quorum"`
	Fence            fenceForm          `yaml:"fence"`
	Guards           guardsForm         `yaml:"guards"`
	VetoWindow       time.Duration      `yaml:"veto_window" default:"0s"`
	ExecutionTimeout time.Duration      `yaml:"execution_timeout" default:"10m" check:"positive"`
	ApprovalTimeout  time.Duration      `yaml:"approval_timeout" default:"1h" check:"positive"`
	Approvals        int                `yaml:"approvals" default:"1" check:"positive"`
	Hooks            hooksForm          `yaml:"hooks"`
	After            []string           `yaml:"after"`
	Annotations      map[string]string  `yaml:"annotations" check:"maybeempty"`
}

type quorumForm struct {
	Agree int    `yaml:"agree" check:"positive"` // default: a majority of of
	Of    int    `yaml:"of" check:"positive"`    // default: the sites registered in the cluster
	Veto  string `yaml:"veto" default:"any" check:"oneof=any|none"`
}

type guardsForm struct {
	LagUnder      *time.Duration              `yaml:"lag_under" check:"positive"`
	LagUnknown    string                      `yaml:"lag_unknown" default:"block" check:"oneof=allow|block"`
	DataAgeUnder  time.Duration               `yaml:"data_age_under" default:"2m" check:"positive"`
	Cooldown      time.Duration               `yaml:"cooldown" default:"1h"`
	MaxConcurrent int                         `yaml:"max_concurrent" default:"20" check:"positive"`
	MaxPerHour    int                         `yaml:"max_per_hour" check:"positive"` // default: no limit
	MaxFailures   int                         `yaml:"max_failures" default:"3" check:"positive"`
	Active        []timeinterval.TimeInterval `yaml:"active_time_intervals"`
	Mute          []timeinterval.TimeInterval `yaml:"mute_time_intervals"`
	Expr          []string                    `yaml:"expr"`
}

type hooksForm struct {
	Before *hookForm `yaml:"before"`
	After  *hookForm `yaml:"after"`
}

type hookForm struct {
	Exec       []string      `yaml:"exec" check:"nonempty,maybeempty"`
	HTTP       *httpForm     `yaml:"http"`
	Timeout    time.Duration `yaml:"timeout" default:"30s" check:"positive"`
	Idempotent bool          `yaml:"idempotent" default:"false"`
}

type httpForm struct {
	URL        string `yaml:"url" check:"required"`
	SecretFile string `yaml:"secret_file"`
}

type acceptForm struct {
	Reason string `yaml:"accept_split_brain" check:"required"`
}

// fenceForm is the word provider, a hook, or accept_split_brain with a reason.
type fenceForm struct {
	kind   string
	reason string
	hook   hookForm
}

// DecodeYAML reads one of the three.
func (f *fenceForm) DecodeYAML(v *strictyaml.Value) {
	word, isText := v.Text()
	switch {
	case isText && word == fenceProvider:
		f.kind = fenceProvider
	case isText:
		v.Errorf("expected provider, a hook (exec or http), or accept_split_brain: REASON, got %q%s",
			word, strictyaml.Suggest(word, []string{fenceProvider}))
	case v.Has("accept_split_brain"):
		var a acceptForm
		v.Decode(&a)
		f.kind, f.reason = fenceAccept, a.Reason
	default:
		f.kind = fenceHook
		v.Decode(&f.hook)
	}
}

// The kinds of a Fence.
const (
	fenceProvider = "provider"
	fenceHook     = "hook"
	fenceAccept   = "accept_split_brain"
)
