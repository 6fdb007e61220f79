package config_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/drwatch/drwatch/internal/config"
	"github.com/drwatch/drwatch/internal/strictyaml"
	"github.com/drwatch/drwatch/internal/strictyaml/strictyamltest"
)

// FuzzParse: every mistake stands at its place, no secret is told, what is accepted is
// within its bounds and means the same however it is written down.
func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.yml")
	for _, file := range append(files, "../../examples/drwatch.yml") {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(b))
	}
	f.Add("observer: {name: a}\nprobe_modules:\n  m: {prober: http, timeout: 3s, http: {basic_auth: {username: u, password: hunter2}, authorization: {credentials: x}}}\n")
	f.Add("observer: {name: a}\nnotify: {webhooks: [{url: 'https://u:p@h/', secret_file: s}]}\naccounts: &a [*a]\n")
	f.Fuzz(func(t *testing.T, text string) {
		began := time.Now()
		c := parsed(t, text)
		if planted, ok := strictyamltest.Planted(text, marker, "password", "credentials", "bearer_token", "client_secret", "key", "secret"); ok {
			told(t, planted)
		}
		if c == nil {
			return
		}
		bounded(t, c)
		if again, ok := strictyamltest.Rewritten(text); ok {
			other, err := config.Parse("f.yml", []byte(again))
			if err != nil {
				t.Fatalf("refused when written down otherwise: %v\n%s", err, again)
			}
			if d := cmp.Diff(shown(t, c), shown(t, other)); d != "" {
				t.Errorf("means something else when written down otherwise:\n%s\n%s", d, again)
			}
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}

// shown is all of a configuration but its secrets.
func shown(t *testing.T, c *config.Config) string {
	t.Helper()
	b, err := yaml.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// parsed is the configuration, nil when it is refused; either way what is said of it
// can be used.
func parsed(t *testing.T, text string) *config.Config {
	t.Helper()
	c, err := config.Parse("f.yml", []byte(text))
	if (c == nil) == (err == nil) {
		t.Fatalf("config %v and error %v", c != nil, err)
	}
	if err != nil {
		ps, ok := errors.AsType[strictyaml.Problems](err)
		if !ok || !ps.HasErrors() {
			t.Fatalf("%T: %v", err, err)
		}
		strictyamltest.Problems(t, "f.yml", text, ps)
		return nil
	}
	strictyamltest.Problems(t, "f.yml", text, c.Warnings())
	strictyamltest.Problems(t, "f.yml", text, c.NotAvailable())
	return c
}

const marker = "hunter2hunter2"

// told: whatever is said of a configuration, it does not say its secrets.
func told(t *testing.T, text string) {
	t.Helper()
	c, err := config.Parse("f.yml", []byte(text))
	said := fmt.Sprint(err)
	if c != nil {
		said += c.Warnings().Error() + strictyaml.Problems(c.NotAvailable()).Error() + fmt.Sprintf("%v %+v %#v", c, *c, c)
		for name := range c.ProbeModules {
			said += c.ModuleText(name)
		}
	}
	if at := strings.Index(said, marker); at >= 0 {
		t.Errorf("a secret is told: %.300s\nof\n%s", said[max(0, at-200):], text)
	}
}

// bounded is what holds of every configuration that was accepted.
func bounded(t *testing.T, c *config.Config) {
	t.Helper()
	positive := map[string]time.Duration{
		"evaluation_interval": c.Global.EvaluationInterval, "poll_interval": c.Global.PollInterval, "poll_timeout": c.Global.PollTimeout, "lease_ttl": c.Coordination.LeaseTTL,
	}
	names := map[string]bool{}
	for _, s := range c.Sites {
		if s.Name == "" || names[s.Name] {
			t.Errorf("site %q", s.Name)
		}
		names[s.Name] = true
		for _, p := range s.Probes {
			positive["interval of "+p.Name], positive["timeout of "+p.Name] = p.Interval, p.Timeout
			if _, ok := c.ProbeModules[p.Module]; !ok {
				t.Errorf("probe %s has the module %q, which is not there", p.Name, p.Module)
			}
		}
	}
	accounts := map[string]bool{}
	for _, a := range c.Accounts {
		if a.Name == "" || accounts[a.Name] || a.Provider == "" {
			t.Errorf("account %q of %q", a.Name, a.Provider)
		}
		accounts[a.Name] = true
	}
	for what, d := range positive {
		if d <= 0 {
			t.Errorf("%s: %s", what, d)
		}
	}
	if c.Observer.Name == "" || !c.Global.Mode.Valid() || c.Coordination.LeaseTTL%time.Second != 0 || c.Observers() < 0 {
		t.Errorf("observer %q, mode %q, lease %s, %d observers", c.Observer.Name, c.Global.Mode, c.Coordination.LeaseTTL, c.Observers())
	}
	for name := range c.ProbeModules {
		if text := c.ModuleText(name); text == "" || strings.HasPrefix(text, "unprintable") {
			t.Errorf("module %q has no text: %s", name, text)
		}
	}
}
