package provider

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"

	"github.com/drwatch/drwatch/internal/replication"
)

var validID = regexp.MustCompile(`^[0-9a-zA-Z-]{1,128}$`)

// ValidID refuses an id that must not go into a request: both SDKs put ids
// unescaped where a slash or a dot would change what is asked.
func ValidID(id string) error {
	if !validID.MatchString(id) {
		return fmt.Errorf("%s is no id of the provider: letters, digits and hyphens only, at most 128", strconv.Quote(oneLine(id)))
	}
	return nil
}

// ClientToken is the idempotency token of an incident's action on a group: the
// same on every observer and after every restart, so that a repeated call is
// one operation to a provider that knows such tokens. It is 64 hex digits.
func ClientToken(p replication.Provider, groupID, incidentID string, a replication.Action) string {
	h := sha256.New()
	for _, part := range []string{"drwatch/1", string(p), groupID, incidentID, string(a)} {
		fmt.Fprintf(h, "%d:%s,", len(part), part) // lengths keep "a"+"bc" and "ab"+"c" apart
	}
	return hex.EncodeToString(h.Sum(nil))
}
