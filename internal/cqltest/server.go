package cqltest

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// Server is a CQL server of one test's own, which it may stop, freeze and start
// again; address and data stay. Its methods return once done and end the test
// when they fail. Not safe for concurrent use.
type Server struct {
	// Hosts is its address, host:port, the same after each Start.
	Hosts []string

	t   testing.TB
	in  io.WriteCloser
	out *bufio.Scanner
}

// StartServer starts a server on a free loopback port with an empty data folder,
// in 5 to 15 s, and stops it when the test ends, also when the test process dies.
// It skips or fails without ADMITONE_TEST_CQL, as Hosts does: only a run that
// wants CQL tests is able to start one. env is added to what scripts/cql-server.sh
// sees.
func StartServer(t testing.TB, env ...string) *Server {
	t.Helper()
	Hosts(t)
	cmd := exec.Command(script(t), filepath.Join(t.TempDir(), "server"))
	cmd.Stderr, cmd.Env = os.Stderr, append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	s := &Server{t: t, in: in, out: bufio.NewScanner(out)}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	s.Hosts = []string{s.answer("ready")}
	return s
}

// Stop ends the server in order; what it acknowledged is there after Start.
func (s *Server) Stop() { s.order("stop", "stopped") }

// Kill ends the server at once. Alone, without replicas, it may lose what it
// acknowledged within the last moments: CQL servers sync their log periodically.
func (s *Server) Kill() { s.order("kill", "stopped") }

// Start starts it again after Stop or Kill, and returns when it accepts connections.
func (s *Server) Start() { require.Equal(s.t, s.Hosts[0], s.order("start", "ready")) }

// Pause freezes the server: connections stay open, and nothing is answered.
func (s *Server) Pause() { s.order("pause", "paused") }

// Resume ends Pause.
func (s *Server) Resume() { s.order("resume", "resumed") }

func (s *Server) order(command, want string) string {
	s.t.Helper()
	_, err := io.WriteString(s.in, command+"\n")
	require.NoError(s.t, err)
	return s.answer(want)
}

func (s *Server) answer(want string) string {
	s.t.Helper()
	require.True(s.t, s.out.Scan(), "cqltest: the server did not start, or is gone; its log is above")
	word, rest, _ := strings.Cut(s.out.Text(), " ")
	require.Equal(s.t, want, word)
	return rest
}

// script finds scripts/cql-server.sh in a folder above the test's own.
func script(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	require.NoError(t, err)
	for ; ; dir = filepath.Dir(dir) {
		path := filepath.Join(dir, "scripts", "cql-server.sh")
		if _, err := os.Stat(path); err == nil {
			return path
		}
		require.NotEqual(t, dir, filepath.Dir(dir), "cqltest: scripts/cql-server.sh is in no folder above the test's")
	}
}
