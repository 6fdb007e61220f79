package app_test

import (
	"os"
	"path/filepath"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/drwatch/drwatch/internal/app"
)

// Whatever one value of a rule file is replaced by, it is reported or taken; no
// check that comes after meets it unread.
func TestOneWrongValueInARule(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rules.yml")
	for _, file := range []string{"../policy/rulefile/testdata/rules.example.yml", "../policy/rulefile/testdata/dangers.bad.yml"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var doc yaml.Node
		if err := yaml.Unmarshal(text, &doc); err != nil {
			t.Fatal(err)
		}
		everyValue(&doc, func(n *yaml.Node) {
			was := *n
			for _, wrong := range []string{`"["`, `-1`, `[]`} {
				var bad yaml.Node
				if err := yaml.Unmarshal([]byte(wrong), &bad); err != nil {
					t.Fatal(err)
				}
				*n = *bad.Content[0]
				b, err := yaml.Marshal(&doc)
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, b, 0o600); err != nil {
					t.Fatal(err)
				}
				for _, p := range app.CheckRules([]string{path}, "../config/testdata/drwatch.example.yml") {
					if p.Message == "" {
						t.Errorf("line %d of %s replaced by %s: a problem without words", was.Line, file, wrong)
					}
				}
			}
			*n = was
		})
	}
}

// everyValue calls f on every value below a node.
func everyValue(n *yaml.Node, f func(*yaml.Node)) {
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 {
			continue // a key
		}
		f(c)
		everyValue(c, f)
	}
}
