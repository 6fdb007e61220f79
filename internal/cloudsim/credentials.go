package cloudsim

import (
	"crypto/subtle"
	"time"
)

// The credentials and the project that a Cloud knows when Options names none.
const (
	AccessKey = "SIMACCESSKEY00000001"
	SecretKey = "simulated-secret-key-0000000000000000001"
	ProjectID = "0123456789abcdef0123456789abcdef"
)

// clockSkew is what all four providers allow between their clock and a
// signature's.
const clockSkew = 15 * time.Minute

// Credential is one key pair that the simulated clouds accept.
type Credential struct {
	AccessKey     string
	SecretKey     string
	SecurityToken string // of a temporary key; it must then come with each request
	// Expires ends a temporary key; zero = never.
	Expires time.Time
	// ReadOnly keys are refused every mutating call with 403.
	ReadOnly bool
	// AssumeOnly keys are refused everything with 403 but to assume a role.
	AssumeOnly bool
}

// SetCredentials replaces the keys that the clouds accept, from the next request
// on: those left out were withdrawn. Keys of an assumed role live on.
func (c *Cloud) SetCredentials(keys ...Credential) {
	c.enter()
	defer c.mu.Unlock()
	c.creds = make(map[string]Credential, len(keys))
	for _, k := range keys {
		c.creds[k.AccessKey] = k
	}
}

// admits tells whether the credential may be used now with the security token.
func (k Credential) admits(token string, now time.Time) bool {
	if k.SecurityToken != "" && !sameText(k.SecurityToken, token) {
		return false
	}
	return k.Expires.IsZero() || now.Before(k.Expires)
}

func sameText(a, b string) bool {
	return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
}

func within(now, t time.Time, limit time.Duration) bool {
	return now.Sub(t).Abs() <= limit
}

// percent is the encoding that all three signature schemes use: everything but
// A–Z a–z 0–9 - _ . ~ as %XX.
func percent(s string) string {
	const hex = "0123456789ABCDEF"
	out := make([]byte, 0, len(s))
	for i := range len(s) {
		b := s[i]
		switch {
		case 'A' <= b && b <= 'Z', 'a' <= b && b <= 'z', '0' <= b && b <= '9', b == '-', b == '_', b == '.', b == '~':
			out = append(out, b)
		default:
			out = append(out, '%', hex[b>>4], hex[b&15])
		}
	}
	return string(out)
}

// nonceRetention is how long a used nonce is refused.
const nonceRetention = 30 * time.Minute

// nonceBook remembers used nonces.
type nonceBook struct {
	seen  map[string]struct{}
	queue []usedNonce
}

type usedNonce struct {
	nonce string
	at    time.Time
}

// use records a nonce; false means that it was used before.
func (b *nonceBook) use(nonce string, now time.Time) bool {
	for len(b.queue) > 0 && now.Sub(b.queue[0].at) > nonceRetention {
		delete(b.seen, b.queue[0].nonce)
		b.queue = b.queue[1:]
	}
	if _, used := b.seen[nonce]; used {
		return false
	}
	b.seen[nonce] = struct{}{}
	b.queue = append(b.queue, usedNonce{nonce, now})
	return true
}
