package ebs

import (
	"slices"
	"strings"
)

// keyCodes are the common codes of Alibaba's gateway for keys that it does not
// take: unknown, disabled, expired, or not those that the request was signed
// with.
var keyCodes = []string{"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidSecurityToken"}

// keysRefused tells whether an answer refuses the keys themselves.
func keysRefused(status int, code string) bool {
	return status/100 == 4 && slices.ContainsFunc(keyCodes, func(name string) bool { return code == name || strings.HasPrefix(code, name+".") })
}
