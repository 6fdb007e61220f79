package cli_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// conditionNamed is a condition's name in the source: of a literal, or of the
// parts of `fit`, which are constants.
var conditionNamed = regexp.MustCompile(`(?:Condition\{\s*|\t|\{)Name:\s+"([a-z_]+)"|Fit\w+\s+= "([a-z_]+)"`)

// TestConditionsInPages: each condition that the source names stands in
// docs/rules.md, where a person looks it up at night.
func TestConditionsInPages(t *testing.T) {
	_, page, _ := strings.Cut(read(t, filepath.Join(root, "docs/rules.md")), "\n## Conditions\n")
	found := map[string]bool{}
	for _, dir := range []string{"breakglass", "failover", "policy", "provider"} {
		err := filepath.WalkDir(filepath.Join(root, "internal", dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			b, err := os.ReadFile(path)
			for _, m := range conditionNamed.FindAllStringSubmatch(string(b), -1) {
				name := m[1] + m[2]
				if found[name] {
					continue
				}
				found[name] = true
				if name != "status_allows_" && !strings.Contains(page, "`"+name+"`") { // that one is the beginning of several
					t.Errorf("%s: docs/rules.md has no condition %s", path, name)
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(found) < 50 {
		t.Errorf("only %d conditions were found in the source", len(found))
	}
}
