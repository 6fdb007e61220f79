package app_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/drwatch/drwatch/internal/app"
	"github.com/drwatch/drwatch/internal/strictyaml"
)

// A certificate that this machine lacks may be elsewhere; one that is here and is
// none is a mistake in a check too, not only at serve.
func TestCheckConfigJudgesCertificates(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"peer.crt": "not a certificate\n", "drwatch.yml": `observer: {name: a}
coordination:
  embedded:
    initial_cluster: {a: 'https://10.1.0.1:10110', b: 'https://10.2.0.1:10110', c: 'https://10.3.0.1:10110'}
    peer_tls: {cert_file: peer.crt, key_file: nowhere.key, ca_file: nowhere.crt}
`} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	found, _ := app.CheckConfig(filepath.Join(dir, "drwatch.yml"))
	said := map[string]strictyaml.Severity{}
	for _, p := range found {
		key, _, _ := strings.Cut(strings.TrimPrefix(p.Message, "coordination.embedded.peer_tls."), ":")
		said[key] = p.Severity
	}
	if said["cert_file"] != strictyaml.Error || said["key_file"] != strictyaml.Warning || said["ca_file"] != strictyaml.Warning {
		t.Errorf("found:\n%v", found)
	}
}
