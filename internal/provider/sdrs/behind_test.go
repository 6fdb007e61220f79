package sdrs_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/provider/sdrs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what should come at once.
const patience = 5 * time.Second

// meter calls back for each field that cannot be read, from where it is read.
type meter struct {
	provider.NopMeter
	bad func()
}

func (m meter) DecodeError(provider.Unread) { m.bad() }

// groupsOf starts a cloud with full pages of groups and half of one, each with a
// last item that cannot be read. asked is called with each request for groups.
func groupsOf(t *testing.T, full int, asked func(page int, r *http.Request)) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/server-groups") {
			fmt.Fprint(w, `{"replications":[],"protected_instances":[]}`)
			return
		}
		offset, _ := strconv.Atoi(r.URL.Query().Get("offset"))
		asked(offset/500, r)
		items := []any{}
		for i := offset; i < min(offset+499, full*500+250); i++ {
			items = append(items, object{"id": fmt.Sprintf("g-%05d", i)})
		}
		if err := json.NewEncoder(w).Encode(object{"server_groups": append(items, "no object")}); err != nil && r.Context().Err() == nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	return server
}

func metered(t *testing.T, endpoint string, bad func()) provider.Reader {
	t.Helper()
	s := settings(endpoint)
	s.Meter = meter{bad: bad}
	r, err := sdrs.NewReader(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A page is read while the next one is asked for: neither goes on here before the
// other has begun. Nothing is out of order for that, and nothing counted twice.
func TestAPageIsReadWhileTheNextIsAskedFor(t *testing.T) {
	asked, read := make(chan struct{}, 2), make(chan struct{}, 2)
	meets := func(say chan<- struct{}, hear <-chan struct{}) {
		say <- struct{}{}
		select {
		case <-hear:
		case <-time.After(patience):
			t.Error("one waits for the other")
		}
	}
	server := groupsOf(t, 3, func(page int, _ *http.Request) {
		if page > 0 {
			meets(asked, read)
		}
	})
	var pages, reading atomic.Int32
	r := metered(t, server.URL, func() {
		if reading.Add(1) > 1 {
			t.Error("two pages are read at once")
		}
		defer reading.Add(-1)
		if pages.Add(1) <= 3 { // after the last nothing is asked for
			meets(read, asked)
		}
	})
	l, err := r.List(t.Context())
	if err != nil || len(l.Groups) != 3*499+250 || l.Bad["server_groups"] != 4 || len(l.Bad) != 1 {
		t.Fatalf("%d groups, unreadable %v, %v", len(l.Groups), l.Bad, err)
	}
	var ids []string
	for _, g := range l.Groups {
		ids = append(ids, g.Key.ID)
	}
	if !slices.IsSorted(ids) {
		t.Error("the groups are out of order")
	}
}

// A listing that is given up ends when its reading has: nothing is left behind.
func TestGivingUpWaitsForTheReading(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	server := groupsOf(t, 1, func(page int, r *http.Request) {
		if page == 1 {
			cancel()
			<-r.Context().Done()
		}
	})
	var ended bool // unguarded: the race detector sees it when List does not wait
	r := metered(t, server.URL, func() {
		select {
		case <-ctx.Done():
		case <-time.After(patience):
			t.Error("the next page is not asked for")
		}
		ended = true
	})
	if _, err := r.List(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want context canceled", err)
	}
	if !ended {
		t.Error("the listing ended before its reading")
	}
}

// A page that fails leaves what the page before it counts as it was.
func TestAFailedRequestKeepsTheCounts(t *testing.T) {
	server := groupsOf(t, 1, func(page int, _ *http.Request) {
		if page == 1 {
			panic(http.ErrAbortHandler)
		}
	})
	bad := 0
	if _, err := metered(t, server.URL, func() { bad++ }).List(t.Context()); err == nil || bad != 1 {
		t.Errorf("%d fields unreadable, %v", bad, err)
	}
}

// A panic while a page is read is one of List: its caller can recover from it.
func TestAPanicOfTheReadingIsTheListings(t *testing.T) {
	server := groupsOf(t, 1, func(int, *http.Request) {})
	defer func() {
		if got := recover(); got != "while reading" {
			t.Errorf("recovered %v", got)
		}
	}()
	_, err := metered(t, server.URL, func() { panic("while reading") }).List(t.Context())
	t.Errorf("List returned %v", err)
}

// Only a page of nothing new is a repeated one: a page that begins with an item
// of the last goes on. A first item that is looked at for this counts once.
func TestAMovedPageIsNoRepeatedOne(t *testing.T) {
	calls := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/server-groups") {
			fmt.Fprint(w, `{"replications":[],"protected_instances":[]}`)
			return
		}
		first, n := []int{0, 499, 999}[calls], []int{500, 500, 10}[calls]
		calls++
		var items []object
		for i := range n {
			items = append(items, object{"id": fmt.Sprint("g-", first+i)})
		}
		if first == 0 {
			items[0]["id"] = true
		}
		if err := json.NewEncoder(w).Encode(object{"server_groups": items}); err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	bad := 0
	l, err := metered(t, server.URL, func() { bad++ }).List(t.Context())
	if err != nil || len(l.Groups) != 1008 || calls != 3 || bad != 1 {
		t.Errorf("%d groups in %d calls, %d ids unreadable, %v", len(l.Groups), calls, bad, err)
	}
}
