package ebs_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/drwatch/drwatch/internal/provider"
)

// TestKeysThatAreRefused: a read is made once more when other keys have come, an
// action never, and for other refusals neither.
func TestKeysThatAreRefused(t *testing.T) {
	for _, c := range []struct {
		name     string
		code     string
		keys     []string
		requests int // of each of the two lists, or of the action
		works    bool
	}{
		{"withdrawn, changed", "InvalidAccessKeyId.NotFound", []string{"OLD", "NEW"}, 2, true},
		{"expired, changed", "InvalidSecurityToken.Expired", []string{"OLD", "NEW"}, 2, true},
		{"wrong secret, changed", "SignatureDoesNotMatch", []string{"OLD", "NEW"}, 2, true},
		{"withdrawn, unchanged", "InvalidAccessKeyId.NotFound", []string{"OLD"}, 1, false},
		{"withdrawn, the new ones too", "InvalidAccessKeyId.Inactive", []string{"OLD", "OTHER", "NEW"}, 2, false},
		{"forbidden", "Forbidden.RAM", []string{"OLD", "NEW"}, 1, false},
		{"another code of a like name", "InvalidAccessKeyIdea", []string{"OLD", "NEW"}, 1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			takes := func(answer string) http.HandlerFunc {
				return func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Query().Get("AccessKeyId") == "NEW" {
						fmt.Fprint(w, answer)
						return
					}
					w.WriteHeader(http.StatusBadRequest)
					fmt.Fprintf(w, `{"RequestId":"r","Code":%q,"Message":"no"}`, c.code)
				}
			}
			cloud := newCloud(t, map[string]http.HandlerFunc{
				"DescribeDiskReplicaGroups": takes(read(t, "groups.json")), "DescribeDiskReplicaPairs": takes(read(t, "pairs.json")),
				"FailoverDiskReplicaGroup": takes(`{"RequestId":"r"}`),
			})
			var mu sync.Mutex
			keys, refused := c.keys, ""
			s := cloud.settings()
			s.Credentials = func() (provider.Credentials, error) {
				mu.Lock()
				defer mu.Unlock()
				return provider.Credentials{AccessKey: keys[0], SecretKey: secretKey, SecurityToken: stsToken}, nil
			}
			s.Refused = func(used provider.Credentials) {
				mu.Lock()
				defer mu.Unlock()
				refused += used.AccessKey + " "
				if len(keys) > 1 {
					keys = keys[1:]
				}
			}
			_, err := newReader(t, s).List(t.Context())
			if (err == nil) != c.works {
				t.Errorf("error %v, want that it works: %v", err, c.works)
			}
			if n := len(cloud.asked("DescribeDiskReplicaGroups")); n != c.requests {
				t.Errorf("%d requests, want %d", n, c.requests)
			}
			if about := c.requests > 1 || c.name == "withdrawn, unchanged"; about != strings.HasPrefix(refused, "OLD ") {
				t.Errorf("told as refused: %q", refused)
			}

			keys = c.keys
			if r := newActor(t, s).Failover(t.Context(), provider.Request{GroupID: "pg-1", ClientToken: "t-1"}); r.Err == nil {
				t.Error("the action was accepted with keys that are refused")
			}
			if n := len(cloud.asked("FailoverDiskReplicaGroup")); n != 1 {
				t.Errorf("the action was sent %d times", n)
			}
		})
	}
}
