package huawei_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/provider"
)

const (
	accessKey = "EXAMPLEAK0000000000A"
	secretKey = "example-secret-key-0000000000000000000000"
	token     = "example-token-0000000000"
	project   = "0123456789abcdef0123456789abcdef"
)

// seen is one request as the provider got it.
type seen struct {
	method, uri, body string
	header            http.Header
}

// cloud answers all requests alike and remembers them.
type cloud struct {
	*httptest.Server
	mu   sync.Mutex
	seen []seen
}

func newCloud(t *testing.T, answer http.HandlerFunc) *cloud {
	t.Helper()
	c := &cloud{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		c.mu.Lock()
		c.seen = append(c.seen, seen{r.Method, r.RequestURI, string(body), r.Header.Clone()})
		c.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *cloud) requests() []seen {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]seen(nil), c.seen...)
}

// says answers with one status and body.
func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Request-Id", "req-1")
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func settings(endpoint string) provider.Settings {
	return provider.Settings{
		Account: "hw", Region: "cn-north-4", ProjectID: project, Endpoint: endpoint,
		Timeout: 5 * time.Second, Now: time.Now, UserAgent: "drwatch/0",
		Credentials: func() (provider.Credentials, error) {
			return provider.Credentials{AccessKey: accessKey, SecretKey: secretKey}, nil
		},
	}
}
