package console

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/drwatch/drwatch/internal/api"
	"github.com/drwatch/drwatch/internal/replication"
)

// Plan writes what an action would do, for a person who has to say yes to it.
func Plan(w io.Writer, p api.Plan) error {
	fmt.Fprintf(w, "%s of %s\n", Deed(p.Action), cmp.Or(p.Name, p.Group))
	err := table(w, "", func(row func(...any)) {
		row("  group", fmt.Sprintf("%s (%s, account %s)", p.Group, p.Provider, p.Account))
		row("  state", fmt.Sprintf("%s (%s)", p.State, orDash(p.RawStatus)))
		row("  production", production(p))
		row("  lag", lag(p.LagSeconds))
	})
	if err != nil {
		return err
	}
	if err := drills(w, p); err != nil {
		return err
	}
	if len(p.Conditions) > 0 {
		fmt.Fprintln(w, "\nconditions")
		if err := conditions(w, p.Conditions); err != nil {
			return err
		}
	}
	if len(p.Steps) > 0 {
		fmt.Fprintln(w, "\nsteps")
	}
	for n, s := range p.Steps {
		if err := step(w, p, n, s); err != nil {
			return err
		}
	}
	if len(p.Notes) > 0 {
		fmt.Fprintln(w, "\nnotes")
	}
	for _, n := range p.Notes {
		fmt.Fprintln(w, "  ! "+strings.Join(wrap(n, 96), "\n    "))
	}
	return nil
}

// drills are those that the group has; the one that is to be cleared is marked.
func drills(w io.Writer, p api.Plan) error {
	if len(p.Drills) == 0 {
		return nil
	}
	head := "drills"
	if p.Action == replication.ClearDrill && p.Drill == "" {
		head = "drills, of which --drill ID names the one to clear"
	}
	fmt.Fprintln(w, "\n"+head)
	return table(w, "  ID\tNAME\tSTATUS\tSTARTED BY", func(row func(...any)) {
		for _, d := range p.Drills {
			by, status := "", d.Status
			if d.Incident != "" {
				by = "incident " + d.Incident
			}
			if d.ID == p.Drill {
				status += ", to be cleared"
			}
			row("  "+d.ID, orDash(d.Name), status, orDash(by))
		}
	})
}

// wrap breaks a sentence into lines of at most width characters, between words.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width:
			lines, line = append(lines, line), word
		default:
			line += " " + word
		}
	}
	return append(lines, line)
}

func production(p api.Plan) string {
	if p.Action.Moves() && p.To != p.Active {
		return fmt.Sprintf("now at %s, then at %s", orDash(p.Active), orDash(p.To))
	}
	return fmt.Sprintf("at %s, and stays there", orDash(p.Active))
}

// step writes one call. What the first one needs is judged now; of the others it
// is said what they will need.
func step(w io.Writer, p api.Plan, n int, s api.PlanStep) error {
	fmt.Fprintf(w, "  %d. %s (%s)\n", n+1, s.Call, Deed(s.Action))
	if n > 0 {
		for _, c := range s.Ready {
			fmt.Fprintf(w, "     needs then: %s: %s\n", c.Name, c.Threshold)
		}
	} else if first := unsaid(p); len(first) > 0 {
		if err := conditions(w, first); err != nil {
			return err
		}
	}
	for _, c := range s.Waits {
		fmt.Fprintf(w, "     waits for: %s: %s (is %s)\n", c.Name, c.Threshold, orDash(c.Value))
	}
	return nil
}

// unsaid are the needs of the first step that are not among the plan's own
// conditions.
func unsaid(p api.Plan) []replication.Condition {
	var out []replication.Condition
	if len(p.Steps) > 0 {
		for _, c := range p.Steps[0].Ready {
			if !slices.Contains(p.Conditions, c) {
				out = append(out, c)
			}
		}
	}
	return out
}

// Blocking says in one line each what keeps a plan from being carried out.
func Blocking(p api.Plan) []string {
	var out []string
	for _, c := range slices.Concat(p.Conditions, unsaid(p)) {
		if !c.OK {
			out = append(out, fmt.Sprintf("%s: %s (wants %s)", c.Name, orDash(c.Value), c.Threshold))
		}
	}
	return out
}

// Deed is an action in words that fit before "of".
func Deed(a replication.Action) string {
	switch a {
	case replication.Start:
		return "start of protection"
	case replication.Stop:
		return "stop of protection"
	case replication.StartDrill:
		return "start of a drill"
	case replication.ClearDrill:
		return "clearing of a drill"
	default:
		return string(a)
	}
}

// asked is the head of an incident that a person has asked for.
func asked(w io.Writer, i replication.Incident) {
	fmt.Fprintf(w, "%s of %s (%s), asked for by %s from %s at %s\n", Deed(i.Action), plain(i.Name), i.Key(), plain(i.Person.Who), plain(i.Person.From), stamp(i.Person.At))
	fmt.Fprintf(w, "reason %s\n", plain(i.Person.Reason))
	if i.Action.Moves() {
		fmt.Fprintf(w, "production from %s to %s\n", orDash(i.Plan.From.String()), orDash(i.Plan.To.String()))
	}
	fmt.Fprintf(w, "steps %s\n", progress(i))
}

func progress(i replication.Incident) string {
	return fmt.Sprintf("%d of %d done", i.Step, len(i.Plan.Steps))
}
