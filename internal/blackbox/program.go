package blackbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Program is the path of a built binary.
type Program string

// Build builds package pkg of the module into dir, without the race detector.
func Build(pkg, dir string) (Program, error) {
	path := filepath.Join(dir, "admitone")
	cmd := exec.Command("go", "build", "-buildvcs=false", "-o", path, pkg)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("blackbox: build %s: %w\n%s", pkg, err, out)
	}
	return Program(path), nil
}

// Result is what a finished subcommand left.
type Result struct {
	Code        int
	Out, ErrOut string
}

// runTimeout bounds one subcommand.
const runTimeout = 3 * time.Minute

// Run runs a subcommand to its end.
func (p Program) Run(t testing.TB, args ...string) Result {
	t.Helper()
	return p.RunWith(t, nil, args...)
}

// RunWith is Run with variables (NAME=value) added to the environment.
func (p Program) RunWith(t testing.TB, env []string, args ...string) Result {
	t.Helper()
	r, err := p.run(t.Context(), env, args)
	require.NoError(t, err)
	return r
}

// Begin starts a subcommand and hands over what it left when it has ended; a code
// of -1 where it could not be run.
func (p Program) Begin(ctx context.Context, args ...string) <-chan Result {
	ended := make(chan Result, 1)
	go func() {
		r, err := p.run(ctx, nil, args)
		if err != nil {
			r = Result{Code: -1, ErrOut: err.Error()}
		}
		ended <- r
	}()
	return ended
}

func (p Program) run(ctx context.Context, env, args []string) (Result, error) {
	ctx, cancel := context.WithTimeout(ctx, runTimeout)
	defer cancel()
	var out, errOut bytes.Buffer
	cmd := exec.CommandContext(ctx, string(p), args...)
	cmd.Env = environment(env)
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = &out, &errOut, withParent()
	err := cmd.Run()
	var exit *exec.ExitError
	if ctx.Err() != nil || err != nil && !errors.As(err, &exit) {
		return Result{}, fmt.Errorf("blackbox: admitone %s: %w\n%s", strings.Join(args, " "), errors.Join(ctx.Err(), err), errOut.String())
	}
	return Result{Code: cmd.ProcessState.ExitCode(), Out: out.String(), ErrOut: errOut.String()}, nil
}

// Token mints an access token of a data directory; args may name other keys.
func (p Program) Token(t testing.TB, data, account, role string, args ...string) string {
	t.Helper()
	r := p.Run(t, append([]string{"token", "--data", data, "--sub", account, "--role", role}, args...)...)
	require.Zero(t, r.Code, r.ErrOut)
	return strings.TrimSpace(r.Out)
}

// environment is this process's without settings of the program, so that a
// developer's own do not change what is tested.
func environment(added []string) []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "ADMITONE_") {
			env = append(env, v)
		}
	}
	return append(env, added...)
}
