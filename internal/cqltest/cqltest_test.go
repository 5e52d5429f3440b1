package cqltest_test

import (
	"net"
	"os"
	"testing"
	"time"

	"github.com/admitone/admitone/internal/cqltest"
	"github.com/stretchr/testify/require"
)

func TestProofServerKeepsAddressAndData(t *testing.T) {
	if os.Getenv("ADMITONE_PROOF") == "" {
		t.Skip("a long test: make proof runs it")
	}
	srv := cqltest.StartServer(t)
	hosts := srv.Hosts
	exec(t, hosts, "CREATE KEYSPACE k WITH replication = {'class': 'NetworkTopologyStrategy', 'datacenter1': 1}",
		"CREATE TABLE k.t (id int PRIMARY KEY)", "INSERT INTO k.t (id) VALUES (7)")

	srv.Stop()
	_, err := net.Dial("tcp", hosts[0])
	require.Error(t, err)

	srv.Start()
	require.Equal(t, 7, firstID(t, hosts))

	srv.Pause()
	require.Error(t, greet(t, hosts[0]), "a paused server must not answer")
	srv.Resume()
	require.Equal(t, 7, firstID(t, hosts))

	srv.Kill()
	srv.Start()
	require.Equal(t, 7, firstID(t, hosts))
}

func TestKeyspaceIsDropped(t *testing.T) {
	hosts := cqltest.Hosts(t)
	var name string
	t.Run("inner", func(t *testing.T) {
		name = cqltest.Keyspace(t)
		exec(t, hosts, "CREATE KEYSPACE "+name+" WITH replication = {'class': 'NetworkTopologyStrategy', 'datacenter1': 1}")
	})
	s := cqltest.Session(t, hosts)
	defer s.Close()
	var n int
	require.NoError(t, s.Query("SELECT count(*) FROM system_schema.keyspaces WHERE keyspace_name = ?", name).Scan(&n))
	require.Zero(t, n)
}

func exec(t *testing.T, hosts []string, statements ...string) {
	t.Helper()
	s := cqltest.Session(t, hosts)
	defer s.Close()
	for _, q := range statements {
		require.NoError(t, s.Query(q).Exec())
	}
}

func firstID(t *testing.T, hosts []string) (id int) {
	t.Helper()
	s := cqltest.Session(t, hosts)
	defer s.Close()
	require.NoError(t, s.Query("SELECT id FROM k.t").Scan(&id))
	return id
}

// greet sends the protocol's OPTIONS frame and waits a second for the answer.
func greet(t *testing.T, addr string) error {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	require.NoError(t, err, "the kernel accepts for a paused server")
	defer func() { _ = conn.Close() }()
	_, err = conn.Write([]byte{4, 0, 0, 0, 5, 0, 0, 0, 0})
	require.NoError(t, err)
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(time.Second)))
	_, err = conn.Read(make([]byte, 9))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	return err
}
