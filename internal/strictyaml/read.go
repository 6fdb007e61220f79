package strictyaml

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Limit is the size of the largest file that is read, in bytes. The largest
// sensible file is a fiftieth of it; what is over it is some other file given
// by mistake.
const Limit = 4 << 20

// Read reads a file of at most Limit bytes. A larger one is refused without
// being read whole. The error is a Problems with one sentence.
func Read(path string) ([]byte, error) {
	b, err := read(path)
	if err != nil {
		var ps Problems
		ps.Errorf(Pos{File: path}, "%s", err)
		return nil, ps
	}
	return b, nil
}

func read(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, cannotRead(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("is not a regular file, want a YAML file")
	}
	if info.Size() > Limit {
		return nil, errTooLarge
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, cannotRead(err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, Limit+1))
	if err != nil {
		return nil, cannotRead(err)
	}
	if len(b) > Limit {
		return nil, errTooLarge
	}
	return b, nil
}

var errTooLarge = fmt.Errorf("is larger than %d MiB, which no such file needs: is it the right one?", Limit>>20)

// cannotRead drops the path, which stands before the sentence already.
func cannotRead(err error) error {
	if pe, ok := errors.AsType[*os.PathError](err); ok {
		err = pe.Err
	}
	return fmt.Errorf("cannot be read: %w", err)
}

// Document is one parsed file. It is not changed after Parse and safe for
// concurrent use.
type Document struct {
	name  string
	lines []string   // the text
	root  *yaml.Node // the mapping at the top
}

// Parse reads YAML text that holds exactly one document, a mapping. name is the
// file's name in messages. The document is nil when there are problems that
// keep it from being decoded; duplicate keys alone do not.
func Parse(name string, b []byte) (*Document, Problems) {
	var ps Problems
	top := Pos{File: name}
	if len(b) > Limit {
		ps.Errorf(top, "%s", errTooLarge)
		return nil, ps
	}
	if at, ok := invalidUTF8(name, b); ok {
		ps.Errorf(at, "is not UTF-8 text: byte 0x%02x", b[bytesBefore(b)])
		return nil, ps
	}
	dec := yaml.NewDecoder(bytes.NewReader(b))
	var doc, second yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		ps.Errorf(top, "is empty, want a YAML mapping")
		return nil, ps
	case err != nil:
		ps.add(Error, syntaxPos(name, err), "%s", syntaxText(err))
		return nil, ps
	}
	root := doc.Content[0]
	if err := dec.Decode(&second); !errors.Is(err, io.EOF) {
		at := Pos{name, root.Line, root.Column}
		if err == nil {
			at = Pos{name, second.Line, second.Column}
		} else if p := syntaxPos(name, err); p.Line != 0 {
			at = p
		}
		ps.Errorf(at, "a second YAML document starts here: put everything into one document, without a further \"---\"")
		return nil, ps
	}
	d := &Document{name: name, lines: strings.Split(string(b), "\n"), root: root}
	if root.Kind == yaml.ScalarNode && root.ShortTag() == "!!null" {
		ps.Errorf(top, "is empty, want a YAML mapping")
		return nil, ps
	}
	if resolve(root).Kind != yaml.MappingNode {
		ps.Errorf(d.at(root), "expected a mapping (key: value), got %s", kindOf(root))
		return nil, ps
	}
	d.duplicates(root, &ps)
	return d, ps
}

// bytesBefore counts the bytes before the first one that is not UTF-8.
func bytesBefore(b []byte) int {
	i := 0
	for i < len(b) {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n <= 1 {
			return i
		}
		i += n
	}
	return i
}

func invalidUTF8(name string, b []byte) (Pos, bool) {
	if utf8.Valid(b) {
		return Pos{}, false
	}
	good := b[:bytesBefore(b)]
	line := bytes.Count(good, []byte("\n")) + 1
	col := utf8.RuneCount(good[bytes.LastIndexByte(good, '\n')+1:]) + 1
	return Pos{name, line, col}, true
}

var syntaxLine = regexp.MustCompile(`line (\d+): `)

// syntaxPos finds the line in an error of the YAML library, which keeps it only
// in the text.
func syntaxPos(name string, err error) Pos {
	m := syntaxLine.FindStringSubmatch(err.Error())
	if m == nil {
		return Pos{File: name}
	}
	n, _ := strconv.Atoi(m[1]) // the expression admits digits only
	return Pos{name, n, 1}
}

func syntaxText(err error) string {
	s := strings.TrimPrefix(err.Error(), "yaml: ")
	s = syntaxLine.ReplaceAllString(s, "")
	if strings.Contains(s, "cannot start any token") {
		s += " (a tab? indentation must be spaces; a text that starts with a special character must be quoted)"
	}
	return "is not YAML: " + s
}

// duplicates reports each key that a mapping has twice.
func (d *Document) duplicates(n *yaml.Node, ps *Problems) {
	if n.Kind == yaml.MappingNode {
		first := map[string]int{}
		for i := 0; i < len(n.Content); i += 2 {
			k := n.Content[i]
			if k.Kind != yaml.ScalarNode {
				continue
			}
			if line, ok := first[k.Value]; ok {
				ps.Errorf(d.at(k), "key %q is given twice, first in line %d", k.Value, line)
				continue
			}
			first[k.Value] = k.Line
		}
	}
	for _, c := range n.Content {
		d.duplicates(c, ps)
	}
}
