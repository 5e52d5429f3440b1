package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/admitone/admitone/internal/cqltest"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/stretchr/testify/require"
)

// TestTour follows docs/tour.md from top to bottom in an empty folder.
func TestTour(t *testing.T) {
	t.Parallel()
	followTour(t, "sh")
}

// TestTourCQL follows the part of the tour that needs a CQL server.
func TestTourCQL(t *testing.T) {
	t.Parallel()
	followTour(t, "sh cql", "CQL="+cqltest.Hosts(t)[0], "ADMITONE_KEYSPACE="+cqltest.Keyspace(t))
}

// TestTourFleetCQL follows the part that needs a NATS server and a CQL server.
func TestTourFleetCQL(t *testing.T) {
	t.Parallel()
	followTour(t, "sh fleet", "NATS="+natstest.Server(t).URL(), "CQL="+cqltest.Hosts(t)[0], "ADMITONE_KEYSPACE="+cqltest.Keyspace(t))
}

// step is a block of commands and what the page says they print.
type step struct {
	line     int
	commands string
	prints   string
	says     bool
}

const tour = "../../docs/tour.md"

// tourTimeout bounds a whole tour.
const tourTimeout = 2 * time.Minute

func followTour(t *testing.T, kind string, env ...string) {
	steps := readTour(t, kind)
	require.NotEmpty(t, steps)
	outputs, err := runTour(t, steps, env)
	for i, s := range steps {
		printed, readErr := os.ReadFile(filepath.Join(outputs, fmt.Sprint(i)))
		if readErr != nil {
			break
		}
		if s.says {
			require.Regexp(t, pattern(s.prints), strings.ReplaceAll(string(printed), "\r", ""), "the block at %s:%d prints something else", tour, s.line)
		} else if err == nil {
			require.Empty(t, string(printed), "the block at %s:%d prints what the page does not say", tour, s.line)
		}
	}
	require.NoError(t, err, "a command of the tour failed; the last output: %s", last(outputs, len(steps)))
}

// readTour takes the blocks of a kind out of the page, each with the text block
// that follows it before the next block of commands.
func readTour(t *testing.T, kind string) []step {
	page, err := os.ReadFile(tour)
	require.NoError(t, err)
	var steps []step
	var block []string
	fence := ""
	for i, line := range strings.Split(string(page), "\n") {
		switch {
		case fence == "" && strings.HasPrefix(line, "```"):
			fence, block = line, nil
			if fence == "```"+kind {
				steps = append(steps, step{line: i + 1})
			}
		case line == "```":
			text := strings.Join(block, "\n") + "\n"
			switch {
			case fence == "```"+kind:
				steps[len(steps)-1].commands = text
			case fence == "```text" && len(steps) > 0 && !steps[len(steps)-1].says:
				steps[len(steps)-1].prints, steps[len(steps)-1].says = text, true
			}
			fence = ""
		default:
			block = append(block, line)
		}
	}
	require.Empty(t, fence, "a block is not closed")
	return steps
}

// runTour runs all blocks in one session, and leaves what each printed in a file
// of its own.
func runTour(t *testing.T, steps []step, env []string) (outputs string, err error) {
	outputs = t.TempDir()
	var script strings.Builder
	script.WriteString("set -euo pipefail\ntrap 'kill -KILL ${server:-} ${copies:-} 2>/dev/null || true' EXIT\n")
	for i, s := range steps {
		fmt.Fprintf(&script, "exec >%s/%d 2>&1\n%s", outputs, i, s.commands)
	}
	file := filepath.Join(outputs, "tour.sh")
	require.NoError(t, os.WriteFile(file, []byte(script.String()), 0o600))
	ctx, cancel := context.WithTimeout(t.Context(), tourTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", file)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), append(env, "PATH="+filepath.Dir(string(program))+":"+os.Getenv("PATH"), "LC_ALL=C.UTF-8")...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	return outputs, cmd.Run()
}

// pattern matches what a text block says: an ellipsis is anything within a line,
// alone on a line it is any lines.
func pattern(text string) *regexp.Regexp {
	quoted := regexp.QuoteMeta(text)
	quoted = regexp.MustCompile(`(?m)^…\n`).ReplaceAllString(quoted, `(?:.*\n)*?`)
	return regexp.MustCompile(`\A` + strings.ReplaceAll(quoted, "…", ".*") + `\z`)
}

func last(outputs string, steps int) string {
	for i := steps - 1; i >= 0; i-- {
		if text, err := os.ReadFile(filepath.Join(outputs, fmt.Sprint(i))); err == nil {
			return fmt.Sprintf("block %d: %s", i+1, text)
		}
	}
	return "none"
}
