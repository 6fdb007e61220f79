package provider_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/drwatch/drwatch/internal/provider"
)

// The SDK does not get a good answer that nobody reads from it; an error it does,
// and the Exchange has both.
func TestTransportKeepsUnreadAnswersFromTheSDK(t *testing.T) {
	status, text := http.StatusOK, `{"server_groups":[`+strings.Repeat(`{},`, 10000)+`{}]}`
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, text)
	}))
	defer srv.Close()
	tr := provider.NewTransport(provider.TransportOptions{Now: now, Endpoint: srv.URL})
	defer tr.CloseIdleConnections()
	for _, tt := range []struct {
		unread bool
		status int
		want   string
	}{
		{false, http.StatusOK, text},
		{true, http.StatusOK, "{}"},
		{true, http.StatusForbidden, text},
	} {
		status = tt.status
		ex, got, err := post(t.Context(), tr, provider.Op{Name: "Do", Unread: tt.unread}, srv.URL)
		if err != nil || got != tt.want || string(ex.Body) != text {
			t.Errorf("unread %v, status %d: the SDK got %.40q, the exchange %.40q, %v", tt.unread, tt.status, got, ex.Body, err)
		}
	}
}
