package app

import (
	"errors"
	"time"

	"github.com/drwatch/drwatch/internal/config"
	"github.com/drwatch/drwatch/internal/policy/rulefile"
	"github.com/drwatch/drwatch/internal/strictyaml"
)

// CheckConfig finds everything that is wrong with a configuration file and the
// rule files it names, and tells what its accounts cost. What only this machine
// lacks (files with secrets) and what this version cannot serve are warnings
// here: serve refuses them. Certificates that are here and cannot serve are
// mistakes.
func CheckConfig(path string) (strictyaml.Problems, []Forecast) {
	c, err := config.Load(path)
	if err != nil {
		return problemsOf(path, err), nil
	}
	problems := append(strictyaml.Problems{}, c.Warnings()...)
	problems = append(problems, strictyaml.Problems(c.NotAvailable()).AsWarnings()...)
	problems = append(problems, c.CheckFiles().AsWarnings()...)
	problems = append(problems, c.CheckCertificates(time.Now())...)
	problems = append(problems, tooSlow(c)...)
	paths, found := c.RuleFilePaths()
	problems = append(problems, found...)
	rules, found := rulefile.Load(paths, Known(c))
	problems = append(problems, found...)
	problems = append(problems, rulefile.NotAvailable(rules).AsWarnings()...)
	problems = append(problems, unusable(rules)...)
	problems.Sort()
	return problems, forecasts(c)
}

// CheckRules finds everything that is wrong with rule files: against a
// configuration when one is named, else by themselves.
func CheckRules(paths []string, configFile string) strictyaml.Problems {
	known := rulefile.Known{NoConfig: true}
	if configFile != "" {
		c, err := config.Load(configFile)
		if err != nil {
			return problemsOf(configFile, err)
		}
		known = Known(c)
	}
	rules, problems := rulefile.Load(paths, known)
	problems = append(problems, rulefile.NotAvailable(rules).AsWarnings()...)
	problems = append(problems, unusable(rules)...)
	problems.Sort()
	return problems
}

func problemsOf(path string, err error) strictyaml.Problems {
	var ps strictyaml.Problems
	if errors.As(err, &ps) {
		return ps
	}
	ps.Errorf(strictyaml.Pos{File: path}, "%s", err)
	return ps
}
