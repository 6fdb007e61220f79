package credentials

import (
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Keys is a key pair. Whatever prints or logs it gets no secret; only its
// fields tell them.
type Keys struct {
	AccessKey     string
	SecretKey     string
	SecurityToken string    // "" for long-lived keys
	Expires       time.Time // zero when not told
}

// Same tells whether both are the same keys, whatever is known of their end.
func (k Keys) Same(o Keys) bool {
	return k.AccessKey == o.AccessKey && k.SecretKey == o.SecretKey && k.SecurityToken == o.SecurityToken
}

var errUnusable = errors.New("the document has no usable keys")

// Temporary makes keys of what a service has given. Each must be a text of one
// word. An end (RFC 3339) that cannot be read is not told; the keys are good
// without.
func Temporary(access, secret, token, expires string) (Keys, error) {
	for _, f := range []struct{ name, text string }{{"access key", access}, {"secret key", secret}, {"security token", token}} {
		if !tokenForm.MatchString(f.text) {
			return Keys{}, fmt.Errorf("%w: the %s is missing or no text of one word", errUnusable, f.name)
		}
	}
	k := Keys{AccessKey: access, SecretKey: secret, SecurityToken: token}
	if t, err := time.Parse(time.RFC3339, expires); err == nil {
		k.Expires = t
	}
	return k, nil
}

const redacted = "[redacted]"

// String hides the keys.
func (Keys) String() string { return redacted }

// GoString hides the keys.
func (Keys) GoString() string { return redacted }

// LogValue hides the keys.
func (Keys) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText hides the keys.
func (Keys) MarshalText() ([]byte, error) { return []byte(redacted), nil }
