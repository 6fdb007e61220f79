package config_test

import (
	"os"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/drwatch/drwatch/internal/config"
)

// wrongs are values that some key or other cannot take.
var wrongs = []string{`"["`, `-1`, `[]`, `{x: 1}`}

// Whatever one value is replaced by, it is reported or taken; it never ends the
// program. A value that could not be read is met by all checks that come after.
func TestOneWrongValueAnywhere(t *testing.T) {
	for _, file := range []string{"testdata/drwatch.example.yml", "testdata/overlap.bad.yml", "testdata/roles.bad.yml"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var doc yaml.Node
		if err := yaml.Unmarshal(text, &doc); err != nil {
			t.Fatal(err)
		}
		tried := 0
		each(&doc, func(n *yaml.Node) {
			was := *n
			for _, wrong := range wrongs {
				var bad yaml.Node
				if err := yaml.Unmarshal([]byte(wrong), &bad); err != nil {
					t.Fatal(err)
				}
				*n = *bad.Content[0]
				b, err := yaml.Marshal(&doc)
				if err != nil {
					t.Fatal(err)
				}
				tried++
				if c, err := config.Parse("f.yml", b); (c == nil) == (err == nil) {
					t.Errorf("line %d of %s replaced by %s: config %v and error %v", was.Line, file, wrong, c != nil, err)
				}
			}
			*n = was
		})
		if tried < 100 {
			t.Errorf("%s: only %d replacements", file, tried)
		}
	}
}

// each calls f on every value below a node.
func each(n *yaml.Node, f func(*yaml.Node)) {
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 {
			continue // a key
		}
		f(c)
		each(c, f)
	}
}
