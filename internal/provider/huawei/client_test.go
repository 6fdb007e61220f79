package huawei_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/provider/huawei"
)

func client(t *testing.T, s provider.Settings) *huawei.Client {
	t.Helper()
	c, err := huawei.NewClient(s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func get(ctx context.Context, c *huawei.Client) (huawei.Answer, error) {
	return c.Get(ctx, "ListThings", "/v1/{project_id}/things", huawei.Query{Limit: "5", ServerGroup: "sg-1"}, huawei.NewProblems(provider.NopMeter{}))
}

func TestNewClientRefusesBadSettings(t *testing.T) {
	tests := []struct {
		name   string
		change func(*provider.Settings)
		want   string
	}{
		{"no project", func(s *provider.Settings) { s.ProjectID = "" }, "project_id"},
		{"a project that changes the path", func(s *provider.Settings) { s.ProjectID = "a/../b" }, "project_id"},
		{"no endpoint", func(s *provider.Settings) { s.Endpoint = "" }, "endpoint"},
		{"endpoint without a host", func(s *provider.Settings) { s.Endpoint = "https://" }, "endpoint"},
		{"endpoint without scheme", func(s *provider.Settings) { s.Endpoint = "sdrs.example.com" }, "endpoint"},
		{"endpoint with a path, which the SDK would drop", func(s *provider.Settings) { s.Endpoint = "https://sdrs.example.com/x" }, "endpoint"},
		{"endpoint with a user", func(s *provider.Settings) { s.Endpoint = "https://u:p@sdrs.example.com" }, "endpoint"},
		{"no credentials", func(s *provider.Settings) { s.Credentials = nil }, "credentials"},
		{"no clock", func(s *provider.Settings) { s.Now = nil }, "clock"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := settings("https://sdrs.example.com")
			tt.change(&s)
			if _, err := huawei.NewClient(s); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("NewClient: %v, want an error about %s", err, tt.want)
			}
		})
	}
}

func TestGetOnTheWire(t *testing.T) {
	c := newCloud(t, says(200, `{"things":[]}`))
	if _, err := get(t.Context(), client(t, settings(c.URL))); err != nil {
		t.Fatal(err)
	}
	requests := c.requests()
	if len(requests) != 1 {
		t.Fatalf("%d requests, want 1", len(requests))
	}
	r := requests[0]
	if want := "/v1/" + project + "/things?limit=5&server_group_id=sg-1"; r.method != http.MethodGet || r.uri != want || r.body != "" {
		t.Errorf("sent %s %s %q, want GET %s without body", r.method, r.uri, r.body, want)
	}
	for name, want := range map[string]string{
		"User-Agent": "huaweicloud-usdk-go/3.0; drwatch/0", "X-Project-Id": project, "Content-Type": "application/json", "X-Security-Token": "",
	} {
		if got := r.header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if auth := r.header.Get("Authorization"); !strings.HasPrefix(auth, "SDK-HMAC-SHA256 Access="+accessKey+", SignedHeaders=user-agent;x-project-id;x-sdk-date, Signature=") {
		t.Errorf("Authorization: %q", auth)
	}
	for name := range r.header {
		if strings.EqualFold(name, provider.OpHeader) {
			t.Errorf("the private header %s left the process", name)
		}
	}
}

// Only 200 with one JSON object is an answer.
func TestGetBelievesNothingElse(t *testing.T) {
	tests := []struct {
		name   string
		answer http.HandlerFunc
	}{
		{"empty", says(200, "")},
		{"null", says(200, "null")},
		{"a list", says(200, "[]")},
		{"HTML", says(200, "<html>login</html>")},
		{"two documents", says(200, `{"things":[]}{}`)},
		{"cut off", says(200, `{"things":[`)},
		{"202", says(202, `{"things":[]}`)},
		{"204", says(204, "")},
		{"302", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }},
		{"307", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}},
		{"500", says(500, `{"things":[]}`)},
		{"503 empty", says(503, "")},
		{"shorter than announced", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `{"things":[]}`)
		}},
		{"gzip that is none", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = io.WriteString(w, `{"things":[]}`)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newCloud(t, tt.answer)
			if _, err := get(t.Context(), client(t, settings(c.URL))); err == nil {
				t.Error("believed")
			} else if errors.Is(err, provider.ErrNotFound) {
				t.Errorf("%v passes for not found", err)
			}
			for _, r := range c.requests() {
				if strings.Contains(r.uri, "elsewhere") {
					t.Errorf("followed the redirect: %s", r.uri)
				}
			}
		})
	}
}

