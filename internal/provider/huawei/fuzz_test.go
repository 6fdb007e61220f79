package huawei_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/provider/huawei"
	"github.com/drwatch/drwatch/internal/provider/providertest"
)

func FuzzErrorBody(f *testing.F) {
	f.Add(400, `{"badrequest":{"message":"m","code":"SDRS.1013"}}`)
	f.Add(404, `{"itemNotFound":{"message":"gone","code":404}}`)
	f.Add(429, `{"error_code":"APIGW.0308","error_msg":"m","details":[{"error_code":1}]}`)
	f.Add(500, `{"a":{"b":{"c":{}}}}`)
	f.Add(401, `{"error_code":"SECRET","error_msg":"Authorization: SECRET","encoded_authorization_message":"SECRET"}`)
	f.Add(403, `{"a":{"message":"SECRET"},"b":{"message":"SECRET\u001b[2J"}}`)
	f.Add(418, `SECRET`)
	c := providertest.Serve(f)
	s := settings(c.URL)
	s.Credentials = providertest.Keys
	cl, err := huawei.NewClient(s)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 400 || status > 599 {
			return
		}
		defer providertest.Soon(t, time.Now)()
		body = providertest.Plant(body)
		c.SayStatus("/v1/"+project+"/things", status, body)
		_, err := get(t.Context(), cl)
		providertest.Silent(t, err, providertest.Token())
		if e, ok := errors.AsType[*huawei.Error](err); !ok || e.Status != status || len(err.Error()) > 2000 {
			t.Errorf("%d %q: %v", status, body, err)
		}
		if errors.Is(err, provider.ErrNotFound) && status/100 != 4 && !strings.Contains(body, "itemNotFound") && !strings.ContainsAny(body, `.\`) {
			t.Errorf("%d %q: not found", status, body)
		}
		a := action()
		c.SayStatus(strings.ReplaceAll(a.Path, "{project_id}", project), status, body)
		r := cl.Act(t.Context(), a, nil)
		providertest.Result(t, status, r)
		if r.Err == nil || status >= 500 && r.Outcome != "unknown" {
			t.Errorf("%d %q: %+v", status, body, r)
		}
	})
}

// FuzzAssume is about the answer that has keys in it: they are taken whole or not at
// all, and no word of it gets into an error.
func FuzzAssume(f *testing.F) {
	f.Add(201, `{"credential":{"access":"A","secret":"SECRET","securitytoken":"t","expires_at":"2026-01-02T03:04:05.000000Z"}}`)
	f.Add(200, `{"credential":{"access":7,"secret":"SECRET"}}`)
	f.Add(200, `{"credential":"SECRET"}`)
	f.Add(400, `{"error":{"code":400,"message":"SECRET","title":"Bad Request"}}`)
	f.Add(500, `SECRET`)
	c := providertest.Serve(f)
	s := settings(c.URL)
	s.Credentials = providertest.Keys
	a, err := huawei.NewAssumer(s, huawei.Agency{Name: "n", Domain: "d", Duration: time.Hour})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 599 {
			return
		}
		defer providertest.Soon(t, time.Now)()
		body = providertest.Plant(body)
		c.SayStatus("/v3.0/OS-CREDENTIAL/securitytokens", status, body)
		issued, err := a.Assume(t.Context())
		providertest.Silent(t, err, providertest.Token())
		if err != nil && issued != (provider.Issued{}) {
			t.Errorf("%d %q: keys, and the error %v", status, body, err)
		}
		if err == nil && status/100 != 2 {
			t.Errorf("%d %q: no error", status, body)
		}
		if status/100 == 2 && err != nil && len(body) > 60 && strings.Contains(err.Error(), body[:60]) {
			t.Errorf("%d: the error repeats an answer that may have keys in it: %v", status, err)
		}
	})
}
