package sdrs_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/drwatch/drwatch/internal/provider/sdrs"
)

// A full last page is known to be the last when count can only be the total. In
// every other reading of count a page is asked for that comes empty: nothing may
// be missed.
func TestFullLastPage(t *testing.T) {
	for name, tt := range map[string]struct {
		groups int
		count  func(total, page int) any
		calls  int
	}{
		"count is the total":         {1000, func(total, _ int) any { return total }, 2},
		"count is that of the page":  {1000, func(_, page int) any { return page }, 3},
		"one page, either reading":   {500, func(total, _ int) any { return total }, 2},
		"count is too small":         {1500, func(int, int) any { return 700 }, 4},
		"count is too large":         {1000, func(int, int) any { return 1700 }, 3},
		"count is not told":          {1000, func(int, int) any { return nil }, 3},
		"count is no number":         {1000, func(int, int) any { return "many" }, 3},
		"count is a number in words": {1000, func(total, _ int) any { return strconv.Itoa(total) }, 2},
	} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !strings.HasSuffix(r.URL.Path, "/server-groups") {
					fmt.Fprint(w, `{"replications":[],"protected_instances":[],"count":0}`)
					return
				}
				calls++
				limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
				offset, _ := strconv.Atoi(r.URL.Query().Get("offset"))
				page := []object{}
				for i := offset; i < min(offset+limit, tt.groups); i++ {
					page = append(page, object{"id": fmt.Sprint("group-", i), "status": "protected"})
				}
				if err := json.NewEncoder(w).Encode(object{"server_groups": page, "count": tt.count(tt.groups, len(page))}); err != nil {
					t.Error(err)
				}
			}))
			defer server.Close()
			r, err := sdrs.NewReader(settings(server.URL))
			if err != nil {
				t.Fatal(err)
			}
			l, err := r.List(t.Context())
			if err != nil || len(l.Groups) != tt.groups {
				t.Errorf("%d groups, %v; want %d", len(l.Groups), err, tt.groups)
			}
			if calls != tt.calls {
				t.Errorf("%d calls, want %d", calls, tt.calls)
			}
		})
	}
}

// Full pages that never repeat themselves and never end are no account.
func TestPagesWithoutEnd(t *testing.T) {
	const most = 300 // calls, in case nothing else ends it
	calls := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if calls++; calls > most {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		page := make([]object, 500)
		for i := range page {
			page[i] = object{"id": fmt.Sprintf("group-%d-%d", calls, i)}
		}
		if err := json.NewEncoder(w).Encode(object{"server_groups": page}); err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	r, err := sdrs.NewReader(settings(server.URL))
	if err != nil {
		t.Fatal(err)
	}
	if l, err := r.List(t.Context()); err == nil || len(l.Groups) > 0 || calls > most || !strings.Contains(err.Error(), "pages") {
		t.Errorf("%d groups after %d calls, %v", len(l.Groups), calls, err)
	}
}
