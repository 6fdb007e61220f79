package provider_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/drwatch/drwatch/internal/provider"
)

// asJSON fails when a value is read that encoding/json refuses, or the other way
// round.
func asJSON(t *testing.T, value string) {
	t.Helper()
	raw := []byte(`{"a":` + value + `}`)
	if _, err := provider.ReadFields(raw); (err == nil) != json.Valid(raw) {
		t.Errorf("%.200q: %v, valid JSON %t", raw, err, json.Valid(raw))
	}
}

// Each text of up to four of the bytes that mean something in JSON.
func TestShortValuesAreReadAsEncodingJSONDoes(t *testing.T) {
	const most, bytes = 4, "{}[]\",:\\-+.019eEuf \x01"
	var with func(value string)
	with = func(value string) {
		asJSON(t, value)
		if len(value) < most && !t.Failed() {
			for _, c := range []byte(bytes) {
				with(value + string(c))
			}
		}
	}
	with("")
}

// A real answer in which one byte is another one or missing, or that ends early.
func TestBrokenAnswersAreReadAsEncodingJSONDoes(t *testing.T) {
	whole, err := os.ReadFile("sdrs/testdata/replications.json")
	if err != nil {
		t.Fatal(err)
	}
	text := string(whole)
	for i := range text {
		asJSON(t, text[:i])
		asJSON(t, text[:i]+text[i+1:])
		for _, c := range "{}[]\",:\\ 0x\n\x00\u00e9" {
			asJSON(t, text[:i]+string(c)+text[i+1:])
		}
	}
}

func TestOddValuesAreReadAsEncodingJSONDoes(t *testing.T) {
	for _, value := range []string{
		"true", "false", "null", "nul", "nulls", "True", "tru", "truefalse", "NaN", "Infinity", "0x1", "1e400", "-0.0e-0", "01", "1.e1", "1e+", "+1", "-",
		`"\u00e9\ud800"`, `"\u00g0"`, `"\u000"`, `"\u000g"`, `"\u00`, `"\x"`, `"\`, "\"\xff\xfe\"", "\"\x7f\"", "\"\t\"", "\u00a01", "\ufeff1", "1 2", "1 /* */",
		`{"b":1 "c":2}`, `{"b"}`, `{b:1}`, `{1:1}`, `{"b":1,}`, `[1,]`, `[,1]`, `[1 2]`, `[1}`, "[\r\n\t ]", `[[],{}]`,
	} {
		asJSON(t, value)
	}
	for _, depth := range []int{9_998, 9_999, 10_000, 10_001, 100_000} {
		asJSON(t, strings.Repeat("[", depth)+strings.Repeat("]", depth))
		asJSON(t, strings.Repeat("[", depth))
		asJSON(t, strings.Repeat(`{"b":`, depth)+"1"+strings.Repeat("}", depth))
	}
}
