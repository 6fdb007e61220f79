package strictyaml

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"
)

// maxAliased bounds how many values aliases may stand for in one file, so that
// a few lines cannot be blown up into a heap.
const maxAliased = 100_000

// Decode fills the struct that into points to, defaults first, and returns
// everything that is wrong. The struct is only of use when no error is among
// it.
func (d *Document) Decode(into any) Problems {
	dec := &decoder{doc: d}
	v := reflect.ValueOf(into).Elem()
	dec.defaults(v)
	dec.value(d.root, v, "", options{})
	dec.problems.Sort()
	return dec.problems
}

type decoder struct {
	doc      *Document
	problems Problems
	aliases  int // depth: how many aliases the present value stands under
	aliased  int // values met under an alias
}

func (d *decoder) errorf(n *yaml.Node, format string, args ...any) {
	d.problems.Errorf(d.doc.at(n), format, args...)
}

// enter counts a value that aliases stand for; false when there are too many.
func (d *decoder) enter(n *yaml.Node) bool {
	if d.aliases == 0 {
		return true
	}
	d.aliased++
	if d.aliased == maxAliased {
		d.errorf(n, "aliases in this file stand for more than %d values: write them out, or leave them out", maxAliased)
	}
	return d.aliased < maxAliased
}

var (
	customType     = reflect.TypeFor[Custom]()
	textType       = reflect.TypeFor[encoding.TextUnmarshaler]()
	durationType   = reflect.TypeFor[time.Duration]()
	foreignOldType = reflect.TypeFor[interface{ UnmarshalYAML(func(any) error) error }]()
	foreignType    = reflect.TypeFor[yaml.Unmarshaler]()
)

// value decodes one node into v. path names the value in messages.
func (d *decoder) value(n *yaml.Node, v reflect.Value, path string, o options) {
	if n.Kind == yaml.AliasNode {
		d.aliases++
		defer func() { d.aliases-- }()
		n = resolve(n)
	}
	if !d.enter(n) {
		return
	}
	if v.Kind() == reflect.Pointer {
		elem := reflect.New(v.Type().Elem())
		d.defaults(elem.Elem())
		d.value(n, elem.Elem(), path, o)
		v.Set(elem)
		return
	}
	ptr := v.Addr().Type()
	switch {
	case ptr.Implements(customType):
		v.Addr().Interface().(Custom).DecodeYAML(&Value{dec: d, node: n, path: path})
	case v.Type() == durationType:
		d.duration(n, v, path, o)
	case ptr.Implements(foreignOldType), ptr.Implements(foreignType):
		d.foreign(n, v, path)
	case ptr.Implements(textType):
		d.text(n, v, path)
	case v.Kind() == reflect.Struct:
		d.structure(n, v, path)
	case v.Kind() == reflect.Map:
		d.mapping(n, v, path, o)
	case v.Kind() == reflect.Slice:
		d.sequence(n, v, path, o)
	default:
		d.scalar(n, v, path, o)
	}
}

// structure decodes a mapping into a struct that already has its defaults.
func (d *decoder) structure(n *yaml.Node, v reflect.Value, path string) {
	fields := fieldsOf(v.Type())
	if n.ShortTag() == "!!null" {
		d.missing(n, nil, fields, path)
		return
	}
	if n.Kind != yaml.MappingNode {
		d.errorf(n, "%sexpected a mapping (key: value), got %s", prefix(path), kindOf(n))
		return
	}
	given := map[string]bool{}
	for _, e := range entries(n) {
		if e.key.Kind != yaml.ScalarNode {
			d.errorf(e.key, "a key must be plain text, got %s", kindOf(e.key))
			continue
		}
		i := slices.IndexFunc(fields, func(f field) bool { return f.key == e.key.Value })
		if i < 0 {
			d.errorf(e.key, "%s", unknownKey(short(e.key.Value), path, keysOf(fields)))
			continue
		}
		given[e.key.Value] = true
		f := fields[i]
		d.value(e.value, v.Field(f.index), join(path, f.key), f.options)
	}
	d.missing(n, given, fields, path)
}

// missing reports the required keys that were not given.
func (d *decoder) missing(n *yaml.Node, given map[string]bool, fields []field, path string) {
	for _, f := range fields {
		if f.required && !given[f.key] {
			d.errorf(n, "%s%q is required", prefix(path), f.key)
		}
	}
}

func (d *decoder) mapping(n *yaml.Node, v reflect.Value, path string, o options) {
	if n.ShortTag() == "!!null" {
		return
	}
	if n.Kind != yaml.MappingNode {
		d.errorf(n, "%sexpected a mapping (key: value), got %s", prefix(path), kindOf(n))
		return
	}
	out := reflect.MakeMap(v.Type())
	for _, e := range entries(n) {
		if e.key.Kind != yaml.ScalarNode {
			d.errorf(e.key, "a key must be plain text, got %s", kindOf(e.key))
			continue
		}
		elem := reflect.New(v.Type().Elem()).Elem()
		d.defaults(elem)
		d.value(e.value, elem, join(path, short(e.key.Value)), options{maybe: o.maybe})
		out.SetMapIndex(reflect.ValueOf(e.key.Value), elem)
	}
	v.Set(out)
}

func (d *decoder) sequence(n *yaml.Node, v reflect.Value, path string, o options) {
	if n.Kind != yaml.SequenceNode {
		d.errorf(n, "%sexpected a list, got %s", prefix(path), kindOf(n))
		return
	}
	if o.nonempty && len(n.Content) == 0 {
		d.errorf(n, "%sthe list must not be empty", prefix(path))
	}
	out := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, c := range n.Content {
		d.defaults(out.Index(i))
		d.value(c, out.Index(i), fmt.Sprintf("%s[%d]", path, i), options{oneof: o.oneof, maybe: o.maybe})
	}
	v.Set(out)
}

// defaults sets the default of each field of a struct, and of the structs
// directly in it.
func (d *decoder) defaults(v reflect.Value) {
	if v.Kind() != reflect.Struct || v.Addr().Type().Implements(customType) {
		return
	}
	for _, f := range fieldsOf(v.Type()) {
		fv := v.Field(f.index)
		if f.standard == "" {
			d.defaults(fv)
			continue
		}
		var doc yaml.Node
		if err := yaml.Unmarshal([]byte(f.standard), &doc); err != nil {
			panic(fmt.Sprintf("default of %s.%s: %v", v.Type(), f.key, err)) // a mistake in our own tag
		}
		d.value(doc.Content[0], fv, f.key, options{})
	}
}

func prefix(path string) string {
	if path == "" {
		return ""
	}
	return path + ": "
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// short keeps an absurdly long word from filling a message.
func short(s string) string {
	if r := []rune(s); len(r) > 80 {
		return string(r[:80]) + "…"
	}
	return s
}
