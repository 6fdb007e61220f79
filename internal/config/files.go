package config

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	promconfig "github.com/prometheus/common/config"

	"github.com/drwatch/drwatch/internal/credentials"
	"github.com/drwatch/drwatch/internal/strictyaml"
)

// resolvePaths makes relative paths relative to the file that names them.
func (c *Config) resolvePaths(dir string) {
	for _, f := range c.files() {
		*f.file = promconfig.JoinDir(dir, *f.file)
	}
	for i, p := range c.RuleFiles {
		c.RuleFiles[i] = promconfig.JoinDir(dir, p)
	}
	for name, m := range c.ProbeModules {
		m.HTTP.HTTPClientConfig.SetDirectory(dir)
		m.HTTP.BodyFile = promconfig.JoinDir(dir, m.HTTP.BodyFile)
		m.TCP.TLSConfig.SetDirectory(dir)
		m.DNS.TLSConfig.SetDirectory(dir)
		m.GRPC.TLSConfig.SetDirectory(dir)
		m.Unix.TLSConfig.SetDirectory(dir)
		c.ProbeModules[name] = m
	}
	for i := range c.Notify.Alertmanagers {
		c.Notify.Alertmanagers[i].HTTPConfig.SetDirectory(dir)
	}
}

// fileRef is a file that the configuration names, and where.
type fileRef struct {
	path []any
	file *string
}

// files are all files named, except rule files and those in modules.
func (c *Config) files() []fileRef {
	var out []fileRef
	add := func(file *string, path []any, key string) {
		if *file != "" {
			out = append(out, fileRef{under(path, key), file})
		}
	}
	tls := func(t *TLSFiles, path []any) {
		if t != nil {
			add(&t.CertFile, path, "cert_file")
			add(&t.KeyFile, path, "key_file")
			add(&t.CAFile, path, "ca_file")
		}
	}
	keys := func(cr *Credentials, path []any) {
		add(&cr.AccessKeyFile, path, "access_key_file")
		add(&cr.SecretKeyFile, path, "secret_key_file")
		add(&cr.SecurityTokenFile, path, "security_token_file")
	}
	tls(c.Coordination.Embedded.PeerTLS, at("coordination", "embedded", "peer_tls"))
	if e := c.Coordination.Etcd; e != nil {
		tls(e.TLS, at("coordination", "etcd", "tls"))
		add(&e.PasswordFile, at("coordination", "etcd"), "password_file")
	}
	for i := range c.Accounts {
		keys(&c.Accounts[i].Credentials, at("accounts", i, "credentials"))
		keys(&c.Accounts[i].Action.Credentials, at("accounts", i, "action_credentials"))
	}
	for i := range c.Notify.Webhooks {
		add(&c.Notify.Webhooks[i].SecretFile, at("notify", "webhooks", i), "secret_file")
	}
	for i := range c.Access {
		add(&c.Access[i].TokenFile, at("access", i), "token_file")
	}
	return out
}

// CheckFiles looks at every secret that the configuration names: is it there,
// can it be read, is it one line. It changes nothing and keeps nothing. Serving
// needs all of them; a check elsewhere may show the problems as warnings.
func (c *Config) CheckFiles() strictyaml.Problems {
	var ps strictyaml.Problems
	for _, f := range c.files() {
		if !c.doc.Has(f.path...) {
			continue // action credentials that default to the account's own
		}
		key := f.path[len(f.path)-1].(string)
		if err := checkFile(key, *f.file); err != nil {
			ps.Errorf(c.doc.Pos(f.path...), "%s", describe(f.path, err))
		}
	}
	for i, a := range c.Accounts {
		c.checkEnv(&ps, a.Credentials, at("accounts", i, "credentials"))
		c.checkEnv(&ps, a.Action.Credentials, at("accounts", i, "action_credentials"))
	}
	ps.Sort()
	return ps
}

// checkFile reads a secret as it will be read later. Of certificates and their
// keys only being there is asked; CheckCertificates looks into them.
func checkFile(key, file string) error {
	if !slices.Contains([]string{"cert_file", "key_file", "ca_file"}, key) {
		if _, err := credentials.ReadFile(file); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		return nil
	}
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	return f.Close()
}

func (c *Config) checkEnv(ps *strictyaml.Problems, cr Credentials, path []any) {
	for key, name := range map[string]string{"access_key_env": cr.AccessKeyEnv, "secret_key_env": cr.SecretKeyEnv} {
		if name == "" || !c.doc.Has(under(path, key)...) {
			continue
		}
		if _, err := credentials.ReadEnv(name); err != nil {
			ps.Errorf(c.doc.Pos(under(path, key)...), "%s: %s", dotted(under(path, key)), err)
		}
	}
}

// describe puts the path of a key before a message that begins with the key.
func describe(path []any, err error) string {
	return dotted(path[:len(path)-1]) + "." + err.Error()
}

// RuleFilePaths are the rule files that exist now, sorted, each once. A glob
// that matches nothing is a warning, a plain path that is not there an error.
func (c *Config) RuleFilePaths() ([]string, strictyaml.Problems) {
	var ps strictyaml.Problems
	var out []string
	for i, pattern := range c.RuleFiles {
		found, err := filepath.Glob(pattern)
		switch pos := c.doc.Pos("rule_files", i); {
		case err != nil:
			ps.Errorf(pos, "rule_files[%d]: %s: %s", i, pattern, err)
		case len(found) == 0 && strings.ContainsAny(pattern, `*?[`):
			ps.Warnf(pos, "rule_files[%d]: no file matches %s", i, pattern)
		case len(found) == 0:
			ps.Errorf(pos, "rule_files[%d]: there is no file %s", i, pattern)
		}
		out = append(out, found...)
	}
	slices.Sort(out)
	return slices.Compact(out), ps
}
