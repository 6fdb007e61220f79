package credentials_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/cloudsim"
)

// issuing is both clouds' metadata service. It makes new keys known to the
// clouds each time, and they end there as well.
type issuing struct {
	*httptest.Server
	cloud *cloudsim.Cloud
	life  time.Duration

	mu     sync.Mutex
	known  []cloudsim.Credential
	issued map[string]int
}

func newIssuing(t *testing.T, c *cloudsim.Cloud, life time.Duration) *issuing {
	s := &issuing{cloud: c, life: life, issued: map[string]int{}}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *issuing) issue(cloud string) cloudsim.Credential {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.issued[cloud]++
	k := key(len(s.known))
	k.SecurityToken, k.Expires = fmt.Sprintf("token-hidden-%d", len(s.known)), time.Now().Add(s.life)
	s.known = append(s.known, k)
	s.cloud.SetCredentials(s.known...)
	return k
}

func (s *issuing) count(cloud string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.issued[cloud]
}

func (s *issuing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	const roles = "/latest/meta-data/ram/security-credentials/"
	switch r.Method + " " + r.URL.Path {
	case "PUT /meta-data/latest/api/token", "PUT /latest/api/token":
		_, _ = io.WriteString(w, "session-hidden")
	case "GET " + roles:
		_, _ = io.WriteString(w, "drwatch-reader")
	case "GET /openstack/latest/securitykey":
		k := s.issue("huawei")
		_ = json.NewEncoder(w).Encode(map[string]any{"credential": map[string]string{
			"access": k.AccessKey, "secret": k.SecretKey, "securitytoken": k.SecurityToken, "expires_at": k.Expires.UTC().Format("2006-01-02T15:04:05.000000Z"),
		}})
	case "GET " + roles + "drwatch-reader":
		k := s.issue("aliyun")
		_ = json.NewEncoder(w).Encode(map[string]string{
			"AccessKeyId": k.AccessKey, "AccessKeySecret": k.SecretKey, "SecurityToken": k.SecurityToken,
			"Expiration": k.Expires.UTC().Format(time.RFC3339), "Code": "Success",
		})
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// TestMetadataKeys runs on keys that live for ten seconds: no poll is lost when
// they are renewed, accounts of one cloud share them, and /metrics tells when
// they end. One account may not act.
func TestMetadataKeys(t *testing.T) {
	const life = 10 * time.Second
	c := newClouds(t, cloudsim.Options{})
	s := newIssuing(t, c, life)
	accounts := 0
	d := start(t, c, s.URL, func(account doc) {
		accounts++
		account["credentials"] = doc{"metadata": true}
		if accounts == 1 {
			account["action_credentials"] = "none"
		}
	})
	d.up()
	if h, a := s.count("huawei"), s.count("aliyun"); h != 1 || a != 1 {
		t.Errorf("asked %d times for Huawei and %d for Alibaba at the start, want once each", h, a)
	}
	d.further(7)
	if log := d.logs.String(); strings.Contains(log, "poll is not complete") {
		t.Error("a poll was lost")
	}
	if h, a := s.count("huawei"), s.count("aliyun"); h < 3 || a < 3 || h > 6 || a > 6 {
		t.Errorf("asked %d times for Huawei and %d for Alibaba in about 14s, want about every %s", h, a, life/2)
	}

	ends := d.series("drwatch_credentials_expiry_timestamp_seconds")
	for labels, v := range ends {
		if left := time.Until(time.UnixMilli(int64(v * 1000))); left < 0 || left > life {
			t.Errorf("%s ends in %s", labels, left)
		}
	}
	read, act := 0, 0
	for labels := range ends {
		read += strings.Count(labels, `use="read"`)
		act += strings.Count(labels, `use="act"`)
	}
	if read != accounts || act != accounts-1 {
		t.Errorf("%d ends for reading and %d for acting are told, want %d and %d: %v", read, act, accounts, accounts-1, ends)
	}
	d.noSecrets("HIDDEN", "hidden")
}

// TestReloadKeepsKeys: keys that live are not asked for again.
func TestReloadKeepsKeys(t *testing.T) {
	c := newClouds(t, cloudsim.Options{})
	s := newIssuing(t, c, time.Hour)
	d := start(t, c, s.URL, func(account doc) { account["credentials"] = doc{"metadata": true} })
	d.up()
	d.do(http.MethodPost, "/-/reload")
	d.further(2)
	if h, a := s.count("huawei"), s.count("aliyun"); h != 1 || a != 1 {
		t.Errorf("asked %d times for Huawei and %d for Alibaba, want once each", h, a)
	}
}

// TestActionKeysAreNotLoaded gives the metadata service to actions only: without
// a claim nothing is asked there, and no end is told.
func TestActionKeysAreNotLoaded(t *testing.T) {
	c := newClouds(t, cloudsim.Options{})
	s := newIssuing(t, c, time.Hour)
	d := start(t, c, s.URL, func(account doc) { account["action_credentials"] = doc{"metadata": true} })
	d.up()
	d.further(2)
	if h, a := s.count("huawei"), s.count("aliyun"); h != 0 || a != 0 {
		t.Errorf("asked %d times for Huawei and %d for Alibaba without a claim", h, a)
	}
	if ends := d.series("drwatch_credentials_expiry_timestamp_seconds"); len(ends) != 0 {
		t.Errorf("ends are told of keys in files: %v", ends)
	}
}
