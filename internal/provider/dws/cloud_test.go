package dws_test

import (
	"encoding/json"
	"io"
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
	"github.com/drwatch/drwatch/internal/provider/dws"
)

const (
	project = "0123456789abcdef0123456789abcdef"
	drID    = "e59d6b86-9072-46eb-a996-000000000001"

	listPath     = "/v2/" + project + "/disaster-recoveries"
	detailPath   = "/v2/" + project + "/disaster-recovery/" + drID
	progressPath = "/v1/" + project + "/disaster-recovery/" + drID + "/show-progress"
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
		listPath: file(tb, "list.json"), detailPath: file(tb, "detail.json"), progressPath: file(tb, "progress.json"),
	}}
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

// change is made to the sample answers: fields of the list's item, of the
// detail and of its two clusters. nil takes a field away.
type change struct{ item, detail, primary, standby object }

func (c *cloud) apply(tb testing.TB, ch change) {
	tb.Helper()
	var list map[string][]object
	var detail map[string]object
	decode(tb, "list.json", &list)
	decode(tb, "detail.json", &detail)
	one := detail["disaster_recovery"]
	for _, p := range []struct{ to, from object }{
		{list["disaster_recovery"][0], ch.item},
		{one, ch.detail},
		{one["primary_cluster"].(object), ch.primary},
		{one["standby_cluster"].(object), ch.standby},
	} {
		for field, value := range p.from {
			if p.to[field] = value; value == nil {
				delete(p.to, field)
			}
		}
	}
	c.set(listPath, text(tb, list))
	c.set(detailPath, text(tb, detail))
}

// status is a change of the status in both answers.
func status(s any) change { return change{item: object{"status": s}, detail: object{"status": s}} }

// roles is a change of the roles in both answers.
func roles(ch change, primary, standby any) change {
	if ch.item == nil {
		ch.item = object{}
	}
	ch.item["primary_cluster_role"], ch.item["standby_cluster_role"] = primary, standby
	ch.primary, ch.standby = object{"role": primary}, object{"role": standby}
	return ch
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

func decode(tb testing.TB, name string, into any) {
	tb.Helper()
	if err := json.Unmarshal([]byte(file(tb, name)), into); err != nil {
		tb.Fatal(err)
	}
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
		Account: "hw-warehouse", Region: "cn-north-4", ProjectID: project, Endpoint: endpoint,
		Timeout: 5 * time.Second, Now: func() time.Time { return now }, UserAgent: "drwatch/0",
		Credentials: func() (provider.Credentials, error) {
			return provider.Credentials{AccessKey: "EXAMPLEAK0000000000A", SecretKey: "example-secret-key"}, nil
		},
	}
}

func reader(tb testing.TB, c *cloud) provider.Reader {
	tb.Helper()
	r, err := dws.NewReader(settings(c.URL))
	if err != nil {
		tb.Fatal(err)
	}
	return r
}