func TestErrorBodies(t *testing.T) {
	tests := []struct {
		name       string
		status     int
		body       string
		code, says string
		notFound   bool
	}{
		{"SDRS as the reference shows it", 400, `{"badrequest":{"message":"no such group","code":"SDRS.1013"}}`, "SDRS.1013", "no such group", true},
		{"SDRS error", 400, `{"error":{"message":"not allowed","code":"SDRS.1002"}}`, "SDRS.1002", "not allowed", false},
		{"flat", 400, `{"error_code":"DWS.10101","error_msg":"unknown"}`, "DWS.10101", "unknown", true},
		{"gateway", 401, `{"error_msg":"Incorrect IAM authentication information","error_code":"APIGW.0301","request_id":"x"}`, "APIGW.0301", "Incorrect IAM", false},
		{"OpenStack", 400, `{"badRequest":{"message":"bad state","code":400}}`, "badRequest", "bad state", false},
		{"OpenStack not found", 404, `{"itemNotFound":{"message":"gone","code":404}}`, "itemNotFound", "gone", true},
		{"gateway's own 404", 404, `{"error_msg":"The API does not exist","error_code":"APIGW.0101"}`, "APIGW.0101", "does not exist", false},
		{"a proxy's 404", 404, `<html>not here</html>`, "", "not here", false},
		{"two faults at once", 400, `{"badRequest":{"message":"m","code":"SDRS.1013"},"other":{"message":"n","code":"SDRS.1002"}}`, "", "", false},
		{"empty", 500, ``, "", "answered 500", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newCloud(t, says(tt.status, tt.body))
			_, err := get(t.Context(), client(t, settings(c.URL)))
			var e *huawei.Error
			if !errors.As(err, &e) {
				t.Fatalf("%v is no *huawei.Error", err)
			}
			if e.Status != tt.status || e.Code != tt.code || e.RequestID != "req-1" || !strings.Contains(e.Error(), tt.says) {
				t.Errorf("got %+v, want status %d, code %q, a text with %q", e, tt.status, tt.code, tt.says)
			}
			if got := errors.Is(err, provider.ErrNotFound); got != tt.notFound {
				t.Errorf("not found: %v, want %v", got, tt.notFound)
			}
		})
	}
}

// Nothing is sent without a key, least of all to the machine's metadata
// address.
func TestEmptyCredentials(t *testing.T) {
	for name, cred := range map[string]provider.Credentials{
		"both": {}, "no access key": {SecretKey: secretKey}, "no secret key": {AccessKey: accessKey},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCloud(t, says(200, `{}`))
			s := settings(c.URL)
			s.Credentials = func() (provider.Credentials, error) { return cred, nil }
			_, err := get(t.Context(), client(t, s))
			if err == nil || !strings.Contains(err.Error(), "is empty") || len(c.requests()) != 0 {
				t.Errorf("%v after %d requests, want a clear error and none", err, len(c.requests()))
			}
			r := client(t, s).Act(t.Context(), action(), nil)
			if r.Outcome != "not_sent" || r.Err == nil {
				t.Errorf("action: %+v, want not_sent", r)
			}
		})
	}
}

// A rotated key is used with the next call, also while other calls are made.
func TestCredentialsAreReadBeforeEachCall(t *testing.T) {
	c := newCloud(t, says(200, `{}`))
	s := settings(c.URL)
	var n atomic.Int64
	s.Credentials = func() (provider.Credentials, error) {
		return provider.Credentials{AccessKey: "EXAMPLEAK" + strconv.FormatInt(n.Add(1), 10), SecretKey: secretKey, SecurityToken: token}, nil
	}
	cl := client(t, s)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := get(t.Context(), cl); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	keys := map[string]bool{}
	for _, r := range c.requests() {
		key, _, _ := strings.Cut(strings.TrimPrefix(r.header.Get("Authorization"), "SDK-HMAC-SHA256 Access="), ",")
		keys[key] = true
		if got := r.header.Get("X-Security-Token"); got != token {
			t.Errorf("X-Security-Token: %q", got)
		}
	}
	if len(keys) != 8 {
		t.Errorf("8 calls were signed with %d of 8 keys: %v", len(keys), keys)
	}
}

func TestCredentialsThatCannotBeRead(t *testing.T) {
	c := newCloud(t, says(200, `{}`))
	s := settings(c.URL)
	broken := errors.New("open secrets/hw-ak: no such file")
	s.Credentials = func() (provider.Credentials, error) { return provider.Credentials{}, broken }
	if _, err := get(t.Context(), client(t, s)); !errors.Is(err, broken) {
		t.Errorf("%v, want %v within", err, broken)
	}
}

func TestGetHasTheCallersContext(t *testing.T) {
	arrived := make(chan struct{})
	c := newCloud(t, func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-arrived
		cancel()
	}()
	if _, err := get(ctx, client(t, settings(c.URL))); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want context canceled", err)
	}
}

func TestSecretsAreNeverShown(t *testing.T) {
	echo := func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"error_code":"X.1 `+accessKey+`","error_msg":"bad `+secretKey+` `+token+` `+r.Header.Get("Authorization")[80:]+`"}`)
	}
	bodies := map[string]http.HandlerFunc{
		"error body": echo,
		"HTML": func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "<html>"+accessKey+" "+token+" "+r.Header.Get("Authorization"))
		},
		"cut": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
		},
	}
	for name, answer := range bodies {
		t.Run(name, func(t *testing.T) {
			c := newCloud(t, answer)
			s := settings(c.URL)
			s.Credentials = func() (provider.Credentials, error) {
				return provider.Credentials{AccessKey: accessKey, SecretKey: secretKey, SecurityToken: token}, nil
			}
			cl := client(t, s)
			_, err := get(t.Context(), cl)
			r := cl.Act(t.Context(), action(), nil)
			if err == nil || r.Err == nil {
				t.Fatalf("errors %v and %v, want both", err, r.Err)
			}
			signature := c.requests()[0].header.Get("Authorization")
			signature = signature[strings.Index(signature, "Signature=")+len("Signature="):]
			for _, text := range []string{err.Error(), r.Err.Error()} {
				for _, secret := range []string{accessKey, secretKey, token, signature} {
					if strings.Contains(text, secret) {
						t.Errorf("%q shows %q", text, secret)
					}
				}
			}
		})
	}
}
