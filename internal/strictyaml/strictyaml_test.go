package strictyaml_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	promconfig "github.com/prometheus/common/config"

	"github.com/drwatch/drwatch/internal/strictyaml"
)

type inner struct {
	Name  string         `yaml:"name" check:"required"`
	Wait  time.Duration  `yaml:"wait" default:"30s" check:"positive"`
	Limit *time.Duration `yaml:"limit"`
	Kind  string         `yaml:"kind" default:"any" check:"oneof=any|all"`
}

type outer struct {
	Inner  inner                        `yaml:"inner"`
	List   []inner                      `yaml:"list"`
	Map    map[string]int               `yaml:"map"`
	Words  []string                     `yaml:"words" default:"[a, b]"`
	Rate   float64                      `yaml:"rate" default:"1.5"`
	On     bool                         `yaml:"on"`
	Count  int                          `yaml:"count"`
	Client *promconfig.HTTPClientConfig `yaml:"client"`
	hidden int                          //nolint:unused // a field that is not exported is no key
	Plain  int
}

func decode(text string) (outer, strictyaml.Problems) {
	var o outer
	d, ps := strictyaml.Parse("f.yml", []byte(text))
	if d != nil {
		ps = append(ps, d.Decode(&o)...)
		ps.Sort()
	}
	return o, ps
}

