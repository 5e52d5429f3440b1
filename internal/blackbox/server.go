package blackbox

import (
	"bytes"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Server is a running "admitone serve". Not safe for concurrent use, but for Log.
type Server struct {
	Data string

	t      testing.TB
	cmd    *exec.Cmd
	log    *text
	exited chan struct{}
}

// readyTimeout bounds a start, with the recovery of a large log.
const readyTimeout = time.Minute

// Serve starts the program on a data directory and a free port, and returns once
// /readyz answers 200. It is killed when the test ends. It fails the test where
// the program does not get ready.
func (p Program) Serve(t testing.TB, data string, args ...string) *Server {
	t.Helper()
	began := time.Now()
	s := p.Launch(t, data, args...)
	s.AwaitReady()
	t.Logf("ready after %s", time.Since(began).Round(time.Millisecond))
	return s
}

// Launch is Serve without the wait.
func (p Program) Launch(t testing.TB, data string, args ...string) *Server {
	t.Helper()
	// A killed server leaves the address of its HTTP listener behind.
	require.NoError(t, os.RemoveAll(filepath.Join(data, "http.url")))
	all := append([]string{"serve", "--data", data, "--http", "127.0.0.1:0", "--log-level", "warn"}, args...)
	s := &Server{Data: data, t: t, cmd: exec.Command(string(p), all...), log: &text{}, exited: make(chan struct{})}
	s.cmd.Env, s.cmd.Stdout, s.cmd.Stderr, s.cmd.SysProcAttr = environment(nil), s.log, s.log, withParent()
	require.NoError(t, s.cmd.Start())
	go func() {
		defer close(s.exited)
		_ = s.cmd.Wait()
	}()
	t.Cleanup(s.Kill)
	return s
}

// AwaitReady waits until /readyz answers 200.
func (s *Server) AwaitReady() {
	s.t.Helper()
	deadline := time.Now().Add(readyTimeout)
	for !s.Ready() {
		select {
		case <-s.exited:
			require.FailNow(s.t, "the server ended", s.Log())
		case <-time.After(5 * time.Millisecond):
		}
		require.True(s.t, time.Now().Before(deadline), "the server does not get ready\n%s", s.Log())
	}
}

// Ready asks /readyz once.
func (s *Server) Ready() bool {
	url := fileText(filepath.Join(s.Data, "http.url"))
	if url == "" {
		return false
	}
	r, err := probe.Get(url + "/readyz")
	if err != nil {
		return false
	}
	_ = r.Body.Close()
	return r.StatusCode == http.StatusOK
}

// probe keeps no connection, so that nothing is left when a server ends.
var probe = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// URL is where it serves HTTP.
func (s *Server) URL() string { return fileText(filepath.Join(s.Data, "http.url")) }

// NATS is the URL of its broker.
func (s *Server) NATS() string { return fileText(filepath.Join(s.Data, "nats.url")) }

// Log is what it printed so far. Safe for concurrent use.
func (s *Server) Log() string { return s.log.String() }

// PID is its process id.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Stop asks it to stop (SIGTERM), waits, and returns its exit code.
func (s *Server) Stop() int { return s.end(syscall.SIGTERM) }

// Interrupt is Stop by SIGINT.
func (s *Server) Interrupt() int { return s.end(syscall.SIGINT) }

// HangUp is Stop by SIGHUP, as when its terminal is closed.
func (s *Server) HangUp() int { return s.end(syscall.SIGHUP) }

// Kill ends it at once (SIGKILL). It may have ended already.
func (s *Server) Kill() { s.end(syscall.SIGKILL) }

// Exited waits until it ends by itself and returns its exit code.
func (s *Server) Exited() int {
	s.t.Helper()
	select {
	case <-s.exited:
	case <-time.After(readyTimeout):
		require.FailNow(s.t, "the server does not end", s.Log())
	}
	return s.cmd.ProcessState.ExitCode()
}

func (s *Server) end(signal syscall.Signal) int {
	_ = s.cmd.Process.Signal(signal)
	return s.Exited()
}

func fileText(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// text is a buffer that may be read while it is written.
type text struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *text) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *text) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
