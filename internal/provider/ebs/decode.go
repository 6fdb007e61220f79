package ebs

import (
	"bytes"
	"encoding/json"
	"math/big"
	"strconv"
	"strings"

	"github.com/drwatch/drwatch/internal/provider"
)

// answer is the envelope of every answer.
type answer struct {
	isObject  bool
	requestID string
	code      string // of an error; "" for none or for one that is no text
	message   string
	badCode   bool // there is a Code, and it is no text
	fields    provider.Fields
}

// decodeAnswer reads the envelope. A body that is no JSON object gives an
// answer with isObject false.
func decodeAnswer(body []byte) answer {
	var a answer
	var err error
	if a.fields, err = provider.ReadFields(body); err != nil {
		return answer{}
	}
	a.isObject = true
	a.requestID, _ = text(a.fields.Get("RequestId"))
	a.message, _ = text(a.fields.Get("Message"))
	var ok bool
	a.code, ok = text(a.fields.Get("Code"))
	a.badCode = !ok
	switch strings.ToLower(a.code) {
	case "200", "ok", "success": // what some of Alibaba's products say when all is well
		a.code = ""
	}
	return a
}

// list reads a field that must be there and be a list. Only then an empty list
// is believed.
func (a answer) list(name string) ([]json.RawMessage, bool) {
	return provider.Elements(a.fields.Get(name))
}

// item is one object of a list, read field by field: what cannot be read is
// counted and counts as not told.
type item struct {
	fields provider.Fields
	bad    func(field string)
}

// decodeItem reads one object; ok is false when raw is none.
func decodeItem(raw json.RawMessage, bad func(field string)) (it item, ok bool) {
	it.bad = bad
	it.fields, ok = provider.FieldsOf(raw)
	return it, ok
}

// text is a field's text, "" when absent, null or no text.
func (it item) text(name string) string {
	s, ok := text(it.fields.Get(name))
	if !ok {
		it.bad(name)
	}
	return s
}

// number is a field's whole number; told is false when it is absent, null, or
// cannot be read. A number in a string is one.
func (it item) number(name string) (n int64, told bool) {
	raw := it.fields.Get(name)
	if isNull(raw) {
		return 0, false
	}
	s, quoted := text(raw)
	if !quoted {
		s = string(raw)
	}
	if s == "" {
		return 0, false
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && s[0] >= '1' && s[0] <= '9' {
		return n, true
	}
	// Through a ratio: 1.7e9 and 900.0 are whole, 1.5 is not, and nothing is
	// rounded. The length bounds what an exponent can cost.
	r, ok := new(big.Rat), false
	if len(s) <= 32 && json.Valid([]byte(s)) && !hugeExponent(s) {
		r, ok = r.SetString(s)
	}
	if !ok || !r.IsInt() || !r.Num().IsInt64() {
		it.bad(name)
		return 0, false
	}
	return r.Num().Int64(), true
}

// hugeExponent tells that s has an exponent of over two digits.
func hugeExponent(s string) bool {
	_, exponent, ok := strings.Cut(strings.ToLower(s), "e")
	return ok && len(strings.TrimLeft(exponent, "+-0")) > 2
}

// text reads a JSON string; absent and null are "". ok is false for any other
// type.
func text(raw json.RawMessage) (s string, ok bool) {
	if isNull(raw) {
		return "", true
	}
	return provider.Text(raw)
}

func isNull(raw json.RawMessage) bool {
	return len(raw) == 0 || bytes.Equal(raw, []byte("null"))
}
