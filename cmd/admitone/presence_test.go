package main

import (
	"encoding/json"
	"syscall"
	"testing"

	"github.com/admitone/admitone/internal/natstest"
	"github.com/stretchr/testify/require"
)

// A copy that hangs is told of, one that was stopped in order is not.
func TestACopyThatHangsIsToldOf(t *testing.T) {
	t.Parallel()
	broker := natstest.Server(t)
	data := dataDir(t)
	s := program.Serve(t, data, "--nats", broker.URL())
	require.Equal(t, []bool{false, false, false, false, false}, silence(t, broker.URL(), 0))

	require.NoError(t, syscall.Kill(s.PID(), syscall.SIGSTOP))
	require.Equal(t, []bool{true, true, true, true, true}, silence(t, broker.URL(), 1))
	found := examined(t, "--nats", broker.URL())
	require.Equal(t, levelFail, found["copies"].Level, "nobody answers")
	told := 0
	for check, f := range found {
		if f.Advice == silentAdvice {
			told++
			require.Equal(t, levelWarn, f.Level)
			require.Contains(t, check, "copy ")
		}
	}
	require.Equal(t, 5, told)

	require.NoError(t, syscall.Kill(s.PID(), syscall.SIGCONT))
	eventually(t, "it answers again", func() bool { return program.Run(t, "services", "--nats", broker.URL()).Code == 0 })
	s.Kill()
	require.Equal(t, []bool{true, true, true, true, true}, silence(t, broker.URL(), 1), "it did not take its leave")
	s = program.Serve(t, data, "--nats", broker.URL())
	require.Equal(t, []bool{false, false, false, false, false}, silence(t, broker.URL(), 0), "it is the one that was killed")
	require.Zero(t, s.Stop(), s.Log())
	require.Empty(t, silence(t, broker.URL(), 0))
}

// silence is which roles of copies are known and do not answer.
func silence(t *testing.T, url string, code int) (silent []bool) {
	t.Helper()
	r := program.Run(t, "services", "--nats", url, "--json")
	require.Equal(t, code, r.Code, r.Out)
	var list []serviceInfo
	require.NoError(t, json.Unmarshal([]byte(r.Out), &list))
	for _, s := range list {
		require.Equal(t, !s.Silent, s.Healthy)
		silent = append(silent, s.Silent)
	}
	return silent
}
