package evs_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/drwatch/drwatch/internal/provider/evs"
)

// Full pages that never repeat themselves and never end are no account.
func TestPagesWithoutEnd(t *testing.T) {
	const most = 300 // calls, in case nothing else ends it
	calls := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if calls++; calls > most {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		page := make([]object, 1000)
		for i := range page {
			page[i] = object{"id": fmt.Sprintf("group-%d-%d", calls, i)}
		}
		if err := json.NewEncoder(w).Encode(object{"replication_consistency_groups": page}); err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	r, err := evs.NewReader(settings(server.URL))
	if err != nil {
		t.Fatal(err)
	}
	if l, err := r.List(t.Context()); err == nil || len(l.Groups) > 0 || calls > most || !strings.Contains(err.Error(), "pages") {
		t.Errorf("%d groups after %d calls, %v", len(l.Groups), calls, err)
	}
}
