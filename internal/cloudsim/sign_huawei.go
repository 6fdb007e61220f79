package cloudsim

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// huaweiScheme is the signature of Huawei Cloud's API gateway ("API Gateway:
// Signing Guide"): AWS's canonical form without its key derivation.
const huaweiScheme = "SDK-HMAC-SHA256"

// verifyHuawei checks the signature of a request with its exact body. The error
// text is what the gateway tells its client.
func verifyHuawei(r *http.Request, body []byte, now time.Time, find func(accessKey string) (Credential, bool)) (Credential, error) {
	access, signed, signature, err := parseHuaweiAuthorization(r.Header.Get("Authorization"))
	if err != nil {
		return Credential{}, err
	}
	key, ok := find(access)
	if !ok {
		return Credential{}, errors.New("get secretKey failed, the access key is not known")
	}
	date := r.Header.Get("X-Sdk-Date")
	t, err := time.Parse("20060102T150405Z", date)
	if err != nil || !slices.Contains(signed, "x-sdk-date") {
		return Credential{}, errors.New("the X-Sdk-Date header is missing, not signed or not of the form yyyyMMddTHHmmssZ")
	}
	if !within(now, t, clockSkew) {
		return Credential{}, fmt.Errorf("signature expired, request time: %s, server time: %s", date, now.UTC().Format("20060102T150405Z"))
	}
	if !key.admits(r.Header.Get("X-Security-Token"), now) {
		return Credential{}, errors.New("the security token is missing, wrong or has expired")
	}
	if key.SecurityToken != "" && !slices.Contains(signed, "x-security-token") {
		return Credential{}, errors.New("the X-Security-Token header is not signed")
	}
	canonical := huaweiCanonical(r, body, signed)
	toSign := huaweiScheme + "\n" + date + "\n" + sha256Hex([]byte(canonical))
	if !sameText(signature, hmacHex(key.SecretKey, toSign)) {
		return Credential{}, errors.New("verify aksk signature fail")
	}
	return key, nil
}

func parseHuaweiAuthorization(h string) (access string, signed []string, signature string, err error) {
	rest, ok := strings.CutPrefix(h, huaweiScheme+" ")
	if !ok {
		return "", nil, "", errors.New("the Authorization header is missing or not of scheme " + huaweiScheme)
	}
	fields := map[string]string{}
	for part := range strings.SplitSeq(rest, ", ") {
		k, v, _ := strings.Cut(part, "=")
		fields[k] = v
	}
	access, signature = fields["Access"], fields["Signature"]
	signed = strings.Split(fields["SignedHeaders"], ";")
	sorted := slices.IsSorted(signed) && strings.ToLower(fields["SignedHeaders"]) == fields["SignedHeaders"]
	if access == "" || signature == "" || fields["SignedHeaders"] == "" || !sorted {
		return "", nil, "", errors.New("the Authorization header wants Access, SignedHeaders (lower case, sorted) and Signature")
	}
	return access, signed, signature, nil
}

func huaweiCanonical(r *http.Request, body []byte, signed []string) string {
	var b strings.Builder
	b.WriteString(r.Method + "\n" + huaweiPath(r.URL.Path) + "\n" + canonicalQuery(r.URL.Query()) + "\n")
	for _, name := range signed {
		value := r.Header.Get(name)
		if name == "host" {
			value = r.Host
		}
		b.WriteString(name + ":" + strings.TrimSpace(value) + "\n")
	}
	payload := r.Header.Get("X-Sdk-Content-Sha256")
	if payload == "" {
		payload = sha256Hex(body)
	}
	b.WriteString("\n" + strings.Join(signed, ";") + "\n" + payload)
	return b.String()
}

// huaweiPath encodes each segment of a decoded path and ends it with a slash.
func huaweiPath(path string) string {
	segments := strings.Split(path, "/")
	for i, s := range segments {
		segments[i] = percent(s)
	}
	out := strings.Join(segments, "/")
	if !strings.HasSuffix(out, "/") {
		out += "/"
	}
	return out
}

// canonicalQuery is every pair, encoded, sorted by key and then by value.
func canonicalQuery(v url.Values) string {
	keys := make([]string, 0, len(v))
	for k := range v {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	var pairs []string
	for _, k := range keys {
		values := slices.Clone(v[k])
		slices.Sort(values)
		for _, x := range values {
			pairs = append(pairs, percent(k)+"="+percent(x))
		}
	}
	return strings.Join(pairs, "&")
}

func sha256Hex(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func hmacHex(key, text string) string {
	m := hmac.New(sha256.New, []byte(key))
	m.Write([]byte(text))
	return hex.EncodeToString(m.Sum(nil))
}
