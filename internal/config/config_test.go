package config_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drwatch/drwatch/internal/config"
	"github.com/drwatch/drwatch/internal/replication"
	"github.com/drwatch/drwatch/internal/strictyaml"
)

var update = flag.Bool("update", false, "write the golden files")

func load(t *testing.T, path string) *config.Config {
	t.Helper()
	c, err := config.Load(path)
	if err != nil {
		t.Fatalf("Load(%s):\n%v", path, err)
	}
	return c
}

func parse(t *testing.T, text string) *config.Config {
	t.Helper()
	c, err := config.Parse("drwatch.yml", []byte(text))
	if err != nil {
		t.Fatalf("Parse:\n%v", err)
	}
	return c
}

func TestExampleLoadsAsItStands(t *testing.T) {
	c := load(t, "testdata/drwatch.example.yml")
	if w := c.Warnings(); len(w) != 0 {
		t.Errorf("warnings:\n%v", w)
	}
	if got := len(c.Sites); got != 5 {
		t.Errorf("got %d sites, want 5", got)
	}
	if got := c.ProbeModules["http_2xx"].Timeout; got != 3*time.Second {
		t.Errorf("http_2xx timeout %s, want 3s", got)
	}
	if !c.ProbeModules["http_2xx"].HTTP.IPProtocolFallback {
		t.Error("the module has not blackbox_exporter's defaults")
	}
	if got, want := c.Accounts[0].Credentials.AccessKeyFile, "testdata/secrets/hw-ak"; got != want {
		t.Errorf("access_key_file %q, want %q", got, want)
	}
	if got, want := c.RuleFiles, []string{"testdata/rules/*.yml"}; !cmp.Equal(got, want) {
		t.Errorf("rule_files %q, want %q", got, want)
	}
	if got := c.Accounts[3].ActionRegion; got != "cn-shanghai" {
		t.Errorf("action_region %q, want cn-shanghai", got)
	}
	if got := *c.Accounts[0].RPOObjective; got != 15*time.Minute {
		t.Errorf("rpo_objective %s, want 15m", got)
	}
	if got := c.Observers(); got != 3 {
		t.Errorf("got %d observers, want 3", got)
	}
}

func TestExampleNotAvailable(t *testing.T) {
	c := load(t, "testdata/drwatch.example.yml")
	var got []string
	for _, p := range c.NotAvailable() {
		if p.Line == 0 || !strings.HasSuffix(p.Message, "not available in this version") {
			t.Errorf("bad problem: %s", p)
		}
		got = append(got, strings.Fields(p.Message)[0])
	}
	want := []string{
		"global.external_labels", "notify.alertmanagers", "notify.webhooks", "access",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

func TestExternalEtcd(t *testing.T) {
	for _, tc := range []struct{ name, etcd, want string }{
		{"https", "{endpoints: ['https://etcd-0:2379', 'https://etcd-1:2379'], tls: {ca_file: ca.crt}, username: u, password_file: p}", ""},
		{"http at home", "{endpoints: ['http://127.0.0.1:2379']}", ""},
		{"http", "{endpoints: ['http://etcd-0:2379']}", "drwatch.yml:3:22: warning: coordination.etcd.endpoints[0]: over http whoever"},
		{"mixed", "{endpoints: ['https://etcd-0:2379', 'http://127.0.0.1:2379']}", "coordination.etcd.endpoints[1]: all endpoints must be https, or all http"},
		{"tls over http", "{endpoints: ['http://127.0.0.1:2379'], tls: {ca_file: ca.crt}}", "tls needs https"},
		{"no port", "{endpoints: ['https://etcd-0']}", "expected a URL with a port"},
		{"no password", "{endpoints: ['https://etcd-0:2379'], username: u}", "username and password_file go together"},
		{"key without certificate", "{endpoints: ['https://etcd-0:2379'], tls: {key_file: k}}", "cert_file and key_file go together"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, err := config.Parse("drwatch.yml", []byte("observer: {name: a}\ncoordination:\n  etcd: "+tc.etcd+"\n"))
			var got string
			if err != nil {
				got = err.Error()
			} else {
				got = append(c.Warnings(), c.NotAvailable()...).Error()
			}
			if (tc.want == "") != (got == "") || !strings.Contains(got, tc.want) {
				t.Errorf("got %q, want %q in it", got, tc.want)
			}
		})
	}
}

// Peers that others could reach without proving who they are deserve a look.
func TestPeersOverHTTP(t *testing.T) {
	for _, tc := range []struct {
		name, coordination, want string
	}{
		{"loopback", "embedded: {initial_cluster: {a: 'http://127.0.0.1:1', b: 'http://127.0.0.1:2', c: 'http://localhost:3'}}", ""},
		{
			"network", "embedded: {initial_cluster: {a: 'http://10.1.0.1:1', b: 'http://127.0.0.1:2', c: 'http://localhost:3'}}",
			"drwatch.yml:3:35: warning: coordination.embedded.initial_cluster.a: over http whoever reaches this address can write the coordination store; use https and peer_tls",
		},
		{"https without keys", "embedded: {initial_cluster: {a: 'https://10.1.0.1:1', b: 'https://10.1.0.2:1', c: 'https://10.1.0.3:1'}}", "https needs peer_tls"},
		{"keys without https", "embedded: {initial_cluster: {a: 'http://10.1.0.1:1', b: 'http://10.1.0.2:1', c: 'http://10.1.0.3:1'}, peer_tls: {cert_file: c, key_file: k, ca_file: a}}", "peer_tls needs https"},
		{"no port", "embedded: {initial_cluster: {a: 'http://127.0.0.1', b: 'http://127.0.0.1:2', c: 'http://localhost:3'}}", "expected a URL with a port"},
		{"four", "embedded: {initial_cluster: {a: 'http://127.0.0.1:1', b: 'http://127.0.0.1:2', c: 'http://127.0.0.1:3', d: 'http://127.0.0.1:4'}}", "want 3 or 5 observers"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, err := config.Parse("drwatch.yml", []byte("observer: {name: a}\ncoordination:\n  "+tc.coordination+"\n"))
			var got string
			if err != nil {
				got = err.Error()
			} else {
				got = c.Warnings().Error()
			}
			if (tc.want == "") != (got == "") || !strings.Contains(got, tc.want) {
				t.Errorf("got %q, want %q in it", got, tc.want)
			}
		})
	}
}

