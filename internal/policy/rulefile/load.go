package rulefile

import (
	"errors"
	"path/filepath"
	"time"

	promconfig "github.com/prometheus/common/config"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/drwatch/drwatch/internal/replication"
	"github.com/drwatch/drwatch/internal/strictyaml"
)

// Load reads rule files, checks each and all of them together, and returns
// their rules in the order of the files, with everything found, warnings
// included. The rules are nil when any of it is an error.
func Load(paths []string, known Known) ([]*Rule, strictyaml.Problems) {
	l := &loader{known: known, parser: parser.NewParser(parser.Options{})}
	for _, path := range paths {
		b, err := strictyaml.Read(path)
		if err != nil {
			l.problems = append(l.problems, readProblems(path, err)...)
			continue
		}
		l.file(path, b)
	}
	return l.finish()
}

// Parse is Load on the text of one file. name is the file's name in messages;
// relative paths in the text are relative to its folder.
func Parse(name string, b []byte, known Known) ([]*Rule, strictyaml.Problems) {
	l := &loader{known: known, parser: parser.NewParser(parser.Options{})}
	l.file(name, b)
	return l.finish()
}

func readProblems(path string, err error) strictyaml.Problems {
	if ps, ok := errors.AsType[strictyaml.Problems](err); ok {
		return ps
	}
	var ps strictyaml.Problems
	ps.Errorf(strictyaml.Pos{File: path}, "%s", err)
	return ps
}

type loader struct {
	known    Known
	parser   parser.Parser
	rules    []*Rule
	problems strictyaml.Problems
}

func (l *loader) finish() ([]*Rule, strictyaml.Problems) {
	l.acrossRules()
	l.problems.Sort()
	if l.problems.HasErrors() {
		return nil, l.problems
	}
	return l.rules, l.problems
}

func (l *loader) file(name string, b []byte) {
	doc, ps := strictyaml.Parse(name, b)
	l.problems = append(l.problems, ps...)
	if doc == nil {
		return
	}
	var f fileForm
	l.problems = append(l.problems, doc.Decode(&f)...)
	groups := map[string]int{}
	for i, g := range f.Groups {
		if first, ok := groups[g.Name]; ok && g.Name != "" {
			l.problems.Errorf(doc.Pos("groups", i, "name"), "group %q exists already, in line %d", g.Name, first)
		}
		groups[g.Name] = doc.Pos("groups", i, "name").Line
		interval := g.Interval
		if interval == 0 {
			interval = l.known.interval()
		}
		for j, form := range g.Rules {
			r := compile(form, g.Name, interval, filepath.Dir(name))
			c := &checker{loader: l, doc: doc, rule: r, form: form, path: []any{"groups", i, "rules", j}}
			c.all()
			l.rules = append(l.rules, r)
		}
	}
}

// compile turns the form into a Rule, except for what has to be parsed.
func compile(f ruleForm, group string, interval time.Duration, dir string) *Rule {
	return &Rule{
		Name: f.Failover, Group: group, Interval: interval,
		TargetsText: f.Targets, SiteUnreachable: f.SiteUnreachable, Expr: f.Expr, Alert: f.Alert,
		For: f.For, KeepFiringFor: f.KeepFiringFor, Veto: f.Veto,
		Mode: f.Mode, Action: f.Action,
		Agree: f.Quorum.Agree, Of: f.Quorum.Of, VetoAny: f.Quorum.Veto != "none",
		Fence:      f.Fence.compile(dir),
		Guards:     Guards(f.Guards),
		Hooks:      Hooks{Before: f.Hooks.Before.compile(dir), After: f.Hooks.After.compile(dir)},
		VetoWindow: f.VetoWindow, ExecutionTimeout: f.ExecutionTimeout,
		ApprovalTimeout: f.ApprovalTimeout, Approvals: f.Approvals,
		After: f.After, Annotations: f.Annotations,
	}
}

func (f fenceForm) compile(dir string) Fence {
	out := Fence{Kind: f.kind, Reason: f.reason}
	if f.kind == fenceHook {
		out.Hook = f.hook.compile(dir)
	}
	return out
}

func (h *hookForm) compile(dir string) *Hook {
	if h == nil {
		return nil
	}
	out := &Hook{Exec: h.Exec, Timeout: h.Timeout, Idempotent: h.Idempotent}
	if h.HTTP != nil {
		out.URL, out.SecretFile = h.HTTP.URL, promconfig.JoinDir(dir, h.HTTP.SecretFile)
	}
	return out
}

// agreeing is how many sites must agree, as far as the file tells; 0 when it
// depends on the sites registered in the cluster.
func (r *Rule) agreeing() int {
	if r.Agree == 0 && r.Of > 0 {
		return r.Of/2 + 1 // a majority
	}
	return r.Agree
}

// providers are those whose groups the targets may match.
func (r *Rule) providers() []replication.Provider {
	var out []replication.Provider
	for _, p := range replication.Providers() {
		if r.mayTarget("provider", string(p)) {
			out = append(out, p)
		}
	}
	return out
}

// mayTarget tells whether the targets let a label have this value.
func (r *Rule) mayTarget(label, value string) bool {
	for _, m := range r.Targets {
		if m.Name == label && !m.Matches(value) {
			return false
		}
	}
	return true
}

// restricts tells whether the targets say anything about a label.
func (r *Rule) restricts(label string) bool {
	for _, m := range r.Targets {
		if m.Name == label {
			return true
		}
	}
	return false
}
