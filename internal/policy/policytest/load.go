package policytest

import (
	"cmp"
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/prometheus/prometheus/promql/parser"

	"github.com/drwatch/drwatch/internal/policy/rulefile"
	"github.com/drwatch/drwatch/internal/replication"
	"github.com/drwatch/drwatch/internal/strictyaml"
)

// longest bounds eval_time: a round every few seconds of it is made.
const longest = 48 * time.Hour

// shortest bounds the intervals: at each end of one a round is made.
const shortest = 100 * time.Millisecond

// File is a test file that was read and checked. It is not changed afterwards.
type File struct {
	Name  string
	rules []*rulefile.Rule
	every time.Duration
	tests []*test
}

// Tests is how many tests the file has.
func (f *File) Tests() int { return len(f.tests) }

// test is one test with everything in it resolved.
type test struct {
	testForm
	pos    strictyaml.Pos
	start  time.Time
	accept bool
	inputs []*input
	groups map[string]replication.GroupKey // by the group's id
	expect []expectation                   // in order of time
}

// expectation is what must be at one moment. Not all of it need be said.
type expectation struct {
	expectForm
	pos                     strictyaml.Pos
	incidents, votes, calls bool // they are said, if only to be none
}

// RuleLoader reads rule files, as rulefile.Load does.
type RuleLoader func(paths []string, known rulefile.Known) ([]*rulefile.Rule, strictyaml.Problems)

// Load reads a test file and the rule files it names. The file is nil when any of
// what was found is an error; what rules ask for and this version does not have is
// a warning.
func Load(path string) (*File, strictyaml.Problems) {
	b, err := strictyaml.Read(path)
	if err != nil {
		var ps strictyaml.Problems
		if !errors.As(err, &ps) {
			ps.Errorf(strictyaml.Pos{File: path}, "%s", err)
		}
		return nil, ps
	}
	return Parse(path, b, rulefile.Load)
}

// Parse is Load on the text of a file, with its rules read by rules. name is the
// file's name in messages; rule files are relative to its folder.
func Parse(name string, b []byte, rules RuleLoader) (*File, strictyaml.Problems) {
	doc, ps := strictyaml.Parse(name, b)
	if doc == nil {
		return nil, ps
	}
	l := &loader{doc: doc, problems: ps, parser: parser.NewParser(parser.Options{})}
	var form fileForm
	l.problems = append(l.problems, doc.Decode(&form)...)
	f := &File{Name: name, every: form.EvaluationInterval}
	l.interval(form.EvaluationInterval, "evaluation_interval")
	l.loadRules(f, form, rules)
	for i, t := range form.Tests {
		f.tests = append(f.tests, l.test(t, form.EvaluationInterval, "tests", i))
	}
	l.problems.Sort()
	if l.problems.HasErrors() {
		return nil, l.problems
	}
	return f, l.problems
}

type loader struct {
	doc      *strictyaml.Document
	parser   parser.Parser
	rules    []string // names; nil when they could not be read
	problems strictyaml.Problems
}

// errorf reports a mistake at a path of the document.
func (l *loader) errorf(path []any, format string, args ...any) {
	l.problems.Errorf(l.doc.Pos(path...), format, args...)
}

// under is a path below another.
func under(path []any, more ...any) []any { return append(slices.Clone(path), more...) }

func (l *loader) loadRules(f *File, form fileForm, load RuleLoader) {
	dir := filepath.Dir(f.Name)
	paths := make([]string, len(form.RuleFiles))
	for i, p := range form.RuleFiles {
		if paths[i] = p; !filepath.IsAbs(p) {
			paths[i] = filepath.Join(dir, p)
		}
	}
	rules, ps := load(paths, rulefile.Known{NoConfig: true, Interval: form.EvaluationInterval})
	for _, p := range ps { // warnings are for `drwatch check rules`
		if p.Severity == strictyaml.Error {
			l.problems = append(l.problems, p)
		}
	}
	l.problems = append(l.problems, rulefile.NotAvailable(rules).AsWarnings()...)
	f.rules = rules
	for _, r := range rules {
		l.rules = append(l.rules, r.Name)
	}
}

func (l *loader) test(form testForm, every time.Duration, path ...any) *test {
	t := &test{testForm: form, pos: l.doc.Pos(path...), accept: form.AcceptSingleObserver != "", groups: map[string]replication.GroupKey{}}
	l.interval(t.Interval, under(path, "interval")...)
	if t.Interval == 0 {
		t.Interval = every
	}
	var err error
	if t.start, err = time.Parse(time.RFC3339, t.StartTime); err != nil || t.start.Year() < 1971 || t.start.Year() > 2200 {
		l.errorf(under(path, "start_time"), "start_time: expected a time such as 2024-01-01T00:00:00Z, from 1971 to 2200")
	}
	l.observers(t, path)
	for i, s := range form.InputSeries {
		if in := l.input(t, s, under(path, "input_series", i)); in != nil {
			t.inputs = append(t.inputs, in)
		}
	}
	l.inputs(t, path)
	l.happens(t, path)
	for i, e := range form.Expect {
		t.expect = append(t.expect, l.expectation(t, e, under(path, "expect", i)))
	}
	slices.SortStableFunc(t.expect, func(a, b expectation) int { return cmp.Compare(a.EvalTime, b.EvalTime) })
	return t
}

// interval refuses one that is too short; what is 0 is not given, or refused.
func (l *loader) interval(d time.Duration, path ...any) {
	if d > 0 && d < shortest {
		l.errorf(path, "%s: expected %s at least", path[len(path)-1], written(shortest))
	}
}