func TestMetadataIsAvailable(t *testing.T) {
	c := parse(t, `
accounts:
  - {name: a, provider: aliyun_ebs, region: cn-beijing, credentials: {metadata: true}, action_credentials: {metadata: true}}
  - {name: b, provider: aliyun_ebs, region: cn-hangzhou, credentials: {access_key_env: PATH, secret_key_env: PATH}, action_credentials: {metadata: true}}
`)
	if got := c.NotAvailable(); len(got) != 0 {
		t.Errorf("not available: %v", got)
	}
	if got := c.CheckFiles(); len(got) != 0 {
		t.Errorf("found wrong on this machine: %v", got)
	}
	if a, b := c.Accounts[0], c.Accounts[1]; !a.Credentials.Metadata || !a.Action.Metadata || b.Credentials.Metadata || !b.Action.Metadata {
		t.Errorf("read as %+v %+v", a.Credentials, b.Action)
	}
}

// TestAssumeRole: what is left out of a role comes from the vendor and the
// region, and the other region's endpoint is the way out.
func TestAssumeRole(t *testing.T) {
	c := parse(t, `
accounts:
  - {name: h, provider: huawei_dws, region: cn-north-4, project_id: 0123456789abcdef0123456789abcdef, credentials: {metadata: true, assume_role: {agency: drwatch, domain: production}}}
  - {name: one, provider: aliyun_ebs, region: cn-hangzhou, credentials: {metadata: true, assume_role: {role_arn: "acs:ram::1:role/a"}}, action_credentials: none}
  - name: two
    provider: aliyun_ebs
    region: cn-beijing
    action_region: cn-shanghai
    credentials: {metadata: true, assume_role: {role_arn: "acs:ram::1:role/a", session: watch, endpoint: "https://sts.example.com", duration: 15m}}
    action_credentials: {metadata: true, assume_role: {role_arn: "acs:ram::1:role/b"}}
`)
	if got := c.NotAvailable(); len(got) != 0 {
		t.Errorf("not available: %v", got)
	}
	h, one, two := c.Accounts[0], c.Accounts[1], c.Accounts[2]
	for name, d := range map[string]string{
		"an agency": cmp.Diff(config.AssumeRole{
			Agency: "drwatch", Domain: "production", Duration: time.Hour,
			Endpoint: "https://iam.cn-north-4.myhuaweicloud.com", Fallback: "https://iam.myhuaweicloud.com",
		}, h.Credentials.AssumeRole),
		"an agency that acts": cmp.Diff(h.Credentials, h.Action.Credentials),
		"a role of one region": cmp.Diff(config.AssumeRole{
			RoleARN: "acs:ram::1:role/a", Session: "drwatch", Duration: time.Hour, Region: "cn-hangzhou",
			Endpoint: "https://sts.cn-hangzhou.aliyuncs.com", Fallback: "https://sts.aliyuncs.com",
		}, one.Credentials.AssumeRole),
		"a role in full": cmp.Diff(config.AssumeRole{
			RoleARN: "acs:ram::1:role/a", Session: "watch", Duration: 15 * time.Minute, Region: "cn-beijing", Endpoint: "https://sts.example.com",
		}, two.Credentials.AssumeRole),
		"a role that acts": cmp.Diff(config.AssumeRole{
			RoleARN: "acs:ram::1:role/b", Session: "drwatch", Duration: time.Hour, Region: "cn-shanghai",
			Endpoint: "https://sts.cn-shanghai.aliyuncs.com", Fallback: "https://sts.cn-beijing.aliyuncs.com",
		}, two.Action.AssumeRole),
		"none": cmp.Diff(config.AssumeRole{}, one.Action.AssumeRole),
	} {
		if d != "" {
			t.Errorf("%s: -want +got:\n%s", name, d)
		}
	}
}

