package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/admitone/admitone/internal/cqltest"
	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"
)

// authority signs certificates for this machine, and writes what a client needs.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t, dir: t.TempDir()}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"},
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	var err error
	a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key)
	require.NoError(t, err)
	a.cert, err = x509.ParseCertificate(der)
	require.NoError(t, err)
	a.write("ca.pem", "CERTIFICATE", der)
	return a
}

func (a *authority) write(name, kind string, der []byte) {
	require.NoError(a.t, os.WriteFile(a.file(name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
}

func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }

// issue makes NAME.pem and NAME.key.
func (a *authority) issue(name string) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(a.t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	require.NoError(a.t, err)
	secret, err := x509.MarshalECPrivateKey(key)
	require.NoError(a.t, err)
	a.write(name+".pem", "CERTIFICATE", der)
	a.write(name+".key", "EC PRIVATE KEY", secret)
	pair, err := tls.LoadX509KeyPair(a.file(name+".pem"), a.file(name+".key"))
	require.NoError(a.t, err)
	return pair
}

// demanding is a server's side of TLS, which wants the client's certificate too.
func (a *authority) demanding() *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return &tls.Config{Certificates: []tls.Certificate{a.issue("server")}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool, MinVersion: tls.VersionTLS12}
}

// secureNATS runs a JetStream server that wants TLS and what change adds.
func secureNATS(t *testing.T, config *tls.Config, change func(*server.Options)) string {
	o := &server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), TLSConfig: config, TLSVerify: true,
		TLSTimeout: 5, NoSigs: true, NoLog: true}
	change(o)
	s, err := server.NewServer(o)
	require.NoError(t, err)
	s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	require.True(t, s.ReadyForConnections(30*time.Second))
	return "tls://" + s.Addr().String()
}

func (a *authority) natsFlags() []string {
	return []string{"--nats-ca", a.file("ca.pem"), "--nats-cert", a.file("client.pem"), "--nats-key", a.file("client.key")}
}

func TestNATSByTLSAndPassword(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	a.issue("client")
	url := secureNATS(t, a.demanding(), func(o *server.Options) { o.Username, o.Password = "admitone", "secret" })
	url = "tls://admitone:secret@" + url[len("tls://"):]
	data := dataDir(t)
	s := program.Serve(t, data, append(a.natsFlags(), "--nats", url)...)
	list(t, seller(t, data), 1)
	r := program.Run(t, append([]string{"services", "--nats", url}, a.natsFlags()...)...)
	require.Zero(t, r.Code, r.ErrOut)
	require.Contains(t, r.Out, s.URL())
	require.Zero(t, s.Stop(), s.Log())
	require.NotContains(t, s.Log(), "secret@", "the password is in the log")

	requireRefused(t, dataDir(t), []string{"--nats", url}, "certificate")
	requireRefused(t, dataDir(t), []string{"--nats", url, "--nats-ca", a.file("client.key")}, "--nats-ca", "no certificate")
	requireRefused(t, dataDir(t), []string{"--nats", url, "--nats-cert", a.file("client.pem")}, "--nats-key")
}

func TestNATSByCredentialsFile(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	a.issue("client")
	creds := a.file("user.creds")
	url := secureNATS(t, a.demanding(), func(o *server.Options) { operatorMode(t, o, creds) })
	data := dataDir(t)
	s := program.Serve(t, data, append(a.natsFlags(), "--nats", url, "--nats-creds", creds)...)
	list(t, seller(t, data), 1)
	require.Zero(t, s.Stop(), s.Log())
	requireRefused(t, dataDir(t), append(a.natsFlags(), "--nats", url), "password")
	requireRefused(t, dataDir(t), append(a.natsFlags(), "--nats", url, "--nats-creds", a.file("none")), "--nats-creds")
}

// operatorMode lets in a user of an account by a file with his JWT and seed.
func operatorMode(t *testing.T, o *server.Options, creds string) {
	pair := func(kp nkeys.KeyPair, err error) (nkeys.KeyPair, string) {
		require.NoError(t, err)
		public, err := kp.PublicKey()
		require.NoError(t, err)
		return kp, public
	}
	signed := func(text string, err error) string {
		require.NoError(t, err)
		return text
	}
	operator, operatorID := pair(nkeys.CreateOperator())
	account, accountID := pair(nkeys.CreateAccount())
	user, userID := pair(nkeys.CreateUser())
	_, systemID := pair(nkeys.CreateAccount())
	claims := jwt.NewAccountClaims(accountID)
	claims.Limits.JetStreamLimits = jwt.JetStreamLimits{MemoryStorage: -1, DiskStorage: -1}
	resolver := &server.MemAccResolver{}
	require.NoError(t, resolver.Store(accountID, signed(claims.Encode(operator))))
	require.NoError(t, resolver.Store(systemID, signed(jwt.NewAccountClaims(systemID).Encode(operator))))
	o.SystemAccount = systemID
	trusted, err := jwt.DecodeOperatorClaims(signed(jwt.NewOperatorClaims(operatorID).Encode(operator)))
	require.NoError(t, err)
	o.TrustedOperators, o.AccountResolver = []*jwt.OperatorClaims{trusted}, resolver
	seed, err := user.Seed()
	require.NoError(t, err)
	file, err := jwt.FormatUserConfig(signed(jwt.NewUserClaims(userID).Encode(account)), seed)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(creds, file, 0o600))
}

// The CQL server of the tests speaks no TLS: what stands in front of it does.
func TestClusterByTLSCQL(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	a.issue("client")
	host := terminate(t, a.demanding(), cqltest.Hosts(t)[0])
	data := dataDir(t)
	args := []string{"--cql", host, "--keyspace", cqltest.Keyspace(t)}
	s := program.Serve(t, data, append(args, "--cql-ca", a.file("ca.pem"), "--cql-cert", a.file("client.pem"), "--cql-key", a.file("client.key"))...)
	list(t, seller(t, data), 1)
	require.Zero(t, s.Stop(), s.Log())
	requireRefused(t, dataDir(t), append(args, "--cql-user", "x"), "--cql-password")
}

// terminate passes on what comes by TLS.
func terminate(t *testing.T, config *tls.Config, to string) string {
	l, err := tls.Listen("tcp", "127.0.0.1:0", config)
	require.NoError(t, err)
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
			wg.Go(func() { join(in, to) })
		}
	})
	return l.Addr().String()
}

func join(in net.Conn, to string) {
	defer func() { _ = in.Close() }()
	out, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer func() { _ = out.Close() }()
	go func() {
		_, _ = io.Copy(out, in)
		_ = out.Close()
	}()
	_, _ = io.Copy(in, out)
}

// A cluster that wants a user and password lets in who has them.
func TestProofClusterByPasswordCQL(t *testing.T) {
	proof(t)
	t.Parallel()
	srv := cqltest.StartServer(t, "CQL_PASSWORDS=1")
	args := []string{"--cql", srv.Hosts[0], "--cql-user", "cassandra"}
	data := dataDir(t)
	s := program.Serve(t, data, append(args, "--cql-password", "cassandra")...)
	list(t, seller(t, data), 1)
	require.Zero(t, s.Stop(), s.Log())
}
