package quorum_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/drwatch/drwatch/internal/quorum"
)

// foreign is an etcd that somebody else runs: it wants a certificate and a user.
type foreign struct {
	*testing.T
	root *clientv3.Client
	etcd *quorum.Etcd
}

const (
	firstPassword  = "first-password"
	secondPassword = "second-password"
)

func newForeign(t *testing.T) *foreign {
	t.Helper()
	dir := t.TempDir()
	own := openStore(t, filepath.Join(dir, "etcd"), func(o *quorum.Options) { o.Cluster = "unrelated" })
	f := &foreign{T: t, root: client(t, own)}
	f.must(f.root.RoleAdd(t.Context(), "drwatch"))
	f.must(f.root.RoleGrantPermission(t.Context(), "drwatch", "/drwatch/test/", "/drwatch/test0", clientv3.PermissionType(clientv3.PermReadWrite)))
	for user, role := range map[string]string{"root": "root", "drwatch": "drwatch"} {
		f.must(f.root.UserAdd(t.Context(), user, firstPassword))
		f.must(f.root.UserGrantRole(t.Context(), user, role))
	}
	cert := filepath.Join(dir, "all.crt")
	f.etcd = &quorum.Etcd{
		TLS:      &quorum.TLS{CertFile: cert, KeyFile: filepath.Join(dir, "all.key"), CAFile: cert},
		Username: "drwatch", PasswordFile: filepath.Join(dir, "password"),
	}
	selfSigned(t, f.etcd.TLS)
	writeFile(t, f.etcd.PasswordFile, []byte(firstPassword+"\n"))
	f.etcd.Endpoints = []string{tlsInFrontOf(t, strings.TrimPrefix(own.Status().ClientURL, "http://"), f.etcd.TLS)}
	f.must(f.root.AuthEnable(t.Context()))
	return f
}

func (f *foreign) must(_ any, err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// selfSigned writes a certificate that is its own CA and good for both ends.
func selfSigned(t *testing.T, files *quorum.TLS) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "all"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, files.CertFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	writeFile(t, files.KeyFile, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private}))
}

// tlsInFrontOf wants certificates and passes what is inside on to an address.
func tlsInFrontOf(t *testing.T, address string, files *quorum.TLS) string {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(files.CertFile, files.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(readFile(t, files.CAFile))
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{pair}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert, NextProtos: []string{"h2"},
	})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	t.Cleanup(func() {
		_ = l.Close()
		wg.Wait()
	})
	wg.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { pass(in, address) })
		}
	})
	return "https://" + l.Addr().String()
}

func pass(in net.Conn, address string) {
	defer in.Close()
	out, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer out.Close()
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		_, _ = io.Copy(out, in)
		_ = out.Close() // ends the other direction
	})
	_, _ = io.Copy(in, out)
	_ = in.Close()
}

func (f *foreign) open(change ...func(*quorum.Options)) *quorum.Store {
	f.Helper()
	dir := filepath.Join(f.TempDir(), "etcd")
	return openRaw(f.T, dir, append([]func(*quorum.Options){func(o *quorum.Options) { o.Etcd, o.Command = f.etcd, nil }}, change...)...)
}

// An etcd of somebody else is a store as good as one's own, with certificates, a
// user that may reach nothing but drwatch's keys, and a password that changes.
func TestExternalEtcd(t *testing.T) {
	t.Parallel()
	f := newForeign(t)
	s := f.open()
	waitFor(t, "the store to join", func() bool { return s.Status().Joined })
	p := &play{T: t, clock: newClock(), coordinator: s}
	rec := p.claimed()
	if got := p.read().Incidents[rec.ID]; got.Token != rec.Token {
		t.Errorf("the incident is read back as %+v", got)
	}
	if got := s.Status(); got.ClientURL != f.etcd.Endpoints[0] || got.LastError != "" || got.Restarts != 0 {
		t.Errorf("the status is %+v", got)
	}
	if err := s.ReplaceMember(t.Context(), "obs-b", "alice", "x"); !errors.Is(err, quorum.ErrRefused) || !containsText(err, "somebody else") {
		t.Errorf("replacing a member of it: %v", err)
	}
	if err := s.RemoveMember(t.Context(), "obs-b", "alice", "x"); !errors.Is(err, quorum.ErrNotFound) {
		t.Errorf("removing an observer that never was: %v", err)
	}

	admin := f.asRoot()
	f.must(admin.UserChangePassword(t.Context(), "drwatch", secondPassword))
	waitFor(t, "the old password to be refused", func() bool {
		st := s.Status()
		return !st.Joined && strings.Contains(st.LastError, "authentication failed")
	})
	writeFile(t, f.etcd.PasswordFile, []byte(secondPassword+"\n"))
	waitFor(t, "the new password to be used", func() bool { return s.Status().Joined })
	p.ok(s.Renew(t.Context()))

	// The user's keys are those of one cluster.
	other := f.open(func(o *quorum.Options) { o.Cluster = "elsewhere" })
	waitFor(t, "the refusal of other keys", func() bool { return strings.Contains(other.Status().LastError, "permission denied") })
	if other.Status().Joined {
		t.Error("it joined without a permission")
	}
}

// asRoot is an administrator of the foreign etcd.
func (f *foreign) asRoot() *clientv3.Client {
	f.Helper()
	cli, err := clientv3.New(clientv3.Config{Endpoints: f.root.Endpoints(), DialTimeout: 5 * time.Second, Username: "root", Password: firstPassword})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = cli.Close() })
	return cli
}

func TestExternalEtcdThatRefuses(t *testing.T) {
	t.Parallel()
	f := newForeign(t)
	for _, tc := range []struct {
		name   string
		change func(*quorum.Etcd)
		says   string
	}{
		{"a wrong password", func(e *quorum.Etcd) {
			e.PasswordFile += ".wrong"
			writeFile(t, e.PasswordFile, []byte("wrong"))
		}, "authentication failed"},
		{"no password file", func(e *quorum.Etcd) { e.PasswordFile += ".absent" }, "no such file"},
		{"an unknown CA", func(e *quorum.Etcd) {
			other := quorum.TLS{CertFile: e.TLS.CertFile + ".other", KeyFile: e.TLS.KeyFile + ".other"}
			selfSigned(t, &other)
			e.TLS = &quorum.TLS{CertFile: e.TLS.CertFile, KeyFile: e.TLS.KeyFile, CAFile: other.CertFile}
		}, "certificate"},
		{"nobody there", func(e *quorum.Etcd) { e.Endpoints = []string{"https://127.0.0.1:1"} }, "connection refused"},
		{"nobody there and no user", func(e *quorum.Etcd) {
			e.Endpoints, e.Username, e.PasswordFile = []string{"https://127.0.0.1:1"}, "", ""
		}, "connection refused"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			etcd := *f.etcd
			tc.change(&etcd)
			s := openRaw(t, filepath.Join(t.TempDir(), "etcd"), func(o *quorum.Options) { o.Etcd = &etcd })
			waitFor(t, "the reason", func() bool { return strings.Contains(s.Status().LastError, tc.says) })
			t.Log(s.Status().LastError)
			began := time.Now()
			if _, err := s.Read(t.Context()); err == nil || strings.Contains(err.Error(), firstPassword) {
				t.Errorf("reading: %v", err)
			}
			if took := time.Since(began); took > 7*time.Second {
				t.Errorf("the refusal took %s", took)
			}
		})
	}
}
