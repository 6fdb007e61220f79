package cloudsim

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // The vendor's scheme is HMAC-SHA1.
	"encoding/base64"
	"net/url"
	"time"
)

// The versions of the APIs of EBS and STS.
const (
	aliyunVersion = "2021-07-30"
	stsVersion    = "2015-04-01"
)

// version is the one that the endpoint's API has.
func (e Endpoint) version() string {
	if e.Provider == AliyunSTS {
		return stsVersion
	}
	return aliyunVersion
}

// aliyunTime is the form of a signature's time.
const aliyunTime = "2006-01-02T15:04:05Z"

// refusal is an error of Alibaba Cloud's gateway.
type refusal struct {
	status        int
	code, message string
}

// verifyRPC checks a request of the RPC style, signature version 1.0 ("Request
// syntax and signature method V1"). All parameters stand in the query or in the
// form body; headers are not signed. It does not look at the nonce.
func verifyRPC(method string, params url.Values, version string, now time.Time, find func(accessKey string) (Credential, bool)) (Credential, *refusal) {
	if r := checkRPCForm(params, version, now); r != nil {
		return Credential{}, r
	}
	key, ok := find(params.Get("AccessKeyId"))
	if !ok {
		return Credential{}, &refusal{404, "InvalidAccessKeyId.NotFound", "Specified access key is not found."}
	}
	if !key.admits(params.Get("SecurityToken"), now) {
		return Credential{}, badSecurityToken(key, now)
	}
	toSign := rpcStringToSign(method, params)
	m := hmac.New(sha1.New, []byte(key.SecretKey+"&"))
	m.Write([]byte(toSign))
	if !sameText(params.Get("Signature"), base64.StdEncoding.EncodeToString(m.Sum(nil))) {
		return Credential{}, &refusal{
			400, "SignatureDoesNotMatch",
			"Specified signature is not matched with our calculation. server string to sign is:" + toSign,
		}
	}
	return key, nil
}

func checkRPCForm(params url.Values, version string, now time.Time) *refusal {
	for name, values := range params {
		if len(values) > 1 {
			return &refusal{400, "InvalidParameter", "The parameter " + name + " is given more than once."}
		}
	}
	for _, name := range []string{"Action", "Version", "AccessKeyId", "Signature", "SignatureMethod", "SignatureVersion", "SignatureNonce", "Timestamp"} {
		if params.Get(name) == "" {
			if name == "Signature" || name == "SignatureMethod" || name == "SignatureVersion" {
				return &refusal{400, "IncompleteSignature", "The request signature does not conform to Aliyun standards: " + name + " is missing."}
			}
			return &refusal{400, "Missing" + name, name + " is mandatory for this action."}
		}
	}
	if params.Get("SignatureMethod") != "HMAC-SHA1" || params.Get("SignatureVersion") != "1.0" {
		return &refusal{400, "IncompleteSignature", "The request signature does not conform to Aliyun standards: want HMAC-SHA1, version 1.0."}
	}
	if params.Get("Format") != "JSON" {
		return &refusal{400, "InvalidParameter.Format", "Only the format JSON is served."}
	}
	if params.Get("Version") != version {
		return &refusal{400, "InvalidVersion", "Specified parameter Version is not valid."}
	}
	return checkAliyunTime(params.Get("Timestamp"), now)
}

func checkAliyunTime(text string, now time.Time) *refusal {
	t, err := time.Parse(aliyunTime, text)
	if err != nil {
		return &refusal{400, "InvalidTimeStamp.Format", "Specified time stamp or date value is not well formatted."}
	}
	if !within(now, t, clockSkew) {
		return &refusal{400, "InvalidTimeStamp.Expired", "Specified time stamp or date value is expired."}
	}
	return nil
}

func badSecurityToken(key Credential, now time.Time) *refusal {
	if !key.Expires.IsZero() && !now.Before(key.Expires) {
		return &refusal{400, "InvalidSecurityToken.Expired", "Specified SecurityToken is expired."}
	}
	return &refusal{400, "InvalidSecurityToken.MismatchWithAccessKey", "Specified SecurityToken mismatch with the AccessKey."}
}

func rpcStringToSign(method string, params url.Values) string {
	signed := url.Values{}
	for name, values := range params {
		if name != "Signature" {
			signed[name] = values
		}
	}
	return method + "&%2F&" + percent(canonicalQuery(signed))
}
