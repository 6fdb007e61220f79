package provider

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Exchange is what was seen on the wire during one call. It is complete when
// the SDK's call has returned; the SDK's own words may differ from it (both
// SDKs take `200 {}` for success), so judge by this.
type Exchange struct {
	Began     time.Time   // when it was sent, after any wait for the request rate
	Status    int         // 0 when no response came
	Header    http.Header // of the response
	Date      time.Time   // the provider's Date, zero when none
	RequestID string      // from the response headers, "" when none
	// RetryAfter is what the response asks for, 0 when nothing.
	RetryAfter time.Duration
	// Body is the raw answer, decompressed, at most as long as allowed. It is
	// whole only when Err is nil.
	Body []byte
	// Sent is false only when it is certain that no byte of the request left
	// and none can leave any more. Always true for a read that was tried.
	Sent bool
	// Refused is what BeforeFirstByte said when it stopped the call.
	Refused error
	// Err is why the exchange is not whole; nil when a whole answer came,
	// whatever its status. It holds no secret.
	Err error

	secrets []string // seen on the wire, for Redact
}

// OK tells that a whole answer of a 2xx status came.
func (e *Exchange) OK() bool { return e.Err == nil && e.Status/100 == 2 }

// Redact is Redact with what this call showed on the wire (key id, token,
// signature) as secrets as well.
func (e *Exchange) Redact(err error, secrets ...string) error {
	return Redact(err, append(secrets, e.secrets...)...)
}

// RedactText is RedactText with what this call showed on the wire as secrets as well.
func (e *Exchange) RedactText(text string) string { return RedactText(text, e.secrets...) }

// Beginning is how the answer begins, at most so many bytes of it, as one line without
// what this call showed on the wire: an answer that repeats a token is cut after the
// token is gone, never within it.
func (e *Exchange) Beginning(most int) string {
	text := e.RedactText(string(e.Body))
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + " …"
}

// see notes status and headers of the response.
func (e *Exchange) see(resp *http.Response) {
	e.Status, e.Header = resp.StatusCode, resp.Header
	for _, name := range []string{"X-Request-Id", "X-Acs-Request-Id"} {
		if id := resp.Header.Get(name); id != "" {
			e.RequestID = e.RedactText(id)
			break
		}
	}
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		e.Date = date
	}
	after := strings.TrimSpace(resp.Header.Get("Retry-After"))
	if seconds, err := strconv.Atoi(after); err == nil && seconds > 0 {
		e.RetryAfter = time.Duration(min(seconds, 86400)) * time.Second
	} else if at, err := http.ParseTime(after); err == nil && !e.Date.IsZero() {
		e.RetryAfter = max(at.Sub(e.Date), 0)
	}
}
