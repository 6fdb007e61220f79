package config

import (
	"os"
	"path/filepath"

	"github.com/drwatch/drwatch/internal/strictyaml"
)

// Load reads and checks a configuration file. The error is a
// strictyaml.Problems with everything that is wrong, warnings included; without
// an error the warnings are in Config.Warnings.
func Load(path string) (*Config, error) {
	b, err := strictyaml.Read(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, b)
}

// Parse is Load on text that is at hand already. name is the file's name in
// messages; relative paths in the text are relative to its folder.
func Parse(name string, b []byte) (*Config, error) {
	doc, ps := strictyaml.Parse(name, b)
	if doc == nil {
		return nil, ps
	}
	c := &Config{doc: doc}
	ps = append(ps, doc.Decode(c)...)
	if c.Observer.Name == "" {
		c.Observer.Name = hostName(doc, &ps)
	}
	ck := &checker{Config: c, problems: ps}
	ck.all()
	ck.problems.Sort()
	if err := ck.problems.Err(); err != nil {
		return nil, err
	}
	c.warnings = ck.problems
	c.resolvePaths(filepath.Dir(name))
	return c, nil
}

func hostName(doc *strictyaml.Document, ps *strictyaml.Problems) string {
	name, err := os.Hostname()
	if err != nil {
		ps.Errorf(doc.Pos("observer"), "observer.name is not given and this host tells no name: %s", err)
	}
	return name
}