// observers finds whose rules are under test: the first that is named, unless
// `this` says another.
func (l *loader) observers(t *test, path []any) {
	if t.This != "" {
		l.known(t.This, slices.Sorted(maps.Keys(t.Observers)), "observer", under(path, "this"))
		return
	}
	var first strictyaml.Pos
	for _, name := range slices.Sorted(maps.Keys(t.Observers)) {
		at := l.doc.Pos(under(path, "observers", name)...)
		if t.This == "" || at.Line < first.Line || at.Line == first.Line && at.Column < first.Column {
			t.This, first = name, at
		}
	}
	if t.This == "" && l.doc.Has(under(path, "observers")...) {
		l.errorf(under(path, "observers"), "observers: name at least one, with its site")
	}
}

// known reports a name that is none of those there are.
func (l *loader) known(name string, all []string, what string, path []any) {
	if name == "" || slices.Contains(all, name) {
		return
	}
	l.errorf(path, "there is no %s %q%s", what, name, strictyaml.Suggest(name, all))
}

// about checks what most entries name: a rule and a group.
func (l *loader) about(t *test, rule, group string, path []any) {
	if l.rules != nil {
		l.known(rule, l.rules, "rule", under(path, "rule"))
	}
	l.group(t, group, path)
}

func (l *loader) group(t *test, group string, path []any) {
	l.known(group, slices.Sorted(maps.Keys(t.groups)), "group", under(path, "group"))
}

// happens checks what else happens in a test.
func (l *loader) happens(t *test, path []any) {
	observers := slices.Sorted(maps.Keys(t.Observers))
	for i, v := range t.Votes {
		at := under(path, "votes", i)
		l.about(t, v.Rule, v.Group, at)
		l.known(v.Observer, observers, "observer", under(at, "observer"))
		if v.Observer == t.This && v.Observer != "" {
			l.errorf(under(at, "observer"), "%s is the observer under test: its votes come of the input series", v.Observer)
		}
		l.span(v.From, v.Until, at)
	}
	for i, a := range t.Alerts {
		at := under(path, "alerts", i)
		if len(a.Labels) == 0 && l.doc.Has(under(at, "labels")...) {
			l.errorf(under(at, "labels"), "labels: an alert has some, alertname at least")
		}
		l.span(a.From, a.Until, at)
	}
	for i, a := range t.Approvals {
		l.about(t, a.Rule, a.Group, under(path, "approvals", i))
		l.within(a.At, under(path, "approvals", i, "at"))
	}
	for i, a := range t.Aborts {
		l.about(t, a.Rule, a.Group, under(path, "aborts", i))
		l.within(a.At, under(path, "aborts", i, "at"))
	}
	for i := range t.ProviderAnswers {
		l.answer(t, &t.ProviderAnswers[i], under(path, "provider_answers", i))
	}
}

func (l *loader) span(from time.Duration, until *time.Duration, path []any) {
	l.within(from, under(path, "from"))
	if until != nil && *until <= from {
		l.errorf(under(path, "until"), "until: expected a time after from, %s", written(from))
	}
}

func (l *loader) within(at time.Duration, path []any) {
	if at > longest {
		l.errorf(path, "a test lasts %s at most", written(longest))
	}
}

// answer fills in what becomes of a call where that is not said.
func (l *loader) answer(t *test, a *cloudForm, path []any) {
	l.group(t, a.Group, path)
	l.within(a.Takes, under(path, "takes"))
	switch {
	case a.Outcome == replication.Uncertain && a.Ends == "":
		l.errorf(path, "with outcome unknown, say in ends what became of the call: moved, unchanged or failed")
	case a.Outcome == replication.Accepted && a.Ends == "":
		a.Ends = endsMoved
	case a.Outcome != replication.Accepted && a.Outcome != replication.Uncertain && a.Ends != "" && a.Ends != endsUnchanged:
		l.errorf(under(path, "ends"), "ends: a call that was %s changes nothing", a.Outcome)
	case a.Ends == "":
		a.Ends = endsUnchanged
	}
}

func (l *loader) expectation(t *test, form expectForm, path []any) expectation {
	e := expectation{expectForm: form, pos: l.doc.Pos(path...)}
	e.incidents, e.votes, e.calls = l.doc.Has(under(path, "incidents")...), l.doc.Has(under(path, "votes")...), l.doc.Has(under(path, "provider_calls")...)
	if !e.incidents && !e.votes && !e.calls && len(e.Blocked) == 0 && !l.doc.Has(under(path, "blocked")...) {
		l.errorf(path, "nothing is expected here: give incidents, blocked, votes or provider_calls")
	}
	l.within(form.EvalTime, under(path, "eval_time"))
	for i, x := range form.Incidents {
		at := under(path, "incidents", i)
		l.about(t, x.Rule, x.Group, at)
		if x.HeldBy != "" && x.Phase != replication.Held {
			l.errorf(under(at, "held_by"), "held_by: only an incident in phase held is held by something")
		}
	}
	for i, x := range form.Blocked {
		l.about(t, x.Rule, x.Group, under(path, "blocked", i))
	}
	for i, x := range form.Votes {
		l.about(t, x.Rule, x.Group, under(path, "votes", i))
	}
	for i, x := range form.ProviderCalls {
		at := under(path, "provider_calls", i)
		l.group(t, x.Group, at)
		if x.Times != nil && x.AtMost != nil {
			l.errorf(under(at, "at_most"), "give times or at_most, not both")
		}
	}
	return e
}
