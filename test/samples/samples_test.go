// Package samples_test shows what drwatch makes of each provider's answers: a
// folder of testdata holds the answers to all that one account is asked, in the
// shapes that the vendor documents and with values of our own, and beside them
// the /metrics that come of it. A folder whose name ends in "odd" holds answers
// of which parts cannot be read.
//
// An answer is named after the path, or the Action and the group, that asks for
// it.
package samples_test

import (
	"context"
	"encoding/json"
	"flag"
	"iter"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
	"go.uber.org/goleak"

	"github.com/drwatch/drwatch/internal/collector"
	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/provider/dws"
	"github.com/drwatch/drwatch/internal/provider/ebs"
	"github.com/drwatch/drwatch/internal/provider/evs"
	"github.com/drwatch/drwatch/internal/provider/sdrs"
	"github.com/drwatch/drwatch/internal/replication"
	"github.com/drwatch/drwatch/internal/series"
)

var update = flag.Bool("update", false, "write the metrics beside the samples anew")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const project = "0123456789abcdef0123456789abcdef"

// now is when the samples are read.
var now = time.Date(2026, 1, 2, 4, 0, 0, 0, time.UTC)

// The account that each provider's samples are of.
func accounts() map[string]struct {
	provider replication.Provider
	build    func(provider.Settings) (provider.Reader, error)
	change   func(*provider.Settings)
} {
	type account = struct {
		provider replication.Provider
		build    func(provider.Settings) (provider.Reader, error)
		change   func(*provider.Settings)
	}
	return map[string]account{
		"sdrs": {replication.HuaweiSDRS, sdrs.NewReader, func(s *provider.Settings) { s.Region = "cn-north-4" }},
		"evs": {replication.HuaweiEVS, evs.NewReader, func(s *provider.Settings) {
			s.Region, s.PrimaryZone, s.SecondaryZone = "eu-west-0", "eu-west-0a", "eu-west-0b"
		}},
		"dws": {replication.HuaweiDWS, dws.NewReader, func(s *provider.Settings) {
			s.Region, s.TimeZone = "cn-north-4", time.FixedZone("Asia/Shanghai", 8*3600)
		}},
		"ebs": {replication.AliyunEBS, ebs.NewReader, func(s *provider.Settings) { s.Region, s.PrimaryRegion = "cn-beijing", "cn-beijing" }},
	}
}

func sites() []collector.SiteSettings {
	at := func(name string, places ...replication.Location) collector.SiteSettings {
		return collector.SiteSettings{Site: replication.Site{Name: name, Locations: places}}
	}
	return []collector.SiteSettings{
		at("site-1", replication.Location{Region: "cn-north-4", Zone: "cn-north-4a"}, replication.Location{Region: "eu-west-0", Zone: "eu-west-0a"}, replication.Location{Region: "cn-beijing"}),
		at("site-2", replication.Location{Region: "cn-north-4", Zone: "cn-north-4b"}, replication.Location{Region: "eu-west-0", Zone: "eu-west-0b"}, replication.Location{Region: "cn-shanghai"}),
	}
}

func TestSamplesAndTheirMetrics(t *testing.T) {
	folders, err := filepath.Glob("testdata/*")
	if err != nil || len(folders) < 2*len(accounts()) {
		t.Fatalf("samples %v, %v; want two of each provider", folders, err)
	}
	for _, folder := range folders {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			got := scrape(t, folder)
			golden := filepath.Join(folder, "metrics.prom")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
				t.Errorf("metrics (-want +got):\n%s", diff)
			}
		})
	}
}

// cloud answers with the files of a folder; every one must be asked for.
type cloud struct {
	t      *testing.T
	folder string
	asked  chan string
}

