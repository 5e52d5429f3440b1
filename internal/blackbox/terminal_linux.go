package blackbox

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// TalkOn is Talk on a terminal so many columns wide, for input and output; notes are
// apart. The terminal does not echo.
func (p Program) TalkOn(t testing.TB, columns uint16, args ...string) *Talk {
	t.Helper()
	user, program := terminal(t, columns)
	k := &Talk{t: t, cmd: exec.Command(string(p), args...), in: user, out: &text{}, errOut: &text{}, exited: make(chan struct{})}
	k.cmd.Env, k.cmd.Stderr, k.cmd.SysProcAttr = environment(nil), k.errOut, withParent()
	k.cmd.Stdin, k.cmd.Stdout = program, program
	require.NoError(t, k.cmd.Start())
	require.NoError(t, program.Close())
	shown := make(chan struct{})
	go func() {
		defer close(shown)
		_, _ = io.Copy(k.out, user) // until the program's end of it is closed
	}()
	go func() {
		defer close(k.exited)
		_ = k.cmd.Wait()
		<-shown
	}()
	t.Cleanup(func() {
		_ = k.cmd.Process.Kill()
		<-k.exited
		_ = user.Close()
	})
	return k
}

// terminal opens both ends of one.
func terminal(t testing.TB, columns uint16) (user, program *os.File) {
	t.Helper()
	user, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	control(t, user, func(fd int) error { return unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0) })
	var n int
	control(t, user, func(fd int) (err error) { n, err = unix.IoctlGetInt(fd, unix.TIOCGPTN); return err })
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	control(t, program, func(fd int) error {
		mode, err := unix.IoctlGetTermios(fd, unix.TCGETS)
		if err != nil {
			return err
		}
		mode.Lflag &^= unix.ECHO
		mode.Oflag &^= unix.OPOST
		if err := unix.IoctlSetTermios(fd, unix.TCSETS, mode); err != nil {
			return err
		}
		return unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: columns})
	})
	return user, program
}

func control(t testing.TB, f *os.File, do func(fd int) error) {
	t.Helper()
	raw, err := f.SyscallConn()
	require.NoError(t, err)
	require.NoError(t, raw.Control(func(fd uintptr) { err = do(int(fd)) }))
	require.NoError(t, err)
}