func TestDefaults(t *testing.T) {
	c := parse(t, `
observer: {name: o}
accounts:
  - {name: s, provider: huawei_sdrs, region: cn-north-4, project_id: 0123456789abcdef0123456789abcdef, credentials: {access_key_env: A, secret_key_env: B}}
  - {name: e, provider: aliyun_ebs, region: cn-beijing, action_region: cn-shanghai, credentials: {access_key_env: A, secret_key_env: B}, action_credentials: none, poll_interval: 10s}
  - {name: d, provider: huawei_dws, region: odd, endpoint: "https://127.0.0.1:8080/", project_id: 0123456789abcdef0123456789abcdef, credentials: {access_key_env: A, secret_key_env: B}, action_credentials: {access_key_env: C, secret_key_env: D}}
`)
	if len(c.Warnings()) != 0 || len(c.NotAvailable()) != 0 {
		t.Errorf("warnings %v, not available %v", c.Warnings(), c.NotAvailable())
	}
	want := config.Global{EvaluationInterval: 5 * time.Second, PollInterval: 30 * time.Second, PollTimeout: 20 * time.Second, Mode: replication.DryRun}
	if d := cmp.Diff(want, c.Global); d != "" {
		t.Errorf("global: -want +got:\n%s", d)
	}
	wantCo := config.Coordination{Cluster: "drwatch", LeaseTTL: 15 * time.Second, Embedded: config.Embedded{ClientURL: "http://127.0.0.1:0"}}
	if d := cmp.Diff(wantCo, c.Coordination); d != "" {
		t.Errorf("coordination: -want +got:\n%s", d)
	}
	s, e, d := c.Accounts[0], c.Accounts[1], c.Accounts[2]
	if s.Endpoint != "https://sdrs.cn-north-4.myhuaweicloud.com" || s.ActionEndpoint != s.Endpoint {
		t.Errorf("sdrs endpoints %q %q", s.Endpoint, s.ActionEndpoint)
	}
	if s.RateLimit != (config.RateLimit{RequestsPerSecond: 10, Burst: 20}) || s.ActionTimeout != 5*time.Second || s.PollInterval != 30*time.Second {
		t.Errorf("sdrs %+v", s)
	}
	if s.Action.Credentials != s.Credentials || !s.CanAct() || s.TimeZone.String() != "UTC" || !s.Groups.Match("anything") {
		t.Errorf("sdrs %+v", s)
	}
	if e.Endpoint != "https://ebs.cn-beijing.aliyuncs.com" || e.ActionEndpoint != "https://ebs.cn-shanghai.aliyuncs.com" {
		t.Errorf("ebs endpoints %q %q", e.Endpoint, e.ActionEndpoint)
	}
	if e.CanAct() || e.PollTimeout != 10*time.Second {
		t.Errorf("ebs can act %v, poll timeout %s", e.CanAct(), e.PollTimeout)
	}
	if d.Endpoint != "https://127.0.0.1:8080" || d.Action.AccessKeyEnv != "C" {
		t.Errorf("dws %q %+v", d.Endpoint, d.Action)
	}
}

func TestPatternsAreAnchored(t *testing.T) {
	c := parse(t, `
accounts:
  - name: s
    provider: huawei_sdrs
    region: cn-north-4
    project_id: 0123456789abcdef0123456789abcdef
    credentials: {access_key_env: A, secret_key_env: B}
    groups: {include: ["db-.*|app"], exclude: [db-test]}
`)
	for name, want := range map[string]bool{"db-1": true, "app": true, "app2": false, "my-db-1": false, "db-test": false, "db-test2": true} {
		if got := c.Accounts[0].Groups.Match(name); got != want {
			t.Errorf("Match(%q) = %v, want %v", name, got, want)
		}
	}
}

