package console

import (
	"fmt"
	"io"
	"strings"

	"github.com/drwatch/drwatch/internal/api"
	"github.com/drwatch/drwatch/internal/replication"
)

// JournalCheck writes what a check of the journals found: first what is wrong.
func JournalCheck(w io.Writer, c api.JournalCheck) error {
	for _, p := range c.Problems {
		fmt.Fprintln(w, "WRONG "+p)
	}
	for _, n := range c.Notes {
		fmt.Fprintln(w, "note  "+n)
	}
	fmt.Fprintf(w, "archive: %s with %s in %s\n", count(c.Records, "record"), entries(c.Entries), count(c.Files, "file"))
	if c.Stored > 0 {
		fmt.Fprintf(w, "store: %s with %s\n", count(c.Stored, "incident"), entries(c.StoredEntries))
	}
	verdict := "every line is as it was written"
	if !c.OK {
		verdict = "altered or incomplete"
	}
	_, err := fmt.Fprintln(w, verdict)
	return err
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func entries(n int) string {
	if n == 1 {
		return "1 entry"
	}
	return fmt.Sprintf("%d entries", n)
}

// Replayed is an incident whose decisions were made again.
type Replayed struct {
	Incident string `json:"incident"`
	// Person is who decided, when no rule did.
	Person string `json:"person,omitempty"`
	// Wrong says that the journal is not as it was written.
	Wrong     string             `json:"wrong,omitempty"`
	Decisions []ReplayedDecision `json:"decisions"`
	OK        bool               `json:"ok"` // a person's, or all the same; and the journal as it was written
}

// ReplayedDecision is one decision of a journal, made again.
type ReplayedDecision struct {
	Seq         int              `json:"seq"` // of the entry
	Event       string           `json:"event"`
	Act         bool             `json:"act"`
	Mode        replication.Mode `json:"mode"`
	Missing     []string         `json:"missing,omitempty"` // not in the journal: it did not fit
	Differences []string         `json:"differences,omitempty"`
	Wrong       string           `json:"wrong,omitempty"` // why it could not be replayed
}

// Same tells that the decision is the same.
func (d ReplayedDecision) Same() bool {
	return len(d.Missing) == 0 && len(d.Differences) == 0 && d.Wrong == ""
}

// Replay writes what replaying an incident showed.
func Replay(w io.Writer, r Replayed) error {
	if r.Wrong != "" {
		fmt.Fprintf(w, "WRONG %s\n", r.Wrong)
	}
	if r.Person != "" {
		_, err := fmt.Fprintf(w, "%s: %s decided, no rule did: there is nothing to replay\n", r.Incident, r.Person)
		return err
	}
	if len(r.Decisions) == 0 {
		_, err := fmt.Fprintf(w, "%s: its journal holds no decision to replay: it was written by an earlier version, or did not fit\n", r.Incident)
		return err
	}
	for _, d := range r.Decisions {
		decision(w, r.Incident, d)
	}
	return nil
}

func decision(w io.Writer, incident string, d ReplayedDecision) {
	fmt.Fprintf(w, "%s, entry %d (%s)", incident, d.Seq, d.Event)
	if d.Wrong != "" {
		fmt.Fprintf(w, ": not replayed\n  %s\n", d.Wrong)
		return
	}
	act := "not to act"
	if d.Act {
		act = "to act"
	}
	verdict := "another decision"
	switch {
	case d.Same():
		verdict = "same decision"
	case len(d.Missing) > 0:
		verdict = "not known whether it is the same"
	}
	fmt.Fprintf(w, ", %s in mode %s: %s\n", act, d.Mode, verdict)
	if len(d.Missing) > 0 {
		fmt.Fprintf(w, "  not in the journal, because it did not fit: %s\n", strings.Join(d.Missing, ", "))
	}
	for _, x := range d.Differences {
		fmt.Fprintln(w, "  "+x)
	}
}
