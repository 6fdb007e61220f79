package credentials_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/credentials"
)

// service is a metadata service on loopback. The zero answers are those of a
// whole one.
type service struct {
	*httptest.Server
	cloud cloud

	tokenStatus int
	token       string
	role        string
	status      int
	document    string

	mu   sync.Mutex
	seen []string // method and path
}

// cloud is how one cloud's service is spoken to.
type cloud struct {
	name                                         string
	tokenPath, lifeHeader, tokenHeader, rolePath string
	documentPath, document                       string
	issuer                                       func(address string) credentials.Issuer
}

func clouds() []cloud {
	return []cloud{
		{
			name: "huawei", tokenPath: "/meta-data/latest/api/token", lifeHeader: "X-Metadata-Token-Ttl-Seconds", tokenHeader: "X-Metadata-Token",
			documentPath: "/openstack/latest/securitykey",
			document:     `{"credential":{"access":"access-1-hidden","secret":"secret-1-hidden","securitytoken":"token-1-hidden","expires_at":"2026-01-03T03:04:05.574000Z"}}`,
			issuer:       credentials.NewHuawei,
		},
		{
			name: "aliyun", tokenPath: "/latest/api/token", lifeHeader: "X-Aliyun-Ecs-Metadata-Token-Ttl-Seconds", tokenHeader: "X-Aliyun-Ecs-Metadata-Token",
			rolePath: "/latest/meta-data/ram/security-credentials/", documentPath: "/latest/meta-data/ram/security-credentials/drwatch-reader",
			document: `{"AccessKeyId":"access-1-hidden","AccessKeySecret":"secret-1-hidden","SecurityToken":"token-1-hidden","Expiration":"2026-01-03T03:04:05Z","LastUpdated":"2026-01-02T21:04:05Z","Code":"Success"}`,
			issuer:   credentials.NewAliyun,
		},
	}
}

func newService(t *testing.T, c cloud) *service {
	s := &service{cloud: c, tokenStatus: http.StatusOK, token: "session-hidden", role: "drwatch-reader\n", status: http.StatusOK, document: c.document}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.seen = append(s.seen, r.Method+" "+r.URL.Path)
	s.mu.Unlock()
	shown := r.Header.Get(s.cloud.tokenHeader)
	switch {
	case r.Method == http.MethodPut && r.URL.Path == s.cloud.tokenPath && r.Header.Get(s.cloud.lifeHeader) == "21600":
		w.WriteHeader(s.tokenStatus)
		_, _ = io.WriteString(w, s.token)
	case r.Method != http.MethodGet:
		w.WriteHeader(http.StatusBadRequest)
	case s.tokenStatus == http.StatusOK && shown != strings.TrimSpace(s.token), s.tokenStatus != http.StatusOK && shown != "":
		w.WriteHeader(http.StatusUnauthorized)
	case s.cloud.rolePath != "" && r.URL.Path == s.cloud.rolePath:
		_, _ = io.WriteString(w, s.role)
	case r.URL.Path == s.cloud.documentPath:
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(s.status)
		_, _ = io.WriteString(w, s.document)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func TestMetadata(t *testing.T) {
	for _, c := range clouds() {
		t.Run(c.name, func(t *testing.T) {
			s := newService(t, c)
			k, err := c.issuer(s.URL).Issue(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if want := temporary(1, time.Time{}); !k.Same(want) {
				t.Error("the keys are not those of the document")
			}
			if want := time.Date(2026, 1, 3, 3, 4, 5, 0, time.UTC); !k.Expires.Truncate(time.Second).Equal(want) {
				t.Errorf("expires %s, want %s", k.Expires, want)
			}
			want := "PUT " + c.tokenPath + ", GET " + c.documentPath
			if c.rolePath != "" {
				want = "PUT " + c.tokenPath + ", GET " + c.rolePath + ", GET " + c.documentPath
			}
			if got := strings.Join(s.seen, ", "); got != want {
				t.Errorf("asked\n%s, want\n%s", got, want)
			}
		})
	}
}

// TestMetadataThatMisbehaves shows what a person is told, and that nothing of
// the answers is.
func TestMetadataThatMisbehaves(t *testing.T) {
	const noRole = "bind an agency (Huawei Cloud) or attach a RAM role (Alibaba Cloud) to this machine"
	for _, c := range []struct {
		name   string
		change func(*service)
		want   string // of the error; "" = it works all the same
		only   string // the one cloud that this is about
	}{
		{"no tokens yet", func(s *service) { s.tokenStatus = http.StatusNotFound }, "", ""},
		{"tokens switched off", func(s *service) { s.tokenStatus = http.StatusMethodNotAllowed }, "", ""},
		{"an end that cannot be read", func(s *service) { s.document = strings.ReplaceAll(s.document, "2026-01-03T03", "tomorrow") }, "", ""},
		{"token refused", func(s *service) { s.tokenStatus = http.StatusForbidden }, "status 403", ""},
		{"token of two words", func(s *service) { s.token = "session hidden\r\nX-Evil: hidden" }, "the answer is no token", ""},
		{"no role", func(s *service) { s.status, s.document = http.StatusNotFound, "hidden" }, "status 404: " + noRole, ""},
		{"redirect", func(s *service) { s.status = http.StatusFound }, "status 302", ""},
		{"a page", func(s *service) { s.document = "<html>hidden" }, "it is not the JSON that is documented", ""},
		{"a number for a secret", func(s *service) { s.document = strings.ReplaceAll(s.document, `"secret-1-hidden"`, `42`) }, "it is not the JSON that is documented", ""},
		{"empty object", func(s *service) { s.document = `{"Code":"Success"}` }, "the access key is missing", ""},
		{"no token in it", func(s *service) { s.document = strings.ReplaceAll(s.document, `"token-1-hidden"`, `null`) }, "the security token is missing", ""},
		{"a secret of two lines", func(s *service) { s.document = strings.ReplaceAll(s.document, "secret-1-", `secret-1\n`) }, "the secret key is missing or no text of one word", ""},
		{"endless", func(s *service) { s.document = strings.Repeat("hidden ", 20_000) }, "larger than 64 KiB", ""},
		{"code", func(s *service) { s.document = strings.ReplaceAll(s.document, "Success", "Hidden hidden") }, "its Code is not Success", "aliyun"},
		{"role of a path", func(s *service) { s.role = "../../hidden" }, "no name of a role: " + noRole, "aliyun"},
		{"role empty", func(s *service) { s.role = "" }, noRole, "aliyun"},
		{"gone", func(s *service) { s.CloseClientConnections(); s.Close() }, "is this a machine of that cloud?", ""},
	} {
		for _, cl := range clouds() {
			if c.only != "" && c.only != cl.name {
				continue
			}
			t.Run(cl.name+"/"+c.name, func(t *testing.T) {
				s := newService(t, cl)
				c.change(s)
				k, err := cl.issuer(s.URL).Issue(t.Context())
				if c.want == "" {
					if err != nil || !k.Same(temporary(1, time.Time{})) {
						t.Errorf("error %v", err)
					}
					return
				}
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("error %v, want %q", err, c.want)
				}
				if text := fmt.Sprintf("%+v %#v", err, err); strings.Contains(strings.ToLower(text), "hidden") {
					t.Errorf("the error holds what was answered: %s", text)
				}
				if k != (credentials.Keys{}) {
					t.Error("keys and an error")
				}
			})
		}
	}
}

// TestSilentMetadata waits no longer than three seconds for a service that
// accepts and says nothing.
func TestSilentMetadata(t *testing.T) {
	quit := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-quit }))
	defer s.Close()
	defer close(quit)
	began := time.Now()
	_, err := credentials.NewHuawei(s.URL).Issue(t.Context())
	if took := time.Since(began); err == nil || took > 10*time.Second {
		t.Errorf("took %s, error %v", took, err)
	}
}

