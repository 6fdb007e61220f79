package strictyaml

import (
	"reflect"

	"go.yaml.in/yaml/v3"
)

// Custom is a type with more than one form in YAML, such as a word or a
// mapping. It reads itself and reports what is wrong through the Value.
type Custom interface {
	DecodeYAML(v *Value)
}

// Value is one value of the file, as a Custom type sees it.
type Value struct {
	dec  *decoder
	node *yaml.Node
	path string
}

// Text is the value when it is text.
func (v *Value) Text() (string, bool) {
	return v.node.Value, v.node.Kind == yaml.ScalarNode && v.node.ShortTag() == "!!str"
}

// Has tells whether the value is a mapping with this key.
func (v *Value) Has(key string) bool {
	return child(v.node, key) != nil
}

// Decode decodes the value into what into points to, strictly, with defaults.
func (v *Value) Decode(into any) {
	elem := reflect.ValueOf(into).Elem()
	v.dec.defaults(elem)
	v.dec.value(v.node, elem, v.path, options{})
}

// Errorf reports a mistake in the value.
func (v *Value) Errorf(format string, args ...any) {
	v.dec.errorf(v.node, "%s"+format, append([]any{prefix(v.path)}, args...)...)
}
