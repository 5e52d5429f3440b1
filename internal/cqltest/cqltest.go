// Package cqltest gives tests a real CQL server: the one that make test started
// (scripts/with-cql.sh), or one of a test's own that it may stop and start.
//
// Only tests and benchmarks import it. It speaks to the server by gocql itself,
// so that what it makes and drops does not depend on readstore/cql.
package cqltest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/gocql/gocql"
	"github.com/stretchr/testify/require"
)

// Env names the variable that holds the server's host:port.
const Env = "ADMITONE_TEST_CQL"

// Hosts is the addresses (host:port) of the CQL server that the tests share.
// Without one it skips the test, but fails it where the variable CI is true: a
// run that counts may not leave out a backend.
func Hosts(t testing.TB) []string {
	t.Helper()
	addr := os.Getenv(Env)
	if addr != "" {
		return []string{addr}
	}
	if ci, _ := strconv.ParseBool(os.Getenv("CI")); ci {
		t.Fatalf("cqltest: %s is empty, and where CI is true no CQL test may be skipped; run: scripts/with-cql.sh go test ./...", Env)
	}
	t.Skipf("no CQL server: %s is empty; run: scripts/with-cql.sh go test ./...", Env)
	return nil
}

// Keyspace is the name of a keyspace that nobody else uses, on the shared server
// of Hosts; it does not exist yet, and is dropped when the test ends. It skips or
// fails as Hosts does.
func Keyspace(t testing.TB) string {
	t.Helper()
	return KeyspaceOn(t, Hosts(t))
}

// KeyspaceOn is Keyspace on another server, which must still run when the test ends.
func KeyspaceOn(t testing.TB, hosts []string) string {
	t.Helper()
	name := fmt.Sprintf("t_%016x", rand.Uint64())
	t.Cleanup(func() {
		s := Session(t, hosts)
		defer s.Close()
		require.NoError(t, s.Query("DROP KEYSPACE IF EXISTS "+name).Exec())
	})
	return name
}

// Session is a bare gocql session with patience for schema changes, for what
// readstore does not do. The caller closes it.
func Session(t testing.TB, hosts []string) *gocql.Session {
	t.Helper()
	host, port, err := net.SplitHostPort(hosts[0])
	require.NoError(t, err)
	cfg := gocql.NewCluster(host)
	cfg.Port, err = strconv.Atoi(port)
	require.NoError(t, err)
	cfg.Timeout, cfg.ConnectTimeout = 30*time.Second, 10*time.Second
	cfg.Logger = quiet{}
	s, err := cfg.CreateSession()
	require.NoError(t, err)
	return s
}

type quiet struct{}

func (quiet) Print(...any)          {}
func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}