func TestDecode(t *testing.T) {
	o, ps := decode(`
inner: {name: x, wait: 1d2h}
list:
  - {name: one, limit: 0s, kind: all}
  - name: two
map: {a: 1, b: 0x10}
rate: 3
on: true
count: 7
`)
	if len(ps) != 0 {
		t.Fatalf("problems:\n%v", ps)
	}
	zero := time.Duration(0)
	want := outer{
		Inner: inner{Name: "x", Wait: 26 * time.Hour, Kind: "any"},
		List:  []inner{{Name: "one", Wait: 30 * time.Second, Limit: &zero, Kind: "all"}, {Name: "two", Wait: 30 * time.Second, Kind: "any"}},
		Map:   map[string]int{"a": 1, "b": 16}, Words: []string{"a", "b"}, Rate: 3, On: true, Count: 7,
	}
	if d := cmp.Diff(want, o, cmp.AllowUnexported(outer{})); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

func TestProblems(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"typo":               {"inner: {name: x, wiat: 3s}", `f.yml:1:18: unknown key "wiat" in inner, did you mean "wait"?`},
		"far from all":       {"inner: {name: x, abcdefg: 3s}", `f.yml:1:18: unknown key "abcdefg" in inner, expected one of: kind, limit, name, wait`},
		"top level":          {"inner: {name: x}\ninnner: {}", `f.yml:2:1: unknown key "innner" at the top level, did you mean "inner"?`},
		"no tag no key":      {"inner: {name: x}\nPlain: 3\nhidden: 3", "f.yml:2:1: unknown key \"Plain\" at the top level, expected one of: client, count, inner, list, map, on, rate, words\nf.yml:3:1: unknown key \"hidden\" at the top level, expected one of: client, count, inner, list, map, on, rate, words"},
		"duplicate":          {"inner: {name: x, name: y}", `f.yml:1:18: key "name" is given twice, first in line 1`},
		"duplicate deep":     {"inner: {name: x}\nclient:\n  follow_redirects: true\n  follow_redirects: false", `f.yml:4:3: key "follow_redirects" is given twice, first in line 3`},
		"required":           {"inner: {}", `f.yml:1:8: inner: "name" is required`},
		"required null":      {"inner:", `f.yml:1:7: inner: "name" is required`},
		"list for text":      {"inner: {name: [x]}", `f.yml:1:15: inner.name: expected text, got a list`},
		"number for text":    {"inner: {name: 0123}", `f.yml:1:15: inner.name: expected text, got a number: put it in quotes`},
		"nothing for text":   {"inner: {name: }", `f.yml:1:15: inner.name: expected text, got nothing`},
		"text for mapping":   {"inner: x", `f.yml:1:8: inner: expected a mapping (key: value), got text`},
		"text for list":      {"inner: {name: x}\nlist: x", `f.yml:2:7: list: expected a list, got text`},
		"nothing for list":   {"inner: {name: x}\nlist:", `f.yml:2:6: list: expected a list, got nothing`},
		"text for number":    {"inner: {name: x}\ncount: x\nrate: .nan\non: yes", "f.yml:2:8: count: expected a whole number, got text\nf.yml:3:7: rate: expected a number, got .nan\nf.yml:4:5: on: expected true or false, got text"},
		"too large":          {"inner: {name: x}\ncount: 99999999999999999999", `f.yml:2:8: count: expected a whole number, got 99999999999999999999`},
		"negative":           {"inner: {name: x}\ncount: -1", `f.yml:2:8: count: must not be negative, got -1`},
		"duration":           {"inner: {name: x, wait: 5}", `f.yml:1:24: inner.wait: expected a duration such as 30s, 5m or 1h, got "5"`},
		"zero duration":      {"inner: {name: x, wait: 0}", `f.yml:1:24: inner.wait: must be above zero, got 0`},
		"negative duration":  {"inner: {name: x, wait: -5m}", `f.yml:1:24: inner.wait: must not be negative, got -5m`},
		"word":               {"inner: {name: x, kind: al}", `f.yml:1:24: inner.kind: expected any or all, got "al", did you mean "all"?`},
		"foreign key":        {"inner: {name: x}\nclient:\n  basic_auth:\n    usrname: x", `f.yml:4:5: unknown key "usrname" in client.basic_auth, did you mean "username"?`},
		"foreign value":      {"inner: {name: x}\nclient: {follow_redirects: maybe}", `f.yml:2:28: client.follow_redirects: expected true or false, got text`},
		"foreign meaning":    {"inner: {name: x}\nclient: {bearer_token: a, bearer_token_file: b}", `f.yml:2:9: client: at most one of bearer_token & bearer_token_file must be configured`},
		"key of a list":      {"inner: {name: x}\n? [a]\n: b", `f.yml:2:3: a key must be plain text, got a list`},
		"several at once":    {"inner: {nam: x, kind: 3}\nlist: {}", "f.yml:1:8: inner: \"name\" is required\nf.yml:1:9: unknown key \"nam\" in inner, did you mean \"name\"?\nf.yml:1:23: inner.kind: expected text, got a number: put it in quotes\nf.yml:2:7: list: expected a list, got a mapping"},
		"empty":              {"", "f.yml: is empty, want a YAML mapping"},
		"only a byte order":  {"\ufeff", "f.yml: is empty, want a YAML mapping"},
		"second document":    {"inner: {name: x}\n---\ninner: {name: y}", `f.yml:2:1: a second YAML document starts here: put everything into one document, without a further "---"`},
		"second one broken":  {"inner: {name: x}\n---\n{", `f.yml:3:1: a second YAML document starts here: put everything into one document, without a further "---"`},
		"not UTF-8":          {"inner:\n  name: é\xff", "f.yml:2:10: is not UTF-8 text: byte 0xff"},
		"not YAML":           {"inner: {", "f.yml:1:1: is not YAML: did not find expected node content"},
		"tab":                {"inner:\n\tname: x", "f.yml:2:1: is not YAML: found character that cannot start any token (a tab? indentation must be spaces; a text that starts with a special character must be quoted)"},
		"unknown anchor":     {"inner: *x", "f.yml: is not YAML: unknown anchor 'x' referenced"},
		"text at the top":    {"x", "f.yml:1:1: expected a mapping (key: value), got text"},
		"custom tag":         {"inner: {name: !secret x}", `f.yml:1:15: inner.name: expected text, got a value tagged !secret`},
		"contains itself":    {"inner: {name: x}\nclient: &c {http_headers: *c}", `f.yml:2:9: the anchor "c" contains itself`},
		"list contains self": {"inner: {name: x}\nlist: &l [*l]", `f.yml:2:7: list[0]: expected a mapping (key: value), got a list`},
	} {
		t.Run(name, func(t *testing.T) {
			_, ps := decode(tc.text)
			if d := cmp.Diff(tc.want, ps.Error()); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
			if ps.Err() == nil {
				t.Error("Err is nil")
			}
		})
	}
}

