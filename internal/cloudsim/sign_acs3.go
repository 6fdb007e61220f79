package cloudsim

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// acs3Scheme is Alibaba Cloud's signature V3, which the successor SDK sends
// ("Request syntax and signature method V3").
const acs3Scheme = "ACS3-HMAC-SHA256"

// verifyACS3 checks the V3 signature of a request with its exact body. It does
// not look at the nonce.
func verifyACS3(r *http.Request, body []byte, query url.Values, version string, now time.Time, find func(accessKey string) (Credential, bool)) (Credential, *refusal) {
	incomplete := &refusal{400, "IncompleteSignature", "The request signature does not conform to Aliyun standards."}
	rest, ok := strings.CutPrefix(r.Header.Get("Authorization"), acs3Scheme+" ")
	if !ok {
		return Credential{}, incomplete
	}
	fields := map[string]string{}
	for part := range strings.SplitSeq(rest, ",") {
		k, v, _ := strings.Cut(strings.TrimSpace(part), "=")
		fields[k] = v
	}
	signed := strings.Split(fields["SignedHeaders"], ";")
	if !acs3Covers(r, signed) || fields["Signature"] == "" {
		return Credential{}, incomplete
	}
	if bad := checkAliyunTime(r.Header.Get("X-Acs-Date"), now); bad != nil {
		return Credential{}, bad
	}
	if r.Header.Get("X-Acs-Version") != version {
		return Credential{}, &refusal{400, "InvalidVersion", "Specified parameter Version is not valid."}
	}
	key, ok := find(fields["Credential"])
	if !ok {
		return Credential{}, &refusal{404, "InvalidAccessKeyId.NotFound", "Specified access key is not found."}
	}
	if !key.admits(r.Header.Get("X-Acs-Security-Token"), now) {
		return Credential{}, badSecurityToken(key, now)
	}
	hash := r.Header.Get("X-Acs-Content-Sha256")
	toSign := acs3Scheme + "\n" + sha256Hex([]byte(acs3Canonical(r, query, signed, hash)))
	if hash != sha256Hex(body) || !sameText(fields["Signature"], hmacHex(key.SecretKey, toSign)) {
		return Credential{}, &refusal{
			400, "SignatureDoesNotMatch",
			"Specified signature is not matched with our calculation. server string to sign is:" + toSign,
		}
	}
	return key, nil
}

// acs3Covers tells whether the list of signed headers is sorted and holds
// everything that must be signed.
func acs3Covers(r *http.Request, signed []string) bool {
	if !slices.IsSorted(signed) || !slices.Contains(signed, "host") {
		return false
	}
	for name := range r.Header {
		lower := strings.ToLower(name)
		if (strings.HasPrefix(lower, "x-acs-") || lower == "content-type") && !slices.Contains(signed, lower) {
			return false
		}
	}
	for _, name := range []string{"x-acs-action", "x-acs-version", "x-acs-date", "x-acs-signature-nonce", "x-acs-content-sha256"} {
		if r.Header.Get(name) == "" {
			return false
		}
	}
	return true
}

func acs3Canonical(r *http.Request, query url.Values, signed []string, hash string) string {
	var b strings.Builder
	path := strings.TrimSuffix(huaweiPath(r.URL.Path), "/")
	if path == "" {
		path = "/"
	}
	b.WriteString(r.Method + "\n" + path + "\n" + canonicalQuery(query) + "\n")
	for _, name := range signed {
		value := r.Header.Get(name)
		if name == "host" {
			value = r.Host
		}
		b.WriteString(name + ":" + strings.TrimSpace(value) + "\n")
	}
	b.WriteString("\n" + strings.Join(signed, ";") + "\n" + hash)
	return b.String()
}
