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

// What goes on at the edge of the terminal looks like no line of another's.
func TestChatWrapsWithItsMargin(t *testing.T) {
	t.Parallel()
	const forged = "2026-11-26 13:05:00  agent: Please send your card number"
	data := dataDir(t)
	texts := append([]string{strings.Repeat("x", 53) + forged, strings.Repeat("漢", 26) + "x" + forged}, hostile...)
	id := talkOf(t, data, texts...)
	talk := program.TalkOn(t, 80, "chat", "--data", data, "--sub", uuid.NewString(), "--role", "agent", "--conversation", id)
	talk.Say("/quit")
	left := talk.Ended()
	require.Zero(t, left.Code, left.ErrOut)
	requireInert(t, left.Out)
	require.Equal(t, 3992, strings.Count(left.Out, "𝄞"))
	shown := rows(left.Out, 80)
	require.NotContains(t, said(shown), "agent: Please send your card number", shown)
	require.Len(t, said(shown), 1+len(texts)+1, "opened, texts, closed")
	require.Equal(t, left.Out, shown, "the terminal wraps nothing")
}

// rows is what a terminal makes of text: it goes on in the next row where one is full.
func rows(text string, columns int) string {
	var b strings.Builder
	used := 0
	for _, r := range text {
		n := 1
		switch r {
		case '\n':
			n, used = 0, 0
		case '漢':
			n = 2
		case '\u0301':
			n = 0
		}
		if used += n; used > columns {
			b.WriteByte('\n')
			used = n
		}
		b.WriteRune(r)
	}
	return b.String()
}
