package strictyaml_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/drwatch/drwatch/internal/strictyaml"
	"github.com/drwatch/drwatch/internal/strictyaml/strictyamltest"
)

func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		"inner: {name: x}", "list: &l [*l]", "client: &c {http_headers: *c}", "<<: *a", "map: {a: 1}\n---\n", "words: |\n  a", "? [a]\n: b",
		"inner: {name: x, wait: 1d2h, limit: 0s, kind: all}\nlist:\n  - {name: one}\nmap: {a: 1, b: 0x10}\nrate: .nan\non: true # yes\ncount: 7\n",
		"a: &a {b: 1}\nb: &b {<<: *a}\nc: {<<: [*a, *b]}\n", "inner: {name: x, name: y}\n\tinner: 1", "rate: -1e999\ncount: 1e3\non: yes\n",
		"\ufeffinner:\r\n  nam: x\u2028\r  kind: al\n", "words: [\"\\u00e9\", é]\nclient: {basic_auth: {username: u, passwrd: p}}",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		began := time.Now()
		got, ps := decode(text)
		strictyamltest.Problems(t, "f.yml", text, ps)
		for _, p := range ps {
			if p.Severity != strictyaml.Error {
				t.Errorf("reading knows errors only: %#v", p)
			}
		}
		if ps.HasErrors() {
			return
		}
		if got.Inner.Wait <= 0 || got.Inner.Limit != nil && *got.Inner.Limit < 0 || got.Inner.Kind != "any" && got.Inner.Kind != "all" || got.Inner.Name == "" && len(got.List) > 0 && got.List[0].Name == "" {
			t.Errorf("accepted %+v", got)
		}
		for _, w := range got.Words {
			if w == "" {
				t.Errorf("an empty text among %q", got.Words)
			}
		}
		if again, ok := strictyamltest.Rewritten(text); ok {
			other, ps := decode(again)
			if d := cmp.Diff(shown(t, got), shown(t, other)); ps.HasErrors() || d != "" {
				t.Errorf("means something else when written down otherwise: %v\n%s\n%s", ps, d, again)
			}
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}

func shown(t *testing.T, o outer) string {
	t.Helper()
	b, err := yaml.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
