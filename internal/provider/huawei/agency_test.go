package huawei_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/provider/huawei"
)

const agencyKeys = `{"credential":{"access":"access-hidden","secret":"secret-hidden","securitytoken":"token-hidden","expires_at":"2026-01-02T03:04:05.678000Z"}}`

func assume(t *testing.T, s provider.Settings) (provider.Issued, error) {
	t.Helper()
	a, err := huawei.NewAssumer(s, huawei.Agency{Name: `dr "watch"`, Domain: "production", Duration: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	return a.Assume(t.Context())
}

// TestAssumeAgency shows what goes over the wire: the request that the vendor
// documents, signed, without the project of the account that is looked at.
func TestAssumeAgency(t *testing.T) {
	c := newCloud(t, says(201, agencyKeys))
	got, err := assume(t, settings(c.URL))
	if err != nil {
		t.Fatal(err)
	}
	if got.AccessKey != "access-hidden" || got.SecretKey != "secret-hidden" || got.SecurityToken != "token-hidden" || got.Expires != "2026-01-02T03:04:05.678000Z" {
		t.Error("the keys are not those of the answer")
	}
	if len(c.requests()) != 1 {
		t.Fatalf("%d requests", len(c.requests()))
	}
	r := c.requests()[0]
	want := `{"auth":{"identity":{"assume_role":{"agency_name":"dr \"watch\"","domain_name":"production","duration_seconds":3600},"methods":["assume_role"]}}}`
	if r.method != http.MethodPost || r.uri != "/v3.0/OS-CREDENTIAL/securitytokens" || r.body != want {
		t.Errorf("%s %s %s\nwant %s", r.method, r.uri, r.body, want)
	}
	if p := r.header.Get("X-Project-Id"); p != "" || !strings.HasPrefix(r.header.Get("Authorization"), "SDK-HMAC-SHA256 Access="+accessKey+",") {
		t.Errorf("project %q, header %v", p, r.header)
	}
}

// TestAssumeAgencyFails: an error tells why and never what was answered where
// keys belong, and a refusal of the keys is told to whoever keeps them.
func TestAssumeAgencyFails(t *testing.T) {
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"unknown agency": {says(404, `{"error":{"message":"Could not find agency","code":404,"title":"Not Found"}}`), "Could not find agency"},
		"refused keys":   {says(401, `{"error":{"message":"The request you have made requires authentication.","code":401,"title":"Unauthorized"}}`), "requires authentication"},
		"a page":         {says(200, "<html>access-hidden"), "status 200: the answer is not the JSON that is documented"},
		"cut JSON":       {says(201, agencyKeys[:60]), "the answer is not the JSON that is documented"},
		"a number":       {says(201, strings.Replace(agencyKeys, `"secret-hidden"`, "42", 1)), "the answer is not the JSON that is documented"},
		"a redirect":     {says(302, agencyKeys), "redirect"},
		"a gateway":      {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }, "502"},
	} {
		t.Run(name, func(t *testing.T) {
			cloud, k := newCloud(t, c.answer), &keeper{keys: []string{"KEYBASE"}}
			got, err := assume(t, k.settings(cloud.URL))
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "CreateTemporaryAccessKeyByAgency") {
				t.Errorf("error %v, want one of %q", err, c.want)
			}
			if err != nil && (strings.Contains(err.Error(), "hidden") || strings.Contains(err.Error(), secretKey)) {
				t.Errorf("the error holds a secret: %v", err)
			}
			if got != (provider.Issued{}) {
				t.Error("keys and an error")
			}
			if refused := len(k.refused) == 1; refused != (name == "refused keys") {
				t.Errorf("refused keys: %v", k.refused)
			}
		})
	}
}
