// Package console turns what the API tells into text for a terminal: tables
// that fit a hundred columns, and plain lines. It asks nobody anything.
package console

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/drwatch/drwatch/internal/api"
	"github.com/drwatch/drwatch/internal/replication"
)

// JSON writes v indented, for -o json.
func JSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("writing JSON: %w", err)
	}
	return nil
}

func table(w io.Writer, head string, rows func(row func(cells ...any))) error {
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(tw, head)
	rows(func(cells ...any) {
		texts := make([]string, len(cells))
		for i, c := range cells {
			texts[i] = plain(fmt.Sprint(c))
		}
		fmt.Fprintln(tw, strings.Join(texts, "\t"))
	})
	if err := tw.Flush(); err != nil {
		return fmt.Errorf("writing the table: %w", err)
	}
	return nil
}

// Screen is a terminal: what does not fit its columns is cut there. Anywhere else,
// as in a pipe or a file, nothing is.
type Screen struct{ io.Writer }

// fitting shortens a text to n characters where that is needed.
func fitting(w io.Writer) func(s string, n int) string {
	if _, ok := w.(Screen); ok {
		return cut
	}
	return func(s string, _ int) string { return s }
}

// Status writes what a daemon says of itself.
func Status(w io.Writer, s api.Status, now time.Time) error {
	fmt.Fprintf(w, "drwatch %s, observer %s at %s, ceiling %s\n", orDash(s.Version), s.Observer, orDash(s.Site), s.Mode)
	if f := s.LocalFreeze; f != nil {
		fmt.Fprintf(w, "FROZEN HERE by %s: %s; this observer alone\n", plain(f.Who), plain(f.Reason))
	}
	switch {
	case s.Freeze != nil:
		fmt.Fprintf(w, "FROZEN by %s: %s\n", plain(s.Freeze.Who), plain(s.Freeze.Reason))
	case !s.Ready:
		fmt.Fprintf(w, "NOT READY: %s\n", strings.Join(s.NotReady, "; "))
	case s.Leads:
		fmt.Fprintln(w, "ready, leads")
	case s.Leader == "":
		fmt.Fprintln(w, "ready, nobody leads yet")
	default:
		fmt.Fprintf(w, "ready, leader is %s\n", s.Leader)
	}
	for _, f := range s.Fitness {
		if !f.OK {
			fmt.Fprintf(w, "ABSTAINS: %s\n", f)
		}
	}
	if s.Store.Error != "" {
		fmt.Fprintf(w, "STORE: %s\n", s.Store.Error)
	}
	unsettled(w, s)
	for _, n := range s.Notes {
		fmt.Fprintf(w, "NOTE: %s\n", plain(n))
	}
	fmt.Fprintln(w)
	err := table(w, "SITE\tREACHABLE\tSINCE\tPROBES", func(row func(...any)) {
		for _, site := range s.Sites {
			row(site.Name, reachable(site.Reachable), age(now, site.Since), probes(site.Probes))
		}
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(w)
	return table(w, "ACCOUNT\tPROVIDER\tUP\tGROUPS\tLAST POLL\tERROR", func(row func(...any)) {
		for _, a := range s.Accounts {
			row(a.Name, a.Provider, yes(a.Up)+by(a.ToldBy), a.Groups, age(now, a.LastSuccess), a.Error)
		}
	})
}

// unsettled is what somebody may have to do something about.
func unsettled(w io.Writer, s api.Status) {
	for _, site := range s.Sites {
		if site.Reachable != nil && !*site.Reachable {
			fmt.Fprintf(w, "NOT REACHABLE: %s\n", site.Name)
		}
	}
	var open []string
	for _, o := range s.OpenIncidents {
		what := fmt.Sprintf("%d %s", o.Count, o.Phase)
		if o.HeldBy != "" {
			what += " by " + o.HeldBy
		}
		open = append(open, what)
	}
	if len(open) > 0 {
		fmt.Fprintf(w, "INCIDENTS: %s (see `drwatch incidents`)\n", strings.Join(open, ", "))
	}
	if s.LatchedGroups > 0 {
		fmt.Fprintf(w, "LATCHED: %s, no rule acts on what is latched (see `drwatch groups`)\n", count(s.LatchedGroups, "group"))
	}
}

// Groups writes one line a group.
func Groups(w io.Writer, groups []api.Group, now time.Time) error {
	fit := fitting(w)
	return table(w, "GROUP\tACCOUNT\tSTATE\tACTIVE\tTARGET\tLAG\tREADY\tREAD", func(row func(...any)) {
		for _, g := range groups {
			ready := yes(g.FailoverReady)
			if g.Latched != "" {
				ready += ", latched"
			}
			row(fit(g.Name, 24), fit(g.Account, 14), g.State, orDash(g.ActiveSite), orDash(g.TargetSite), lag(g.LagSeconds), ready, age(now, g.ReadAt))
		}
	})
}

// Rules writes one line a rule and group.
func Rules(w io.Writer, rules []api.Rule, now time.Time) error {
	fit := fitting(w)
	return table(w, "RULE\tMODE\tGROUP\tTRIGGER\tSINCE\tHELD BACK BY", func(row func(...any)) {
		for _, r := range rules {
			if r.Error != "" {
				row(fit(r.Name, 20), r.Mode, "-", "unknown", "-", r.Error)
			}
			for _, t := range r.Targets {
				row(fit(r.Name, 20), t.Mode, fit(t.Name, 20), t.State, age(now, t.Since), fit(names(t.Blocking), 40))
			}
			if len(r.Targets) == 0 {
				row(fit(r.Name, 20), r.Mode, "no group matches", "-", "-", "-")
			}
		}
	})
}

// Incidents writes one line an incident, in the order given.
func Incidents(w io.Writer, incidents []replication.Incident) error {
	if len(incidents) == 0 {
		_, err := fmt.Fprintln(w, "no incidents")
		return err
	}
	fit := fitting(w)
	return table(w, "INCIDENT\tRULE\tGROUP\tPHASE\tMODE\tRPO\tRTO\tWHY", func(row func(...any)) {
		for _, i := range incidents {
			row(i.ID, fit(i.Rule, 16), fit(i.Name, 14), i.Phase, modeOf(i), secs(i.RPOSeconds), secs(i.RTOSeconds), whyOf(i))
		}
	})
}

// modeOf is the mode of a rule's incident. A person's has none.
func modeOf(i replication.Incident) string {
	if i.Person != nil {
		return "-"
	}
	return string(i.Mode)
}

// whyOf is what keeps an incident or has ended it; else, of a person's, what was
// asked for: the name of a rule tells that by itself.
func whyOf(i replication.Incident) string {
	if why := i.HeldBy + i.Error; why != "" || i.Person == nil {
		return why
	}
	return Deed(i.Action)
}

// Incident writes one incident whole: facts, conditions, calls, journal.
func Incident(w io.Writer, i api.Incident) error {
	fmt.Fprintf(w, "%s  %s  %s\n", i.ID, i.Phase, orDash(i.HeldBy+i.Error))
	if i.Person != nil {
		asked(w, i.Incident)
	} else {
		fmt.Fprintf(w, "rule %s (%s), mode %s, %s of %s (%s), %s to %s\n", i.Rule, cut(i.RuleHash, 12), i.Mode, i.Action, i.Name, i.Key(), orDash(i.Plan.LostSite), orDash(i.Plan.TargetSite))
		fmt.Fprintf(w, "trigger %s, value %g, true since %s\n", i.Trigger.Expr, i.Trigger.Value, stamp(i.Trigger.Since))
	}
	fmt.Fprintf(w, "RPO %s, RTO %s\n", secs(i.RPOSeconds), secs(i.RTOSeconds))
	question(w, i.Incident)
	fmt.Fprintf(w, "\nconditions %s\n", judged(i.Incident))
	if err := explained(w, i.Guards); err != nil {
		return err
	}
	fmt.Fprintln(w, "\ncalls")
	err := table(w, "  OPERATION\tATTEMPT\tOUTCOME\tHTTP\tREQUEST ID\tJOB ID\tSTARTED", func(row func(...any)) {
		for _, c := range i.Calls {
			row("  "+c.Operation, c.Attempt, orDash(string(c.Outcome)), c.Status, orDash(c.RequestID), orDash(c.JobID), stamp(c.StartedAt))
		}
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(w, "\njournal")
	for _, e := range i.Journal {
		Entry(w, e)
	}
	return nil
}

// question is what an incident asks of a person, and until when. The time runs
// while somebody leads.
func question(w io.Writer, i replication.Incident) {
	if i.HeldBy != "approval" {
		return
	}
	until := ""
	if limit := time.Duration(i.Plan.ApprovalTimeout); limit > 0 && i.ApprovalClock > 0 {
		asked := i.OpenedAt.Add(time.Duration(i.ApprovalClock - i.OpenedClock))
		until = fmt.Sprintf(" by %s, later where nobody led meanwhile; then it ends as aborted", asked.Add(limit).UTC().Format(time.RFC3339))
	}
	fmt.Fprintf(w, "waits for an answer%s:\n  drwatch approve %[2]s --reason …\n  drwatch abort %[2]s --reason …\n", until, i.ID)
}

// judged is when the conditions of an incident were. Those of a person's action
// are asked before each call.
func judged(i replication.Incident) string {
	switch call := i.LastCall(); {
	case i.Person == nil:
		return "at the decision"
	case call == nil:
		return "when it was asked for"
	default:
		return "before the last call (" + call.Operation + ")"
	}
}

// Entry writes one line of a journal.
func Entry(w io.Writer, e replication.Entry) {
	fmt.Fprintf(w, "  %2d %s %s %-9s %s\n", e.Seq, stamp(e.At), plain(e.Observer), plain(e.Event), plain(e.Text))
}

// Explain writes why a group has or has not been failed over.
func Explain(w io.Writer, e api.Explain, now time.Time) error {
	g := e.Group
	fmt.Fprintf(w, "%s (%s/%s) is %s (%s), active at %s, would go to %s\n", g.Name, g.Account, g.Group, g.State, g.RawStatus, orDash(g.ActiveSite), orDash(g.TargetSite))
	for _, n := range e.Notes {
		fmt.Fprintln(w, n)
	}
	for _, r := range e.Rules {
		answer := "would not act"
		if r.Act {
			answer = "would act"
		}
		since := ""
		if !r.Since.IsZero() {
			since = " since " + age(now, r.Since)
		}
		fmt.Fprintf(w, "\nrule %s, mode %s: %s; trigger %s%s\n", r.Rule, r.Mode, answer, r.State, since)
		if r.Incident != "" {
			fmt.Fprintf(w, "incident %s, held by %s\n", r.Incident, orDash(r.HeldBy))
		}
		votes(w, r.Votes)
		if err := explained(w, r.Conditions); err != nil {
			return err
		}
		nearest(w, r)
	}
	if len(e.Rules) > 0 || len(g.Conditions) == 0 {
		return nil // a rule's conditions have the group's among them
	}
	fmt.Fprintf(w, "\nready for a failover: %s\n", yes(g.FailoverReady))
	return explained(w, g.Conditions)
}

// nearest is what would flip the answer, the smallest change first: all that a no
// wants, and what a yes is closest to being stopped by.
func nearest(w io.Writer, r api.Explanation) {
	if len(r.Nearest) == 0 {
		return
	}
	if r.Act {
		fmt.Fprintf(w, "  nearest to a no: %s (%s)\n", plain(r.Nearest[0].Change), r.Nearest[0].Condition)
		return
	}
	fmt.Fprintln(w, "  to act it wants, the nearest first")
	for _, n := range r.Nearest {
		fmt.Fprintf(w, "    %s: %s\n", n.Condition, plain(n.Change))
	}
}

// votes come with the newest of each observer last.
func votes(w io.Writer, vs []replication.Vote) {
	for n, v := range vs {
		whose := "vote"
		if n+1 < len(vs) && vs[n+1].Observer == v.Observer {
			whose = "earlier vote"
		}
		fmt.Fprintf(w, "  %s of %s at %s: %s since %s (%s)\n", whose, v.Observer, orDash(v.Site), v.Verdict, stamp(v.Since), v.Evidence)
	}
}

// cell is how wide a value may be in a table of conditions.
const cell = 44

// conditions writes a table. What blocks wants what it wants in full: it is the
// last column.
func conditions(w io.Writer, cs []replication.Condition) error {
	fit := fitting(w)
	return table(w, "  \tCONDITION\tVALUE\tWANTS", func(row func(...any)) {
		for _, c := range cs {
			verdict, wants := "  NO", c.Threshold
			if c.OK {
				verdict, wants = "  ok", fit(wants, cell)
			}
			row(verdict, c.Name, fit(c.Value, cell), wants)
		}
	})
}

// explained writes conditions, and below them in full what blocks and did not fit.
func explained(w io.Writer, cs []replication.Condition) error {
	if err := conditions(w, cs); err != nil {
		return err
	}
	fit := fitting(w)
	for _, c := range cs {
		if !c.OK && fit(c.Value, cell) != c.Value {
			fmt.Fprintf(w, "  NO  %s: %s\n", c.Name, plain(c.Value))
		}
	}
	return nil
}

func names(cs []replication.Condition) string {
	out := make([]string, len(cs))
	for i, c := range cs {
		out[i] = c.Name
	}
	return strings.Join(out, ", ")
}

func probes(ps []api.Probe) string {
	var out []string
	for _, p := range ps {
		word := "ok"
		if !p.Success {
			word = "FAILED"
		}
		out = append(out, p.Name+" "+word)
	}
	return orDash(strings.Join(out, ", "))
}

func age(now, t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	d := max(now.Sub(t), 0)
	if d < 10*time.Second {
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	return d.Round(time.Second).String()
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

func reachable(up *bool) string {
	if up == nil {
		return "-"
	}
	return yes(*up)
}

// by tells of what is not told by the end that usually does.
func by(s replication.Side) string {
	if s == "" || s == replication.PrimarySide {
		return ""
	}
	return ", " + string(s)
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "NO"
}

func lag(s *float64) string {
	if s == nil {
		return "not told"
	}
	return fmt.Sprintf("%.0fs", *s)
}

func secs(s *float64) string {
	if s == nil {
		return "-"
	}
	return strconv.FormatFloat(math.Round(*s*10)/10, 'f', -1, 64) + "s"
}

// plain is a text that somebody else wrote as one line of it: control characters
// would draw lines, or wipe them.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// cut shortens a text to n runes, so that a table keeps its width.
func cut(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}
