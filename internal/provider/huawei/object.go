package huawei

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"strconv"
	"strings"
	"sync"

	"github.com/drwatch/drwatch/internal/provider"
)

// Problems counts what could not be read in one poll, by field name, and tells
// the meter of each. The zero value is not usable; see NewProblems. Safe for
// concurrent use: one page of a listing is read while the answer with the next
// is.
type Problems struct {
	meter provider.Meter

	mu     sync.Mutex
	counts map[string]int
}

// NewProblems counts into meter as well.
func NewProblems(meter provider.Meter) *Problems {
	return &Problems{counts: map[string]int{}, meter: meter}
}

// Note counts one field that could not be read.
func (p *Problems) Note(u provider.Unread) {
	p.mu.Lock()
	p.counts[u.Field]++
	p.mu.Unlock()
	p.meter.DecodeError(u)
}

// Counts is a copy of the counts, nil when everything could be read.
func (p *Problems) Counts() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.counts) == 0 {
		return nil
	}
	return maps.Clone(p.counts)
}

// Object is one JSON object, read field by field. A field of the wrong type is
// noted and reads as "not told"; it never spoils its neighbours. Numbers and
// numbers written as strings read alike, and null reads as absent: the vendor's
// own answers differ in all of this from their documentation.
type Object struct {
	fields   provider.Fields
	problems *Problems
	from     place
}

// place is where an object stands.
type place struct {
	call string
	id   string // of the item that it is, or is part of; "" when not known
	nth  int    // of its page, from 1; 0 in no list
}

// Of is the object as part of the item of that id.
func (o Object) Of(id string) Object {
	o.from.id = id
	return o
}

// Note counts a field that cannot be read, or was read and makes no sense.
func (o Object) Note(field string) {
	u := provider.Unread{Call: o.from.call, Field: field, Item: o.from.id}
	if u.Item == "" && o.from.nth > 0 {
		u.Item = fmt.Sprintf("no. %d of its page", o.from.nth)
	}
	o.problems.Note(u)
}

// parseObject reads the whole answer to a call, which must be one JSON object.
func parseObject(body []byte, call string, problems *Problems) (Object, error) {
	o, err := Object{problems: problems, from: place{call: call}}.parse(body)
	if err != nil {
		return Object{}, fmt.Errorf("%w: no JSON object (%w)", ErrUnreadable, err)
	}
	return o, nil
}

// parse reads an object that stands where o does.
func (o Object) parse(raw []byte) (Object, error) {
	fields, err := provider.ReadFields(raw)
	if err != nil {
		return Object{}, err
	}
	o.fields = fields
	return o, nil
}

// Told tells whether the field is there with a value other than null.
func (o Object) Told(field string) bool {
	raw := o.fields.Get(field)
	return len(raw) > 0 && string(raw) != "null"
}

// Word is the field as text; ok is false when it is there but cannot be read.
// Absent, null, and the text "null" that some of the vendor's gateways write
// for it, are "" and ok.
func (o Object) Word(field string) (text string, ok bool) {
	if !o.Told(field) {
		return "", true
	}
	raw := o.fields.Get(field)
	if raw[0] != '"' && raw[0] != '-' && (raw[0] < '0' || raw[0] > '9') {
		o.Note(field)
		return "", false
	}
	if raw[0] != '"' {
		return string(raw), true
	}
	if text, ok = provider.Text(raw); !ok {
		o.Note(field)
		return "", false
	}
	if text = strings.TrimSpace(text); text == "null" {
		text = ""
	}
	return text, true
}

// Text is the field as text, "" when it is not told or cannot be read.
func (o Object) Text(field string) string {
	text, _ := o.Word(field)
	return text
}

// Number is the field as a finite number; ok is false when it is not told or
// cannot be read.
func (o Object) Number(field string) (n float64, ok bool) {
	text, ok := o.Word(field)
	if !ok || text == "" {
		return 0, false
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(n, 0) || math.IsNaN(n) {
		o.Note(field)
		return 0, false
	}
	return n, true
}

// Count is the field as a whole number that is not negative, or nil.
func (o Object) Count(field string) *int {
	n, ok := o.Number(field)
	if !ok {
		return nil
	}
	if n < 0 || n > math.MaxInt32 || n != math.Trunc(n) {
		o.Note(field)
		return nil
	}
	count := int(n)
	return &count
}

// Ratio is a field that holds a percentage, as 0..1, or nil.
func (o Object) Ratio(field string) *float64 {
	n, ok := o.Number(field)
	if !ok {
		return nil
	}
	if n < 0 || n > 100 {
		o.Note(field)
		return nil
	}
	n /= 100
	return &n
}

// Child is an object below this one; ok is false when it is not told or
// cannot be read. An object that is written as JSON within a string, as EVS
// does, reads alike.
func (o Object) Child(field string) (child Object, ok bool) {
	if !o.Told(field) {
		return Object{}, false
	}
	raw := []byte(o.fields.Get(field))
	if raw[0] == '"' {
		var inner string
		if json.Unmarshal(raw, &inner) != nil {
			o.Note(field)
			return Object{}, false
		}
		if raw = bytes.TrimSpace([]byte(inner)); len(raw) == 0 || string(raw) == "null" {
			return Object{}, false
		}
	}
	child, err := o.parse(raw)
	if err != nil {
		o.Note(field)
		return Object{}, false
	}
	return child, true
}

// Item is an object of a list.
type Item struct {
	Object
	ID string // "" when it cannot be read
}

// Items is a list of objects that have an "id". The list must be there and be a
// list, else an empty answer would pass for an empty account. Items that are no
// objects are noted and left out; total counts them as well.
func (o Object) Items(field string) (items []Item, total int, err error) {
	return o.ItemsBy(field, "id")
}

// ItemsBy is Items of objects whose id stands in another field, or that have
// none when idField is "".
func (o Object) ItemsBy(field, idField string) (items []Item, total int, err error) {
	raws, err := o.elements(field)
	if err != nil {
		return nil, 0, err
	}
	return o.items(field, idField, raws), len(raws), nil
}

// elements are those of a list, unread.
func (o Object) elements(field string) ([]json.RawMessage, error) {
	if !o.Told(field) {
		return nil, fmt.Errorf("%w: it has no list %q", ErrUnreadable, field)
	}
	raws, ok := provider.Elements(o.fields.Get(field))
	if !ok {
		return nil, fmt.Errorf("%w: %q is no list", ErrUnreadable, field)
	}
	return raws, nil
}

// items reads elements of the list; "" as idField: they have no id.
func (o Object) items(field, idField string, raws []json.RawMessage) (items []Item) {
	for i, raw := range raws {
		item := o
		item.from.nth = i + 1
		var ok bool
		if item.fields, ok = provider.FieldsOf(raw); !ok {
			item.Note(field)
			continue
		}
		id, readable := "", false
		if idField != "" {
			id, readable = item.Word(idField)
		}
		if readable && provider.ValidID(id) != nil {
			item.Note(idField)
			id = ""
		}
		items = append(items, Item{Object: item.Of(id), ID: id})
	}
	return items
}

// Words is a list of texts; ok is false when it is not told or cannot be read.
func (o Object) Words(field string) (words []string, ok bool) {
	if !o.Told(field) {
		return nil, false
	}
	if err := json.Unmarshal(o.fields.Get(field), &words); err != nil {
		o.Note(field)
		return nil, false
	}
	return words, true
}

// excerpt is the beginning of an answer, fit for one line of an error.
func excerpt(ex *provider.Exchange) string {
	text := ex.Beginning(200)
	if text == "" {
		return "it is empty"
	}
	return strconv.Quote(text)
}
