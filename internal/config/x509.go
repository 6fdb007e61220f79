package config

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// expiresSoon is how long before its end a certificate deserves a look.
const expiresSoon = 14 * 24 * time.Hour

// tlsVerdict is what a certificate, its key and the CA are worth together.
type tlsVerdict struct {
	files TLSFiles
	own   []*x509.Certificate // of cert_file: the own one, then those between it and the CA
	cas   []*x509.Certificate // of ca_file
	found []tlsFinding
}

// tlsFinding is a mistake in one of the files; key is cert_file, key_file or
// ca_file. Its text has names and times of certificates, nothing of a key.
type tlsFinding struct {
	key     string
	text    string
	warning bool
}

func (v *tlsVerdict) errorf(key, format string, args ...any) {
	v.found = append(v.found, tlsFinding{key: key, text: fmt.Sprintf(format, args...)})
}

// parse takes the files apart as crypto/tls and etcd do; one that is nil is passed
// over.
func (v *tlsVerdict) parse(cert, key, ca []byte) {
	if cert != nil {
		v.own = v.certificates("cert_file", v.files.CertFile, cert)
	}
	if ca != nil {
		v.cas = v.certificates("ca_file", v.files.CAFile, ca)
	}
	if key != nil {
		v.privateKey(cert, key)
	}
}

// certificates are those in a file. A key beside them is passed over in
// cert_file; etcd takes none in ca_file. Nil: there is a mistake, and it is told.
func (v *tlsVerdict) certificates(what, file string, text []byte) []*x509.Certificate {
	var out []*x509.Certificate
	var key, other bool
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		switch {
		case block.Type == "CERTIFICATE":
			cert, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				v.errorf(what, "the certificate in %s cannot be read, put it there anew: %s", file, err)
				return nil
			}
			out = append(out, cert)
		case strings.HasSuffix(block.Type, "PRIVATE KEY"):
			key = true
		default:
			other = true
		}
	}
	switch {
	case key && what == "ca_file":
		v.errorf(what, "%s holds a private key: give the certificate of the CA alone, its key belongs nowhere near an observer", file)
	case key && len(out) == 0:
		v.errorf(what, "%s holds a private key and no certificate: give the certificate here and the key as key_file", file)
	case len(out) == 0:
		v.errorf(what, "%s holds no certificate: want PEM, which begins with -----BEGIN CERTIFICATE-----", file)
	case other && what == "ca_file":
		v.errorf(what, "%s holds something beside certificates, which etcd does not take: leave only those of the CA", file)
	default:
		return out
	}
	return nil
}

// privateKey looks whether there is a key that can be used, and is the
// certificate's.
func (v *tlsVerdict) privateKey(cert, text []byte) {
	file := v.files.KeyFile
	block, rest := pem.Decode(text)
	for block != nil && !strings.HasSuffix(block.Type, "PRIVATE KEY") {
		block, rest = pem.Decode(rest)
	}
	switch {
	case block == nil && strings.Contains(string(text), "-----BEGIN CERTIFICATE-----"):
		v.errorf("key_file", "%s holds a certificate and no private key: give the key of cert_file", file)
	case block == nil:
		v.errorf("key_file", "%s holds no private key: want PEM, with a line such as -----BEGIN PRIVATE KEY-----", file)
	case strings.HasPrefix(block.Type, "ENCRYPTED") || block.Headers["DEK-Info"] != "":
		v.errorf("key_file", "the private key in %s is encrypted: give it without a password, readable by drwatch's user alone", file)
	case !readableKey(block.Bytes):
		v.errorf("key_file", "the private key in %s cannot be read: want an RSA, ECDSA or Ed25519 key, put it there anew", file)
	case len(v.own) > 0:
		if _, err := tls.X509KeyPair(cert, text); err != nil {
			v.errorf("key_file", "the private key in %s does not belong to the certificate in %s: give the two that were made together", file, v.files.CertFile)
		}
	}
}

func readableKey(der []byte) bool {
	_, pkcs8 := x509.ParsePKCS8PrivateKey(der)
	_, pkcs1 := x509.ParsePKCS1PrivateKey(der)
	_, ec := x509.ParseECPrivateKey(der)
	return pkcs8 == nil || pkcs1 == nil || ec == nil
}

// peer judges as the other members will: each is a server to them and a client.
// host is where they reach this one, "" when that is not known.
func (v *tlsVerdict) peer(host string, now time.Time) {
	if len(v.own) == 0 {
		for _, ca := range v.cas {
			v.period(ca, now)
		}
		return
	}
	own := v.own[0]
	v.period(own, now)
	if host != "" && own.VerifyHostname(host) != nil {
		v.errorf("cert_file", "the certificate in %s is for %s, not for %s, the host of this observer's peer URL: have one made with that among its subject alternative names",
			v.files.CertFile, namesOf(own), host)
	}
	trust := x509.VerifyOptions{Roots: pool(v.cas), Intermediates: pool(v.own[1:]), CurrentTime: within(own, now), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}
	signed := len(v.cas) > 0 && v.signed(trust, now)
	v.usage(signed, trust)
}

