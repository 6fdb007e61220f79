package cloudsim_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/drwatch/drwatch/internal/cloudsim"
	"github.com/drwatch/drwatch/internal/replication"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a clock that stands until it is moved.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

var (
	northA   = replication.Location{Region: "cn-north-4", Zone: "cn-north-4a"}
	northB   = replication.Location{Region: "cn-north-4", Zone: "cn-north-4b"}
	eastA    = replication.Location{Region: "cn-east-3", Zone: "cn-east-3a"}
	parisA   = replication.Location{Region: "eu-west-0", Zone: "eu-west-0a"}
	parisB   = replication.Location{Region: "eu-west-0", Zone: "eu-west-0b"}
	beijing  = replication.Location{Region: "cn-beijing", Zone: "cn-beijing-f"}
	shanghai = replication.Location{Region: "cn-shanghai", Zone: "cn-shanghai-b"}
)

// lab is a started Cloud, its clock, and a client that signs by itself.
type lab struct {
	t     *testing.T
	cloud *cloudsim.Cloud
	clock *clock
	http  *http.Client
	nonce *int
}

func newLab(t *testing.T, change func(*cloudsim.Options)) *lab {
	t.Helper()
	ck := &clock{t: start}
	o := cloudsim.Options{Now: ck.now, Seed: 7, Transition: 10 * time.Second}
	if change != nil {
		change(&o)
	}
	c, err := cloudsim.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	tr := &http.Transport{}
	t.Cleanup(func() { tr.CloseIdleConnections(); c.Close() })
	client := &http.Client{Transport: tr, Timeout: 20 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return &lab{t: t, cloud: c, clock: ck, http: client, nonce: new(int)}
}

// at is the lab for a subtest.
func (l *lab) at(t *testing.T) *lab {
	sub := *l
	sub.t = t
	return &sub
}

// must unpacks what Add… gives.
func must(t *testing.T) func(id string, err error) string {
	return func(id string, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
}

// reply is an answer as a plain client sees it.
type reply struct {
	status int
	header http.Header
	body   string
	doc    map[string]any
}

func (r reply) list(t *testing.T, name string) []map[string]any {
	t.Helper()
	raw, is := r.doc[name].([]any)
	if !is {
		t.Fatalf("no list %q in %d %s", name, r.status, r.body)
	}
	var out []map[string]any
	for _, x := range raw {
		out = append(out, x.(map[string]any))
	}
	return out
}

func (l *lab) roundTrip(req *http.Request) (reply, error) {
	resp, err := l.http.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	out := reply{status: resp.StatusCode, header: resp.Header, body: string(b)}
	_ = json.Unmarshal(b, &out.doc) // not every answer is JSON
	return out, err
}

func (l *lab) send(req *http.Request) reply {
	l.t.Helper()
	r, err := l.roundTrip(req)
	if err != nil {
		l.t.Fatalf("%s %s: %v", req.Method, req.URL.Path, err)
	}
	return r
}

// huawei builds a signed request. {p} in the path is the project.
func (l *lab) huawei(endpoint, method, path, body string) *http.Request {
	l.t.Helper()
	base := l.cloud.URL(endpoint)
	req, err := http.NewRequest(method, base+strings.ReplaceAll(path, "{p}", cloudsim.ProjectID), strings.NewReader(body))
	if err != nil {
		l.t.Fatal(err)
	}
	signHuawei(req, body, cloudsim.AccessKey, cloudsim.SecretKey, l.clock.now())
	return req
}

func signHuawei(req *http.Request, body, ak, sk string, now time.Time) {
	date := now.UTC().Format("20060102T150405Z")
	req.Header.Set("X-Sdk-Date", date)
	var lines []string
	for k, vs := range req.URL.Query() {
		for _, v := range vs {
			lines = append(lines, rfc3986(k)+"="+rfc3986(v))
		}
	}
	sort.Strings(lines)
	path := req.URL.EscapedPath()
	if !strings.HasSuffix(path, "/") {
		path += "/"
	}
	sum := sha256.Sum256([]byte(body))
	headers, names := "x-sdk-date:"+date+"\n", "x-sdk-date"
	if token := req.Header.Get("X-Security-Token"); token != "" {
		headers, names = headers+"x-security-token:"+token+"\n", names+";x-security-token"
	}
	canonical := fmt.Sprintf("%s\n%s\n%s\n%s\n%s\n%s", req.Method, path, strings.Join(lines, "&"), headers, names, hex.EncodeToString(sum[:]))
	sum = sha256.Sum256([]byte(canonical))
	m := hmac.New(sha256.New, []byte(sk))
	m.Write([]byte("SDK-HMAC-SHA256\n" + date + "\n" + hex.EncodeToString(sum[:])))
	req.Header.Set("Authorization", "SDK-HMAC-SHA256 Access="+ak+", SignedHeaders="+names+", Signature="+hex.EncodeToString(m.Sum(nil)))
}

func rfc3986(s string) string {
	s = url.QueryEscape(s)
	return strings.NewReplacer("+", "%20", "*", "%2A", "%7E", "~").Replace(s)
}

func (l *lab) get(endpoint, path string) reply {
	l.t.Helper()
	return l.send(l.huawei(endpoint, "GET", path, ""))
}

func (l *lab) post(endpoint, path, body string) reply {
	l.t.Helper()
	return l.send(l.huawei(endpoint, "POST", path, body))
}

// rpc builds a signed Alibaba request; args are key, value, and so on.
func (l *lab) rpc(endpoint, action string, args ...string) *http.Request {
	l.t.Helper()
	region := map[string]string{cloudsim.EndpointEBS: "cn-beijing", cloudsim.EndpointEBSStandby: "cn-shanghai"}[endpoint]
	*l.nonce++
	p := url.Values{
		"Action": {action}, "RegionId": {region}, "Version": {"2021-07-30"}, "Format": {"JSON"}, "AccessKeyId": {cloudsim.AccessKey},
		"SignatureMethod": {"HMAC-SHA1"}, "SignatureVersion": {"1.0"}, "SignatureType": {""},
		"SignatureNonce": {fmt.Sprintf("nonce-%d", *l.nonce)}, "Timestamp": {l.clock.now().UTC().Format("2006-01-02T15:04:05Z")},
	}
	for i := 0; i < len(args); i += 2 {
		p.Set(args[i], args[i+1])
	}
	signRPC(p, cloudsim.SecretKey)
	req, err := http.NewRequest("POST", l.cloud.URL(endpoint)+"/?"+p.Encode(), bytes.NewReader(nil))
	if err != nil {
		l.t.Fatal(err)
	}
	return req
}

func signRPC(p url.Values, secret string) {
	p.Del("Signature")
	var parts []string
	for k := range p {
		parts = append(parts, rfc3986(k)+"="+rfc3986(p.Get(k)))
	}
	sort.Strings(parts)
	m := hmac.New(sha1.New, []byte(secret+"&"))
	m.Write([]byte("POST&%2F&" + rfc3986(strings.Join(parts, "&"))))
	p.Set("Signature", base64.StdEncoding.EncodeToString(m.Sum(nil)))
}

func (l *lab) ali(endpoint, action string, args ...string) reply {
	l.t.Helper()
	return l.send(l.rpc(endpoint, action, args...))
}

// truth is the group as it really is.
func (l *lab) truth(id string) cloudsim.GroupState {
	l.t.Helper()
	g, found := l.cloud.Group(id)
	if !found {
		l.t.Fatalf("no group %s", id)
	}
	return g
}

func (l *lab) wantStatus(id, status string, active replication.Location) {
	l.t.Helper()
	if g := l.truth(id); g.Status != status || g.Active != active {
		l.t.Fatalf("group is %s at %s, want %s at %s", g.Status, g.Active, status, active)
	}
}

func (l *lab) wantFailovers(id string, n int) {
	l.t.Helper()
	if got := l.cloud.EffectiveFailovers(id); got != n {
		l.t.Fatalf("%d effective failovers of %s, want %d", got, id, n)
	}
}

func (l *lab) want(r reply, status int, contains string) reply {
	l.t.Helper()
	if r.status != status || !strings.Contains(r.body, contains) {
		l.t.Fatalf("got %d %s, want %d with %q", r.status, r.body, status, contains)
	}
	return r
}
