package blackbox

import (
	"io"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Talk is a subcommand that is given lines, and read, while it runs. Not safe for
// concurrent use.
type Talk struct {
	t           testing.TB
	cmd         *exec.Cmd
	in          io.WriteCloser
	out, errOut *text
	exited      chan struct{}
}

// Talk starts a subcommand. It is killed when the test ends.
func (p Program) Talk(t testing.TB, args ...string) *Talk {
	t.Helper()
	k := &Talk{t: t, cmd: exec.Command(string(p), args...), out: &text{}, errOut: &text{}, exited: make(chan struct{})}
	k.cmd.Env, k.cmd.Stdout, k.cmd.Stderr, k.cmd.SysProcAttr = environment(nil), k.out, k.errOut, withParent()
	var err error
	k.in, err = k.cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, k.cmd.Start())
	go func() {
		defer close(k.exited)
		_ = k.cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = k.cmd.Process.Kill()
		<-k.exited
	})
	return k
}

// Say gives it a line.
func (k *Talk) Say(line string) {
	k.t.Helper()
	_, err := io.WriteString(k.in, line+"\n")
	require.NoError(k.t, err, k.errOut)
}

// Sees waits until it has printed a text, to whichever output.
func (k *Talk) Sees(what string) {
	k.t.Helper()
	deadline := time.Now().Add(readyTimeout)
	for !strings.Contains(k.out.String(), what) && !strings.Contains(k.errOut.String(), what) {
		select {
		case <-k.exited:
			require.Contains(k.t, k.out.String()+k.errOut.String(), what, "it ended")
			return
		case <-time.After(5 * time.Millisecond):
		}
		require.True(k.t, time.Now().Before(deadline), "it does not print %q, but\n%s\n%s", what, k.out, k.errOut)
	}
}

// Out is what it printed so far, but for notes.
func (k *Talk) Out() string { return k.out.String() }

// End ends its input, waits until it ends, and is what it left.
func (k *Talk) End() Result {
	k.t.Helper()
	require.NoError(k.t, k.in.Close())
	return k.Ended()
}

// Ended is End of one that ends by itself.
func (k *Talk) Ended() Result {
	k.t.Helper()
	select {
	case <-k.exited:
	case <-time.After(readyTimeout):
		require.FailNow(k.t, "it does not end", "%s\n%s", k.out, k.errOut)
	}
	return Result{Code: k.cmd.ProcessState.ExitCode(), Out: k.out.String(), ErrOut: k.errOut.String()}
}
