package cloudsim_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/cloudsim"
)

// The vectors were made by other implementations of the three schemes; the
// simulator must find them authentic, and must not once one character differs.
func TestHuaweiVectors(t *testing.T) {
	const token = "example-token"
	for _, tc := range []struct {
		name, method, path, query, body, token, signature string
		status                                            int
	}{
		{
			"H1", "POST", "/server-groups/40df180b-9fe2-471a-8c64-1b758dc84189/action", "", "{\"failover-server-group\":{}}\n", "",
			"92ba9eaa1fbc3bf4196f5f9d912c7bd19554fbd6f552bd8fba4200d8146bbfe2", 200,
		},
		{
			"H2", "GET", "/server-groups", "limit=100&name=" + url.QueryEscape("a b+c&=~中") + "&offset=0", "", token,
			"9a21fe4fedfb78fe4238db14be35182b1e1393c9d22a1bdb3d08aebd70d26052", 200,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			key := cloudsim.Credential{AccessKey: "EXAMPLEAK0000000000A", SecretKey: "example-secret-key-0000000000000000000000", SecurityToken: tc.token}
			l := newLab(t, func(o *cloudsim.Options) { o.Credentials = []cloudsim.Credential{key} })
			must(t)(l.cloud.AddSDRS(cloudsim.SDRSGroup{ID: "40df180b-9fe2-471a-8c64-1b758dc84189", Source: northA, Target: northB, Pairs: 1}))
			ask := func(signature, body string, change func(http.Header)) reply {
				req, err := http.NewRequest(tc.method, l.cloud.URL(cloudsim.EndpointSDRS)+"/v1/"+cloudsim.ProjectID+tc.path+"?"+tc.query, strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				signed := "user-agent;x-project-id;x-sdk-date"
				if tc.token != "" {
					signed += ";x-security-token"
					req.Header.Set("X-Security-Token", tc.token)
				}
				req.Header.Set("User-Agent", "huaweicloud-usdk-go/3.0; drwatch/1")
				req.Header.Set("X-Project-Id", cloudsim.ProjectID)
				req.Header.Set("X-Sdk-Date", "20260102T030405Z")
				req.Header.Set("Authorization", "SDK-HMAC-SHA256 Access=EXAMPLEAK0000000000A, SignedHeaders="+signed+", Signature="+signature)
				change(req.Header)
				return l.send(req)
			}
			same := func(http.Header) {}
			l.want(ask("0"+tc.signature[1:], tc.body, same), 401, "APIGW.0301")
			l.want(ask(tc.signature, tc.body+" ", same), 401, "APIGW.0301")
			l.want(ask(tc.signature, tc.body, func(h http.Header) { h.Set("User-Agent", "other") }), 401, "verify aksk signature fail")
			if tc.token != "" {
				l.want(ask(tc.signature, tc.body, func(h http.Header) { h.Set("X-Security-Token", "stolen") }), 401, "security token")
			}
			r := l.want(ask(tc.signature, tc.body, same), tc.status, "")
			if r.header.Get("X-Request-Id") == "" || r.header.Get("Date") != start.Format(http.TimeFormat) {
				t.Errorf("headers %v", r.header)
			}
			l.clock.move(15*time.Minute + time.Second)
			l.want(ask(tc.signature, tc.body, same), 401, "signature expired")
		})
	}
}

