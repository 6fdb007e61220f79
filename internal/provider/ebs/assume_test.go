package ebs_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/provider/ebs"
)

const roleKeys = `{"RequestId":"r","AssumedRoleUser":{"Arn":"a"},"Credentials":{"AccessKeyId":"access-hidden","AccessKeySecret":"secret-hidden","SecurityToken":"token-hidden","Expiration":"2026-01-02T03:04:05Z"}}`

func assume(t *testing.T, s provider.Settings) (provider.Issued, error) {
	t.Helper()
	a, err := ebs.NewAssumer(s, ebs.Role{ARN: "acs:ram::1:role/drwatch", Session: "watch", Duration: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	return a.Assume(t.Context())
}

// TestAssumeRole shows what goes over the wire: the request that the vendor
// documents, signed, of STS's own version.
func TestAssumeRole(t *testing.T) {
	c := newCloud(t, map[string]http.HandlerFunc{"AssumeRole": body(200, roleKeys)})
	got, err := assume(t, c.settings())
	if err != nil {
		t.Fatal(err)
	}
	if got.AccessKey != "access-hidden" || got.SecretKey != "secret-hidden" || got.SecurityToken != "token-hidden" || got.Expires != "2026-01-02T03:04:05Z" {
		t.Error("the keys are not those of the answer")
	}
	asked := c.asked("AssumeRole")
	if len(asked) != 1 {
		t.Fatalf("%d requests", len(asked))
	}
	for name, want := range map[string]string{
		"Version": "2015-04-01", "RoleArn": "acs:ram::1:role/drwatch", "RoleSessionName": "watch", "DurationSeconds": "3600",
		"AccessKeyId": accessKey, "SecurityToken": stsToken, "leaked-header": "", "method": "POST /",
	} {
		if got := asked[0].Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

// TestAssumeRoleFails: an error tells why and never what was answered where keys
// belong, the SDK's panic is an error too, and nothing is asked twice.
func TestAssumeRoleFails(t *testing.T) {
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"unknown role":   {body(404, `{"RequestId":"r","Code":"EntityNotExist.Role","Message":"The role not exists"}`), "EntityNotExist.Role"},
		"not allowed":    {body(403, `{"RequestId":"r","Code":"NoPermission","Message":"You are not authorized to do this action."}`), "NoPermission"},
		"refused keys":   {body(404, `{"RequestId":"r","Code":"InvalidAccessKeyId.NotFound","Message":"no"}`), "InvalidAccessKeyId.NotFound"},
		"numeric code":   {body(500, `{"RequestId":"r","Code":500,"Message":"no"}`), "status 500"},
		"a page":         {body(200, "<html>access-hidden"), "the answer is not the JSON that is documented"},
		"cut JSON":       {body(200, roleKeys[:100]), "the answer is not the JSON that is documented"},
		"no keys":        {body(200, `{"RequestId":"r"}`), "the answer is not the JSON that is documented"},
		"a number":       {body(200, strings.Replace(roleKeys, `"secret-hidden"`, "42", 1)), "the answer is not the JSON that is documented"},
		"success failed": {body(200, `{"RequestId":"r","Code":"Failed","Message":"no"}`), `code "Failed"`},
	} {
		t.Run(name, func(t *testing.T) {
			cloud := newCloud(t, map[string]http.HandlerFunc{"AssumeRole": c.answer})
			s, refused := cloud.settings(), 0
			s.Refused = func(provider.Credentials) { refused++ }
			got, err := assume(t, s)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "AssumeRole") {
				t.Fatalf("error %v, want one of %q", err, c.want)
			}
			for _, secret := range []string{"hidden", accessKey, secretKey, stsToken, "Signature="} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error holds a secret: %v", err)
				}
			}
			if got != (provider.Issued{}) || len(cloud.asked("AssumeRole")) != 1 {
				t.Errorf("keys: %t, %d requests", got != (provider.Issued{}), len(cloud.asked("AssumeRole")))
			}
			if (refused == 1) != (name == "refused keys") {
				t.Errorf("the keys were told to be refused %d times", refused)
			}
		})
	}
}

// TestTheRegionsOwnTokenService: the endpoint of STS is never looked up.
func TestTheRegionsOwnTokenService(t *testing.T) {
	s := newCloud(t, nil).settings()
	s.Endpoint = ""
	a, err := ebs.NewAssumer(s, ebs.Role{})
	if err != nil {
		t.Fatal(err)
	}
	if scheme, domain := ebs.EndpointOfAssumer(a); scheme != "HTTPS" || domain != "sts.cn-beijing.aliyuncs.com" {
		t.Errorf("%s to %q", scheme, domain)
	}
}
