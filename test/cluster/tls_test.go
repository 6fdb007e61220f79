package cluster_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/quorum"
)

// ca signs certificates of a test.
type ca struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func authority(t *testing.T) *ca {
	t.Helper()
	c := &ca{dir: t.TempDir()}
	c.cert, c.key = issue(t, c.dir, "ca", nil)
	return c
}

// peer is a certificate for loopback addresses, for both ends of a connection.
func (c *ca) peer(t *testing.T) *quorum.TLS {
	t.Helper()
	issue(t, c.dir, "peer", c)
	return &quorum.TLS{CertFile: filepath.Join(c.dir, "peer.crt"), KeyFile: filepath.Join(c.dir, "peer.key"), CAFile: filepath.Join(c.dir, "ca.crt")}
}

func issue(t *testing.T, dir, name string, by *ca, change ...func(*x509.Certificate)) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true,
	}
	for _, f := range change {
		f(tmpl)
	}
	parent, signer := tmpl, key
	if by == nil {
		tmpl.IsCA, tmpl.KeyUsage = true, x509.KeyUsageCertSign
	} else {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, name+".crt"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	writeFile(t, filepath.Join(dir, name+".key"), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private}))
	return cert, key
}

// Members that wait for each other and find that TLS is in the way say so, and
// which of the two refuses; "no answer" would send people to the network.
func TestMembersThatTLSKeepsApartSaySo(t *testing.T) {
	t.Parallel()
	c := newTrio(t, true)
	ours := c.peers.TLS
	elsewhere, late := authority(t), t.TempDir()
	both := filepath.Join(late, "both.crt")
	var trusted []byte
	for _, file := range []string{ours.CAFile, filepath.Join(elsewhere.dir, "ca.crt")} {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		trusted = append(trusted, b...)
	}
	writeFile(t, both, trusted)
	foreign := elsewhere.peer(t)

	c.open("obs-b")
	c.says("obs-b", "obs-a no answer, obs-w no answer")
	c.peers.TLS = &quorum.TLS{CertFile: foreign.CertFile, KeyFile: foreign.KeyFile, CAFile: both}
	c.open("obs-a")
	c.says("obs-a", "obs-b answers, but refuses our certificate: tls: unknown certificate authority, obs-w no answer")
	c.says("obs-b", "obs-a answers, but its certificate is refused here: x509: certificate signed by unknown authority")
	issue(t, late, "late", elsewhere, func(x *x509.Certificate) { x.NotAfter = time.Now().Add(-time.Minute) })
	c.peers.TLS = &quorum.TLS{CertFile: filepath.Join(late, "late.crt"), KeyFile: filepath.Join(late, "late.key"), CAFile: both}
	c.open("obs-w")
	c.says("obs-a", "obs-w answers, but its certificate is refused here: it has expired or is not yet valid")
	c.says("obs-w", "obs-a answers, but refuses our certificate: tls: expired certificate")
	c.close("obs-b")
	c.says("obs-a", "obs-b no answer")
}