// TestBadFiles reads each *.bad.yml and compares everything that is said about
// it. Messages are what users see; a change of one shows here.
func TestBadFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/*.bad.yml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no bad files: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			c, err := config.Load(file)
			var ps strictyaml.Problems
			if err != nil && !errors.As(err, &ps) {
				t.Fatalf("error is a %T, want strictyaml.Problems", err)
			}
			if err == nil {
				ps = c.Warnings()
			}
			if len(ps) == 0 {
				t.Fatal("nothing is said about it")
			}
			golden(t, strings.TrimSuffix(file, ".bad.yml")+".golden", ps.Error()+"\n")
		})
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

func TestCheckFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("ak", "AKIA\n")
	write("sk", "hunter2\n")
	write("empty", "\n")
	write("lines", "hunter2\nhunter3\n")
	write("drwatch.yml", `
accounts:
  - {name: a, provider: aliyun_ebs, region: cn-beijing, credentials: {access_key_file: ak, secret_key_file: sk}}
  - {name: b, provider: aliyun_ebs, region: cn-shanghai, credentials: {access_key_file: nowhere, secret_key_file: empty}}
  - {name: c, provider: aliyun_ebs, region: cn-hangzhou, credentials: {access_key_file: lines, secret_key_file: .}}
  - {name: d, provider: aliyun_ebs, region: cn-hongkong, credentials: {access_key_env: DRWATCH_TEST_AK, secret_key_env: DRWATCH_TEST_SK}}
`)
	t.Setenv("DRWATCH_TEST_AK", "x")
	c := load(t, filepath.Join(dir, "drwatch.yml"))
	got := strings.ReplaceAll(c.CheckFiles().Error(), dir, "DIR")
	want := `DIR/drwatch.yml:4:89: accounts[1].credentials.access_key_file: stat DIR/nowhere: no such file or directory
DIR/drwatch.yml:4:115: accounts[1].credentials.secret_key_file: DIR/empty is empty, want a file that holds the secret
DIR/drwatch.yml:5:89: accounts[2].credentials.access_key_file: DIR/lines has more than one line, want a file that holds only the secret
DIR/drwatch.yml:5:113: accounts[2].credentials.secret_key_file: DIR is a directory, want a file that holds the secret
DIR/drwatch.yml:6:121: accounts[3].credentials.secret_key_env: the environment variable DRWATCH_TEST_SK is not set`
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

func TestConfigDoesNotPrintSecrets(t *testing.T) {
	c := parse(t, "probe_modules:\n  m: {prober: http, http: {basic_auth: {username: u, password: hunter2}}}\n")
	if got := string(c.ProbeModules["m"].HTTP.HTTPClientConfig.BasicAuth.Password); got != "hunter2" {
		t.Fatalf("the password is %q", got)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		for _, v := range []any{c, *c} {
			if got := fmt.Sprintf(verb, v); got != "drwatch configuration drwatch.yml" {
				t.Errorf("%s prints %s", verb, got)
			}
		}
	}
}

func TestRuleFilePaths(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"a.yml": "x", "b.yml": "x", "drwatch.yml": "rule_files: ['*.yml', b.yml, 'no/*.yml', gone.yml]\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, ps := load(t, filepath.Join(dir, "drwatch.yml")).RuleFilePaths()
	want := []string{filepath.Join(dir, "a.yml"), filepath.Join(dir, "b.yml"), filepath.Join(dir, "drwatch.yml")}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	if len(ps) != 2 || ps[0].Severity != strictyaml.Warning || ps[1].Severity != strictyaml.Error {
		t.Errorf("problems:\n%v", ps)
	}
}

func TestModuleText(t *testing.T) {
	a := parse(t, "probe_modules:\n  m: {prober: http, timeout: 3s, http: {basic_auth: {username: u, password: hunter2}}}\n")
	b := parse(t, "probe_modules:\n  m:\n    http:\n      basic_auth: {password: hunter2, username: u}\n    timeout: 3s\n    prober: http\n")
	c := parse(t, "probe_modules:\n  m: {prober: http, timeout: 4s}\n")
	if a.ModuleText("m") == "" || a.ModuleText("m") != b.ModuleText("m") {
		t.Errorf("the order of keys changes the text:\n%s\n%s", a.ModuleText("m"), b.ModuleText("m"))
	}
	if a.ModuleText("m") == c.ModuleText("m") {
		t.Error("another timeout does not change the text")
	}
	if strings.Contains(a.ModuleText("m"), "hunter2") {
		t.Error("the text has the password")
	}
}
