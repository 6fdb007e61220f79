package policytest

import (
	"time"

	"github.com/drwatch/drwatch/internal/replication"
)

// The form of a test file as it is written.

type fileForm struct {
	RuleFiles          []string      `yaml:"rule_files" check:"required,nonempty"`
	EvaluationInterval time.Duration `yaml:"evaluation_interval" default:"5s" check:"positive"`
	Tests              []testForm    `yaml:"tests" check:"required,nonempty"`
}

type testForm struct {
	Name                 string            `yaml:"name" check:"required"`
	Observers            map[string]string `yaml:"observers" check:"required"` // name → site
	This                 string            `yaml:"this"`                       // default: the first of observers
	Mode                 replication.Mode  `yaml:"mode" default:"auto" check:"oneof=dry_run|approve|auto"`
	AcceptSingleObserver string            `yaml:"accept_single_observer"` // the reason, as in the configuration
	StartTime            string            `yaml:"start_time" default:"\"2024-01-01T00:00:00Z\""`
	Interval             time.Duration     `yaml:"interval" check:"positive"` // default: evaluation_interval
	InputSeries          []seriesForm      `yaml:"input_series" check:"required,nonempty"`
	Votes                []voteForm        `yaml:"votes"`
	Alerts               []alertForm       `yaml:"alerts"`
	Approvals            []answerForm      `yaml:"approvals"`
	Aborts               []answerForm      `yaml:"aborts"`
	ProviderAnswers      []cloudForm       `yaml:"provider_answers"`
	Expect               []expectForm      `yaml:"expect" check:"required,nonempty"`
}

type seriesForm struct {
	Series string `yaml:"series" check:"required"`
	Values string `yaml:"values" check:"required"`
}

// voteForm is what another observer says. From a go's time on its trigger is true.
type voteForm struct {
	Observer string              `yaml:"observer" check:"required"`
	Rule     string              `yaml:"rule" check:"required"`
	Group    string              `yaml:"group" check:"required"`
	Vote     replication.Verdict `yaml:"vote" default:"go" check:"oneof=go|veto|abstain"`
	From     time.Duration       `yaml:"from" check:"required"`
	Until    *time.Duration      `yaml:"until"`
}

type alertForm struct {
	Labels map[string]string `yaml:"labels" check:"required"`
	From   time.Duration     `yaml:"from" check:"required"`
	Until  *time.Duration    `yaml:"until"`
}

// answerForm is a person's yes or no to an incident.
type answerForm struct {
	At    time.Duration `yaml:"at" check:"required"`
	Rule  string        `yaml:"rule" check:"required"`
	Group string        `yaml:"group" check:"required"`
	By    string        `yaml:"by" default:"somebody"`
}

// cloudForm is what the provider answers to one call, and what becomes of it.
type cloudForm struct {
	Group   string              `yaml:"group" check:"required"`
	Outcome replication.Outcome `yaml:"outcome" default:"accepted" check:"oneof=accepted|rejected|throttled|not_sent|unknown"`
	Ends    string              `yaml:"ends" check:"oneof=moved|unchanged|failed"`
	Takes   time.Duration       `yaml:"takes" default:"0s"`
}

type expectForm struct {
	EvalTime      time.Duration  `yaml:"eval_time" check:"required"`
	Incidents     []incidentForm `yaml:"incidents"`
	Blocked       []blockedForm  `yaml:"blocked" check:"nonempty"`
	Votes         []ownVoteForm  `yaml:"votes"`
	ProviderCalls []callForm     `yaml:"provider_calls"`
}

type incidentForm struct {
	Rule   string            `yaml:"rule" check:"required"`
	Group  string            `yaml:"group" check:"required"`
	Phase  replication.Phase `yaml:"phase" check:"required,oneof=open|held|executing|verifying|succeeded|failed|ambiguous|aborted|simulated"`
	HeldBy string            `yaml:"held_by"` // default: not looked at
}

type blockedForm struct {
	Rule  string `yaml:"rule" check:"required"`
	Group string `yaml:"group" check:"required"`
	Guard string `yaml:"guard" check:"required"`
}

type ownVoteForm struct {
	Rule  string              `yaml:"rule" check:"required"`
	Group string              `yaml:"group" check:"required"`
	Vote  replication.Verdict `yaml:"vote" check:"required,oneof=go|pending|veto|abstain"`
}

type callForm struct {
	Account   string             `yaml:"account"` // default: not looked at
	Group     string             `yaml:"group" check:"required"`
	Operation replication.Action `yaml:"operation" default:"failover" check:"oneof=failover"`
	Times     *int               `yaml:"times"` // default: 1, unless at_most
	AtMost    *int               `yaml:"at_most" check:"positive"`
}

// What becomes of a call.
const (
	endsMoved     = "moved"
	endsUnchanged = "unchanged"
	endsFailed    = "failed"
)
