package quorum

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"strings"
)

// refusal is what TLS has against a member that is there, "" when the error is
// none of TLS. It is the same as long as the cause is: it has no time in it.
func refusal(err error) string {
	var unverified *tls.CertificateVerificationError
	var invalid x509.CertificateInvalidError
	var alert *net.OpError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "answers, but its certificate is refused here: it has expired or is not yet valid"
	case errors.As(err, &unverified):
		return "answers, but its certificate is refused here: " + unverified.Err.Error()
	case !errors.As(err, &alert) || alert.Op != "remote error":
		return ""
	case strings.Contains(alert.Err.Error(), "certificate"):
		return "answers, but refuses our certificate: " + alert.Err.Error()
	}
	return "answers, but refuses TLS with us: " + alert.Err.Error()
}

// refusals are those of the members, by peer URL.
type refusals map[string]string

// note keeps what a try at a member came to. A connection that breaks may have lost
// the alert on its way, so it takes nothing back; that nobody is there does.
func (r refusals) note(peer string, err error) {
	var op *net.OpError
	var waited net.Error
	switch why := refusal(err); {
	case why != "":
		r[peer] = why
	case err == nil, errors.As(err, &op) && op.Op == "dial", errors.As(err, &waited) && waited.Timeout():
		delete(r, peer)
	}
}
