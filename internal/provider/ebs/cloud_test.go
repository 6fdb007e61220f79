package ebs_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/drwatch/drwatch/internal/provider"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	accessKey = "LTAIEXAMPLEKEY"
	secretKey = "example/secret+key=="
	stsToken  = "CAISexample token~*"
)

// at is the time of the tests: four seconds after the last recover point of
// testdata.
var at = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// cloud answers each operation with what the test says, and remembers what it
// was asked.
type cloud struct {
	*httptest.Server
	answers map[string]http.HandlerFunc

	mu       sync.Mutex
	seen     []url.Values
	unsigned int // requests whose signature is not right
}

func newCloud(t *testing.T, answers map[string]http.HandlerFunc) *cloud {
	t.Helper()
	c := &cloud{answers: answers}
	c.Server = httptest.NewUnstartedServer(c)
	c.Config.ErrorLog = log.New(io.Discard, "", 0)
	c.Start()
	t.Cleanup(func() {
		c.Close()
		if c.unsigned > 0 {
			t.Errorf("%d requests were not signed as the RPC scheme wants", c.unsigned)
		}
	})
	return c
}

func (c *cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	signed := q.Get("Signature") == signatureOf(r.Method, q)
	q.Set("method", r.Method+" "+r.URL.Path)
	q.Set("user-agent", r.Header.Get("User-Agent"))
	for name := range r.Header {
		if strings.EqualFold(name, provider.OpHeader) {
			q.Set("leaked-header", name)
		}
	}
	c.mu.Lock()
	c.seen = append(c.seen, q)
	if !signed {
		c.unsigned++
	}
	c.mu.Unlock()
	if h := c.answers[q.Get("Action")]; h != nil {
		h(w, r)
		return
	}
	w.WriteHeader(http.StatusNotFound)
	fmt.Fprint(w, `{"RequestId":"r","Code":"InvalidAction.NotFound","Message":"no such action"}`)
}

// signatureOf is the signature of Alibaba's RPC scheme, version 1.0.
func signatureOf(method string, q url.Values) string {
	escape := func(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
	var pairs []string
	for name := range q {
		if name != "Signature" {
			pairs = append(pairs, escape(name)+"="+escape(q.Get(name)))
		}
	}
	slices.Sort(pairs)
	mac := hmac.New(sha1.New, []byte(secretKey+"&"))
	_, _ = io.WriteString(mac, method+"&%2F&"+escape(strings.Join(pairs, "&")))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// asked are the requests of one operation.
func (c *cloud) asked(action string) []url.Values {
	c.mu.Lock()
	defer c.mu.Unlock()
	var found []url.Values
	for _, q := range c.seen {
		if q.Get("Action") == action {
			found = append(found, q)
		}
	}
	return found
}

func (c *cloud) settings() provider.Settings {
	return provider.Settings{
		Account: "acct", Region: "cn-beijing", PrimaryRegion: "cn-beijing", Endpoint: c.URL, Timeout: 10 * time.Second,
		Credentials: func() (provider.Credentials, error) {
			return provider.Credentials{AccessKey: accessKey, SecretKey: secretKey, SecurityToken: stsToken}, nil
		},
		Now: func() time.Time { return at }, Meter: provider.NopMeter{}, UserAgent: "drwatch/test",
	}
}

func body(status int, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, text)
	}
}

func file(t *testing.T, name string) http.HandlerFunc { return body(200, read(t, name)) }

func read(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// meter counts what it is told.
type meter struct {
	provider.NopMeter
	mu     sync.Mutex
	counts map[string]int
}

func (m *meter) add(what string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.counts == nil {
		m.counts = map[string]int{}
	}
	m.counts[what]++
}

func (m *meter) Throttled(op string)                      { m.add("throttled " + op) }
func (m *meter) DecodeError(u provider.Unread)            { m.add(u.Field) }
func (m *meter) Request(op, code string, _ time.Duration) { m.add(op + " " + code) }

// secretsIn fails the test when text shows a secret in any spelling.
func secretsIn(t *testing.T, text string) {
	t.Helper()
	for _, secret := range []string{accessKey, secretKey, stsToken, url.QueryEscape(secretKey), url.QueryEscape(stsToken), "CAISexample", "Signature=", "Signature%3D"} {
		if strings.Contains(text, secret) && !strings.Contains(text, secret+"[redacted]") {
			t.Errorf("%q shows %q", text, secret)
		}
	}
}