// signed looks whether a CA of ca_file has signed the own certificate.
func (v *tlsVerdict) signed(trust x509.VerifyOptions, now time.Time) bool {
	chains, err := v.own[0].Verify(trust)
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		v.period(invalid.Cert, now) // not the own one, which was valid at that time
		return false
	case err != nil:
		v.errorf("ca_file", "the certificate in %s, which %q has signed, does not come from a CA in %s, which holds %s: give the CA that signed it, the same at all members (%s)",
			v.files.CertFile, v.own[0].Issuer, v.files.CAFile, subjects(v.cas), err)
		return false
	}
	longest := slices.MaxFunc(chains, func(a, b []*x509.Certificate) int { return ends(a[1:]).Compare(ends(b[1:])) })
	for _, ca := range longest[1:] {
		v.period(ca, now)
	}
	return true
}

// usage looks whether the own certificate may be shown by both ends; a CA in
// between can forbid it too.
func (v *tlsVerdict) usage(signed bool, trust x509.VerifyOptions) {
	own := v.own[0]
	var not []string
	for _, use := range []struct {
		name string
		is   x509.ExtKeyUsage
	}{{"servers", x509.ExtKeyUsageServerAuth}, {"clients", x509.ExtKeyUsageClientAuth}} {
		limited := len(own.ExtKeyUsage)+len(own.UnknownExtKeyUsage) > 0
		ok := !limited || slices.Contains(own.ExtKeyUsage, use.is) || slices.Contains(own.ExtKeyUsage, x509.ExtKeyUsageAny)
		if ok && signed {
			trust.KeyUsages = []x509.ExtKeyUsage{use.is}
			_, err := own.Verify(trust)
			ok = err == nil
		}
		if !ok {
			not = append(not, use.name)
		}
	}
	if len(not) > 0 {
		v.errorf("cert_file", "the certificate in %s must not be used by %s: members are servers and clients to each other, have one made with the extended key usages serverAuth and clientAuth",
			v.files.CertFile, strings.Join(not, " nor by "))
	}
}

// warnf is for what the others refuse, and time has made: an observer that starts
// with it keeps out of the cluster and says so, but it exports.
func (v *tlsVerdict) warnf(key, format string, args ...any) {
	v.found = append(v.found, tlsFinding{key, fmt.Sprintf(format, args...), true})
}

// period looks whether a certificate is valid now and for a while.
func (v *tlsVerdict) period(cert *x509.Certificate, now time.Time) {
	key, what := "ca_file", fmt.Sprintf("the certificate of the CA %q in %s", cert.Subject, v.files.CAFile)
	switch i := slices.IndexFunc(v.own, cert.Equal); {
	case i == 0:
		key, what = "cert_file", "the certificate in "+v.files.CertFile
	case i > 0:
		key, what = "cert_file", fmt.Sprintf("the certificate of the CA %q in %s", cert.Subject, v.files.CertFile)
	}
	begin, end := cert.NotBefore.UTC().Format(time.RFC3339), cert.NotAfter.UTC().Format(time.RFC3339)
	switch {
	case now.Before(cert.NotBefore):
		v.warnf(key, "%s is not valid before %s, and here it is %s: look at this machine's clock, or give one that is valid", what, begin, now.UTC().Format(time.RFC3339))
	case now.After(cert.NotAfter):
		v.warnf(key, "%s has expired, it was valid until %s: give a new one", what, end)
	case cert.NotAfter.Sub(now) <= expiresSoon:
		v.warnf(key, "%s expires soon, it is valid until %s: give a new one before", what, end)
	}
}

func pool(certs []*x509.Certificate) *x509.CertPool {
	p := x509.NewCertPool()
	for _, c := range certs {
		p.AddCert(c)
	}
	return p
}

// within is a time when the certificate is valid, now if it can be: who signed it
// is asked beside when.
func within(cert *x509.Certificate, now time.Time) time.Time {
	switch {
	case now.Before(cert.NotBefore):
		return cert.NotBefore
	case now.After(cert.NotAfter):
		return cert.NotAfter
	}
	return now
}

// ends is when the first of the certificates does; a far time without any.
func ends(certs []*x509.Certificate) time.Time {
	if len(certs) == 0 {
		return time.Unix(1<<40, 0)
	}
	return slices.MinFunc(certs, func(a, b *x509.Certificate) int { return a.NotAfter.Compare(b.NotAfter) }).NotAfter
}

// shown is how many names of a certificate or a file a message has.
const shown = 5

func namesOf(cert *x509.Certificate) string {
	names := slices.Clone(cert.DNSNames)
	for _, ip := range cert.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		return "no host at all"
	}
	return few(names)
}

func subjects(certs []*x509.Certificate) string {
	var out []string
	for _, c := range certs {
		s := fmt.Sprintf("%q", c.Subject)
		if !c.IsCA {
			s += " (no CA)"
		}
		out = append(out, s)
	}
	return few(out)
}

func few(names []string) string {
	if len(names) > shown {
		return strings.Join(names[:shown], ", ") + fmt.Sprintf(" and %d more", len(names)-shown)
	}
	return strings.Join(names, ", ")
}
