package probe_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/prometheus/blackbox_exporter/config"
	"go.uber.org/goleak"
	"golang.org/x/net/icmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/drwatch/drwatch/internal/probe"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// first runs one probe with blackbox_exporter's own probers and real time, and
// answers with its first result.
func first(t *testing.T, target string, m config.Module) probe.Result {
	t.Helper()
	results := make(chan probe.Result, 1)
	r, err := probe.New(probe.Options{
		Now: time.Now, Int64N: func(int64) int64 { return 0 }, Logger: slog.New(slog.DiscardHandler),
		Report: func(s probe.Sighting) {
			select {
			case results <- s.Result:
			default:
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	m.Timeout = 5 * time.Second
	if err := r.Update([]probe.Spec{{Site: "a", Name: "p", Module: m, Target: target, Interval: 5 * time.Second}}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	select {
	case res := <-results:
		return res
	case <-time.After(20 * time.Second):
		t.Fatal("no result within 20s")
		return probe.Result{}
	}
}

func wants(t *testing.T, res probe.Result, success bool, detail string) {
	t.Helper()
	if res.Success != success {
		t.Errorf("success is %t (%s), want %t", res.Success, res.Detail, success)
	}
	if !strings.Contains(res.Detail, detail) {
		t.Errorf("detail %q does not tell %q", res.Detail, detail)
	}
	if success && res.Detail != "" {
		t.Errorf("a success complains: %q", res.Detail)
	}
	if res.At.IsZero() || res.Duration <= 0 || res.Site != "a" || res.Probe != "p" {
		t.Errorf("incomplete result: %+v", res)
	}
}

// module is a module as the configuration makes it: with the defaults.
func module(prober string) config.Module {
	m := config.DefaultModule
	m.Prober = prober
	return m
}

// closedPort is an address where nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestHTTP(t *testing.T) {
	t.Parallel()
	code := http.StatusOK
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }))
	defer s.Close()
	wants(t, first(t, s.URL, module("http")), true, "")
	code = http.StatusServiceUnavailable
	wants(t, first(t, s.URL, module("http")), false, "status_code=503")
	res := first(t, "http://admin:hunter2@"+closedPort(t)+"/?token=s3cret", module("http"))
	wants(t, res, false, "connection refused")
	for _, secret := range []string{"hunter2", "s3cret", "admin"} {
		if strings.Contains(res.Detail, secret) {
			t.Errorf("the detail shows a secret of the target: %q", res.Detail)
		}
	}
}

func TestTCP(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	wants(t, first(t, l.Addr().String(), module("tcp")), true, "")
	wants(t, first(t, closedPort(t), module("tcp")), false, "connection refused")
}

func TestDNS(t *testing.T) {
	t.Parallel()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	up := make(chan struct{})
	s := &dns.Server{PacketConn: pc, NotifyStartedFunc: func() { close(up) }, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		a := new(dns.Msg).SetReply(q)
		if q.Question[0].Name != "site.example." {
			a.Rcode = dns.RcodeNameError
		} else if rr, err := dns.NewRR("site.example. 60 IN A 192.0.2.1"); err == nil {
			a.Answer = append(a.Answer, rr)
		}
		_ = w.WriteMsg(a)
	})}
	go func() { _ = s.ActivateAndServe() }()
	<-up
	defer s.Shutdown()
	m := module("dns")
	m.DNS.QueryName, m.DNS.QueryType = "site.example", "A"
	wants(t, first(t, pc.LocalAddr().String(), m), true, "")
	m.DNS.QueryName = "gone.example"
	wants(t, first(t, pc.LocalAddr().String(), m), false, "NXDOMAIN")
}

func TestGRPC(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, h := grpc.NewServer(), health.NewServer()
	healthpb.RegisterHealthServer(s, h)
	go func() { _ = s.Serve(l) }()
	defer s.Stop()
	m := module("grpc")
	m.GRPC = config.DefaultGRPCProbe
	wants(t, first(t, l.Addr().String(), m), true, "")
	h.SetServingStatus("", healthpb.HealthCheckResponse_NOT_SERVING)
	wants(t, first(t, l.Addr().String(), m), false, "")
}

// Where the machine allows neither raw nor unprivileged ICMP sockets, the prober
// says so itself: a failure with its reason, never silence.
func TestICMP(t *testing.T) {
	t.Parallel()
	res := first(t, "127.0.0.1", module("icmp"))
	if allowed := icmpAllowed(); allowed {
		wants(t, res, true, "")
	} else {
		wants(t, res, false, "Error listening to socket")
	}
}

func icmpAllowed() bool {
	for _, network := range []string{"udp4", "ip4:icmp"} {
		if c, err := icmp.ListenPacket(network, "0.0.0.0"); err == nil {
			c.Close()
			return true
		}
	}
	return false
}
