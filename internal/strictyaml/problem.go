package strictyaml

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Severity tells how bad a Problem is.
type Severity string

// The severities. A file with an Error is not used; a Warning is told only.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Pos is a place in a file. Line and Column count from 1; 0 means the file as a
// whole. Columns count characters, not bytes.
type Pos struct {
	File   string
	Line   int
	Column int
}

// String is "file:line:column", or the file alone.
func (p Pos) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// Problem is one mistake, or one thing worth a warning, at its place.
type Problem struct {
	File     string
	Line     int
	Column   int
	Message  string
	Severity Severity
}

// Pos is where the problem is.
func (p Problem) Pos() Pos { return Pos{p.File, p.Line, p.Column} }

// String is "file:line:column: message"; a warning says so before its message.
func (p Problem) String() string {
	if p.Severity == Warning {
		return p.Pos().String() + ": warning: " + p.Message
	}
	return p.Pos().String() + ": " + p.Message
}

// Problems is everything found in one or more files. As an error it prints one
// line for each problem. The zero value is ready for use.
type Problems []Problem

// Error is one line for each problem, in the order of the slice.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// Errorf adds an error at a place.
func (ps *Problems) Errorf(at Pos, format string, args ...any) {
	ps.add(Error, at, format, args...)
}

// Warnf adds a warning at a place.
func (ps *Problems) Warnf(at Pos, format string, args ...any) {
	ps.add(Warning, at, format, args...)
}

// userinfo is the user and password of a URL.
var userinfo = regexp.MustCompile(`//[^/@\s"]+@`)

// maxProblems bounds what is kept: nobody reads more, and a wrong file of some
// megabytes would make a message of many.
const maxProblems = 1000

func (ps *Problems) add(s Severity, at Pos, format string, args ...any) {
	if len(*ps) >= maxProblems && (s == Warning || ps.HasErrors()) {
		return // a first error is never dropped
	}
	if len(*ps) == maxProblems-1 {
		*ps = append(*ps, Problem{File: at.File, Message: fmt.Sprintf("has more than %d problems, only the first are shown", maxProblems), Severity: Warning})
	}
	// A URL with a password may stand anywhere in a file that is wrong, also as a key.
	message := userinfo.ReplaceAllString(fmt.Sprintf(format, args...), "//***@")
	*ps = append(*ps, Problem{at.File, at.Line, at.Column, message, s})
}

// Sort orders by file, line and column, and drops what is said twice.
func (ps *Problems) Sort() {
	slices.SortStableFunc(*ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	*ps = slices.Compact(*ps)
}

// HasErrors tells whether any of them is an error.
func (ps Problems) HasErrors() bool {
	return slices.ContainsFunc(ps, func(p Problem) bool { return p.Severity == Error })
}

// Warnings are those of them that are no errors.
func (ps Problems) Warnings() Problems {
	var out Problems
	for _, p := range ps {
		if p.Severity == Warning {
			out = append(out, p)
		}
	}
	return out
}

// AsWarnings is a copy in which every problem is a warning.
func (ps Problems) AsWarnings() Problems {
	out := slices.Clone(ps)
	for i := range out {
		out[i].Severity = Warning
	}
	return out
}

// Err is the problems as an error when at least one of them is one, else nil.
func (ps Problems) Err() error {
	if !ps.HasErrors() {
		return nil
	}
	return ps
}
