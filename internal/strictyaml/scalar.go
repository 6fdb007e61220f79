package strictyaml

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"
)

// scalar decodes text, a whole number, a number, or true and false.
func (d *decoder) scalar(n *yaml.Node, v reflect.Value, path string, o options) {
	switch v.Kind() {
	case reflect.String:
		d.str(n, v, path, o)
	case reflect.Bool:
		if n.ShortTag() != "!!bool" || n.Decode(v.Addr().Interface()) != nil {
			d.errorf(n, "%sexpected true or false, got %s", prefix(path), kindOf(n))
		}
	case reflect.Int, reflect.Int64:
		if n.ShortTag() != "!!int" || n.Decode(v.Addr().Interface()) != nil {
			d.errorf(n, "%sexpected a whole number, got %s", prefix(path), numberOf(n))
			return
		}
		d.positive(n, float64(v.Int()), path, o)
	case reflect.Float64:
		tag := n.ShortTag()
		if tag != "!!int" && tag != "!!float" || n.Decode(v.Addr().Interface()) != nil ||
			math.IsNaN(v.Float()) || math.IsInf(v.Float(), 0) {
			d.errorf(n, "%sexpected a number, got %s", prefix(path), numberOf(n))
			return
		}
		d.positive(n, v.Float(), path, o)
	default:
		panic(fmt.Sprintf("cannot decode YAML into %s", v.Type())) // a mistake in our own struct
	}
}

func (d *decoder) positive(n *yaml.Node, f float64, path string, o options) {
	if f < 0 {
		d.errorf(n, "%smust not be negative, got %s", prefix(path), n.Value)
	} else if o.positive && f == 0 {
		d.errorf(n, "%smust be above zero", prefix(path))
	}
}

func (d *decoder) str(n *yaml.Node, v reflect.Value, path string, o options) {
	s, ok := d.plain(n, path)
	if !ok {
		return
	}
	v.SetString(s)
	if o.oneof != nil && !slices.Contains(o.oneof, s) {
		d.errorf(n, "%sexpected %s, got %q%s", prefix(path), either(o.oneof), short(s), Suggest(s, o.oneof))
	} else if !o.maybe && strings.TrimSpace(s) == "" {
		d.errorf(n, "%smust not be empty", prefix(path))
	}
}

// text decodes a string by the type's own UnmarshalText.
func (d *decoder) text(n *yaml.Node, v reflect.Value, path string) {
	s, ok := d.plain(n, path)
	if !ok {
		return
	}
	if err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(s)); err != nil {
		d.errorf(n, "%s%s", prefix(path), err)
	}
}

// plain is the text of a scalar that is text. A number or true is refused: as
// an id it would silently lose its zeros.
func (d *decoder) plain(n *yaml.Node, path string) (string, bool) {
	switch n.ShortTag() {
	case "!!str", "!!timestamp":
		return n.Value, true
	case "!!int", "!!float", "!!bool":
		d.errorf(n, "%sexpected text, got %s: put it in quotes", prefix(path), kindOf(n))
	default:
		d.errorf(n, "%sexpected text, got %s", prefix(path), kindOf(n))
	}
	return "", false
}

// duration decodes a Prometheus duration.
func (d *decoder) duration(n *yaml.Node, v reflect.Value, path string, o options) {
	tag := n.ShortTag()
	if tag != "!!str" && tag != "!!int" && tag != "!!float" {
		d.errorf(n, "%sexpected a duration such as 30s, 5m or 1h, got %s", prefix(path), kindOf(n))
		return
	}
	got, err := model.ParseDurationAllowNegative(n.Value)
	switch {
	case err != nil:
		d.errorf(n, "%sexpected a duration such as 30s, 5m or 1h, got %q", prefix(path), short(n.Value))
	case got < 0:
		d.errorf(n, "%smust not be negative, got %s", prefix(path), n.Value)
	case got == 0 && o.positive:
		d.errorf(n, "%smust be above zero, got %s", prefix(path), n.Value)
	default:
		v.SetInt(int64(time.Duration(got)))
	}
}

// kindOf names what stands at a node, for "expected …, got …".
func kindOf(n *yaml.Node) string {
	n = resolve(n)
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.ShortTag() {
	case "!!null":
		return "nothing"
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return n.Value
	case "!!str", "!!timestamp":
		return "text"
	}
	return "a value tagged " + short(n.Tag)
}

// numberOf is a number as written, or else what stands there.
func numberOf(n *yaml.Node) string {
	if tag := n.ShortTag(); tag == "!!int" || tag == "!!float" {
		return short(n.Value)
	}
	return kindOf(n)
}

// either is "a, b or c".
func either(all []string) string {
	last := len(all) - 1
	if last < 1 {
		return strings.Join(all, "")
	}
	return strings.Join(all[:last], ", ") + " or " + all[last]
}
