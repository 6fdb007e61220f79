package strictyaml

import (
	"bytes"
	"reflect"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// foreign decodes a type of another project by its own UnmarshalYAML, unknown
// keys refused. Decoding a yaml.Node is never strict, so the value is written
// out again, aliases resolved, and read from the text.
func (d *decoder) foreign(n *yaml.Node, v reflect.Value, path string) {
	plain, ok := d.plainCopy(n, map[*yaml.Node]bool{})
	if !ok {
		return
	}
	err := decodeStrict(plain, v.Addr().Interface())
	if err == nil {
		return
	}
	before := len(d.problems)
	d.locate(n, plain, v.Type(), path, err)
	if len(d.problems) == before {
		d.errorf(n, "%s%s", prefix(path), foreignText(err, n))
	}
}

func decodeStrict(n *yaml.Node, into any) error {
	b, err := yaml.Marshal(n)
	if err != nil {
		return err
	}
	dec := yaml.NewDecoder(bytes.NewReader(b))
	dec.KnownFields(true)
	return dec.Decode(into)
}

// locate reports an error of a foreign type at the innermost value that cannot
// be decoded by itself, and all such values, because the YAML library tells
// no columns and stops at the first error of an UnmarshalYAML.
func (d *decoder) locate(n, plain *yaml.Node, t reflect.Type, path string, err error) {
	n = resolve(n)
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	before := len(d.problems)
	switch {
	case t.Kind() == reflect.Struct && n.Kind == yaml.MappingNode:
		d.locateFields(n, plain, t, path)
	case t.Kind() == reflect.Slice && n.Kind == yaml.SequenceNode:
		for i, c := range n.Content {
			d.locateChild(c, plain.Content[i], t.Elem(), path)
		}
	case t.Kind() == reflect.Map && n.Kind == yaml.MappingNode:
		for i, e := range entries(n) {
			d.locateChild(e.value, plain.Content[2*i+1], t.Elem(), join(path, short(e.key.Value)))
		}
	}
	if len(d.problems) == before {
		d.errorf(n, "%s%s", prefix(path), foreignText(err, n))
	}
}

func (d *decoder) locateFields(n, plain *yaml.Node, t reflect.Type, path string) {
	known := map[string]reflect.Type{}
	foreignFields(t, known)
	for i, e := range entries(n) {
		ft, ok := known[e.key.Value]
		switch {
		case ok:
			d.locateChild(e.value, plain.Content[2*i+1], ft, join(path, e.key.Value))
		case len(known) > 0:
			var keys []string
			for k := range known {
				keys = append(keys, k)
			}
			d.errorf(e.key, "%s", unknownKey(short(e.key.Value), path, keys))
		}
	}
}

func (d *decoder) locateChild(n, plain *yaml.Node, t reflect.Type, path string) {
	if err := decodeStrict(plain, reflect.New(t).Interface()); err != nil {
		d.locate(n, plain, t, path, err)
	}
}

// foreignFields are the keys of a struct as the YAML library sees them. A
// struct without any yaml tag has a form of its own, and gives none.
func foreignFields(t reflect.Type, into map[string]reflect.Type) {
	for sf := range t.Fields() {
		key, opts, _ := strings.Cut(sf.Tag.Get("yaml"), ",")
		switch {
		case strings.Contains(opts, "inline") && sf.Type.Kind() == reflect.Struct:
			foreignFields(sf.Type, into)
		case key != "" && key != "-":
			into[key] = sf.Type
		}
	}
}

// plainCopy is the value without aliases, merge keys, comments and styles. False
// when it is endless or too large; that is reported.
func (d *decoder) plainCopy(n *yaml.Node, open map[*yaml.Node]bool) (*yaml.Node, bool) {
	if n.Kind == yaml.AliasNode {
		d.aliases++
		defer func() { d.aliases-- }()
		n = resolve(n)
	}
	if open[n] {
		d.errorf(n, "the anchor %q contains itself", short(n.Anchor))
		return nil, false
	}
	if !d.enter(n) {
		return nil, false
	}
	open[n] = true
	defer delete(open, n)
	out := &yaml.Node{Kind: n.Kind, Tag: n.Tag, Value: n.Value}
	if n.Kind == yaml.ScalarNode {
		out.Style = n.Style & (yaml.SingleQuotedStyle | yaml.DoubleQuotedStyle)
	}
	parts := n.Content
	if n.Kind == yaml.MappingNode {
		parts = nil
		for _, e := range entries(n) {
			parts = append(parts, e.key, e.value)
		}
	}
	for _, c := range parts {
		p, ok := d.plainCopy(c, open)
		if !ok {
			return nil, false
		}
		out.Content = append(out.Content, p)
	}
	return out, true
}

var (
	foreignLine     = regexp.MustCompile(`line \d+: `)
	foreignUnknown  = regexp.MustCompile(`field (\S+) not found in type \S+`)
	foreignMismatch = regexp.MustCompile("cannot unmarshal (!!\\w+)(?: `[^`]*`)? into (\\S+)")
)

// goTypes says Go's types in words.
var goTypes = map[string]string{
	"time.Duration": "a duration such as 5s",
	"string":        "text",
	"bool":          "true or false",
	"int":           "a whole number",
	"float64":       "a number",
	"[]string":      "a list of texts",
	"[]int":         "a list of whole numbers",
}

// foreignText is the message of the YAML library or of an UnmarshalYAML as one
// sentence, without its line numbers, which count in the copy.
func foreignText(err error, n *yaml.Node) string {
	s := strings.TrimPrefix(err.Error(), "yaml: ")
	s = strings.TrimPrefix(s, "unmarshal errors:\n")
	s = foreignLine.ReplaceAllString(s, "")
	s = foreignUnknown.ReplaceAllString(s, `unknown key "$1"`)
	if m := foreignMismatch.FindStringSubmatch(s); m != nil {
		want, ok := goTypes[m[2]]
		if !ok {
			want = m[2]
		}
		s = foreignMismatch.ReplaceAllLiteralString(s, "expected "+want+", got "+kindOf(n))
	}
	return strings.Join(strings.Fields(s), " ")
}
