package huawei_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/drwatch/drwatch/internal/provider"
)

// keeper has one key pair after the other: the next as soon as the one in use
// was refused, if there is a next.
type keeper struct {
	mu      sync.Mutex
	keys    []string
	refused []string
}

func (k *keeper) settings(endpoint string) provider.Settings {
	s := settings(endpoint)
	s.Credentials = func() (provider.Credentials, error) {
		k.mu.Lock()
		defer k.mu.Unlock()
		return provider.Credentials{AccessKey: k.keys[0], SecretKey: secretKey}, nil
	}
	s.Refused = func(c provider.Credentials) {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.refused = append(k.refused, c.AccessKey)
		if len(k.keys) > 1 {
			k.keys = k.keys[1:]
		}
	}
	return s
}

// takes answers with 401 to all keys but one.
func takes(key, answer string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.Header.Get("Authorization"), "Access="+key+",") {
			says(200, answer)(w, r)
			return
		}
		says(401, `{"error_code":"APIGW.0301","error_msg":"Incorrect IAM authentication information"}`)(w, r)
	}
}

// TestKeysThatAreRefused: a read is made once more when other keys have come, an
// action never.
func TestKeysThatAreRefused(t *testing.T) {
	for _, c := range []struct {
		name     string
		keys     []string
		answer   http.HandlerFunc
		action   bool
		requests int
		works    bool
		refused  string // the keys that were told to be
	}{
		{"read, changed", []string{"KEYOLD", "KEYNEW"}, takes("KEYNEW", `{}`), false, 2, true, "KEYOLD"},
		{"read, unchanged", []string{"KEYOLD"}, takes("KEYNEW", `{}`), false, 1, false, "KEYOLD"},
		{"read, the new ones are refused too", []string{"KEYOLD", "KEYNEW", "KEYNEWER"}, takes("KEYNEWER", `{}`), false, 2, false, "KEYOLD"},
		{"read, forbidden", []string{"KEYOLD", "KEYNEW"}, says(403, `{"error_code":"APIGW.0302"}`), false, 1, false, ""},
		{"read, broken", []string{"KEYOLD", "KEYNEW"}, says(500, `{}`), false, 1, false, ""},
		{"action, changed", []string{"KEYOLD", "KEYNEW"}, takes("KEYNEW", `{"job_id":"j-1"}`), true, 1, false, "KEYOLD"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cloud, k := newCloud(t, c.answer), &keeper{keys: c.keys}
			cl := client(t, k.settings(cloud.URL))
			var err error
			if c.action {
				err = cl.Act(t.Context(), action(), nil).Err
			} else {
				_, err = get(t.Context(), cl)
			}
			if (err == nil) != c.works {
				t.Errorf("error %v, want that it works: %v", err, c.works)
			}
			if n := len(cloud.requests()); n != c.requests {
				t.Errorf("%d requests, want %d", n, c.requests)
			}
			if got := strings.Join(k.refused, " "); got != c.refused {
				t.Errorf("told as refused: %q, want %q", got, c.refused)
			}
		})
	}
}
