package main

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// key tells one mutant from all others, whatever else in the file changes.
type key struct {
	file, fun, was, is string
	nth                int
}

func (m *mutant) key() key { return key{m.file, m.fun, m.was, m.is, m.nth} }

// readExplained reads why mutants may survive. Each is a paragraph:
//
//	FILE FUNCTION
//	was  CODE
//	is   CODE
//	nth  2
//	why  a sentence, which may go on
//	     in indented lines
//
// nth is there where several in the function read the same: which, from 1. Lines
// that begin with # say something to the reader.
func readExplained(name string, r io.Reader) (map[key]string, error) {
	out := map[key]string{}
	var k key
	var why string
	at := 0
	end := func() error {
		if k == (key{}) {
			return nil
		}
		if k.fun == "" || k.was == "" || k.is == "" || why == "" {
			return fmt.Errorf("%s:%d: the entry that ends here lacks its function, was, is or why", name, at)
		}
		if _, twice := out[k]; twice {
			return fmt.Errorf("%s:%d: %s %s: %q is there twice", name, at, k.file, k.fun, k.was)
		}
		out[k] = why
		k, why = key{}, ""
		return nil
	}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		at++
		line := strings.TrimRight(lines.Text(), " ")
		word, rest, _ := strings.Cut(line, " ")
		rest = strings.TrimSpace(rest)
		switch {
		case strings.HasPrefix(line, "#"):
		case line == "":
			if err := end(); err != nil {
				return nil, err
			}
		case word == "" && why != "":
			why += " " + rest
		case word == "was":
			k.was = rest
		case word == "is":
			k.is = rest
		case word == "nth":
			if _, err := fmt.Sscan(rest, &k.nth); err != nil {
				return nil, fmt.Errorf("%s:%d: nth: %w", name, at, err)
			}
			k.nth--
		case word == "why":
			why = rest
		case k == (key{}):
			k.file, k.fun = word, rest
		default:
			return nil, fmt.Errorf("%s:%d: %q is no part of an entry", name, at, line)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	return out, end()
}

// entry is a mutant as it stands in that file, with the why left to a person.
func (m *mutant) entry() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\nwas  %s\nis   %s\n", m.file, m.fun, m.was, m.is)
	if m.nth > 0 {
		fmt.Fprintf(&b, "nth  %d\n", m.nth+1)
	}
	return b.String()
}
