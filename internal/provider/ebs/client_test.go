package ebs_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/provider/ebs"
	"github.com/drwatch/drwatch/internal/replication"
)

// The SDK's default scheme is HTTP, and without a domain it asks a service of
// another region where to call: neither may depend on the configuration.
func TestTheRegionsOwnEndpoint(t *testing.T) {
	s := secondary(newCloud(t, nil))
	s.Endpoint = ""
	if scheme, domain := ebs.EndpointOf(newActor(t, s)); scheme != "HTTPS" || domain != "ebs.cn-shanghai.aliyuncs.com" {
		t.Errorf("%s to %q", scheme, domain)
	}
}

// What the endpoint calls https is spoken to in TLS, and in nothing else: the
// query has the access key in it.
func TestHTTPSIsTLS(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	first := make(chan byte, 1)
	go func() {
		defer close(first)
		if conn, err := l.Accept(); err == nil {
			var b [1]byte
			if _, err := io.ReadFull(conn, b[:]); err == nil {
				first <- b[0]
			}
			_ = conn.Close()
		}
	}()
	s := secondary(newCloud(t, nil))
	s.Endpoint = "https://" + l.Addr().String()
	got := newActor(t, s).Failover(t.Context(), request)
	_ = l.Close()
	const handshake = 0x16
	if b := <-first; b != handshake || got.Outcome != replication.NotSent {
		t.Errorf("the first byte was %#x, %+v", b, got)
	}
}

// A kept-alive connection may be dying, and a header that calls a request
// repeatable makes net/http send it again on another.
func TestFailoverHasAConnectionOfItsOwn(t *testing.T) {
	var mu sync.Mutex
	var peers []string
	c := newCloud(t, map[string]http.HandlerFunc{
		"DescribeDiskReplicaGroups": file(t, "groups.json"), "DescribeDiskReplicaPairs": file(t, "pairs.json"),
		"FailoverDiskReplicaGroup": func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			peers = append(peers, r.RemoteAddr)
			mu.Unlock()
			for _, name := range []string{"Idempotency-Key", "X-Idempotency-Key"} {
				if _, has := r.Header[name]; has {
					t.Errorf("the header %s was sent", name)
				}
			}
			body(200, `{"RequestId":"r"}`)(w, r)
		},
	})
	a := newActor(t, secondary(c))
	for range 3 {
		if got := a.Failover(t.Context(), request); got.Outcome != replication.Accepted {
			t.Fatalf("result %+v", got)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if len(peers) != 3 || peers[0] == peers[1] || peers[1] == peers[2] {
		t.Errorf("three failovers came from %v", peers)
	}
}

// The SDK keeps a request's timeout for all requests after it.
func TestAShortCallDoesNotShortenTheNext(t *testing.T) {
	hang := make(chan struct{})
	var calls atomic.Int32
	groups := file(t, "groups.json")
	c := newCloud(t, map[string]http.HandlerFunc{
		"DescribeDiskReplicaGroups": func(w http.ResponseWriter, r *http.Request) {
			if calls.Add(1) == 1 {
				<-hang
				return
			}
			<-time.After(150 * time.Millisecond)
			groups(w, r)
		},
		"DescribeDiskReplicaPairs": file(t, "pairs.json"),
	})
	r := newReader(t, c.settings())
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := r.List(ctx)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the short call: %v", err)
	}
	close(hang)
	if _, err := r.List(t.Context()); err != nil {
		t.Errorf("the call after it: %v", err)
	}
}

// Calls of one Actor at the same time: the SDK's client is not made for that.
func TestFailoverIsSafeForConcurrentUse(t *testing.T) {
	c := newCloud(t, map[string]http.HandlerFunc{"FailoverDiskReplicaGroup": body(200, `{"RequestId":"r"}`)})
	a := newActor(t, secondary(c))
	var wg sync.WaitGroup
	for _, group := range []string{"pg-1", "pg-2", "pg-3", "pg-4", "pg-5", "pg-6"} {
		wg.Go(func() {
			req := request
			req.GroupID = group
			if got := a.Failover(t.Context(), req); got.Outcome != replication.Accepted {
				t.Errorf("%s: %+v", group, got)
			}
		})
	}
	wg.Wait()
	asked := map[string]int{}
	for _, q := range c.asked("FailoverDiskReplicaGroup") {
		asked[q.Get("ReplicaGroupId")+" "+q.Get("ClientToken")]++
	}
	if len(asked) != 6 {
		t.Errorf("asked %v, want each group once", asked)
	}
}
