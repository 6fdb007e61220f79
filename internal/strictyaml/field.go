package strictyaml

import (
	"fmt"
	"reflect"
	"strings"
)

// options are what a field's check tag asks for.
type options struct {
	required bool     // the key must be there
	positive bool     // a number or duration above zero
	nonempty bool     // a list with at least one element
	maybe    bool     // a text that may be empty
	oneof    []string // a text that is one of these
}

type field struct {
	key      string
	index    int
	standard string // the default, as YAML
	options
}

// fieldsOf are the fields of one of our own structs that have a key.
func fieldsOf(t reflect.Type) []field {
	var out []field
	for i := range t.NumField() {
		sf := t.Field(i)
		key, _, _ := strings.Cut(sf.Tag.Get("yaml"), ",")
		if key == "" || key == "-" || !sf.IsExported() {
			continue
		}
		out = append(out, field{key, i, sf.Tag.Get("default"), parseOptions(sf.Tag.Get("check"))})
	}
	return out
}

func parseOptions(tag string) options {
	var o options
	for word := range strings.SplitSeq(tag, ",") {
		name, arg, _ := strings.Cut(word, "=")
		switch name {
		case "":
		case "required":
			o.required = true
		case "positive":
			o.positive = true
		case "nonempty":
			o.nonempty = true
		case "maybeempty":
			o.maybe = true
		case "oneof":
			o.oneof = strings.Split(arg, "|")
		default:
			panic(fmt.Sprintf("unknown word %q in a check tag", word)) // a mistake in our own tag
		}
	}
	return o
}

func keysOf(fields []field) []string {
	out := make([]string, len(fields))
	for i, f := range fields {
		out[i] = f.key
	}
	return out
}
