package policytest

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/prometheus/common/model"
)

// String is what a person reads: where, when and what, and then what was expected
// beside what there was.
func (f Failure) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s: at %s: ", f.Pos, f.Test, written(f.At))
	if f.Err != nil {
		fmt.Fprintf(&b, "the test cannot go on: %s\n", f.Err)
		return b.String()
	}
	fmt.Fprintf(&b, "%s: not as expected\n", f.What)
	rows := append([]Row{{"EXPECTED", "GOT"}}, f.Rows...)
	if len(f.Rows) == 0 {
		rows = append(rows, Row{})
	}
	wide := 0
	for i := range rows {
		rows[i] = Row{orNothing(rows[i].Want), orNothing(rows[i].Got)}
		wide = max(wide, utf8.RuneCountInString(rows[i].Want))
	}
	for _, r := range rows {
		fmt.Fprintf(&b, "    %s%s  %s\n", r.Want, strings.Repeat(" ", wide-utf8.RuneCountInString(r.Want)), r.Got)
	}
	return b.String()
}

// written is a time of a test as a test file has it.
func written(d time.Duration) string { return model.Duration(d).String() }

func orNothing(s string) string {
	if s == "" {
		return "(nothing)"
	}
	return s
}
