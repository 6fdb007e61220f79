package strictyaml

import (
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Name is the file's name as it stands in messages.
func (d *Document) Name() string { return d.name }

// Pos is where the value at a path stands: strings are keys, ints are indexes.
// When the path does not exist it is the place of its nearest existing parent;
// the top of the file is line 1, column 1 or where its first key stands.
func (d *Document) Pos(path ...any) Pos {
	n, _ := d.find(path)
	return d.at(n)
}

// Inside is the place of one byte of the text at a path, such as the word that a
// parser stumbled over in an expression. Where the text is escaped or folded it
// is the place of the whole value.
func (d *Document) Inside(offset int, path ...any) Pos {
	n, ok := d.find(path)
	n = resolve(n)
	if !ok || n.Kind != yaml.ScalarNode || offset < 0 || offset > len(n.Value) {
		return d.at(n)
	}
	before := n.Value[:offset]
	start := strings.LastIndexByte(before, '\n') + 1
	text, _, _ := strings.Cut(n.Value[start:], "\n")
	line := n.Line + strings.Count(before, "\n")
	if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		line++
	}
	from := 0
	if line == n.Line {
		from = n.Column - 1
	}
	if line > len(d.lines) {
		return d.at(n)
	}
	at, ok := indexAfter(d.lines[line-1], text, from)
	if !ok {
		return d.at(n)
	}
	return Pos{d.name, line, at + utf8.RuneCountInString(before[start:]) + 1}
}

// indexAfter counts the characters of a line before the first occurrence of a
// text that begins after so many characters.
func indexAfter(line, text string, chars int) (int, bool) {
	skip := 0
	for range chars {
		_, n := utf8.DecodeRuneInString(line[skip:])
		skip += n
	}
	i := strings.Index(line[skip:], text)
	if i < 0 {
		return 0, false
	}
	return utf8.RuneCountInString(line[:skip+i]), true
}

// Has tells whether the file itself gives the value at a path, and not as null.
func (d *Document) Has(path ...any) bool {
	n, ok := d.find(path)
	return ok && resolve(n).ShortTag() != "!!null"
}

// find walks as far down the path as the document goes.
func (d *Document) find(path []any) (*yaml.Node, bool) {
	n := d.root
	for _, step := range path {
		next := child(n, step)
		if next == nil {
			return n, false
		}
		n = next
	}
	return n, true
}

func child(n *yaml.Node, step any) *yaml.Node {
	n = resolve(n)
	switch s := step.(type) {
	case int:
		if n.Kind == yaml.SequenceNode && s >= 0 && s < len(n.Content) {
			return n.Content[s]
		}
	case string:
		for _, e := range entries(n) {
			if e.key.Value == s {
				return e.value
			}
		}
	}
	return nil
}

func (d *Document) at(n *yaml.Node) Pos { return Pos{d.name, n.Line, n.Column} }

// resolve follows an alias to what its anchor names.
func resolve(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

type entry struct{ key, value *yaml.Node }

// entries are the keys and values of a mapping, merge keys ("<<") expanded:
// what stands in the mapping itself wins, then the first mapping merged. A key
// given twice keeps its first value; Parse has reported it.
func entries(n *yaml.Node) []entry {
	return merged(n, map[*yaml.Node]bool{})
}

func merged(n *yaml.Node, seen map[*yaml.Node]bool) []entry {
	if n.Kind != yaml.MappingNode || seen[n] {
		return nil
	}
	seen[n] = true
	var own, merges []entry
	for i := 0; i+1 < len(n.Content); i += 2 {
		e := entry{n.Content[i], n.Content[i+1]}
		if e.key.ShortTag() != "!!merge" {
			own = append(own, e)
			continue
		}
		from := resolve(e.value)
		if from.Kind != yaml.SequenceNode {
			merges = append(merges, merged(from, seen)...)
			continue
		}
		for _, m := range from.Content {
			merges = append(merges, merged(resolve(m), seen)...)
		}
	}
	return firstOf(append(own, merges...))
}

func firstOf(all []entry) []entry {
	have := make(map[string]bool, len(all))
	out := all[:0]
	for _, e := range all {
		if !have[e.key.Value] || e.key.Kind != yaml.ScalarNode {
			have[e.key.Value] = true
			out = append(out, e)
		}
	}
	return out
}
