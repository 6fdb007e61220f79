package provider_test

import (
	"encoding/json"
	"testing"

	"github.com/drwatch/drwatch/internal/provider"
)

// FuzzFields compares with what encoding/json reads: the same members with the
// same values, or an error of both.
func FuzzFields(f *testing.F) {
	for _, text := range []string{
		`{}`, ` { } `, `null`, `[]`, `""`, `1`, ``, `{`, `{"a":1}`, `{"a":1,}`, `{"a":1,"a":2}`,
		` { "a" : [ 1 , {"b":"}]\""} , null ] , "c\u0064" : "x\ty" , "" : -1.5e3 } `,
		"{\"caf\xe9\":true,\"\\ud800\":false}", `{"a":{"b":{"c":[[],[[]]]}},"d":"\\"}`, `{"a":[1,2]} x`, "{\"a\":\n[\t]\r}",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var want map[string]json.RawMessage
		wantErr := json.Unmarshal(raw, &want)
		asJSON(t, string(raw))
		got, err := provider.ReadFields(raw)
		if (err == nil) != (wantErr == nil && want != nil) {
			t.Fatalf("%v, encoding/json says %v", err, wantErr)
		}
		for name, value := range want {
			if string(got.Get(name)) != string(value) {
				t.Errorf("%q is %q, want %q", name, got.Get(name), value)
			}
			list(t, value)
			var text string
			isText := len(value) > 0 && value[0] == '"' && json.Unmarshal(value, &text) == nil
			if s, ok := provider.Text(value); ok != isText || s != text {
				t.Errorf("%q reads as %q, %t; want %q, %t", value, s, ok, text, isText)
			}
		}
		if err == nil && got.Get("no such name, surely") != nil && want["no such name, surely"] == nil {
			t.Error("a name that is not there was found")
		}
	})
}

func list(t *testing.T, value json.RawMessage) {
	t.Helper()
	var want []json.RawMessage
	wantOK := json.Unmarshal(value, &want) == nil && want != nil
	got, ok := provider.Elements(value)
	if ok != wantOK || len(got) != len(want) {
		t.Fatalf("%q: %d elements, %t; want %d, %t", value, len(got), ok, len(want), wantOK)
	}
	for i := range want {
		if string(got[i]) != string(want[i]) {
			t.Errorf("element %d is %q, want %q", i, got[i], want[i])
		}
	}
}
