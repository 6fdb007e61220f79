package policytest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/drwatch/drwatch/internal/replication"
)

// compare tells what is not as expected now.
func (w *world) compare(e expectation) []Failure {
	var out []Failure
	add := func(what string, rows []Row, ok bool) {
		if !ok {
			out = append(out, Failure{Pos: e.pos, Test: w.t.Name, At: e.EvalTime, What: what, Rows: rows})
		}
	}
	if e.incidents {
		rows, ok := w.incidents(e.Incidents)
		add("incidents", rows, ok)
	}
	if len(e.Blocked) > 0 {
		rows, ok := w.blocked(e.Blocked)
		add("blocked", rows, ok)
	}
	if e.votes {
		rows, ok := w.votes(e.Votes)
		add("votes", rows, ok)
	}
	if e.calls {
		rows, ok := w.calls(e.ProviderCalls)
		add("provider_calls", rows, ok)
	}
	return out
}

// line is one thing that was expected, or found, of one rule and group.
type line struct {
	of, text string
}

// beside puts what was expected beside what was found, by what it is of.
func beside(want, got []line) []Row {
	byOf := func(a, b line) int { return cmp.Compare(a.of, b.of) }
	slices.SortStableFunc(want, byOf)
	slices.SortStableFunc(got, byOf)
	var rows []Row
	for len(want) > 0 || len(got) > 0 {
		var r Row
		both := len(want) > 0 && len(got) > 0
		if len(want) > 0 && (!both || want[0].of <= got[0].of) {
			r.Want = want[0].text
			if both && want[0].of == got[0].of {
				r.Got, got = got[0].text, got[1:]
			}
			want = want[1:]
		} else {
			r.Got, got = got[0].text, got[1:]
		}
		rows = append(rows, r)
	}
	return rows
}

// of names a rule and a group; a line without a rule is about the group.
func of(rule, group string) string { return strings.TrimSpace(rule + " " + group) }

// incidents must be exactly these, the ended ones too, in the order of their
// opening for each rule and group.
func (w *world) incidents(want []incidentForm) ([]Row, bool) {
	have := slices.SortedFunc(maps.Values(w.incidentsNow), func(a, b replication.IncidentRecord) int {
		return cmp.Or(cmp.Compare(of(a.Rule, a.Group), of(b.Rule, b.Group)), a.OpenedAt.Compare(b.OpenedAt))
	})
	want = slices.Clone(want)
	slices.SortStableFunc(want, func(a, b incidentForm) int { return cmp.Compare(of(a.Rule, a.Group), of(b.Rule, b.Group)) })
	var wants, gots []line
	ok := len(want) == len(have)
	for i, x := range want {
		wants = append(wants, line{of: of(x.Rule, x.Group), text: phase(of(x.Rule, x.Group), x.Phase, x.HeldBy)})
		if i < len(have) {
			h := have[i]
			ok = ok && h.Rule == x.Rule && h.Group == x.Group && h.Phase == x.Phase && (x.HeldBy == "" || x.HeldBy == h.HeldBy)
		}
	}
	for _, h := range have {
		gots = append(gots, line{of: of(h.Rule, h.Group), text: phase(of(h.Rule, h.Group), h.Phase, h.HeldBy)})
	}
	return beside(wants, gots), ok
}

func phase(of string, p replication.Phase, by string) string {
	if by != "" {
		return fmt.Sprintf("%s: %s by %s", of, p, by)
	}
	return fmt.Sprintf("%s: %s", of, p)
}

// blocked: each guard must be among those that do not hold.
func (w *world) blocked(want []blockedForm) ([]Row, bool) {
	ok := true
	var rows []Row
	for _, x := range want {
		blocking, decided := w.blocking(x.Rule, x.Group)
		row := Row{Want: fmt.Sprintf("%s: %s", of(x.Rule, x.Group), x.Guard), Got: of(x.Rule, x.Group) + ": " + strings.Join(blocking, ", ")}
		switch {
		case !decided:
			row.Got = of(x.Rule, x.Group) + ": is no target"
		case len(blocking) == 0:
			row.Got = of(x.Rule, x.Group) + ": nothing blocks"
		}
		if slices.Contains(blocking, x.Guard) {
			row.Got = row.Want
		} else {
			ok = false
		}
		rows = append(rows, row)
	}
	return rows, ok
}

// blocking are the conditions of the last decision that do not hold.
func (w *world) blocking(rule, group string) (names []string, decided bool) {
	for _, d := range w.controller.State().Decisions {
		if d.Rule != rule || d.Group.ID != group {
			continue
		}
		for _, c := range d.Blocking() {
			names = append(names, c.Name)
		}
		return names, true
	}
	return nil, false
}

// votes of the observer under test must be exactly these.
func (w *world) votes(want []ownVoteForm) ([]Row, bool) {
	var wants, gots []line
	said := map[string]replication.Verdict{}
	for _, r := range w.controller.State().Evaluation.Rules {
		for _, t := range r.Targets {
			if t.Vote.Verdict != "" {
				about := of(t.Vote.Rule, t.Vote.Group.ID)
				said[about] = t.Vote.Verdict
				gots = append(gots, line{of: about, text: fmt.Sprintf("%s: %s", about, t.Vote.Verdict)})
			}
		}
	}
	ok := len(want) == len(said)
	for _, x := range want {
		about := of(x.Rule, x.Group)
		ok = ok && said[about] == x.Vote
		wants = append(wants, line{of: about, text: fmt.Sprintf("%s: %s", about, x.Vote)})
	}
	return beside(wants, gots), ok
}

// asked names the calls of one operation on one group.
type asked struct {
	account, group string
	operation      replication.Action
}

func (a asked) String() string { return fmt.Sprintf("%s %s %s", a.account, a.group, a.operation) }

// calls that reached the provider until now must be exactly these.
func (w *world) calls(want []callForm) ([]Row, bool) {
	made := map[asked][]string{}
	for _, c := range w.cloud.calls {
		about := asked{c.account, c.group, c.operation}
		made[about] = append(made[about], written(c.at))
	}
	var wants, gots []line
	left, ok := maps.Clone(made), true
	for _, x := range want {
		about := w.about(x)
		n := len(left[about])
		delete(left, about)
		holds, said := x.holds(n)
		ok = ok && holds
		wants = append(wants, line{of: about.String(), text: about.String() + ": " + said})
	}
	for about, at := range made {
		gots = append(gots, line{of: about.String(), text: fmt.Sprintf("%s: %d, at %s", about, len(at), strings.Join(at, ", "))})
	}
	return beside(wants, gots), ok && len(left) == 0
}

// holds tells whether so many calls are as many as there should be, and how many
// that is.
func (x callForm) holds(n int) (ok bool, said string) {
	if x.AtMost != nil {
		return n <= *x.AtMost, fmt.Sprintf("at most %d", *x.AtMost)
	}
	times := 1
	if x.Times != nil {
		times = *x.Times
	}
	return n == times, strconv.Itoa(times)
}

// about is what an expected call is about. One that names no account is about the
// account that made the call.
func (w *world) about(x callForm) asked {
	out := asked{x.Account, x.Group, x.Operation}
	for _, c := range w.cloud.calls {
		if x.Account == "" && c.group == x.Group && c.operation == x.Operation {
			out.account = c.account
		}
	}
	if out.account == "" {
		out.account = "-"
	}
	return out
}
