package main

import (
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// A terminal drops the end of a long line: what may be a part of one is not sent.
func TestChatSendsNoPartOfALine(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	program.Serve(t, data)
	talk := program.TalkOn(t, 200, "chat", "--data", data, "--sub", uuid.NewString())
	talk.Say(strings.Repeat("ä", 2503))
	talk.Sees("not sent: a terminal passes on no more than 4,095 bytes")
	talk.Say(strings.Repeat("x", 4095))
	most := strings.Repeat("ä", 1990)
	talk.Say(most)
	talk.Sees("conversation ")
	talk.Say("/quit")
	left := talk.Ended()
	require.Equal(t, 1, left.Code, left.ErrOut)
	require.Contains(t, left.ErrOut, "2 of the lines were not sent")
	require.Equal(t, 1990, strings.Count(program.Run(t, "chat", "--data", data, "--sub", uuid.NewString(), "--role", "agent",
		"--conversation", talkIn(t, left.ErrOut)).Out, "ä"))
}
