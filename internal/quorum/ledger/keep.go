package ledger

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// keeping is written, the JSON of a record that replaces stored, with what a newer
// version has put there beside the fields that this one knows: in the record
// itself and in objects in it, not in elements of lists. An older observer that
// goes on with an incident must not take away what it does not understand.
func keeping[T any](stored, written []byte) ([]byte, error) {
	if len(stored) == 0 || !holdsMore(stored, reflect.TypeFor[T]()) {
		return written, nil
	}
	out, changed, err := merged(stored, written, reflect.TypeFor[T]())
	if err != nil {
		return nil, fmt.Errorf("keeping what a newer version has written: %w", err)
	}
	if !changed {
		return written, nil
	}
	return out, nil
}

// holdsMore tells whether the JSON of a record has anything that its type has not.
func holdsMore(stored []byte, record reflect.Type) bool {
	known := fields(record)
	for name, raw := range object(stored) {
		t, ok := known[name]
		if !ok || t.Kind() == reflect.Struct && holdsMore(raw, t) {
			return true
		}
	}
	return false
}

func merged(stored, written []byte, record reflect.Type) (out []byte, changed bool, err error) {
	before, after := object(stored), object(written)
	if before == nil || after == nil {
		return written, false, nil
	}
	known := fields(record)
	for name, raw := range before {
		t, ok := known[name]
		switch {
		case !ok:
			after[name], changed = raw, true
		case t.Kind() == reflect.Struct && after[name] != nil:
			inner, differs, err := merged(raw, after[name], t)
			if err != nil {
				return nil, false, err
			}
			if differs {
				after[name], changed = inner, true
			}
		}
	}
	if !changed {
		return written, false, nil
	}
	out, err = json.Marshal(after)
	return out, true, err
}

// object is what a JSON object holds, nil when it is none: a time, or null.
func object(raw []byte) map[string]json.RawMessage {
	if !bytes.HasPrefix(bytes.TrimLeft(raw, " \t\r\n"), []byte("{")) {
		return nil
	}
	var o map[string]json.RawMessage
	if json.Unmarshal(raw, &o) != nil {
		return nil
	}
	return o
}

// fields are the JSON names of a struct's fields, each with its type without the
// pointer.
func fields(record reflect.Type) map[string]reflect.Type {
	out := map[string]reflect.Type{}
	for _, f := range reflect.VisibleFields(record) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous || !f.IsExported() || name == "-" {
			continue
		}
		if name == "" {
			name = f.Name
		}
		t := f.Type
		if t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		out[name] = t
	}
	return out
}
