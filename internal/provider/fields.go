package provider

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"unicode/utf8"
)

// Fields are the members of one JSON object, undecoded. A listing has tens of
// thousands of objects of which a few members are read each: they are found where
// they stand in the answer, which is checked once and not copied.
type Fields struct {
	raw     []byte
	members []member
	escaped bool // some name is written with escapes, or is no valid text
}

// member is where a name and its value stand, quotes of the name left out.
type member struct{ name, nameEnd, value, valueEnd uint32 }

// usualMembers is how many members most objects have at most.
const usualMembers = 24

// ReadFields reads an object of which nothing is known. It keeps raw.
func ReadFields(raw []byte) (Fields, error) {
	if valid(raw) {
		if f, ok := FieldsOf(raw); ok {
			return f, nil
		}
	}
	var why map[string]json.RawMessage
	if err := json.Unmarshal(raw, &why); err != nil {
		return Fields{}, err
	}
	return Fields{}, errors.New("it is null")
}

// FieldsOf reads a value of valid JSON; ok is false when it is no object. It
// keeps raw.
func FieldsOf(raw []byte) (f Fields, ok bool) {
	i := space(raw, 0)
	if i == len(raw) || raw[i] != '{' {
		return Fields{}, false
	}
	f = Fields{raw: raw, members: make([]member, 0, usualMembers)}
	for i = space(raw, i+1); raw[i] != '}'; i = next(raw, i) {
		end := valueEnd(raw, i)
		name := raw[i+1 : end-1]
		f.escaped = f.escaped || bytes.IndexByte(name, '\\') >= 0 || !utf8.Valid(name)
		value := space(raw, space(raw, end)+1)                                           // past the colon
		m := member{name: uint32(i + 1), nameEnd: uint32(end - 1), value: uint32(value)} //nolint:gosec // answers are bounded far below
		i = valueEnd(raw, value)
		m.valueEnd = uint32(i) //nolint:gosec // as above
		f.members = append(f.members, m)
	}
	return f, true
}

// Get is the value of the member of that name, the last of several; nil when
// there is none.
func (f Fields) Get(name string) json.RawMessage {
	for _, m := range slices.Backward(f.members) {
		if is := f.raw[m.name:m.nameEnd]; string(is) == name || f.escaped && f.decodes(m, name) {
			return f.raw[m.value:m.valueEnd:m.valueEnd]
		}
	}
	return nil
}

func (f Fields) decodes(m member, name string) bool {
	var text string
	return json.Unmarshal(f.raw[m.name-1:m.nameEnd+1], &text) == nil && text == name
}

// Elements are those of a list, which must be valid JSON; ok is false when raw
// is none.
func Elements(raw json.RawMessage) (elements []json.RawMessage, ok bool) {
	i := space(raw, 0)
	if i == len(raw) || raw[i] != '[' {
		return nil, false
	}
	elements = []json.RawMessage{}
	for i = space(raw, i+1); raw[i] != ']'; i = next(raw, i) {
		end := valueEnd(raw, i)
		elements = append(elements, raw[i:end:end])
		i = end
	}
	return elements, true
}

// Text reads a string of valid JSON; ok is false when raw is none.
func Text(raw json.RawMessage) (text string, ok bool) {
	if len(raw) < 2 || raw[0] != '"' {
		return "", false
	}
	if inner := raw[1 : len(raw)-1]; bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		return string(inner), true
	}
	return text, json.Unmarshal(raw, &text) == nil
}

// space is the first index from i on that is no white space.
func space(raw []byte, i int) int {
	for i < len(raw) && (raw[i] == ' ' || raw[i] == '\n' || raw[i] == '\t' || raw[i] == '\r') {
		i++
	}
	return i
}

// next is where the next element or the closing bracket stands after a value
// that ends at i.
func next(raw []byte, i int) int {
	if i = space(raw, i); raw[i] == ',' {
		return space(raw, i+1)
	}
	return i
}

// valueEnd is where the value that begins at i ends.
func valueEnd(raw []byte, i int) int {
	switch raw[i] {
	case '"':
		return stringEnd(raw, i)
	case '{', '[':
		return nestedEnd(raw, i)
	}
	for i < len(raw) && bytes.IndexByte([]byte(",]} \n\t\r"), raw[i]) < 0 {
		i++
	}
	return i
}

func stringEnd(raw []byte, i int) int {
	for i++; raw[i] != '"'; i++ {
		if raw[i] == '\\' {
			i++
		}
	}
	return i + 1
}

func nestedEnd(raw []byte, i int) int {
	for depth := 0; ; i++ {
		switch raw[i] {
		case '"':
			i = stringEnd(raw, i) - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
}
