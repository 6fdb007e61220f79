package config_test

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
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drwatch/drwatch/internal/config"
)

const day = 24 * time.Hour

// today is when the certificates of the tests are judged.
func today() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// signed is a certificate with its key.
type signed struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// issue makes a certificate that by signs, or it itself when that is nil.
func issue(t *testing.T, name string, by *signed, change func(*x509.Certificate)) *signed {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, BasicConstraintsValid: true,
		NotBefore: today().Add(-100 * day), NotAfter: today().Add(100 * day),
	}
	if change != nil {
		change(tmpl)
	}
	parent, signer := tmpl, key
	if by != nil {
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
	return &signed{cert, key}
}

func isCA(c *x509.Certificate) { c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign }

// isPeer is what a member's certificate should be.
func isPeer(c *x509.Certificate) {
	c.IPAddresses, c.DNSNames = []net.IP{net.IPv4(10, 1, 0, 1)}, []string{"obs-a.example"}
	c.KeyUsage, c.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
}

func (s *signed) pem() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.cert.Raw}))
}

func (s *signed) keyPEM(t *testing.T) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(s.key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// tlsText are the files of a case.
type tlsText struct{ cert, key, ca string }

const peersFile = `observer: {name: a}
coordination:
  embedded:
    initial_cluster: {a: 'https://HOST:10110', b: 'https://10.2.0.1:10110', c: 'https://10.3.0.1:10110'}
    peer_tls:
      cert_file: tls/peer.crt
      key_file: tls/peer.key
      ca_file: tls/ca.crt
`

const etcdFile = `observer: {name: a}
coordination:
  etcd:
    endpoints: ['https://etcd-0:2379']
    tls:
      cert_file: tls/peer.crt
      key_file: tls/peer.key
      ca_file: tls/ca.crt
`

// judge writes the files beside a configuration and tells what is said of them,
// with the folder and what each message begins with cut short.
func judge(t *testing.T, text string, files tlsText) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "tls"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"drwatch.yml": text, "tls/peer.crt": files.cert, "tls/peer.key": files.key, "tls/ca.crt": files.ca} {
		if text == "-" {
			continue // it is not there
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := load(t, filepath.Join(dir, "drwatch.yml"))
	got := strings.ReplaceAll(c.CheckCertificates(today()).Error(), dir+"/", "")
	for line := range strings.Lines(files.key) {
		if !strings.HasPrefix(line, "-----") && strings.Contains(got, strings.TrimSpace(line)) {
			t.Errorf("text of the key is in %s", got)
		}
	}
	return got
}

// place is where a key of peersFile has its value, and what a message says of it.
func place(key, severity string) string {
	at := map[string]string{"cert_file": "6:18", "key_file": "7:17", "ca_file": "8:16"}[key]
	return "drwatch.yml:" + at + ": " + severity + "coordination.embedded.peer_tls." + key + ": "
}

func TestPeerCertificates(t *testing.T) {
	ca := issue(t, "ca", nil, isCA)
	other := issue(t, "other", nil, isCA)
	oldCA := issue(t, "old ca", nil, func(c *x509.Certificate) { isCA(c); c.NotAfter = today().Add(-day) })
	tiredCA := issue(t, "tired ca", nil, func(c *x509.Certificate) { isCA(c); c.NotAfter = today().Add(5 * day) })
	between := issue(t, "between", ca, isCA)
	serversOnly := issue(t, "for servers", ca, func(c *x509.Certificate) { isCA(c); c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })
	peer := func(by *signed, change func(*x509.Certificate)) *signed {
		return issue(t, "peer", by, func(c *x509.Certificate) {
			isPeer(c)
			if change != nil {
				change(c)
			}
		})
	}
	files := func(s, by *signed) tlsText { return tlsText{s.pem(), s.keyPEM(t), by.pem()} }
	good := peer(ca, nil)
	alone := peer(nil, nil)
	usage := func(u ...x509.ExtKeyUsage) *signed { return peer(ca, func(c *x509.Certificate) { c.ExtKeyUsage = u }) }
	until := func(d time.Duration) tlsText {
		return files(peer(ca, func(c *x509.Certificate) { c.NotAfter = today().Add(d) }), ca)
	}
	const uses = "members are servers and clients to each other, have one made with the extended key usages serverAuth and clientAuth"
	const anew = "give the CA that signed it, the same at all members (x509: certificate signed by unknown authority)"
	for name, tc := range map[string]struct {
		host  string
		files tlsText
		want  []string
	}{
		"good":               {files: files(good, ca)},
		"good by name":       {files: files(good, ca), host: "obs-a.example"},
		"good for any use":   {files: files(usage(), ca)},
		"signed by itself":   {files: files(alone, alone)},
		"through another CA": {files: tlsText{peer(between, nil).pem() + between.pem(), "-", ca.pem()}},
		"one of two CAs":     {files: tlsText{good.pem(), good.keyPEM(t), other.pem() + ca.pem()}},
		"all in one file":    {files: tlsText{good.keyPEM(t) + good.pem(), good.keyPEM(t) + good.pem(), ca.pem()}},
		"nothing there":      {files: tlsText{"-", "-", "-"}},
		"a key of another": {files: tlsText{good.pem(), other.keyPEM(t), ca.pem()}, want: []string{
			place("key_file", "") + "the private key in tls/peer.key does not belong to the certificate in tls/peer.crt: give the two that were made together",
		}},
		"a certificate as key": {files: tlsText{good.pem(), good.pem(), ca.pem()}, want: []string{
			place("key_file", "") + "tls/peer.key holds a certificate and no private key: give the key of cert_file",
		}},
		"no key": {files: tlsText{good.pem(), "hunter2\n", ca.pem()}, want: []string{
			place("key_file", "") + "tls/peer.key holds no private key: want PEM, with a line such as -----BEGIN PRIVATE KEY-----",
		}},
		"a broken key": {files: tlsText{good.pem(), "-----BEGIN PRIVATE KEY-----\naHVudGVyMg==\n-----END PRIVATE KEY-----\n", ca.pem()}, want: []string{
			place("key_file", "") + "the private key in tls/peer.key cannot be read: want an RSA, ECDSA or Ed25519 key, put it there anew",
		}},
		"an encrypted key": {files: tlsText{good.pem(), "-----BEGIN ENCRYPTED PRIVATE KEY-----\naHVudGVyMg==\n-----END ENCRYPTED PRIVATE KEY-----\n", ca.pem()}, want: []string{
			place("key_file", "") + "the private key in tls/peer.key is encrypted: give it without a password, readable by drwatch's user alone",
		}},
		"a key as CA": {files: tlsText{good.pem(), good.keyPEM(t), ca.pem() + ca.keyPEM(t)}, want: []string{
			place("ca_file", "") + "tls/ca.crt holds a private key: give the certificate of the CA alone, its key belongs nowhere near an observer",
		}},
		"three that are empty": {files: tlsText{}, want: []string{
			place("cert_file", "") + "tls/peer.crt holds no certificate: want PEM, which begins with -----BEGIN CERTIFICATE-----",
			place("key_file", "") + "tls/peer.key holds no private key: want PEM, with a line such as -----BEGIN PRIVATE KEY-----",
			place("ca_file", "") + "tls/ca.crt holds no certificate: want PEM, which begins with -----BEGIN CERTIFICATE-----",
		}},
		"a key as certificate": {files: tlsText{good.keyPEM(t), good.keyPEM(t), ca.pem()}, want: []string{
			place("cert_file", "") + "tls/peer.crt holds a private key and no certificate: give the certificate here and the key as key_file",
		}},
		"another CA": {files: files(good, other), want: []string{
			place("ca_file", "") + `the certificate in tls/peer.crt, which "CN=ca" has signed, does not come from a CA in tls/ca.crt, which holds "CN=other": ` + anew,
		}},
		"a CA that is none": {files: files(good, alone), want: []string{
			place("ca_file", "") + `the certificate in tls/peer.crt, which "CN=ca" has signed, does not come from a CA in tls/ca.crt, which holds "CN=peer" (no CA): ` + anew,
		}},
		"the CA between is missing": {files: files(peer(between, nil), ca), want: []string{
			place("ca_file", "") + `the certificate in tls/peer.crt, which "CN=between" has signed, does not come from a CA in tls/ca.crt, which holds "CN=ca": ` + anew,
		}},
		"another host": {files: files(good, ca), host: "10.1.0.2", want: []string{
			place("cert_file", "") + "the certificate in tls/peer.crt is for obs-a.example, 10.1.0.1, not for 10.1.0.2, the host of this observer's peer URL: have one made with that among its subject alternative names",
		}},
		"no host": {files: files(peer(ca, func(c *x509.Certificate) { c.DNSNames, c.IPAddresses = nil, nil }), ca), want: []string{
			place("cert_file", "") + "the certificate in tls/peer.crt is for no host at all, not for 10.1.0.1, the host of this observer's peer URL: have one made with that among its subject alternative names",
		}},
		"for servers": {files: files(usage(x509.ExtKeyUsageServerAuth), ca), want: []string{
			place("cert_file", "") + "the certificate in tls/peer.crt must not be used by clients: " + uses,
		}},
		"for clients": {files: files(usage(x509.ExtKeyUsageClientAuth), ca), want: []string{
			place("cert_file", "") + "the certificate in tls/peer.crt must not be used by servers: " + uses,
		}},
		"for mail": {files: files(usage(x509.ExtKeyUsageEmailProtection), ca), want: []string{
			place("cert_file", "") + "the certificate in tls/peer.crt must not be used by servers nor by clients: " + uses,
		}},
		"a CA for servers": {files: tlsText{peer(serversOnly, nil).pem() + serversOnly.pem(), "-", ca.pem()}, want: []string{
			place("cert_file", "") + "the certificate in tls/peer.crt must not be used by clients: " + uses,
		}},
		"expired": {files: until(-time.Second), want: []string{
			place("cert_file", "warning: ") + "the certificate in tls/peer.crt has expired, it was valid until 2026-03-01T11:59:59Z: give a new one",
		}},
		"expires soon": {files: until(14 * day), want: []string{
			place("cert_file", "warning: ") + "the certificate in tls/peer.crt expires soon, it is valid until 2026-03-15T12:00:00Z: give a new one before",
		}},
		"does not expire soon": {files: until(14*day + time.Second)},
		"not yet valid": {files: files(peer(ca, func(c *x509.Certificate) { c.NotBefore = today().Add(day) }), ca), want: []string{
			place("cert_file", "warning: ") + "the certificate in tls/peer.crt is not valid before 2026-03-02T12:00:00Z, and here it is 2026-03-01T12:00:00Z: look at this machine's clock, or give one that is valid",
		}},
		"the CA has expired": {files: files(peer(oldCA, nil), oldCA), want: []string{
			place("ca_file", "warning: ") + `the certificate of the CA "CN=old ca" in tls/ca.crt has expired, it was valid until 2026-02-28T12:00:00Z: give a new one`,
		}},
		"the CA expires soon": {files: files(peer(tiredCA, nil), tiredCA), want: []string{
			place("ca_file", "warning: ") + `the certificate of the CA "CN=tired ca" in tls/ca.crt expires soon, it is valid until 2026-03-06T12:00:00Z: give a new one before`,
		}},
		"everything at once": {
			host:  "obs-b.example",
			files: tlsText{peer(ca, func(c *x509.Certificate) { c.ExtKeyUsage, c.NotAfter = c.ExtKeyUsage[:1], today().Add(-day) }).pem(), good.keyPEM(t), other.pem()},
			want: []string{
				place("cert_file", "warning: ") + "the certificate in tls/peer.crt has expired, it was valid until 2026-02-28T12:00:00Z: give a new one",
				place("cert_file", "") + "the certificate in tls/peer.crt is for obs-a.example, 10.1.0.1, not for obs-b.example, the host of this observer's peer URL: have one made with that among its subject alternative names",
				place("cert_file", "") + "the certificate in tls/peer.crt must not be used by clients: " + uses,
				place("key_file", "") + "the private key in tls/peer.key does not belong to the certificate in tls/peer.crt: give the two that were made together",
				place("ca_file", "") + `the certificate in tls/peer.crt, which "CN=ca" has signed, does not come from a CA in tls/ca.crt, which holds "CN=other": ` + anew,
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			host := "10.1.0.1"
			if tc.host != "" {
				host = tc.host
			}
			got := judge(t, strings.NewReplacer("HOST", host).Replace(peersFile), tc.files)
			if d := cmp.Diff(strings.Join(tc.want, "\n"), got); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}

// TestEtcdCertificates: of somebody else's etcd only what is ours is judged.
func TestEtcdCertificates(t *testing.T) {
	ca, own := issue(t, "ca", nil, isCA), issue(t, "own", nil, isPeer)
	at := func(key string) string {
		return strings.Replace(place(key, ""), "embedded.peer_tls", "etcd.tls", 1) // the lines are the same
	}
	for name, tc := range map[string]struct {
		files tlsText
		want  string
	}{
		"good":             {files: tlsText{own.pem(), own.keyPEM(t), ca.pem()}},
		"a key of another": {tlsText{own.pem(), ca.keyPEM(t), ca.pem()}, at("key_file") + "the private key in tls/peer.key does not belong to the certificate in tls/peer.crt: give the two that were made together"},
		"a key as CA":      {tlsText{own.pem(), own.keyPEM(t), ca.keyPEM(t)}, at("ca_file") + "tls/ca.crt holds a private key: give the certificate of the CA alone, its key belongs nowhere near an observer"},
	} {
		t.Run(name, func(t *testing.T) {
			if d := cmp.Diff(tc.want, judge(t, etcdFile, tc.files)); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}

// TestCertificateOfAnObserverNamedLater: a file that all observers share does not
// say which of them this one is, so no host is wrong until serve is told.
func TestCertificateOfAnObserverNamedLater(t *testing.T) {
	ca := issue(t, "ca", nil, isCA)
	dir := t.TempDir()
	for name, text := range map[string]string{
		"ca.crt": ca.pem(), "peer.crt": issue(t, "peer", ca, isPeer).pem(),
		"drwatch.yml": strings.NewReplacer("observer: {name: a}\n", "", "HOST", "10.1.0.1", "tls/", "").Replace(peersFile),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := load(t, filepath.Join(dir, "drwatch.yml"))
	for observer, want := range map[string]string{"a host of no name": "", "a": "", "b": "not for 10.2.0.1"} {
		c.Observer.Name = observer
		if got := c.CheckCertificates(today()).Error(); (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("as %s: got %q, want %q in it", observer, got, want)
		}
	}
}

// A folder can be opened, so only reading it tells.
func TestCertificateThatIsAFolder(t *testing.T) {
	c, err := config.Parse(filepath.Join(t.TempDir(), "drwatch.yml"), []byte("observer: {name: a}\ncoordination: {etcd: {endpoints: ['https://etcd-0:2379'], tls: {ca_file: .}}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got := c.CheckCertificates(today()).Error(); !strings.Contains(got, "drwatch.yml:2:") || !strings.Contains(got, "is a directory") {
		t.Errorf("got %q", got)
	}
}
