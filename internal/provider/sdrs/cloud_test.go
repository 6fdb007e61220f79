package sdrs_test

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/provider/sdrs"
)

const (
	project = "0123456789abcdef0123456789abcdef"
	groupID = "decf224c-5f1c-4b4d-9d5a-3f6a0c0a0001"
	jobID   = "0000000000000000000000000000a001"
	base    = "/v1/" + project
)

type object = map[string]any

// cloud answers by path and remembers what it was asked.
type cloud struct {
	*httptest.Server
	mu       sync.Mutex
	answers  map[string]string // path → body; "400 …" is a body of that status
	requests []string          // METHOD URI BODY
	types    []string          // content types
}

func newCloud(tb testing.TB) *cloud {
	tb.Helper()
	c := &cloud{answers: map[string]string{
		base + "/server-groups":       file(tb, "groups.json"),
		base + "/replications":        file(tb, "replications.json"),
		base + "/protected-instances": file(tb, "instances.json"),
	}}
	c.setGroup(tb, nil)
	c.Server = httptest.NewServer(c)
	tb.Cleanup(c.Close)
	return c
}

func (c *cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	c.mu.Lock()
	c.requests = append(c.requests, strings.TrimSuffix(r.Method+" "+r.RequestURI+" "+string(body), " "))
	c.types = append(c.types, r.Header.Get("Content-Type"))
	answer, known := c.answers[r.URL.Path]
	c.mu.Unlock()
	status := http.StatusOK
	if !known {
		status, answer = http.StatusNotFound, `{"error_code":"APIGW.0101","error_msg":"no such path"}`
	}
	if code, rest, found := strings.Cut(answer, " "); found && len(code) == 3 {
		if n, err := strconv.Atoi(code); err == nil && n >= 200 && n < 600 {
			status, answer = n, rest
		}
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, answer)
}

func (c *cloud) set(path, body string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answers[path] = body
}

// setGroup changes fields of the group, in the list and by itself.
func (c *cloud) setGroup(tb testing.TB, changes object) {
	tb.Helper()
	group := items(tb, "groups.json", "server_groups")[0]
	maps.Copy(group, changes)
	c.set(base+"/server-groups", text(tb, object{"server_groups": []object{group}}))
	c.set(base+"/server-groups/"+groupID, text(tb, object{"server_group": group}))
}

// setPairs changes fields of the first pair.
func (c *cloud) setPairs(tb testing.TB, changes object) {
	tb.Helper()
	pairs := items(tb, "replications.json", "replications")
	maps.Copy(pairs[0], changes)
	c.set(base+"/replications", text(tb, object{"replications": pairs}))
}

func (c *cloud) asked() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.requests)
}

func file(tb testing.TB, name string) string {
	tb.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}

func items(tb testing.TB, name, field string) []object {
	tb.Helper()
	var answer map[string]json.RawMessage
	var list []object
	if err := json.Unmarshal([]byte(file(tb, name)), &answer); err != nil {
		tb.Fatal(err)
	}
	if err := json.Unmarshal(answer[field], &list); err != nil {
		tb.Fatal(err)
	}
	return list
}

func text(tb testing.TB, v any) string {
	tb.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}

var now = time.Date(2026, 1, 2, 4, 0, 0, 0, time.UTC)

func settings(endpoint string) provider.Settings {
	return provider.Settings{
		Account: "hw-compute", Region: "cn-north-4", ProjectID: project, Endpoint: endpoint,
		Timeout: 5 * time.Second, Now: func() time.Time { return now }, UserAgent: "drwatch/0",
		Credentials: func() (provider.Credentials, error) {
			return provider.Credentials{AccessKey: "EXAMPLEAK0000000000A", SecretKey: "example-secret-key"}, nil
		},
	}
}

func reader(tb testing.TB, c *cloud) provider.Reader {
	tb.Helper()
	r, err := sdrs.NewReader(settings(c.URL))
	if err != nil {
		tb.Fatal(err)
	}
	return r
}