// TestMetadataUsesNoProxy: the environment has no say in where secrets are read.
func TestMetadataUsesNoProxy(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("the proxy was asked for %s", r.URL)
		w.WriteHeader(http.StatusOK)
	}))
	defer proxy.Close()
	t.Setenv("HTTP_PROXY", proxy.URL)
	t.Setenv("http_proxy", proxy.URL)
	// A name that ends at once, not one of loopback: those are never proxied.
	if _, err := credentials.NewHuawei("http://metadata.invalid").Issue(t.Context()); err == nil {
		t.Error("no error")
	}
}

// FuzzMetadataDocument looks for documents that panic, that give half a pair, or
// whose text gets into an error.
func FuzzMetadataDocument(f *testing.F) {
	for _, c := range clouds() {
		f.Add([]byte(c.document))
		f.Add([]byte(strings.ReplaceAll(c.document, `-1-hidden"`, `\n"`)))
		f.Add([]byte(strings.ReplaceAll(c.document, "2026", "-1")))
	}
	f.Add([]byte(`{"credential":[]}`))
	f.Add([]byte(`{"Code":"Success","AccessKeyId":1e999}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		for name, parse := range map[string]func([]byte) (credentials.Keys, error){"huawei": credentials.ParseHuawei, "aliyun": credentials.ParseAliyun} {
			k, err := parse(doc)
			if err != nil {
				if k != (credentials.Keys{}) {
					t.Errorf("%s: keys and the error %v", name, err)
				}
				if text := err.Error(); len(text) > 200 || len(doc) > 40 && strings.Contains(text, string(doc[:40])) {
					t.Errorf("%s: the error repeats the document: %s", name, text)
				}
				continue
			}
			for _, s := range []string{k.AccessKey, k.SecretKey, k.SecurityToken} {
				if s == "" || strings.ContainsAny(s, " \r\n\x00") {
					t.Errorf("%s: a key that cannot be signed with: %q", name, s)
				}
			}
		}
	})
}