func TestAliasesAndMergeKeys(t *testing.T) {
	o, ps := decode(`
inner: &i {name: x, wait: 1m}
list:
  - *i
  - {<<: *i, name: y}
  - <<: [{name: z}, *i]
words: &w [c]
`)
	if len(ps) != 0 {
		t.Fatalf("problems:\n%v", ps)
	}
	want := []inner{{Name: "x", Wait: time.Minute, Kind: "any"}, {Name: "y", Wait: time.Minute, Kind: "any"}, {Name: "z", Wait: time.Minute, Kind: "any"}}
	if d := cmp.Diff(want, o.List); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

// TestAliasBomb has aliases that stand for 9^9 values.
func TestAliasBomb(t *testing.T) {
	var b strings.Builder
	b.WriteString("inner: {name: x}\nwords: &a0 [x, x, x, x, x, x, x, x, x]\n")
	prev := "a0"
	for _, name := range []string{"a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8"} {
		b.WriteString(name + ": &" + name + " [" + strings.TrimSuffix(strings.Repeat("*"+prev+", ", 9), ", ") + "]\n")
		prev = name
	}
	b.WriteString("client: {http_headers: *a8}\n")
	start := time.Now()
	_, ps := decode(b.String())
	if !strings.Contains(ps.Error(), "aliases in this file stand for more than 100000 values") {
		t.Errorf("problems:\n%v", ps)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %s", took)
	}
}

func TestPositions(t *testing.T) {
	text := `inner: {name: x}
list:
  - name: one
    kind: "a b"
  - name: |
      first
        sécond third
      fourth
`
	d, ps := strictyaml.Parse("f.yml", []byte(text))
	if len(ps) != 0 {
		t.Fatal(ps)
	}
	for want, path := range map[string][]any{
		"f.yml:1:15": {"inner", "name"},
		"f.yml:1:8":  {"inner", "gone", "deeper"},
		"f.yml:3:5":  {"list", 0},
		"f.yml:1:1":  {"gone"},
		"f.yml:5:11": {"list", 1, "name"},
	} {
		if got := d.Pos(path...).String(); got != want {
			t.Errorf("Pos(%v) = %s, want %s", path, got, want)
		}
	}
	if got := d.Inside(len("first\n  sécond "), "list", 1, "name").String(); got != "f.yml:7:16" {
		t.Errorf("inside a literal: %s", got)
	}
	if got := d.Inside(2, "list", 0, "kind").String(); got != "f.yml:4:14" {
		t.Errorf("inside quotes: %s", got)
	}
	if got := d.Inside(99, "list", 0, "kind").String(); got != "f.yml:4:11" {
		t.Errorf("outside: %s", got)
	}
	if !d.Has("inner", "name") || d.Has("inner", "kind") || d.Has("list", 2) {
		t.Error("Has is wrong")
	}
}

func TestReadRefusesHugeFiles(t *testing.T) {
	file := filepath.Join(t.TempDir(), "huge.yml")
	line := strings.Repeat("a: [1, 2, 3]\n", 1<<12)
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	for range (50 << 20) / len(line) {
		if _, err := f.WriteString(line); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err = strictyaml.Read(file)
	runtime.ReadMemStats(&after)
	if want := file + ": is larger than 4 MiB, which no such file needs: is it the right one?"; err == nil || err.Error() != want {
		t.Errorf("got error %v", err)
	}
	if taken := after.TotalAlloc - before.TotalAlloc; taken > 1<<20 {
		t.Errorf("%d bytes were taken for it", taken)
	}
}

func TestReadErrors(t *testing.T) {
	dir := t.TempDir()
	_, err := strictyaml.Read(filepath.Join(dir, "gone.yml"))
	var ps strictyaml.Problems
	if !errors.As(err, &ps) || err.Error() != filepath.Join(dir, "gone.yml")+": cannot be read: no such file or directory" {
		t.Errorf("got %v", err)
	}
	if _, err := strictyaml.Read(dir); err == nil || err.Error() != dir+": is not a regular file, want a YAML file" {
		t.Errorf("got %v", err)
	}
}

func TestSortAndSeverity(t *testing.T) {
	var ps strictyaml.Problems
	ps.Warnf(strictyaml.Pos{File: "b", Line: 1, Column: 1}, "w")
	if ps.Err() != nil || ps.HasErrors() {
		t.Error("a warning is an error")
	}
	ps.Errorf(strictyaml.Pos{File: "a", Line: 2, Column: 9}, "e%d", 2)
	ps.Errorf(strictyaml.Pos{File: "a", Line: 2, Column: 9}, "e%d", 2)
	ps.Errorf(strictyaml.Pos{File: "a", Line: 1, Column: 9}, "e1")
	ps.Sort()
	if want := "a:1:9: e1\na:2:9: e2\nb:1:1: warning: w"; ps.Error() != want {
		t.Errorf("got %q", ps.Error())
	}
	if len(ps.Warnings()) != 1 || len(ps.AsWarnings().Warnings()) != 3 || ps[0].Severity != strictyaml.Error {
		t.Error("severities are mixed up")
	}
}

func TestManyProblemsAreCut(t *testing.T) {
	_, ps := decode("inner: {name: x}\nlist:\n" + strings.Repeat("- x\n", 5000))
	if len(ps) != 1001 || !ps.HasErrors() || ps[0].String() != "f.yml: warning: has more than 1000 problems, only the first are shown" {
		t.Errorf("got %d problems, first %s", len(ps), ps[0])
	}
	ps = nil
	for range 2000 {
		ps.Warnf(strictyaml.Pos{File: "f"}, "w")
	}
	ps.Errorf(strictyaml.Pos{File: "f"}, "e")
	if ps.Err() == nil {
		t.Error("the one error was dropped behind the warnings")
	}
}