func TestRPCVector(t *testing.T) {
	l := newLab(t, func(o *cloudsim.Options) {
		o.Credentials = []cloudsim.Credential{{AccessKey: "EXAMPLEAKID", SecretKey: "example-secret"}}
	})
	l.clock.move(time.Date(2026, 11, 20, 4, 54, 12, 0, time.UTC).Sub(start))
	must(t)(l.cloud.AddEBS(cloudsim.EBSGroup{ID: "pg-a b*~/é", Source: beijing, Target: shanghai, Pairs: 1}))
	vector := func() url.Values {
		return url.Values{
			"AccessKeyId": {"EXAMPLEAKID"}, "Action": {"FailoverDiskReplicaGroup"}, "ClientToken": {"123e4567-e89b-12d3-a456-426655440000"},
			"Format": {"JSON"}, "RegionId": {"cn-shanghai"}, "ReplicaGroupId": {"pg-a b*~/é"}, "SignatureMethod": {"HMAC-SHA1"},
			"SignatureNonce": {"c564adade2d7fe4459c82984a9435aa4"}, "SignatureType": {""}, "SignatureVersion": {"1.0"},
			"Timestamp": {"2026-11-20T04:54:12Z"}, "Version": {"2021-07-30"}, "Signature": {"ovesT9Z7qHflJKqGdXVBIe4OkBM="},
		}
	}
	ask := func(p url.Values, inBody bool) reply {
		u, body := l.cloud.URL(cloudsim.EndpointEBSStandby)+"/", ""
		if inBody {
			body = p.Encode()
		} else {
			u += "?" + p.Encode()
		}
		req, err := http.NewRequest("POST", u, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return l.send(req)
	}
	for name, tc := range map[string]struct {
		change func(url.Values)
		status int
		code   string
	}{
		"another parameter": {func(p url.Values) { p.Set("ReplicaGroupId", "pg-b") }, 400, "server string to sign is:POST&%2F&AccessKeyId%3DEXAMPLEAKID"},
		"another signature": {func(p url.Values) { p.Set("Signature", "AAAA") }, 400, "SignatureDoesNotMatch"},
		"no signature":      {func(p url.Values) { p.Del("Signature") }, 400, "IncompleteSignature"},
		"unknown key":       {func(p url.Values) { p.Set("AccessKeyId", "nobody") }, 404, "InvalidAccessKeyId.NotFound"},
		"odd time":          {func(p url.Values) { p.Set("Timestamp", "yesterday") }, 400, "InvalidTimeStamp.Format"},
		"old time":          {func(p url.Values) { p.Set("Timestamp", "2026-11-20T04:39:11Z") }, 400, "InvalidTimeStamp.Expired"},
		"no nonce":          {func(p url.Values) { p.Del("SignatureNonce") }, 400, "MissingSignatureNonce"},
		"given twice":       {func(p url.Values) { p.Add("RegionId", "cn-beijing") }, 400, "InvalidParameter"},
	} {
		p := vector()
		tc.change(p)
		t.Run(name, func(t *testing.T) { l.at(t).want(ask(p, false), tc.status, tc.code) })
	}
	l.want(ask(vector(), true), 200, "RequestId")
	l.want(ask(vector(), false), 400, "SignatureNonceUsed")
}

func TestACS3Vector(t *testing.T) {
	l := newLab(t, func(o *cloudsim.Options) {
		o.Credentials = []cloudsim.Credential{{AccessKey: "EXAMPLEAKID", SecretKey: "example-secret"}}
	})
	must(t)(l.cloud.AddEBS(cloudsim.EBSGroup{ID: "pg-a b*~/é", Source: beijing, Target: shanghai, Pairs: 1}))
	ask := func(change func(*http.Request)) reply {
		p := url.Values{"ClientToken": {"123e4567-e89b-12d3-a456-426655440000"}, "Empty": {""}, "RegionId": {"cn-shanghai"}, "ReplicaGroupId": {"pg-a b*~/é"}}
		req, err := http.NewRequest("POST", l.cloud.URL(cloudsim.EndpointEBSStandby)+"/?"+p.Encode(), nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = "ebs.cn-shanghai.aliyuncs.com"
		for k, v := range map[string]string{
			"x-acs-action": "FailoverDiskReplicaGroup", "x-acs-content-sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
			"x-acs-date": "2026-01-02T03:04:05Z", "x-acs-signature-nonce": "c564adade2d7fe4459c82984a9435aa4", "x-acs-version": "2021-07-30",
		} {
			req.Header.Set(k, v)
		}
		req.Header.Set("Authorization", "ACS3-HMAC-SHA256 Credential=EXAMPLEAKID,SignedHeaders=host;x-acs-action;x-acs-content-sha256;"+
			"x-acs-date;x-acs-signature-nonce;x-acs-version,Signature=ddeb375b712f857aca3567e20a46417050493a69130e360abe07536c7623a67e")
		change(req)
		return l.send(req)
	}
	l.want(ask(func(r *http.Request) { r.Host = "elsewhere.example.com" }), 400, "SignatureDoesNotMatch")
	l.want(ask(func(r *http.Request) { r.Header.Set("x-acs-extra", "unsigned") }), 400, "IncompleteSignature")
	l.want(ask(func(*http.Request) {}), 200, "RequestId")
	l.want(ask(func(*http.Request) {}), 400, "SignatureNonceUsed")
}

func TestCredentials(t *testing.T) {
	l := newLab(t, func(o *cloudsim.Options) {
		o.Credentials = []cloudsim.Credential{
			{AccessKey: cloudsim.AccessKey, SecretKey: cloudsim.SecretKey},
			{AccessKey: "READER", SecretKey: "r", ReadOnly: true},
			{AccessKey: "EXPIRED", SecretKey: "e", Expires: start},
		}
	})
	id := must(t)(l.cloud.AddSDRS(cloudsim.SDRSGroup{Source: northA, Target: northB, Pairs: 1}))
	by := func(ak, sk, method, path, body string) reply {
		req, err := http.NewRequest(method, l.cloud.URL(cloudsim.EndpointSDRS)+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		signHuawei(req, body, ak, sk, l.clock.now())
		return l.send(req)
	}
	const list = "/v1/" + cloudsim.ProjectID + "/server-groups"
	l.want(by("READER", "r", "GET", list, ""), 200, id)
	l.want(by("READER", "r", "POST", list+"/"+id+"/action", `{"failover-server-group":{}}`), 403, "APIGW.0302")
	l.want(by("EXPIRED", "e", "GET", list, ""), 401, "APIGW.0301")
	l.want(by("NOBODY", "n", "GET", list, ""), 401, "APIGW.0301")
	l.want(by(cloudsim.AccessKey, cloudsim.SecretKey, "GET", "/v1/%7Bproject_id%7D/server-groups", ""), 401, "project")
	l.want(by(cloudsim.AccessKey, cloudsim.SecretKey, "GET", "/v1/"+cloudsim.ProjectID+"/nothing", ""), 404, "APIGW.0101")
	l.clock.move(time.Hour)
	l.wantStatus(id, "protected", northA)
	if e := l.cloud.Effects(); len(e) != 1 || e[0].Verdict != cloudsim.Rejected || e[0].Status != 403 {
		t.Errorf("effects %+v", e)
	}
}
