// Package strictyamltest holds what is true of the reading of any YAML file,
// whatever stands in it: for fuzz targets, whose input has no expected output. It
// knows YAML, and nothing of what a file means.
package strictyamltest

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/drwatch/drwatch/internal/strictyaml"
)

// breaks are what YAML takes for the end of a line; an editor may know the first alone.
var breaks = regexp.MustCompile("\r\n|[\n\r\u0085\u2028\u2029]")

// Problems demands that each problem stands at a place that the file has, or is one of
// the file as a whole, that it says something, and that they are in order.
func Problems(tb testing.TB, file, text string, ps strictyaml.Problems) {
	tb.Helper()
	yamls, editors := breaks.Split(text, -1), strings.Split(text, "\n")
	for i, p := range ps {
		switch {
		case p.File != file || p.Message == "" || !utf8.ValidString(p.Message):
			tb.Errorf("bad problem %#v", p)
		case p.Severity != strictyaml.Error && p.Severity != strictyaml.Warning:
			tb.Errorf("severity of %#v", p)
		case p.Line == 0 && p.Column == 0:
		case !within(yamls, p) && !within(editors, p):
			tb.Errorf("no such place: %s", p)
		}
		if i > 0 && (p.Line < ps[i-1].Line || p == ps[i-1]) {
			tb.Errorf("not in order, or twice: %s, %s", ps[i-1], p)
		}
	}
	if len(ps) > 1001 {
		tb.Errorf("%d problems", len(ps))
	}
}

func within(lines []string, p strictyaml.Problem) bool {
	return p.Line >= 1 && p.Line <= len(lines) && p.Column >= 1 && p.Column <= utf8.RuneCountInString(lines[p.Line-1])+1
}

// Rewritten is a file with the same values written down another way: without comments,
// all in one style. ok is false when the YAML library does not write what it reads.
func Rewritten(text string) (again string, ok bool) {
	root, ok := tree(text)
	if !ok {
		return "", false
	}
	plain(root, map[*yaml.Node]bool{})
	out, ok := written(root)
	if !ok {
		return "", false
	}
	other, ok := tree(out)
	return out, ok && same(root, other, 0)
}

// Planted is a file in which every text under one of the keys is the marker, and every
// URL has it as its password. ok is false when there is neither.
func Planted(text, marker string, keys ...string) (planted string, ok bool) {
	root, ok := tree(text)
	if !ok || strings.Contains(text, marker) {
		return "", false
	}
	if n := plant(root, marker, keys, map[*yaml.Node]bool{}); n == 0 {
		return "", false
	}
	return written(root)
}

func plant(n *yaml.Node, marker string, keys []string, open map[*yaml.Node]bool) (found int) {
	if open[n] {
		return 0
	}
	open[n] = true
	for i, c := range n.Content {
		found += plant(c, marker, keys, open)
		if scheme, rest, isURL := strings.Cut(c.Value, "://"); isURL && c.Kind == yaml.ScalarNode && c.Anchor == "" && (scheme == "http" || scheme == "https") {
			c.Value, c.Style = scheme+"://u:"+marker+"@"+rest, yaml.DoubleQuotedStyle
			found++
			continue
		}
		if n.Kind != yaml.MappingNode || i%2 == 0 || c.Kind != yaml.ScalarNode || c.Anchor != "" || !slices.Contains(keys, n.Content[i-1].Value) {
			continue
		}
		c.Tag, c.Value, c.Style = "!!str", marker, yaml.DoubleQuotedStyle
		found++
	}
	return found
}

// tree is the file's one document.
func tree(text string) (root *yaml.Node, ok bool) {
	defer func() { ok = recover() == nil && ok }() // of the library; a panic of ours shows elsewhere
	var doc, second yaml.Node
	dec := yaml.NewDecoder(strings.NewReader(text))
	if dec.Decode(&doc) != nil || dec.Decode(&second) == nil || len(doc.Content) != 1 {
		return nil, false
	}
	return doc.Content[0], true
}

func written(root *yaml.Node) (text string, ok bool) {
	defer func() { ok = recover() == nil && ok }()
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	if enc.Encode(root) != nil || enc.Close() != nil {
		return "", false
	}
	return out.String(), true
}

func plain(n *yaml.Node, seen map[*yaml.Node]bool) {
	if seen[n] {
		return
	}
	seen[n] = true
	n.HeadComment, n.LineComment, n.FootComment = "", "", ""
	if n.Kind != yaml.ScalarNode {
		n.Style = 0
	}
	for _, c := range n.Content {
		plain(c, seen)
	}
}

func same(a, b *yaml.Node, depth int) bool {
	if depth > 100 || a.Kind != b.Kind || a.ShortTag() != b.ShortTag() || a.Value != b.Value || a.Anchor != b.Anchor || len(a.Content) != len(b.Content) {
		return false
	}
	for i := range a.Content {
		if !same(a.Content[i], b.Content[i], depth+1) {
			return false
		}
	}
	return true
}
