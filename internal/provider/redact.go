package provider

import (
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	redacted     = "[redacted]"
	maxErrorText = 500      // bytes of an error that comes from outside
	maxScanned   = 64 << 10 // bytes looked at before that
)

var (
	urlQuery = regexp.MustCompile(`\?[^\s"']*=[^\s"']*`)
	named    = regexp.MustCompile(`(?i)((?:access_?key_?(?:id|secret)?|secret_?key|security_?token|x-security-token|x-auth-token|authorization|signature|credential)["']?\s*(?:=|:|%3D|%253D)\s*["']?|\baccess=)(?:(?:bearer|basic)\s+)?[^\s"',;&]+`)
)

// Secrets lists what must never be shown of these credentials: the key id too.
func (c Credentials) Secrets() []string {
	return []string{c.AccessKey, c.SecretKey, c.SecurityToken}
}

// String shows nothing of the credentials, whatever verb prints them.
func (c Credentials) String() string { return redacted }

// GoString shows nothing of the credentials.
func (c Credentials) GoString() string { return redacted }

// Redact is err as one line for logs, records and pages: without the secrets
// given, without anything named like one, and without any URL's query. The
// result still answers errors.Is for what err was made of, but does not unwrap
// to it: what is inside may hold a secret. Look at SDK errors before.
func Redact(err error, secrets ...string) error {
	if err == nil {
		return nil
	}
	return &safeError{
		text: RedactText(err.Error(), secrets...),
		is:   func(target error) bool { return errors.Is(err, target) },
	}
}

type safeError struct {
	text string
	is   func(error) bool
}

func (e *safeError) Error() string        { return e.text }
func (e *safeError) Is(target error) bool { return e.is(target) }

// RedactText does to a text what Redact does to an error. The result is one
// line of at most 500 bytes.
func RedactText(text string, secrets ...string) string {
	cut, longest := len(text) > maxScanned, 0
	if cut {
		text = text[:maxScanned]
	}
	for _, s := range secrets {
		for _, form := range forms(s) {
			text = strings.ReplaceAll(text, form, redacted)
		}
		if p := spelled(s); p != nil {
			text = p.ReplaceAllLiteralString(text, redacted)
		}
		longest = max(longest, len(s))
	}
	if cut { // it may end within a secret, of which each byte may take six
		text = text[:max(0, len(text)-6*longest)]
	}
	text = urlQuery.ReplaceAllString(text, "?"+redacted)
	text = named.ReplaceAllString(text, "${1}"+redacted)
	return oneLine(text)
}

// forms are the ways a secret is written in URLs and in a string to sign. A
// secret under four bytes is no secret and would tear texts apart.
func forms(secret string) []string {
	if len(secret) < 4 {
		return nil
	}
	once := url.QueryEscape(secret)
	percent := strings.ReplaceAll(once, "+", "%20")
	return []string{url.QueryEscape(percent), url.QueryEscape(once), percent, once, url.PathEscape(secret), secret}
}

// spelled matches a secret as encoders of JSON, HTML and URLs may write it, each of
// its signs in its own way; nil for one that is none, or not of ASCII.
func spelled(secret string) *regexp.Regexp {
	if len(secret) < 4 {
		return nil
	}
	var b strings.Builder
	for _, c := range []byte(secret) {
		switch literal := regexp.QuoteMeta(string(rune(c))); {
		case c >= utf8.RuneSelf:
			return nil
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, `(?:\\?%s|(?i:%%(?:25)*%02[2]x|\\u00%02[2]x|&#%[2]d;|&#x%[2]x;|%s))`, literal, c, regexp.QuoteMeta(html.EscapeString(string(rune(c)))))
		}
	}
	p, err := regexp.Compile(b.String())
	if err != nil {
		return nil
	}
	return p
}

// oneLine makes control characters spaces and bounds the length.
func oneLine(text string) string {
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool {
		return r == ' ' || r == unicode.ReplacementChar || unicode.IsControl(r)
	}), " ")
	if len(text) <= maxErrorText {
		return text
	}
	return strings.ToValidUTF8(text[:maxErrorText], "") + "…"
}

// secretsOf are the secrets that a signed request carries.
func secretsOf(req *http.Request) []string {
	var found []string
	query := req.URL.Query()
	for _, name := range []string{"AccessKeyId", "SecurityToken", "Signature", "SignatureNonce"} {
		found = append(found, query.Get(name))
	}
	for _, name := range []string{"X-Security-Token", "X-Auth-Token", "X-Acs-Security-Token"} {
		found = append(found, req.Header.Get(name))
	}
	for part := range strings.FieldsFuncSeq(req.Header.Get("Authorization"), func(r rune) bool { return r == ',' || r == ' ' }) {
		if name, value, ok := strings.Cut(part, "="); ok && name != "SignedHeaders" {
			found = append(found, value)
		}
	}
	return found
}
