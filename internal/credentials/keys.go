package credentials

import (
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

const redacted = "[redacted]"

// String hides the keys.
func (Keys) String() string { return redacted }

// GoString hides the keys.
func (Keys) GoString() string { return redacted }

// LogValue hides the keys.
func (Keys) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText hides the keys.
func (Keys) MarshalText() ([]byte, error) { return []byte(redacted), nil }