func (c *cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimSuffix(r.URL.Query().Get("Action")+"."+r.URL.Query().Get("GroupId"), ".")
	if _, path, ok := strings.Cut(r.URL.Path, "/"+project+"/"); ok {
		name = strings.ReplaceAll(path, "/", ".")
	}
	w.Header().Set("Date", now.Add(3*time.Second).Format(http.TimeFormat))
	answer, err := os.ReadFile(filepath.Join(c.folder, filepath.Base(name)+".json"))
	if err != nil || !json.Valid(answer) {
		c.t.Errorf("no sample, or none that is JSON, answers %s: %v", r.URL.Path+" "+name, err)
		w.WriteHeader(http.StatusNotFound)
		return
	}
	c.asked <- name
	_, _ = w.Write(answer)
}

// scrape polls an account whose cloud answers with the samples, and gives the
// metrics without those of time that requests took.
func scrape(t *testing.T, folder string) string {
	t.Helper()
	name, _, _ := strings.Cut(filepath.Base(folder), "-")
	a, ok := accounts()[name]
	if !ok {
		t.Fatalf("%s is of no provider", folder)
	}
	asked := make(chan string, 1000)
	server := httptest.NewServer(&cloud{t, folder, asked})
	defer server.Close()
	c, err := collector.New(collector.Options{
		Series: nowhere{}, Now: func() time.Time { return now }, Int64N: func(int64) int64 { return 0 }, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	s := provider.Settings{
		Account: name, ProjectID: project, Endpoint: server.URL, Timeout: 10 * time.Second, UserAgent: "drwatch/0",
		Now: func() time.Time { return now }, Meter: c.NewMeter(name),
		Credentials: func() (provider.Credentials, error) {
			return provider.Credentials{AccessKey: "EXAMPLEAK0000000000A", SecretKey: "example-secret-key"}, nil
		},
	}
	a.change(&s)
	r, err := a.build(s)
	if err != nil {
		t.Fatal(err)
	}
	poll(t, c, collector.AccountSettings{Name: name, Provider: a.provider, Reader: r, PollInterval: time.Hour, PollTimeout: 20 * time.Second})
	close(asked)
	used := map[string]bool{}
	for file := range asked {
		used[file+".json"] = true
	}
	files, _ := filepath.Glob(filepath.Join(folder, "*.json"))
	for _, file := range files {
		if !used[filepath.Base(file)] {
			t.Errorf("nothing asked for %s", file)
		}
	}
	return text(t, c)
}

// poll runs the collector until the account was polled and, where it has any,
// its slow facts were read.
func poll(t *testing.T, c *collector.Collector, a collector.AccountSettings) {
	t.Helper()
	if err := c.Update(collector.Settings{Accounts: []collector.AccountSettings{a}, Sites: sites()}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	_, facts := a.Reader.(provider.FactReader)
	deadline, tick := time.After(30*time.Second), time.NewTicker(2*time.Millisecond)
	defer tick.Stop()
	for told := false; !told; { // what is read slowly does not say when it was
		select {
		case <-tick.C:
		case <-deadline:
			t.Error("the account was not polled")
			told = true
		}
		if s := c.Snapshot(); len(s.Accounts) == 1 && s.Accounts[0].Tried {
			told = told || !facts || len(s.Accounts[0].Facts.Read) > 0 || s.Accounts[0].Facts.Error != ""
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func text(t *testing.T, c *collector.Collector) string {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	if err := reg.Register(c.Metrics()); err != nil {
		t.Fatal(err)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	encoder := expfmt.NewEncoder(&out, expfmt.NewFormat(expfmt.TypeTextPlain))
	for _, f := range families {
		switch f.GetName() {
		case "drwatch_account_poll_duration_seconds", "drwatch_provider_request_duration_seconds":
			continue
		}
		if err := encoder.Encode(f); err != nil {
			t.Fatal(err)
		}
	}
	return out.String()
}

// nowhere keeps no series.
type nowhere struct{}

func (nowhere) AppendSeq(string, time.Time, time.Duration, iter.Seq[series.Sample]) {}
func (nowhere) EndSource(string, time.Time)                                         {}
