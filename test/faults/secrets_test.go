package faults_test

import (
	"bytes"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/drwatch/drwatch/internal/cloudsim"
)

// signatures are how a signature begins wherever it stands: in Huawei's header
// and in Alibaba's query. What is redacted shows a bracket after it.
func signatures() []string {
	return []string{"SDK-HMAC-SHA256 ", "Signature=", "SignatureNonce=", "Signature%3D", "AccessKeyId=", "AccessKeyId%3D"}
}

// everythingShown is all that the daemon shows now, by the page it stands on.
func (d *daemon) everythingShown() map[string]string {
	d.t.Helper()
	shown := map[string]string{}
	for _, path := range []string{"/", "/metrics", "/-/ready", "/api/v1/status", "/api/v1/groups", "/api/v1/rules", "/api/v1/observers", "/api/v1/incidents"} {
		shown[path] = d.get(path)
	}
	for id := range d.groups() {
		path := "/api/v1/explain?group=" + url.QueryEscape(id)
		shown[path] = d.get(path)
	}
	for _, list := range d.incidents() {
		for _, i := range list {
			path := "/api/v1/incidents/" + i.ID
			shown[path] = d.get(path)
		}
	}
	return shown
}

// noSecrets looks for secrets in what was shown, logged and left on disk.
func (d *daemon) noSecrets(shown map[string]string) {
	d.t.Helper()
	for path, text := range shown {
		d.noSecretIn(path, []byte(text))
	}
	d.noSecretIn("the log", []byte(d.home.logs.String()))
	seen := false
	group := d.home.cloud.Groups()[0].ID
	err := filepath.WalkDir(d.home.storage, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		seen = seen || bytes.Contains(b, []byte(group))
		d.noSecretIn(strings.TrimPrefix(path, d.home.dir), b)
		return nil
	})
	if err != nil {
		d.t.Error(err)
	}
	if !seen {
		d.t.Errorf("the files under the storage path do not even name the group %s: the search for secrets in them proves nothing", group)
	}
}

func (d *daemon) noSecretIn(where string, b []byte) {
	d.t.Helper()
	for _, s := range append([]string{cloudsim.AccessKey, cloudsim.SecretKey}, d.home.secrets...) {
		if i := bytes.Index(b, []byte(s)); i >= 0 {
			d.t.Errorf("%s holds the secret %q: …%s…", where, s, b[max(0, i-100):min(len(b), i+100)])
		}
	}
	for _, s := range signatures() {
		for rest := b; ; {
			i := bytes.Index(rest, []byte(s))
			if i < 0 {
				break
			}
			if after := rest[i+len(s):]; !bytes.HasPrefix(after, []byte("[redacted]")) {
				d.t.Errorf("%s holds what looks like a signature: %s%s…", where, s, after[:min(len(after), 60)])
			}
			rest = rest[i+len(s):]
		}
	}
}
