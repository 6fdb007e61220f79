package console

import (
	"fmt"
	"io"
	"strings"
)

// Say writes one line of what goes on, whoever its words are from.
func Say(w io.Writer, line string) {
	for n, l := range wrap(plain(line), 96) {
		fmt.Fprintln(w, strings.Repeat("  ", min(n, 1))+l)
	}
}
